//! A call's handle on a recogniser that is a task or a thread.

use std::future::Future;

use tokio::sync::mpsc;

use super::{Ask, AsrReport, Overrun};
use crate::agent::PcmFrame;
use crate::limits::{RECOGNISER_ASKS_MAX, RECOGNISER_QUEUE_MAX, RECOGNISER_REPORTS_MAX};

/// The handle. Dropping it ends the recogniser, which finds that nothing more is asked.
///
/// Nothing here waits: what is asked is answered by reports, in order.
#[derive(Debug)]
pub(in crate::backend::cascade) struct Listener {
    asks: mpsc::Sender<Ask>,
    /// Frames dropped because the recogniser is that far behind.
    frames_dropped: u64,
}

impl Listener {
    /// Starts the task that `listen` makes of what is asked and of where to report.
    pub(in crate::backend::cascade) fn spawn<T: Future<Output = ()> + Send + 'static>(
        listen: impl FnOnce(mpsc::Receiver<Ask>, mpsc::Sender<AsrReport>) -> T,
    ) -> (Self, mpsc::Receiver<AsrReport>) {
        Self::begin(|asked, reports| {
            tokio::spawn(listen(asked, reports));
        })
    }

    /// Has `begin` start whatever listens.
    pub(super) fn begin(
        begin: impl FnOnce(mpsc::Receiver<Ask>, mpsc::Sender<AsrReport>),
    ) -> (Self, mpsc::Receiver<AsrReport>) {
        let (asks, asked) = mpsc::channel(RECOGNISER_QUEUE_MAX);
        let (reports, reported) = mpsc::channel(RECOGNISER_REPORTS_MAX);
        begin(asked, reports);
        (Self { asks, frames_dropped: 0 }, reported)
    }

    /// Something other than audio.
    pub(in crate::backend::cascade) fn ask(&self, ask: Ask) -> Result<(), Overrun> {
        // Audio leaves room for requests: a call that cannot end its turns is over.
        let spared = if matches!(ask, Ask::Frame(_)) { RECOGNISER_ASKS_MAX } else { 0 };
        if self.asks.capacity() < spared {
            return Err(Overrun);
        }
        self.asks.try_send(ask).map_err(|_| Overrun)
    }

    /// Some of the turn's audio. Dropped and counted if the recogniser is far behind.
    pub(in crate::backend::cascade) fn hear(&mut self, frame: PcmFrame) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::event::{Generation, TurnId};
    use crate::limits::{UTTERANCE_FRAMES_MAX, WIDEBAND_FRAME};

    #[tokio::test]
    async fn the_longest_turn_may_be_told_at_once_and_its_end_always() {
        // Nobody reads yet.
        let (mut listener, _reports) = Listener::spawn(|asked, reports| async move {
            std::future::pending::<()>().await;
            drop((asked, reports));
        });
        let turn = TurnId(1);
        assert_eq!(listener.ask(Ask::Start(turn)), Ok(()));
        for _ in 0..UTTERANCE_FRAMES_MAX {
            listener.hear(PcmFrame([0; WIDEBAND_FRAME]));
        }
        assert_eq!(listener.frames_dropped, 0);
        for _ in 0..2 {
            listener.hear(PcmFrame([0; WIDEBAND_FRAME]));
        }
        assert_eq!(listener.frames_dropped, 2, "the queue has an end");
        assert_eq!(listener.ask(Ask::End { turn, generation: Generation(1) }), Ok(()));
    }
}
