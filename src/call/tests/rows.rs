//! Rows that need exact times.

use super::*;
use crate::call::settings::{EndpointStrategy, InterruptionPolicy, TurnAuthority};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A rig in which the agent's reply of 2 s to a first turn sounds, `sent_ms` of it sent.
fn agent_speaks(sent_ms: u64) -> Rig {
    let settings = CallSettings { greet: false, ..fixed_silence() };
    agent_speaks_with(settings, sent_ms)
}

pub(super) fn agent_speaks_with(settings: CallSettings, sent_ms: u64) -> Rig {
    let mut rig = Rig::silent_with(settings);
    rig.say(200);
    rig.quiet(600);
    let text = "one two three four five six seven eight".to_owned();
    rig.backend(BackendEvent::ReplyText { generation: Generation(1), text });
    rig.audio(1, 2_000);
    for sent in (0..sent_ms).step_by(20) {
        rig.quiet(20);
        rig.sent(1, -20.0, 2_000 - sent - 20);
    }
    rig
}

#[test]
fn the_turn_is_over_a_silence_after_the_last_voiced_frame_and_not_later() {
    for silence_ms in [100, 200, 600, 1_500] {
        let mut settings = CallSettings { greet: false, ..fixed_silence() };
        settings.endpoint = EndpointSettings::silence(ms(silence_ms));
        let mut rig = Rig::new(settings);
        rig.act(Call::handle_connected);
        rig.say(1_000);
        let last = rig.now;
        while rig.call.floor() != FloorState::Thinking {
            rig.frame(0.0);
        }
        assert_eq!(rig.now.since(last), ms(silence_ms));
    }
}

fn shown(disposition: Disposition) -> char {
    match disposition {
        Disposition::Forward => 'F',
        Disposition::ForwardSilence => 'S',
        Disposition::Hold => 'h',
        Disposition::HoldAll => 'H',
        Disposition::HoldTail => 't',
        Disposition::Drop => 'x',
    }
}

#[test]
fn user_audio_is_held_until_speech_is_believed_and_forwarded_until_the_turn_is_over() {
    let mut rig = Rig::silent();
    let mut dispositions = String::new();
    for voice in "..vvvv..........".chars() {
        dispositions.push(shown(rig.frame(if voice == 'v' { 0.9 } else { 0.0 })));
    }
    assert_eq!(dispositions, "hhhhFFFFFFFFFFFF");
    rig.quiet(600);
    assert_eq!(shown(rig.frame(0.0)), 'h', "while the agent thinks");
    rig.client(ClientCommand::Mute { muted: true });
    assert_eq!(shown(rig.frame(0.9)), 'x');
    rig.client(ClientCommand::Mute { muted: false });
    assert_eq!(shown(rig.frame(0.9)), 'H', "an interruption is judged");
    let released = rig.outputs.iter().position(|output| *output == Output::ReleaseHeld);
    let turn = TurnId(1);
    let started = Output::Backend(BackendCommand::UserSpeechStarted { turn });
    let started = rig.outputs.iter().position(|output| *output == started);
    assert_eq!(released, started.map(|index| index + 1), "the turn opens, then its pre-roll");
}

#[test]
fn a_user_who_speaks_on_while_settling_continues_the_turn() {
    let mut rig = Rig::silent();
    rig.say(200);
    rig.quiet(580);
    // The silence is almost long enough when voice is noticed, and would be before it is believed.
    rig.say(200);
    assert_eq!(rig.call.floor(), FloorState::User);
    rig.quiet(600);
    let (turn, generation) = (TurnId(1), Generation(1));
    let commands: Vec<_> = rig.commands().cloned().collect();
    assert_eq!(
        commands,
        [
            BackendCommand::UserSpeechStarted { turn },
            BackendCommand::UserTurnEnded { turn, generation }
        ]
    );
}

#[test]
fn a_click_while_settling_delays_the_end_by_no_more_than_it_takes_to_dismiss_it() {
    let mut rig = Rig::silent();
    rig.say(200);
    rig.quiet(560);
    rig.say(40);
    assert_eq!(rig.call.floor(), FloorState::Settling, "still being judged");
    rig.quiet(60);
    assert_eq!(rig.call.floor(), FloorState::Thinking);
}

