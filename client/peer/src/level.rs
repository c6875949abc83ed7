//! How loud a stretch of audio is, and where a clip truly begins and ends to be speech.
//!
//! Levels are the root mean square relative to full scale, in dBFS: a full-scale square wave is 0,
//! a full-scale sine -3, digital silence [`SILENCE_DBFS`].

use std::ops::Range;

/// The level given for digital silence, so that a level is always a finite number.
pub const SILENCE_DBFS: f64 = -120.0;
/// What counts as sound, or as speech, unless the options say otherwise.
pub const SOUND_DBFS_DEFAULT: f64 = -50.0;

/// The level of `samples`, in dBFS.
pub fn level_dbfs(samples: &[i16]) -> f64 {
    energy_dbfs(energy(samples), samples.len())
}

/// The sum of squares of `samples`, where full scale is 1.
pub fn energy(samples: &[i16]) -> f64 {
    samples.iter().map(|&sample| (f64::from(sample) / 32_768.0).powi(2)).sum()
}

/// The level of `count` samples that hold `energy`, in dBFS.
pub fn energy_dbfs(energy: f64, count: usize) -> f64 {
    if count == 0 || energy <= 0.0 {
        return SILENCE_DBFS;
    }
    (10.0 * (energy / count as f64).log10()).max(SILENCE_DBFS)
}

/// The frames of `samples` from the first to the last one louder than `threshold_dbfs`.
///
/// The last frame may be short; it is judged on what it holds. `None` if nothing is that loud.
pub fn speech_frames(
    samples: &[i16],
    frame_samples: usize,
    threshold_dbfs: f64,
) -> Option<Range<usize>> {
    let loud = |frame: &[i16]| level_dbfs(frame) > threshold_dbfs;
    let first = samples.chunks(frame_samples).position(loud)?;
    let count = samples.len().div_ceil(frame_samples);
    let last = samples.chunks(frame_samples).rposition(loud).unwrap_or(count - 1);
    Some(first..last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_relative_to_full_scale() {
        let square: Vec<i16> =
            (0..960).map(|i| if i % 2 == 0 { 32_767 } else { -32_767 }).collect();
        let sine: Vec<i16> = (0..960)
            .map(|i| (32_767.0 * (f64::from(i) * std::f64::consts::TAU / 96.0).sin()) as i16)
            .collect();
        let quiet: Vec<i16> = sine.iter().map(|&sample| sample / 10).collect();
        for (name, samples, expected) in [
            ("square", &square[..], 0.0),
            ("sine", &sine[..], -3.01),
            ("a tenth of it", &quiet[..], -23.01),
            ("silence", &[0; 960][..], SILENCE_DBFS),
            ("nothing", &[][..], SILENCE_DBFS),
        ] {
            assert!((level_dbfs(samples) - expected).abs() < 0.05, "{name}");
        }
    }

    #[test]
    fn speech_is_from_the_first_loud_frame_to_the_last() {
        const LOUD: [i16; 4] = [8_000; 4];
        const QUIET: [i16; 4] = [3; 4];
        let clip = |frames: &[[i16; 4]]| frames.concat();
        for (samples, expected) in [
            (clip(&[QUIET, LOUD, QUIET, LOUD, QUIET]), Some(1..4)),
            (clip(&[LOUD]), Some(0..1)),
            (clip(&[QUIET, QUIET]), None),
            (vec![], None),
            ([&clip(&[QUIET])[..], &[9_000, 9_000]].concat(), Some(1..2)),
        ] {
            assert_eq!(speech_frames(&samples, 4, SOUND_DBFS_DEFAULT), expected, "{samples:?}");
        }
    }
}
