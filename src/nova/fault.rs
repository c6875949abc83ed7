//! What goes wrong with a connection to Nova Sonic, and what is done about it.
//!
//! The service tells transient faults, mistakes of ours and mistakes of the account apart poorly: many
//! transient ones come as a validation exception, and only their texts differ. So the texts that were seen
//! decide first, then the codes, then the HTTP status.

use std::fmt;
use std::time::Duration;

use crate::limits::FAULT_TEXT_CHARS_MAX;

/// Why a connection was not opened, or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The service refused to open it. `code` is empty where the answer named none.
    Opening { status: Option<u16>, code: String, message: String },
    /// It ended with an exception. `code` is its type on the wire, such as `validationException`.
    Exception { code: String, message: String },
    /// The network: no connection, a reset stream, a closed socket.
    Transport { message: String },
    /// It ended without a reason: in order, or by a reset that says "no error", which looks the same.
    Ended,
    /// Nothing came for so long.
    Silent { waited: Duration, what: Silence },
    /// There are no credentials to sign with.
    Credentials { message: String },
    /// What came is not what the service speaks.
    Malformed { message: String },
    /// All connections that the account permits are in use.
    Busy,
}

/// What was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// That the service accepts the connection.
    Open,
    /// Any event after the user has finished.
    FirstEvent,
    /// The next event within a reply.
    Stall,
}

/// What is done about a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Open the next connection at once, with the history.
    Renew,
    /// Open the next connection without the history, which may be what the service refuses.
    RenewWithoutHistory,
    /// Open the next connection after a pause: [`delay`] with attempts counted from 2.
    BackOff,
    /// This turn cannot be answered and the user is told so; the connection is renewed too.
    TellUser,
    /// No further attempt can do better: somebody must change the configuration or the account.
    End,
}

/// Texts of the service, by which faults are told apart whatever their code.
const BY_TEXT: &[(&str, Remedy)] = &[
    // Transient.
    ("System instability detected", Remedy::Renew),
    ("InternalErrorCode=531", Remedy::Renew),
    ("RST_STREAM closed stream", Remedy::Renew),
    ("InternalErrorCode=532", Remedy::Renew),
    ("Timed out waiting for audio bytes", Remedy::Renew),
    ("Timed out waiting for input events", Remedy::Renew),
    ("Model has timed out in processing the request", Remedy::Renew),
    ("The system encountered an unexpected error", Remedy::Renew),
    // The next connection is signed with newer credentials.
    ("security token included in the request is expired", Remedy::Renew),
    // What the user or a tool said in this turn.
    ("blocked by our content filters", Remedy::TellUser),
    // A tool's result is carried over as text, which has no form to get wrong.
    ("Tool Response parsing error", Remedy::Renew),
    ("Tool result media type must be", Remedy::Renew),
    // The set-up of this agent, which every connection repeats.
    ("Received invalid voiceId", Remedy::End),
    ("Malformed input request: #/toolConfig", Remedy::End),
    ("model identifier is invalid", Remedy::End),
    // The history, or an order that depends on it.
    ("Chat history is over max limit", Remedy::RenewWithoutHistory),
    ("First message in chat history", Remedy::RenewWithoutHistory),
    ("Chat history should be sent completely", Remedy::RenewWithoutHistory),
    ("First content must have SYSTEM role", Remedy::RenewWithoutHistory),
    ("Duplicate SYSTEM content", Remedy::RenewWithoutHistory),
    ("All contents must be closed", Remedy::RenewWithoutHistory),
    ("as no content data was received", Remedy::RenewWithoutHistory),
    ("must have at least one audio content", Remedy::RenewWithoutHistory),
    ("Unable to parse input chunk", Remedy::RenewWithoutHistory),
    ("Invalid input request", Remedy::RenewWithoutHistory),
];

