//! The evidence for an interruption: suspect, confirm, commit, or dismiss.
//!
//! ```text
//! voice      ▁▁▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇        ▁▁▇▇▇▇▇▇▇▇▁▁▁▁▁▁▁▁▁▁      ▁▁▇▇▁▁▁▁▁
//!              ^ suspect  ^ commit           ^     ^     ^ dismiss      ^   ^ dismiss
//!                  ^ confirm                 suspect confirm            suspect
//!              an interruption              "mhm"                      a click
//! ```
//!
//! What is counted is voice, not time: the gaps inside a word do not add to it. A frame that may be the
//! agent's own echo counts half, and takes a run of its like to be suspected at all: an echo outlasts the
//! agent's falling silent by its delay, and must not reach the length of an interruption meanwhile. So does
//! silence under an echo.
//!
//! Backchannels are told by their shape, in any language: they are short, often low, and followed by
//! silence (Ward & Tsukahara 2000; Gravano & Hirschberg 2011). Where a transcript is there in time, words
//! decide before length does.

use std::time::Duration;

use crate::call::event::{Canceller, EchoVerdict, FrameFeatures};
use crate::call::settings::{InterruptionPolicy, InterruptionSettings, SpeechSettings};
use crate::limits::FRAME;
use crate::time::SessionTime;

/// Frames in a row that may be echo before they are suspected to be the user: three windows of the voice
/// detector, 100 ms.
const LIKELY_ECHO_RUN: u32 = 5;
/// The same while the canceller has not learned the room: most of its echo is still there.
const UNCANCELLED_ECHO_RUN: u32 = 2 * LIKELY_ECHO_RUN;
/// Silence that ends a sound of which not even enough was heard to confirm it: a click. The agent plays on
/// soon, and between two syllables no such pause is made before the first was long enough to confirm.
const CLICK_SILENCE: Duration = Duration::from_millis(100);
/// Speech this much lower than the user's usual one is likely to be a backchannel.
const LOW_DB: f32 = 6.0;
/// How much longer low speech must last to be an interruption.
const LOW_FACTOR: f64 = 1.75;
/// How much longer it must last when all words understood so far are backchannels.
const BACKCHANNEL_FACTOR: f64 = 2.5;
/// How much longer where one word was understood so far: less, but more than until it may be taken back.
const ONE_WORD_FACTOR: f64 = 0.8;
/// How long words are waited for after the user fell silent, where only words commit.
const WORDS_PATIENCE: Duration = Duration::from_millis(800);
/// Share of a new utterance in the user's usual level.
const USUAL_LEVEL_WEIGHT: f32 = 0.3;
/// Voiced frames of a turn whose level is believed: 200 ms.
const USUAL_FRAMES_MIN: u32 = 10;

/// What the evidence says after a frame or a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Nothing new.
    Nothing,
    /// It may be an interruption that began at `first`: the agent should fade.
    Suspect { first: SessionTime },
    /// It is speech: the backend should hear it.
    Confirm,
    /// It is an interruption.
    Commit,
    /// It was nothing.
    Dismiss,
}

/// The judge of one call's interruptions.
#[derive(Clone, Debug)]
pub struct BargeIn {
    settings: InterruptionSettings,
    speech: SpeechSettings,
    state: State,
    /// Level of this user's ordinary speech in dBFS, once some of it was heard.
    usual_dbfs: Option<f32>,
    /// Power of the voiced frames of the open turn, and how many they are.
    turn_power: f32,
    turn_frames: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Nobody interrupts. `run` voiced frames in a row, the first of which began at `first`.
    Watching { run: u32, first: SessionTime },
    /// A turn was cut while the user spoke. What follows without a pause is the rest of it.
    Continuing,
    /// Somebody may.
    Judging(Attempt),
    /// It went on without end and came to nothing; silence ends that.
    Spent,
}

/// A possible interruption.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Attempt {
    confirmed: bool,
    /// Voice heard, frames that may be echo counted half.
    voice: Duration,
    /// The end of the last voiced frame.
    last: SessionTime,
    /// Power of the voiced frames, and how many they are.
    power: f32,
    frames: u32,
    words: Words,
}

/// What the transcript of an attempt says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Words {
    Unknown,
    /// One word that is no backchannel, so far.
    One,
    Backchannels,
}

const QUIET: State = State::Watching { run: 0, first: SessionTime::ZERO };

