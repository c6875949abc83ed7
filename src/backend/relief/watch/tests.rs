use super::super::asked::{GO_ON, GO_ON_AFTER_CALL};
use super::*;
use crate::backend::ReplyAudio;
use crate::call::event::Heard;

const FULL: Abilities = Abilities {
    speculates: true,
    transcribes: true,
    says: true,
    greets: true,
    ends_turns: false,
    tools: true,
    recalls: true,
};
const TURN: TurnId = TurnId(1);
const REPLY: Generation = Generation(1);
const NEXT: Generation = Generation(2);

/// A watch whose first backend is open, told and ready.
fn watch() -> Watch {
    watch_with(FULL)
}

fn watch_with(abilities: Abilities) -> Watch {
    let mut watch = Watch::new(abilities.ends_turns);
    watch.handle_relief(SessionTime::ZERO, abilities, false);
    watch.handle_output(BackendOutput::Event(BackendEvent::Ready));
    assert_eq!(events(&mut watch), [BackendEvent::Ready]);
    watch
}

fn command(watch: &mut Watch, command: BackendCommand) {
    watch.handle_input(BackendInput::Command(command));
}

fn event(watch: &mut Watch, event: BackendEvent) {
    watch.handle_output(BackendOutput::Event(event));
}

fn frame(mark: i16) -> PcmFrame {
    PcmFrame([mark; 320])
}

fn speak(watch: &mut Watch, marks: std::ops::Range<i16>) {
    marks.for_each(|mark| watch.handle_input(BackendInput::Audio(frame(mark))));
}

fn started(watch: &mut Watch, generation: Generation) {
    event(watch, BackendEvent::ReplyStarted { generation });
}

fn text(watch: &mut Watch, text: &str) {
    event(watch, BackendEvent::ReplyText { generation: REPLY, text: text.to_owned() });
}

fn sound(watch: &mut Watch) {
    sounds(watch, REPLY);
}

fn sounds(watch: &mut Watch, generation: Generation) {
    let audio = ReplyAudio { generation, sample_rate_hz: 24_000, pcm: vec![1; 480] };
    watch.handle_output(BackendOutput::Audio(audio));
}

fn understood(watch: &mut Watch, said: &str) {
    let (turn, text, is_final) = (TURN, said.to_owned(), true);
    event(watch, BackendEvent::UserTranscript { turn, text, is_final });
}

/// What the call is told since it was last asked, its audio left out.
fn events(watch: &mut Watch) -> Vec<BackendEvent> {
    let mut events = Vec::new();
    while let Some(output) = watch.poll_output() {
        if let BackendOutput::Event(event) = output {
            events.push(event);
        }
    }
    events
}

/// What the backend is told since it was last asked.
fn inputs(watch: &mut Watch) -> Vec<BackendInput> {
    std::iter::from_fn(|| watch.poll_input()).collect()
}

/// The backend is lost and another takes over. Answers what that one is told was said, and what it is sent.
fn relieve(watch: &mut Watch) -> (Vec<Said>, Vec<BackendInput>) {
    inputs(watch);
    events(watch);
    event(watch, BackendEvent::Failed { message: "out of order".to_owned() });
    assert_eq!(watch.loss(), Some("out of order"));
    let said = watch.said();
    watch.handle_relief(SessionTime::ZERO, FULL, false);
    assert_eq!(watch.loss(), None);
    (said, inputs(watch))
}

fn asked(command: BackendCommand) -> BackendInput {
    BackendInput::Command(command)
}

/// The turn as a backend is told it, its frames being `marks`.
fn spoken(turn: TurnId, marks: std::ops::Range<i16>) -> Vec<BackendInput> {
    let mut inputs = vec![asked(BackendCommand::UserSpeechStarted { turn })];
    inputs.extend(marks.map(|mark| BackendInput::Audio(frame(mark))));
    inputs
}

