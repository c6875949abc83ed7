//! Antiphon: a WebRTC media agent for voice products.
//!
//! # Bird's eye
//!
//! A caller offers SDP over HTTP; an agent peer answers, joins the call, and holds a conversation: it
//! hears through a jitter buffer, detects speech, decides whose turn it is, passes the user's voice to
//! a [`backend`], and plays what the backend says, until the user interrupts.
//!
//! A voice agent is a small real-time controller: two audio clocks, one network, one slow and jittery
//! model, and a human who interrupts. Its bugs are orderings. So **logic is pure and told the time; the
//! shell is thin and boring.** If a bug needs a `sleep` to be reproduced, the logic is in the wrong
//! room.
//!
//! ```text
//!             HTTP                 UDP, TCP                                  providers
//!               |                     |                                          |
//!     [signaling crate]      [peer::webrtc] <----- [peer::driver] -----> [backend::*]
//!               |                              one loop a call
//!           [server] ---------------------------------'
//!  shell  ------------------------------------------------------------------------------
//!  pure                                  [agent]
//!                     [media::uplink]  [call]  [media::downlink]
//!                      [rtp]   [dsp]
//! ```
//!
//! # Code map
//!
//! Pure: no clock, randomness, environment, files, threads, channels, locks or async. These compile with
//! `--no-default-features`, where no async runtime, network or provider crate is in the graph.
//!
//! | room | owns |
//! |---|---|
//! | [`limits`] | every bound and fixed rate, its reason and what happens at it |
//! | [`time`] | [`time::SessionTime`], and [`time::Timers`]: all deadlines of a machine in one table |
//! | [`yaml`] | YAML with places, decoded so that every mistake is told at once |
//! | [`script`] | what a scripted backend plays |
//! | [`rtp`] | packet order and arrival: the jitter buffer, RTCP arithmetic, telling datagrams apart |
//! | [`sdp`] | offers and trickle fragments, read into types; answers written from them |
//! | [`dsp`] | frames, levels, gain, resampling, G.711, echo and noise, voice probability, pitch, log-mel |
//! | [`call`] | the conversation: echo gate, speech, endpoint, floor, playout ledger, turn metrics |
//! | [`media`] | uplink (packets to features and 16 kHz PCM), downlink (reply PCM to paced packets), codecs |
//! | [`rtvi`] | the messages of the data channel |
//! | [`agent`] | one call = uplink + conversation + downlink; `handle_*` in, `poll_*` out |
//! | [`cascade`] | speech recognition, a language model and speech in a row: phrases, context, wire formats |
//! | [`tools`] | functions that a model may call: declared, checked, confirmed, answered once |
//! | [`nova`] | Amazon Nova Sonic's events, their order and meaning, history, usage, failures |
//! | [`flight`] | a call as a file, and the file as a call again; its trace and its drawing |
//!
//! Shell:
//!
//! | room | owns |
//! |---|---|
//! | [`backend`] | the speech-to-speech port and its adapters: local, cascade, scripted, echo, Nova Sonic; relief |
//! | [`peer`] | what carries media: the sockets, the WebRTC session, and the one loop of a call |
//! | [`config`] | file, environment and command line to [`config::Config`] |
//! | [`server`] | calls and sessions, admission, drain; implements the port that the signaling crate calls |
//! | [`metrics`] | what all calls did and used, by agent, as Prometheus reads it |
//! | [`replay`] | the command that replays recordings |
//! | [`telemetry`] | logs, and recordings on their way to the disk |
//!
//! Beside them: the crate `signaling` (HTTP; SDP is an opaque string to it), `client/peer` (the headless
//! caller, which shares no code with the agent so that it can contradict it), `client/web` (the browser
//! SDK and page), `tests`, `fuzz`, `deploy`.
//!
//! # Invariants
//!
//! - Who may know whom stands in `tests/tidy.rs`; a new arrow is a commit of its own. `rtp`, `dsp` and
//!   `call` do not know each other. No PCM enters a state machine: decisions take features.
//! - One owner per outside world: `rtc::` only in `peer::webrtc`, `axum::` only in `signaling`, `opus::`
//!   only in `media::opus`, `ort::` only in `dsp::onnx` and its two models, the crates of AWS
//!   only in `backend::aws` (where they look for keys in the environment, as all AWS tools do) and in the
//!   backends and stages that are AWS's, the environment otherwise only in `config`.
//! - One mutation, then a full drain of `poll_*`, then the next input. There are no callbacks.
//! - Only the floor opens and closes turns and generations. Whatever carries an old generation is dropped,
//!   in one place.
//! - Every waiting state has an armed timer: no state can wait for ever.
//! - Everything is bounded and named in [`limits`]. No lock, allocation or unbounded queue on the per-frame
//!   path without a measured reason beside it.
//! - Refusals of outside input are values that are counted; a panic means a bug and ends one call.
//! - User words and audio are in no log message.
//!
//! # Who decides
//!
//! [`call::settings::TurnAuthority`] is fixed when a call is built, but that a backend which decides may be
//! relieved by one that does not ([`backend::relief`]). `Local`: the conversation decides whose
//! turn it is, and gives a backend one turn after the other. `Backend` (Nova Sonic): the backend hears the
//! user all the time and decides; certain echo reaches it as silence, and what may be an interruption once it
//! is one. Either way only the floor opens and closes turns and replies.
//!
//! # Two walks
//!
//! **A frame, socket to backend.** A datagram arrives at the one UDP socket; the endpoint finds its call by
//! ICE user name, then by address, and queues it with `try_send`. The call's loop wakes, reads the clock
//! once, and hands it to the WebRTC session, which yields an RTP packet; `agent.handle_rtp` lets the jitter
//! buffer file it. At the next 20 ms slot `agent.handle_timeout` takes a frame out (decoded, repaired by
//! FEC or concealed), resamples to 16 kHz, takes out the echo of what the downlink sent, suppresses noise
//! if asked to, asks Silero, and so has `FrameFeatures`, of which the echo gate makes its verdict.
//! `call.handle_frame` answers what becomes of the audio: forward it, hold it (the pre-roll), or drop
//! it. Forwarded frames go into the bounded channel of the backend; a full one means that the backend is
//! stuck, and the call is told so with a value.
//!
//! **An interruption.** The user makes a sound during the agent's turn. Its frames carry measurements of
//! the agent's own voice in them, from which the echo gate makes its verdict: certain echo goes no further.
//! With the first voiced frame the floor is `Contested`: the downlink fades within a frame and keeps its
//! tail, and nobody else knows. Voice goes on: `Yielding`; the backend is given what was held since, as a
//! turn that may come to nothing. Words, or the length of the speech, commit: the reply is cancelled, with
//! how much of it was heard, and the floor is the user's. Had it been a cough or an "mhm", silence would
//! have dismissed it: the turn is taken back and the tail plays on from where it faded. Whatever the
//! backend still sends of a cancelled reply carries an old generation.
//!
//! The evidence is weighed in `call::barge_in`, which knows no floor; what follows from it is done in
//! `call::floor`, in one table of findings and states (`floor::contest`).

// ---- pure ----
pub mod agent;
pub mod call;
pub mod cascade;
pub mod dsp;
pub mod flight;
pub mod limits;
pub mod media;
pub mod nova;
pub mod rtp;
pub mod rtvi;
pub mod script;
pub mod sdp;
pub mod time;
pub mod tools;
pub mod yaml;

// ---- shell: async, sockets, providers ----
#[cfg(feature = "shell")]
pub mod backend;
#[cfg(feature = "shell")]
pub mod config;
#[cfg(feature = "shell")]
pub mod metrics;
#[cfg(feature = "shell")]
pub mod peer;
#[cfg(feature = "shell")]
pub mod replay;
#[cfg(feature = "shell")]
pub mod server;
#[cfg(feature = "shell")]
pub mod telemetry;
