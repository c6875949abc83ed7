//! What is heard in a simulated call: voices like speech, and marks that say whose sound it is.
//!
//! A mark is 64 bits in the lowest bits of as many samples: it is far below what is heard, passes through
//! whatever leaves samples as they are, and is destroyed by anything that alters them (a fade, a mix, an
//! echo canceller). So what bears a mark was sent whole, and what bears none says nothing.

use std::sync::LazyLock;

use antiphon::limits::WIDEBAND_HZ;

use crate::random::{Random, mix};

/// Samples that one mark takes.
pub(crate) const MARK_SAMPLES: usize = 64;
/// What every mark begins with, so that looking for one is cheap.
const MAGIC: u64 = 0xB5A7;
/// Bits of a mark that go with its name and, with the magic, tell it from chance.
const CHECK_BITS: u32 = 24;
/// The most marks that are looked for at once: those of one frame.
const SEARCH_MAX: usize = 512;
/// Seconds after which a voice repeats itself.
const VOICE_SECONDS: usize = 3;
/// The root mean square of a voice, -17 dBFS.
const VOICE_RMS: f32 = 0.14;

/// Whose sound it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The user, or a reply by the lowest bits of its generation.
    pub(crate) tag: u8,
    /// Which piece of it.
    pub(crate) number: u16,
}

impl Mark {
    /// The tag of the user.
    pub(crate) const USER: u8 = 0;
    /// The tag of the server's own clips.
    pub(crate) const CLIP: u8 = 255;

    /// The tag of a reply.
    pub(crate) const fn of_reply(generation: u32) -> u8 {
        (generation % 254) as u8 + 1
    }

    const fn bits(self) -> u64 {
        let name = ((self.tag as u64) << 16) | self.number as u64;
        (name << 40) | (mix(name + 1) >> (64 - CHECK_BITS) << 16) | MAGIC
    }

    const fn from_bits(bits: u64) -> Option<Self> {
        if bits & 0xFFFF != MAGIC {
            return None;
        }
        let name = bits >> 40;
        let mark = Self { tag: (name >> 16) as u8, number: name as u16 };
        if mark.bits() == bits { Some(mark) } else { None }
    }

    /// Puts it into the first samples.
    pub(crate) fn put(self, pcm: &mut [i16]) {
        let bits = self.bits();
        for (index, sample) in pcm.iter_mut().take(MARK_SAMPLES).enumerate() {
            *sample = (*sample & !1) | ((bits >> index) & 1) as i16;
        }
    }

    /// The first mark in these samples, and where it begins.
    pub(crate) fn find(samples: impl ExactSizeIterator<Item = i16>) -> Option<(usize, Self)> {
        let count = samples.len().min(SEARCH_MAX);
        let mut words = [0_u64; SEARCH_MAX / 64 + 1];
        for (index, sample) in samples.take(count).enumerate() {
            words[index / 64] |= ((sample & 1) as u64) << (index % 64);
        }
        (0..(count + 1).saturating_sub(MARK_SAMPLES)).find_map(|start| {
            let (word, shift) = (start / 64, start % 64);
            let high = if shift == 0 { 0 } else { words[word + 1] << (64 - shift) };
            Self::from_bits((words[word] >> shift) | high).map(|mark| (start, mark))
        })
    }
}

/// Somebody's voice: a few seconds that go round.
pub(crate) type Voice = LazyLock<Vec<f32>>;

/// The user's.
pub(crate) static USER_VOICE: Voice = LazyLock::new(|| voice(11, 190.0));
/// The agent's.
pub(crate) static AGENT_VOICE: Voice = LazyLock::new(|| voice(12, 115.0));
/// Somebody else's, in the room.
pub(crate) static OTHER_VOICE: Voice = LazyLock::new(|| voice(13, 150.0));
/// What has no pitch: a cough, a click, a fan.
pub(crate) static NOISE: Voice = LazyLock::new(|| {
    let mut random = Random::new(14);
    let count = WIDEBAND_HZ as usize * VOICE_SECONDS;
    scaled((0..count).map(|_| random.signed()).collect())
});

/// Makes every voice, so that no call is charged for their memory.
pub(crate) fn prepare() {
    for voice in [&USER_VOICE, &AGENT_VOICE, &OTHER_VOICE, &NOISE] {
        LazyLock::force(voice);
    }
}

/// Pulses of a wandering pitch and some breath, through three resonances.
fn voice(seed: u64, pitch_hz: f32) -> Vec<f32> {
    let mut random = Random::new(seed);
    let count = WIDEBAND_HZ as usize * VOICE_SECONDS;
    let mut sound = vec![0.0; count];
    let mut next_pulse = 0.0;
    for (index, sample) in sound.iter_mut().enumerate() {
        *sample = 0.03 * random.signed();
        if index as f32 >= next_pulse {
            *sample += 1.0;
            next_pulse += WIDEBAND_HZ as f32 / (pitch_hz * (1.0 + 0.2 * random.signed()));
        }
    }
    for formant_hz in [500.0, 1_500.0, 2_600.0] {
        let radius = 0.96_f32;
        let turn = 2.0 * std::f32::consts::PI * formant_hz / WIDEBAND_HZ as f32;
        let (mut last, mut before) = (0.0, 0.0);
        for sample in &mut sound {
            let next = *sample + 2.0 * radius * turn.cos() * last - radius * radius * before;
            (before, last) = (last, next);
            *sample = 0.3 * *sample + next;
        }
    }
    scaled(sound)
}

fn scaled(mut sound: Vec<f32>) -> Vec<f32> {
    let power = sound.iter().map(|sample| sample * sample).sum::<f32>() / sound.len() as f32;
    let gain = VOICE_RMS / power.sqrt();
    sound.iter_mut().for_each(|sample| *sample *= gain);
    sound
}

/// Adds part of a voice, from its sample `start` on, to a mix.
pub(crate) fn add(mix: &mut [f32], voice: &[f32], start: usize, gain: f32) {
    let rest = voice[start % voice.len()..].iter().chain(voice.iter().cycle());
    mix.iter_mut().zip(rest).for_each(|(mixed, sample)| *mixed += gain * sample);
}

/// Samples of -1 to 1 as 16 bit.
pub(crate) fn pcm_of(sample: f32) -> i16 {
    (sample * 32_768.0).clamp(-32_768.0, 32_767.0) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_where_it_is_and_not_in_what_was_altered() {
        let mark = Mark { tag: 7, number: 1_234 };
        let mut pcm: Vec<i16> = AGENT_VOICE[..320].iter().copied().map(pcm_of).collect();
        assert_eq!(Mark::find(pcm.iter().copied()), None);
        mark.put(&mut pcm[200..]);
        assert_eq!(Mark::find(pcm.iter().copied()), Some((200, mark)));
        let faded = pcm.iter().map(|sample| (f32::from(*sample) * 0.9).round() as i16);
        assert_eq!(Mark::find(faded.collect::<Vec<_>>().into_iter()), None);
    }

    #[test]
    fn every_window_of_a_voice_is_loud_enough_to_be_heard() {
        for voice in [&USER_VOICE, &AGENT_VOICE, &OTHER_VOICE, &NOISE] {
            for window in voice.chunks_exact(320) {
                let power = window.iter().map(|sample| sample * sample).sum::<f32>() / 320.0;
                assert!(power > 2e-3, "{power}");
            }
        }
    }
}
