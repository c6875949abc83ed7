//! What the agent adds to the way of a sound, over real sockets on loopback.
//!
//! ```text
//! cargo bench --workspace --bench latency
//!
//! capture to backend:  caller sends a packet --> 20 ms of it reach the backend
//! backend to packet:   backend sends the first audio of a reply --> caller has its first packet
//! ```
//!
//! `raw` is all of it. `own` leaves out what is waited for on purpose on the way in: the jitter buffer's
//! smallest depth. Both include the caller's own WebRTC stack and the scheduling of this one process.
#![expect(clippy::print_stdout, reason = "printing a table is what it is for")]

use std::time::{Duration, Instant};

use antiphon::agent::{Agent, AgentSettings, BackendInput};
use antiphon::backend::{BackendChannels, BackendOutput, ReplyAudio, channels};
use antiphon::call::event::{BackendCommand, BackendEvent, Generation};
use antiphon::call::settings::{CallSettings, EndpointSettings};
use antiphon::dsp::vad::level::LevelVoice;
use antiphon::limits::{FRAME_MS, JITTER_DEPTH_MS_MIN};
use antiphon::media::codec::Codec as _;
use antiphon::media::frame::PcmFrame;
use antiphon::media::g711::Law;
use antiphon::media::negotiated::NegotiatedCodec;
use antiphon::metrics::Metrics;
use antiphon::peer::{Advertise, CallHandle, CallParts, Endpoint, EndpointConfig};
use antiphon_loopback::{Caller, Codec, PATIENCE, Sockets};
use tokio::sync::mpsc::Receiver;
use tokio::time::{interval, sleep, timeout};

/// Packets before the first mark: the turn has begun and its pre-roll was handed over.
const LEAD_PACKETS: usize = 50;
/// Packets from one mark to the next: longer than any delay looked for.
const MARK_PACKETS: usize = 10;
const MARKS: usize = 60;
/// How much quieter than a mark the hum between marks is.
const QUIET: f32 = 0.1;
/// A frame louder than this (RMS of full scale) is a mark; those are 0.16, the hum between 0.016.
const MARK_RMS: f32 = 0.06;
/// Replies measured, how long each is in blocks of 20 ms, and the silence that is left after it.
const REPLIES: u32 = 40;
const REPLY_BLOCKS: usize = 10;
const BETWEEN_REPLIES: Duration = Duration::from_millis(600);
const REPLY_RATE_HZ: u32 = 24_000;

#[tokio::main]
async fn main() {
    println!("{:<38}{:>6}{:>12}{:>12}", "milliseconds", "n", "p50", "p99");
    for codec in [Codec::Opus, Codec::Pcmu] {
        capture_to_backend(codec).await;
    }
    backend_to_packet().await;
}

/// One line of the table.
fn print(name: &str, mut delays_ms: Vec<f64>) {
    delays_ms.sort_by(f64::total_cmp);
    let quantile = |share: f64| {
        let rank = (delays_ms.len() as f64 * share).ceil() as usize;
        delays_ms.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    };
    println!("{name:<38}{:>6}{:>12.2}{:>12.2}", delays_ms.len(), quantile(0.5), quantile(0.99));
}

/// From `start` to `end`, negative if it is the other way round.
fn millis(start: Instant, end: Instant) -> f64 {
    let forth = end.saturating_duration_since(start).as_secs_f64();
    let back = start.saturating_duration_since(end).as_secs_f64();
    (forth - back) * 1_000.0
}

// ==== The way in ====

