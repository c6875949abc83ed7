//! A call on real sockets, recorded, and replayed to the same decisions.

use std::fs;
use std::path::PathBuf;

use antiphon::agent::Observe;
use antiphon::call::event::EndReason;
use antiphon::config::RecordingsConfig;
use antiphon::dsp::vad::{VoiceModel, WINDOW_SAMPLES};
use antiphon::flight::replay::{Engine, Replay};
use antiphon::flight::{Kind, Reader};
use antiphon::media::negotiated::NegotiatedCodec;
use antiphon::telemetry::recordings::Recordings;
use antiphon_loopback::{Codec, PATIENCE, Sockets};

use crate::agent::{CALL_ID, Desk};

/// A voice model that is not needed.
struct Recorded;

impl VoiceModel for Recorded {
    fn step(&mut self, _window: &[f32; WINDOW_SAMPLES]) -> f32 {
        0.0
    }

    fn reset(&mut self) {}
}

fn recorded(name: &str, kind: Kind) -> (Desk, PathBuf) {
    let name = format!("antiphon-loopback-{name}-{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    let config = RecordingsConfig { directory: directory.clone(), kind };
    let mut desk = Desk::new();
    desk.recordings = Some(Recordings::prepare(&config).expect("a directory"));
    (desk, directory)
}

/// The lines of a replay, why the call ended and the note; the recording is deleted.
async fn replayed(desk: &Desk, directory: PathBuf) -> (Vec<String>, Option<String>, String) {
    desk.recordings.as_ref().expect("it has them").finished(PATIENCE).await;
    let path = directory.join(CALL_ID).with_extension("flight");
    let bytes = fs::read(path).expect("it was written");
    fs::remove_dir_all(directory).expect("it is ours");
    let reader = Reader::open(&bytes).expect("a recording");
    let settings = reader.header().settings.clone();
    let engine = match reader.header().kind {
        Kind::Full => {
            let codec = NegotiatedCodec::opus(16_000).expect("Opus");
            Engine::agent(settings, codec, Recorded, false, Observe::Decisions)
        }
        Kind::Features => Engine::conversation(&settings),
    };
    let mut replay = Replay::new(reader, engine);
    let mut lines = Vec::new();
    while replay.advance().expect("a whole file") {
        while let Some(seen) = replay.poll_seen() {
            lines.extend(seen.line);
        }
    }
    assert_eq!(replay.difference(), None, "after {} lines", replay.lines());
    let over = replay.over().map(str::to_owned);
    (lines, over, replay.note().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_recorded_call_replays_to_the_same_decisions() {
    for (name, kind) in [("full", Kind::Full), ("features", Kind::Features)] {
        let (desk, directory) = recorded(name, kind);
        let (mut caller, mut call) = desk.connected(Codec::Opus, Sockets::Udp).await;
        caller.next_rtp().await;
        assert!(call.hears_a_turn_of(&caller, Codec::Opus).await);
        call.handle.end(EndReason::Client).await.expect("it ends");
        let (lines, over, note) = replayed(&desk, directory).await;
        assert!(lines.iter().any(|line| line.contains("user turn=1 gen=1 echo=")), "{lines:#?}");
        assert_eq!((over.as_deref(), note.as_str()), (Some("client"), ""));
    }
}
