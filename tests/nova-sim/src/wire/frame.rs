//! Event-stream frames: what a client sends, unwrapped and its signature checked, and what is sent.

use std::time::SystemTime;

use aws_smithy_eventstream::frame::{
    DecodedFrame, MessageFrameDecoder, read_message_from, write_message_to,
};
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

use super::signature::Signer;
use crate::limits::FRAME_BYTES_MAX;

/// Cuts a client's bytes into events and checks the chain of their signatures.
#[derive(Debug)]
pub(crate) struct FrameReader {
    signer: Signer,
    /// The signature before, in hex; first that of the request.
    last_signature: String,
    decoder: MessageFrameDecoder,
    buffer: BytesMut,
}

/// What one frame is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Inbound {
    /// One event's JSON.
    Event(Vec<u8>),
    /// The signed mark of the end.
    End,
}

/// What is wrong with a frame; the stream ends with a validation exception of this text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadFrame(pub(crate) String);

fn bad<T>(problem: impl Into<String>) -> Result<T, BadFrame> {
    Err(BadFrame(problem.into()))
}

impl FrameReader {
    /// After a request with this signature, in hex.
    pub(crate) fn new(signer: Signer, request_signature: String) -> Self {
        let decoder = MessageFrameDecoder::new();
        Self { signer, last_signature: request_signature, decoder, buffer: BytesMut::new() }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame; `None` until more bytes have come.
    pub(crate) fn next(&mut self) -> Result<Option<Inbound>, BadFrame> {
        match self.next_message()? {
            None => Ok(None),
            Some(None) => Ok(Some(Inbound::End)),
            Some(Some(inner)) => event_in(&inner).map(|event| Some(Inbound::Event(event))),
        }
    }

    /// The next frame's event as it is, `Some(None)` for the mark of the end; `None` until more bytes have
    /// come.
    pub(crate) fn next_message(&mut self) -> Result<Option<Option<Message>>, BadFrame> {
        match self.decoder.decode_frame(&mut self.buffer) {
            Ok(DecodedFrame::Complete(message)) => self.open(&message).map(Some),
            Ok(DecodedFrame::Incomplete) if self.buffer.len() > FRAME_BYTES_MAX => {
                bad(format!("expected frames of {FRAME_BYTES_MAX} bytes at most"))
            }
            Ok(DecodedFrame::Incomplete) => Ok(None),
            Err(error) => bad(format!("The event stream message is malformed: {error}")),
        }
    }

    fn open(&mut self, message: &Message) -> Result<Option<Message>, BadFrame> {
        let Some(HeaderValue::ByteArray(signature)) = header(message, ":chunk-signature") else {
            return bad("The event stream message is not signed");
        };
        let Some(HeaderValue::Timestamp(date)) = header(message, ":date") else {
            return bad("The event stream message has no date");
        };
        let Ok(date) = SystemTime::try_from(*date) else {
            return bad("The event stream message has no sensible date");
        };
        let payload = message.payload();
        let inner = if payload.is_empty() {
            None
        } else {
            match read_message_from(payload.clone()) {
                Ok(inner) => Some(inner),
                Err(error) => return bad(format!("The signed message is malformed: {error}")),
            }
        };
        let expected = self.signer.frame_signature(inner.as_ref(), &self.last_signature, date);
        if expected.as_deref() != Some(hex(signature).as_str()) {
            return bad("The event stream message signature does not match");
        }
        self.last_signature = hex(signature);
        Ok(inner)
    }
}

/// The event inside a `chunk`.
fn event_in(inner: &Message) -> Result<Vec<u8>, BadFrame> {
    for (name, expected) in [
        (":message-type", "event"),
        (":event-type", "chunk"),
        (":content-type", "application/json"),
    ] {
        match header(inner, name) {
            Some(HeaderValue::String(value)) if value.as_str() == expected => {}
            other => return bad(format!("{name}: expected {expected}, received {other:?}")),
        }
    }
    let bytes = match serde_json::from_slice(inner.payload()) {
        Ok(Value::Object(chunk)) => chunk.get("bytes").and_then(Value::as_str).map(str::to_owned),
        _ => None,
    };
    match bytes.map(|bytes| BASE64_STANDARD.decode(bytes)) {
        Some(Ok(event)) => Ok(event),
        _ => bad("expected a chunk with `bytes` in base64"),
    }
}

/// A `chunk` that holds an event.
pub(crate) fn chunk(event: &[u8]) -> Bytes {
    let payload = json!({ "bytes": BASE64_STANDARD.encode(event) }).to_string();
    frame(&[(":message-type", "event"), (":event-type", "chunk"), (":content-type", JSON)], payload)
}

/// An event of a service that has several.
pub(crate) fn event(name: &str, payload: &Value) -> Bytes {
    let headers = [(":message-type", "event"), (":event-type", name), (":content-type", JSON)];
    frame(&headers, payload.to_string())
}

/// An event that is bytes.
pub(crate) fn bytes_event(name: &str, payload: Vec<u8>) -> Bytes {
    let bytes = "application/octet-stream";
    let headers = [(":message-type", "event"), (":event-type", name), (":content-type", bytes)];
    frame(&headers, payload)
}

/// An exception.
pub(crate) fn exception(name: &str, message: &str) -> Bytes {
    let mut payload = json!({ "message": message });
    if name == "modelStreamErrorException" {
        payload["originalStatusCode"] = Value::from(500);
        payload["originalMessage"] = Value::from(message);
    }
    frame(
        &[(":message-type", "exception"), (":exception-type", name), (":content-type", JSON)],
        payload.to_string(),
    )
}

/// An error that is no exception.
pub(crate) fn error(code: &str, message: &str) -> Bytes {
    let headers = [(":message-type", "error"), (":error-code", code), (":error-message", message)];
    frame(&headers, String::new())
}

/// A frame that is cut off, or whose last checksum is wrong.
pub(crate) fn broken(is_truncated: bool) -> Bytes {
    let mut bytes = BytesMut::from(&chunk(b"{\"event\":{}}")[..]);
    let length = bytes.len();
    if is_truncated {
        bytes.truncate(length - 10);
    } else {
        bytes[length - 1] ^= 0xff;
    }
    bytes.freeze()
}

const JSON: &str = "application/json";

fn frame(headers: &[(&'static str, &str)], payload: impl Into<Bytes>) -> Bytes {
    let mut message = Message::new(payload);
    for (name, value) in headers {
        let value = HeaderValue::String((*value).to_owned().into());
        message = message.add_header(Header::new(*name, value));
    }
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).expect("the headers are short strings");
    Bytes::from(bytes)
}

/// A header of an event.
pub(crate) fn header<'a>(message: &'a Message, name: &str) -> Option<&'a HeaderValue> {
    let mut headers = message.headers().iter();
    headers.find(|header| header.name().as_str() == name).map(Header::value)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
