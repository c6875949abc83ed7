//! From the end of a question to the first sound of its answer, and the last part of that.

use std::time::Duration;

use antiphon::nova::settings::NovaSettings;
use antiphon::tools::Toolbox;
use antiphon_nova_sim::{Sighting, SimSettings};
use antiphon_nova_tests::real_call::{Moments, RealCall, context};
use antiphon_nova_tests::service::Service;
use antiphon_nova_tests::virtual_call::agent_settings;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::{MANNERS, figures};

/// Calls at once, each with a simulator of its own.
const CALLS: usize = 10;
const TURNS: usize = 5;
/// From the answer of one call's simulator to the next one's: together they fall everywhere in the 20 ms from
/// one packet to the next. The simulator counts from the caller's last frame, so that each by itself would
/// always fall in the same place, as no real service does.
const APART: Duration = Duration::from_millis(2);

pub(crate) async fn print() {
    let settings = SimSettings::tones();
    let mut calls = JoinSet::new();
    for number in 0..CALLS as u32 {
        let settings = SimSettings { answer: settings.answer + APART * number, ..settings.clone() };
        let own = settings.detection + settings.answer;
        calls.spawn(async move {
            let service = Service::start(settings).await;
            let (nova, connection) = (NovaSettings::default(), service.connection());
            let backend = service.backend(nova, connection, Toolbox::default());
            let mut watch = service.sim.watch();
            let call = RealCall::new(agent_settings(), &backend, context("turns", None), MANNERS);
            let mut call = call.expect("there is room");
            call.talk(TURNS).await;
            call.moments.truncate(TURNS);
            let mut given = Vec::new();
            while let Ok(Sighting { at, name, .. }) = watch.try_recv() {
                if name == "audioOutput" {
                    given.push(at);
                }
            }
            (own, call.moments, given)
        });
    }
    let (mut whole, mut beyond, mut last) = (Vec::new(), Vec::new(), Vec::new());
    for (own, moments, given) in calls.join_all().await {
        let latencies = figures::latencies(&moments);
        beyond.extend(latencies.iter().map(|time| time.saturating_sub(own)));
        whole.extend(latencies);
        last.extend(moments.iter().filter_map(|moment| after_output(moment, &given)));
    }
    figures::print("audioOutput given -> first packet of it", last);
    figures::print("end of speech -> first audible packet", whole);
    figures::print("  beyond the simulator's own 735 to 753 ms", beyond);
}

/// From the first audio that the service gave after a question to the first packet of the answer.
fn after_output(moment: &Moments, given: &[Instant]) -> Option<Duration> {
    let first = given.iter().find(|at| **at > moment.asked)?;
    Some(moment.answered?.saturating_duration_since(*first))
}
