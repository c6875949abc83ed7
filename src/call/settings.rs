//! How one call's conversation behaves. Plain values; the configuration maps its keys onto them.

use std::time::Duration;

/// The conversation's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct CallSettings {
    /// Whether the agent speaks first, once the peer is connected. Default: it does.
    pub greet: bool,
    /// When the user is speaking.
    pub speech: SpeechSettings,
    /// When the user's turn is over.
    pub endpoint: EndpointSettings,
    /// The longest turn of the user. A longer monologue is given to the backend in parts, of which
    /// only the last is answered. 5 s to 10 min, default 2 min.
    pub turn_max: Duration,
    /// How long the backend may show no sign of life before the first audio of a reply.
    /// 1 to 120 s, default 10 s.
    pub reply_timeout: Duration,
    /// How long a reply that already sounds may lack both audio and signs of life.
    /// 0.5 to 60 s, default 5 s.
    pub stall_timeout: Duration,
    /// How long the backend may take to say that it is ready, from the call's beginning.
    /// 1 to 120 s, default 20 s.
    pub backend_setup_timeout: Duration,
    /// The longest call. 10 s to 24 h, default 1 h.
    pub call_max: Duration,
    /// How long after a telephone key the next one may follow, before the keys pressed so far are
    /// taken as the user's turn. `#` ends it at once. 0.2 to 10 s, default 1.5 s.
    pub key_timeout: Duration,
    /// What the client holds between its network and its loudspeaker: jitter buffer and device.
    /// Only used for clients that do not report their playout. 0 to 500 ms, default 80 ms.
    pub client_buffer: Duration,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self {
            greet: true,
            speech: SpeechSettings::default(),
            endpoint: EndpointSettings::default(),
            turn_max: Duration::from_secs(120),
            reply_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(5),
            backend_setup_timeout: Duration::from_secs(20),
            call_max: Duration::from_secs(3_600),
            key_timeout: Duration::from_millis(1_500),
            client_buffer: Duration::from_millis(80),
        }
    }
}

/// When the user is speaking: hysteresis over the voice probability.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeechSettings {
    /// Voice probability from which a frame may begin speech. 0.1 to 0.95, default 0.5.
    pub start_threshold: f32,
    /// Voice probability below which a frame no longer continues it; at most `start_threshold`.
    /// 0.05 to 0.95, default 0.35.
    pub stop_threshold: f32,
    /// Level below which a frame is silence whatever the detector says, which looks back further
    /// than one frame and so lags behind the end of speech. -127 to -30 dBFS, default -65.
    pub floor_dbfs: f32,
    /// Voice needed before it is believed to be speech. Longer ignores more clicks and coughs and
    /// stops the agent later. 20 to 500 ms, default 60 ms: three frames, about two detector windows.
    pub speech_min: Duration,
    /// Silence after which the user is said to have stopped speaking. Not the end of the turn, which
    /// [`EndpointSettings`] decides. 20 to 1000 ms, default 100 ms.
    pub silence_min: Duration,
}

impl Default for SpeechSettings {
    fn default() -> Self {
        Self {
            start_threshold: 0.5,
            stop_threshold: 0.35,
            floor_dbfs: -65.0,
            speech_min: Duration::from_millis(60),
            silence_min: Duration::from_millis(100),
        }
    }
}

/// When the user's turn is over.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointSettings {
    /// Silence that ends a turn, counted from the end of the last voiced frame. Short answers
    /// sooner and cuts off who pauses to think: people pause 200 to 500 ms within a sentence.
    /// 100 ms to 5 s, default 600 ms.
    pub silence: Duration,
}

impl Default for EndpointSettings {
    fn default() -> Self {
        Self { silence: Duration::from_millis(600) }
    }
}