#[test]
fn a_user_who_speaks_on_while_the_agent_thinks_cancels_the_reply_and_opens_a_turn() {
    let mut rig = Rig::silent();
    rig.say(200);
    rig.quiet(700);
    rig.say(480);
    assert_eq!(rig.call.floor(), FloorState::Yielding, "it could be an \"mhm\"");
    rig.say(20);
    let commands: Vec<_> = rig.commands().skip(2).cloned().collect();
    let cancel = BackendCommand::Cancel { generation: Generation(1), heard: Heard::default() };
    let started = BackendCommand::UserSpeechStarted { turn: TurnId(2) };
    assert_eq!(commands, [started, cancel]);
    assert!(!rig.outputs.contains(&Output::Downlink(DownlinkCommand::Flush)), "nothing to flush");
}

#[test]
fn an_interruption_tells_the_backend_what_was_heard() {
    for (round_trip_ms, report_ms, heard_ms, words) in [
        (None, None, 980, 3),
        (Some(200), None, 880, 3),
        (Some(200), Some(700), 760, 2),
        (Some(200), Some(60_000), 1_040, 3),
    ] {
        let mut settings = CallSettings { greet: false, ..fixed_silence() };
        settings.interruption.policy = InterruptionPolicy::Immediate;
        let mut rig = agent_speaks_with(settings, 1_000);
        if let Some(round_trip_ms) = round_trip_ms {
            rig.call.handle_round_trip(ms(round_trip_ms));
        }
        if let Some(report_ms) = report_ms {
            let (generation, played) = (Generation(1), ms(report_ms));
            rig.client(ClientCommand::Playout(Playout { generation, played }));
        }
        // Decided with the third frame, before the third slot leaves: 1040 ms were sent by then.
        for queued_ms in [980, 960, 940] {
            rig.say(20);
            rig.sent(1, -20.0, queued_ms);
        }
        let Some(BackendCommand::Cancel { heard, .. }) =
            rig.commands().find(|command| matches!(command, BackendCommand::Cancel { .. }))
        else {
            panic!("the reply was not cancelled")
        };
        assert_eq!(heard.duration, ms(heard_ms), "{round_trip_ms:?} {report_ms:?}");
        assert_eq!(heard.text.split_whitespace().count(), words, "{round_trip_ms:?} {report_ms:?}");
    }
}

#[test]
fn text_waits_for_the_agents_end_or_takes_the_floor() {
    let mut rig = agent_speaks(100);
    rig.text("later", false);
    assert_eq!(rig.call.floor(), FloorState::Agent);
    rig.backend(BackendEvent::ReplyFinished { generation: Generation(1) });
    rig.sent(1, -20.0, 0);
    let (turn, generation) = (TurnId(2), Generation(2));
    let text = "later".to_owned();
    let last = rig.commands().last().cloned();
    assert_eq!(last, Some(BackendCommand::UserText { turn, generation, text }));

    let mut rig = agent_speaks(100);
    rig.text("now", true);
    assert_eq!(rig.call.floor(), FloorState::Thinking);
    assert!(rig.outputs.contains(&Output::Downlink(DownlinkCommand::Flush)));
}

#[test]
fn text_during_speech_ends_the_turn_and_speech_goes_on_in_another() {
    let mut rig = Rig::silent();
    rig.say(200);
    rig.text("typed", true);
    rig.say(400);
    let commands: Vec<_> = rig.commands().cloned().collect();
    let text = "typed".to_owned();
    assert_eq!(
        commands,
        [
            BackendCommand::UserSpeechStarted { turn: TurnId(1) },
            BackendCommand::UserTurnEnded { turn: TurnId(1), generation: Generation(1) },
            BackendCommand::Cancel { generation: Generation(1), heard: Heard::default() },
            BackendCommand::UserText { turn: TurnId(2), generation: Generation(2), text },
            BackendCommand::UserSpeechStarted { turn: TurnId(3) },
            BackendCommand::Cancel { generation: Generation(2), heard: Heard::default() },
        ]
    );
}

#[test]
fn text_from_before_the_call_connected_waits_for_it() {
    let mut rig = Rig::new(CallSettings { greet: false, ..fixed_silence() });
    rig.text("early", true);
    assert_eq!(rig.state(), "connecting");
    rig.act(Call::handle_connected);
    assert!(matches!(rig.commands().last(), Some(BackendCommand::UserText { .. })));
}

#[test]
fn texts_that_are_too_long_or_too_many_are_refused() {
    let mut rig = agent_speaks(100);
    let shown = |rig: &Rig| rig.call.stats().texts_refused;
    rig.text(&"x".repeat(crate::limits::USER_TEXT_CHARS_MAX + 1), true);
    assert_eq!(shown(&rig), 1);
    for _ in 0..crate::limits::WAITING_TEXTS_MAX {
        rig.text("wait", false);
    }
    assert_eq!(shown(&rig), 1);
    rig.text("wait", false);
    assert_eq!(shown(&rig), 2);
    rig.text("  ", true);
    assert_eq!(rig.call.floor(), FloorState::Agent, "an empty text is nothing");
}

