use std::time::Duration;

use super::*;
use crate::time::SessionTime;

const fn evidence(likeness: f32, canceller: Canceller) -> EchoEvidence {
    EchoEvidence {
        reference_dbfs: -20.0,
        captured_dbfs: -30.0,
        likeness,
        delay: Some(Duration::from_millis(200)),
        canceller,
    }
}

fn frame(echo: EchoEvidence, level_dbfs: f32) -> FrameFeatures {
    let (at, pitch_hz) = (SessionTime::ZERO, None);
    FrameFeatures { at, voice: 0.9, level_dbfs, pitch_hz, echo, concealed: false }
}

/// The verdicts on so many equal frames each.
fn verdicts(gate: &mut EchoGate, frames: &[(usize, EchoEvidence, f32)]) -> Vec<EchoVerdict> {
    let mut found = Vec::new();
    for (count, echo, level_dbfs) in frames {
        for _ in 0..*count {
            found.push(gate.step(&frame(*echo, *level_dbfs)));
        }
    }
    found
}

#[test]
fn what_follows_a_silent_reference_is_no_echo() {
    let mut gate = EchoGate::default();
    let echo = EchoEvidence { reference_dbfs: -61.0, ..evidence(1.0, Canceller::Searching) };
    assert_eq!(verdicts(&mut gate, &[(3, echo, -30.0)]), [EchoVerdict::Clear; 3]);
    assert_eq!(gate.step(&frame(EchoEvidence::NONE, -20.0)), EchoVerdict::Clear);
}

#[test]
fn a_new_sound_may_be_echo_until_it_lasted_long_enough_to_tell() {
    for (delay, frames) in [(Some(Duration::from_millis(200)), 5), (None, 16)] {
        let unlike = EchoEvidence { delay, ..evidence(0.0, Canceller::Searching) };
        let mut gate = EchoGate::default();
        let found = verdicts(
            &mut gate,
            &[(10, unlike, -65.0), (frames, unlike, -30.0), (5, unlike, -30.0)],
        );
        assert!(found[10..10 + frames].iter().all(|verdict| *verdict == EchoVerdict::Likely));
        assert!(found[10 + frames..].iter().all(|verdict| *verdict == EchoVerdict::Clear));
    }
    let off = evidence(0.0, Canceller::Off);
    assert_eq!(
        EchoGate::default().step(&frame(off, -30.0)),
        EchoVerdict::Clear,
        "the client cancels"
    );
}

#[test]
fn likeness_has_two_thresholds_and_hysteresis() {
    let mut gate = EchoGate::default();
    let like = |likeness| (1, evidence(likeness, Canceller::Searching), -30.0);
    let found =
        verdicts(&mut gate, &[like(0.6), like(0.72), like(0.6), like(0.5), like(0.6), like(0.72)]);
    use EchoVerdict::{Certain, Likely};
    assert_eq!(found, [Likely, Certain, Certain, Likely, Likely, Certain]);
    assert_ne!(gate.step(&frame(evidence(f32::NAN, Canceller::Searching), -30.0)), Certain);
}

#[test]
fn what_a_working_canceller_leaves_is_somebody_else() {
    let mut gate = EchoGate::default();
    let echo = evidence(0.8, Canceller::Converged);
    let found = verdicts(&mut gate, &[(50, echo, -62.0), (5, echo, -40.0)]);
    assert!(found[..50].iter().all(|verdict| *verdict == EchoVerdict::Certain));
    assert!(
        found[50..].iter().all(|verdict| *verdict == EchoVerdict::Likely),
        "{:?}",
        &found[50..]
    );
}

#[test]
fn a_canceller_that_lost_the_echo_does_not_make_it_a_user() {
    let mut gate = EchoGate::default();
    let echo = evidence(0.95, Canceller::Converged);
    let found = verdicts(&mut gate, &[(50, echo, -62.0), (5, echo, -31.0)]);
    assert!(found.iter().all(|verdict| *verdict == EchoVerdict::Certain), "{found:?}");
}

#[test]
fn the_end_of_an_echo_stays_one() {
    let mut gate = EchoGate::default();
    let found = verdicts(
        &mut gate,
        &[
            (5, evidence(0.9, Canceller::Searching), -30.0),
            (2, evidence(0.4, Canceller::Searching), -61.0),
            (1, evidence(0.4, Canceller::Searching), -40.0),
        ],
    );
    assert_eq!(
        found[4..],
        [EchoVerdict::Certain, EchoVerdict::Certain, EchoVerdict::Certain, EchoVerdict::Likely]
    );
}
