//! Whether the user is speaking, from the voice probability of each frame.
//!
//! ```text
//! probability  ..▁▂▇▇▇▇▇▇▂▇▇▇▁▁▁▁▁▁
//! state        Quiet|Starting|Speaking ... |Stopping|Quiet
//!                   ^ first   ^ Started     ^ last   ^ Stopped
//! ```
//!
//! A concealed frame (packet loss) never begins speech: what a decoder makes up can sound like
//! anything. It may carry speech on for a moment, so that a lost packet is not a pause.

use crate::call::event::{EchoVerdict, FrameFeatures};
use crate::call::settings::SpeechSettings;
use crate::limits::{FRAME, FRAME_MS};
use crate::time::SessionTime;

/// Frames without voice that are forgiven while speech is being confirmed.
const STARTING_GAPS_MAX: u32 = 1;
/// Concealed frames in a row that may carry speech on. Concealment fades within about as many.
const CONCEALED_VOICE_MAX: u32 = 5;

/// A frame this far below the speech before it is the end of a sound dying away, not speech: the faintest
/// consonants lie some 30 dB below the loudest vowels. The voice model, which looks back over 100 ms and
/// more, goes on calling it speech, and each frame of that is a later answer.
const DYING_AWAY_DB: f32 = 35.0;
/// How fast what was loud is forgotten, a frame: 5 dB a second.
const LOUD_DECAY_DB: f32 = 0.1;

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpeechChange {
    /// It is speech, and began at `first`: the beginning of the first voiced frame.
    Started { first: SessionTime },
    /// It is over, and was over at `last`: the end of the last voiced frame.
    Stopped { last: SessionTime },
}

/// The detector of one call.
#[derive(Clone, Debug)]
pub struct Speech {
    settings: SpeechSettings,
    state: State,
    /// The level of the loudest speech lately, in dBFS.
    loud_dbfs: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Quiet,
    Starting { first: SessionTime, voiced: u32, gaps: u32 },
    Speaking { last: SessionTime, concealed: u32 },
    Stopping { last: SessionTime },
}

impl Speech {
    /// A detector that has heard nothing.
    pub const fn new(settings: SpeechSettings) -> Self {
        Self { settings, state: State::Quiet, loud_dbfs: f32::NEG_INFINITY }
    }

    /// Takes one frame into account.
    pub fn step(&mut self, frame: &FrameFeatures, echo: EchoVerdict) -> Option<SpeechChange> {
        let is_own = echo == EchoVerdict::Certain;
        let holds = |threshold| !is_own && self.holds_voice(frame, threshold);
        let begins = holds(self.settings.start_threshold) && !frame.concealed;
        let continues = holds(self.settings.stop_threshold) && !self.is_dying_away(frame);
        match self.state {
            State::Quiet if begins => self.confirm_or_speak(frame, frame.at - FRAME, 1, 0),
            State::Quiet => None,
            State::Starting { first, voiced, gaps } if begins => {
                self.confirm_or_speak(frame, first, voiced + 1, gaps)
            }
            State::Starting { gaps: STARTING_GAPS_MAX, .. } => {
                self.state = State::Quiet;
                None
            }
            State::Starting { first, voiced, gaps } => self.confirm(first, voiced, gaps + 1),
            State::Speaking { last, concealed } => {
                self.step_speaking(frame, continues, last, concealed)
            }
            State::Stopping { .. } if begins && continues => {
                self.state = State::Speaking { last: frame.at, concealed: 0 };
                None
            }
            State::Stopping { last } => self.stop_after(frame, last),
        }
    }

    /// Whether voice was noticed that is not yet believed to be speech. Lasts at most
    /// [`SpeechSettings::speech_min`] and a frame.
    pub const fn is_starting(&self) -> bool {
        matches!(self.state, State::Starting { .. })
    }

    /// The end of the last voiced frame, while the user is speaking.
    pub const fn last_voiced(&self) -> Option<SessionTime> {
        match self.state {
            State::Quiet | State::Starting { .. } => None,
            State::Speaking { last, .. } | State::Stopping { last } => Some(last),
        }
    }

    /// Forgets that anybody spoke. Who goes on speaking is believed anew.
    pub const fn reset(&mut self) {
        self.state = State::Quiet;
    }

    /// Whether the frame is too low to belong to the speech before it, which it otherwise adds to.
    fn is_dying_away(&mut self, frame: &FrameFeatures) -> bool {
        let is_low = frame.level_dbfs < self.loud_dbfs - DYING_AWAY_DB;
        let is_speech = !frame.concealed && frame.voice >= self.settings.start_threshold;
        let level_dbfs = if is_speech { frame.level_dbfs } else { f32::NEG_INFINITY };
        self.loud_dbfs = (self.loud_dbfs - LOUD_DECAY_DB).max(level_dbfs);
        is_low
    }

    fn holds_voice(&self, frame: &FrameFeatures, threshold: f32) -> bool {
        frame.voice >= threshold && frame.level_dbfs >= self.settings.floor_dbfs
    }

    const fn confirm(
        &mut self,
        first: SessionTime,
        voiced: u32,
        gaps: u32,
    ) -> Option<SpeechChange> {
        self.state = State::Starting { first, voiced, gaps };
        None
    }

    fn confirm_or_speak(
        &mut self,
        frame: &FrameFeatures,
        first: SessionTime,
        voiced: u32,
        gaps: u32,
    ) -> Option<SpeechChange> {
        if FRAME * voiced < self.settings.speech_min {
            return self.confirm(first, voiced, gaps);
        }
        self.state = State::Speaking { last: frame.at, concealed: 0 };
        Some(SpeechChange::Started { first })
    }

