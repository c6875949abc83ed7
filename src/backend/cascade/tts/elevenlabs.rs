//! ElevenLabs' voices: how they are reached. What is said there is in [`crate::cascade::elevenlabs`].

use super::live::{ApiKey, LiveVoice, Provider, VoicePatience};
use crate::backend::BackendError;
use crate::backend::cascade::socket::Door;

/// Seconds without a phrase after which the provider closes a connection: the longest that it is known to
/// take. A connection that it closes is opened again.
const INACTIVITY_TIMEOUT_S: &str = "180";

/// Where the voice is and how it speaks. It takes a pace of 0.7 to 1.2, and others as the nearest of these.
#[derive(Clone, Debug, PartialEq)]
pub struct ElevenLabsSettings {
    /// Base address. Default `wss://api.elevenlabs.io`.
    pub url: String,
    pub api_key: Option<ApiKey>,
    /// Default `eleven_flash_v2_5`.
    pub model: String,
    /// The voice's id: ASCII letters, digits, `-` and `_`. Required.
    pub voice: String,
    /// The language's code, such as `en`, which some models take. Default: none is sent.
    pub language: Option<String>,
    /// Rate of the audio: 8 000, 16 000, 24 000 or 48 000 Hz, default 24 000.
    pub sample_rate_hz: u32,
    pub patience: VoicePatience,
}

impl ElevenLabsSettings {
    /// The provider's public address and the defaults for the rest.
    pub fn new(voice: String, api_key: Option<String>) -> Self {
        Self {
            url: "wss://api.elevenlabs.io".to_owned(),
            api_key: api_key.map(ApiKey),
            model: "eleven_flash_v2_5".to_owned(),
            voice,
            language: None,
            sample_rate_hz: 24_000,
            patience: VoicePatience::default(),
        }
    }

    /// Checks the settings. Nothing is sent yet.
    pub(in crate::backend::cascade) fn voice(self) -> Result<LiveVoice, BackendError> {
        // It becomes a part of the address.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if self.voice.is_empty() || !self.voice.chars().all(is_plain) {
            let expected = "expected the id of a voice: letters, digits, `-` and `_`";
            let problem = format!("tts.voice: {expected}, received `{}`", self.voice);
            return Err(BackendError::Invalid { problem });
        }
        let path = format!("v1/text-to-speech/{}/multi-stream-input", self.voice);
        let headers: Vec<_> =
            self.api_key.as_ref().map(|key| ("xi-api-key", key.0.as_str())).into_iter().collect();
        let connect_timeout = self.patience.connect_timeout;
        let door = Door::new("tts.url", &self.url, &path, &headers, connect_timeout)?;
        let Self { model, language, sample_rate_hz, patience, .. } = self;
        let mut query = vec![
            ("model_id", model),
            ("output_format", format!("pcm_{sample_rate_hz}")),
            // Phrases come whole: nothing is gained by waiting.
            ("auto_mode", "true".to_owned()),
            ("sync_alignment", "true".to_owned()),
            ("inactivity_timeout", INACTIVITY_TIMEOUT_S.to_owned()),
        ];
        query.extend(language.map(|language| ("language_code", language)));
        Ok(LiveVoice { provider: Provider::ElevenLabs, door, query, sample_rate_hz, patience })
    }
}
