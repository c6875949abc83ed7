//! Bytes as a recording: read, replayed and drawn, as the command would. The fuzzer cannot find checksums, so
//! what it makes is also wrapped into a good file, as its header and as a block of records.
#![no_main]

use antiphon::agent::{AgentSettings, Observe};
use antiphon::dsp::vad::level::LevelVoice;
use antiphon::flight::drawing::Drawing;
use antiphon::flight::replay::{Engine, Replay};
use antiphon::flight::{Header, Kind, Reader, file};
use antiphon::media::pcm::PcmCodec;
use antiphon::time::SessionTime;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    run(bytes);
    for kind in [Kind::Full, Kind::Features] {
        let mut wrapped = file::begin(&header(kind));
        wrapped.extend(file::block(bytes));
        wrapped.extend(file::end(""));
        run(&wrapped);
    }
});

fn header(kind: Kind) -> Header {
    let text = |text: &str| text.to_owned();
    Header {
        program: text("0"),
        began: text("2026"),
        call: text("fuzz"),
        kind,
        codec: text("pcm16"),
        voice_model: text("level"),
        settings: AgentSettings::default(),
    }
}

fn run(bytes: &[u8]) {
    let Ok(reader) = Reader::open(bytes) else { return };
    let header = reader.header().clone();
    let engine = || match header.kind {
        Kind::Full => {
            let voice = LevelVoice::new(-50.0);
            let settings = header.settings.clone();
            Engine::agent(settings, PcmCodec, voice, false, Observe::Decisions)
        }
        Kind::Features => Engine::conversation(&header.settings),
    };
    let mut replay = Replay::new(reader, engine()).what_if(engine());
    let mut drawing = Drawing::new("fuzz", SessionTime::ZERO, None);
    while let Ok(true) = replay.advance() {
        while let Some(seen) = replay.poll_seen() {
            drawing.see(seen.at, &seen.observed);
        }
    }
    let svg = drawing.to_svg();
    assert!(!svg.contains("NaN"));
}
