//! Named situations, each as a plan and the trace of what was decided.
//!
//! After a change that is meant to change decisions: `UPDATE_EXPECT=1 cargo test --no-default-features
//! --test sim`, and read the difference.

mod backends;
mod barge_in;
mod clients;
mod sounds;
mod turns;
mod waiting;

use std::time::Duration;

use antiphon::agent::AgentSettings;
use antiphon::call::event::{BackendEvent, ClientCommand, EndReason, FloorState};
use antiphon::call::settings::{EndpointSettings, InterruptionPolicy};
use antiphon::media::uplink::EchoMode;
use expect_test::{Expect, expect};

use crate::backend::Behaviour;
use crate::network::Network;
use crate::world::{Step, World};
use Step::{Backend, BackendSays, Client, Expect as Is, Say, Silence, Until};

/// An agent that waits to be spoken to and answers 200 ms after the user's last word.
fn settings() -> AgentSettings {
    let mut settings = AgentSettings::default();
    settings.call.greet = false;
    // The user's frames are told apart by marks in their samples, which a canceller would wash out.
    settings.uplink.echo = EchoMode::Off;
    settings.call.endpoint = EndpointSettings::silence(Duration::from_millis(200));
    settings
}

/// How most plans begin: a turn of half a second is over.
const TURN: &str = "\
@600ms   -> speech-started turn=1
@600ms   user-started turn=1
@600ms user turn=1 gen=0
@1120ms   user-stopped turn=1
@1120ms settling turn=1 gen=0
@1220ms   -> turn-ended turn=1 gen=1
@1220ms thinking turn=1 gen=1
";

/// And go on: its reply begins to sound.
const REPLY: &str = "\
@1270ms   transcript turn=1 words=3 final=true
@1270ms   reply-started gen=1
@1320ms   reply-text gen=1 words=5
@1320ms agent turn=1 gen=1
@1320ms   bot-started gen=1
@1320ms   measured turn=1 gen=1 speech=480 endpoint=200 transcript=250 text=300 audio=300 packet=300
";

/// The trace, with a name in place of each of these where it begins with them, line by line.
fn shown(trace: &str) -> String {
    match trace.strip_prefix(TURN) {
        None => trace.to_owned(),
        Some(rest) => match rest.strip_prefix(REPLY) {
            None => format!("(a turn)\n{rest}"),
            Some(rest) => format!("(a turn and its reply)\n{rest}"),
        },
    }
}

fn check(steps: &[Step], expected: &Expect) -> World {
    check_with(settings(), steps, expected)
}

fn check_with(settings: AgentSettings, steps: &[Step], expected: &Expect) -> World {
    let mut world = World::play(settings, steps);
    expected.assert_eq(&shown(world.trace.as_str()));
    if world.end.is_none() {
        world.step(&Silence(20_000));
    }
    world.checks.at_rest();
    world
}

fn behaves(change: impl FnOnce(&mut Behaviour)) -> Step {
    let mut behaviour = Behaviour::default();
    change(&mut behaviour);
    Backend(behaviour)
}

fn text(text: &str, interrupt: bool) -> Step {
    Client(ClientCommand::Text { text: text.to_owned(), interrupt })
}

fn keys(keys: &str) -> Vec<Step> {
    let press = |key| [Client(ClientCommand::Dtmf { key }), Silence(300)];
    keys.chars().flat_map(press).collect()
}

/// A turn of half a second, and its reply of so many ms, which begins to sound.
fn asked(reply_ms: u64) -> Vec<Step> {
    let replies = behaves(|behaviour| {
        behaviour.reply_ms = reply_ms;
        behaviour.in_pieces = true;
    });
    vec![replies, Silence(500), Say(500), Until(FloorState::Agent)]
}

/// The asked-for reply, and then this.
fn during(reply_ms: u64, steps: &[Step], expected: &Expect) -> World {
    check(&[&asked(reply_ms), steps].concat(), expected)
}
