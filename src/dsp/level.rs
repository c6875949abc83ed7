//! How loud audio is.
//!
//! Levels are relative to full scale as RFC 6464 §3 counts them (dBov): a full-scale square wave is
//! 0 dBFS, a full-scale sine -3.01 dBFS.

/// The level of digital silence, and the lowest there is (RFC 6464 §3).
pub const SILENCE_DBFS: f32 = -127.0;

/// The RMS level in dBFS, -127 to 0 for samples in range; -127 for an empty block.
pub fn rms_dbfs(pcm: &[f32]) -> f32 {
    if pcm.is_empty() {
        return SILENCE_DBFS;
    }
    dbfs_from_power(energy(pcm) / pcm.len() as f32)
}

/// The largest magnitude, 0 to 1 for samples in range.
pub fn peak(pcm: &[f32]) -> f32 {
    pcm.iter().fold(0.0, |peak, sample| sample.abs().max(peak))
}

/// The sum of squares.
pub fn energy(pcm: &[f32]) -> f32 {
    // Eight partial sums: the compiler may not reorder one sum of floats, and so could not vectorise.
    let mut sums = [0.0_f32; 8];
    let (whole, rest) = pcm.as_chunks::<8>();
    for chunk in whole {
        for (sum, sample) in sums.iter_mut().zip(chunk) {
            *sum += sample * sample;
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|sample| sample * sample).sum::<f32>()
}

/// A mean square as a level in dBFS, not below -127.
pub fn dbfs_from_power(power: f32) -> f32 {
    // Not a number compares false, and so is silence.
    if power > 0.0 { (10.0 * power.log10()).max(SILENCE_DBFS) } else { SILENCE_DBFS }
}

/// A level in dBFS as an RMS amplitude.
pub fn amplitude_from_dbfs(level_dbfs: f32) -> f32 {
    10.0_f32.powf(level_dbfs / 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_signals_have_known_levels() {
        let sine: Vec<f32> =
            (0..480).map(|n| (n as f32 * std::f32::consts::TAU / 48.0).sin()).collect();
        let half: Vec<f32> = sine.iter().map(|sample| sample / 2.0).collect();
        let rows: [(&str, &[f32], f32); 7] = [
            ("empty", &[], -127.0),
            ("digital silence", &[0.0; 320], -127.0),
            ("below the floor", &[1e-9; 320], -127.0),
            ("full-scale square", &[1.0, -1.0, 1.0, -1.0], 0.0),
            ("full-scale sine", &sine, -3.0103),
            ("half-scale sine", &half, -9.0309),
            ("not a number", &[f32::NAN; 3], -127.0),
        ];
        for (name, pcm, expected_dbfs) in rows {
            let level_dbfs = rms_dbfs(pcm);
            assert!((level_dbfs - expected_dbfs).abs() < 1e-3, "{name}: {level_dbfs}");
        }
    }

    #[test]
    fn the_peak_is_the_largest_magnitude_wherever_it_is() {
        assert_eq!(peak(&[0.1, -0.7, 0.3]), 0.7);
        assert_eq!(peak(&[]), 0.0);
    }

    #[test]
    fn the_sum_of_squares_does_not_depend_on_the_block_length() {
        for length in 0..40 {
            assert_eq!(energy(&vec![2.0; length]), 4.0 * length as f32);
        }
    }

    #[test]
    fn a_level_survives_the_way_to_an_amplitude_and_back() {
        for level_dbfs in [-120.0_f32, -60.0, -12.0, 0.0] {
            let amplitude = amplitude_from_dbfs(level_dbfs);
            assert!((dbfs_from_power(amplitude * amplitude) - level_dbfs).abs() < 1e-3);
        }
    }
}
