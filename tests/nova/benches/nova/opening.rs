//! From a call to a conversation that is ready.

use std::time::Duration;

use antiphon::backend::nova_sonic::NovaSonic;
use antiphon::backend::{Backend, BackendOutput};
use antiphon::call::event::BackendEvent;
use antiphon::nova::settings::NovaSettings;
use antiphon::tools::Toolbox;
use antiphon_nova_sim::SimSettings;
use antiphon_nova_tests::real_call::context;
use antiphon_nova_tests::service::Service;
use tokio::time::{Instant, sleep};

use crate::figures;

const OPENINGS: usize = 30;
/// How often is looked whether something is ready, outside of what is measured.
const LOOK_EVERY: Duration = Duration::from_millis(2);

pub(crate) async fn print() {
    let service = Service::start(SimSettings { sessions_max: 200, ..SimSettings::tones() }).await;
    let mut cold = Vec::new();
    let mut warm_connection = Vec::new();
    let mut warm_session = Vec::new();
    for _ in 0..OPENINGS {
        let backend = of(&service, 0, 0);
        cold.push(open(&backend).await);

        let connections = service.sim.counts().connections;
        let backend = of(&service, 1, 0);
        backend.keep_warm();
        until(|| service.sim.counts().connections > connections).await;
        // The question that made the connection is answered.
        sleep(Duration::from_millis(30)).await;
        warm_connection.push(open(&backend).await);

        let backend = of(&service, 1, 1);
        backend.keep_warm();
        until(|| backend.warm_ready() > 0).await;
        sleep(Duration::from_millis(30)).await;
        warm_session.push(open(&backend).await);
    }
    figures::print("opening, cold", cold);
    figures::print("opening, warm connection", warm_connection);
    figures::print("opening, warm session", warm_session);
}

fn of(service: &Service, connections: usize, sessions: usize) -> NovaSonic {
    let mut connection = service.connection();
    connection.warm.connections = connections;
    connection.warm.sessions = sessions;
    service.backend(NovaSettings::default(), connection, Toolbox::default())
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        sleep(LOOK_EVERY).await;
    }
}

async fn open(backend: &NovaSonic) -> Duration {
    let began = Instant::now();
    let mut session = backend.open(context("opening", None)).expect("there is room");
    let ready = session.output.recv().await;
    let took = began.elapsed();
    assert_eq!(ready, Some(BackendOutput::Event(BackendEvent::Ready)), "it opens");
    took
}
