//! Faults as text, for the command line.
//!
//! ```text
//! open [nth=2] access-denied        at an opening
//! at=12s [nth=1] throttling         a time after the opening
//! every=180s list=all-transient     again and again; or list=throttling,reset-cancel
//! history=5s system-instability     where history was replayed
//! ```

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{
    ExceptionKind as Kind, Fault, FaultRule, Garbage, OpeningFault, Refusal, ResetReason,
    StreamFault, When,
};

/// A fault that cannot be read, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultSyntax(String);

impl fmt::Display for FaultSyntax {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for FaultSyntax {}

/// Failures of openings: name, status, type, message.
const REFUSALS: &[(&str, u16, &str, &str)] = &[
    (
        "access-denied",
        403,
        "AccessDeniedException",
        "You don't have access to the model with the specified model ID.",
    ),
    (
        "unrecognized-client",
        403,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    ),
    (
        "invalid-signature",
        403,
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided.",
    ),
    (
        "expired-token",
        403,
        "ExpiredTokenException",
        "The security token included in the request is expired",
    ),
    (
        "not-found",
        404,
        "ResourceNotFoundException",
        "Could not resolve the foundation model from the provided model identifier.",
    ),
    (
        "open-throttling",
        429,
        "ThrottlingException",
        "Too many requests, please wait before trying again.",
    ),
    (
        "quota",
        400,
        "ServiceQuotaExceededException",
        "Your request exceeds the service quota for your account.",
    ),
    (
        "model-not-ready",
        429,
        "ModelNotReadyException",
        "Model is not ready for inference. Please wait and try your request again.",
    ),
    (
        "model-error",
        424,
        "ModelErrorException",
        "The request failed due to an error while processing the model.",
    ),
    ("open-validation", 400, "ValidationException", "The provided model identifier is invalid."),
    (
        "open-timeout",
        408,
        "ModelTimeoutException",
        "Model has timed out in processing the request. Try your request again.",
    ),
    (
        "open-internal",
        500,
        "InternalServerException",
        "The system encountered an unexpected error during processing. Try your request again.",
    ),
    (
        "open-unavailable",
        503,
        "ServiceUnavailableException",
        "Bedrock is unable to process your request.",
    ),
];

const SYSTEM_ERROR: &str =
    "The system encountered an unexpected error during processing. Try your request again.";

/// Exceptions of streams: name, kind, message, whether a new stream is likely to work.
const EXCEPTIONS: &[(&str, Kind, &str, bool)] = &[
    (
        "validation",
        Kind::Validation,
        "Invalid input request, please fix your input and try again.",
        false,
    ),
    ("throttling", Kind::Throttling, "Too many requests, please wait before trying again.", true),
    (
        "tokens-per-day",
        Kind::Throttling,
        "Too many tokens per day, please wait before trying again.",
        true,
    ),
    (
        "model-timeout",
        Kind::ModelTimeout,
        "Model has timed out in processing the request. Try your request again.",
        true,
    ),
    ("model-stream-error", Kind::ModelStreamError, SYSTEM_ERROR, true),
    ("internal", Kind::InternalServer, SYSTEM_ERROR, true),
    ("unavailable", Kind::ServiceUnavailable, "Bedrock is unable to process your request.", true),
    (
        "system-instability",
        Kind::Validation,
        "System instability detected. Please retry your request.",
        true,
    ),
    (
        "rst-531",
        Kind::Validation,
        "InternalErrorCode=531::RST_STREAM closed stream. HTTP/2 error code: NO_ERROR",
        true,
    ),
    (
        "idle-532",
        Kind::Validation,
        "InternalErrorCode=532::Timed out waiting for audio bytes or interactive content. Please ensure gaps between audio bytes and interactive content are less than 295 seconds",
        true,
    ),
    ("input-timeout", Kind::Validation, "Timed out waiting for input events", true),
    ("tool-response", Kind::Validation, "Tool Response parsing error", false),
    (
        "content-filter",
        Kind::Validation,
        "This request has been blocked by our content filters.",
        false,
    ),
    (
        "history-limit",
        Kind::Validation,
        "Chat history is over max limit. Trim chat history and try again.",
        false,
    ),
];

/// The other failures of streams, and whether a new stream is likely to work.
const OTHERS: &[(&str, StreamFault, bool)] = &[
    ("reset-no-error", StreamFault::Reset(ResetReason::NoError), true),
    ("reset-internal", StreamFault::Reset(ResetReason::Internal), true),
    ("reset-cancel", StreamFault::Reset(ResetReason::Cancel), true),
    ("goaway-graceful", StreamFault::GoAwayGraceful, true),
    ("goaway-abrupt", StreamFault::GoAwayAbrupt, true),
    ("close", StreamFault::Close, true),
    ("end", StreamFault::End, true),
    ("truncated", StreamFault::Truncated, true),
    ("bad-crc", StreamFault::BadCrc, true),
    ("silence", StreamFault::Silence, true),
    ("garbage", StreamFault::Garbage(Garbage::NotJson), true),
    ("wrong-types", StreamFault::Garbage(Garbage::WrongTypes), true),
    ("huge-field", StreamFault::Garbage(Garbage::Huge), true),
    ("missing-fields", StreamFault::Garbage(Garbage::Missing), true),
];

/// Every fault by its name, and whether it is transient: whether a new stream is likely to work.
pub fn fault_names() -> Vec<(&'static str, Fault, bool)> {
    let mut all = Vec::new();
    for (name, status, code, message) in REFUSALS {
        let (code, message) = ((*code).to_owned(), (*message).to_owned());
        let refusal = Refusal { status: *status, code, message };
        // Those that clients try again after a while.
        let is_transient = matches!(status, 408 | 424 | 429 | 500..);
        all.push((*name, Fault::Opening(OpeningFault::Refused(refusal)), is_transient));
    }
    let openings = [
        ("hang", OpeningFault::Hang),
        ("open-close", OpeningFault::Close),
        ("open-reset", OpeningFault::Reset(ResetReason::Internal)),
        ("refused-stream", OpeningFault::Reset(ResetReason::Refused)),
    ];
    all.extend(openings.map(|(name, fault)| (name, Fault::Opening(fault), true)));
    for (name, kind, message, is_transient) in EXCEPTIONS {
        let fault = StreamFault::Exception(kind.clone(), (*message).to_owned());
        all.push((*name, Fault::Stream(fault), *is_transient));
    }
    let name = "modelMoodException".to_owned();
    let message = "Nobody has heard of this exception.".to_owned();
    let unknown = StreamFault::Exception(Kind::Unknown(name), message);
    all.push(("unknown-exception", Fault::Stream(unknown), true));
    let code = "InternalError".to_owned();
    let error = StreamFault::ErrorFrame { code, message: SYSTEM_ERROR.to_owned() };
    all.push(("error-frame", Fault::Stream(error), true));
    let others = OTHERS.iter();
    all.extend(others.map(|(name, fault, is)| (*name, Fault::Stream(fault.clone()), *is)));
    all
}

impl FromStr for FaultRule {
    type Err = FaultSyntax;

