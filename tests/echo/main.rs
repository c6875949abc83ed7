//! Echo cancellation and the echo gate in a simulated room.
//!
//! The figures are printed: `cargo test --no-default-features --test echo -- --nocapture`; with the real
//! voice model and the real codec: `cargo test --release --locked --workspace --test echo -- --nocapture`.
#![expect(clippy::print_stdout, reason = "the figures are half of what it is for")]

mod agent;
mod room;
mod scene;
#[cfg(feature = "shell")]
mod voice;

use antiphon::call::event::EchoVerdict;
use antiphon::dsp::echo::{EchoMode, EchoState};
use antiphon::dsp::level;
use room::{golden, speech, to_level};
use scene::{Outcome, Scene};

/// Echo this loud is heard as a voice.
const HEARD_DBFS: f32 = -45.0;

fn ratio_db<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> f32 {
    let (before, after) = outcomes.fold((0.0, 0.0), |(before, after), outcome| {
        (before + level::energy(&outcome.captured), after + level::energy(&outcome.cancelled))
    });
    10.0 * (before / after).log10()
}

fn share(outcomes: &[Outcome], is_meant: impl Fn(&Outcome) -> bool, verdict: EchoVerdict) -> f32 {
    let meant = || outcomes.iter().filter(|outcome| is_meant(outcome));
    let count = meant().filter(|outcome| outcome.verdict == verdict).count();
    count as f32 / meant().count().max(1) as f32
}

#[test]
fn echo_goes_away_at_every_delay() {
    println!(
        "echo alone: ERLE from 2 s after its beginning in dB, delay found in ms, found after ms"
    );
    println!(
        "{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}",
        "ms", "dB", "ERLE", "found", "after", "certain", "clear"
    );
    for echo_db in [-6.0, -12.0, -20.0] {
        for delay_ms in [10.0, 40.0, 100.0, 200.0, 400.0, 550.0, 700.0, 900.0] {
            let outcomes = Scene::new(golden(10.0), echo_db, delay_ms).play();
            let begins_ms = outcomes.iter().find(|o| o.echo_dbfs > HEARD_DBFS).expect("echo").at_ms;
            let erle_db = ratio_db(outcomes.iter().filter(|o| o.at_ms > begins_ms + 2_000));
            let found = outcomes.iter().find(|o| o.echo.delay_samples.is_some()).expect("a delay");
            let after_ms = found.at_ms.saturating_sub(begins_ms);
            let last = outcomes.last().expect("frames");
            let found_ms = last.echo.delay_samples.map_or(0.0, |samples| samples as f32 / 16.0);
            let is_heard = |o: &Outcome| o.echo_dbfs > HEARD_DBFS && o.at_ms > begins_ms + 200;
            let certain = share(&outcomes, is_heard, EchoVerdict::Certain);
            let clear = share(&outcomes, is_heard, EchoVerdict::Clear);
            println!(
                "{delay_ms:>8}{echo_db:>8}{erle_db:>8.1}{found_ms:>8.1}{after_ms:>8}{certain:>8.3}{clear:>8.3}"
            );
            assert!(erle_db > 20.0, "{erle_db} dB at {delay_ms} ms");
            assert!((found_ms - delay_ms).abs() < 20.0, "{found_ms} for {delay_ms} ms");
            assert!(after_ms <= 400, "{after_ms} ms until {delay_ms} ms were found");
            assert!(certain > 0.85 && clear < 0.05, "certain {certain}, clear {clear}");
            assert!(outcomes.iter().any(|o| o.echo.state == EchoState::Converged));
        }
    }
}

#[test]
fn a_jump_of_the_delay_is_followed() {
    println!(
        "delay jumps after 5 s: ms until the canceller takes 10 dB again, frames Clear meanwhile"
    );
    for (from_ms, to_ms) in
        [(200.0, 300.0), (200.0, 140.0), (60.0, 800.0), (700.0, 50.0), (200.0, 220.0)]
    {
        let mut scene = Scene::new(golden(12.0), -12.0, from_ms);
        scene.delay_ms = Box::new(move |at_ms| if at_ms < 5_000 { from_ms } else { to_ms });
        let outcomes = scene.play();
        let after = || outcomes.iter().filter(|o| o.at_ms >= 5_000 && o.echo_dbfs > HEARD_DBFS);
        let begins_ms = after().next().expect("echo").at_ms;
        let bad = after().filter(|o| o.attenuation_db() < 10.0 && o.at_ms < begins_ms + 3_000);
        let lost_ms = bad.map(|o| o.at_ms + 20 - begins_ms).max().unwrap_or(0);
        let clear = after().filter(|o| o.verdict == EchoVerdict::Clear).count();
        let erle_db = ratio_db(outcomes.iter().filter(|o| o.at_ms > begins_ms + 2_000));
        println!("{from_ms} to {to_ms} ms: {lost_ms} ms, {clear} frames, then {erle_db:.1} dB");
        let found_ms = outcomes.last().and_then(|o| o.echo.delay_samples).map_or(0, |s| s / 16);
        assert!(found_ms.abs_diff(to_ms as u32) <= 20, "{found_ms} for {to_ms} ms");
        assert!(erle_db > 15.0, "{erle_db} dB");
        assert!(clear <= 10, "{clear} frames of echo taken for a user");
    }
}

