//! Every event in every state.

use std::fmt::Write;

use expect_test::expect;

use super::*;

/// Each state by its name, and how a call gets there. Replies are of generation 1 throughout.
fn states() -> Vec<(&'static str, Rig)> {
    let connecting = Rig::new(fixed_silence());
    let idle = Rig::silent;
    let user = || {
        let mut rig = idle();
        rig.say(200);
        rig
    };
    let settling = || {
        let mut rig = user();
        rig.quiet(200);
        rig
    };
    let thinking = || {
        let mut rig = user();
        rig.quiet(600);
        rig
    };
    let agent = || {
        let mut rig = thinking();
        rig.backend(BackendEvent::ReplyText { generation: Generation(1), text: "one two".into() });
        rig.audio(1, 1_000);
        rig.sent(1, -20.0, 980);
        rig
    };
    let finished = || {
        let mut rig = agent();
        rig.backend(BackendEvent::ReplyFinished { generation: Generation(1) });
        rig
    };
    let contested = || {
        let mut rig = agent();
        rig.say(20);
        rig
    };
    let yielding = || {
        let mut rig = agent();
        rig.say(200);
        rig
    };
    let closing = || {
        let mut rig = agent();
        rig.backend(BackendEvent::HangUp { reason: "done".into() });
        rig
    };
    let ended = || {
        let mut rig = idle();
        rig.client(ClientCommand::Disconnect);
        rig
    };
    vec![
        ("connecting", connecting),
        ("idle", idle()),
        ("user", user()),
        ("settling", settling()),
        ("thinking", thinking()),
        ("agent", agent()),
        ("agent, finished", finished()),
        ("contested", contested()),
        ("yielding", yielding()),
        ("closing", closing()),
        ("ended", ended()),
    ]
}