/// Codes, as [`bare`] writes them: what they mean at the opening, and on an open connection.
const BY_CODE: &[(&str, Remedy, Remedy)] = &[
    ("accessdenied", Remedy::End, Remedy::End),
    ("unrecognizedclient", Remedy::End, Remedy::End),
    ("invalidclienttokenid", Remedy::End, Remedy::End),
    ("invalidsignature", Remedy::End, Remedy::End),
    ("signaturedoesnotmatch", Remedy::End, Remedy::End),
    ("incompletesignature", Remedy::End, Remedy::End),
    ("missingauthenticationtoken", Remedy::End, Remedy::End),
    // Newer ones are read before the next attempt.
    ("expiredtoken", Remedy::BackOff, Remedy::Renew),
    ("resourcenotfound", Remedy::End, Remedy::End),
    ("throttling", Remedy::BackOff, Remedy::BackOff),
    ("toomanyrequests", Remedy::BackOff, Remedy::BackOff),
    ("servicequotaexceeded", Remedy::BackOff, Remedy::BackOff),
    ("modelnotready", Remedy::BackOff, Remedy::BackOff),
    ("serviceunavailable", Remedy::BackOff, Remedy::BackOff),
    ("internalserver", Remedy::BackOff, Remedy::Renew),
    ("internalfailure", Remedy::BackOff, Remedy::Renew),
    ("modelerror", Remedy::BackOff, Remedy::Renew),
    ("modelstreamerror", Remedy::BackOff, Remedy::Renew),
    ("modeltimeout", Remedy::Renew, Remedy::Renew),
    ("validation", Remedy::RenewWithoutHistory, Remedy::RenewWithoutHistory),
];

/// What is done about `fault`.
pub fn remedy(fault: &Fault) -> Remedy {
    match fault {
        Fault::Opening { status, code, message } => by_text(message)
            .or_else(|| by_code(code).map(|(opening, _)| opening))
            .unwrap_or_else(|| by_status(*status)),
        Fault::Exception { code, message } => by_text(message)
            .or_else(|| by_code(code).map(|(_, open)| open))
            .unwrap_or(Remedy::Renew),
        Fault::Transport { .. } | Fault::Ended | Fault::Silent { .. } | Fault::Malformed { .. } => {
            Remedy::Renew
        }
        Fault::Credentials { .. } | Fault::Busy => Remedy::BackOff,
    }
}

/// How long the next attempt waits: nothing for the first, then 1, 3, 7 s, from then on 10 s; each shortened
/// by up to a half, so that many calls that lost their connections together do not come back together.
/// `attempt` counts from 1 since a connection last worked; `whim` is a random number from 0 to 1.
pub fn delay(attempt: u32, whim: f32) -> Duration {
    const LONGEST_S: u64 = 10;
    let doublings = attempt.saturating_sub(1).min(8);
    let seconds = ((1 << doublings) - 1).min(LONGEST_S);
    let whim = if whim.is_nan() { 0.0 } else { whim.clamp(0.0, 1.0) };
    let kept = 0.5 + whim / 2.0;
    Duration::from_secs(seconds).mul_f32(kept)
}

/// A text of the service as it may stand in a log: one line, at most [`FAULT_TEXT_CHARS_MAX`] characters.
pub fn clipped(text: &str) -> String {
    let mut clipped = String::new();
    for (count, letter) in text.trim().chars().enumerate() {
        if count == FAULT_TEXT_CHARS_MAX {
            clipped.push('…');
            break;
        }
        clipped.push(if letter.is_control() { ' ' } else { letter });
    }
    clipped
}

fn by_text(message: &str) -> Option<Remedy> {
    BY_TEXT.iter().find(|(text, _)| message.contains(text)).map(|(_, remedy)| *remedy)
}

fn by_code(code: &str) -> Option<(Remedy, Remedy)> {
    let code = bare(code);
    let row = BY_CODE.iter().find(|(name, _, _)| *name == code);
    row.map(|(_, opening, open)| (*opening, *open))
}