fn user_speaks(watch: &mut Watch, turn: TurnId) {
    command(watch, BackendCommand::UserSpeechStarted { turn });
    speak(watch, 0..5);
}

fn user_spoke(watch: &mut Watch) {
    user_speaks(watch, TURN);
    command(watch, BackendCommand::UserTurnEnded { turn: TURN, generation: REPLY });
}

#[test]
fn what_was_asked_and_shows_nothing_is_asked_again_in_its_own_name() {
    let said = || "hello".to_owned();
    let (turn, generation) = (TURN, REPLY);
    let commands = [
        BackendCommand::Greet { generation },
        BackendCommand::Say { generation, text: said() },
        BackendCommand::UserText { turn, generation, text: said() },
    ];
    for wanted in commands {
        let mut watch = watch();
        command(&mut watch, wanted.clone());
        started(&mut watch, REPLY);
        let (told, inputs) = relieve(&mut watch);
        assert_eq!((told, inputs), (vec![], vec![asked(wanted)]));
        assert_eq!(events(&mut watch), [], "nobody notices");
        event(&mut watch, BackendEvent::Ready);
        started(&mut watch, REPLY);
        assert_eq!(events(&mut watch), [], "it was told once");
    }
}

#[test]
fn a_turn_of_which_nothing_was_understood_is_heard_again() {
    let mut watch = watch();
    user_spoke(&mut watch);
    let (told, inputs) = relieve(&mut watch);
    let mut expected = spoken(TURN, 0..5);
    expected.push(asked(BackendCommand::UserTurnEnded { turn: TURN, generation: REPLY }));
    assert_eq!((told, inputs), (vec![], expected));
    understood(&mut watch, "hello");
    assert_eq!(events(&mut watch).len(), 1, "now somebody has understood it");
}

#[test]
fn a_turn_that_was_understood_is_asked_as_text_and_not_shown_twice() {
    let mut watch = watch();
    user_spoke(&mut watch);
    understood(&mut watch, "what time is it");
    let (told, inputs) = relieve(&mut watch);
    let text = "what time is it".to_owned();
    let expected = BackendCommand::UserText { turn: TURN, generation: REPLY, text };
    assert_eq!((told, inputs), (vec![], vec![asked(expected)]));
    understood(&mut watch, "what time is it");
    assert_eq!(events(&mut watch), []);
    // The next is told what came of it.
    text_of_next_loss(&mut watch);
}

fn text_of_next_loss(watch: &mut Watch) {
    text(watch, "It is noon.");
    event(watch, BackendEvent::ReplyFinished { generation: REPLY });
    let heard = Heard { text: "It is".to_owned(), ..Heard::default() };
    command(watch, BackendCommand::Cancel { generation: REPLY, heard });
    let (told, _) = relieve(watch);
    let user = Said::User("what time is it".to_owned());
    let agent = Said::Agent { generation: REPLY, text: "It is".to_owned() };
    assert_eq!(told, [user, agent], "what was heard, and the turn once");
}

#[test]
fn a_turn_that_the_user_is_speaking_is_told_from_its_beginning() {
    let mut watch = watch();
    user_speaks(&mut watch, TURN);
    let (_, told) = relieve(&mut watch);
    assert_eq!(told, spoken(TURN, 0..5));
    speak(&mut watch, 5..7);
    command(&mut watch, BackendCommand::UserTurnEnded { turn: TURN, generation: REPLY });
    assert_eq!(inputs(&mut watch).len(), 3, "and goes on");
    // The same once more, to the third.
    let (_, told) = relieve(&mut watch);
    assert_eq!(told[..8], spoken(TURN, 0..7));
}

