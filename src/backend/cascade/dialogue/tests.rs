use super::*;
use crate::call::event::{Generation, TurnId};

const MONDAY: DateTime = jiff::civil::date(2026, 3, 2).at(9, 5, 0, 0);

fn at(seconds: u64) -> SessionTime {
    SessionTime::from_millis(seconds * 1_000)
}

fn ask(dialogue: &mut Dialogue, text: &str) -> String {
    dialogue.answer(SessionTime::ZERO, MONDAY, text).text
}

#[test]
fn each_thing_is_answered_however_it_was_heard() {
    let rows = [
        ("hello there", "Hello."),
        ("Hi!", "Hello."),
        ("what time is it", "It is 9 oh 5 in the morning."),
        ("tell me the time", "It is 9 oh 5"),
        ("what is the date today", "Today is Monday, March 2, 2026."),
        ("what day is it", "Today is Monday"),
        ("what is twelve plus thirty", "12 plus 30 is 42."),
        ("one is seven times eight", "7 times 8 is 56."),
        ("What is 10 / 4?", "10 divided by 4 is 2.5."),
        ("one divided by zero", "That has no answer."),
        ("repeat after me the quick brown fox", "the quick brown fox."),
        ("Say: Good morning, everyone!", "Good morning, everyone."),
        ("say what time is it", "what time is it."),
        ("say", "What shall I say?"),
        ("shay good morning", "good morning."),
        ("give me a tour", "Welcome to the tour."),
        ("give me a tutor", "Welcome to the tour."),
        ("what can i try", "I can tell the time"),
        ("yelp", "I can tell the time"),
        ("tell me a long story", "Once upon a time"),
        ("interrupt me", "Once upon a time"),
        ("who are you", "I am Antiphon"),
        ("thank you", "You are welcome."),
        ("stop", "All right."),
        ("how are you", "I am fine"),
        ("set a timer", "For how long?"),
        ("cancel the timer", "There is no timer"),
        ("how long is left on the timer", "There is no timer"),
        ("set a timer for nine hundred hours", "I can set a timer for"),
        ("speaks louder please", "I speak slower now."),
        ("talk more quickly", "I speak faster now."),
        ("speak at normal speed", "I speak at my normal pace"),
        ("how fast was that", "I have not measured"),
        ("", "I did not catch that."),
        ("my brother lives in another country", "I did not understand."),
        ("next", "Say: give me a tour"),
        ("say it again", "I have not said anything yet."),
        ("what did i say", "I have not understood anything yet."),
        ("what did i hear", "I do not know"),
    ];
    for (text, expected) in rows {
        let seen = ask(&mut Dialogue::new(None), text);
        assert!(seen.starts_with(expected), "{text:?} is answered {seen:?}, not {expected:?}");
    }
}

#[test]
fn hours_are_told_as_people_tell_them() {
    let rows = [
        (0, 0, "12 o'clock in the morning"),
        (11, 59, "11 59 in the morning"),
        (12, 10, "12 10 in the afternoon"),
        (18, 1, "6 oh 1 in the evening"),
        (23, 30, "11 30 in the evening"),
    ];
    for (hour, minute, expected) in rows {
        let wall = jiff::civil::date(2026, 3, 2).at(hour, minute, 0, 0);
        let answer = Dialogue::new(None).answer(SessionTime::ZERO, wall, "what time is it");
        assert_eq!(answer.text, format!("It is {expected}."));
    }
}

#[test]
fn a_timer_rings_once_when_it_is_due() {
    let mut dialogue = Dialogue::new(None);
    let seen = dialogue.answer(at(100), MONDAY, "set a timer for ninety seconds").text;
    assert_eq!(seen, "Your timer for 1 minute and 30 seconds is running.");
    let seen = dialogue.answer(at(130), MONDAY, "how long is left on the timer").text;
    assert_eq!(seen, "1 minute left.");
    assert_eq!(dialogue.poll_timeout(), Some(at(190)));
    assert!(!dialogue.handle_timeout(at(189)));
    assert_eq!(dialogue.speak(), Answer::default());
    assert!(dialogue.handle_timeout(at(190)));
    assert_eq!(dialogue.poll_timeout(), None);
    assert!(dialogue.speak().text.contains("1 minute and 30 seconds is done."));
    assert_eq!(dialogue.speak(), Answer::default());
}

