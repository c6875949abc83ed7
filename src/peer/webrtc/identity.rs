//! The DTLS certificate of this process.

use rtc::crypto::{SignatureScheme, default_provider};
use rtc::peer_connection::certificate::{CertificateParams, RTCCertificate};

use crate::sdp::Fingerprint;

/// One self-signed ECDSA P-256 certificate, shared by every call of the process. Peers know it by its
/// fingerprint in the answer; it lives in memory only and is new at every start.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(super) certificate: RTCCertificate,
    fingerprint: Fingerprint,
}

/// The certificate could not be made.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot make the DTLS certificate: {0}")]
pub struct IdentityError(String);

impl Identity {
    /// Makes a key and a certificate.
    pub(crate) fn generate() -> Result<Self, IdentityError> {
        let failed = |error: &dyn std::fmt::Display| IdentityError(error.to_string());
        let provider = default_provider().map_err(|error| failed(&error))?;
        let params =
            CertificateParams::new(vec!["antiphon".to_owned()]).map_err(|error| failed(&error))?;
        let scheme = SignatureScheme::EcdsaP256Sha256;
        let certificate = RTCCertificate::generate(provider.crypto(), scheme, params)
            .map_err(|error| failed(&error))?;
        let fingerprints =
            certificate.get_fingerprints(provider.crypto()).map_err(|error| failed(&error))?;
        let sha256 = fingerprints.into_iter().find(|it| it.algorithm == "sha-256");
        let sha256 = sha256.ok_or_else(|| failed(&"it has no SHA-256 fingerprint"))?;
        let fingerprint =
            Fingerprint { algorithm: sha256.algorithm, value: sha256.value.to_uppercase() };
        Ok(Self { certificate, fingerprint })
    }

    /// What answers say of it.
    pub(crate) const fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}