    fn from_str(text: &str) -> Result<Self, FaultSyntax> {
        let mut when = None;
        let mut nth = None;
        let mut faults = Vec::new();
        for part in text.split_whitespace() {
            match part.split_once('=') {
                None if part == "open" => set(&mut when, When::Opening { nth: None })?,
                None => faults.extend(named(part)?),
                Some(("list", names)) => {
                    for name in names.split(',') {
                        faults.extend(named(name)?);
                    }
                }
                Some(("nth", number)) => nth = Some(ordinal(number)?),
                Some((key, value)) => set(&mut when, timed(key, duration(value)?)?)?,
            }
        }
        let faults_missing =
            || FaultSyntax(format!("`{text}`: expected the name of a fault; known: {}", known()));
        if faults.is_empty() {
            return Err(faults_missing());
        }
        let when = when.ok_or_else(|| {
            let expected = "expected when: `open`, `at=12s`, `every=180s` or `history=5s`";
            FaultSyntax(format!("`{text}`: {expected}"))
        })?;
        let when = with_nth(when, nth)?;
        let is_at_opening = matches!(when, When::Opening { .. } | When::Every { .. });
        if !is_at_opening && faults.iter().any(|fault| matches!(fault, Fault::Opening(_))) {
            let problem = "this fault is one of openings; write `open` in place of the time";
            return Err(FaultSyntax(format!("`{text}`: {problem}")));
        }
        Ok(Self { faults, when })
    }
}

fn set(when: &mut Option<When>, value: When) -> Result<(), FaultSyntax> {
    match when.replace(value) {
        None => Ok(()),
        Some(_) => {
            Err(FaultSyntax("expected one of open, at, every and history, received two".into()))
        }
    }
}

fn timed(key: &str, value: Duration) -> Result<When, FaultSyntax> {
    match key {
        "at" => Ok(When::After { delay: value, nth: None }),
        "every" if value.is_zero() => Err(FaultSyntax("every: expected a time above 0".into())),
        "every" => Ok(When::Every { period: value }),
        "history" => Ok(When::AfterHistory { within: value }),
        _ => Err(FaultSyntax(format!("`{key}`: expected at, every, history, nth or list"))),
    }
}

fn with_nth(when: When, nth: Option<u64>) -> Result<When, FaultSyntax> {
    match (when, nth) {
        (when, None) => Ok(when),
        (When::Opening { .. }, nth) => Ok(When::Opening { nth }),
        (When::After { delay, .. }, nth) => Ok(When::After { delay, nth }),
        (When::Every { .. } | When::AfterHistory { .. }, Some(_)) => {
            Err(FaultSyntax("nth: goes with `open` and `at` only".into()))
        }
    }
}

fn named(name: &str) -> Result<Vec<Fault>, FaultSyntax> {
    let all = fault_names();
    let chosen = |keep: &dyn Fn(&Fault, bool) -> bool| {
        let all = all.iter();
        all.filter(|(_, fault, is)| keep(fault, *is)).map(|(_, fault, _)| fault.clone()).collect()
    };
    match name {
        "all" => Ok(chosen(&|_, _| true)),
        "all-transient" => Ok(chosen(&|_, is_transient| is_transient)),
        "all-stream" => Ok(chosen(&|fault, _| matches!(fault, Fault::Stream(_)))),
        "all-opening" => Ok(chosen(&|fault, _| matches!(fault, Fault::Opening(_)))),
        _ => match all.iter().find(|(known, _, _)| *known == name) {
            Some((_, fault, _)) => Ok(vec![fault.clone()]),
            None => Err(FaultSyntax(format!("`{name}` is no fault; known: {}", known()))),
        },
    }
}

fn known() -> String {
    let names: Vec<_> = fault_names().iter().map(|(name, _, _)| *name).collect();
    format!("{}, all, all-transient, all-stream, all-opening", names.join(", "))
}

fn ordinal(text: &str) -> Result<u64, FaultSyntax> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(FaultSyntax(format!("nth: expected a number from 1, received `{text}`"))),
    }
}

/// Reads a time: `12s`, `1.5s`, `300ms`, or a number of seconds.
pub fn duration(text: &str) -> Result<Duration, FaultSyntax> {
    let seconds = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(ms), _) => ms.parse().map(|ms: f64| ms / 1_000.0),
        (None, Some(seconds)) => seconds.parse(),
        (None, None) => text.parse(),
    };
    let problem = || FaultSyntax(format!("expected a time as 12s or 300ms, received `{text}`"));
    Duration::try_from_secs_f64(seconds.map_err(|_| problem())?).map_err(|_| problem())
}

#[cfg(test)]
mod tests;
