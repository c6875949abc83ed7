//! From the user's frame to the service.

use std::time::Duration;

use antiphon::agent::{BackendInput, PcmFrame};
use antiphon::backend::{Backend, BackendOutput};
use antiphon::call::event::BackendEvent;
use antiphon::limits::{FRAME, WIDEBAND_FRAME};
use antiphon::nova::settings::{INPUT_CHUNK_SAMPLES, NovaSettings};
use antiphon::tools::Toolbox;
use antiphon_nova_sim::SimSettings;
use antiphon_nova_tests::real_call::context;
use antiphon_nova_tests::service::Service;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::figures;

/// 10 s: 312 blocks.
const FRAMES: usize = 500;

/// A block is complete with one of the frames; it is seen when the simulator has read it.
pub(crate) async fn print() {
    let service = Service::start(SimSettings::tones()).await;
    let backend =
        service.backend(NovaSettings::default(), service.connection(), Toolbox::default());
    let mut session = backend.open(context("uplink", None)).expect("there is room");
    let ready = session.output.recv().await;
    assert_eq!(ready, Some(BackendOutput::Event(BackendEvent::Ready)), "it opens");
    let mut watch = service.sim.watch();
    let mut pace = interval(FRAME);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut complete = Vec::with_capacity(FRAMES);
    for _ in 0..FRAMES {
        pace.tick().await;
        complete.push(Instant::now());
        let silence = BackendInput::Audio(PcmFrame([0; WIDEBAND_FRAME]));
        session.input.try_send(silence).expect("the backend reads");
    }
    sleep(Duration::from_millis(500)).await;
    let blocks = FRAMES * WIDEBAND_FRAME / INPUT_CHUNK_SAMPLES;
    let mut read = Vec::with_capacity(blocks);
    while let Ok(sighting) = watch.try_recv() {
        if sighting.is_request && sighting.name == "audioInput" {
            read.push(sighting.at);
        }
    }
    // What was filled in after the last frame comes later than all of these.
    let times = read.iter().take(blocks).enumerate().map(|(index, at)| {
        let frame = ((index + 1) * INPUT_CHUNK_SAMPLES).div_ceil(WIDEBAND_FRAME) - 1;
        at.saturating_duration_since(complete[frame])
    });
    figures::print("user's frame complete -> audioInput read", times.collect());
}
