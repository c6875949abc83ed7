//! How one agent's Nova Sonic behaves. Plain values; the configuration maps its keys onto them.

use std::time::Duration;

use crate::limits::WIDEBAND_HZ;

/// What a model can do, by its generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelVersion {
    /// `amazon.nova-sonic-v1:0`: no text from the user, no endpointing settings.
    V1,
    /// Everything later.
    V2,
}

impl ModelVersion {
    /// By the id, which is a free string: what is not known to be the first generation can do what the
    /// second can.
    pub fn of(model: &str) -> Self {
        if model.contains("nova-sonic-v1") { Self::V1 } else { Self::V2 }
    }
}

/// How soon Nova takes a pause for the end of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpointing {
    /// The shortest pauses, 1.5 s at most by the documentation.
    High,
    /// The default.
    Medium,
    /// The longest.
    Low,
}

impl Endpointing {
    /// As the wire writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::High => "HIGH",
            Self::Medium => "MEDIUM",
            Self::Low => "LOW",
        }
    }
}

/// The settings of one agent's conversations.
#[derive(Clone, Debug, PartialEq)]
pub struct NovaSettings {
    /// The model id. Default `amazon.nova-2-sonic-v1:0`.
    pub model: String,
    /// A voice id; not checked here, since the list grows. Default `matthew`.
    pub voice: String,
    /// Default medium; never sent to the first generation.
    pub endpointing: Endpointing,
    /// 0 to 1, default 0.7.
    pub temperature: f32,
    /// 0 to 1, default 0.9.
    pub top_p: f32,
    /// Tokens of one reply, 1 to 10 000, default 1 024.
    pub tokens_max: u32,
    /// Rate of the reply audio: 8 000, 16 000 or 24 000 Hz, default 24 000.
    pub output_rate_hz: u32,
    /// How texts are sent.
    pub texts: TextSettings,
    /// What is remembered from connection to connection.
    pub history: HistorySettings,
    /// When a connection is replaced.
    pub renewal: RenewalSettings,
    /// How long is waited.
    pub patience: PatienceSettings,
    /// What is said to the model in place of a user.
    pub instructions: Instructions,
}

impl Default for NovaSettings {
    fn default() -> Self {
        Self {
            model: "amazon.nova-2-sonic-v1:0".to_owned(),
            voice: "matthew".to_owned(),
            endpointing: Endpointing::Medium,
            temperature: 0.7,
            top_p: 0.9,
            tokens_max: 1_024,
            output_rate_hz: 24_000,
            texts: TextSettings::default(),
            history: HistorySettings::default(),
            renewal: RenewalSettings::default(),
            patience: PatienceSettings::default(),
            instructions: Instructions::default(),
        }
    }
}

/// How texts are sent. What the service really needs is not documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextSettings {
    /// Sound that a connection must have heard since the last text before another makes it speak; silence
    /// is sent for what is missing. 0 to 2 s, default 100 ms: 68 ms were once needed.
    pub lead: Duration,
    /// Bytes of one piece of a text, which the service joins. 500 to 50 000, default 4 000: single pieces of
    /// 32 KB were refused.
    pub piece_bytes_max: usize,
}

impl Default for TextSettings {
    fn default() -> Self {
        Self { lead: Duration::from_millis(100), piece_bytes_max: 4_000 }
    }
}

/// Bounds of the history that a new connection is given. The service's own are 50 KB a message and 200 KB
/// together (since 2026-06); a little less leaves room for how it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistorySettings {
    /// Bytes of one message. 200 to 50 000, default 40 000. A longer one is cut at a word.
    pub message_bytes_max: usize,
    /// Bytes of all of them. 1 000 to 200 000, default 160 000. The oldest are left out.
    pub bytes_max: usize,
    /// Messages. 2 to 1 000, default 400. The oldest are left out.
    pub messages_max: usize,
}

impl Default for HistorySettings {
    fn default() -> Self {
        Self { message_bytes_max: 40_000, bytes_max: 160_000, messages_max: 400 }
    }
}

/// When a connection is replaced by the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenewalSettings {
    /// Age at which a quiet moment is looked for. 5 s to 7.5 min, default 6.5 min.
    pub after: Duration,
    /// Each connection's limit is earlier by up to so much, so that those of many calls do not fall
    /// together. 0 to `after` / 2, default 30 s.
    pub jitter: Duration,
    /// Age at which it is replaced in the middle of whatever is going on. `after` to 7:55 min, default
    /// 7:40 min; the service ends it at 8 min.
    pub at_latest: Duration,
    /// So long before the credentials expire. Default 3 min.
    pub before_expiry: Duration,
    /// So long without speech of the user: the service may end a connection that is quiet for 295 s.
    /// 10 s to 8 min, default 270 s.
    pub user_silence: Duration,
}

impl Default for RenewalSettings {
    fn default() -> Self {
        Self {
            after: Duration::from_secs(390),
            jitter: Duration::from_secs(30),
            at_latest: Duration::from_secs(460),
            before_expiry: Duration::from_secs(180),
            user_silence: Duration::from_secs(270),
        }
    }
}

/// How long is waited, since the SDK has no time limit for an open stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatienceSettings {
    /// For the service to accept a connection. 0.5 to 60 s, default 10 s.
    pub open: Duration,
    /// For any event at all after the user has finished, or a text was sent. 1 to 60 s, default 8 s.
    pub first_event: Duration,
    /// For the next event within a reply, while no tool is awaited. 1 to 60 s, default 3 s: the call gives
    /// a reply up that stalls for longer than its own `stall_timeout`, 5 s by default.
    pub stall: Duration,
    /// Attempts to open a connection in a row before the backend has failed. 1 to 20, default 6.
    pub attempts_max: u32,
}

impl Default for PatienceSettings {
    fn default() -> Self {
        Self {
            open: Duration::from_secs(10),
            first_event: Duration::from_secs(8),
            stall: Duration::from_secs(3),
            attempts_max: 6,
        }
    }
}

/// What is said to the model in place of a user, to make it speak. The model answers, it does not read out:
/// each is an instruction. `{}` stands for the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instructions {
    /// To greet in its own words.
    pub greet: String,
    /// To say a given text: the first words, or a prompt after a long silence.
    pub say: String,
    /// To go on with a reply that a lost connection cut short.
    pub go_on: String,
    /// To answer what a tool said after its connection was gone.
    pub late_result: String,
}

impl Default for Instructions {
    fn default() -> Self {
        Self {
            greet: "Greet the user and offer your help.".to_owned(),
            say: "Say exactly this to the user, and nothing else: {}".to_owned(),
            go_on: "Your last sentence was cut off. Go on exactly where it stopped, and repeat nothing."
                .to_owned(),
            late_result: "The result of a tool that you called has arrived, as JSON: {}".to_owned(),
        }
    }
}

/// Rate of the user's audio on the wire.
pub const INPUT_RATE_HZ: u32 = WIDEBAND_HZ;
/// Samples of one `audioInput`: 32 ms.
pub const INPUT_CHUNK_SAMPLES: usize = 512;
