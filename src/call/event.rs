//! The vocabulary that rooms share with the conversation: what it is told and what it asks for.
//!
//! Plain data, no behaviour. Wire formats (RTVI on the data channel, each provider's protocol) have
//! their own twins at the edge and convert.

mod evidence;
mod usage;

use std::fmt;
use std::time::Duration;

pub use crate::call::event::evidence::{
    Canceller, Decision, EchoEvidence, EchoVerdict, FrameFeatures, Stage,
};
pub use crate::call::event::usage::{Cost, Usage};
use crate::time::SessionTime;

// ==== Identity ====

/// One turn of the user, counted from 1 within the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TurnId(pub u32);

/// One reply of the agent, counted from 1 within the call. Everything a backend makes carries the
/// generation it was made for; what carries an old one is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

impl fmt::Display for TurnId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "turn={}", self.0)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "gen={}", self.0)
    }
}

// ==== Uplink -> call ====

/// What becomes of the frame's audio on its way to the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Send it on.
    Forward,
    /// Send as much silence instead: the backend needs a stream without a gap.
    ForwardSilence,
    /// Keep it in the held ring as pre-roll, the last half second; [`Output::ReleaseHeld`] sends it on
    /// later, in order.
    Hold,
    /// Keep all of it, as far as the ring goes: the user is speaking and it is not decided to whom.
    HoldAll,
    /// Keep all of it too, but rather what was held before: the user spoke to be heard later, and is silent.
    HoldTail,
    /// Forget it: the user is muted.
    Drop,
}

// ==== Downlink -> call ====

/// One 20 ms downlink slot as it left the host.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SentFrame {
    /// Whose audio it carried; `None` for silence or a keep-alive.
    pub generation: Option<Generation>,
    /// RMS level after gain in dBFS, -127 for digital silence.
    pub level_dbfs: f32,
    /// Audio of this reply still queued behind the frame.
    pub queued: Duration,
}

/// What the far end says it has played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Playout {
    /// The reply the report is about.
    pub generation: Generation,
    /// How much of that reply has come out of the loudspeaker, counted from its first sample.
    pub played: Duration,
}

// ==== Call -> backend ====

/// How it is known what the user heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeardSource {
    /// The client reported what it played.
    Reported,
    /// Sent, less what is on its way by the measured round trip and in the client's buffer.
    RoundTrip,
    /// Sent, less what a client usually holds: the round trip is not known.
    #[default]
    Estimated,
}

impl HeardSource {
    /// The name used in traces and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::RoundTrip => "round-trip",
            Self::Estimated => "estimated",
        }
    }
}

/// How much of a reply reached the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Audio of the reply that was played to the user.
    pub duration: Duration,
    /// The text of that audio, cut at a word.
    pub text: String,
    /// How this is known.
    pub source: HeardSource,
}

/// One word of a reply and where its audio lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordTime {
    /// The word, with the punctuation that belongs to it.
    pub text: String,
    /// Where its sound begins, counted from the reply's first sample.
    pub start: Duration,
    /// Where its sound ends.
    pub end: Duration,
}

/// What the conversation asks of a backend. In order with the audio, in one channel.
#[derive(Clone, Debug, PartialEq)]
pub enum BackendCommand {
    /// Speak first.
    Greet { generation: Generation },
    /// The floor is free: say what [`BackendEvent::WantsToSpeak`] announced, as `generation`. If
    /// there is nothing left to say, finish the reply empty.
    Speak { generation: Generation },
    /// The user began to speak; audio of this turn follows (pre-roll first).
    UserSpeechStarted { turn: TurnId },
    /// The user's turn may be over, and all of its audio so far was sent: answer it ahead, as
    /// `generation`. [`BackendCommand::UserTurnEnded`] with the same generation makes it count;
    /// [`BackendCommand::Withdraw`] undoes it. Until then nothing of it may be visible outside: no
    /// tool with side effects is run and no history is kept.
    Speculate { turn: TurnId, generation: Generation },
    /// The user went on speaking: the reply that was made ahead never happened, and the turn is open.
    Withdraw { turn: TurnId, generation: Generation },
    /// The user's turn is over and all of its audio was sent: answer it, as `generation`. A reply
    /// that was made ahead as `generation` is the answer.
    UserTurnEnded { turn: TurnId, generation: Generation },
    /// The user typed this as a turn of its own: answer it, as `generation`.
    UserText { turn: TurnId, generation: Generation, text: String },
    /// A turn was opened but nothing in it was meant for the agent (a backchannel, a cough): forget its
    /// audio. A reply that is being made goes on.
    UserTurnDismissed { turn: TurnId },
    /// Say this, word for word, as `generation`: a prompt after a long silence. It is part of the
    /// history like any reply. A backend that cannot speak a given text finishes the reply empty.
    Say { generation: Generation, text: String },
    /// Stop making this reply. The history keeps only what was heard.
    Cancel { generation: Generation, heard: Heard },
    /// The reply was played to its end.
    Played { generation: Generation, heard: Heard },
    /// The result of a tool call that the client executed. `result` is JSON text.
    ToolResult { call_id: String, result: String },
    /// What the last turn took, once its first sound was sent.
    Measured(TurnMetrics),
}

