//! Whole calls: what a caller waits for, by stage.

use std::sync::Arc;
use std::time::Duration;

use antiphon::agent::{Agent, AgentSettings, BackendInput};
use antiphon::backend::cascade::Cascade;
use antiphon::backend::{Backend as _, BackendOutput, BackendSession, channels};
use antiphon::call::event::{BackendCommand, BackendEvent, TurnMetrics};
use antiphon::call::settings::{CallSettings, EndpointSettings};
use antiphon::dsp::vad::level::LevelVoice;
use antiphon::limits::FRAME_MS;
use antiphon::media::codec::Codec as _;
use antiphon::media::negotiated::NegotiatedCodec;
use antiphon::metrics::Metrics;
use antiphon::peer::{Advertise, CallParts, Endpoint, EndpointConfig};
use antiphon_loopback::{Caller, Codec, Sockets};
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};

use crate::servers::{Answer, Audio, SAMPLE, Script, start};
use crate::{PATIENCE, cascade, context, quantile};

const SPOKEN: Duration = Duration::from_millis(900);
const BETWEEN: Duration = Duration::from_millis(600);
const REPLY: Duration = Duration::from_millis(400);
const SILENCE: Duration = Duration::from_millis(300);
/// Longer than the silence after which an answer is made ahead by as much as the stages take.
const LONG_SILENCE: Duration = Duration::from_millis(900);