#[test]
fn the_backend_speaks_unasked_once_the_floor_is_free_and_once_only() {
    let mut rig = agent_speaks(100);
    rig.backend(BackendEvent::WantsToSpeak);
    rig.backend(BackendEvent::WantsToSpeak);
    assert_eq!(rig.call.floor(), FloorState::Agent);
    rig.backend(BackendEvent::ReplyFinished { generation: Generation(1) });
    rig.sent(1, -20.0, 0);
    let last = rig.commands().last().cloned();
    assert_eq!(last, Some(BackendCommand::Speak { generation: Generation(2) }));
    rig.backend(BackendEvent::ReplyFinished { generation: Generation(2) });
    assert_eq!(rig.call.floor(), FloorState::Idle);
}

#[test]
fn a_reply_is_given_up_only_after_the_last_sign_of_life() {
    let mut rig = Rig::silent();
    rig.say(200);
    rig.quiet(600);
    rig.wait(ms(9_000));
    rig.backend(BackendEvent::ReplyStarted { generation: Generation(1) });
    rig.wait(ms(9_000));
    assert_eq!(rig.call.floor(), FloorState::Thinking);
    rig.wait(ms(1_000));
    assert_eq!(rig.call.floor(), FloorState::Idle);
    assert_eq!(rig.call.stats().reply_timeouts, 1);
    rig.audio(1, 200);
    assert_eq!(rig.call.floor(), FloorState::Idle);
    assert_eq!(rig.call.stats().stale_messages, 1);
}

#[test]
fn a_backend_that_is_not_ready_yet_is_not_late() {
    let mut rig = Rig::new(fixed_silence());
    rig.act(Call::handle_connected);
    rig.wait(ms(15_000));
    assert_eq!(rig.call.floor(), FloorState::Thinking, "the greeting waits");
    rig.backend(BackendEvent::Ready);
    rig.wait(ms(9_900));
    assert_eq!(rig.call.floor(), FloorState::Thinking);
    rig.wait(ms(100));
    assert_eq!(rig.call.floor(), FloorState::Idle);
}

#[test]
fn a_silent_reply_is_played_and_nobody_is_said_to_speak() {
    let mut rig = Rig::silent();
    rig.say(200);
    rig.quiet(600);
    rig.audio(1, 40);
    rig.sent(1, -127.0, 20);
    rig.backend(BackendEvent::ReplyFinished { generation: Generation(1) });
    rig.sent(1, -127.0, 0);
    let heard = Heard { duration: ms(40), ..Heard::default() };
    let played = BackendCommand::Played { generation: Generation(1), heard };
    assert_eq!(rig.commands().last(), Some(&played));
    let spoke = |output: &Output| {
        matches!(
            output,
            Output::Client(
                ClientEvent::BotStartedSpeaking { .. } | ClientEvent::BotStoppedSpeaking { .. }
            )
        )
    };
    assert!(!rig.outputs.iter().any(spoke));
}

#[test]
fn a_monologue_is_given_to_the_backend_in_parts_without_losing_any() {
    let mut settings = CallSettings { greet: false, ..fixed_silence() };
    settings.turn_max = ms(5_000);
    let mut rig = Rig::new(settings);
    rig.act(Call::handle_connected);
    rig.say(12_000);
    let ended =
        rig.commands().filter(|command| matches!(command, BackendCommand::UserTurnEnded { .. }));
    assert_eq!(ended.count(), 2);
    assert_eq!(rig.call.floor(), FloorState::User);
}

#[test]
fn the_farewell_is_played_before_the_backend_hangs_up() {
    let mut rig = agent_speaks(100);
    rig.backend(BackendEvent::HangUp { reason: "done".to_owned() });
    rig.audio(1, 200);
    rig.say(500);
    assert_eq!(rig.state(), "closing", "the user cannot interrupt it");
    rig.backend(BackendEvent::ReplyFinished { generation: Generation(1) });
    rig.sent(1, -20.0, 0);
    assert_eq!(rig.state(), "closing", "the last of it is still on its way");
    rig.wait(ms(80));
    let reason = "done".to_owned();
    assert_eq!(rig.outputs.last(), Some(&Output::End(EndReason::Backend { reason })));
    assert!(rig.commands().any(|command| matches!(command, BackendCommand::Played { .. })));
}

