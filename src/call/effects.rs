//! What a decision leads to: outputs, deadlines and counts. Lent to the part of the conversation that
//! decides.

use std::collections::VecDeque;

use crate::call::event::{BackendCommand, ClientEvent, DownlinkCommand, Output};
use crate::call::{CallStats, Timer};
use crate::time::Timers;

/// Where decisions are put down.
#[derive(Clone, Debug)]
pub(super) struct Effects {
    pub(super) outputs: VecDeque<Output>,
    pub(super) timers: Timers<Timer>,
    pub(super) stats: CallStats,
}

impl Effects {
    pub(super) fn new() -> Self {
        let stats = CallStats::default();
        Self { outputs: VecDeque::new(), timers: Timers::new(), stats }
    }

    pub(super) fn backend(&mut self, command: BackendCommand) {
        self.outputs.push_back(Output::Backend(command));
    }

    pub(super) fn client(&mut self, event: ClientEvent) {
        self.outputs.push_back(Output::Client(event));
    }

    pub(super) fn downlink(&mut self, command: DownlinkCommand) {
        self.outputs.push_back(Output::Downlink(command));
    }

    /// Something failed and the call goes on.
    pub(super) fn complain(&mut self, message: String) {
        self.stats.complaints += 1;
        self.client(ClientEvent::Error { message, fatal: false });
    }
}
