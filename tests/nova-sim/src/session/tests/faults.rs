//! Limits of time, and faults on a schedule.

use super::*;
use crate::faults::{Fault, Garbage, fault_names};

#[test]
fn the_connection_ends_at_its_limit() {
    let mut caller = Caller::live(SimSettings::tones(), ScheduledFaults::none(), json!([]));
    for _ in 0..16 {
        caller.silence(29_952);
    }
    assert_eq!(caller.last_exception(), None);
    caller.silence(2_000);
    let (at, _) = caller.heard.last().expect("an exception");
    assert_eq!(*at, Duration::from_secs(480));
    let (kind, message) = caller.last_exception().expect("an exception");
    assert_eq!(*kind, ExceptionKind::ModelTimeout);
    let text = "Model has timed out in processing the request. Try your request again.";
    assert_eq!(message, text);
    assert_eq!(caller.session.violation(), None, "the client did nothing wrong");
}

#[test]
fn silence_of_the_client_ends_the_connection_and_zeros_do_not() {
    let mut caller = Caller::live(SimSettings::tones(), ScheduledFaults::none(), json!([]));
    caller.silence(1_024);
    caller.wait(Duration::from_millis(54_900));
    assert_eq!(caller.last_exception(), None);
    caller.silence(1_024);
    caller.wait(Duration::from_secs(60));
    let (kind, message) = caller.last_exception().expect("an exception");
    assert_eq!(*kind, ExceptionKind::Validation);
    assert!(message.contains("InternalErrorCode=532::"), "{message}");
    assert!(message.contains("less than 55 seconds"), "{message}");
}

#[test]
fn every_stream_fault_comes_at_its_time() {
    let at = Duration::from_secs(3);
    for (name, fault, _) in fault_names() {
        let Fault::Stream(fault) = fault else { continue };
        let faults = ScheduledFaults::one(at, fault.clone());
        let mut caller = Caller::live(SimSettings::tones(), faults, json!([]));
        caller.silence(2_900);
        let before = caller.heard.len();
        caller.silence(1_000);
        let fresh = &caller.heard[before..];
        if fault == StreamFault::Silence {
            assert_eq!(fresh, [], "{name}");
            caller.say("5");
            caller.silence(60_000);
            assert_eq!(caller.heard.len(), before, "{name}");
            continue;
        }
        assert!(fresh.iter().all(|(time, _)| *time == at), "{name}: {fresh:?}");
        let last = &fresh.last().unwrap_or_else(|| panic!("{name}: nothing")).1;
        let matches = match &fault {
            StreamFault::Exception(kind, message) => {
                *last == Output::Exception { kind: kind.clone(), message: message.clone() }
            }
            StreamFault::ErrorFrame { .. } => matches!(last, Output::ErrorFrame { .. }),
            StreamFault::Reset(reason) => *last == Output::Reset(*reason),
            StreamFault::GoAwayGraceful => *last == Output::GoAway { is_abrupt: false },
            StreamFault::GoAwayAbrupt => *last == Output::GoAway { is_abrupt: true },
            StreamFault::Close => *last == Output::Close,
            StreamFault::End => *last == Output::End,
            StreamFault::Truncated => *last == Output::BrokenFrame { is_truncated: true },
            StreamFault::BadCrc => *last == Output::BrokenFrame { is_truncated: false },
            StreamFault::Garbage(_) => matches!(last, Output::Event(_)),
            StreamFault::Silence => false,
        };
        assert!(matches, "{name}: {last:?}");
    }
}

#[test]
fn the_conversation_goes_on_after_garbage() {
    for garbage in [Garbage::NotJson, Garbage::WrongTypes, Garbage::Huge, Garbage::Missing] {
        let faults = ScheduledFaults::one(Duration::from_secs(1), StreamFault::Garbage(garbage));
        let mut caller = Caller::live(SimSettings::tones(), faults, json!([]));
        caller.silence(2_000);
        caller.say("5");
        caller.silence(2_000);
        assert!(caller.lines().contains(&"USER 5".to_owned()), "{garbage:?}");
    }
}

#[test]
fn poison_works_only_with_history() {
    let fault = StreamFault::Reset(ResetReason::Internal);
    let within = Duration::from_secs(5);
    let faults = ScheduledFaults { after_history: Some((within, fault)), ..Default::default() };
    for has_history in [true, false] {
        let mut caller = Caller::with(SimSettings::tones(), faults.clone());
        caller.set_up(json!([]));
        if has_history {
            caller.send_all(text_block("u", "USER", false, "5"));
        }
        caller.send(audio_start());
        caller.silence(6_000);
        let last = caller.heard.last().map(|(_, output)| output);
        let is_dead = last == Some(&Output::Reset(ResetReason::Internal));
        assert_eq!(is_dead, has_history);
    }
}

#[test]
fn an_opening_that_hangs_says_nothing_ever() {
    let faults = ScheduledFaults { hangs: true, ..Default::default() };
    let mut caller = Caller::live(SimSettings::tones(), faults, json!([]));
    caller.say("5");
    caller.silence(60_000);
    assert_eq!(caller.heard, []);
    assert_eq!(caller.session.poll_timeout(), None);
}

#[test]
fn headers_are_withheld_until_the_session_starts() {
    let mut caller = Caller::new();
    caller.wait(Duration::from_secs(20));
    assert_eq!(caller.heard, []);
    caller.send(session_start());
    assert_eq!(caller.heard.len(), 1);
    assert_eq!(caller.heard[0].1, Output::Headers);
}
