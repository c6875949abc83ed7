//! A long call on short connections, of which many fail.

use std::time::Duration;

use antiphon::tools::Toolbox;
use antiphon_nova_sim::SimSettings;
use antiphon_nova_sim::faults::{ExceptionKind, Fault, FaultRule, ResetReason, StreamFault, When};
use antiphon_nova_tests::real_call::{RealCall, context};
use antiphon_nova_tests::service::Service;
use antiphon_nova_tests::virtual_call::agent_settings;
use tokio::time::{Instant, timeout};

use crate::MANNERS;
use crate::figures::{self, Words};

/// `limit`: how long a connection lives.
pub(crate) async fn print(length: Duration, limit: Duration, period: Duration) {
    let rule = FaultRule { faults: faults(), when: When::Every { period } };
    let sim = SimSettings { connection_limit: limit, faults: vec![rule], ..SimSettings::tones() };
    let service = Service::start(sim).await;
    let nova = figures::renewing_within(limit);
    let backend = service.backend(nova, service.connection(), Toolbox::default());
    let call = RealCall::new(agent_settings(), &backend, context("long", None), MANNERS);
    let mut call = call.expect("there is room");
    let (began, cpu_before) = (Instant::now(), figures::cpu_time());
    println!("{} s of talk, a connection lives {} s:", length.as_secs(), limit.as_secs());
    let steps = 6;
    for step in 0..=steps {
        let at = length * step / steps;
        // The call goes on until then: that time runs out is its end.
        let _elapsed = timeout(at.saturating_sub(began.elapsed()), call.run(|_| false)).await;
        println!("  memory after {:4} s: {:6.1} MiB", at.as_secs(), figures::resident_mib());
    }
    let exchanges = call.caller.exchanges();
    let over = &exchanges[..exchanges.len().saturating_sub(1)];
    let words = Words::of(over);
    let gap_ms = over.iter().map(|exchange| exchange.gap_ms).max().unwrap_or_default();
    for exchange in
        over.iter().filter(|exchange| Words::of(&[(*exchange).clone()]).exchanges_wrong > 0)
    {
        println!("  not word for word: {exchange:?}");
    }
    let counts = service.sim.counts();
    println!(
        "  {} exchanges, {} words, {} lost, {} doubled; longest gap within an answer {gap_ms} ms",
        over.len(),
        words.expected,
        words.lost,
        words.doubled
    );
    println!(
        "  {} connections, {} protocol errors, {} complaints, ended: {:?}, CPU {:.1} %",
        counts.streams,
        counts.protocol_errors.len(),
        call.complaints.len(),
        call.end,
        (figures::cpu_time() - cpu_before).as_secs_f64() / began.elapsed().as_secs_f64() * 100.0
    );
}

fn faults() -> Vec<Fault> {
    let exception = |kind, message: &str| StreamFault::Exception(kind, message.to_owned());
    let faults = vec![
        exception(ExceptionKind::InternalServer, "internal"),
        StreamFault::Close,
        StreamFault::Reset(ResetReason::NoError),
        exception(ExceptionKind::Throttling, "slow down"),
        StreamFault::GoAwayAbrupt,
        exception(ExceptionKind::ModelTimeout, "Model has timed out in processing the request."),
        StreamFault::Truncated,
        StreamFault::Silence,
    ];
    faults.into_iter().map(Fault::Stream).collect()
}
