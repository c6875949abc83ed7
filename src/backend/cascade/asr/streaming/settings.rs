//! Where a streaming recogniser is, what it is asked for, and how long it may take.

use std::fmt;
use std::time::Duration;

/// Deepgram's Nova models.
#[derive(Clone, PartialEq, Eq)]
pub struct DeepgramSettings {
    /// Base address of the API, up to and with its version, `ws(s)://` or `http(s)://`. Default
    /// `wss://api.deepgram.com/v1`.
    pub url: String,
    /// Default `nova-3`.
    pub model: String,
    /// BCP 47, or `multi`; `None` leaves it to the service.
    pub language: Option<String>,
    /// Key terms that it should expect, such as names. At most 100, default none.
    pub vocabulary: Vec<String>,
    /// Sent as a token, if set.
    pub api_key: Option<String>,
    /// To connect, 0.1 to 120 s, default 3 s.
    pub connect_timeout: Duration,
    /// From the end of a turn to its text, 0.1 to 120 s, default 1 s; after it, what is understood by then
    /// is the text.
    pub answer_timeout: Duration,
}

/// Deepgram's Flux, which knows turns.
#[derive(Clone, PartialEq)]
pub struct FluxSettings {
    /// Base address of the API, up to and with its version, `ws(s)://` or `http(s)://`. Default
    /// `wss://api.deepgram.com/v2`.
    pub url: String,
    /// Default `flux-general-en`.
    pub model: String,
    /// A hint for the multilingual model; `None` for none.
    pub language: Option<String>,
    /// Key terms that it should expect, such as names. At most 100, default none.
    pub vocabulary: Vec<String>,
    /// How confident it must be to say that a turn is over, 0.5 to 1, default 0.7.
    pub eot_threshold: f32,
    /// How confident to say that it may be, 0.3 to 0.9 and not above `eot_threshold`, default 0.4.
    pub eager_eot_threshold: f32,
    /// Silence after which it says so in any case, 0.5 to 60 s, default 5 s.
    pub eot_timeout: Duration,
    /// Sent as a token, if set.
    pub api_key: Option<String>,
    /// To connect, 0.1 to 120 s, default 3 s.
    pub connect_timeout: Duration,
    /// From the end of a turn to its text, 0.1 to 120 s, default 1 s; after it, what is understood by then
    /// is the text.
    pub answer_timeout: Duration,
}

/// Kyutai's `moshi-server`, with one of its recognition models.
#[derive(Clone, PartialEq, Eq)]
pub struct MoshiSettings {
    /// Base address of the server, `ws(s)://` or `http(s)://`, such as `ws://127.0.0.1:8080`. Required.
    pub url: String,
    /// Sent as `kyutai-api-key`; `None` for the key that servers have unless they are given another.
    pub api_key: Option<String>,
    /// How far the model's words lag behind the audio: 0 to 5 s, default 0.5 s, that of the 1B model.
    pub delay: Duration,
    /// To connect, and then to say that there is a free channel: 0.1 to 120 s each, default 3 s.
    pub connect_timeout: Duration,
    /// From the end of a turn to its text, 0.1 to 120 s, default 1.5 s; after it, what is understood by then
    /// is the text.
    pub answer_timeout: Duration,
}

impl DeepgramSettings {
    /// The defaults.
    pub fn new(api_key: Option<String>) -> Self {
        Self {
            url: "wss://api.deepgram.com/v1".to_owned(),
            model: "nova-3".to_owned(),
            language: None,
            vocabulary: Vec::new(),
            api_key,
            connect_timeout: Duration::from_secs(3),
            answer_timeout: Duration::from_secs(1),
        }
    }
}

impl FluxSettings {
    /// The defaults.
    pub fn new(api_key: Option<String>) -> Self {
        Self {
            url: "wss://api.deepgram.com/v2".to_owned(),
            model: "flux-general-en".to_owned(),
            language: None,
            vocabulary: Vec::new(),
            eot_threshold: 0.7,
            eager_eot_threshold: 0.4,
            eot_timeout: Duration::from_secs(5),
            api_key,
            connect_timeout: Duration::from_secs(3),
            answer_timeout: Duration::from_secs(1),
        }
    }
}

impl MoshiSettings {
    /// An address and the defaults for the rest.
    pub fn new(url: String, api_key: Option<String>) -> Self {
        Self {
            url,
            api_key,
            delay: Duration::from_millis(500),
            connect_timeout: Duration::from_secs(3),
            answer_timeout: Duration::from_millis(1_500),
        }
    }
}

/// Shows that there is a key, never the key.
impl fmt::Debug for DeepgramSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(formatter, "DeepgramSettings", &self.url, &self.api_key)
    }
}

/// Shows that there is a key, never the key.
impl fmt::Debug for FluxSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(formatter, "FluxSettings", &self.url, &self.api_key)
    }
}

/// Shows that there is a key, never the key.
impl fmt::Debug for MoshiSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(formatter, "MoshiSettings", &self.url, &self.api_key)
    }
}

fn show(
    formatter: &mut fmt::Formatter<'_>,
    name: &str,
    url: &str,
    key: &Option<String>,
) -> fmt::Result {
    let key = key.as_ref().map(|_| "set");
    formatter.debug_struct(name).field("url", &url).field("api_key", &key).finish_non_exhaustive()
}
