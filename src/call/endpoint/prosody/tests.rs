use super::*;
use crate::call::event::EchoEvidence;

/// Frames of 20 ms with these pitches (0: none) and levels.
fn heard(frames: &[(f32, f32)]) -> Ending {
    let mut prosody = Prosody::new();
    prosody.begin_turn();
    speak(&mut prosody, 0, frames)
}

fn speak(prosody: &mut Prosody, from_ms: u64, frames: &[(f32, f32)]) -> Ending {
    let mut at = SessionTime::from_millis(from_ms);
    for &(pitch_hz, level_dbfs) in frames {
        at += Duration::from_millis(20);
        let pitch_hz = (pitch_hz > 0.0).then_some(pitch_hz);
        let echo = EchoEvidence::NONE;
        prosody.handle_voiced(&FrameFeatures {
            at,
            voice: 0.9,
            level_dbfs,
            pitch_hz,
            echo,
            concealed: false,
        });
    }
    prosody.ending(at)
}

/// A second at 120 Hz and -20 dBFS, then `frames` of an ending.
fn after_a_second(ending: impl Fn(usize) -> (f32, f32), frames: usize) -> Ending {
    let wobble = |index: usize| 120.0 * [1.0, 1.06, 0.95][index % 3];
    let body = (0..50).map(|index| (wobble(index), -20.0));
    heard(&body.chain((0..frames).map(ending)).collect::<Vec<_>>())
}

#[test]
fn a_fall_to_the_bottom_of_the_voice_sounds_finished() {
    // Twelve semitones a second over half a second: 120 to 85 Hz.
    let fall = |index: usize| 120.0 * (-(index as f32) * 0.24 / 12.0).exp2();
    let ending = after_a_second(|index| (fall(index), -20.0 - index as f32 * 0.4), 26);
    let slope = ending.slope_st_per_s.expect("there is pitch");
    assert!((slope + 12.0).abs() < 1.0, "{slope}");
    assert!(ending.rank.expect("the voice is known").below < 0.1);
    assert!(ending.fade_db.expect("there is sound") < -4.0);
    assert!(ending.log_odds() > 2.0, "{}", ending.log_odds());
}

#[test]
fn a_level_end_does_not_and_a_held_one_even_less() {
    let level = after_a_second(|index| (120.0 * [1.0, 1.06][index % 2], -20.0), 26);
    let held = after_a_second(|_| (120.0, -20.0), 26);
    assert!(level.held <= Duration::from_millis(40), "{:?}", level.held);
    assert!(held.held >= Duration::from_millis(480), "{:?}", held.held);
    assert!(level.log_odds() < -1.0 && held.log_odds() < level.log_odds() - 1.0);
}

#[test]
fn a_steep_rise_may_be_a_question_and_a_slight_one_is_not() {
    let rising = |st_per_s: f32| {
        let pitch = move |index: usize| 120.0 * (index as f32 * 0.02 * st_per_s / 12.0).exp2();
        after_a_second(move |index| (pitch(index), -20.0), 26)
    };
    let slope = |st_per_s| rising(st_per_s).slope_st_per_s.expect("there is pitch");
    assert!((slope(6.0) - 6.0).abs() < 1.0, "{}", slope(6.0));
    assert!(interpolate(&SLOPE, slope(6.0)) < interpolate(&SLOPE, 28.0) - 0.8);
}

#[test]
fn what_cannot_be_measured_changes_nothing() {
    let whisper = heard(&[(0.0, -40.0); 40]);
    assert_eq!((whisper.slope_st_per_s, whisper.rank), (None, None));
    // That it does not fade is a little, and heard.
    assert!(whisper.log_odds().abs() < 0.5, "{}", whisper.log_odds());
    let nothing = heard(&[]);
    assert_eq!(nothing, Ending::default());
    assert_eq!(nothing.log_odds(), 0.0);
}

#[test]
fn octave_errors_do_not_make_a_melody() {
    let doubled = |index: usize| if index % 5 == 2 { 240.0 } else { 120.0 };
    let ending = after_a_second(|index| (doubled(index), -20.0), 26);
    let slope = ending.slope_st_per_s.expect("there is pitch");
    assert!(slope.abs() < 2.0, "{slope}");
}

#[test]
fn a_word_after_a_pause_is_a_new_start() {
    let mut prosody = Prosody::new();
    prosody.begin_turn();
    let whole = speak(&mut prosody, 0, &[(0.0, -30.0); 12]);
    assert!(!whole.is_continuation);
    prosody.begin_phrase();
    let fragment = speak(&mut prosody, 1_000, &[(0.0, -30.0); 12]);
    assert!(fragment.is_continuation && fragment.log_odds() < whole.log_odds());
    prosody.begin_turn();
    assert!(!speak(&mut prosody, 3_000, &[(0.0, -30.0); 12]).is_continuation);
}

#[test]
fn numbers_that_are_none_do_no_harm() {
    let ending = heard(&[(f32::NAN, f32::NAN), (f32::INFINITY, f32::INFINITY), (1e9, -1e9)]);
    assert!(!ending.log_odds().is_nan(), "{ending:?}");
}

#[test]
fn a_pitch_has_its_place_in_the_voice_of_the_last_minute() {
    let mut register = Register::default();
    (0..REGISTER_MIN - 1).for_each(|_| register.learn(14.0));
    assert_eq!(register.rank(14.0), None, "too little was heard");
    (0..10_000).for_each(|_| register.learn(14.0));
    assert_eq!(
        [13.0, 14.0, 15.0].map(|it| register.rank(it).expect("enough was heard").below),
        [0.0, 0.5, 1.0]
    );
    assert!(register.total < REGISTER_MAX);
    (0..REGISTER_MAX).for_each(|_| register.learn(20.0));
    assert!(register.rank(17.0).is_some_and(|rank| rank.below < 0.5), "it follows a new speaker");
}

#[test]
fn a_fall_that_ends_in_mid_voice_is_an_accents() {
    // From well above the voice back into its middle.
    let fall = |index: usize| 165.0 * (-(index as f32) * 0.2 / 12.0).exp2();
    let body = (0..250).map(|index| (120.0 * [1.0, 1.06, 0.95][index % 3], -20.0));
    let accent = heard(&body.chain((0..26).map(|index| (fall(index), -20.0))).collect::<Vec<_>>());
    assert!(accent.slope_st_per_s.is_some_and(|slope| slope < -8.0), "{accent:?}");
    assert!(accent.rank.is_some_and(|rank| rank.below > 0.3), "{accent:?}");
    assert!(accent.log_odds() < 0.0, "{}", accent.log_odds());
}