    fn step_speaking(
        &mut self,
        frame: &FrameFeatures,
        continues: bool,
        last: SessionTime,
        concealed: u32,
    ) -> Option<SpeechChange> {
        let concealed = if frame.concealed { concealed + 1 } else { 0 };
        if continues && concealed <= CONCEALED_VOICE_MAX {
            self.state = State::Speaking { last: frame.at, concealed };
            return None;
        }
        self.state = State::Stopping { last };
        self.stop_after(frame, last)
    }

    fn stop_after(&mut self, frame: &FrameFeatures, last: SessionTime) -> Option<SpeechChange> {
        if frame.at.since(last) < self.settings.silence_min {
            return None;
        }
        self.state = State::Quiet;
        Some(SpeechChange::Stopped { last })
    }
}

const _: () = assert!(FRAME_MS == 20, "the frame counts here were chosen for 20 ms");

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::call::event::EchoEvidence;

    fn step(speech: &mut Speech, kind: char, at: SessionTime) -> Option<SpeechChange> {
        let (frame, echo) = frame(kind, at);
        speech.step(&frame, echo)
    }

    /// One character per frame: `v` voice, `.` silence, `-` between the thresholds, `c` concealed
    /// voice, `s` concealed silence, `e` certain echo, `l` likely echo, `q` voice below the floor, `t` low voice.
    fn frame(kind: char, at: SessionTime) -> (FrameFeatures, EchoVerdict) {
        let voice = match kind {
            '.' | 's' => 0.0,
            '-' => 0.4,
            _ => 0.9,
        };
        let echo = match kind {
            'e' => EchoVerdict::Certain,
            'l' => EchoVerdict::Likely,
            _ => EchoVerdict::Clear,
        };
        let level_dbfs = match kind {
            'q' => -80.0,
            't' => -60.0,
            _ => -20.0,
        };
        let concealed = matches!(kind, 'c' | 's');
        let (pitch_hz, none) = (None, EchoEvidence::NONE);
        (FrameFeatures { at, voice, level_dbfs, pitch_hz, echo: none, concealed }, echo)
    }

    /// `+first@decided` for a start, `-last@decided` for a stop, in frames.
    fn changes(frames: &str) -> String {
        let mut speech = Speech::new(SpeechSettings::default());
        let mut changes = Vec::new();
        for (index, kind) in frames.chars().enumerate() {
            let at = SessionTime::from_millis(20 * (index as u64 + 1));
            let frames = |time: SessionTime| time.as_millis() / 20;
            match step(&mut speech, kind, at) {
                Some(SpeechChange::Started { first }) => {
                    changes.push(format!("+{}@{}", frames(first), frames(at)));
                }
                Some(SpeechChange::Stopped { last }) => {
                    changes.push(format!("-{}@{}", frames(last), frames(at)));
                }
                None => {}
            }
        }
        changes.join(" ")
    }

    #[test]
    fn speech_is_believed_and_ended_as_the_table_says() {
        for (frames, expected, why) in [
            ("..........", "", "silence"),
            ("..vv......", "", "a click is shorter than the least speech"),
            ("..vvv.....", "+2@5 -5@10", "three voiced frames begin it, 100 ms of silence end it"),
            ("..v.vv.....", "+2@6 -6@11", "one frame without voice is forgiven"),
            ("..v..vv....", "", "two are not"),
            ("..---------", "", "what may continue speech does not begin it"),
            ("..vvv--.....", "+2@5 -7@12", "it does continue it"),
            ("vvv....v.....", "+0@3 -8@13", "a pause too short to stop carries on"),
            ("vvv....-.....", "+0@3 -3@8", "in a pause only a frame that may begin speech goes on"),
            ("..ccccc.....", "", "concealment does not begin speech"),
            ("..vcvv.....", "+2@6 -6@11", "nor does it end its beginning"),
            ("vvvccvvv.....", "+0@3 -8@13", "a lost packet is not a pause"),
            ("vvvsvv.....", "+0@3 -6@11", "nor is a lost packet concealed as silence"),
            ("vvvcccccccccccc", "+0@3 -8@13", "concealment cannot go on speaking"),
            ("eeeeeeee", "", "the agent's own voice is not the user's"),
            ("vvveeeeee", "+0@3 -3@8", "nor does it continue the user's"),
            ("llll.....", "+0@3 -4@9", "what may be echo may be the user"),
            ("vvvqqqqq", "+0@3 -3@8", "the detector's tail over silence is silence"),
            ("vvvttttt", "+0@3 -3@8", "so is its tail over a sound that dies away"),
            ("tttttvvv", "+0@3", "who speaks low is heard all the same"),
        ] {
            assert_eq!(changes(frames), expected, "{frames}: {why}");
        }
    }

    #[test]
    fn who_goes_on_speaking_after_a_reset_is_believed_anew() {
        let mut speech = Speech::new(SpeechSettings::default());
        let at = |index: u64| SessionTime::from_millis(20 * index);
        let started = |speech: &mut Speech, from: u64| {
            (from..from + 3).find_map(|index| step(speech, 'v', at(index)))
        };
        assert!(matches!(started(&mut speech, 1), Some(SpeechChange::Started { .. })));
        assert_eq!(speech.last_voiced(), Some(at(3)));
        speech.reset();
        assert_eq!(speech.last_voiced(), None);
        let first = at(3);
        assert_eq!(started(&mut speech, 4), Some(SpeechChange::Started { first }));
    }

    #[test]
    fn the_least_speech_of_one_frame_starts_at_once() {
        let speech_min = Duration::from_millis(20);
        let mut speech = Speech::new(SpeechSettings { speech_min, ..SpeechSettings::default() });
        let change = step(&mut speech, 'v', SessionTime::from_millis(20));
        assert_eq!(change, Some(SpeechChange::Started { first: SessionTime::ZERO }));
    }
}
