//! Interruptions: what is told of them, in each of the shapes that are known.

use std::time::Duration;

use super::delivery::{Delivery, Piece};
use super::event::{Stage, Stop};
use super::{Later, Session};
use crate::model::Generation;
use crate::settings::BargeIn;

/// From the first sign of an interruption to those that follow.
const REACTION: Duration = Duration::from_millis(100);
/// Pieces of audio that still come where an interruption is late.
const LATE_PIECES: u32 = 3;
/// The marker as it is usually written, and as it may be.
const MARKERS: [&str; 3] =
    ["{ \"interrupted\" : true }", "{\"interrupted\":true}", "{ \"interrupted\": true }\n"];

/// What one shape consists of.
struct Signs {
    speech_start: bool,
    /// How the open audio block ends.
    audio: Stop,
    marker: bool,
    late_audio: bool,
    repeated: bool,
}

impl Signs {
    fn of(shape: BargeIn) -> Self {
        let plain = Self {
            speech_start: false,
            audio: Stop::PartialTurn,
            marker: false,
            late_audio: false,
            repeated: false,
        };
        match shape {
            BargeIn::SpeechStart => Self { speech_start: true, ..plain },
            BargeIn::Marker => Self { marker: true, ..plain },
            BargeIn::EndTurnThenMarker => Self { audio: Stop::EndTurn, marker: true, ..plain },
            BargeIn::AudioInterrupted => Self { audio: Stop::Interrupted, ..plain },
            BargeIn::LateAudio => {
                Self { speech_start: true, marker: true, late_audio: true, ..plain }
            }
            BargeIn::All | BargeIn::Rotate => {
                Self { speech_start: true, audio: Stop::Interrupted, marker: true, ..plain }
            }
            BargeIn::Repeated => Self { repeated: true, ..Self::of(BargeIn::All) },
        }
    }
}

impl Session {
    /// The user began to speak: told of, and an interruption if an answer is being sent or played.
    pub(super) fn interrupt_by_speech(&mut self, now: Duration, at_ms: u64) {
        let tells_speech = self.generation == Generation::Second;
        let start = self.events.user_speech_start(at_ms);
        let Some(delivery) = self.delivery.take() else {
            if tells_speech {
                self.say(start);
            }
            return;
        };
        let mut signs = Signs::of(self.settings.barge_in.shape(self.interruptions));
        signs.speech_start &= tells_speech;
        let is_told = signs.speech_start
            || signs.marker
            || (signs.audio == Stop::Interrupted && delivery.open_block().is_some());
        // No shape is silent.
        signs.marker |= !is_told;
        if signs.speech_start {
            self.say(start.clone());
            if signs.repeated {
                self.say_later(now + 2 * REACTION, Later::Event(start));
            }
        }
        self.stop(now, delivery, &signs, REACTION);
    }

    /// The client made the assistant begin anew, which is an interruption while an answer is sent.
    pub(super) fn interrupt_by_client(&mut self, now: Duration) {
        let is_sending = |delivery: &mut Delivery| delivery.sent_at().is_none();
        if let Some(delivery) = self.delivery.take_if(is_sending) {
            self.stop(now, delivery, &Signs::of(BargeIn::All), Duration::ZERO);
        }
    }

    fn stop(&mut self, now: Duration, mut delivery: Delivery, signs: &Signs, reaction: Duration) {
        self.interruptions += 1;
        self.conclude(now, &delivery);
        let mut at = now + reaction;
        if let Some(content_id) = delivery.open_block().map(str::to_owned) {
            let end = self.events.audio_end(&content_id, signs.audio);
            if signs.late_audio {
                self.say_marker_later(at);
                for _ in 0..LATE_PIECES {
                    at += reaction / 4;
                    if let Some(Piece::Audio { pcm, .. }) = delivery.step(&mut self.random) {
                        let audio = self.events.audio(&content_id, &pcm);
                        self.say_later(at, Later::Event(audio));
                    }
                }
                self.say_later(at, Later::Event(end));
                return;
            }
            self.say_later(at, Later::Event(end));
        }
        if signs.marker {
            self.say_marker_later(at);
            if signs.repeated {
                self.say_marker_later(at + reaction);
            }
        }
    }

    fn say_marker_later(&mut self, at: Duration) {
        let content_id = self.random.id();
        let marker = MARKERS[self.interruptions % MARKERS.len()];
        let block = self.events.text(&content_id, Stage::Final, marker, Stop::Interrupted);
        for event in block {
            self.say_later(at, Later::Event(event));
        }
    }
}
