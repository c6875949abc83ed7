//! Deepgram's voices: how they are reached. What is said there is in [`crate::cascade::deepgram_voice`].

use super::live::{ApiKey, LiveVoice, Provider, VoicePatience};
use crate::backend::BackendError;
use crate::backend::cascade::socket::Door;

/// Where the voice is and how it speaks. It takes no pace and tells no word times.
#[derive(Clone, Debug, PartialEq)]
pub struct DeepgramVoiceSettings {
    /// Base address. Default `wss://api.deepgram.com`.
    pub url: String,
    pub api_key: Option<ApiKey>,
    /// The model, which is a voice. Default `aura-2-thalia-en`.
    pub model: String,
    /// Rate of the audio: 8 000, 16 000, 24 000 or 48 000 Hz, default 24 000.
    pub sample_rate_hz: u32,
    pub patience: VoicePatience,
}

impl DeepgramVoiceSettings {
    /// The provider's public address and the defaults for the rest.
    pub fn new(api_key: Option<String>) -> Self {
        Self {
            url: "wss://api.deepgram.com".to_owned(),
            api_key: api_key.map(ApiKey),
            model: "aura-2-thalia-en".to_owned(),
            sample_rate_hz: 24_000,
            patience: VoicePatience::default(),
        }
    }

    /// Checks the settings. Nothing is sent yet.
    pub(in crate::backend::cascade) fn voice(self) -> Result<LiveVoice, BackendError> {
        let token = self.api_key.as_ref().map(|key| format!("Token {}", key.0));
        let headers: Vec<_> =
            token.as_ref().map(|token| ("authorization", token.as_str())).into_iter().collect();
        let connect_timeout = self.patience.connect_timeout;
        let door = Door::new("tts.url", &self.url, "v1/speak", &headers, connect_timeout)?;
        let Self { model, sample_rate_hz, patience, .. } = self;
        let query = vec![
            ("model", model),
            ("encoding", "linear16".to_owned()),
            ("sample_rate", sample_rate_hz.to_string()),
        ];
        Ok(LiveVoice { provider: Provider::Deepgram, door, query, sample_rate_hz, patience })
    }
}