impl BargeIn {
    /// A judge who has heard nothing.
    pub const fn new(settings: InterruptionSettings, speech: SpeechSettings) -> Self {
        Self { settings, speech, state: QUIET, usual_dbfs: None, turn_power: 0.0, turn_frames: 0 }
    }

    /// Takes a frame into account that was heard while a reply is open. `may_interrupt`: the reply may be
    /// interrupted at this moment.
    pub fn step(
        &mut self,
        frame: &FrameFeatures,
        echo: EchoVerdict,
        may_interrupt: bool,
    ) -> Finding {
        let is_voice = self.is_voiced(frame) && echo != EchoVerdict::Certain;
        match self.state {
            State::Continuing if is_voice && !frame.concealed && may_interrupt => {
                let finding = self.suspect(frame, echo, 1, frame.at - FRAME);
                if let State::Judging(attempt) = &mut self.state {
                    attempt.voice += self.settings.commit;
                }
                finding
            }
            State::Continuing => {
                self.state = QUIET;
                Finding::Nothing
            }
            State::Watching { run, first } => {
                if !is_voice || frame.concealed {
                    self.state = QUIET;
                    return Finding::Nothing;
                }
                let first = if run == 0 { frame.at - FRAME } else { first };
                self.state = State::Watching { run: run + 1, first };
                if !may_interrupt || run + 1 < self.run_needed(frame, echo) {
                    return Finding::Nothing;
                }
                self.suspect(frame, echo, run + 1, first)
            }
            State::Judging(attempt) if is_voice && !frame.concealed => {
                self.go_on(attempt, frame, echo)
            }
            State::Judging(attempt) => self.pause(attempt, frame, echo),
            State::Spent => {
                if !is_voice {
                    self.state = QUIET;
                }
                Finding::Nothing
            }
        }
    }

    /// Takes what was understood of the attempt so far into account. A single word that may still be revised
    /// counts when it is still there the next time or at the end: recognisers make a word of an "mhm", and
    /// take it back.
    pub fn transcribed(&mut self, text: &str, is_final: bool) -> Finding {
        let State::Judging(mut attempt) = self.state else { return Finding::Nothing };
        let words = text.split_whitespace().count();
        if words == 0 {
            return Finding::Nothing;
        }
        let is_enough = match self.settings.policy {
            InterruptionPolicy::Words(needed) => words >= needed as usize,
            _ => !is_backchannel(&self.settings.backchannels, text),
        };
        if is_enough && (is_final || words > 1 || attempt.words == Words::One) {
            return self.commit();
        }
        attempt.words = if is_enough { Words::One } else { Words::Backchannels };
        self.state = State::Judging(attempt);
        Finding::Nothing
    }

    /// The reply that could be interrupted is over, or the attempt was decided elsewhere.
    pub const fn reset(&mut self) {
        self.state = QUIET;
    }

    /// The user's turn was ended while they spoke: what follows at once is more than a backchannel.
    pub const fn expect_more(&mut self) {
        self.state = State::Continuing;
    }

    /// Whoever makes this sound is not listened to until it ends.
    pub const fn give_up(&mut self) {
        self.state = State::Spent;
    }

    /// Whether somebody may be interrupting, or just began to make a sound.
    pub const fn is_listening(&self) -> bool {
        !matches!(self.state, State::Watching { run: 0, .. } | State::Continuing | State::Spent)
    }

    /// A frame of a turn was heard.
    pub fn note_turn_frame(&mut self, frame: &FrameFeatures) {
        if self.is_voiced(frame) && !frame.concealed {
            self.turn_power += power(frame.level_dbfs);
            self.turn_frames += 1;
        }
    }

    /// The turn is over: its level is what this user's speech is like.
    pub fn learn_level(&mut self) {
        let frames = std::mem::take(&mut self.turn_frames);
        let power = std::mem::take(&mut self.turn_power);
        if frames < USUAL_FRAMES_MIN {
            return;
        }
        let level_dbfs = mean_dbfs(power, frames);
        self.usual_dbfs = Some(match self.usual_dbfs {
            Some(usual) => usual + USUAL_LEVEL_WEIGHT * (level_dbfs - usual),
            None => level_dbfs,
        });
    }

    /// Whether there is a voice in the frame.
    pub fn is_voiced(&self, frame: &FrameFeatures) -> bool {
        frame.voice >= self.speech.start_threshold && frame.level_dbfs >= self.speech.floor_dbfs
    }

