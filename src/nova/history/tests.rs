use proptest::prelude::*;

use super::*;
use crate::limits::{NOVA_HISTORY_BYTES_MAX, NOVA_HISTORY_MESSAGES_MAX};

fn shown<'a>(messages: impl IntoIterator<Item = &'a Message>) -> String {
    let line = |message: &Message| match message.speaker {
        Speaker::User => format!("user: {}", message.text),
        Speaker::Agent => format!("agent: {}", message.text),
    };
    messages.into_iter().map(line).collect::<Vec<_>>().join(" | ")
}

fn settings(message_bytes_max: usize, bytes_max: usize, messages_max: usize) -> HistorySettings {
    HistorySettings { message_bytes_max, bytes_max, messages_max }
}

/// A conversation of four turns of ten bytes, the user's first.
fn four_turns() -> History {
    let mut history = History::new();
    history.user_said("one 456789");
    history.agent_says(1, "two 456789");
    history.user_said("three 6789");
    history.agent_says(2, "four 56789");
    history
}

#[test]
fn a_reply_is_what_was_heard_of_it() {
    type Step = fn(&mut History);
    let says: Step = |it| it.agent_says(1, "We open at nine.");
    let says_more: Step = |it| it.agent_says(1, " Anything else?");
    let heard_part: Step = |it| it.agent_heard(1, " We open ");
    let heard_all: Step = |it| it.agent_heard(1, "We open at nine. Anything else?");
    let heard_nothing: Step = |it| it.agent_heard(1, " ");
    let next: Step = |it| {
        it.user_said("and on Sunday");
        it.agent_says(2, "We are closed.");
    };
    let rows: [(&str, &[Step], &str); 9] = [
        ("sentences follow each other", &[says, says_more], "We open at nine. Anything else?"),
        ("blanks are no sentences", &[says, |it| it.agent_says(1, " \n")], "We open at nine."),
        ("a part was heard", &[says, says_more, heard_part], "We open"),
        ("late text of it is not taken", &[says, heard_part, says_more], "We open"),
        ("it may be told again", &[says, heard_part, heard_all], "We open at nine. Anything else?"),
        ("nothing was heard", &[says, heard_nothing], ""),
        ("nothing, and then something", &[says, heard_nothing, heard_part], "We open"),
        ("it is not known", &[heard_part], ""),
        ("it is not the last", &[says, next, heard_part], "We open"),
    ];
    for (what, steps, expected) in rows {
        let mut history = History::new();
        history.user_said("when do you open");
        for step in steps {
            step(&mut history);
        }
        let all = shown(history.messages());
        let reply = all.split(" | ").nth(1).unwrap_or_default();
        assert_eq!(reply.strip_prefix("agent: ").unwrap_or_default(), expected, "{what}: {all}");
    }
}

#[test]
fn notes_are_told_as_the_users_and_are_not_what_the_user_said() {
    let mut history = History::new();
    assert_eq!(history.last_user(), None);
    history.note("Greet the user.");
    assert_eq!(history.last_user(), None);
    history.user_said(" hello ");
    history.user_said(" ");
    history.note("Order 17 was shipped.");
    assert_eq!(history.last_user(), Some("hello"));
    let expected = "user: Greet the user. | user: hello | user: Order 17 was shipped.";
    assert_eq!(shown(history.messages()), expected);
}

#[test]
fn a_connection_is_told_turns_the_users_first() {
    type Step = fn(&mut History);
    let greets: Step = |it| it.agent_says(1, "Good day.");
    let user: Step = |it| it.user_said("hello");
    let answers: Step = |it| it.agent_says(2, "How are you?");
    let unheard: Step = |it| it.agent_heard(2, "");
    let asks: Step = |it| it.user_said("are you there");
    let note: Step = |it| it.note("Greet the user.");
    let rows: [(&[Step], &str); 8] = [
        (&[], ""),
        (&[greets], ""),
        (&[user], "user: hello"),
        (&[greets, user, answers], "user: hello | agent: How are you?"),
        (&[note, greets, user], "user: Greet the user. | agent: Good day. | user: hello"),
        (&[user, asks, answers], "user: hello are you there | agent: How are you?"),
        // What nobody heard does not keep the user's words apart.
        (&[user, answers, asks, unheard], "user: hello are you there"),
        (&[user, greets, answers], "user: hello | agent: Good day. How are you?"),
    ];
    for (row, (steps, expected)) in rows.into_iter().enumerate() {
        let mut history = History::new();
        for step in steps {
            step(&mut history);
        }
        let told = history.for_connection(&HistorySettings::default());
        assert_eq!(shown(&told), expected, "row {row}");
    }
}

