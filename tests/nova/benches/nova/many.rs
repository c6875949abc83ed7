//! Many calls at once.

use std::sync::Arc;
use std::time::Duration;

use antiphon::nova::settings::NovaSettings;
use antiphon::tools::Toolbox;
use antiphon_nova_sim::SimSettings;
use antiphon_nova_tests::real_call::{RealCall, context};
use antiphon_nova_tests::service::Service;
use antiphon_nova_tests::virtual_call::agent_settings;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::MANNERS;
use crate::figures::{self, Words};

/// `apart`: from the beginning of each call to that of the next.
pub(crate) async fn print(calls: usize, turns: usize, apart: Duration) {
    let sim = SimSettings { sessions_max: calls * 2, ..SimSettings::tones() };
    let service = Service::start(sim).await;
    let mut connection = service.connection();
    connection.sessions_max = calls * 2;
    let nova = NovaSettings::default();
    let backend = Arc::new(service.backend(nova, connection, Toolbox::default()));
    let (began, cpu_before) = (Instant::now(), figures::cpu_time());
    let mut talks = JoinSet::new();
    for number in 0..calls {
        let backend = Arc::clone(&backend);
        talks.spawn(async move {
            let context = context(&format!("many-{number}"), None);
            let call = RealCall::new(agent_settings(), &backend, context, MANNERS);
            let mut call = call.expect("there is room");
            call.talk(turns).await;
            call.moments.truncate(turns);
            let heard = call.caller.exchanges();
            let words = Words::of(&heard[..heard.len().min(turns)]);
            (figures::latencies(&call.moments), words.exchanges_wrong, call.end.is_some())
        });
        sleep(apart).await;
    }
    let (mut latencies, mut wrong, mut ended) = (Vec::new(), 0, 0);
    for (latency, exchanges_wrong, has_ended) in talks.join_all().await {
        latencies.extend(latency);
        wrong += exchanges_wrong;
        ended += usize::from(has_ended);
    }
    let (all, took) = (calls * turns, began.elapsed());
    figures::print(&format!("{calls} calls: end of speech -> first audible"), latencies);
    println!(
        "  {wrong} of {all} exchanges not word for word ({:.2} %), {ended} calls ended early",
        wrong as f64 / all as f64 * 100.0
    );
    println!(
        "  CPU {:.2} of a core, simulator and callers included; memory {:.1} MiB",
        (figures::cpu_time() - cpu_before).as_secs_f64() / took.as_secs_f64(),
        figures::resident_mib()
    );
}
