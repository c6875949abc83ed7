//! What the caller says and does: speech that comes with the program, and noises.

use crate::duplex::noise;
use crate::g711::ulaw_decode;
use crate::level::{SOUND_DBFS_DEFAULT, speech_frames};
use crate::resample::resample;
use std::ops::Range;

/// The rate of the speech in `assets`.
const ASSET_HZ: u32 = 16_000;
/// The first sample that is at least so loud, as a part of full scale, is where a stimulus begins:
/// -40 dBFS. What comes before is cut off, so that the first sample of its first packet is it.
const BEGIN: f32 = 0.01;
/// How loud voices in the background are, relative to the speech in `assets`.
const BABBLE_GAIN: f32 = 0.12;
/// Backchannels are murmured: 6 dB below speech.
const MURMUR_GAIN: f32 = 0.5;

macro_rules! asset {
    ($name:literal) => {
        include_bytes!(concat!("../../assets/", $name, ".ul")).as_slice()
    };
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// flite's `rms`.
    Low,
    /// flite's `slt`.
    High,
}

/// One thing to say or do. Indices wrap around, so that a plan can count on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stimulus {
    /// A sentence that is finished.
    Finished(usize),
    /// A sentence with a pause of so many milliseconds in its middle.
    Paused(usize, u32),
    /// An interruption.
    Stop,
    /// "mhm", "yeah" and the like.
    Backchannel(usize),
    /// A cough, from a seed.
    Cough(u64),
    /// 1.5 s of typing, from a seed.
    Typing(u64),
    /// 3 s of voices in the background, from a seed.
    Babble(u64),
    /// 3 s of music in the background, from a seed.
    Music(u64),
    /// Nothing for 1 s: what happens meanwhile is the agent's own doing.
    Nothing,
}

/// A stimulus as samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Sound {
    /// Mono samples at the call's rate.
    pub samples: Vec<i16>,
    /// The frames with sound; all of them for [`Stimulus::Nothing`].
    pub audible: Range<usize>,
    /// The frames of the pause in the middle, if there is one: from the first that is silent to the
    /// first of the second part.
    pub pause: Option<Range<usize>>,
}

impl Stimulus {
    /// The stimulus in `voice`, at `rate_hz`, in frames of `frame_samples`.
    pub fn sound(self, voice: Voice, rate_hz: u32, frame_samples: usize) -> Sound {
        let made = |samples: Vec<f32>| Sound::whole(&samples, frame_samples);
        match self {
            Self::Finished(index) => {
                let whole = finished(voice);
                let parts = split(voice);
                match index % (whole.len() + parts.len()) {
                    index if index < whole.len() => made(speech(whole[index], rate_hz)),
                    index => {
                        let [first, second] = parts[index - whole.len()];
                        made(speech(&[first, second].concat(), rate_hz))
                    }
                }
            }
            Self::Paused(index, pause_ms) => {
                let parts = split(voice);
                let [first, second] = parts[index % parts.len()].map(|it| speech(it, rate_hz));
                Sound::paused(&first, &second, (rate_hz / 1_000 * pause_ms) as usize, frame_samples)
            }
            Self::Stop => made(speech(
                match voice {
                    Voice::Low => asset!("rms_stop"),
                    Voice::High => asset!("slt_stop"),
                },
                rate_hz,
            )),
            Self::Backchannel(index) => {
                let all = backchannels(voice);
                let murmured = speech(all[index % all.len()], rate_hz);
                made(murmured.into_iter().map(|sample| sample * MURMUR_GAIN).collect())
            }
            Self::Cough(seed) => made(noise::cough(seed, rate_hz)),
            Self::Typing(seed) => made(noise::typing(seed, rate_hz, 1.5)),
            Self::Babble(seed) => made(babble(seed, rate_hz, 3.0)),
            Self::Music(seed) => made(noise::music(seed, rate_hz, 3.0)),
            Self::Nothing => {
                let frames = rate_hz as usize / frame_samples;
                let samples = vec![0; frames * frame_samples];
                Sound { samples, audible: 0..frames, pause: None }
            }
        }
    }
}

impl Stimulus {
    /// The words in it, as `assets/make.py` has them; nothing for what may be let pass without being
    /// understood.
    pub fn words(self, voice: Voice) -> &'static str {
        let (finished, split, stop) = match voice {
            Voice::Low => (
                ["What time do you open today", "Thank you that is all"],
                [
                    "I want to book a table for two people on friday",
                    "Please send the parcel to twenty two castle street",
                ],
                "Wait stop I meant something else",
            ),
            Voice::High => (
                ["How late are you open tonight", "Please tell me a bit more"],
                [
                    "Could you tell me whether the next train stops in york",
                    "I phoned you yesterday because the bill was too high",
                ],
                "Please stop because I wanted another",
            ),
        };
        match self {
            Self::Finished(index) => match index % (finished.len() + split.len()) {
                index if index < finished.len() => finished[index],
                index => split[index - finished.len()],
            },
            Self::Paused(index, _) => split[index % split.len()],
            Self::Stop => stop,
            _ => "",
        }
    }
}

impl Sound {
    fn whole(samples: &[f32], frame_samples: usize) -> Self {
        let samples = to_i16(begun(samples));
        let audible = speech_frames(&samples, frame_samples, SOUND_DBFS_DEFAULT);
        Self { samples, audible: audible.unwrap_or(0..0), pause: None }
    }