#[test]
fn what_is_too_much_is_left_out_from_the_oldest() {
    let all = "user: one 456789 | agent: two 456789 | user: three 6789 | agent: four 56789";
    let second_half = "user: three 6789 | agent: four 56789";
    let rows = [
        ("everything fits exactly", settings(10, 40, 4), all),
        ("a byte less, and the agent's would be first", settings(10, 39, 4), second_half),
        ("messages", settings(10, 40, 2), second_half),
        ("three messages would begin with the agent's", settings(10, 40, 3), second_half),
        ("only the agent's fits", settings(10, 19, 4), ""),
        (
            "each is cut at a word, its end kept",
            settings(9, 40, 4),
            "user: 456789 | agent: 456789 | user: 6789 | agent: 56789",
        ),
        ("no message is longer than all may be", settings(40_000, 8, 4), ""),
    ];
    for (what, settings, expected) in rows {
        assert_eq!(shown(&four_turns().for_connection(&settings)), expected, "{what}");
    }
}

#[test]
fn a_text_is_cut_before_a_word_and_within_one_only_if_it_is_one() {
    let rows = [
        ("one two", 7, "one two"),
        ("one two", 6, "two"),
        ("one two", 3, "two"),
        ("one  two", 4, "two"),
        ("one two", 2, "wo"),
        ("onetwo", 4, "etwo"),
        ("日本語", 8, "本語"),
        ("日本 語", 4, "語"),
        ("one ", 2, "e "),
        ("one", 0, ""),
    ];
    for (text, bytes_max, expected) in rows {
        assert_eq!(ending(text, bytes_max), expected, "{text:?} in {bytes_max}");
    }
}

#[test]
fn a_call_of_hours_stays_within_its_bounds() {
    let mut history = History::new();
    for id in 0..3 * NOVA_HISTORY_MESSAGES_MAX as u32 {
        history.user_said("a question");
        history.agent_says(id, "An answer that is going to be a little longer.");
        history.agent_heard(id, "An answer that is going");
        assert!(history.entries.len() <= NOVA_HISTORY_MESSAGES_MAX);
    }
    let sentence = "a sentence of the agent ".repeat(100);
    for _ in 0..2 * NOVA_HISTORY_BYTES_MAX / sentence.len() {
        history.agent_says(u32::MAX, &sentence);
        assert!(history.bytes <= NOVA_HISTORY_BYTES_MAX);
    }
    history.user_said(&"word ".repeat(NOVA_HISTORY_BYTES_MAX));
    assert!(history.bytes <= NOVA_HISTORY_BYTES_MAX);
    let told = history.for_connection(&HistorySettings::default());
    assert_eq!(told.len(), 1, "the newest is told, however long it was");
}

#[derive(Clone, Debug)]
enum Step {
    User(String),
    Note(String),
    Says(u32, String),
    Heard(u32, String),
}

fn step() -> impl Strategy<Value = Step> {
    let words = "[ab é]{0,40}";
    prop_oneof![
        words.prop_map(Step::User),
        words.prop_map(Step::Note),
        (0_u32..5, words).prop_map(|(id, text)| Step::Says(id, text)),
        (0_u32..5, words).prop_map(|(id, text)| Step::Heard(id, text)),
    ]
}

proptest! {
    #[test]
    fn whatever_was_said_a_connection_can_be_told(
        steps in prop::collection::vec(step(), 0..30),
        message_bytes_max in 0_usize..60,
        bytes_max in 0_usize..200,
        messages_max in 0_usize..10,
    ) {
        let mut history = History::new();
        for step in steps {
            match step {
                Step::User(text) => history.user_said(&text),
                Step::Note(text) => history.note(&text),
                Step::Says(id, text) => history.agent_says(id, &text),
                Step::Heard(id, text) => history.agent_heard(id, &text),
            }
        }
        let bytes: usize = history.messages().map(|message| message.text.len()).sum();
        prop_assert_eq!(history.bytes, bytes);
        let told = history.for_connection(&settings(message_bytes_max, bytes_max, messages_max));
        prop_assert!(told.len() <= messages_max);
        prop_assert!(told.iter().map(|message| message.text.len()).sum::<usize>() <= bytes_max);
        let speakers = [Speaker::User, Speaker::Agent].into_iter().cycle();
        for (message, speaker) in told.iter().zip(speakers) {
            prop_assert_eq!(message.speaker, speaker);
            prop_assert!(!message.text.trim().is_empty());
            prop_assert!(message.text.len() <= message_bytes_max);
        }
    }
}
