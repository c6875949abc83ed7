//! Cartesia's voices: how they are reached. What is said there is in [`crate::cascade::cartesia`].

use super::live::{ApiKey, LiveVoice, Provider, VoicePatience};
use crate::backend::BackendError;
use crate::backend::cascade::socket::Door;
use crate::cascade::cartesia::CartesiaVoice;

/// Where the voice is and how it speaks. It takes a pace of 0.6 to 1.5, and others as the nearest of these.
#[derive(Clone, Debug, PartialEq)]
pub struct CartesiaSettings {
    /// Base address. Default `wss://api.cartesia.ai`.
    pub url: String,
    pub api_key: Option<ApiKey>,
    /// Of the API, sent as `Cartesia-Version`. Default `2026-03-01`.
    pub version: String,
    /// Default `sonic-3`.
    pub model: String,
    /// The voice's id. Required.
    pub voice: String,
    /// The language's code, such as `en`. Default: the model's.
    pub language: Option<String>,
    /// Rate of the audio: 8 000, 16 000, 24 000 or 48 000 Hz, default 24 000.
    pub sample_rate_hz: u32,
    pub patience: VoicePatience,
}

impl CartesiaSettings {
    /// The provider's public address and the defaults for the rest.
    pub fn new(voice: String, api_key: Option<String>) -> Self {
        Self {
            url: "wss://api.cartesia.ai".to_owned(),
            api_key: api_key.map(ApiKey),
            version: "2026-03-01".to_owned(),
            model: "sonic-3".to_owned(),
            voice,
            language: None,
            sample_rate_hz: 24_000,
            patience: VoicePatience::default(),
        }
    }

    /// Checks the settings. Nothing is sent yet.
    pub(in crate::backend::cascade) fn voice(self) -> Result<LiveVoice, BackendError> {
        let mut headers = vec![("cartesia-version", self.version.as_str())];
        headers.extend(self.api_key.as_ref().map(|key| ("x-api-key", key.0.as_str())));
        let connect_timeout = self.patience.connect_timeout;
        let door = Door::new("tts.url", &self.url, "tts/websocket", &headers, connect_timeout)?;
        let Self { model, voice, language, sample_rate_hz, patience, .. } = self;
        let voice = CartesiaVoice { model, voice, language, sample_rate_hz };
        let provider = Provider::Cartesia(voice);
        Ok(LiveVoice { provider, door, query: Vec::new(), sample_rate_hz, patience })
    }
}