async fn capture_to_backend(kind: Codec) {
    let mut call = Call::connected(kind).await;
    let (mut sent, mut arrived) = (Vec::new(), Vec::new());
    tokio::select! {
        () = hear_marks(&mut call.channels.input, &mut arrived) => {}
        () = send_marks(&call.caller, kind, &mut sent) => {}
    }
    let depth_ms = f64::from(JITTER_DEPTH_MS_MIN);
    let spacing = Duration::from_millis(MARK_PACKETS as u64 * u64::from(FRAME_MS));
    let arrival = |sent: &Instant| {
        let found = arrived.iter().find(|at| *at >= sent && **at - *sent < spacing);
        found.map(|at| millis(*sent, *at))
    };
    let raw: Vec<f64> = sent.iter().filter_map(arrival).collect();
    let own = raw.iter().map(|raw| raw - depth_ms).collect();
    print(&format!("capture to backend, {kind:?}, raw"), raw);
    print(&format!("capture to backend, {kind:?}, own"), own);
    let stats = call.handle.stats().await.expect("the call runs").agent.uplink;
    let concealed = stats.frames_concealed;
    println!("  {} ms target at the end, {concealed} concealed frames", stats.jitter.target_ms);
}

/// Hums, and is loud for one packet now and then; notes when.
async fn send_marks(caller: &Caller, kind: Codec, sent: &mut Vec<Instant>) {
    let mut codec = codec_of(kind, 48_000);
    let ticks = codec.rtp_clock_hz() / 1_000 * FRAME_MS;
    let last = LEAD_PACKETS + MARKS * MARK_PACKETS;
    // All of it beforehand, so that encoding delays nothing.
    let payloads: Vec<Vec<u8>> = (0..last).map(|index| payload(&mut codec, index)).collect();
    let mut beat = interval(Duration::from_millis(u64::from(FRAME_MS)));
    for (index, payload) in payloads.iter().enumerate() {
        beat.tick().await;
        if is_mark(index) {
            sent.push(Instant::now());
        }
        caller.send(index as u16, index as u32 * ticks, payload).await;
    }
}

fn is_mark(index: usize) -> bool {
    index >= LEAD_PACKETS && (index - LEAD_PACKETS).is_multiple_of(MARK_PACKETS)
}

fn payload(codec: &mut NegotiatedCodec, index: usize) -> Vec<u8> {
    let rate_hz = codec.encode_rate_hz();
    let samples = (rate_hz / 1_000 * FRAME_MS) as usize;
    let gain = if is_mark(index) { 1.0 } else { QUIET };
    let pcm: Vec<f32> =
        (0..samples).map(|sample| gain * hum(index * samples + sample, rate_hz)).collect();
    let mut payload = vec![0; 640];
    let length = codec.encode(&pcm, &mut payload).expect("a frame");
    payload.truncate(length);
    payload
}

/// Notes when each loud frame after a quiet one reaches the backend.
async fn hear_marks(input: &mut Receiver<BackendInput>, arrived: &mut Vec<Instant>) {
    let mut was_loud = false;
    while let Some(input) = input.recv().await {
        if let BackendInput::Audio(PcmFrame(pcm)) = input {
            let now = Instant::now();
            let energy: f32 = pcm.iter().map(|it| (f32::from(*it) / 32_768.0).powi(2)).sum();
            let is_loud = (energy / pcm.len() as f32).sqrt() > MARK_RMS;
            if is_loud && !was_loud {
                arrived.push(now);
            }
            was_loud = is_loud;
        }
    }
}

// ==== The way out ====

async fn backend_to_packet() {
    let mut call = Call::connected(Codec::Opus).await;
    let silence_bytes = codec_of(Codec::Opus, 16_000).silence().len();
    let mut delays_ms = Vec::new();
    for index in 0..REPLIES {
        call.listen_for(BETWEEN_REPLIES).await;
        let generation = call.floor().await;
        // The floor is given on a slot; audio comes at any time between two.
        sleep(Duration::from_millis(u64::from(7 * index % FRAME_MS))).await;
        let sent = Instant::now();
        call.speak(generation).await;
        delays_ms.push(millis(sent, call.sound(silence_bytes).await));
    }
    print("backend to packet, Opus", delays_ms);
}

/// A call whose backend is this benchmark.
struct Call {
    /// It ends all calls when it is dropped.
    _endpoint: Endpoint,
    caller: Caller,
    handle: CallHandle,
    channels: BackendChannels,
}