// ==== Backend -> call ====

/// What a backend tells the conversation. Audio travels beside it, tagged by generation.
#[derive(Clone, Debug, PartialEq)]
pub enum BackendEvent {
    /// Set-up is done; commands sent before are kept in order, not lost.
    Ready,
    /// What the user said in `turn`, so far or finally.
    UserTranscript { turn: TurnId, text: String, is_final: bool },
    /// There is something to say that no turn asked for (a timer rang). Answered with
    /// [`BackendCommand::Speak`] once nobody holds the floor; asking again before that changes
    /// nothing.
    WantsToSpeak,
    /// How likely the text of `turn` so far is a finished thought, 0 to 1: the text hook of the
    /// semantic endpointer.
    TurnLooksComplete { turn: TurnId, probability: f32 },
    /// The backend's own endpointer says that the turn is over. Only heard where the backend decides.
    UserTurnEnded { turn: TurnId },
    /// The backend's own detector says that the user is interrupting this reply.
    Interrupted { generation: Generation },
    /// What a language model was told when it was asked for this reply, perhaps ahead, to be read by people:
    /// at most [`MODEL_PROMPT_SHOWN_BYTES_MAX`](crate::limits::MODEL_PROMPT_SHOWN_BYTES_MAX). Nothing follows
    /// from it: it is for recordings.
    Prompted { generation: Generation, prompt: String },
    /// Work on the reply began (a model was asked).
    ReplyStarted { generation: Generation },
    /// Text of the reply audio that follows, until the next `ReplyText`.
    ReplyText { generation: Generation, text: String },
    /// When the words of the reply sound, in order; each time continues where the last one ended. Where
    /// they come, they say what was heard; else the text is spread over the speech.
    ReplyWords { generation: Generation, words: Vec<WordTime> },
    /// No more audio or text of this reply will come.
    ReplyFinished { generation: Generation },
    /// The reply asks for a function to be called. `arguments` is JSON text.
    ToolCall { generation: Generation, call_id: String, name: String, arguments: String },
    /// A reply failed; the call goes on.
    ReplyFailed { generation: Generation, message: String },
    /// What was used since it last said so, `turn` being the newest.
    Used { turn: TurnId, usage: Usage },
    /// Another backend took over, one that does not decide whose turn it is: from now on the conversation
    /// does.
    TurnsAreYours,
    /// The backend is gone and no further reply will come.
    Failed { message: String },
    /// The backend asks to end the call, once what is queued was played.
    HangUp { reason: String },
}

// ==== Client -> call ====

/// What the user's client asks for, beside audio.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientCommand {
    /// The client's event handlers are in place: events may be sent.
    Ready,
    /// Typed text. With `interrupt` it takes the floor at once, else it waits for the agent's end.
    Text { text: String, interrupt: bool },
    /// The user muted or unmuted the microphone.
    Mute { muted: bool },
    /// One telephone key: `0` to `9`, `*`, `#`, `A` to `D`.
    Dtmf { key: char },
    /// What was played.
    Playout(Playout),
    /// A tool call was executed by the client. `result` is JSON text.
    ToolResult { call_id: String, result: String },
    /// End the call.
    Disconnect,
}

// ==== Call -> client ====

/// Who holds the floor, as shown to clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FloorState {
    /// Nobody speaks.
    #[default]
    Idle,
    /// The user speaks.
    User,
    /// The user paused; it is not yet known whether the turn is over.
    Settling,
    /// The user's turn is over, the reply has not begun to sound.
    Thinking,
    /// The agent speaks.
    Agent,
    /// The user may be interrupting; the agent fades.
    Contested,
    /// The agent is silent, its tail kept.
    Yielding,
}

impl FloorState {
    /// The name used in traces and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::User => "user",
            Self::Settling => "settling",
            Self::Thinking => "thinking",
            Self::Agent => "agent",
            Self::Contested => "contested",
            Self::Yielding => "yielding",
        }
    }
}

