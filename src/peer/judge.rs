//! The threads that run the turn's model, since no call's loop may wait for it.
//!
//! Each thread has its own copy of the model and a short queue. A pause goes to the first queue with room,
//! and is given up where all are full or where it waited for so long that its call no longer does: the call
//! then judges it by its sound.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::call::event::TurnId;
use crate::dsp::smart_turn::SmartTurn;
use crate::limits::TURN_JUDGEMENTS_WAITING_MAX;

/// What was asked longer ago is not worth judging.
const FRESH: Duration = Duration::from_millis(500);

/// The model's answer: the probability that the turn is over, if there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Judged {
    pub(super) turn: TurnId,
    pub(super) probability: Option<f32>,
}

/// A turn model at work, shared by the calls that ask it. Its threads end with its last copy.
#[derive(Clone, Debug)]
pub struct TurnJudge {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queues: Vec<SyncSender<Job>>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Job {
    turn: TurnId,
    pcm: Vec<i16>,
    asked: Instant,
    answer: mpsc::Sender<Judged>,
}

impl TurnJudge {
    /// Starts one thread for each copy of the model.
    pub fn start(models: Vec<SmartTurn>) -> std::io::Result<Self> {
        Self::start_with(models.into_iter().map(|mut model| move |pcm: &[i16]| model.judge(pcm)))
    }

    fn start_with<J>(judges: impl Iterator<Item = J>) -> std::io::Result<Self>
    where
        J: FnMut(&[i16]) -> Result<f32, String> + Send + 'static,
    {
        let start = |judge: J| {
            let (queue, jobs) = sync_channel(TURN_JUDGEMENTS_WAITING_MAX);
            let thread = thread::Builder::new().name("turn-model".to_owned());
            thread.spawn(move || work(&jobs, judge)).map(|_| queue)
        };
        let queues = judges.map(start).collect::<Result<_, _>>()?;
        Ok(Self { shared: Arc::new(Shared { queues, next: AtomicUsize::new(0) }) })
    }

    /// Has a pause judged. Answers at once, with no probability, if every queue is full.
    pub(super) fn ask(&self, turn: TurnId, pcm: Vec<i16>, answer: &mpsc::Sender<Judged>) {
        let Shared { queues, next } = &*self.shared;
        let first = next.fetch_add(1, Ordering::Relaxed);
        let mut job = Job { turn, pcm, asked: Instant::now(), answer: answer.clone() };
        for offset in 0..queues.len() {
            match queues[first.wrapping_add(offset) % queues.len()].try_send(job) {
                Ok(()) => return,
                // A thread that is gone panicked; the others go on.
                Err(TrySendError::Full(back) | TrySendError::Disconnected(back)) => job = back,
            }
        }
        job.reply(None);
    }
}

impl Job {
    fn reply(&self, probability: Option<f32>) {
        // Full: the call asked for more than it takes. Closed: it ended.
        let _ = self.answer.try_send(Judged { turn: self.turn, probability });
    }
}

/// Judges what is asked until nobody can ask any more.
fn work(jobs: &Receiver<Job>, mut judge: impl FnMut(&[i16]) -> Result<f32, String>) {
    while let Ok(job) = jobs.recv() {
        let probability = if job.asked.elapsed() < FRESH {
            let judged = judge(&job.pcm);
            judged.inspect_err(|error| tracing::warn!(error, "a turn could not be judged")).ok()
        } else {
            None
        };
        job.reply(probability);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Judge = Box<dyn FnMut(&[i16]) -> Result<f32, String> + Send>;

    fn judge(first: Judge) -> TurnJudge {
        TurnJudge::start_with(std::iter::once(first)).expect("a thread starts")
    }

    #[tokio::test]
    async fn pauses_are_judged_and_failures_are_told() {
        let judge = judge(Box::new(|pcm| match pcm {
            [] => Err("nothing to hear".to_owned()),
            [first, ..] => Ok(f32::from(*first) / 10.0),
        }));
        let (answer, mut answers) = mpsc::channel(4);
        for (turn, pcm, expected) in
            [(1, vec![7], Some(0.7)), (2, vec![], None), (3, vec![1], Some(0.1))]
        {
            judge.ask(TurnId(turn), pcm, &answer);
            let expected = Judged { turn: TurnId(turn), probability: expected };
            assert_eq!(answers.recv().await, Some(expected));
        }
    }

    #[tokio::test]
    async fn who_finds_every_queue_full_is_told_at_once() {
        let (open, gate) = sync_channel::<()>(0);
        let judge = judge(Box::new(move |_| gate.recv().map(|()| 0.5).map_err(|_| String::new())));
        let (answer, mut answers) = mpsc::channel(64);
        // One is being judged, at the latest when there is room for another; the rest wait.
        let most = TURN_JUDGEMENTS_WAITING_MAX as u32 + 1;
        (0..=most).for_each(|turn| judge.ask(TurnId(turn), Vec::new(), &answer));
        let refused = answers.recv().await.expect("one is refused");
        assert_eq!(refused.probability, None);
        drop(open);
    }
}