#[test]
fn a_reply_that_sounds_ends_and_is_gone_on_with_in_another_name() {
    let mut watch = watch();
    user_spoke(&mut watch);
    understood(&mut watch, "tell me a story");
    text(&mut watch, "Once upon a time");
    sound(&mut watch);
    let (told, given) = relieve(&mut watch);
    let user = Said::User("tell me a story".to_owned());
    let agent = Said::Agent { generation: REPLY, text: "Once upon a time".to_owned() };
    assert_eq!((told, given), (vec![user, agent], vec![]));
    let finished = BackendEvent::ReplyFinished { generation: REPLY };
    assert_eq!(events(&mut watch), [finished, BackendEvent::WantsToSpeak]);
    command(&mut watch, BackendCommand::Speak { generation: NEXT });
    let text = GO_ON.to_owned();
    let expected = BackendCommand::UserText { turn: TURN, generation: NEXT, text };
    assert_eq!(inputs(&mut watch), [asked(expected)]);
    understood(&mut watch, GO_ON);
    started(&mut watch, NEXT);
    let shown = events(&mut watch);
    assert_eq!(shown, [BackendEvent::ReplyStarted { generation: NEXT }], "not the instruction");
}

#[test]
fn who_was_interrupted_does_not_go_on() {
    let mut watch = watch();
    user_spoke(&mut watch);
    sound(&mut watch);
    relieve(&mut watch);
    let cancel = BackendCommand::Cancel { generation: REPLY, heard: Heard::default() };
    command(&mut watch, cancel);
    inputs(&mut watch);
    let speak = BackendCommand::Speak { generation: NEXT };
    command(&mut watch, speak.clone());
    assert_eq!(inputs(&mut watch), [asked(speak)], "whatever the new one has to say itself");
}

#[test]
fn who_does_not_know_what_was_said_cannot_go_on_with_it() {
    let mut watch = watch();
    user_spoke(&mut watch);
    sound(&mut watch);
    event(&mut watch, BackendEvent::Failed { message: String::new() });
    watch.handle_relief(SessionTime::ZERO, Abilities { recalls: false, ..FULL }, true);
    inputs(&mut watch);
    let speak = BackendCommand::Speak { generation: NEXT };
    command(&mut watch, speak.clone());
    assert_eq!(inputs(&mut watch), [asked(speak)]);
}

#[test]
fn text_that_never_sounded_is_not_said_and_its_turn_is_asked_again() {
    let mut watch = watch();
    user_spoke(&mut watch);
    text(&mut watch, "Unheard.");
    let (told, given) = relieve(&mut watch);
    assert_eq!((told, given), (vec![], vec![]));
    assert_eq!(events(&mut watch).len(), 2, "its end, and the wish to speak");
    command(&mut watch, BackendCommand::Speak { generation: NEXT });
    let mut expected = spoken(TURN, 0..5);
    expected.push(asked(BackendCommand::UserTurnEnded { turn: TURN, generation: NEXT }));
    assert_eq!(inputs(&mut watch), expected);
}

#[test]
fn a_tool_that_was_called_is_not_asked_for_again_and_its_result_dropped() {
    let mut watch = watch();
    user_spoke(&mut watch);
    let [call_id, name, arguments] = ["7", "pay", "{}"].map(str::to_owned);
    event(&mut watch, BackendEvent::ToolCall { generation: REPLY, call_id, name, arguments });
    relieve(&mut watch);
    let result = |id: &str| {
        let (call_id, result) = (id.to_owned(), "{}".to_owned());
        BackendCommand::ToolResult { call_id, result }
    };
    command(&mut watch, result("7"));
    command(&mut watch, result("8"));
    assert_eq!(inputs(&mut watch), [asked(result("8"))]);
    command(&mut watch, BackendCommand::Speak { generation: NEXT });
    let text = GO_ON_AFTER_CALL.to_owned();
    let expected = BackendCommand::UserText { turn: TURN, generation: NEXT, text };
    assert_eq!(inputs(&mut watch), [asked(expected)]);
}

