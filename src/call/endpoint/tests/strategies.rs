//! The strategies, pause by pause.

use std::time::Duration;

use super::speaker::{Melody, say};
use crate::call::endpoint::{Endpoint, TurnHint, Verdict};
use crate::call::event::TurnId;
use crate::call::settings::{EndpointSettings, EndpointStrategy};
use crate::limits::FRAME;
use crate::time::SessionTime;

const TURN: TurnId = TurnId(1);

fn at(millis: u64) -> SessionTime {
    SessionTime::from_millis(millis)
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn of(strategy: EndpointStrategy) -> EndpointSettings {
    EndpointSettings { strategy, ..EndpointSettings::default() }
}

/// The silence after which a turn of 1.4 s is over.
fn wait_after(endpoint: &mut Endpoint, melody: Melody) -> Duration {
    wait_of_turn(endpoint, 0, melody)
}

/// The same for the turn that begins so many seconds into the call.
fn wait_of_turn(endpoint: &mut Endpoint, second: u64, melody: Melody) -> Duration {
    let from = at(1_000 * second);
    endpoint.turn_opened(TURN, from);
    let last = say(endpoint, from, ms(1_400), melody);
    let look = endpoint.speech_stopped(last + ms(100), last);
    over(endpoint, look).since(last)
}

/// Judges whenever it is asked for, until the turn is over.
fn over(endpoint: &mut Endpoint, mut look: SessionTime) -> SessionTime {
    for _ in 0..100 {
        match endpoint.judge(look, false) {
            Verdict::Over => return look,
            Verdict::Speculate(next) | Verdict::AskAgain(next) => {
                assert!(next > look, "it asks again later, not at once");
                look = next;
            }
        }
    }
    panic!("it asks again for ever");
}

#[test]
fn a_fixed_silence_counts_from_the_last_voiced_frame_whatever_was_said() {
    for melody in [Melody::Falling, Melody::Level, Melody::Held, Melody::Unknown] {
        let mut endpoint = Endpoint::new(&EndpointSettings::silence(ms(200)));
        assert_eq!(wait_after(&mut endpoint, melody), ms(200), "{melody:?}");
        assert_eq!(endpoint.judge(at(1), false), Verdict::AskAgain(at(1_600)));
    }
}

#[test]
fn voice_being_confirmed_is_waited_for() {
    let strategies = [
        EndpointStrategy::Silence(ms(600)),
        EndpointStrategy::Adaptive,
        EndpointStrategy::Semantic { threshold: 0.5 },
        EndpointStrategy::Backend,
    ];
    for strategy in strategies {
        let mut endpoint = Endpoint::new(&of(strategy));
        endpoint.turn_opened(TURN, at(0));
        endpoint.speech_stopped(at(1_100), at(1_000));
        assert_eq!(endpoint.judge(at(9_000), true), Verdict::AskAgain(at(9_000) + FRAME));
        assert_eq!(endpoint.judge(at(9_000), false), Verdict::Over);
    }
}

#[test]
fn what_sounds_finished_is_answered_soon_and_what_does_not_is_waited_for() {
    let wait = |melody| wait_after(&mut Endpoint::new(&of(EndpointStrategy::Adaptive)), melody);
    let (finished, unknown) = (wait(Melody::Falling), wait(Melody::Unknown));
    let (level, held) = (wait(Melody::Level), wait(Melody::Held));
    assert!((ms(200)..=ms(350)).contains(&finished), "{finished:?}");
    assert!((ms(500)..=ms(1_100)).contains(&unknown), "{unknown:?}");
    assert!((ms(1_100)..=ms(2_200)).contains(&level), "{level:?}");
    assert!((ms(1_400)..=ms(3_000)).contains(&held), "{held:?}");
}

#[test]
fn who_pauses_long_is_given_longer_and_who_never_pauses_is_answered_sooner() {
    let start = || Endpoint::new(&of(EndpointStrategy::Adaptive));
    let before = wait_after(&mut start(), Melody::Unknown);
    let mut slow = start();
    for turn in 0..4 {
        wait_of_turn(&mut slow, 10 * turn, Melody::Unknown);
        slow.speech_started(at(10_000 * turn + 1_400 + 1_200));
    }
    let slow = wait_of_turn(&mut slow, 40, Melody::Unknown);
    let mut quick = start();
    for turn in 0..6 {
        wait_of_turn(&mut quick, 10 * turn, Melody::Unknown);
        quick.turn_ended();
    }
    let quick = wait_of_turn(&mut quick, 60, Melody::Unknown);
    assert!(slow > before + ms(300) && quick < before, "{quick:?} {before:?} {slow:?}");
}

#[test]
fn who_was_cut_off_is_given_longer_though_the_pause_was_never_waited_for() {
    let mut endpoint = Endpoint::new(&of(EndpointStrategy::Adaptive));
    let before = wait_after(&mut endpoint, Melody::Unknown);
    for turn in 1..=4 {
        endpoint.turn_ended();
        endpoint.turn_opened(TURN, at(10_000 * (turn - 1) + 1_400 + 1_200));
        wait_of_turn(&mut endpoint, 10 * turn, Melody::Unknown);
    }
    let after = wait_of_turn(&mut endpoint, 50, Melody::Unknown);
    assert!(after > before + ms(200), "{before:?} {after:?}");
}

#[test]
fn the_wait_stays_between_its_bounds() {
    let settings =
        EndpointSettings { min: ms(400), max: ms(900), ..of(EndpointStrategy::Adaptive) };
    assert_eq!(wait_after(&mut Endpoint::new(&settings), Melody::Falling), ms(400));
    assert_eq!(wait_after(&mut Endpoint::new(&settings), Melody::Held), ms(900));
}

#[test]
fn a_likely_end_is_speculated_on_once_and_only_where_that_is_wanted() {
    for speculate in [false, true] {
        let settings = EndpointSettings { speculate, ..of(EndpointStrategy::Adaptive) };
        let mut endpoint = Endpoint::new(&settings);
        endpoint.turn_opened(TURN, at(0));
        let last = say(&mut endpoint, at(0), ms(1_400), Melody::Unknown);
        let (mut look, mut speculated) = (endpoint.speech_stopped(last + ms(100), last), 0);
        while let Verdict::Speculate(next) | Verdict::AskAgain(next) = endpoint.judge(look, false) {
            speculated += 1;
            look = next;
        }
        assert_eq!(speculated, usize::from(speculate));
    }
}

#[test]
fn a_text_that_reads_finished_shortens_the_wait_and_one_that_does_not_lengthens_it() {
    let wait = |text: Option<f32>| {
        let mut endpoint = Endpoint::new(&of(EndpointStrategy::Adaptive));
        endpoint.turn_opened(TURN, at(0));
        let last = say(&mut endpoint, at(0), ms(1_400), Melody::Unknown);
        let mut look = endpoint.speech_stopped(last + ms(100), last);
        if let Some(probability) = text {
            let other = TurnHint::Text { turn: TurnId(7), probability };
            assert_eq!(endpoint.hint(look, other), None, "another turn's");
            let hint = TurnHint::Text { turn: TURN, probability };
            look = endpoint.hint(last + ms(120), hint).expect("it changes the wait");
        }
        over(&mut endpoint, look).since(last)
    };
    assert!(wait(Some(0.95)) < wait(None) && wait(None) < wait(Some(0.05)));
}

#[test]
fn the_models_answer_takes_the_place_of_the_sound() {
    let rows = [
        // (the ending, what the model says and when, the silence after which it is over)
        (Melody::Level, Some((150, Some(0.98))), 200..=300),
        (Melody::Falling, Some((150, Some(0.02))), 1_500..=3_000),
        (Melody::Falling, Some((150, None)), 200..=350),
        (Melody::Falling, None, 500..=500),
        (Melody::Level, None, 1_100..=2_200),
    ];
    for (melody, answer, expected) in rows {
        let mut endpoint = Endpoint::new(&of(EndpointStrategy::Semantic { threshold: 0.5 }));
        endpoint.turn_opened(TURN, at(0));
        let last = say(&mut endpoint, at(0), ms(1_400), melody);
        let mut look = endpoint.speech_stopped(last + ms(100), last);
        assert!(endpoint.asks_model());
        if let Some((after_ms, probability)) = answer {
            let now = last + ms(after_ms);
            let late = TurnHint::Model { turn: TurnId(0), probability };
            assert_eq!(endpoint.hint(now, late), None, "another turn's");
            let hint = TurnHint::Model { turn: TURN, probability };
            look = endpoint.hint(now, hint).expect("it changes the wait");
            assert!(!endpoint.asks_model());
            assert_eq!(endpoint.hint(now, hint), None, "nobody asked again");
        }
        let wait = over(&mut endpoint, look).since(last).as_millis();
        assert!(expected.contains(&wait), "{melody:?} {answer:?}: {wait}");
    }
}

#[test]
fn the_backend_decides_and_a_long_silence_does_if_it_never_says() {
    let mut endpoint = Endpoint::new(&of(EndpointStrategy::Backend));
    assert!(endpoint.is_backend());
    assert_eq!(wait_after(&mut endpoint, Melody::Falling), EndpointSettings::BACKSTOP);
    assert!(!Endpoint::new(&EndpointSettings::default()).is_backend());
}
