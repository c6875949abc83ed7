//! What is done only after a yes.

use super::*;

const TO_BOB: &str = r#"{"amount":12.5,"to":"Bob"}"#;
const TO_ROB: &str = r#"{"amount":12.5,"to":"Rob"}"#;
const ASKED: &str = r#"{"say":"Send 12.5 euro to Bob?","status":"confirmation_required","then":"call the tool again with the same arguments once the user has said yes"}"#;

impl Scene {
    fn hears(&mut self, text: &str) {
        self.desk.user_said(self.now, text);
        assert_eq!(self.acts(), [""; 0], "words alone do nothing");
    }

    /// Asks for `send` and says what became of it in a word.
    fn send(&mut self, use_id: &str, arguments: &str) -> &'static str {
        match &self.request(use_id, "send", arguments)[..] {
            [act] if act.starts_with("run") => "runs",
            [act] if act.contains("confirmation_required") => "asks",
            [act] if act.contains("the user has not confirmed") => "waits",
            [act] if act.contains("has not answered the question about") => "queues",
            acts => panic!("{acts:?}"),
        }
    }
}

#[test]
fn the_user_is_asked_and_the_second_use_is_the_one_that_runs() {
    let mut scene = Scene::new();
    assert_eq!(scene.request("a", "send", TO_BOB), [format!("answer a {ASKED}")]);
    assert_eq!(scene.desk.pending(), 0);
    scene.hears("Yes, please.");
    scene.desk.request(scene.now, "b", "send", r#"{"to": "Bob", "amount": 12.5}"#);
    let Some(DeskAct::Run(run)) = scene.desk.poll_act(scene.now) else { panic!("it runs") };
    assert_eq!(run.idempotency_key, "call-1/b");
    assert_eq!(scene.result(1, json!({ "sent": true })), [r#"answer b {"sent":true}"#]);
    let stats =
        DeskStats { requests: 2, questions: 1, executed: 1, results: 1, ..DeskStats::default() };
    assert_eq!(*scene.desk.stats(), stats);
}

#[test]
fn a_question_without_a_text_of_its_own_names_the_tool() {
    let mut scene = Scene::new();
    let asked = scene.request("a", "close_account", "{}");
    assert!(asked[0].contains(r#""say":"Shall I do this: close account?""#), "{asked:?}");
}

/// What happens between two requests of the same use, and what then becomes of the second.
#[test]
fn nothing_runs_without_a_yes_after_the_question() {
    enum Between {
        Says(&'static str),
        Waits(u64),
    }
    use Between::{Says, Waits};
    let rows: [(&[Between], &str); 16] = [
        (&[], "waits"),
        (&[Says("")], "waits"),
        (&[Says("...")], "waits"),
        (&[Waits(59_999)], "waits"),
        (&[Waits(60_000)], "asks"),
        (&[Says("yes")], "runs"),
        (&[Says("no")], "asks"),
        (&[Says("what was that")], "asks"),
        // The question was closed by what came first.
        (&[Says("hm, how much"), Says("yes")], "asks"),
        (&[Says("yes"), Says("no, wait")], "asks"),
        (&[Says("yes"), Says("thank you")], "runs"),
        (&[Says("no"), Says("yes")], "asks"),
        (&[Says("yes, but to Rob")], "asks"),
        (&[Waits(59_000), Says("yes"), Waits(59_000)], "runs"),
        (&[Says("yes"), Waits(60_000)], "asks"),
        (&[Waits(60_000), Says("yes")], "asks"),
    ];
    for (number, (between, expected)) in rows.into_iter().enumerate() {
        let mut scene = Scene::new();
        // A yes to something else is none.
        scene.hears("yes");
        assert_eq!(scene.send("a", TO_BOB), "asks");
        for step in between {
            match step {
                Says(text) => scene.hears(text),
                Waits(ms) => assert_eq!(scene.wait(*ms), [""; 0]),
            }
        }
        assert_eq!(scene.send("b", TO_BOB), expected, "row {number}");
    }
}

#[test]
fn a_yes_is_for_these_arguments_and_for_once() {
    let mut scene = Scene::new();
    scene.send("a", TO_BOB);
    scene.hears("yes");
    assert_eq!(scene.send("b", TO_ROB), "asks", "other arguments");
    assert_eq!(scene.send("c", TO_BOB), "queues", "the yes was given up");
    scene.hears("yes");
    assert_eq!(scene.send("d", TO_ROB), "runs");
    assert_eq!(scene.send("e", TO_ROB), "asks", "it is used up");
    scene.hears("yes");
    assert_eq!(scene.request("f", "close_account", "{}").len(), 1);
    assert_eq!(scene.send("g", TO_ROB), "queues", "another tool was asked for");
    assert_eq!(scene.desk.stats().executed, 1);
}

#[test]
fn one_question_is_open_at_a_time() {
    let mut scene = Scene::new();
    assert_eq!(scene.send("a", TO_BOB), "asks");
    let second = scene.request("b", "close_account", "{}");
    assert!(second[0].contains("the question about send"), "{second:?}");
    assert_eq!(scene.send("c", TO_ROB), "queues");
    assert_eq!(scene.request("d", "where", "{}"), ["ask d where {}"], "others are free");
    scene.hears("yes");
    assert_eq!(scene.send("e", TO_BOB), "runs", "the yes was to the first");
}

#[test]
fn wrong_arguments_are_told_before_anybody_is_asked() {
    let mut scene = Scene::new();
    let wrong = scene.request("a", "send", r#"{"amount":"12"}"#);
    assert!(wrong[0].contains("invalid arguments: amount"), "{wrong:?}");
    assert_eq!(scene.desk.stats().questions, 0);
}

#[test]
fn cancelling_withdraws_the_question() {
    let mut scene = Scene::new();
    scene.send("a", TO_BOB);
    scene.desk.cancel_all(scene.now, "lost");
    scene.hears("yes");
    assert_eq!(scene.send("b", TO_BOB), "asks");
}
