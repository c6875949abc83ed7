//! What each stage of a call costs: CPU milliseconds for each second of audio.
//!
//! ```text
//! cargo bench --bench stages [-- FILTER]
//! ```
//!
//! One thread; the least of several runs, since on a shared machine the others measure the
//! neighbours. 10 ms/s is 1 % of a core.
#![expect(clippy::print_stdout, reason = "printing a table is what it is for")]

mod whole;

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use antiphon::call::event::{DownlinkCommand, Generation};
use antiphon::dsp::denoise::{DenoiseMode, Denoiser};
use antiphon::dsp::echo::{EchoCanceller, EchoMode};
use antiphon::dsp::g711;
use antiphon::dsp::mel::{LogMel, SAMPLES};
use antiphon::dsp::pitch::PitchTracker;
use antiphon::dsp::resample::Resampler;
use antiphon::dsp::silero::SileroModel;
use antiphon::dsp::vad::level::LevelVoice;
use antiphon::dsp::vad::{VoiceDetector, VoiceModel, WINDOW_SAMPLES};
use antiphon::limits::{
    ENCODED_FRAME_BYTES_MAX, FRAME_MS, FULLBAND_FRAME, FULLBAND_HZ, WIDEBAND_HZ,
};
use antiphon::media::codec::{Codec, CodecError, Concealment};
use antiphon::media::downlink::Downlink;
use antiphon::media::opus::OpusCodec;
use antiphon::rtp::jitter::{
    Arrival, JitterBuffer, JitterSettings, Passage, Playhead, Pop, Redundancy,
};
use antiphon::time::SessionTime;

const SPEECH: &[u8] = include_bytes!("../golden/silero/speech.ulaw");
/// Audio in one run, in seconds, and runs of each stage.
const RUN_S: u32 = 4;
const RUNS: u32 = 7;
const FRAMES_PER_S: u32 = 1_000 / FRAME_MS;
/// Packets that the decoder is given, again and again.
const SPEECH_PACKETS: usize = 250;

/// One stage: a name, and what it does with the next 20 ms.
struct Stage {
    name: String,
    step: Box<dyn FnMut()>,
}

fn main() {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    println!("{:<44}{:>10}", "stage", "ms/s");
    for mut stage in stages() {
        if filter.as_ref().is_none_or(|filter| stage.name.contains(filter.as_str())) {
            println!("{:<44}{:>10.3}", stage.name, measure(&mut *stage.step));
        }
    }
    let is_wanted =
        |name: &str| filter.as_ref().is_none_or(|filter| name.contains(filter.as_str()));
    if is_wanted("whole agent") {
        whole::print();
    }
    if is_wanted("log-mel") {
        log_mel();
    }
    if filter.is_none() {
        contention();
    }
}

/// Milliseconds for each second of audio, after a second of warming up.
fn measure(step: &mut dyn FnMut()) -> f64 {
    (0..FRAMES_PER_S).for_each(|_| step());
    let run = |_| {
        let start = Instant::now();
        (0..RUN_S * FRAMES_PER_S).for_each(|_| step());
        start.elapsed()
    };
    let least = (0..RUNS).map(run).min().unwrap_or(Duration::MAX);
    least.as_secs_f64() * 1_000.0 / f64::from(RUN_S)
}

fn stages() -> Vec<Stage> {
    let mut stages = Vec::new();
    for (from_hz, to_hz) in
        [(48_000, 16_000), (8_000, 16_000), (8_000, 48_000), (16_000, 48_000), (24_000, 48_000)]
    {
        stages.push(resample(from_hz, to_hz));
    }
    for mode in [DenoiseMode::Light, DenoiseMode::Rnnoise, DenoiseMode::Auto] {
        stages.push(denoise(mode, 0.0));
    }
    stages.push(denoise(DenoiseMode::Auto, 0.02));
    stages.push(echo("agent audible, echo", EchoMode::On, true, 0.3));
    stages.push(echo("agent audible, client cancels", EchoMode::Auto, true, 0.0));
    stages.push(echo("agent silent", EchoMode::On, false, 0.3));
    stages.push(voice("level (simulation)", LevelVoice::new(-50.0)));
    stages.push(voice("silero", model(1).stream()));
    stages.push(pitch());
    stages.push(downlink("sounding", true));
    stages.push(downlink("silent", false));
    stages.push(g711_both_ways());
    stages.push(opus_encode());
    stages.push(opus_decode());
    stages.push(jitter_buffer());
    stages
}