#[test]
fn drifting_clocks_are_followed() {
    // 100 ppm: 2 ms in 20 s, in steps that a device's resampler makes.
    let mut scene = Scene::new(golden(20.0), -12.0, 200.0);
    scene.delay_ms = Box::new(|at_ms| 200.0 + (at_ms as f32 * 1e-4 * 16.0).round() / 16.0);
    let outcomes = scene.play();
    let erle_db = ratio_db(outcomes.iter().filter(|o| o.at_ms > 5_000));
    println!("100 ppm of drift: {erle_db:.1} dB");
    assert!(erle_db > 15.0, "{erle_db} dB");
}

#[test]
fn a_user_who_speaks_over_an_echo_is_heard() {
    println!("double talk after 3 s: dB taken from near speech, share of its frames by verdict");
    for near_db in [6.0_f32, 0.0, -6.0] {
        for delay_ms in [40.0, 200.0, 700.0] {
            let mut scene = Scene::new(golden(20.0), -12.0, delay_ms);
            let mut near = speech(5, 150.0, 17.0);
            to_level(&mut near, -32.0 + near_db);
            scene.near = std::iter::repeat_n(0.0, 48_000).chain(near).collect();
            let outcomes = scene.play();
            let is_near = |o: &Outcome| o.near_dbfs > -45.0 && o.near_dbfs > o.echo_dbfs;
            let lost_db = ratio_db(outcomes.iter().filter(|o| is_near(o)));
            let of = |verdict| share(&outcomes, is_near, verdict);
            let (clear, likely) = (of(EchoVerdict::Clear), of(EchoVerdict::Likely));
            let certain = of(EchoVerdict::Certain);
            println!(
                "{near_db:>4} dB, {delay_ms} ms: {lost_db:.1} dB; clear {clear:.3} likely {likely:.3} certain {certain:.3}"
            );
            assert!(certain < 0.1, "{certain} of near speech taken for echo");
            assert!(lost_db < 8.0, "{lost_db} dB taken from near speech");
        }
    }
}

#[test]
fn a_client_that_cancels_is_left_alone_until_an_echo_shows() {
    let mut scene = Scene::new(golden(20.0), -12.0, 200.0);
    // An echo that takes 30 s is none.
    scene.delay_ms = Box::new(|at_ms| if at_ms < 12_000 { 30_000.0 } else { 200.0 });
    scene.near = std::iter::repeat_n(0.0, 128_000).chain(speech(5, 150.0, 3.0)).collect();
    let outcomes = scene.play();
    let state_at = |at_ms: u64| outcomes[at_ms as usize / 20].echo.state;
    assert_eq!(state_at(1_000), EchoState::Searching, "it begins at once");
    assert!(outcomes[400..600].iter().all(|o| o.echo.state == EchoState::Off), "off after 8 s");
    let near = |o: &Outcome| o.near_dbfs > -45.0;
    assert!(share(&outcomes, near, EchoVerdict::Clear) > 0.85);
    assert!(share(&outcomes, near, EchoVerdict::Certain) < 0.03);
    assert!(outcomes[900..].iter().any(|o| o.echo.state == EchoState::Converged), "on again");
    // While it is off the audio is the microphone's, 4 ms late.
    let samples = |of: fn(&Outcome) -> &[f32; 320]| -> Vec<f32> {
        outcomes[410..590].iter().flat_map(of).copied().collect()
    };
    let (before, after) = (samples(|o| &o.captured), samples(|o| &o.cancelled));
    assert!(after[64..] == before[..before.len() - 64]);
}

#[test]
fn off_is_off_and_on_stays_on() {
    for (mode, expected) in [(EchoMode::Off, EchoState::Off), (EchoMode::On, EchoState::Searching)]
    {
        let mut scene = Scene::new(speech(1, 110.0, 8.0), -12.0, 200.0);
        (scene.mode, scene.room) = (mode, None);
        let outcomes = scene.play();
        assert_eq!(outcomes[390].echo.state, expected, "{mode:?}");
        if mode == EchoMode::Off {
            assert!(
                outcomes
                    .iter()
                    .all(|o| o.cancelled == o.captured && o.verdict == EchoVerdict::Clear)
            );
        }
    }
}
