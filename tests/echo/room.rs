//! A room with a loudspeaker, a microphone and somebody in it, all at 16 kHz.

use antiphon::dsp::level;
use antiphon::limits::{WIDEBAND_FRAME, WIDEBAND_HZ};

/// A small generator of its own, so that a figure stays the same whatever the libraries do.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// From 0 to 1.
    pub(crate) fn share(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1_u64 << 24) as f32
    }

    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.share()
    }

    pub(crate) fn noise(&mut self) -> f32 {
        2.0 * self.share() - 1.0
    }
}

/// Speech-like sound: glottal pulses of a moving pitch through formants that change with each syllable,
/// hisses between them, a pause now and then. RMS -20 dBFS where it sounds.
pub(crate) fn speech(seed: u64, pitch_hz: f32, seconds: f32) -> Vec<f32> {
    let mut random = Random::new(seed);
    let length = (seconds * WIDEBAND_HZ as f32) as usize;
    let mut pcm = Vec::with_capacity(length);
    let mut phase = 0.0;
    while pcm.len() < length {
        let syllables = 3 + (random.share() * 6.0) as usize;
        let mut pitch = pitch_hz * random.between(1.0, 1.25);
        for _ in 0..syllables {
            if random.share() < 0.5 {
                hiss(&mut random, &mut pcm);
            }
            let target = pitch_hz * random.between(0.8, 1.25);
            vowel(&mut random, &mut pcm, &mut phase, pitch, target);
            pitch = target;
        }
        let pause = (random.between(0.1, 0.5) * WIDEBAND_HZ as f32) as usize;
        pcm.extend(std::iter::repeat_n(0.0, pause));
    }
    pcm.truncate(length);
    to_level(&mut pcm, -20.0);
    pcm
}

fn hiss(random: &mut Random, pcm: &mut Vec<f32>) {
    let length = (random.between(0.04, 0.1) * WIDEBAND_HZ as f32) as usize;
    let mut last = 0.0;
    for n in 0..length {
        let noise = random.noise();
        let window = (n as f32 / length as f32 * std::f32::consts::PI).sin();
        pcm.push(0.1 * window * (noise - last));
        last = noise;
    }
}

fn vowel(random: &mut Random, pcm: &mut Vec<f32>, phase: &mut f32, from_hz: f32, to_hz: f32) {
    const VOWELS: [[f32; 3]; 6] = [
        [730.0, 1090.0, 2440.0],
        [270.0, 2290.0, 3010.0],
        [300.0, 870.0, 2240.0],
        [530.0, 1840.0, 2480.0],
        [570.0, 840.0, 2410.0],
        [490.0, 1350.0, 1690.0],
    ];
    let formants = VOWELS[(random.share() * 5.99) as usize];
    let mut filters = formants.map(|hz| Resonator::new(hz * random.between(0.9, 1.1), 80.0));
    let length = (random.between(0.09, 0.25) * WIDEBAND_HZ as f32) as usize;
    let loud = random.between(0.5, 1.0);
    for n in 0..length {
        let share = n as f32 / length as f32;
        let pitch = from_hz + (to_hz - from_hz) * share;
        *phase += pitch / WIDEBAND_HZ as f32;
        let pulse = if *phase >= 1.0 { 1.0 } else { 0.0 };
        *phase -= phase.floor();
        let window = (share * std::f32::consts::PI).sin().sqrt();
        let excitation = pulse + 0.01 * random.noise();
        let sound: f32 = filters.iter_mut().map(|filter| filter.step(excitation)).sum();
        pcm.push(loud * window * sound);
    }
}

struct Resonator {
    a1: f32,
    a2: f32,
    y1: f32,
    y2: f32,
}

impl Resonator {
    fn new(hz: f32, bandwidth_hz: f32) -> Self {
        let radius = (-std::f32::consts::PI * bandwidth_hz / WIDEBAND_HZ as f32).exp();
        let angle = std::f32::consts::TAU * hz / WIDEBAND_HZ as f32;
        Self { a1: 2.0 * radius * angle.cos(), a2: -radius * radius, y1: 0.0, y2: 0.0 }
    }

    fn step(&mut self, x: f32) -> f32 {
        let y = x + self.a1 * self.y1 + self.a2 * self.y2;
        self.y2 = std::mem::replace(&mut self.y1, y);
        y
    }
}

/// Scales so that the frames that sound have this level on average.
pub(crate) fn to_level(pcm: &mut [f32], level_dbfs: f32) {
    let loud = |frame: &&[f32]| level::rms_dbfs(frame) > -60.0;
    let (energy, count) =
        pcm.chunks(WIDEBAND_FRAME).filter(loud).fold((0.0, 0), |(energy, count), frame| {
            (energy + level::energy(frame), count + frame.len())
        });
    let now_dbfs = level::dbfs_from_power(energy / count.max(1) as f32);
    let gain = level::amplitude_from_dbfs(level_dbfs - now_dbfs);
    pcm.iter_mut().for_each(|sample| *sample = (*sample * gain).clamp(-1.0, 1.0));
}

/// From loudspeaker to microphone: a direct sound and reflections that die away in 0.3 s (60 dB).
pub(crate) struct Room {
    /// Samples later, and how loud.
    reflections: Vec<(usize, f32)>,
}

impl Room {
    /// `echo_db` is how loud the echo is, relative to what was sent.
    pub(crate) fn new(seed: u64, echo_db: f32) -> Self {
        const REFLECTIONS: usize = 60;
        const REVERBERATION_S: f32 = 0.3;
        let mut random = Random::new(seed);
        let mut reflections = vec![(0, 1.0)];
        for _ in 0..REFLECTIONS {
            let after_s = 0.001 + 0.25 * random.share() * random.share();
            let gain = 0.5 * 10.0_f32.powf(-3.0 * after_s / REVERBERATION_S) * random.noise();
            reflections.push(((after_s * WIDEBAND_HZ as f32) as usize, gain));
        }
        let power: f32 = reflections.iter().map(|(_, gain)| gain * gain).sum();
        let gain = level::amplitude_from_dbfs(echo_db) / power.sqrt();
        reflections.iter_mut().for_each(|reflection| reflection.1 *= gain);
        Self { reflections }
    }

    /// The echo of sample `at` of what was sent.
    pub(crate) fn echo(&self, sent: &[f32], at: i64) -> f32 {
        let sample = |after: usize| {
            usize::try_from(at - after as i64).ok().and_then(|at| sent.get(at)).copied()
        };
        self.reflections.iter().map(|(after, gain)| sample(*after).unwrap_or(0.0) * gain).sum()
    }
}

/// Flite's voice of the golden test of the voice model, again and again: 3.4 s each time.
pub(crate) fn golden(seconds: f32) -> Vec<f32> {
    use antiphon::dsp::g711::{f32_from_i16, ulaw_decode};
    const SPEECH: &[u8] = include_bytes!("../golden/silero/speech.ulaw");
    let mut pcm: Vec<f32> = SPEECH.iter().map(|code| f32_from_i16(ulaw_decode(*code))).collect();
    to_level(&mut pcm, -20.0);
    pcm.into_iter().cycle().take((seconds * WIDEBAND_HZ as f32) as usize).collect()
}