/// Where the time of one turn went. Each step counts from the end of the user's speech; a step that
/// did not happen, or whose anchors are inconsistent, is `None` rather than a wrong number.
///
/// ```text
/// user speech |........ silence ......|
///             ^ 0     endpoint ^  transcript ^  first_text ^  first_audio ^  first_packet ^
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TurnMetrics {
    /// The user's turn.
    pub turn: TurnId,
    /// The reply to it.
    pub generation: Generation,
    /// How long the user spoke, from the first to the last voiced frame.
    pub speech: Duration,
    /// The turn was judged to be over.
    pub endpoint: Option<Duration>,
    /// The final transcript arrived.
    pub transcript: Option<Duration>,
    /// The first text of the reply arrived.
    pub first_text: Option<Duration>,
    /// The first audio of the reply arrived.
    pub first_audio: Option<Duration>,
    /// The first packet with sound of the reply was sent.
    pub first_packet: Option<Duration>,
}

/// What the user's client, and any other observer, is told.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientEvent {
    UserStartedSpeaking {
        turn: TurnId,
    },
    UserStoppedSpeaking {
        turn: TurnId,
    },
    UserTranscript {
        turn: TurnId,
        text: String,
        is_final: bool,
    },
    UserMuted {
        muted: bool,
    },
    /// A backend began to work on a reply.
    ReplyStarted {
        generation: Generation,
    },
    /// Text of the reply, as it is made. It may never be heard.
    ReplyText {
        generation: Generation,
        text: String,
    },
    /// A backend finished making the reply; it may still be playing.
    ReplyFinished {
        generation: Generation,
    },
    /// The first audible frame of a reply was sent.
    BotStartedSpeaking {
        generation: Generation,
    },
    /// The last frame of a reply was sent, or the reply was cut. `heard` is what the user heard.
    BotStoppedSpeaking {
        generation: Generation,
        interrupted: bool,
        heard: Heard,
    },
    Floor {
        at: SessionTime,
        state: FloorState,
        turn: TurnId,
        generation: Generation,
    },
    Turn(TurnMetrics),
    /// What the backend used since the last such event.
    Used {
        turn: TurnId,
        usage: Usage,
    },
    ToolCall {
        generation: Generation,
        call_id: String,
        name: String,
        arguments: String,
    },
    /// `fatal` means that the call ends.
    Error {
        message: String,
        fatal: bool,
    },
}

// ==== Call -> agent ====

/// Audio that the server has by itself, for when a backend has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clip {
    /// Bridges a wait: "One moment."
    Filler,
    /// Ends one: "I am sorry, something went wrong."
    Apology,
}

impl Clip {
    /// The name used in traces and in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Filler => "filler",
            Self::Apology => "apology",
        }
    }
}

/// What the conversation wants done with the reply audio in the downlink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownlinkCommand {
    /// Accept and play audio of this reply; audio of any other is dropped.
    Play { generation: Generation },
    /// Ramp to silence over the next frames, then hold the unplayed tail.
    Pause,
    /// Ramp back up and play on from where it was faded.
    Resume,
    /// Ramp to silence within one frame, then forget all queued audio.
    Flush,
    /// The reply is complete: `SentFrame::queued` reaching zero is its end.
    Finish { generation: Generation },
    /// Play this ahead of the reply, whose audio waits for its end. Its frames belong to no reply. Without
    /// such a clip nothing is played. [`DownlinkCommand::Flush`] ends it too.
    Clip { clip: Clip },
}

/// Why a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The client asked for it, by message or by DELETE.
    Client,
    /// The backend asked for it.
    Backend { reason: String },
    /// The backend failed for good.
    BackendFailed { message: String },
    /// The peer went silent or its connection failed.
    PeerLost,
    /// It never connected.
    NotConnected,
    /// The longest permitted call was reached.
    TooLong,
    /// The user said nothing for too long, in spite of being prompted.
    Idle,
    /// The server is shutting down.
    Drained,
    /// A bug: the call's task panicked. Other calls go on.
    Internal,
}

impl EndReason {
    /// The name used in traces.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Backend { .. } => "backend",
            Self::BackendFailed { .. } => "backend-failed",
            Self::PeerLost => "peer-lost",
            Self::NotConnected => "not-connected",
            Self::TooLong => "too-long",
            Self::Idle => "idle",
            Self::Drained => "drained",
            Self::Internal => "internal",
        }
    }
}

/// One thing that the conversation wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Something was decided that changes nothing by itself.
    Decision(Decision),
    Backend(BackendCommand),
    /// Send the held user audio to the backend, oldest first, before anything that follows.
    ReleaseHeld,
    Downlink(DownlinkCommand),
    /// Ask the turn's model whether the user's turn is over, by the sound up to here. Answered with
    /// [`Call::handle_turn_judged`](crate::call::Call::handle_turn_judged).
    JudgeTurn {
        turn: TurnId,
    },
    Client(ClientEvent),
    End(EndReason),
}