fn by_status(status: Option<u16>) -> Remedy {
    match status {
        Some(400) => Remedy::RenewWithoutHistory,
        Some(408) => Remedy::Renew,
        Some(401 | 403 | 404) => Remedy::End,
        _ => Remedy::BackOff,
    }
}

/// A code in one spelling: HTTP errors write `com.amazon.coral#ThrottlingException:http://...`, streams
/// `throttlingException`.
fn bare(code: &str) -> String {
    let code = code.rsplit('#').next().unwrap_or_default();
    let code = code.split(':').next().unwrap_or_default().to_ascii_lowercase();
    code.strip_suffix("exception").map(str::to_owned).unwrap_or(code)
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opening { status, code, message } => {
                formatter.write_str("the service refused the connection")?;
                named(formatter, code, message)?;
                if let Some(status) = status {
                    write!(formatter, " (HTTP {status})")?;
                }
            }
            Self::Exception { code, message } => {
                formatter.write_str("the service ended the connection")?;
                named(formatter, code, message)?;
            }
            Self::Transport { message } => write!(formatter, "the connection failed: {message}")?,
            Self::Ended => formatter.write_str("the connection ended without a reason")?,
            Self::Silent { waited, what } => {
                let what = match what {
                    Silence::Open => "the service has not accepted the connection",
                    Silence::FirstEvent => "the service has not begun to answer",
                    Silence::Stall => "the service has stopped in the middle of a reply",
                };
                write!(formatter, "{what} after {:.1} s", waited.as_secs_f32())?;
            }
            Self::Credentials { message } => write!(formatter, "no credentials: {message}")?,
            Self::Malformed { message } => {
                write!(formatter, "the service sent what cannot be read: {message}")?;
            }
            Self::Busy => formatter.write_str("all connections of this account are in use")?,
        }
        write!(formatter, "; {}", advice(self))
    }
}

fn named(formatter: &mut fmt::Formatter<'_>, code: &str, message: &str) -> fmt::Result {
    match (code, message) {
        ("", "") => Ok(()),
        ("", message) => write!(formatter, ": {message}"),
        (code, "") => write!(formatter, ": {code}"),
        (code, message) => write!(formatter, ": {code}: {message}"),
    }
}

/// What an operator does next.
fn advice(fault: &Fault) -> &'static str {
    let code = match fault {
        Fault::Opening { code, .. } | Fault::Exception { code, .. } => bare(code),
        Fault::Credentials { .. } => {
            return "check the credentials of this process with `aws sts get-caller-identity`";
        }
        Fault::Busy => return "raise nova_sonic.sessions_max if the account's quota permits",
        Fault::Transport { .. } | Fault::Silent { .. } => {
            return "it is opened again; if it lasts, check the network, and the region's status";
        }
        Fault::Ended | Fault::Malformed { .. } => return "it is opened again",
    };
    match code.as_str() {
        "accessdenied" => {
            "grant bedrock:InvokeModel and bedrock:InvokeModelWithBidirectionalStream on the model, and \
             ask for access to it in the Bedrock console"
        }
        "unrecognizedclient" | "invalidclienttokenid" | "missingauthenticationtoken" => {
            "the access key is not known: check which credentials this process has"
        }
        "invalidsignature" | "signaturedoesnotmatch" | "incompletesignature" => {
            "the secret key does not belong to the access key, or this machine's clock is wrong"
        }
        "expiredtoken" => "renew the credentials of this process",
        "resourcenotfound" => "check nova_sonic.model, and that the region has it",
        "throttling" | "toomanyrequests" | "servicequotaexceeded" => {
            "lower nova_sonic.sessions_max to the account's quota, or raise the quota"
        }
        _ => match remedy(fault) {
            Remedy::End => "check the nova_sonic section of this agent and its tools",
            Remedy::TellUser => "the turn is given up",
            Remedy::RenewWithoutHistory => "it is opened again without the history",
            Remedy::Renew | Remedy::BackOff => "it is opened again",
        },
    }
}

#[cfg(test)]
mod tests;