type Event = (&'static str, fn(&mut Rig));

const CURRENT: Generation = Generation(1);
const STALE: Generation = Generation(0);

const EVENTS: &[Event] = &[
    ("connected", |rig| rig.act(Call::handle_connected)),
    ("a click", |rig| rig.say(20)),
    ("speech 200 ms", |rig| rig.say(200)),
    ("speech 500 ms", |rig| rig.say(500)),
    ("silence 100 ms", |rig| rig.quiet(100)),
    ("silence 600 ms", |rig| rig.quiet(600)),
    ("ready", |rig| rig.backend(BackendEvent::Ready)),
    ("transcript", |rig| {
        let (turn, text, is_final) = (TurnId(1), "words".to_owned(), true);
        rig.backend(BackendEvent::UserTranscript { turn, text, is_final });
    }),
    ("transcript of no turn", |rig| {
        let (turn, text, is_final) = (TurnId(9), "words".to_owned(), true);
        rig.backend(BackendEvent::UserTranscript { turn, text, is_final });
    }),
    ("two words", |rig| {
        let (turn, text, is_final) = (rig.call.floor.turn(), "stop it".to_owned(), false);
        rig.backend(BackendEvent::UserTranscript { turn, text, is_final });
    }),
    ("interrupted", |rig| rig.backend(BackendEvent::Interrupted { generation: CURRENT })),
    ("reply words", |rig| {
        let word = WordTime { text: "one".into(), start: Duration::ZERO, end: Duration::ZERO };
        let (generation, words) = (CURRENT, vec![word]);
        rig.backend(BackendEvent::ReplyWords { generation, words });
    }),
    ("wants to speak", |rig| rig.backend(BackendEvent::WantsToSpeak)),
    ("turns are yours", |rig| rig.backend(BackendEvent::TurnsAreYours)),
    ("prompted", |rig| {
        rig.backend(BackendEvent::Prompted { generation: CURRENT, prompt: String::new() });
    }),
    ("reply started", |rig| rig.backend(BackendEvent::ReplyStarted { generation: CURRENT })),
    ("reply text", |rig| {
        rig.backend(BackendEvent::ReplyText { generation: CURRENT, text: "three".to_owned() });
    }),
    ("reply finished", |rig| rig.backend(BackendEvent::ReplyFinished { generation: CURRENT })),
    ("tool call", |rig| {
        let [call_id, name, arguments] = ["1", "look_up", "{}"].map(str::to_owned);
        rig.backend(BackendEvent::ToolCall { generation: CURRENT, call_id, name, arguments });
    }),
    ("reply failed", |rig| {
        let message = "no model".to_owned();
        rig.backend(BackendEvent::ReplyFailed { generation: CURRENT, message });
    }),
    ("stale finish", |rig| rig.backend(BackendEvent::ReplyFinished { generation: STALE })),
    ("failed", |rig| rig.backend(BackendEvent::Failed { message: "gone".to_owned() })),
    ("hang up", |rig| rig.backend(BackendEvent::HangUp { reason: "done".to_owned() })),
    ("stuck", |rig| rig.act(Call::handle_backend_stuck)),
    ("audio", |rig| rig.audio(1, 200)),
    ("no audio", |rig| rig.audio(1, 0)),
    ("stale audio", |rig| rig.audio(0, 200)),
    ("sent sound", |rig| rig.sent(1, -20.0, 500)),
    ("sent the last", |rig| rig.sent(1, -20.0, 0)),
    ("sent stale", |rig| rig.sent(0, -20.0, 0)),
    ("played", |rig| {
        let played = Duration::from_millis(20);
        rig.client(ClientCommand::Playout(Playout { generation: CURRENT, played }));
    }),
    ("client ready", |rig| rig.client(ClientCommand::Ready)),
    ("text, now", |rig| rig.text("hello", true)),
    ("text, later", |rig| rig.text("hello", false)),
    ("mute", |rig| rig.client(ClientCommand::Mute { muted: true })),
    ("unmute", |rig| rig.client(ClientCommand::Mute { muted: false })),
    ("key", |rig| rig.client(ClientCommand::Dtmf { key: '1' })),
    ("key #", |rig| rig.client(ClientCommand::Dtmf { key: '#' })),
    ("tool result", |rig| {
        let [call_id, result] = ["1", "{}"].map(str::to_owned);
        rig.client(ClientCommand::ToolResult { call_id, result });
    }),
    ("disconnect", |rig| rig.client(ClientCommand::Disconnect)),
    ("10 s", |rig| rig.wait(Duration::from_secs(10))),
    ("2 min", |rig| rig.wait(Duration::from_secs(120))),
    ("1 h", |rig| rig.wait(Duration::from_secs(3_600))),
];

/// What a state may lead to within one event. A turn or a reply that opens and ends at once, as
/// when typed text ends a spoken turn, has been where it was in between.
fn is_lawful(from: &str, to: &str) -> bool {
    let from = from.split(',').next().unwrap_or(from);
    from == to
        || matches!(to, "closing" | "ended")
        || match from {
            "connecting" => matches!(to, "idle" | "thinking"),
            "idle" => matches!(to, "user" | "thinking"),
            "user" => matches!(to, "settling" | "thinking" | "idle"),
            "settling" => matches!(to, "user" | "thinking" | "idle"),
            "thinking" => matches!(to, "user" | "agent" | "contested" | "yielding" | "idle"),
            "agent" => matches!(to, "user" | "thinking" | "contested" | "yielding" | "idle"),
            "contested" => matches!(to, "user" | "thinking" | "agent" | "yielding" | "idle"),
            "yielding" => matches!(to, "user" | "thinking" | "agent" | "idle"),
            _ => false,
        }
}

#[test]
fn every_event_in_every_state_leads_somewhere_lawful_that_does_not_last_for_ever() {
    let mut table = String::new();
    for (name, event) in EVENTS {
        write!(table, "{name:<22}|").expect("writing to a string cannot fail");
        for (state, mut rig) in states() {
            let from = state.split(',').next().unwrap_or(state);
            assert_eq!(rig.state(), from, "the way to {state}");
            let before = rig.outputs.len();
            event(&mut rig);
            let to = rig.state();
            assert!(is_lawful(state, to), "{name} leads from {state} to {to}");
            rig.check_timers();
            check_end(&rig, before, from);
            let shown = if to == from { "." } else { to };
            write!(table, " {shown:>8}").expect("writing to a string cannot fail");
        }
        table.push('\n');
    }
    expect![[r#"
        connected             | thinking        .        .        .        .        .        .        .        .        .        .
        a click               |        .        .        .        . contested contested contested        .        .        .        .
        speech 200 ms         |        .     user        .     user yielding yielding yielding yielding        .        .        .
        speech 500 ms         |        .     user        .     user     user     user     user     user     user        .        .
        silence 100 ms        |        .        . settling        .        .        .        .    agent        .        .        .
        silence 600 ms        |        .        . thinking thinking        .        .        .    agent    agent        .        .
        ready                 |        .        .        .        .        .        .        .        .        .        .        .
        transcript            |        .        .        .        .        .        .        .        .        .        .        .
        transcript of no turn |        .        .        .        .        .        .        .        .        .        .        .
        two words             |        .        .        .        .        .        .        .        .     user        .        .
        interrupted           |        .        .        .        .     idle     idle     idle     user     user        .        .
        reply words           |        .        .        .        .        .        .        .        .        .        .        .
        wants to speak        |        . thinking        .        .        .        .        .        .        .        .        .
        turns are yours       |        .        .        .        .        .        .        .        .        .        .        .
        prompted              |        .        .        .        .        .        .        .        .        .        .        .
        reply started         |        .        .        .        .        .        .        .        .        .        .        .
        reply text            |        .        .        .        .        .        .        .        .        .        .        .
        reply finished        |        .        .        .        .     idle        .        .        .        .        .        .
        tool call             |        .        .        .        .        .        .        .        .        .        .        .
        reply failed          |        .        .        .        .     idle        .        .        .        .        .        .
        stale finish          |        .        .        .        .        .        .        .        .        .        .        .
        failed                |  closing  closing  closing  closing  closing  closing  closing  closing  closing        .        .
        hang up               |  closing  closing  closing  closing  closing  closing  closing  closing  closing        .        .
        stuck                 |  closing  closing  closing  closing  closing  closing  closing  closing  closing        .        .
        audio                 |        .        .        .        .    agent        .        .        .        .        .        .
        no audio              |        .        .        .        .        .        .        .        .        .        .        .
        stale audio           |        .        .        .        .        .        .        .        .        .        .        .
        sent sound            |        .        .        .        .        .        .        .        .        .        .        .
        sent the last         |        .        .        .        .        .        .     idle        .        .        .        .
        sent stale            |        .        .        .        .        .        .        .        .        .        .        .
        played                |        .        .        .        .        .        .        .        .        .        .        .
        client ready          |        .        .        .        .        .        .        .        .        .        .        .
        text, now             |        . thinking thinking thinking        . thinking thinking thinking thinking        .        .
        text, later           |        . thinking        .        .        .        .        .        .        .        .        .
        mute                  |        .        . thinking thinking        .        .        .    agent    agent        .        .
        unmute                |        .        .        .        .        .        .        .        .        .        .        .
        key                   |        .        .        .        .        .        .        .        .        .        .        .
        key #                 |        . thinking thinking thinking        . thinking thinking thinking thinking        .        .
        tool result           |        .        .        .        .        .        .        .        .        .        .        .
        disconnect            |    ended    ended    ended    ended    ended    ended    ended    ended    ended    ended        .
        10 s                  |        .        .        . thinking     idle     idle     idle     idle     idle        .        .
        2 min                 |    ended        . thinking     idle     idle     idle     idle     idle     idle    ended        .
        1 h                   |    ended    ended    ended    ended    ended    ended    ended    ended    ended    ended        .
    "#]].assert_eq(&table);
}

/// The end is told once, and last.
fn check_end(rig: &Rig, before: usize, from: &str) {
    let ends = rig.outputs.iter().filter(|output| matches!(output, Output::End(_))).count();
    assert_eq!(ends, usize::from(rig.state() == "ended"));
    if from == "ended" {
        assert_eq!(rig.outputs.len(), before, "nothing follows the end");
    }
}