#[test]
fn timers_are_understood_cancelled_and_bounded() {
    let lengths = [
        ("set a timer for ten seconds", 10),
        ("shitty timer for ten seconds", 10),
        ("set the timer for a minute", 60),
        ("wake me in twenty five minutes", 1_500),
        ("Set a timer for 2 hours.", 7_200),
    ];
    for (text, seconds) in lengths {
        let mut dialogue = Dialogue::new(None);
        ask(&mut dialogue, text);
        assert_eq!(dialogue.poll_timeout(), Some(at(seconds)), "{text}");
        assert_eq!(ask(&mut dialogue, "cancel the timer"), "The timer is cancelled.");
        assert_eq!(dialogue.poll_timeout(), None);
    }
    let mut dialogue = Dialogue::new(None);
    for _ in 0..=USER_TIMERS_MAX {
        ask(&mut dialogue, "set a timer for one second");
    }
    assert_eq!(dialogue.timers.len(), USER_TIMERS_MAX);
    assert!(dialogue.last_said.contains("already"));
}

#[test]
fn the_tour_goes_from_stop_to_stop_and_ends() {
    let mut dialogue = Dialogue::new(None);
    assert_eq!(ask(&mut dialogue, "give me a tour"), TOUR[0]);
    assert_eq!(ask(&mut dialogue, "say good morning"), "good morning.");
    for stop in &TOUR[1..] {
        assert_eq!(ask(&mut dialogue, "next"), *stop);
    }
    assert_eq!(ask(&mut dialogue, "next"), HINTS[3]);
}

#[test]
fn the_pace_has_limits() {
    let mut dialogue = Dialogue::new(None);
    for _ in 0..10 {
        ask(&mut dialogue, "faster");
        assert!(PACE_RANGE.contains(&dialogue.pace()));
    }
    assert_eq!(dialogue.last_said, "I cannot speak any faster.");
    ask(&mut dialogue, "normally");
    assert_eq!(dialogue.pace(), 1.0);
}

#[test]
fn it_talks_about_what_was_said_heard_and_measured() {
    let mut dialogue = Dialogue::new(Some("Good day.".to_owned()));
    assert_eq!(dialogue.greet().text, "Good day.");
    assert_eq!(ask(&mut dialogue, "say it again"), "Good day.");
    assert_eq!(ask(&mut dialogue, "what did i say"), "I understood: say it again.");
    let heard = Heard {
        duration: Duration::from_secs(1),
        text: "I understood".to_owned(),
        ..Heard::default()
    };
    dialogue.handle_heard(heard);
    let seen = ask(&mut dialogue, "what did i hear");
    assert_eq!(seen, "Of my last answer you heard: I understood");
    dialogue.handle_measured(TurnMetrics {
        turn: TurnId(1),
        generation: Generation(1),
        endpoint: Some(Duration::from_millis(200)),
        first_packet: Some(Duration::from_millis(290)),
        ..TurnMetrics::default()
    });
    let seen = ask(&mut dialogue, "what was the latency of the last turn");
    assert!(seen.contains("290 milliseconds") && seen.contains("and 90 were my own"), "{seen}");
}

#[test]
fn only_goodbye_hangs_up() {
    for (text, expected) in [("goodbye", true), ("bye", true), ("thank you", false), ("no", false)]
    {
        let answer = Dialogue::new(None).answer(SessionTime::ZERO, MONDAY, text);
        assert_eq!(answer.hang_up, expected, "{text}");
    }
}

#[test]
fn what_is_still_to_come_can_be_guessed_from_the_last_words() {
    let dialogue = Dialogue::new(None);
    let rows = [
        ("what is twelve plus", 0.1),
        ("set a timer for", 0.1),
        ("i wanted to ask you um", 0.1),
        ("what time is it", 0.9),
        ("what is twelve plus thirty", 0.9),
        ("set a timer for ten seconds", 0.9),
        ("goodbye", 0.9),
        ("set a timer", 0.5),
        ("say good morning", 0.5),
        ("my brother lives in another country", 0.5),
        ("", 0.5),
    ];
    for (text, expected) in rows {
        assert_eq!(dialogue.completeness(text), expected, "{text}");
    }
}
