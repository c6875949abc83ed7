//! The one loop that every backend session runs in.
//!
//! What a backend does is a state machine that is told the time; this is the clock, the channels and
//! the waiting. An output is only made when there is room for it, so a call that stopped reading
//! costs no memory, and a command always goes before the next block of audio, so a cancelled reply
//! ends within one block.

use std::future::Future;

use tokio::time::{Instant, sleep_until};

use super::{BackendChannels, BackendOutput};
use crate::agent::BackendInput;
use crate::time::SessionTime;

/// The logic of one session.
pub(super) trait Machine: Send + 'static {
    /// What its own workers report: recognised words, synthesised audio, tokens.
    type Report: Send;

    /// The call sent something.
    fn handle_input(&mut self, now: SessionTime, input: BackendInput);

    /// A worker reported something.
    fn handle_report(&mut self, now: SessionTime, report: Self::Report);

    /// The next report of a worker; pending for ever without workers. Dropping the future before it
    /// is ready loses nothing.
    fn next_report(&mut self) -> impl Future<Output = Self::Report> + Send;

    /// The next thing to send, made now that there is room for it.
    fn poll_output(&mut self, now: SessionTime) -> Option<BackendOutput>;

    /// When [`Machine::poll_output`] wants to be called: now or earlier if it has something.
    fn poll_timeout(&self) -> Option<SessionTime>;

    /// Whether input may be read. False while so much output waits that reading on would pile up
    /// more; the call then finds its own queue full.
    fn wants_input(&self) -> bool;

    /// Nothing more will come: the session ends.
    fn is_over(&self) -> bool;
}

/// Runs a session until the machine is over or the call dropped either end of its channels.
pub(super) async fn run<M: Machine>(mut machine: M, mut channels: BackendChannels) {
    let began = Instant::now();
    let since = |began: Instant| {
        SessionTime::from_micros(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX))
    };
    while !machine.is_over() {
        let deadline = machine.poll_timeout();
        let is_due = deadline.is_some_and(|at| at <= since(began));
        let wake_at = began + deadline.unwrap_or_default().since(SessionTime::ZERO);
        tokio::select! {
            biased;
            () = channels.output.closed() => return,
            input = channels.input.recv(), if machine.wants_input() => match input {
                Some(input) => machine.handle_input(since(began), input),
                None => return,
            },
            report = machine.next_report() => machine.handle_report(since(began), report),
            permit = channels.output.reserve(), if is_due => {
                let Ok(permit) = permit else { return };
                if let Some(output) = machine.poll_output(since(began)) {
                    permit.send(output);
                }
            }
            () = sleep_until(wake_at), if deadline.is_some() && !is_due => {}
        }
    }
}
