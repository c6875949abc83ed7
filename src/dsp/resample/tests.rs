use super::*;
use crate::dsp::level;
use proptest::prelude::*;

fn pairs() -> impl Iterator<Item = (u32, u32)> {
    RATES_HZ.into_iter().flat_map(|from| RATES_HZ.into_iter().map(move |to| (from, to)))
}

fn tone(rate_hz: u32, frequency_hz: f64, samples: usize) -> Vec<f32> {
    let step = std::f64::consts::TAU * frequency_hz / f64::from(rate_hz);
    (0..samples).map(|n| (step * n as f64).sin() as f32).collect()
}

fn converted(from_hz: u32, to_hz: u32, input: &[f32]) -> Vec<f32> {
    let mut output = Vec::new();
    Resampler::new(from_hz, to_hz).expect("a supported pair").step(input, &mut output);
    output
}

/// The level of a full-scale tone after conversion, in dB relative to what went in, without the
/// filter's filling.
fn gain_db(from_hz: u32, to_hz: u32, frequency_hz: f64) -> f32 {
    let output = converted(from_hz, to_hz, &tone(from_hz, frequency_hz, from_hz as usize / 2));
    level::rms_dbfs(&output[output.len() / 10..]) + 3.0103
}

#[test]
fn other_rates_are_refused_by_name() {
    assert_eq!(Resampler::new(22_050, 48_000).err(), Some(UnsupportedRate(22_050)));
    assert_eq!(Resampler::new(48_000, 0).err(), Some(UnsupportedRate(0)));
}

#[test]
fn the_pass_band_is_flat() {
    let mut worst = 0.0_f32;
    for (from_hz, to_hz) in pairs() {
        let nyquist_hz = f64::from(from_hz.min(to_hz)) / 2.0;
        for relative in [0.02, 0.2, 0.4, 0.6, 0.7, 0.8] {
            worst = worst.max(gain_db(from_hz, to_hz, relative * nyquist_hz).abs());
        }
    }
    assert!(worst < 0.01, "{worst} dB");
}

#[test]
fn what_would_alias_is_rejected() {
    let mut loudest_db = -200.0_f32;
    for (from_hz, to_hz) in pairs().filter(|(from_hz, to_hz)| from_hz > to_hz) {
        let nyquist_hz = f64::from(to_hz) / 2.0;
        for relative in [1.12, 1.2, 1.4, 1.7, 2.3, 3.1] {
            let frequency_hz = relative * nyquist_hz;
            if frequency_hz < f64::from(from_hz) / 2.0 {
                loudest_db = loudest_db.max(gain_db(from_hz, to_hz, frequency_hz));
            }
        }
    }
    assert!(loudest_db < -70.0, "{loudest_db} dB");
}

#[test]
fn images_of_the_lower_rate_are_rejected() {
    let mut loudest_db = -200.0_f32;
    for (from_hz, to_hz) in pairs().filter(|(from_hz, to_hz)| from_hz < to_hz) {
        for relative in [0.1, 0.5, 0.8, 0.88] {
            let frequency_hz = relative * f64::from(from_hz) / 2.0;
            let output = converted(from_hz, to_hz, &tone(from_hz, frequency_hz, from_hz as usize));
            loudest_db = loudest_db.max(residual_db(to_hz, frequency_hz, &output));
        }
    }
    assert!(loudest_db < -70.0, "{loudest_db} dB");
}

/// What is in a second half of `output` beside a tone of `frequency_hz`, relative to the tone.
fn residual_db(rate_hz: u32, frequency_hz: f64, output: &[f32]) -> f32 {
    let tail = &output[output.len() / 2..];
    let step = std::f64::consts::TAU * frequency_hz / f64::from(rate_hz);
    let project = |wave: fn(f64) -> f64| -> f64 {
        let sum: f64 =
            tail.iter().enumerate().map(|(n, x)| f64::from(*x) * wave(step * n as f64)).sum();
        2.0 * sum / tail.len() as f64
    };
    let (sine, cosine) = (project(f64::sin), project(f64::cos));
    let rest: f64 = tail
        .iter()
        .enumerate()
        .map(|(n, x)| {
            let angle = step * n as f64;
            (f64::from(*x) - sine * angle.sin() - cosine * angle.cos()).powi(2)
        })
        .sum();
    let tone_power = (sine * sine + cosine * cosine) / 2.0;
    (10.0 * (rest / tail.len() as f64 / tone_power).log10()) as f32
}

#[test]
fn a_click_comes_out_after_exactly_the_stated_delay() {
    for (from_hz, to_hz) in pairs() {
        let mut resampler = Resampler::new(from_hz, to_hz).expect("a supported pair");
        // At a time that both rates have a sample for.
        let at = from_hz as usize / 100;
        let mut input = vec![0.0; from_hz as usize / 50];
        input[at] = 1.0;
        let mut output = Vec::new();
        resampler.step(&input, &mut output);
        let loudest = (0..output.len())
            .max_by(|a, b| output[*a].abs().total_cmp(&output[*b].abs()))
            .expect("there is output");
        let delay_s = loudest as f64 / f64::from(to_hz) - at as f64 / f64::from(from_hz);
        let error = (delay_s - resampler.delay().as_secs_f64()).abs() * f64::from(to_hz);
        assert!(error < 0.51, "{from_hz} -> {to_hz}: {error} samples off");
        assert!(resampler.delay() <= Duration::from_millis(2));
    }
}

#[test]
fn a_reset_converter_is_a_new_one() {
    let input = tone(24_000, 440.0, 480);
    let mut resampler = Resampler::new(24_000, 48_000).expect("a supported pair");
    let mut first = Vec::new();
    resampler.step(&input, &mut first);
    resampler.step(&input[..13], &mut Vec::new());
    resampler.reset();
    let mut second = Vec::new();
    resampler.step(&input, &mut second);
    assert_eq!(first, second);
}

#[test]
fn nothing_is_allocated_after_the_first_block() {
    let input = tone(48_000, 440.0, 960);
    let mut resampler = Resampler::new(48_000, 16_000).expect("a supported pair");
    let mut output = Vec::new();
    resampler.step(&input, &mut output);
    let (history, capacity) = (resampler.history.as_ptr(), output.capacity());
    for _ in 0..50 {
        output.clear();
        resampler.step(&input, &mut output);
        assert_eq!(output.len(), 320);
    }
    assert_eq!((resampler.history.as_ptr(), output.capacity()), (history, capacity));
}

proptest! {
    #[test]
    fn the_length_is_exact_and_cuts_make_no_difference(
        pair in 0..RATES_HZ.len() * RATES_HZ.len(),
        cuts in prop::collection::vec(0_usize..1_200, 1..12),
    ) {
        let (from_hz, to_hz) = pairs().nth(pair).expect("in range");
        let total: usize = cuts.iter().sum();
        let input = tone(from_hz, 997.0, total);
        let mut resampler = Resampler::new(from_hz, to_hz).expect("a supported pair");
        let mut output = Vec::new();
        let mut taken = 0;
        for cut in cuts {
            resampler.step(&input[taken..taken + cut], &mut output);
            taken += cut;
            let exact = (taken * to_hz as usize).div_ceil(from_hz as usize);
            prop_assert_eq!(output.len(), exact);
        }
        prop_assert_eq!(output, converted(from_hz, to_hz, &input));
    }
}
