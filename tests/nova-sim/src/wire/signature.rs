//! Signatures: of the request, by Signature Version 4, and of each frame, chained to it.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SessionTokenMode, SignableBody, SignableRequest, SigningSettings, sign,
};
use aws_sigv4::{event_stream, sign::v4};
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::event_stream::Message;
use http::HeaderMap;
use http::request::Parts;

use crate::faults::Refusal;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How far a request's date may be from the clock.
const SKEW_MAX: Duration = Duration::from_secs(5 * 60);

/// Signs as the one lawful client would, to compare.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    key_id: String,
    region: String,
    /// Whose requests they are.
    service: &'static str,
    identity: Identity,
}

/// An `Authorization` header, taken apart.
struct Authorization<'a> {
    key_id: &'a str,
    scope: Vec<&'a str>,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl Signer {
    pub(crate) fn new(key_id: &str, secret: &str, region: &str) -> Self {
        let credentials = Credentials::new(key_id, secret, None, None, "antiphon-nova-sim");
        let (key_id, region) = (key_id.to_owned(), region.to_owned());
        Self { key_id, region, service: "bedrock", identity: credentials.into() }
    }

    /// The same for another service.
    pub(crate) fn of(&self, service: &'static str) -> Self {
        Self { service, ..self.clone() }
    }

    /// Checks a request's signature at the time `now`, and returns it, in hex. `body` is what is signed of
    /// it unless a header names its hash: nothing of a stream.
    pub(crate) fn check(
        &self,
        request: &Parts,
        body: &[u8],
        now: SystemTime,
    ) -> Result<String, Refusal> {
        let header = text(&request.headers, "authorization").unwrap_or_default();
        if header.starts_with("Bearer ") {
            let message = "Authorization by API key is not supported for this operation; \
                           the simulator expects Signature Version 4, as the service does";
            return Err(refusal("AccessDeniedException", message));
        }
        let Some(authorization) = Authorization::parse(header) else {
            return Err(refusal(
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            ));
        };
        if authorization.key_id != self.key_id {
            let message = "The security token included in the request is invalid.";
            return Err(refusal("UnrecognizedClientException", message));
        }
        let [date, region, service, "aws4_request"] = authorization.scope[..] else {
            return Err(refusal("IncompleteSignatureException", "Credential scope is malformed"));
        };
        if region != self.region || service != self.service {
            let message = format!(
                "Credential should be scoped to a valid region: expected {}/{}, received \
                 {region}/{service}",
                self.region, self.service
            );
            return Err(refusal("InvalidSignatureException", &message));
        }
        let Some(time) = text(&request.headers, "x-amz-date").and_then(time_of) else {
            return Err(refusal("IncompleteSignatureException", "Date is missing or malformed"));
        };
        let apart = now.duration_since(time).or_else(|_| time.duration_since(now));
        let is_dated = text(&request.headers, "x-amz-date").is_some_and(|at| at.starts_with(date));
        if !is_dated || apart.unwrap_or_default() > SKEW_MAX {
            return Err(refusal(
                "InvalidSignatureException",
                "Signature expired or not yet current",
            ));
        }
        if self.request_signature(request, body, &authorization, time).as_deref()
            != Some(authorization.signature)
        {
            let message = "The request signature we calculated does not match the signature you \
                           provided. Check your AWS Secret Access Key and signing method.";
            return Err(refusal("InvalidSignatureException", message));
        }
        Ok(authorization.signature.to_owned())
    }

    fn request_signature(
        &self,
        request: &Parts,
        body: &[u8],
        authorization: &Authorization<'_>,
        time: SystemTime,
    ) -> Option<String> {
        let mut settings = SigningSettings::default();
        settings.session_token_mode = SessionTokenMode::Include;
        let params = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(&self.region)
            .name(self.service)
            .time(time)
            .settings(settings)
            .build()
            .ok()?;
        // The date is added by the signer, the host is the authority.
        let added = ["x-amz-date", "host"];
        let names = authorization.signed_headers.iter().filter(|name| !added.contains(name));
        let mut headers = Vec::new();
        for name in names {
            headers.push((*name, text(&request.headers, name)?));
        }
        // One kind of client names the hash of its stream; the other signs an empty body.
        let body = match text(&request.headers, "x-amz-content-sha256") {
            Some(hash) => SignableBody::Precomputed(hash.to_owned()),
            None => SignableBody::Bytes(body),
        };
        let uri = request.uri.to_string();
        let request =
            SignableRequest::new(request.method.as_str(), uri, headers.into_iter(), body).ok()?;
        Some(sign(request, &params.into()).ok()?.into_parts().1)
    }

    /// The signature that a frame must have: in hex. `None` if it cannot be signed at all.
    pub(crate) fn frame_signature(
        &self,
        inner: Option<&Message>,
        last_signature: &str,
        time: SystemTime,
    ) -> Option<String> {
        let params = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(&self.region)
            .name(self.service)
            .time(time)
            .settings(())
            .build()
            .ok()?;
        let signed = match inner {
            Some(inner) => event_stream::sign_message(inner, last_signature, &params),
            None => event_stream::sign_empty_message(last_signature, &params),
        };
        Some(signed.ok()?.into_parts().1)
    }
}

impl<'a> Authorization<'a> {
    fn parse(header: &'a str) -> Option<Self> {
        let mut fields = header.strip_prefix(ALGORITHM)?.split(',').map(str::trim);
        let mut field = |name: &str| fields.next()?.strip_prefix(name)?.strip_prefix('=');
        let mut credential = field("Credential")?.split('/');
        let signed_headers = field("SignedHeaders")?.split(';').collect();
        let signature = field("Signature")?;
        let key_id = credential.next()?;
        Some(Self { key_id, scope: credential.collect(), signed_headers, signature })
    }
}

fn refusal(code: &str, message: &str) -> Refusal {
    Refusal { status: 403, code: code.to_owned(), message: message.to_owned() }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// `20261120T101112Z` as a time.
fn time_of(date: &str) -> Option<SystemTime> {
    if date.len() != 16 || !date.is_ascii() {
        return None;
    }
    let [year, month, day] = [&date[..4], &date[4..6], &date[6..8]];
    let [hour, minute, second] = [&date[9..11], &date[11..13], &date[13..15]];
    let extended = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    SystemTime::try_from(DateTime::from_str(&extended, Format::DateTime).ok()?).ok()
}
