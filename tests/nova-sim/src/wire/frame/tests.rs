use aws_sigv4::event_stream::{SigningParams, sign_empty_message, sign_message};
use aws_smithy_runtime_api::client::identity::Identity;

use super::*;

const REQUEST_SIGNATURE: &str = "be1f8c7d79ef8e1abc5254a2c70e4da3bfaf4f07328f527444e1fc6ea67273e2";

/// A client that signs frame after frame.
struct Client {
    identity: Identity,
    last_signature: String,
}

impl Client {
    fn new(secret: &str) -> Self {
        let credentials =
            aws_credential_types::Credentials::new("AKIDSIM", secret, None, None, "test");
        let last_signature = REQUEST_SIGNATURE.to_owned();
        Self { identity: credentials.into(), last_signature }
    }

    fn signed(&mut self, inner: Option<&Message>) -> Vec<u8> {
        let params: SigningParams<'_> = aws_sigv4::sign::v4::SigningParams::builder()
            .identity(&self.identity)
            .region("us-east-1")
            .name("bedrock")
            .time(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000))
            .settings(())
            .build()
            .expect("all is set");
        let signed = match inner {
            Some(inner) => sign_message(inner, &self.last_signature, &params),
            None => sign_empty_message(&self.last_signature, &params),
        };
        let (message, signature) = signed.expect("it can be signed").into_parts();
        self.last_signature = signature;
        bytes_of(&message)
    }
}

fn bytes_of(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_message_to(message, &mut bytes).expect("it can be written");
    bytes
}

fn inner(event_type: &str, payload: &str) -> Message {
    let string = |value: &str| HeaderValue::String(value.to_owned().into());
    Message::new(payload.to_owned())
        .add_header(Header::new(":message-type", string("event")))
        .add_header(Header::new(":event-type", string(event_type)))
        .add_header(Header::new(":content-type", string("application/json")))
}

fn chunk_of(event: &str) -> Message {
    inner("chunk", &json!({ "bytes": BASE64_STANDARD.encode(event) }).to_string())
}

fn reader() -> FrameReader {
    let signer = Signer::new("AKIDSIM", "sim-secret", "us-east-1");
    FrameReader::new(signer, REQUEST_SIGNATURE.to_owned())
}

fn first_error(frames: &[Vec<u8>]) -> Option<String> {
    let mut reader = reader();
    frames.iter().for_each(|frame| reader.push(frame));
    loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(BadFrame(problem)) => return Some(problem),
        }
    }
}

#[test]
fn a_signed_chain_is_read_however_it_is_cut() {
    let mut client = Client::new("sim-secret");
    let frames = [
        client.signed(Some(&chunk_of("{\"one\":1}"))),
        client.signed(Some(&chunk_of("{\"two\":2}"))),
        client.signed(None),
    ];
    let mut reader = reader();
    let mut read = Vec::new();
    for byte in frames.concat() {
        reader.push(&[byte]);
        read.extend(reader.next().expect("a lawful chain"));
    }
    let event = |text: &str| Inbound::Event(text.as_bytes().to_vec());
    assert_eq!(read, [event("{\"one\":1}"), event("{\"two\":2}"), Inbound::End]);
}

#[test]
fn a_broken_chain_is_noticed_at_its_frame() {
    let frames = |secret: &str| {
        let mut client = Client::new(secret);
        [client.signed(Some(&chunk_of("{}"))), client.signed(Some(&chunk_of("{}")))]
    };
    let [first, second] = frames("sim-secret");
    let mismatch = "The event stream message signature does not match";
    let malformed = "malformed";
    let mut damaged = first.clone();
    damaged[40] ^= 1;
    for (name, frames, problem) in [
        ("another secret", frames("other").to_vec(), Some(mismatch)),
        ("a frame missing", vec![second.clone()], Some(mismatch)),
        ("a frame twice", vec![first.clone(), first.clone()], Some(mismatch)),
        ("damaged", vec![damaged], Some(malformed)),
        ("unsigned", vec![bytes_of(&chunk_of("{}"))], Some("is not signed")),
        ("huge length", vec![vec![0xff; 4], vec![0; 2_000_000]], Some("")),
        ("lawful", vec![first, second], None),
    ] {
        let told = first_error(&frames);
        assert_eq!(told.is_some(), problem.is_some(), "{name}: {told:?}");
        assert!(told.unwrap_or_default().contains(problem.unwrap_or_default()), "{name}");
    }
}

#[test]
fn what_is_signed_must_be_a_chunk() {
    for (inner, problem) in [
        (inner("audio", "{}"), ":event-type: expected chunk"),
        (inner("chunk", "{}"), "expected a chunk with `bytes` in base64"),
        (inner("chunk", "not json"), "expected a chunk with `bytes` in base64"),
        (inner("chunk", r#"{"bytes":"%"}"#), "expected a chunk with `bytes` in base64"),
    ] {
        let frame = Client::new("sim-secret").signed(Some(&inner));
        let told = first_error(&[frame]).expect("an error");
        assert!(told.contains(problem), "{told}");
    }
}
