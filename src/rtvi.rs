//! RTVI 2.x, the messages on a call's data channel: text in, text out, no sockets.
//!
//! [`parse`] turns one message of a client into what it asks for; [`Encoder`] turns what the
//! conversation tells its client into messages. Both are bounded and total: no message of a client
//! can make them fail otherwise than by a [`Refusal`], whose reply is ready to send.
//!
//! The envelope both ways is `{"label":"rtvi-ai","type":…,"id":…,"data":…}`. Beside it, the Pipecat
//! SmallWebRTC transport sends `ping: <ms>` lines and `{"type":"signalling",…}` objects, which are
//! understood too.
//!
//! # What is added to RTVI
//!
//! | direction | message | data |
//! |---|---|---|
//! | to the client | `server-message` | `{type:"floor", state, turn, generation, at_ms}` |
//! | to the client | `server-message` | `{type:"turn", turn, generation, speech_ms, endpoint_ms?, transcript_ms?, first_text_ms?, first_audio_ms?, first_packet_ms?}` |
//! | to the client | `server-message` | `{type:"heard", generation, heard_ms, text, source, interrupted}` |
//! | to the server | `client-message` `t:"playout"` | `{generation, played_ms}`, not answered |
//! | to the server | `client-message` `t:"mute"` | `{muted}` |
//! | to the server | `client-message` `t:"text"` | `{text, interrupt?}`, `interrupt` is true by default |
//!
//! The floor's `state` is `idle`, `user`, `settling` (the user paused), `thinking`, `agent`, `contested`
//! (the user may be interrupting: the agent fades) or `yielding` (it is silent and may go on where it was
//! faded). `source` says how it is known what was heard: `reported` by the client, from the measured
//! `round-trip`, or `estimated`.
//!
//! # Departures from RTVI
//!
//! - `send-text` with `run_immediately: false` waits for the agent to finish and is then answered;
//!   RTVI would only append it to the context.
//! - `send-text` with `audio_response: false` is answered aloud all the same.
//! - Text of a reply is aggregated as the backend sends it, which is called `sentence`.
//! - `bot-tts-text` follows the making of the speech, not its playing; the playing is told by
//!   `bot-output` and by `heard`.

mod encoder;
mod incoming;
mod segments;
mod wire;

pub use encoder::{Encoder, peer_left};
pub use incoming::{Incoming, Refusal, parse};

/// The version of RTVI that is spoken here.
pub const VERSION: &str = "2.1.0";
