//! Unguessable identifiers.

use antiphon_signaling::port::Refusal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// 144 random bits as 24 URL-safe characters. RFC 9725 asks for session URLs that cannot be guessed.
pub(crate) fn random_id() -> Result<String, Refusal> {
    let mut bytes = [0_u8; 18];
    getrandom::fill(&mut bytes)
        .map_err(|error| Refusal::Internal(format!("no randomness from the system: {error}")))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