fn resample(from_hz: u32, to_hz: u32) -> Stage {
    let mut frames = Frames::new(from_hz, 0.0);
    let mut resampler = Resampler::new(from_hz, to_hz).expect("a supported pair");
    let mut output = Vec::new();
    let step = move || {
        output.clear();
        resampler.step(frames.next(), &mut output);
        black_box(&output);
    };
    Stage { name: format!("resample {from_hz} -> {to_hz}"), step: Box::new(step) }
}

fn denoise(mode: DenoiseMode, noise: f32) -> Stage {
    let mut frames = Frames::new(mode.input_rate_hz(), noise);
    let mut denoiser = Denoiser::new(mode);
    let mut output = Vec::new();
    let mut step = move || {
        output.clear();
        denoiser.step(frames.next(), &mut output);
        black_box(&output);
    };
    // Long enough for `Auto` to make up its mind.
    (0..6 * FRAMES_PER_S).for_each(|_| step());
    let noisy = if noise > 0.0 { ", loud noise" } else { "" };
    Stage { name: format!("denoise {mode:?}{noisy}").to_lowercase(), step: Box::new(step) }
}

/// The canceller with an echo of `gain`, 190 ms after it was sent.
fn echo(name: &str, mode: EchoMode, is_sounding: bool, gain: f32) -> Stage {
    const DELAY_FRAMES: usize = 9;
    const FRAME: usize = FRAME_MS as usize * 16;
    let mut frames = Frames::new(WIDEBAND_HZ, 0.002);
    let mut canceller = EchoCanceller::new(mode);
    let mut on_the_way = std::collections::VecDeque::from([[0.0; FRAME]; DELAY_FRAMES]);
    let mut at = 0;
    let mut step = move || {
        let mut sent = [0.0; FRAME];
        sent.copy_from_slice(frames.next());
        on_the_way.push_back(sent.map(|sample| sample * gain));
        let mut heard = on_the_way.pop_front().expect("it is never empty");
        canceller.push_sent(at, &if is_sounding { sent } else { [0.0; FRAME] });
        black_box(canceller.step(at, &mut heard));
        at += FRAME as i64;
    };
    // Long enough for `Auto` to make up its mind.
    (0..6 * FRAMES_PER_S).for_each(|_| step());
    Stage { name: format!("echo canceller, {name}"), step: Box::new(step) }
}

fn voice(name: &str, model: impl VoiceModel + 'static) -> Stage {
    let mut frames = Frames::new(16_000, 0.0);
    let mut detector = VoiceDetector::new(model);
    let step = move || {
        black_box(detector.step(frames.next()));
    };
    Stage { name: format!("voice {name}"), step: Box::new(step) }
}

/// On every frame; a call does so only while somebody speaks.
fn pitch() -> Stage {
    let mut frames = Frames::new(WIDEBAND_HZ, 0.0);
    let mut tracker = PitchTracker::new();
    let step = move || {
        black_box(tracker.step(frames.next()));
    };
    Stage { name: "pitch".to_owned(), step: Box::new(step) }
}

/// Everything from a backend's 24 kHz to the encoder, without the encoder.
fn downlink(name: &str, sounding: bool) -> Stage {
    let mut frames = Frames::new(24_000, 0.0);
    let mut codec = NoCodec;
    let mut downlink = Downlink::new(&codec, 0);
    downlink.start(SessionTime::ZERO);
    let generation = Generation(1);
    downlink.command(SessionTime::ZERO, DownlinkCommand::Play { generation });
    let mut pcm = Vec::new();
    let step = move || {
        let now = downlink.next_slot().expect("it was started");
        if sounding {
            pcm.clear();
            pcm.extend(frames.next().iter().copied().map(g711::i16_from_f32));
            downlink.push(now, generation, 24_000, &pcm).expect("as much is taken as is pushed");
        }
        black_box(downlink.poll_slot(now, &mut codec));
    };
    Stage { name: format!("downlink {name}, 24 kHz, no encoder"), step: Box::new(step) }
}

