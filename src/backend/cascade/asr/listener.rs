//! A call's handle on a recogniser that is a task.

use std::future::Future;

use tokio::sync::mpsc;

use super::{Ask, Asr, AsrReport, Overrun};
use crate::agent::PcmFrame;
use crate::limits::{RECOGNISER_QUEUE_MAX, RECOGNISER_REPORTS_MAX};

/// The handle. Dropping it ends the task, which finds that nothing more is asked.
#[derive(Debug)]
pub(in crate::backend::cascade) struct Listener {
    asks: mpsc::Sender<Ask>,
    /// Frames dropped because the task is that far behind.
    frames_dropped: u64,
}

impl Listener {
    /// Starts the task that `listen` makes of what is asked and of where to report.
    pub(super) fn spawn<T: Future<Output = ()> + Send + 'static>(
        listen: impl FnOnce(mpsc::Receiver<Ask>, mpsc::Sender<AsrReport>) -> T,
    ) -> (Self, mpsc::Receiver<AsrReport>) {
        let (asks, asked) = mpsc::channel(RECOGNISER_QUEUE_MAX);
        let (reports, reported) = mpsc::channel(RECOGNISER_REPORTS_MAX);
        tokio::spawn(listen(asked, reports));
        (Self { asks, frames_dropped: 0 }, reported)
    }
}

impl Asr for Listener {
    fn ask(&mut self, ask: Ask) -> Result<(), Overrun> {
        self.asks.try_send(ask).map_err(|_| Overrun)
    }

    fn hear(&mut self, frame: PcmFrame) {
        if self.ask(Ask::Frame(Box::new(frame))).is_err() {
            self.frames_dropped += 1;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if self.frames_dropped > 0 {
            let frames_dropped = self.frames_dropped;
            tracing::warn!(frames_dropped, "speech recognition did not keep up with a call");
        }
    }
}