    fn run_needed(&self, frame: &FrameFeatures, echo: EchoVerdict) -> u32 {
        match (self.settings.policy, echo) {
            // As long as no echo is known, the gate says within a few frames what it is.
            (_, EchoVerdict::Likely) if frame.echo.delay.is_none() => u32::MAX,
            (_, EchoVerdict::Likely) if frame.echo.canceller == Canceller::Searching => {
                UNCANCELLED_ECHO_RUN
            }
            (_, EchoVerdict::Likely) => LIKELY_ECHO_RUN,
            (InterruptionPolicy::Immediate, _) => {
                self.speech.speech_min.div_duration_f32(FRAME).ceil() as u32
            }
            _ => 1,
        }
    }

    fn suspect(
        &mut self,
        frame: &FrameFeatures,
        echo: EchoVerdict,
        run: u32,
        first: SessionTime,
    ) -> Finding {
        if self.settings.policy == InterruptionPolicy::Immediate {
            return self.commit();
        }
        let attempt = Attempt {
            confirmed: false,
            voice: counted(echo) * run,
            last: frame.at,
            power: power(frame.level_dbfs),
            frames: 1,
            words: Words::Unknown,
        };
        self.state = State::Judging(attempt);
        Finding::Suspect { first }
    }

    fn go_on(&mut self, mut attempt: Attempt, frame: &FrameFeatures, echo: EchoVerdict) -> Finding {
        attempt.voice += counted(echo);
        attempt.last = frame.at;
        attempt.power += power(frame.level_dbfs);
        attempt.frames += 1;
        self.state = State::Judging(attempt);
        if !attempt.confirmed {
            if attempt.voice < self.settings.confirm {
                return Finding::Nothing;
            }
            self.state = State::Judging(Attempt { confirmed: true, ..attempt });
            return Finding::Confirm;
        }
        if attempt.voice >= self.voice_needed(&attempt) { self.commit() } else { Finding::Nothing }
    }

    /// A frame without voice.
    fn pause(&mut self, mut attempt: Attempt, frame: &FrameFeatures, echo: EchoVerdict) -> Finding {
        if echo == EchoVerdict::Certain {
            // Under the echo of what was said before the agent fell silent a soft syllable is not heard.
            attempt.last += FRAME / 2;
            self.state = State::Judging(attempt);
        }
        let patience = match (attempt.confirmed, self.settings.policy) {
            (false, _) => CLICK_SILENCE.min(self.settings.dismiss),
            (true, InterruptionPolicy::Words(_)) => WORDS_PATIENCE.max(self.settings.dismiss),
            (true, _) => self.settings.dismiss,
        };
        if frame.at.since(attempt.last) < patience {
            return Finding::Nothing;
        }
        if attempt.words == Words::One {
            // A short command, which nobody took back.
            return self.commit();
        }
        self.state = QUIET;
        Finding::Dismiss
    }

    const fn commit(&mut self) -> Finding {
        self.state = QUIET;
        Finding::Commit
    }

    /// Voice that makes this attempt an interruption without words.
    fn voice_needed(&self, attempt: &Attempt) -> Duration {
        if matches!(self.settings.policy, InterruptionPolicy::Words(_)) {
            return Duration::MAX;
        }
        let level_dbfs = mean_dbfs(attempt.power, attempt.frames);
        let is_low = self.usual_dbfs.is_some_and(|usual| level_dbfs < usual - LOW_DB);
        let factor = match attempt.words {
            Words::One => ONE_WORD_FACTOR,
            Words::Backchannels => BACKCHANNEL_FACTOR.max(LOW_FACTOR),
            Words::Unknown if is_low => LOW_FACTOR,
            Words::Unknown => 1.0,
        };
        self.settings.commit.mul_f64(factor)
    }
}

/// Whether all of `text` consists of `backchannels`: words that do not take the floor.
pub(crate) fn is_backchannel(backchannels: &[String], text: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || matches!(character, '-' | '\'');
    text.split(|character| !is_word(character))
        .filter(|word| !word.is_empty())
        .all(|word| backchannels.iter().any(|known| known.eq_ignore_ascii_case(word)))
}

/// What one voiced frame counts.
fn counted(echo: EchoVerdict) -> Duration {
    match echo {
        EchoVerdict::Clear => FRAME,
        EchoVerdict::Likely => FRAME / 2,
        EchoVerdict::Certain => Duration::ZERO,
    }
}

fn mean_dbfs(power: f32, frames: u32) -> f32 {
    10.0 * (power / frames as f32).log10()
}

fn power(level_dbfs: f32) -> f32 {
    10_f32.powf(level_dbfs / 10.0)
}

#[cfg(test)]
mod tests;
