//! Kyutai's voices on a `moshi-server`: how they are reached. What is said there is in
//! [`crate::cascade::moshi_voice`].

use super::live::{ApiKey, LiveVoice, Provider, VoicePatience};
use crate::backend::BackendError;
use crate::backend::cascade::socket::Door;
use crate::cascade::moshi_voice::MOSHI_HZ;

/// Where the voice is and how it speaks: at 24 kHz. It takes no pace. A call holds one of the server's
/// channels, since the connection for the next phrase is opened ahead.
#[derive(Clone, Debug, PartialEq)]
pub struct MoshiVoiceSettings {
    /// Base address, such as `ws://127.0.0.1:8080`. Required.
    pub url: String,
    /// Below it. Default `api/tts_streaming`.
    pub path: String,
    /// Default `public_token`, which is what a server accepts that was told nothing else.
    pub api_key: ApiKey,
    /// The voice's path on the server. Default: the server's own.
    pub voice: Option<String>,
    /// How closely it keeps to the voice, which models take 1 to 4 of. Default 1.5.
    pub cfg_alpha: f32,
    pub patience: VoicePatience,
}

impl MoshiVoiceSettings {
    /// An address and the defaults for the rest.
    pub fn new(url: String, api_key: Option<String>) -> Self {
        Self {
            url,
            path: "api/tts_streaming".to_owned(),
            api_key: ApiKey(api_key.unwrap_or_else(|| "public_token".to_owned())),
            voice: None,
            cfg_alpha: 1.5,
            patience: VoicePatience::default(),
        }
    }

    /// Checks the settings. Nothing is sent yet.
    pub(in crate::backend::cascade) fn voice(self) -> Result<LiveVoice, BackendError> {
        let headers = [("kyutai-api-key", self.api_key.0.as_str())];
        let connect_timeout = self.patience.connect_timeout;
        let door = Door::new("tts.url", &self.url, &self.path, &headers, connect_timeout)?;
        let mut query = vec![
            // Its default is Ogg.
            ("format", "PcmMessagePack".to_owned()),
            ("cfg_alpha", self.cfg_alpha.to_string()),
        ];
        query.extend(self.voice.map(|voice| ("voice", voice)));
        let (provider, patience) = (Provider::Moshi, self.patience);
        Ok(LiveVoice { provider, door, query, sample_rate_hz: MOSHI_HZ, patience })
    }
}
