//! What of a turn is sent to be transcribed, and when. Pure.

use std::collections::VecDeque;

use super::super::{Ask, AsrReport};
use crate::agent::PcmFrame;
use crate::backend::cascade::error::StageError;
use crate::call::event::{Generation, TurnId};
use crate::cascade::failover::FailureKind;
use crate::limits::{TRANSCRIPTS_AWAITED_MAX, UTTERANCE_FRAMES_MAX, WIDEBAND_FRAME};

/// Less than this many samples, 100 ms, are no word.
const SAMPLES_MIN: usize = 5 * WIDEBAND_FRAME;
/// Peak of a frame, about -46 dBFS, from which something was said in it.
const SOUND_PEAK: u16 = 160;

/// One request, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asked(pub(super) u64);

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TurnAct {
    /// Have this transcribed.
    Ask {
        asked: Asked,
        pcm: Vec<i16>,
    },
    /// Nobody waits for it any more.
    Abort(Asked),
    Report(AsrReport),
}

/// The turn that is heard, and those that are being transcribed.
#[derive(Debug, Default)]
pub(super) struct Turn {
    turn: Option<TurnId>,
    pcm: Vec<i16>,
    /// Something was said since the last request.
    has_news: bool,
    /// What there is so far of the open turn.
    so_far: Option<Request>,
    /// Turns that are over, the oldest first.
    ended: VecDeque<Request>,
    requests: u64,
    acts: VecDeque<TurnAct>,
}

#[derive(Debug)]
struct Request {
    asked: Asked,
    turn: TurnId,
    /// Who waits for it as the likely end.
    likely: Option<Generation>,
    /// Who waits for it as the end.
    end: Option<Generation>,
    text: Option<String>,
}

impl Turn {
    /// The call says what goes on.
    pub(super) fn handle(&mut self, ask: Ask) {
        match ask {
            Ask::Start(turn) => self.handle_start(turn),
            Ask::Frame(frame) => self.handle_frame(&frame),
            Ask::Peek { turn, generation } => self.handle_peek(turn, generation),
            Ask::End { turn, generation } => self.handle_end(turn, generation),
            Ask::Forget => self.handle_forget(),
        }
    }

    /// A turn began.
    fn handle_start(&mut self, turn: TurnId) {
        self.drop_so_far();
        self.turn = Some(turn);
        self.pcm.clear();
        self.has_news = false;
    }

    /// Some of its audio. Beyond [`UTTERANCE_FRAMES_MAX`] frames nothing is kept.
    fn handle_frame(&mut self, frame: &PcmFrame) {
        if self.turn.is_some() && self.pcm.len() < UTTERANCE_FRAMES_MAX * WIDEBAND_FRAME {
            self.pcm.extend_from_slice(&frame.0);
            self.has_news |= frame.0.iter().any(|sample| sample.unsigned_abs() > SOUND_PEAK);
        }
    }

    /// It may be over.
    fn handle_peek(&mut self, turn: TurnId, generation: Generation) {
        self.ask(turn);
        match self.so_far.as_mut().filter(|request| request.turn == turn) {
            Some(request) => {
                request.likely = Some(generation);
                self.acts.extend(request.tell());
            }
            None => {
                let text = String::new();
                self.report(AsrReport::Likely { turn, generation, text });
            }
        }
    }

    /// It is over.
    fn handle_end(&mut self, turn: TurnId, generation: Generation) {
        self.ask(turn);
        self.turn.take_if(|open| *open == turn);
        let Some(mut request) = self.so_far.take_if(|request| request.turn == turn) else {
            return self.report(AsrReport::Final { turn, generation, text: String::new() });
        };
        request.end = Some(generation);
        self.acts.extend(request.tell());
        if request.end.is_none() {
            return;
        }
        self.ended.push_back(request);
        if self.ended.len() > TRANSCRIPTS_AWAITED_MAX
            && let Some(oldest) = self.ended.pop_front()
        {
            self.acts.push_back(TurnAct::Abort(oldest.asked));
            let problem = "the transcription server is too far behind";
            self.acts.extend(oldest.missed(StageError::new(FailureKind::Busy, problem)));
        }
    }

    /// It was none.
    fn handle_forget(&mut self) {
        self.turn = None;
        self.drop_so_far();
    }