impl Call {
    async fn connected(kind: Codec) -> Self {
        let udp = ([127, 0, 0, 1], 0).into();
        let config = EndpointConfig { udp, tcp: None, advertise: Advertise::Host };
        let endpoint = Endpoint::bind(&config).expect("loopback can be bound");
        let mut caller = Caller::new(kind, Sockets::Udp).await;
        let offer = caller.offer().await;
        let (backend, channels) = channels();
        let build = |_| {
            let endpoint = EndpointSettings::silence(Duration::from_millis(600));
            let call = CallSettings { greet: false, endpoint, ..CallSettings::default() };
            let settings = AgentSettings { call, ..AgentSettings::default() };
            let agent = Agent::new(settings, codec_of(kind, 16_000), LevelVoice::new(-50.0));
            Ok(CallParts {
                call_id: "latency".to_owned(),
                agent,
                backend,
                recording: None,
                turn_judge: None,
                metrics: Metrics::new().agent("latency"),
            })
        };
        let answered = endpoint.answer(&offer, build).expect("the offer can be served");
        caller.accept(&answered.sdp).await;
        caller.connected().await;
        let call = Self { _endpoint: endpoint, caller, handle: answered.call, channels };
        call.say(BackendEvent::Ready).await;
        call
    }

    async fn say(&self, event: BackendEvent) {
        self.channels.output.send(BackendOutput::Event(event)).await.expect("the call runs");
    }

    /// Passes over what the agent sends.
    async fn listen_for(&mut self, duration: Duration) {
        let packets = async {
            loop {
                self.caller.next_rtp().await;
            }
        };
        // It ends by the time being over.
        let _: Result<(), _> = timeout(duration, packets).await;
    }

    /// Asks to speak and waits until the agent may.
    async fn floor(&mut self) -> Generation {
        self.say(BackendEvent::WantsToSpeak).await;
        let granted = async {
            loop {
                let input = self.channels.input.recv().await.expect("the call runs");
                if let BackendInput::Command(BackendCommand::Speak { generation }) = input {
                    return generation;
                }
            }
        };
        let generation = timeout(PATIENCE, granted).await.expect("the floor is free");
        self.say(BackendEvent::ReplyStarted { generation }).await;
        generation
    }

    /// Sends a whole reply.
    async fn speak(&self, generation: Generation) {
        let samples = (REPLY_RATE_HZ / 1_000 * FRAME_MS) as usize;
        for block in 0..REPLY_BLOCKS {
            let sample = |it| (hum(block * samples + it, REPLY_RATE_HZ) * 16_000.0) as i16;
            let pcm = (0..samples).map(sample).collect();
            let audio = ReplyAudio { generation, sample_rate_hz: REPLY_RATE_HZ, pcm };
            let sent = self.channels.output.send(BackendOutput::Audio(audio)).await;
            sent.expect("the call runs");
        }
        self.say(BackendEvent::ReplyFinished { generation }).await;
    }

    /// Waits for a packet that is more than silence: when it came.
    async fn sound(&mut self, silence_bytes: usize) -> Instant {
        loop {
            let packet = self.caller.next_rtp().await;
            if packet.payload.len() > silence_bytes {
                return Instant::now();
            }
        }
    }
}

fn codec_of(kind: Codec, decode_rate_hz: u32) -> NegotiatedCodec {
    match kind {
        Codec::Opus => NegotiatedCodec::opus(decode_rate_hz).expect("Opus"),
        Codec::Pcmu => NegotiatedCodec::g711(Law::Mu),
    }
}

/// A voiced sound of 150 Hz with overtones.
fn hum(sample: usize, rate_hz: u32) -> f32 {
    let turn = |hz: f32| (sample as f32 * hz / rate_hz as f32 * std::f32::consts::TAU).sin();
    0.2 * turn(150.0) + 0.1 * turn(300.0) + 0.05 * turn(450.0)
}
