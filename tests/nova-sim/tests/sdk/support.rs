//! A client of the simulator: the real AWS SDK, and the events that it sends.

use std::time::Duration;

use antiphon_nova_sim::faults::FaultRule;
use antiphon_nova_sim::settings::MindKind;
use antiphon_nova_sim::tones::{Word, encode};
use antiphon_nova_sim::{Sighting, Sim, SimHandle, SimSettings};
use aws_credential_types::Credentials;
use aws_sdk_bedrockruntime::config::{BehaviorVersion, Builder, Config, Region, SharedHttpClient};
use aws_sdk_bedrockruntime::error::SdkError;
use aws_sdk_bedrockruntime::operation::invoke_model_with_bidirectional_stream::{
    InvokeModelWithBidirectionalStreamError as OpenError,
    InvokeModelWithBidirectionalStreamOutput as Opened,
};
use aws_sdk_bedrockruntime::primitives::Blob;
use aws_sdk_bedrockruntime::primitives::event_stream::EventReceiver;
use aws_sdk_bedrockruntime::types::error::{
    InvokeModelWithBidirectionalStreamInputError as InputError,
    InvokeModelWithBidirectionalStreamOutputError as StreamError,
};
use aws_sdk_bedrockruntime::types::{
    BidirectionalInputPayloadPart, InvokeModelWithBidirectionalStreamInput as Input,
    InvokeModelWithBidirectionalStreamOutput as Reply,
};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::auth::AuthSchemeId;
use aws_smithy_types::event_stream::RawMessage;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::{broadcast, mpsc};
use tokio::time::timeout;

pub(crate) const MODEL: &str = "amazon.nova-2-sonic-v1:0";
/// Far more than anything here takes; reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) type StreamFailure = SdkError<StreamError, RawMessage>;
pub(crate) type OpenFailure = SdkError<OpenError>;

/// A simulator of tones in a hurry, with these faults.
pub(crate) async fn sim(faults: &[&str]) -> SimHandle {
    let faults: Vec<FaultRule> =
        faults.iter().map(|fault| fault.parse().expect("a fault that is known")).collect();
    start(SimSettings { faults, ..hurried() }).await
}

/// Tones, with delays and answers that suit a test.
pub(crate) fn hurried() -> SimSettings {
    SimSettings {
        mind: MindKind::Count { words: 3, words_per_sentence: 2 },
        answer: Duration::from_millis(20),
        final_delay: Duration::from_millis(30),
        ..SimSettings::tones()
    }
}

pub(crate) async fn start(settings: SimSettings) -> SimHandle {
    Sim::start(settings).await.expect("a free port")
}

pub(crate) struct Client {
    sdk: aws_sdk_bedrockruntime::Client,
}

/// One stream, opened.
pub(crate) struct Talk {
    events: mpsc::Sender<Value>,
    body: EventReceiver<Reply, StreamError>,
}

impl Client {
    pub(crate) fn of(sim: &SimHandle) -> Self {
        Self::with(sim, "AKIDSIM", "sim-secret")
    }

    pub(crate) fn with(sim: &SimHandle, key_id: &str, secret: &str) -> Self {
        Self::configured(sim, key_id, secret, |config| config)
    }

    /// With a configuration that is changed at last.
    pub(crate) fn configured(
        sim: &SimHandle,
        key_id: &str,
        secret: &str,
        change: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let credentials = Credentials::new(key_id, secret, None, None, "test");
        let config = Config::builder()
            .endpoint_url(sim.endpoint_url())
            .credentials_provider(credentials)
            .auth_scheme_preference([AuthSchemeId::from("sigv4")]);
        let config = change(config)
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .http_client(http_client(sim.ca_pem()));
        Self { sdk: aws_sdk_bedrockruntime::Client::from_conf(config.build()) }
    }

    pub(crate) fn sdk(&self) -> &aws_sdk_bedrockruntime::Client {
        &self.sdk
    }

    /// Opens a stream that is sent these events first.
    pub(crate) async fn open(&self, model: &str, first: Vec<Value>) -> Result<Talk, OpenFailure> {
        let (events, opening) = self.begin(model);
        for event in first {
            events.try_send(event).expect("room for the first events");
        }
        timeout(PATIENCE, opening).await.expect("an answer")
    }

    /// Where events go, and the opening of the stream that carries them.
    pub(crate) fn begin(
        &self,
        model: &str,
    ) -> (mpsc::Sender<Value>, impl Future<Output = Result<Talk, OpenFailure>> + Send + 'static)
    {
        let (events, queued) = mpsc::channel(256);
        let body = stream::unfold(queued, |mut queued| async {
            let event: Value = queued.recv().await?;
            let bytes = Blob::new(event.to_string());
            let part = BidirectionalInputPayloadPart::builder().bytes(bytes).build();
            Some((Ok::<_, InputError>(Input::Chunk(part)), queued))
        })
        .fuse();
        let call = self.sdk.invoke_model_with_bidirectional_stream().model_id(model);
        let opening = call.body(body.into()).send();
        let sender = events.clone();
        let opening = async move {
            let Opened { body, .. } = opening.await?;
            Ok(Talk { events: sender, body })
        };
        (events, opening)
    }

    /// Opens a stream and its audio block.
    pub(crate) async fn talk(&self) -> Talk {
        let opened = self.open(MODEL, set_up(&json!([]))).await;
        opened.unwrap_or_else(|error| panic!("a stream opens: {error:?}"))
    }
}

fn http_client(ca_pem: &str) -> SharedHttpClient {
    let trust = TrustStore::empty().with_pem_certificate(ca_pem.as_bytes());
    let tls = TlsContext::builder().with_trust_store(trust).build().expect("a certificate");
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls)
        .build_https()
}