#[test]
fn a_reply_made_ahead_is_taken_back() {
    let mut watch = watch();
    user_speaks(&mut watch, TURN);
    let (turn, generation) = (TURN, REPLY);
    command(&mut watch, BackendCommand::Speculate { turn, generation });
    text(&mut watch, "Ahead.");
    let (told, given) = relieve(&mut watch);
    assert_eq!((told, given), (vec![], spoken(TURN, 0..5)));
    let failed = &events(&mut watch)[..];
    assert!(matches!(failed, [BackendEvent::ReplyFailed { generation: REPLY, .. }]), "{failed:?}");
    command(&mut watch, BackendCommand::Withdraw { turn, generation });
    assert_eq!(inputs(&mut watch), [], "the new one was never asked");
    command(&mut watch, BackendCommand::UserTurnEnded { turn, generation: NEXT });
    let ended = BackendCommand::UserTurnEnded { turn, generation: NEXT };
    assert_eq!(inputs(&mut watch), [asked(ended)]);
}

#[test]
fn a_turn_that_ended_while_its_reply_ahead_was_lost_is_answered_later() {
    let mut watch = watch();
    user_speaks(&mut watch, TURN);
    let (turn, generation) = (TURN, REPLY);
    command(&mut watch, BackendCommand::Speculate { turn, generation });
    text(&mut watch, "Ahead.");
    relieve(&mut watch);
    events(&mut watch);
    command(&mut watch, BackendCommand::UserTurnEnded { turn, generation });
    assert_eq!(inputs(&mut watch), [asked(BackendCommand::UserTurnDismissed { turn })]);
    assert_eq!(events(&mut watch), [BackendEvent::WantsToSpeak]);
    command(&mut watch, BackendCommand::Speak { generation: NEXT });
    let ended = BackendCommand::UserTurnEnded { turn, generation: NEXT };
    assert_eq!(inputs(&mut watch).last(), Some(&asked(ended)));
}

#[test]
fn who_ends_turns_hears_all_and_hands_them_to_the_call() {
    let mut watch = watch_with(Abilities { ends_turns: true, ..FULL });
    speak(&mut watch, 0..40);
    assert_eq!(inputs(&mut watch).len(), 40);
    command(&mut watch, BackendCommand::UserSpeechStarted { turn: TURN });
    speak(&mut watch, 40..42);
    let (_, told) = relieve(&mut watch);
    assert_eq!(told, spoken(TURN, 15..42), "half a second before it belongs to the turn");
    assert_eq!(events(&mut watch), [BackendEvent::TurnsAreYours]);
    command(&mut watch, BackendCommand::UserTurnDismissed { turn: TURN });
    inputs(&mut watch);
    speak(&mut watch, 0..1);
    assert_eq!(inputs(&mut watch), [], "the others hear turns");
}

#[test]
fn who_is_not_ready_or_does_not_read_is_lost() {
    let mut watch = Watch::new(false);
    watch.handle_relief(SessionTime::ZERO, FULL, false);
    let due = watch.poll_timeout().expect("it is waited for");
    watch.handle_timeout(due);
    assert_eq!(watch.loss(), Some("the backend was not ready in time"));
    // The call itself waits for the last one.
    watch.handle_relief(due, FULL, true);
    assert_eq!(watch.poll_timeout(), None);
    event(&mut watch, BackendEvent::Ready);
    events(&mut watch);
    user_speaks(&mut watch, TURN);
    let first = watch.poll_input().expect("it waits");
    watch.handle_full(due, first.clone());
    assert_eq!(inputs(&mut watch), spoken(TURN, 0..5), "in order");
    let stuck = watch.poll_timeout().expect("not for ever");
    watch.handle_full(stuck, first);
    watch.handle_timeout(stuck);
    assert_eq!(watch.loss(), Some("the backend stopped reading"));
    assert_eq!(stuck.since(due), RELIEF_STUCK_MAX);
}