fn g711_both_ways() -> Stage {
    let mut frames = Frames::new(8_000, 0.0);
    let step = move || {
        for sample in frames.next() {
            let code = g711::ulaw_encode(g711::i16_from_f32(*sample));
            black_box(g711::f32_from_i16(g711::ulaw_decode(black_box(code))));
        }
    };
    Stage { name: "g711 encode and decode".to_owned(), step: Box::new(step) }
}

fn opus() -> OpusCodec {
    OpusCodec::new(WIDEBAND_HZ).expect("Opus")
}

fn opus_encode() -> Stage {
    let mut frames = Frames::new(FULLBAND_HZ, 0.0);
    let mut codec = opus();
    let mut payload = [0; ENCODED_FRAME_BYTES_MAX];
    let step = move || {
        black_box(codec.encode(frames.next(), &mut payload).expect("a frame"));
    };
    Stage { name: "opus encode, 48 kHz".to_owned(), step: Box::new(step) }
}

fn opus_decode() -> Stage {
    let packets = opus_packets(SPEECH_PACKETS);
    let mut order = (0..packets.len()).cycle();
    let mut codec = opus();
    let mut pcm = [0.0; FULLBAND_FRAME];
    let step = move || {
        let packet = &packets[order.next().expect("they go on for ever")];
        black_box(codec.decode(packet, &mut pcm).expect("a packet"));
    };
    Stage { name: "opus decode, 16 kHz".to_owned(), step: Box::new(step) }
}

/// So many packets of speech.
fn opus_packets(count: usize) -> Vec<Vec<u8>> {
    let mut frames = Frames::new(FULLBAND_HZ, 0.0);
    let mut codec = opus();
    let mut payload = [0; ENCODED_FRAME_BYTES_MAX];
    let mut packet = || {
        let length = codec.encode(frames.next(), &mut payload).expect("a frame");
        payload[..length].to_vec()
    };
    (0..count).map(|_| packet()).collect()
}

/// One packet in and one out, every fifth of them 15 ms late.
fn jitter_buffer() -> Stage {
    let settings = JitterSettings::CONVERSATION;
    let mut buffer = JitterBuffer::new(settings, FULLBAND_HZ, Redundancy::NextPacket);
    let ticks = FULLBAND_FRAME as u32;
    let payload = [0; 80];
    let mut index = 0_u32;
    let step = move || {
        let (sequence, timestamp) = (index as u16, index.wrapping_mul(ticks));
        let arrival = Arrival { sequence, timestamp, ticks, marker: false, payload: &payload };
        let at_ms = u64::from(index * FRAME_MS);
        let late_ms = if index.is_multiple_of(5) { 15 } else { 0 };
        black_box(buffer.push(SessionTime::from_millis(at_ms + late_ms), &arrival))
            .expect("in time");
        index += 1;
        let playhead = Playhead { ahead_ticks: 0, passage: Passage::Speech };
        let slot = SessionTime::from_millis(at_ms + u64::from(FRAME_MS));
        black_box(matches!(buffer.pop(slot, playhead), Pop::Frame { .. }));
    };
    Stage { name: "jitter buffer".to_owned(), step: Box::new(step) }
}

/// What the turn's model is given, once in each pause: not on the call's loop.
fn log_mel() {
    let mut features = LogMel::new();
    let mut frames = Frames::new(WIDEBAND_HZ, 0.0);
    let mut pcm: Vec<i16> = Vec::new();
    while pcm.len() < SAMPLES {
        pcm.extend(frames.next().iter().copied().map(g711::i16_from_f32));
    }
    let run = |_| {
        let start = Instant::now();
        black_box(features.step(&pcm));
        start.elapsed()
    };
    let least = (0..10 * RUNS).map(run).min().unwrap_or(Duration::MAX);
    println!("{:<44}{:>10.3} ms", "log-mel of 8 s, once a pause", least.as_secs_f64() * 1_000.0);
}