/// Prints a table: the time of each step, and what is between the endpoint and the first packet.
pub(crate) async fn turns() {
    let none = Duration::ZERO;
    let millis = Duration::from_millis;
    let silence = EndpointSettings::silence(SILENCE);
    let patient = EndpointSettings { min: LONG_SILENCE, ..EndpointSettings::default() };
    let ahead = EndpointSettings { speculate: true, ..patient.clone() };
    let slow = [millis(150), millis(350), millis(100)];
    println!(
        "{:<58}{:>6}{:>10}{:>10}",
        "endpoint -> first packet, milliseconds", "n", "p50", "p99"
    );
    let rows = [
        ("all stages at zero latency", [none; 3], silence.clone(), [20, 3]),
        ("transcript 150, first token 350, first audio 100", slow, silence, [10, 2]),
        ("the same, silence of 900 ms, nothing ahead", slow, patient, [6, 2]),
        ("the same, silence of 900 ms, answered ahead", slow, ahead, [6, 2]),
    ];
    let mut steps = Vec::new();
    for (name, times, endpoint, [calls, turns]) in rows {
        let mut measured = Vec::new();
        // How a call's 20 ms of sending lie to those of hearing is chance, and the same in all of its turns.
        for _ in 0..calls {
            measured.extend(measure(times, endpoint.clone(), turns).await);
        }
        let after = |of: fn(&TurnMetrics) -> Option<Duration>| {
            let mut values: Vec<f64> = measured
                .iter()
                .filter_map(|it| {
                    Some((of(it)?.as_secs_f64() - it.endpoint?.as_secs_f64()) * 1_000.0)
                })
                .collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let packets = after(|it| it.first_packet);
        let (p50, p99) = (quantile(&packets, 0.5), quantile(&packets, 0.99));
        println!("{name:<58}{:>6}{p50:>10.2}{p99:>10.2}", packets.len());
        let medians: Vec<f64> = [
            after(|it| it.transcript),
            after(|it| it.first_text),
            after(|it| it.first_audio),
            packets,
        ]
        .iter()
        .map(|values| quantile(values, 0.5))
        .collect();
        steps.push((name, medians));
    }
    println!();
    let heads = ["transcript", "text", "audio", "packet"];
    println!(
        "{:<58}{:>12}{:>8}{:>8}{:>8}",
        "what was there when, after the endpoint (p50)", heads[0], heads[1], heads[2], heads[3]
    );
    for (name, at) in steps {
        println!("{name:<58}{:>12.1}{:>8.1}{:>8.1}{:>8.1}", at[0], at[1], at[2], at[3]);
    }
}

/// The turns of one call.
async fn measure(
    [transcript, first_token, first_audio]: [Duration; 3],
    endpoint: EndpointSettings,
    count: usize,
) -> Vec<TurnMetrics> {
    let (answer, audio) = (Answer::Text("It is nine."), Audio::AtOnce(REPLY));
    let script = Script { transcript, first_token, first_audio, answer, audio, sample: SAMPLE };
    let (url, _seen) = start(script).await;
    let (backend, mut measured) = watched(&cascade(&[url]));
    let udp = ([127, 0, 0, 1], 0).into();
    let config = EndpointConfig { udp, tcp: None, advertise: Advertise::Host };
    let sockets = Endpoint::bind(&config).expect("loopback can be bound");
    let mut caller = Caller::new(Codec::Opus, Sockets::Udp).await;
    let offer = caller.offer().await;
    let codec = || NegotiatedCodec::opus(16_000).expect("Opus");
    let answered = sockets.answer(&offer, |_| {
        let call = CallSettings { greet: false, endpoint, ..CallSettings::default() };
        let settings = AgentSettings { call, ..AgentSettings::default() };
        let agent = Agent::new(settings, codec(), LevelVoice::new(-50.0));
        let metrics = Metrics::new().agent("cascade");
        let (recording, turn_judge) = (None, None);
        Ok(CallParts {
            call_id: "cascade".to_owned(),
            agent,
            backend,
            recording,
            turn_judge,
            metrics,
        })
    });
    let answered = answered.expect("the offer can be served");
    caller.accept(&answered.sdp).await;
    caller.connected().await;
    let mut voice = Voice {
        caller,
        codec: codec_48k(),
        sent: 0,
        beat: interval(Duration::from_millis(FRAME_MS.into())),
    };
    let mut found = Vec::new();
    voice.send(false, BETWEEN).await;
    while found.len() < count {
        voice.send(true, SPOKEN).await;
        let metrics = voice.silent_until(&mut measured).await;
        found.push(metrics);
        voice.send(false, REPLY + BETWEEN).await;
    }
    found
}

fn codec_48k() -> NegotiatedCodec {
    NegotiatedCodec::opus(48_000).expect("Opus")
}

/// What the call measured of a turn, or why it was not answered.
type Measured = Result<TurnMetrics, String>;

/// A session that is looked at: what became of each turn.
fn watched(cascade: &Arc<Cascade>) -> (BackendSession, mpsc::UnboundedReceiver<Measured>) {
    let inner = cascade.open(context()).expect("there is room");
    let (session, mut ends) = channels();
    let (found, measured) = mpsc::unbounded_channel();
    let BackendSession { input, mut output } = inner;
    let failed = found.clone();
    tokio::spawn(async move {
        while let Some(command) = ends.input.recv().await {
            if let BackendInput::Command(BackendCommand::Measured(metrics)) = &command {
                let _ = found.send(Ok(*metrics));
            }
            if input.send(command).await.is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some(said) = output.recv().await {
            if let BackendOutput::Event(BackendEvent::ReplyFailed { message, .. }) = &said {
                let _ = failed.send(Err(message.clone()));
            }
            if ends.output.send(said).await.is_err() {
                return;
            }
        }
    });
    (session, measured)
}

/// The caller's microphone.
struct Voice {
    caller: Caller,
    codec: NegotiatedCodec,
    sent: usize,
    beat: tokio::time::Interval,
}

impl Voice {
    async fn send(&mut self, is_loud: bool, duration: Duration) {
        for _ in 0..duration.as_millis() / u128::from(FRAME_MS) {
            self.packet(is_loud).await;
        }
    }

    /// Sends silence until the agent has answered.
    async fn silent_until(
        &mut self,
        measured: &mut mpsc::UnboundedReceiver<Measured>,
    ) -> TurnMetrics {
        let answered = async {
            loop {
                self.packet(false).await;
                if let Ok(metrics) = measured.try_recv() {
                    return metrics;
                }
            }
        };
        let measured = timeout(PATIENCE, answered).await.expect("the agent answers");
        measured.unwrap_or_else(|message| panic!("a turn was not answered: {message}"))
    }

    async fn packet(&mut self, is_loud: bool) {
        self.beat.tick().await;
        let samples = 48 * FRAME_MS as usize;
        let gain = if is_loud { 1.0 } else { 0.0001 };
        let pcm: Vec<f32> = (0..samples).map(|at| gain * hum(self.sent * samples + at)).collect();
        let mut payload = vec![0; 640];
        let length = self.codec.encode(&pcm, &mut payload).expect("a frame");
        let timestamp = (self.sent * samples) as u32;
        self.caller.send(self.sent as u16, timestamp, &payload[..length]).await;
        self.sent += 1;
        // What has come meanwhile is not listened to.
        while timeout(Duration::ZERO, self.caller.next_rtp()).await.is_ok() {}
    }
}

/// A voiced sound whose pitch falls, as at the end of a statement.
fn hum(sample: usize) -> f32 {
    let turn = |hz: f32| (sample as f32 * hz / 48_000.0 * std::f32::consts::TAU).sin();
    0.2 * turn(150.0) + 0.1 * turn(300.0) + 0.05 * turn(450.0)
}