    /// The pause is whole frames: the parts are moved by less than one.
    fn paused(first: &[f32], second: &[f32], pause_samples: usize, frame_samples: usize) -> Self {
        let mut samples = to_i16(begun(first));
        let first_frames = samples.len().div_ceil(frame_samples);
        let pause_frames = pause_samples / frame_samples;
        samples.resize((first_frames + pause_frames) * frame_samples, 0);
        samples.extend(to_i16(begun(second)));
        let audible = speech_frames(&samples, frame_samples, SOUND_DBFS_DEFAULT).unwrap_or(0..0);
        Self { samples, audible, pause: Some(first_frames..first_frames + pause_frames) }
    }
}

fn finished(voice: Voice) -> [&'static [u8]; 2] {
    match voice {
        Voice::Low => [asset!("rms_time"), asset!("rms_thanks")],
        Voice::High => [asset!("slt_time"), asset!("slt_thanks")],
    }
}

fn split(voice: Voice) -> [[&'static [u8]; 2]; 2] {
    match voice {
        Voice::Low => [
            [asset!("rms_table_1"), asset!("rms_table_2")],
            [asset!("rms_parcel_1"), asset!("rms_parcel_2")],
        ],
        Voice::High => [
            [asset!("slt_train_1"), asset!("slt_train_2")],
            [asset!("slt_bill_1"), asset!("slt_bill_2")],
        ],
    }
}

fn backchannels(voice: Voice) -> [&'static [u8]; 5] {
    match voice {
        Voice::Low => [
            asset!("rms_mhm"),
            asset!("rms_yeah"),
            asset!("rms_right"),
            asset!("rms_uhhuh"),
            asset!("rms_okay"),
        ],
        Voice::High => [
            asset!("slt_mhm"),
            asset!("slt_yeah"),
            asset!("slt_right"),
            asset!("slt_uhhuh"),
            asset!("slt_okay"),
        ],
    }
}

/// Several sentences at once, each beginning somewhere in its middle.
fn babble(seed: u64, rate_hz: u32, length_s: f64) -> Vec<f32> {
    let mut random = crate::impair::SplitMix64(seed);
    let mut out = vec![0.0; (length_s * f64::from(rate_hz)) as usize];
    for voice in [Voice::Low, Voice::High] {
        for index in 0..3 {
            let gain = BABBLE_GAIN * (0.5 + 0.5 * random.unit()) as f32;
            let said = [finished(voice)[index % 2], split(voice)[index % 2][index / 2]].concat();
            let said = speech(&said, rate_hz);
            let from = (random.unit() * said.len() as f64) as usize;
            for (sample, other) in out.iter_mut().zip(said.iter().cycle().skip(from)) {
                *sample += gain * other;
            }
        }
    }
    out
}

fn speech(asset: &[u8], rate_hz: u32) -> Vec<f32> {
    let samples: Vec<f32> =
        asset.iter().map(|octet| f32::from(ulaw_decode(*octet)) / 32_768.0).collect();
    resample(&samples, ASSET_HZ, rate_hz)
}

/// From the first audible sample on.
fn begun(samples: &[f32]) -> &[f32] {
    let first = samples.iter().position(|sample| sample.abs() >= BEGIN).unwrap_or(0);
    &samples[first..]
}

fn to_i16(samples: &[f32]) -> Vec<i16> {
    // `as` saturates, which is the clipping wanted here.
    samples.iter().map(|sample| (sample * 32_768.0).round() as i16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: usize = 960;

    fn sound(stimulus: Stimulus, voice: Voice) -> Sound {
        stimulus.sound(voice, 48_000, FRAME)
    }

    #[test]
    fn each_stimulus_begins_with_its_first_audible_sample() {
        for voice in [Voice::Low, Voice::High] {
            for stimulus in [
                Stimulus::Finished(0),
                Stimulus::Finished(3),
                Stimulus::Paused(1, 800),
                Stimulus::Stop,
                Stimulus::Backchannel(4),
                Stimulus::Cough(7),
                Stimulus::Typing(7),
                Stimulus::Babble(7),
                Stimulus::Music(7),
            ] {
                let sound = sound(stimulus, voice);
                assert!(
                    sound.samples[0].unsigned_abs() >= 327,
                    "{stimulus:?} {}",
                    sound.samples[0]
                );
                assert_eq!(sound.audible.start, 0, "{stimulus:?}");
                assert!(sound.audible.end * FRAME > sound.samples.len() / 2, "{stimulus:?}");
            }
        }
    }

    #[test]
    fn a_pause_is_as_long_as_it_is_said_to_be_and_silent() {
        for pause_ms in [400, 800, 1_200] {
            let sound = sound(Stimulus::Paused(0, pause_ms), Voice::High);
            let pause = sound.pause.clone().unwrap();
            assert_eq!(pause.len() as u32 * 20, pause_ms);
            assert!(
                sound.samples[pause.start * FRAME..pause.end * FRAME].iter().all(|it| *it == 0)
            );
            assert!(sound.samples[pause.end * FRAME].unsigned_abs() >= 327);
        }
    }

    #[test]
    fn speech_has_the_level_of_speech_and_backchannels_are_lower() {
        let level = |stimulus| crate::level::level_dbfs(&sound(stimulus, Voice::Low).samples);
        assert!((-28.0..-22.0).contains(&level(Stimulus::Stop)), "{}", level(Stimulus::Stop));
        let murmur = level(Stimulus::Backchannel(1));
        assert!((-36.0..-26.0).contains(&murmur), "{murmur}");
        let babble = level(Stimulus::Babble(3));
        assert!((-42.0..-32.0).contains(&babble), "{babble}");
    }
}