    /// What came of a request.
    pub(super) fn handle_answer(&mut self, asked: Asked, result: Result<String, StageError>) {
        if let Some(at) = self.ended.iter().position(|request| request.asked == asked)
            && let Some(mut request) = self.ended.remove(at)
        {
            match result {
                Ok(text) => {
                    request.text = Some(text);
                    self.acts.extend(request.tell());
                }
                Err(error) => self.acts.extend(request.missed(error)),
            }
            return;
        }
        let Some(request) = self.so_far.as_mut().filter(|request| request.asked == asked) else {
            return;
        };
        match result {
            Ok(text) => {
                request.text = Some(text);
                self.acts.extend(request.tell());
            }
            // It is asked again at the end of the turn.
            Err(_) => {
                self.so_far = None;
                self.has_news = true;
            }
        }
    }

    /// The next thing to do, in order.
    pub(super) fn poll_act(&mut self) -> Option<TurnAct> {
        self.acts.pop_front()
    }

    /// Has what was said so far transcribed, unless it is or was.
    fn ask(&mut self, turn: TurnId) {
        if self.turn != Some(turn) || !self.has_news || self.pcm.len() < SAMPLES_MIN {
            return;
        }
        self.drop_so_far();
        self.has_news = false;
        self.requests += 1;
        let asked = Asked(self.requests);
        self.so_far = Some(Request { asked, turn, likely: None, end: None, text: None });
        self.acts.push_back(TurnAct::Ask { asked, pcm: self.pcm.clone() });
    }

    fn drop_so_far(&mut self) {
        if let Some(request) = self.so_far.take()
            && request.text.is_none()
        {
            self.acts.push_back(TurnAct::Abort(request.asked));
        }
    }

    fn report(&mut self, report: AsrReport) {
        self.acts.push_back(TurnAct::Report(report));
    }
}

impl Request {
    /// What those who wait for it are told, once it is known.
    fn tell(&mut self) -> Vec<TurnAct> {
        let (Some(text), turn) = (&self.text, self.turn) else { return Vec::new() };
        let likely = self.likely.take().map(|generation| AsrReport::Likely {
            turn,
            generation,
            text: text.clone(),
        });
        let end = self.end.take().map(|generation| AsrReport::Final {
            turn,
            generation,
            text: text.clone(),
        });
        likely.into_iter().chain(end).map(TurnAct::Report).collect()
    }