#[test]
fn the_last_ones_failure_is_the_calls_and_a_farewell_is_none() {
    let mut watch = watch();
    watch.handle_gone();
    assert_eq!(watch.loss(), Some("the backend hung up"));
    watch.handle_nobody("busy".to_owned());
    assert!(!watch.is_over(), "it is to be said");
    assert_eq!(events(&mut watch), [BackendEvent::Failed { message: "busy".to_owned() }]);
    assert!(watch.is_over());
    let mut watch = self::watch();
    event(&mut watch, BackendEvent::HangUp { reason: "done".to_owned() });
    watch.handle_gone();
    watch.handle_gone();
    assert_eq!(watch.loss(), None, "however often it is found to be gone");
    assert_eq!(events(&mut watch).len(), 1, "it is told, and nothing more");
    assert!(watch.is_over());
}

/// Reply `n` to what is typed fails; before that there may be an apology.
fn fails(watch: &mut Watch, n: u32, has_sound: bool) {
    let (turn, generation) = (TurnId(n), Generation(n));
    command(watch, BackendCommand::UserText { turn, generation, text: format!("question {n}") });
    started(watch, generation);
    if has_sound {
        let text = "Sorry.".to_owned();
        event(watch, BackendEvent::ReplyText { generation, text });
        sounds(watch, generation);
    }
    event(watch, BackendEvent::ReplyFailed { generation, message: "no model answers".to_owned() });
}

#[test]
fn who_fails_reply_after_reply_is_lost_and_the_last_is_asked_again() {
    let mut watch = watch();
    fails(&mut watch, 1, false);
    assert_eq!(watch.loss(), None, "once may be chance");
    inputs(&mut watch);
    fails(&mut watch, 2, false);
    assert_eq!(watch.loss(), Some("no model answers"));
    watch.handle_relief(SessionTime::ZERO, FULL, false);
    let (turn, generation, text) = (TurnId(2), Generation(2), "question 2".to_owned());
    let again = asked(BackendCommand::UserText { turn, generation, text });
    assert_eq!(inputs(&mut watch), [again]);
    fails(&mut watch, 3, false);
    assert_eq!(watch.loss(), None, "the next one's failures are its own");
}

#[test]
fn what_was_only_apologised_for_is_asked_again_in_another_name() {
    let mut watch = watch();
    fails(&mut watch, 1, true);
    fails(&mut watch, 2, true);
    events(&mut watch);
    assert_eq!(watch.loss(), Some("no model answers"));
    watch.handle_relief(SessionTime::ZERO, FULL, false);
    inputs(&mut watch);
    let generation = Generation(3);
    command(&mut watch, BackendCommand::Speak { generation });
    let (turn, text) = (TurnId(2), "question 2".to_owned());
    let again = asked(BackendCommand::UserText { turn, generation, text });
    assert_eq!(inputs(&mut watch), [again]);
}

#[test]
fn failures_with_a_reply_between_that_was_heard_do_not_count() {
    let heard = Heard { duration: std::time::Duration::from_secs(1), ..Heard::default() };
    let generation = Generation(2);
    let endings: [fn(&mut Watch, Generation, Heard); 2] = [
        |watch, generation, _| event(watch, BackendEvent::ReplyFinished { generation }),
        |watch, generation, heard| command(watch, BackendCommand::Cancel { generation, heard }),
    ];
    for ends in endings {
        let mut watch = watch();
        fails(&mut watch, 1, true);
        let (turn, text) = (TurnId(2), "hello".to_owned());
        command(&mut watch, BackendCommand::UserText { turn, generation, text });
        sounds(&mut watch, generation);
        ends(&mut watch, generation, heard.clone());
        fails(&mut watch, 3, true);
        assert_eq!(watch.loss(), None);
        fails(&mut watch, 4, true);
        assert!(watch.loss().is_some());
    }
}

#[test]
fn the_last_one_may_fail_as_often_as_it_likes() {
    let mut watch = Watch::new(false);
    watch.handle_relief(SessionTime::ZERO, FULL, true);
    for n in 1..5 {
        fails(&mut watch, n, false);
        assert_eq!(watch.loss(), None);
    }
}
