//! Where the time of one turn goes.

use crate::call::event::{Generation, TurnId, TurnMetrics};
use crate::time::SessionTime;

/// The moments of one turn, noted as they happen: first what the user did, then what was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnClock {
    turn: TurnId,
    /// The beginning of the first voiced frame.
    first_voiced: SessionTime,
    /// The end of the last voiced frame: where every step counts from.
    last_voiced: SessionTime,
    endpoint: Option<SessionTime>,
    transcript: Option<SessionTime>,
    first_text: Option<SessionTime>,
    first_audio: Option<SessionTime>,
}

impl TurnClock {
    /// A turn whose first voiced frame began at `first_voiced`.
    pub const fn spoken(turn: TurnId, first_voiced: SessionTime) -> Self {
        Self {
            turn,
            first_voiced,
            last_voiced: first_voiced,
            endpoint: None,
            transcript: None,
            first_text: None,
            first_audio: None,
        }
    }

    /// A turn that was typed, or keyed in, and arrived at `at`. Its steps count from there.
    pub const fn typed(turn: TurnId, at: SessionTime) -> Self {
        Self::spoken(turn, at)
    }

    /// The turn.
    pub const fn turn(&self) -> TurnId {
        self.turn
    }

    /// The user was still speaking at `at`.
    pub const fn note_voiced(&mut self, at: SessionTime) {
        self.last_voiced = at;
    }

    /// The beginning of the first voiced frame.
    pub const fn first_voiced(&self) -> SessionTime {
        self.first_voiced
    }

    /// The end of the last voiced frame.
    pub const fn last_voiced(&self) -> SessionTime {
        self.last_voiced
    }

    /// The reply that was begun never was.
    pub const fn forget_reply(&mut self) {
        self.first_text = None;
        self.first_audio = None;
    }

    /// The turn was judged to be over.
    pub const fn note_endpoint(&mut self, at: SessionTime) {
        self.endpoint = Some(at);
    }

    /// A final transcript of the turn arrived. The last one counts: a turn may have several.
    pub const fn note_transcript(&mut self, at: SessionTime) {
        self.transcript = Some(at);
    }

    /// Text of the reply arrived; the first counts.
    pub fn note_text(&mut self, at: SessionTime) {
        self.first_text.get_or_insert(at);
    }

    /// Audio of the reply arrived; the first counts.
    pub fn note_audio(&mut self, at: SessionTime) {
        self.first_audio.get_or_insert(at);
    }

    /// What it all took, when the first packet with sound of reply `generation` was sent at
    /// `first_packet`.
    ///
    /// A moment before the end of the user's speech (the transcript of an earlier part, say) is
    /// not a latency, and left out.
    pub fn measure(&self, generation: Generation, first_packet: SessionTime) -> TurnMetrics {
        let step = |moment: Option<SessionTime>| {
            moment.filter(|at| *at >= self.last_voiced).map(|at| at.since(self.last_voiced))
        };
        TurnMetrics {
            turn: self.turn,
            generation,
            speech: self.last_voiced.since(self.first_voiced),
            endpoint: step(self.endpoint),
            transcript: step(self.transcript),
            first_text: step(self.first_text),
            first_audio: step(self.first_audio),
            first_packet: step(Some(first_packet)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const fn ms(millis: u64) -> SessionTime {
        SessionTime::from_millis(millis)
    }

    #[test]
    fn steps_count_from_the_end_of_speech() {
        let mut clock = TurnClock::spoken(TurnId(1), ms(100));
        clock.note_voiced(ms(1_100));
        clock.note_endpoint(ms(1_300));
        clock.note_transcript(ms(1_350));
        clock.note_text(ms(1_400));
        clock.note_text(ms(1_900));
        clock.note_audio(ms(1_500));
        clock.note_audio(ms(1_950));
        let measured = clock.measure(Generation(2), ms(1_520));
        let expected = TurnMetrics {
            turn: TurnId(1),
            generation: Generation(2),
            speech: Duration::from_secs(1),
            endpoint: Some(Duration::from_millis(200)),
            transcript: Some(Duration::from_millis(250)),
            first_text: Some(Duration::from_millis(300)),
            first_audio: Some(Duration::from_millis(400)),
            first_packet: Some(Duration::from_millis(420)),
        };
        assert_eq!(measured, expected);
    }

    #[test]
    fn moments_that_did_not_happen_or_make_no_sense_are_left_out() {
        let mut clock = TurnClock::spoken(TurnId(1), ms(100));
        clock.note_transcript(ms(900));
        clock.note_voiced(ms(1_100));
        clock.note_endpoint(ms(1_100));
        let measured = clock.measure(Generation(1), ms(1_000));
        assert_eq!(measured.transcript, None, "before the end of speech");
        assert_eq!(measured.first_packet, None, "before the end of speech");
        assert_eq!(measured.first_text, None, "never happened");
        assert_eq!(measured.endpoint, Some(Duration::ZERO));
    }
}