    fn missed(self, error: StageError) -> Option<TurnAct> {
        let turn = self.turn;
        let missed = |generation| AsrReport::Missed { turn, generation, error };
        self.end.map(missed).map(TurnAct::Report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOUD: PcmFrame = PcmFrame([1_000; WIDEBAND_FRAME]);
    const QUIET: PcmFrame = PcmFrame([0; WIDEBAND_FRAME]);
    const TURN: TurnId = TurnId(1);

    fn acts(turn: &mut Turn) -> Vec<String> {
        let shown = |act| match act {
            TurnAct::Ask { asked, pcm } => {
                format!("ask {} {}", asked.0, pcm.len() / WIDEBAND_FRAME)
            }
            TurnAct::Abort(asked) => format!("abort {}", asked.0),
            TurnAct::Report(AsrReport::Likely { generation, text, .. }) => {
                format!("likely {} {text}", generation.0)
            }
            TurnAct::Report(AsrReport::Final { turn, generation, text }) => {
                format!("final {} {} {text}", turn.0, generation.0)
            }
            TurnAct::Report(AsrReport::Missed { turn, generation, error }) => {
                format!("missed {} {} {error}", turn.0, generation.0)
            }
            TurnAct::Report(other) => format!("{other:?}"),
        };
        std::iter::from_fn(|| turn.poll_act()).map(shown).collect()
    }

    fn hear(turn: &mut Turn, frame: &PcmFrame, count: usize) {
        (0..count).for_each(|_| turn.handle_frame(frame));
    }

    fn begun() -> Turn {
        let mut turn = Turn::default();
        turn.handle_start(TURN);
        hear(&mut turn, &LOUD, 20);
        turn
    }

    #[test]
    fn a_turn_is_asked_about_at_its_end() {
        let mut turn = begun();
        assert_eq!(acts(&mut turn), [""; 0]);
        turn.handle_end(TURN, Generation(1));
        assert_eq!(acts(&mut turn), ["ask 1 20"]);
        turn.handle_answer(Asked(1), Ok("hello".to_owned()));
        assert_eq!(acts(&mut turn), ["final 1 1 hello"]);
    }

    #[test]
    fn silence_after_a_likely_end_changes_nothing_and_speech_does() {
        let mut turn = begun();
        turn.handle_peek(TURN, Generation(1));
        hear(&mut turn, &QUIET, 10);
        turn.handle_answer(Asked(1), Ok("hello".to_owned()));
        turn.handle_end(TURN, Generation(1));
        assert_eq!(acts(&mut turn), ["ask 1 20", "likely 1 hello", "final 1 1 hello"]);

        let mut turn = begun();
        turn.handle_peek(TURN, Generation(1));
        hear(&mut turn, &LOUD, 10);
        turn.handle_end(TURN, Generation(2));
        assert_eq!(acts(&mut turn), ["ask 1 20", "abort 1", "ask 2 30"]);
        turn.handle_answer(Asked(1), Ok("hello".to_owned()));
        turn.handle_answer(Asked(2), Ok("hello you".to_owned()));
        assert_eq!(acts(&mut turn), ["final 1 2 hello you"]);
    }

    #[test]
    fn the_end_waits_for_what_was_asked_ahead() {
        let mut turn = begun();
        turn.handle_peek(TURN, Generation(1));
        turn.handle_end(TURN, Generation(1));
        turn.handle_answer(Asked(1), Ok("hello".to_owned()));
        assert_eq!(acts(&mut turn), ["ask 1 20", "likely 1 hello", "final 1 1 hello"]);
    }

    #[test]
    fn what_failed_ahead_is_asked_again_and_what_failed_at_the_end_is_missed() {
        let mut turn = begun();
        turn.handle_peek(TURN, Generation(1));
        turn.handle_answer(Asked(1), Err(StageError::new(FailureKind::Broken, "gone")));
        turn.handle_end(TURN, Generation(1));
        turn.handle_answer(Asked(2), Err(StageError::new(FailureKind::Broken, "gone")));
        assert_eq!(acts(&mut turn), ["ask 1 20", "ask 2 20", "missed 1 1 gone"]);
    }

    #[test]
    fn silence_and_clicks_are_never_sent() {
        let mut turn = Turn::default();
        turn.handle_start(TURN);
        hear(&mut turn, &QUIET, 50);
        turn.handle_peek(TURN, Generation(1));
        turn.handle_end(TURN, Generation(1));
        assert_eq!(acts(&mut turn), ["likely 1 ", "final 1 1 "]);
        turn.handle_start(TurnId(2));
        hear(&mut turn, &LOUD, 4);
        turn.handle_end(TurnId(2), Generation(2));
        assert_eq!(acts(&mut turn), ["final 2 2 "]);
    }

    #[test]
    fn a_turn_that_was_none_is_forgotten_and_one_that_ended_is_not() {
        let mut turn = begun();
        turn.handle_peek(TURN, Generation(1));
        turn.handle_forget();
        assert_eq!(acts(&mut turn), ["ask 1 20", "abort 1"]);
        turn.handle_start(TurnId(2));
        hear(&mut turn, &LOUD, 10);
        turn.handle_end(TurnId(2), Generation(2));
        turn.handle_start(TurnId(3));
        hear(&mut turn, &LOUD, 10);
        turn.handle_forget();
        turn.handle_answer(Asked(2), Ok("two".to_owned()));
        assert_eq!(acts(&mut turn), ["ask 2 10", "final 2 2 two"]);
    }

    #[test]
    fn a_server_that_is_too_far_behind_misses_the_oldest() {
        let mut turn = Turn::default();
        for n in 1..=TRANSCRIPTS_AWAITED_MAX as u32 + 1 {
            turn.handle_start(TurnId(n));
            hear(&mut turn, &LOUD, 10);
            turn.handle_end(TurnId(n), Generation(n));
        }
        let acts = acts(&mut turn);
        let missed = "missed 1 1 the transcription server is too far behind";
        assert!(acts.ends_with(&["abort 1".to_owned(), missed.to_owned()]), "{acts:?}");
    }

    #[test]
    fn a_turn_of_hours_is_bounded() {
        let mut turn = begun();
        hear(&mut turn, &LOUD, 2 * UTTERANCE_FRAMES_MAX);
        turn.handle_end(TURN, Generation(1));
        assert_eq!(acts(&mut turn), [format!("ask 1 {UTTERANCE_FRAMES_MAX}")]);
    }
}