/// A sound that may be echo waits to be known. If the backend ends a turn meanwhile, it begins anew, once.
#[test]
fn who_may_be_an_echo_opens_one_turn_whatever_the_backend_says_meanwhile() {
    let mut settings = CallSettings { greet: false, ..CallSettings::default() };
    settings.endpoint.strategy = EndpointStrategy::Backend;
    let mut rig = Rig::silent_with(settings);
    let unknown = EchoEvidence {
        reference_dbfs: -20.0,
        captured_dbfs: -20.0,
        canceller: Canceller::Searching,
        ..EchoEvidence::NONE
    };
    for _ in 0..14 {
        rig.frame_with(0.9, unknown);
    }
    assert_eq!(rig.commands().count(), 0, "nobody knows who it is");
    rig.backend(BackendEvent::UserTurnEnded { turn: rig.call.floor.turn() });
    for _ in 0..10 {
        rig.frame_with(0.9, unknown);
    }
    let commands: Vec<_> = rig.commands().cloned().collect();
    assert_eq!(commands, [BackendCommand::UserSpeechStarted { turn: TurnId(1) }]);
}

fn backend_decides() -> CallSettings {
    let mut settings =
        CallSettings { greet: false, authority: TurnAuthority::Backend, ..CallSettings::default() };
    settings.endpoint.strategy = EndpointStrategy::Backend;
    settings
}

#[test]
fn a_backend_that_decides_itself_hears_all_but_echo_and_what_may_be_an_interruption() {
    let mut rig = Rig::silent_with(backend_decides());
    let hear = |rig: &mut Rig, voices: &str| -> String {
        voices.chars().map(|c| shown(rig.frame(if c == 'v' { 0.9 } else { 0.0 }))).collect()
    };
    assert_eq!(hear(&mut rig, "..vvvvvv...."), "FFFFFFFFFFFF", "nobody speaks, then the user");
    rig.backend(BackendEvent::UserTurnEnded { turn: TurnId(1) });
    assert_eq!(rig.call.floor(), FloorState::Thinking);
    assert_eq!(hear(&mut rig, "...vv.........."), "FFFFFFFFFFFFFFF", "there is no echo yet");
    rig.audio(1, 20_000);
    assert_eq!(rig.call.floor(), FloorState::Agent);
    // An "mhm" of 240 ms is confirmed at 120 ms and stays between user and agent.
    assert_eq!(hear(&mut rig, ".vvvvvvvvvvvv"), "FHHHHHHHHHHHH");
    assert_eq!(rig.call.floor(), FloorState::Contested);
    assert_eq!(hear(&mut rig, "..........."), "HHHHHHHHHFF", "until it is dismissed");
    assert_eq!(rig.call.floor(), FloorState::Agent);
    let echo = EchoEvidence {
        reference_dbfs: -20.0,
        captured_dbfs: -20.0,
        canceller: Canceller::Off,
        likeness: 1.0,
        delay: Some(ms(100)),
    };
    let of_echo: String = (0..4).map(|_| shown(rig.frame_with(0.9, echo))).collect();
    assert_eq!(of_echo, "SSSS");
    // An interruption is heard from its beginning, once it is one.
    rig.outputs.clear();
    let heard = hear(&mut rig, &"v".repeat(30));
    assert_eq!(heard.find('F'), Some(24), "{heard}");
    let released = rig.outputs.iter().position(|output| *output == Output::ReleaseHeld);
    let cancelled = rig
        .outputs
        .iter()
        .position(|o| matches!(o, Output::Backend(BackendCommand::Cancel { .. })));
    assert!(cancelled < released && released.is_some(), "{cancelled:?} {released:?}");
}

#[test]
fn once_a_backend_is_relieved_by_one_that_does_not_decide_the_conversation_does() {
    let mut rig = Rig::silent_with(backend_decides());
    rig.say(600);
    rig.quiet(300);
    assert_eq!(rig.call.floor(), FloorState::Settling, "the backend does not end the turn");
    rig.backend(BackendEvent::TurnsAreYours);
    assert_eq!(rig.call.authority(), TurnAuthority::Local);
    rig.quiet(3_500);
    assert_eq!(rig.call.floor(), FloorState::Thinking, "the pause is judged, before the backstop");
    rig.backend(BackendEvent::ReplyFinished { generation: Generation(1) });
    assert_eq!(rig.frame(0.0), Disposition::Hold, "nothing is heard outside a turn");
    rig.say(600);
    rig.backend(BackendEvent::UserTurnEnded { turn: TurnId(2) });
    assert_eq!(rig.call.floor(), FloorState::User, "no backend ends turns any more");
}