/// How many windows all cores together judge, by how many sessions they share: the reason for one
/// session for each core.
fn contention() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    println!("\n{threads} threads judging windows, {:>20}{:>16}", "windows/s", "worst us");
    for sessions in [1, threads] {
        let (per_second, worst) = (0..RUNS)
            .map(|_| judge_together(&model(sessions), threads))
            .max_by_key(|(per_second, _)| *per_second)
            .expect("there were runs");
        println!("{sessions} session(s) {per_second:>32}{:>16}", worst.as_micros());
    }
}

fn judge_together(model: &SileroModel, threads: usize) -> (u64, Duration) {
    const WINDOWS: usize = 1_000;
    let window = [0.01; WINDOW_SAMPLES];
    let start = Instant::now();
    let worst = std::thread::scope(|scope| {
        let judge = || {
            let mut stream = model.stream();
            let timed = |_| {
                let start = Instant::now();
                black_box(stream.step(&window));
                start.elapsed()
            };
            (0..WINDOWS).map(timed).max()
        };
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(judge)).collect();
        handles.into_iter().filter_map(|handle| handle.join().ok().flatten()).max()
    });
    let windows = (threads * WINDOWS) as f64;
    ((windows / start.elapsed().as_secs_f64()) as u64, worst.unwrap_or_default())
}

fn model(sessions: usize) -> SileroModel {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".runtime");
    let (library, model) = (folder.join("libonnxruntime.so"), folder.join("silero_vad.onnx"));
    SileroModel::load_sessions(&library, &model, sessions)
        .unwrap_or_else(|error| panic!("the benchmark needs the voice model: {error}"))
}

/// Speech at a rate, for ever, 20 ms at a time.
struct Frames {
    pcm: Vec<f32>,
    length: usize,
    at: usize,
}

impl Frames {
    fn new(rate_hz: u32, noise: f32) -> Self {
        let speech: Vec<f32> =
            SPEECH.iter().map(|code| g711::f32_from_i16(g711::ulaw_decode(*code))).collect();
        let mut pcm = Vec::new();
        Resampler::new(16_000, rate_hz).expect("a supported pair").step(&speech, &mut pcm);
        let mut seed = 1_u32;
        for sample in &mut pcm {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample += noise * (seed as f32 / (1_u32 << 31) as f32 - 1.0);
        }
        let length = (rate_hz / 1_000 * FRAME_MS) as usize;
        Self { pcm, length, at: 0 }
    }

    fn next(&mut self) -> &[f32] {
        if self.at + self.length > self.pcm.len() {
            self.at = 0;
        }
        let frame = &self.pcm[self.at..self.at + self.length];
        self.at += self.length;
        frame
    }
}

/// A codec that costs nothing.
struct NoCodec;

impl Codec for NoCodec {
    fn decode_rate_hz(&self) -> u32 {
        48_000
    }

    fn encode_rate_hz(&self) -> u32 {
        48_000
    }

    fn rtp_clock_hz(&self) -> u32 {
        48_000
    }

    fn packet_samples(&self, _: &[u8]) -> Result<usize, CodecError> {
        Ok(960)
    }

    fn decode(&mut self, _: &[u8], pcm: &mut [f32]) -> Result<usize, CodecError> {
        pcm.fill(0.0);
        Ok(pcm.len())
    }

    fn conceal(&mut self, _: Option<&[u8]>, pcm: &mut [f32]) -> Concealment {
        pcm.fill(0.0);
        Concealment::Plc
    }

    fn encode(&mut self, pcm: &[f32], payload: &mut [u8]) -> Result<usize, CodecError> {
        black_box(pcm);
        payload[..60].fill(0);
        Ok(60)
    }

    fn silence(&self) -> &[u8] {
        &[0; 3]
    }
}
