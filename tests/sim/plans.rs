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

fn check(steps: &[Step], expected: &Expect) -> World {
    check_with(settings(), steps, expected)
}

fn check_with(settings: AgentSettings, steps: &[Step], expected: &Expect) -> World {
    let mut world = World::play(settings, steps);
    expected.assert_eq(world.trace.as_str());
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
