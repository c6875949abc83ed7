//! The way of a recording out of its call: a bounded queue that the call never waits for.

use tokio::sync::mpsc;

use crate::flight::Recorder;
use crate::limits::FLIGHT_QUEUE_BLOCKS_MAX;

/// A call that is to be recorded.
#[derive(Debug)]
pub struct Recording {
    /// Collects what happens.
    pub recorder: Recorder,
    /// Takes it away.
    pub tape: Tape,
}

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TapeItem {
    /// A block of records.
    Block(Vec<u8>),
    /// Nothing follows. Says why, if the recording ended before the call; empty if it did not.
    End(&'static str),
}

/// The call's end of the queue.
#[derive(Debug)]
pub struct Tape {
    blocks: mpsc::Sender<TapeItem>,
    /// Room for the last word, whatever else waits.
    last: Option<mpsc::OwnedPermit<TapeItem>>,
}

impl Tape {
    /// A queue of [`FLIGHT_QUEUE_BLOCKS_MAX`] blocks, and its other end.
    pub fn new() -> (Self, mpsc::Receiver<TapeItem>) {
        let (blocks, items) = mpsc::channel(FLIGHT_QUEUE_BLOCKS_MAX + 1);
        let last = blocks.clone().try_reserve_owned().expect("an empty queue has room");
        (Self { blocks, last: Some(last) }, items)
    }

    /// Sends what was collected. A queue that is full ends the recording.
    pub(crate) fn follow(&mut self, recorder: &mut Recorder) {
        while let Some(block) = recorder.poll_block() {
            if self.last.is_none() {
                continue;
            }
            if let Err(refused) = self.blocks.try_send(TapeItem::Block(block)) {
                recorder.stop(match refused {
                    mpsc::error::TrySendError::Full(_) => "the disk did not keep up",
                    mpsc::error::TrySendError::Closed(_) => "it could not be written",
                });
                self.end(recorder);
            }
        }
        self.end(recorder);
    }

    fn end(&mut self, recorder: &Recorder) {
        if let Some(why) = recorder.stopped()
            && let Some(last) = self.last.take()
        {
            last.send(TapeItem::End(why));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{Agent, AgentSettings};
    use crate::call::event::{BackendEvent, Generation};
    use crate::dsp::vad::level::LevelVoice;
    use crate::flight::{Kind, Recorded};
    use crate::limits::FLIGHT_BLOCK_BYTES;
    use crate::media::pcm::PcmCodec;
    use crate::time::SessionTime;

    #[test]
    fn a_full_queue_ends_the_recording_with_a_note() {
        let settings = AgentSettings::default();
        let (mut tape, mut items) = Tape::new();
        let agent = Agent::new(settings.clone(), PcmCodec, LevelVoice::new(-50.0));
        let mut agent = Recorded::new(agent, Some(Recorder::new(Kind::Full, &settings)));
        let text = "x".repeat(FLIGHT_BLOCK_BYTES);
        for _ in 0..FLIGHT_QUEUE_BLOCKS_MAX + 3 {
            let event = BackendEvent::ReplyText { generation: Generation(1), text: text.clone() };
            agent.handle_backend(SessionTime::ZERO, event);
            tape.follow(agent.recorder().expect("it was given one"));
        }
        let mut blocks = 0;
        while let Ok(TapeItem::Block(_)) = items.try_recv().inspect(|item| {
            if let TapeItem::End(why) = item {
                assert_eq!(*why, "the disk did not keep up");
            }
        }) {
            blocks += 1;
        }
        assert_eq!(blocks, FLIGHT_QUEUE_BLOCKS_MAX);
        assert_eq!(items.try_recv(), Err(mpsc::error::TryRecvError::Empty));
    }
}
