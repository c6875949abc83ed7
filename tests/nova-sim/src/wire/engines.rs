//! The speech engines: they take milliseconds to seconds, so they work on threads of their own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use antiphon::backend::cascade::asr::{Transcriber, transcriber};
use antiphon::backend::cascade::tts::Voice as Speaker;
use antiphon::backend::local::synthesise;
use antiphon::dsp::resample::Resampler;

use crate::limits::SPEECH_CACHE_MAX;
use crate::session::Task;
use crate::settings::{Ears, SimSettings, Voice};

/// The rate of the speech engines, in Hz.
const ENGINE_HZ: u32 = 16_000;
/// Longest sentence, in samples at that rate: a minute.
const SAMPLES_MAX: usize = 60 * ENGINE_HZ as usize;

/// Speaks, and remembers what it has spoken; hears, one utterance at a time.
#[derive(Debug)]
pub(crate) struct Engines {
    transcriber: Option<Mutex<Transcriber>>,
    spoken: Mutex<HashMap<Sentence, Arc<Vec<i16>>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Sentence {
    text: String,
    speaker: &'static str,
    rate_hz: u32,
}

/// What came of a task.
#[derive(Debug)]
pub(crate) enum Done {
    Spoken { id: u64, pcm: Vec<i16> },
    Transcribed { id: u64, text: String },
}

impl Engines {
    /// The engines that these settings need; blocks for up to a second. What is missing is told.
    pub(crate) fn load(settings: &SimSettings) -> Result<Self, String> {
        let transcriber = match &settings.ears {
            Ears::PocketSphinx(model) => {
                let loaded = transcriber(model).map_err(|error| error.to_string())?;
                Some(Mutex::new(loaded))
            }
            Ears::Energy | Ears::Script(_) => None,
        };
        if settings.voice == Voice::Flite {
            synthesise(Speaker::default(), 1.0, "hello", SAMPLES_MAX)
                .map_err(|error| error.to_string())?;
        }
        Ok(Self { transcriber, spoken: Mutex::default() })
    }

    /// Does a task; blocks. What cannot be done yields nothing: no sound, no words.
    pub(crate) fn perform(&self, task: Task) -> Done {
        match task {
            Task::Speak { id, text, voice_id, rate_hz } => {
                let speaker = speaker_for(&voice_id);
                Done::Spoken { id, pcm: self.speak(text, speaker, rate_hz) }
            }
            Task::Transcribe { id, pcm, rate_hz } => {
                let pcm = resampled(&pcm, rate_hz, ENGINE_HZ);
                let transcriber = self.transcriber.as_ref();
                let text = transcriber.map(|transcriber| {
                    transcriber.lock().unwrap_or_else(PoisonError::into_inner).transcribe(&pcm)
                });
                Done::Transcribed { id, text: text.unwrap_or_default() }
            }
        }
    }

    fn speak(&self, text: String, speaker: Speaker, rate_hz: u32) -> Vec<i16> {
        let sentence = Sentence { text, speaker: speaker.name(), rate_hz };
        let spoken = || self.spoken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pcm) = spoken().get(&sentence) {
            return pcm.to_vec();
        }
        let pcm = match synthesise(speaker, 1.0, &sentence.text, SAMPLES_MAX) {
            Ok(pcm) => resampled(&pcm, ENGINE_HZ, rate_hz),
            Err(error) => {
                tracing::warn!(%error, "a sentence was not spoken");
                return Vec::new();
            }
        };
        let mut spoken = spoken();
        if spoken.len() >= SPEECH_CACHE_MAX {
            spoken.clear();
        }
        spoken.insert(sentence, Arc::new(pcm.clone()));
        pcm
    }
}

/// flite has fewer voices: a man's for the men's, a woman's for all others.
fn speaker_for(voice_id: &str) -> Speaker {
    match voice_id {
        "matthew" | "florian" | "lorenzo" | "lennart" | "carlos" | "arjun" | "leo" => Speaker::Rms,
        _ => Speaker::Slt,
    }
}

fn resampled(pcm: &[i16], from_hz: u32, to_hz: u32) -> Vec<i16> {
    let Ok(mut resampler) = Resampler::new(from_hz, to_hz) else { return Vec::new() };
    let input: Vec<f32> = pcm.iter().map(|sample| f32::from(*sample)).collect();
    let mut output = Vec::new();
    resampler.step(&input, &mut output);
    output.into_iter().map(|sample| sample as i16).collect()
}
