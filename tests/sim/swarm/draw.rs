//! Draws a call from a seed: who talks, where, over what network, to what backend, and what befalls them.

use std::time::Duration;

use antiphon::agent::AgentSettings;
use antiphon::call::event::{BackendEvent, ClientCommand};
use antiphon::call::settings::{EndpointSettings, EndpointStrategy, InterruptionPolicy};
use antiphon::media::uplink::EchoMode;

use crate::backend::Behaviour;
use crate::client::Reporting;
use crate::network::Network;
use crate::person::{Manner, Person};
use crate::random::Random;
use crate::room::Room;
use crate::world::{Step, World};

/// A call that is about to begin.
pub(super) fn world(seed: u64) -> World {
    let mut random = Random::new(seed);
    let room = room(&mut random);
    let mut settings = settings(&mut random);
    // Cancelling costs many times what the rest of a call does, and washes out the marks by which words
    // are told apart: only where there is an echo.
    settings.uplink.echo = room.echo_db.map_or(EchoMode::Off, |_| EchoMode::Auto);
    let mut world = World::new(settings, seed);
    let manner = Manner::random(&mut random);
    world.person = Some(Person::new(manner, random.fork()));
    world.drift_ppm = if random.percent(30) { random.between(0, 400) as i64 - 200 } else { 0 };
    world.step(&Step::Network(network(&mut random)));
    world.step(&Step::Room(room));
    world.step(&Step::Backend(behaviour(&mut random)));
    let reporting = [Reporting::Absent, Reporting::Truthful, Reporting::Late, Reporting::Lying];
    world.step(&Step::Reports(random.one_of(&reporting)));
    world
}

/// The call, for so long or until it ends.
pub(super) fn play(seed: u64, world: &mut World, length_ms: u64) {
    let mut random = Random::new(!seed);
    while world.end.is_none() && world.now.as_millis() < length_ms {
        let wait_ms = random.between(1, 5_000);
        world.run(wait_ms.min(length_ms - world.now.as_millis()));
        if world.end.is_none() {
            world.step(&befalls(&mut random));
        }
    }
}

/// Mostly a fixed silence, since what follows a turn needs turns that end soon.
fn endpoint(random: &mut Random) -> EndpointSettings {
    let silence = Duration::from_millis(random.between(5, 50) * 20);
    let strategy = match random.between(1, 10) {
        1..=5 => EndpointStrategy::Silence(silence),
        6..=8 => EndpointStrategy::Adaptive,
        9 => EndpointStrategy::Semantic { threshold: 0.5 },
        _ => EndpointStrategy::Backend,
    };
    EndpointSettings { strategy, speculate: random.percent(50), ..EndpointSettings::default() }
}

fn settings(random: &mut Random) -> AgentSettings {
    let mut settings = AgentSettings::default();
    let call = &mut settings.call;
    call.greet = random.percent(50);
    call.endpoint = endpoint(random);
    call.reply_timeout = Duration::from_secs(random.between(3, 6));
    call.stall_timeout = Duration::from_secs(random.between(1, 5));
    call.turn_max = Duration::from_secs(random.between(5, 30));
    call.client_buffer = Duration::from_millis(random.between(0, 200));
    call.interruption.policy = random.one_of(&[
        InterruptionPolicy::Staged,
        InterruptionPolicy::Staged,
        InterruptionPolicy::Immediate,
        InterruptionPolicy::Words(2),
        InterruptionPolicy::Never,
    ]);
    call.interruption.first_words = random.one_of(&[0, 0, 0, 2, 5]);
    if random.percent(20) {
        call.interruption.protected.push("three".to_owned());
    }
    call.wait.filler =
        random.percent(30).then(|| Duration::from_millis(random.between(300, 2_000)));
    call.wait.apologise = random.percent(50);
    if random.percent(30) {
        call.idle.after = Some(Duration::from_secs(random.between(2, 8)));
        call.idle.prompts = vec!["are you there".to_owned(), "hello".to_owned()];
        call.idle.hang_up = random.percent(50);
    }
    settings
}

/// What befalls a call now and then.
fn befalls(random: &mut Random) -> Step {
    match random.between(1, 100) {
        1..=15 => Step::Network(network(random)),
        16..=22 => Step::Blackout(random.between(40, 3_000)),
        23..=50 => Step::Backend(behaviour(random)),
        51..=85 => Step::Client(command(random)),
        86..=95 => Step::BackendSays(BackendEvent::WantsToSpeak),
        96..=98 => Step::Silence(0),
        _ => Step::BackendSays(match random.between(1, 4) {
            1..=3 => BackendEvent::HangUp { reason: "done".to_owned() },
            _ => BackendEvent::Failed { message: "gone".to_owned() },
        }),
    }
}

fn network(random: &mut Random) -> Network {
    if random.percent(30) {
        return Network { delay_ms: random.between(0, 60), ..Network::default() };
    }
    let mut often = |percent: u64, most: u64| {
        if random.percent(percent) { random.between(1, most) } else { 0 }
    };
    Network {
        jitter_ms: often(70, 80),
        loss_percent: often(40, 20),
        burst_permille: often(30, 20),
        duplicate_percent: often(20, 10),
        reorder_percent: often(20, 10),
        delay_ms: often(100, 200),
    }
}

fn room(random: &mut Random) -> Room {
    let mut often = |percent: u64, least: u64, most: u64| {
        random.percent(percent).then(|| -(random.between(least, most) as f32))
    };
    // Cancelling echo costs some thirty times what the rest of a call does; few calls have one.
    let echo_db = often(2, 6, 30);
    let noise_db = often(10, 25, 50);
    let other_db = often(5, 12, 30);
    Room { echo_db, noise_db, other_db, echo_delay_ms: random.between(10, 900) }
}

fn behaviour(random: &mut Random) -> Behaviour {
    Behaviour {
        think_ms: random.between(0, 2_000),
        reply_ms: random.between(0, 60) * 100 + random.between(0, 99),
        speed_percent: random.between(50, 1_000),
        stalls_after_ms: random.percent(8).then(|| random.between(0, 1_500)),
        fails: random.percent(6),
        is_deaf: random.percent(4),
        late_ms: random.between(0, 400),
        in_pieces: random.percent(50),
        times_words: random.percent(40),
        transcribes_early: random.percent(50),
        interrupted_after_ms: random.percent(10).then(|| random.between(0, 3_000)),
    }
}

fn command(random: &mut Random) -> ClientCommand {
    match random.between(1, 10) {
        1 => ClientCommand::Ready,
        2..=3 => {
            let interrupt = random.percent(50);
            ClientCommand::Text { text: "some words".to_owned(), interrupt }
        }
        4..=6 => ClientCommand::Mute { muted: random.percent(30) },
        7..=9 => ClientCommand::Dtmf { key: if random.percent(30) { '#' } else { '5' } },
        _ => {
            let [call_id, result] = ["1", "{}"].map(str::to_owned);
            ClientCommand::ToolResult { call_id, result }
        }
    }
}
