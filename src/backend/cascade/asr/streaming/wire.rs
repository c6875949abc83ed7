//! How each service is written to and read.

use std::time::Duration;

use tokio_tungstenite::tungstenite::Message;

use super::hearing::Outgoing;
use crate::cascade::recognition::{Heard, Recognised, linear16};
use crate::cascade::{deepgram, flux, moshi};
use crate::dsp::resample::Resampler;
use crate::limits::WIDEBAND_HZ;

/// Steps of silence behind the model's delay: one that the audio before it did not fill, and one to be sure.
const STEPS_BEHIND_DELAY: u32 = 2;

/// One connection's.
#[derive(Debug)]
pub(super) enum Wire {
    Deepgram,
    Flux,
    Moshi(Box<Moshi>),
}

#[derive(Debug)]
pub(super) struct Moshi {
    resampler: Resampler,
    reader: moshi::Reader,
    /// Steps of silence that bring the words which the model holds back.
    flush_steps: u32,
}

impl Wire {
    pub(super) fn moshi(delay: Duration) -> Self {
        let resampler = Resampler::new(WIDEBAND_HZ, moshi::SAMPLE_RATE_HZ);
        let resampler = resampler.expect("both are rates that can be converted");
        let delay_ms = u32::try_from(delay.as_millis()).unwrap_or(u32::MAX);
        let flush_steps = delay_ms.div_ceil(moshi::STEP_MS).saturating_add(STEPS_BEHIND_DELAY);
        Self::Moshi(Box::new(Moshi { resampler, reader: moshi::Reader::default(), flush_steps }))
    }

    /// The messages that say this.
    pub(super) fn write(&mut self, outgoing: &Outgoing) -> Vec<Message> {
        match (self, outgoing) {
            (Self::Deepgram | Self::Flux, Outgoing::Audio(pcm)) => {
                vec![Message::binary(linear16(pcm))]
            }
            (Self::Deepgram, Outgoing::Flush(_)) => vec![Message::text(deepgram::FINALIZE)],
            (Self::Deepgram, Outgoing::KeepAlive) => vec![Message::text(deepgram::KEEP_ALIVE)],
            // It says nothing of sound that is no speech: the pong tells this from a dead connection.
            (Self::Flux, Outgoing::Flush(_)) => {
                vec![Message::Ping(Vec::new().into()), Message::text(flux::FORCE_END_TURN)]
            }
            (Self::Moshi(moshi), Outgoing::Audio(pcm)) => vec![moshi.audio(pcm)],
            (Self::Moshi(moshi), Outgoing::Flush(number)) => moshi.flush(*number),
            (Self::Flux | Self::Moshi(_), Outgoing::KeepAlive) => Vec::new(),
        }
    }

    /// What a message says; `None` for those of the WebSocket itself.
    pub(super) fn read(&mut self, message: &Message) -> Option<Recognised> {
        match (self, message) {
            (Self::Deepgram, Message::Text(text)) => Some(deepgram::read(text)),
            (Self::Flux, Message::Text(text)) => Some(flux::read(text)),
            (Self::Flux, Message::Pong(_)) => Some(Recognised::Heard(Heard::default())),
            (Self::Moshi(moshi), Message::Binary(bytes)) => Some(moshi.reader.read(bytes)),
            (_, Message::Text(_) | Message::Binary(_)) => Some(Recognised::Malformed),
            (_, Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_)) => {
                None
            }
        }
    }

    /// What ends the billing.
    pub(super) fn goodbye(&self) -> Option<Message> {
        match self {
            Self::Deepgram => Some(Message::text(deepgram::CLOSE_STREAM)),
            Self::Flux => Some(Message::text(flux::CLOSE_STREAM)),
            Self::Moshi(_) => None,
        }
    }
}

impl Moshi {
    fn audio(&mut self, pcm: &[i16]) -> Message {
        let input: Vec<f32> = pcm.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
        let mut output = Vec::with_capacity(input.len() * 3 / 2 + 1);
        self.resampler.step(&input, &mut output);
        Message::binary(moshi::audio(&output))
    }

    /// The marker counts the delay itself, from where it stands: the silence follows it.
    fn flush(&mut self, number: i64) -> Vec<Message> {
        let silence = moshi::audio(&[0.0; moshi::STEP_SAMPLES]);
        let silence = (0..self.flush_steps).map(|_| Message::binary(silence.clone()));
        std::iter::once(Message::binary(moshi::marker(number))).chain(silence).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_followed_by_the_silence_that_brings_its_words() {
        for (delay_ms, steps) in [(0, 2), (500, 9), (2_500, 34)] {
            let mut wire = Wire::moshi(Duration::from_millis(delay_ms));
            let silence = Message::binary(moshi::audio(&[0.0; moshi::STEP_SAMPLES]));
            let messages = wire.write(&Outgoing::Flush(7));
            assert_eq!(messages[0], Message::binary(moshi::marker(7)));
            assert_eq!(messages[1..], vec![silence; steps], "{delay_ms}");
        }
    }

    #[test]
    fn audio_for_the_model_has_half_as_many_samples_again() {
        let mut wire = Wire::moshi(Duration::ZERO);
        for _ in 0..3 {
            let messages = wire.write(&Outgoing::Audio(vec![0; 1_280]));
            let step = Message::binary(moshi::audio(&[0.0; moshi::STEP_SAMPLES]));
            assert_eq!(messages, [step]);
        }
    }

    #[test]
    fn what_is_of_another_kind_than_the_protocol_has_is_malformed() {
        let text = Message::text(r#"{"type":"Metadata"}"#);
        let binary = Message::binary(vec![0x81]);
        assert_eq!(Wire::Deepgram.read(&binary), Some(Recognised::Malformed));
        assert_eq!(Wire::Deepgram.read(&text), Some(Recognised::Other));
        assert_eq!(Wire::moshi(Duration::ZERO).read(&text), Some(Recognised::Malformed));
        assert_eq!(Wire::Deepgram.read(&Message::Ping(Vec::new().into())), None);
    }
}