impl Talk {
    pub(crate) async fn send(&self, event: Value) {
        timeout(PATIENCE, self.events.send(event)).await.expect("room").expect("an open stream");
    }

    /// Sends audio: as fast as it goes, in frames of 32 ms.
    pub(crate) async fn speak(&self, pcm: &[i16]) {
        for frame in pcm.chunks(512) {
            self.send(audio(frame)).await;
        }
    }

    /// Says numbers, and the silence that ends the utterance.
    pub(crate) async fn say(&self, text: &str) {
        let mut pcm = encode(&Word::all_in(text), 16_000);
        pcm.resize(pcm.len() + 16 * 500, 0);
        self.speak(&pcm).await;
    }

    /// The next event; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Value>, StreamFailure> {
        let reply = timeout(PATIENCE, self.body.recv()).await.expect("an event")?;
        Ok(reply.map(|reply| match reply {
            Reply::Chunk(part) => {
                let bytes = part.bytes.expect("a payload").into_inner();
                serde_json::from_slice(&bytes).unwrap_or(Value::Null)
            }
            other => panic!("{other:?}"),
        }))
    }

    /// Events up to and with the first that this holds for.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self.next().await.expect("no failure").expect("no end");
            let is_wanted = wanted(&event);
            events.push(event);
            if is_wanted {
                return events;
            }
        }
    }

    /// Reads until something ends the stream: an error, or its end.
    pub(crate) async fn last(&mut self) -> Option<StreamFailure> {
        loop {
            match self.next().await {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(error) => return Some(error),
            }
        }
    }

    /// Ends the input.
    pub(crate) fn finish(self) -> EventReceiver<Reply, StreamError> {
        self.body
    }
}

/// Everything up to the open audio block.
pub(crate) fn set_up(tools: &Value) -> Vec<Value> {
    let mut events = vec![session_start(), prompt_start(tools)];
    events.extend(text_block("system", "SYSTEM", false, "You count."));
    events.push(audio_start());
    events
}

pub(crate) fn session_start() -> Value {
    event(
        "sessionStart",
        json!({
            "inferenceConfiguration": { "maxTokens": 1024, "topP": 0.9, "temperature": 0.7 },
            "turnDetectionConfiguration": { "endpointingSensitivity": "MEDIUM" },
        }),
    )
}

pub(crate) fn prompt_start(tools: &Value) -> Value {
    event(
        "promptStart",
        json!({
            "textOutputConfiguration": { "mediaType": "text/plain" },
            "audioOutputConfiguration": {
                "mediaType": "audio/lpcm", "sampleRateHertz": 24000, "sampleSizeBits": 16,
                "channelCount": 1, "voiceId": "tiffany", "encoding": "base64",
                "audioType": "SPEECH",
            },
            "toolUseOutputConfiguration": { "mediaType": "application/json" },
            "toolConfiguration": { "tools": tools },
        }),
    )
}

pub(crate) fn text_block(name: &str, role: &str, interactive: bool, text: &str) -> [Value; 3] {
    let start = json!({
        "contentName": name, "type": "TEXT", "role": role, "interactive": interactive,
        "textInputConfiguration": { "mediaType": "text/plain" },
    });
    [
        event("contentStart", start),
        event("textInput", json!({ "contentName": name, "content": text })),
        content_end(name),
    ]
}

pub(crate) fn audio_start() -> Value {
    event(
        "contentStart",
        json!({
            "contentName": "mic", "type": "AUDIO", "role": "USER", "interactive": true,
            "audioInputConfiguration": {
                "mediaType": "audio/lpcm", "sampleRateHertz": 16000, "sampleSizeBits": 16,
                "channelCount": 1, "audioType": "SPEECH", "encoding": "base64",
            },
        }),
    )
}

pub(crate) fn audio(pcm: &[i16]) -> Value {
    let bytes: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    event("audioInput", json!({ "contentName": "mic", "content": BASE64_STANDARD.encode(bytes) }))
}

pub(crate) fn tool_result(use_id: &str, result: &str) -> [Value; 3] {
    let name = format!("result-{use_id}");
    let start = json!({
        "contentName": name, "type": "TOOL", "role": "TOOL", "interactive": false,
        "toolResultInputConfiguration": {
            "toolUseId": use_id, "type": "TEXT",
            "textInputConfiguration": { "mediaType": "text/plain" },
        },
    });
    [
        event("contentStart", start),
        event("toolResult", json!({ "contentName": name, "content": result })),
        content_end(&name),
    ]
}

pub(crate) fn content_end(name: &str) -> Value {
    event("contentEnd", json!({ "contentName": name }))
}

pub(crate) fn event(name: &str, mut body: Value) -> Value {
    if !name.starts_with("session") {
        body["promptName"] = Value::from("prompt");
    }
    json!({ "event": { name: body } })
}

pub(crate) fn close() -> [Value; 3] {
    [content_end("mic"), event("promptEnd", json!({})), event("sessionEnd", json!({}))]
}

/// The event's name.
pub(crate) fn name_of(event: &Value) -> &str {
    event["event"].as_object().and_then(|event| event.keys().next()).map_or("", String::as_str)
}

/// Whether it ends a turn: the last audio block's end.
pub(crate) fn is_turn_end(event: &Value) -> bool {
    let end = &event["event"]["contentEnd"];
    end["type"] == "AUDIO" && end["stopReason"] == "END_TURN"
}

/// Waits until the simulator has seen this.
pub(crate) async fn seen(sightings: &mut broadcast::Receiver<Sighting>, name: &str) -> Sighting {
    loop {
        let sighting = timeout(PATIENCE, sightings.recv()).await.expect("a sighting");
        let sighting = sighting.expect("none is missed");
        if sighting.name == name {
            return sighting;
        }
    }
}
