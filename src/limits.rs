//! Every bound and fixed rate of the agent, with its unit, its reason and what happens at the limit.
//!
//! A number that bounds memory, time or work belongs here; a number that tunes behaviour belongs in
//! the configuration; a number that only one algorithm cares about stays beside it.

mod cascade;
mod mcp;
mod relief;

use std::time::Duration;

pub use self::cascade::*;
pub use self::mcp::*;
pub use self::relief::*;

// ==== Frames ====

/// One frame of audio, the unit in which everything on the media path moves. 20 ms is what Opus and
/// G.711 peers send by default and the smallest step that a listener does not hear as a step.
pub const FRAME_MS: u32 = 20;
/// [`FRAME_MS`] as a duration.
pub const FRAME: Duration = Duration::from_millis(FRAME_MS as u64);
/// The rate of backend input, voice activity detection and echo cancellation.
pub const WIDEBAND_HZ: u32 = 16_000;
/// The rate Opus runs at, and its RTP clock (RFC 7587 §4.1).
pub const FULLBAND_HZ: u32 = 48_000;
/// The rate of G.711 and its RTP clock (RFC 3551 §4.5.14).
pub const NARROWBAND_HZ: u32 = 8_000;
/// The rates at which backends may deliver a reply's audio, in Hz. Audio at another rate is refused.
pub const REPLY_RATES_HZ: [u32; 4] = [NARROWBAND_HZ, WIDEBAND_HZ, 24_000, FULLBAND_HZ];
/// Samples in one frame at 16 kHz.
pub const WIDEBAND_FRAME: usize = (WIDEBAND_HZ / 1_000 * FRAME_MS) as usize;
/// Samples in one frame at 48 kHz.
pub const FULLBAND_FRAME: usize = (FULLBAND_HZ / 1_000 * FRAME_MS) as usize;
/// The longest packet that is decoded, in milliseconds: the Opus maximum (RFC 6716 §2.1.4).
/// Longer ones are counted and dropped.
pub const PACKET_MS_MAX: u32 = 120;

// ==== Jitter buffer ====

/// The smallest target depth of the jitter buffer: one packet.
pub const JITTER_DEPTH_MS_MIN: u32 = 20;
/// The largest target depth. Beyond it a conversation is worse for the delay than for the losses.
pub const JITTER_DEPTH_MS_MAX: u32 = 400;
/// Packets held at most: two seconds of 20 ms packets. One more and the oldest is dropped, counted.
pub const JITTER_PACKETS_MAX: usize = 100;
/// Audio held at most, which is what bounds long packets. Beyond it the oldest is dropped, counted.
pub const JITTER_HELD_MS_MAX: u32 = 2_000;
/// Bytes of one RTP payload: a full Ethernet frame. A longer one is dropped, counted.
pub const RTP_PAYLOAD_BYTES_MAX: usize = 1_500;

// ==== Uplink and downlink ====

/// User audio kept while it is not known whether it is speech, so that the first phoneme is not cut.
/// The oldest is overwritten.
pub const PRE_ROLL_MS: u32 = 500;
/// User audio held back while an interruption is being judged, or the agent may not be interrupted, at
/// most. The oldest is overwritten.
pub const HELD_MS_MAX: u32 = 8_000;
/// Uplink slots made up for when the driver wakes late. Older ones are skipped, counted.
pub const UPLINK_BEHIND_MS_MAX: u32 = 1_000;
/// Reply audio queued ahead of playing. At the limit the driver stops reading the backend, whose own
/// bounded channel then pushes back on it.
pub const DOWNLINK_QUEUE_MS_MAX: u32 = 120_000;
/// The longest clip (filler or apology), in milliseconds. It is kept in memory for all calls together; a
/// longer one is refused at start, since it would keep the user from speaking with the agent.
pub const CLIP_MS_MAX: u32 = 10_000;
/// Downlink slots made up for when the loop wakes late: a burst that a receiver's jitter buffer of
/// 60 ms still holds. Older slots are skipped, counted; no audio is skipped with them.
pub const DOWNLINK_CATCH_UP_SLOTS_MAX: u64 = 3;
/// Bytes of one encoded outgoing frame: 20 ms of Opus at 128 kb/s is 320, of G.711 160, of the
/// simulations' raw 16 kHz PCM 640.
pub const ENCODED_FRAME_BYTES_MAX: usize = 640;

/// The user's audio that the turn's model hears, kept by calls that have one: what Smart Turn was trained
/// on. The oldest is overwritten.
pub const TURN_SOUND_MS: u32 = 8_000;

// ==== Channels ====

/// Datagrams waiting for one call. Two seconds of media; a full queue drops the datagram, counted,
/// as a full socket buffer would.
pub const CALL_DATAGRAMS_MAX: usize = 256;
/// Frames and commands waiting for a backend: about 10 s of audio. Full means that the backend is
/// stuck; the call is told so with an error value.
pub const BACKEND_INPUT_MAX: usize = 512;
/// Messages from a backend waiting for the call. A full queue makes the backend wait.
pub const BACKEND_OUTPUT_MAX: usize = 64;
/// Samples in one block of reply audio, at most: 200 ms at 48 kHz.
pub const BACKEND_BLOCK_SAMPLES_MAX: usize = 9_600;
/// Datagrams of one call that came before its path was chosen (the first DTLS flight, media during an
/// ICE restart) and are kept until it is. The oldest is dropped, counted.
pub const EARLY_DATAGRAMS_MAX: usize = 64;
/// Outgoing frames kept while an ICE restart has no path yet: half a second. The oldest is dropped.
pub const HELD_FRAMES_MAX: usize = 25;
/// Source addresses bound to one call at a time. The oldest is forgotten.
pub const CALL_ADDRESSES_MAX: usize = 16;
/// Events that a backend has not handed over yet. At the limit it stops reading its input, whose
/// bounded channel then tells the call that it is stuck.
pub const BACKEND_EVENTS_WAITING_MAX: usize = 32;
/// Frames that the echo backend remembers of one turn: 60 s. Later ones are not said back.
pub const ECHO_FRAMES_MAX: usize = 3_000;

// ==== Nova Sonic ====

/// Blocks of 32 ms of the user's audio waiting to be sent: 10 s. Silence beyond it is left out.
pub const NOVA_BLOCKS_WAITING_MAX: usize = 312;
/// Blocks kept of a turn that was not understood yet, for the next connection: 30 s. The oldest is dropped.
pub const NOVA_BLOCKS_KEPT_MAX: usize = 938;
/// Blocks kept while nobody speaks: half a second, in which a turn may have begun.
pub const NOVA_BLOCKS_PRE_ROLL: usize = 16;
/// Blocks of an answer's audio that wait for the call to ask for it: a minute. At the limit the connection
/// is not read any further.
pub const NOVA_OUTPUTS_WAITING_MAX: usize = 256;
/// Answers remembered until their final text has come. The oldest is forgotten.
pub const NOVA_ANSWERS_KEPT_MAX: usize = 8;
/// Replaced connections of one call whose last texts still come. The oldest is forgotten.
pub const NOVA_LEAVING_MAX: usize = 4;
/// Events sent to a connection as one unit, at most, when what it missed is sent again: a second and a half.
pub const NOVA_UNIT_EVENTS_MAX: usize = 48;
/// Characters of an event's outline in a log.
pub const NOVA_OUTLINE_CHARS_MAX: usize = 200;
/// Texts that wait for a connection. One more is refused.
pub const NOVA_TEXTS_WAITING_MAX: usize = 8;

// ==== Outside bytes ====

/// The largest SDP or fragment accepted, in bytes. A browser's audio offer is 3 to 8 KiB.
pub const SDP_BYTES_MAX: usize = 64 * 1024;
/// Media sections read of one offer; one with more is refused. A browser that asks for audio, video,
/// a screen and data has four.
pub const MEDIA_SECTIONS_MAX: usize = 16;
/// Remote ICE candidates used of one call; further ones are passed over. Each of them is sent checks,
/// so the number bounds what a hostile offer can make us send, and where to.
pub const ICE_CANDIDATES_MAX: usize = 16;
/// The largest data-channel message accepted, in bytes; a larger one is answered with an error.
pub const DATA_MESSAGE_BYTES_MAX: usize = 16 * 1024;
/// Characters of one typed user text.
pub const USER_TEXT_CHARS_MAX: usize = 4_000;
/// Typed texts that wait for the agent to finish. One more is refused with an error event.
pub const WAITING_TEXTS_MAX: usize = 8;
/// Telephone keys collected into one turn. One more ends the turn with those pressed so far.
pub const KEYS_MAX: usize = 32;
/// What a client would be told of a reply that is made ahead, kept until the turn is over. More is not
/// told, counted.
pub const AHEAD_EVENTS_MAX: usize = 256;
/// Pieces of a reply between which its speech is denser or sparser, kept to spread its text over the
/// speech. Further audio counts as part of the last one.
pub const SPEECH_PIECES_MAX: usize = 2_048;
/// Characters of one reply's text kept to say what of it was heard: half an hour of speech. The
/// rest is passed on and not kept, counted.
pub const REPLY_TEXT_CHARS_MAX: usize = 32_000;
/// Characters of a data-channel message's id. A longer one is refused, since replies repeat it.
pub const MESSAGE_ID_CHARS_MAX: usize = 64;
/// Telephone keys in one data-channel message. More are refused: nobody dials that fast.
pub const DTMF_KEYS_MAX: usize = 32;
/// Characters of text in one outgoing data-channel message. Longer text is sent in pieces.
pub const MESSAGE_TEXT_CHARS_MAX: usize = 1_200;
/// Pieces of one reply whose progress is told to the client. Later ones are shown, but never marked
/// as completely spoken.
pub const REPLY_SEGMENTS_MAX: usize = 512;

/// The largest data-channel message that clients are told they may send, in bytes. More than is
/// accepted, so that a message that is too long can be answered instead of failing at the sender.
pub const SCTP_MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Data channels of one call. One more is closed at once.
pub const DATA_CHANNELS_MAX: usize = 8;
/// Bytes waiting in one call's data channel. Beyond it messages to the client are dropped, counted:
/// a client that does not read must not grow us.
pub const DATA_BUFFERED_BYTES_MAX: usize = 256 * 1024;
/// Messages kept for a client whose data channel is not open yet, or that has not said that it is
/// ready. The oldest is dropped, counted.
pub const CLIENT_MESSAGES_HELD_MAX: usize = 50;
/// The largest datagram, and the largest packet in an ICE-TCP stream, in bytes. WebRTC keeps below
/// an Ethernet frame; a longer one is dropped (UDP) or ends the connection (TCP).
pub const DATAGRAM_BYTES_MAX: usize = 2_048;

// ==== Sockets ====

/// The receive buffer asked for on the UDP socket, in bytes: half a second of 1 000 calls.
pub const UDP_RECEIVE_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// ICE-TCP connections of all calls. One more is closed at once.
pub const TCP_CONNECTIONS_MAX: usize = 1_024;
/// ICE-TCP connections of one call. One more is closed at once.
pub const CALL_TCP_CONNECTIONS_MAX: usize = 4;
/// An ICE-TCP connection must name a call by then.
pub const TCP_FIRST_PACKET_TIMEOUT: Duration = Duration::from_secs(5);
/// An ICE-TCP connection on which nothing came for this long is closed. Browsers check a spare path
/// every 25 s.
pub const TCP_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// A write to an ICE-TCP connection that takes longer ends it.
pub const TCP_WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// Packets waiting to be written to one ICE-TCP connection. A full queue drops the packet, counted.
pub const TCP_OUTPUT_MAX: usize = 64;
/// Host addresses offered as candidates.
pub const HOST_ADDRESSES_MAX: usize = 8;

// ==== Nova Sonic ====

/// Characters of one text of the service that are kept to tell an operator. The rest is cut off.
pub const FAULT_TEXT_CHARS_MAX: usize = 300;
/// Units that wait to be sent on one connection: 8 s of audio. At the limit the service has stopped reading,
/// and the conversation is told so with a value.
pub const NOVA_UNITS_MAX: usize = 256;
/// Reports of a call's connections that wait for its session. At the limit a connection is not read.
pub const NOVA_REPORTS_MAX: usize = 64;
/// How long TCP and TLS to AWS may take. The SDK's own 3.1 s are short for a busy line.
pub const AWS_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long reading the keys of a stage that is AWS's may take when the server starts and asks.
pub const AWS_CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a connection that we have ended is read on, for what the service still says of it.
pub const NOVA_CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the check of an agent may take, from the first file read to the service's answer.
pub const NOVA_CHECK_TIMEOUT: Duration = Duration::from_millis(2_500);
/// How long a connection without requests stays warm; the client library forgets it after 90 s.
pub const NOVA_WARM_EVERY: Duration = Duration::from_secs(60);
/// Between the pieces of silence that a waiting conversation is sent; the service ends it after 55 s.
pub const NOVA_WARM_FEED: Duration = Duration::from_secs(10);
/// Between attempts to open a waiting conversation where somebody must change something first.
pub const NOVA_WARM_RETRY: Duration = Duration::from_secs(60);
/// Samples of one `audioInput`: 100 ms at 16 kHz, the longest that others send. More is sent in pieces.
pub const NOVA_AUDIO_INPUT_SAMPLES_MAX: usize = 1_600;
/// Characters of a tool's name on the wire, by the service's own pattern. A longer name is shortened.
pub const TOOL_WIRE_NAME_CHARS_MAX: usize = 64;
/// Answered tool uses remembered of one connection, so that none is answered twice. The oldest is forgotten.
pub const NOVA_ANSWERED_TOOLS_MAX: usize = 256;
/// Bytes of one event of the service: the largest seen have 9 KB, a whole sentence of audio would have
/// 640 KB. A larger one is refused unread.
pub const NOVA_EVENT_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of an id that the service chooses; its own have 36. A longer one is clipped, and a tool use with
/// one is refused, since the answer must repeat it.
pub const NOVA_ID_BYTES_MAX: usize = 256;
/// Characters of the name of an event that is not known. Longer ones are clipped.
pub const NOVA_EVENT_NAME_CHARS_MAX: usize = 64;
/// Content blocks of the service that may be open at once; two or three are. The oldest is forgotten,
/// counted.
pub const NOVA_CONTENTS_MAX: usize = 64;
/// Bytes of the text of one content block; a sentence or an utterance, as a rule. The rest is cut off,
/// counted.
pub const NOVA_CONTENT_BYTES_MAX: usize = 32 * 1024;
/// Messages remembered of one conversation: those of about four hours. The oldest are forgotten.
pub const NOVA_HISTORY_MESSAGES_MAX: usize = 2_000;
/// Bytes of those messages together, and of each: more than a connection may be given. The oldest are
/// forgotten, and of a message its beginning.
pub const NOVA_HISTORY_BYTES_MAX: usize = 256 * 1024;
/// Connections of one call whose totals are remembered: two that carry it, and old ones that still end.
/// The oldest is forgotten, and not metered any more.
pub const NOVA_METERED_CONNECTIONS_MAX: usize = 8;

// ==== Configuration ====

/// The largest YAML text read, in bytes. A configuration of a hundred agents is a tenth of it.
pub const YAML_BYTES_MAX: usize = 256 * 1024;
/// Levels of lists and maps within each other; more are refused, so that recursion is bounded.
pub const YAML_DEPTH_MAX: usize = 24;
/// Values in one YAML text, aliases expanded; more are refused.
pub const YAML_NODES_MAX: usize = 20_000;
/// Mistakes listed for one YAML text; more are counted.
pub const YAML_ERRORS_MAX: usize = 50;

// ==== Tools ====

/// Tools of one agent; more are refused at start. Models choose badly long before.
pub const TOOLS_MAX: usize = 64;
/// Characters of a tool's name; a longer one is refused at start.
pub const TOOL_NAME_CHARS_MAX: usize = 64;
/// Characters of a tool's description; a longer one is refused at start.
pub const TOOL_DESCRIPTION_CHARS_MAX: usize = 2_000;
/// Bytes of the JSON Schema of a tool's arguments; a larger one is refused at start.
pub const TOOL_SCHEMA_BYTES_MAX: usize = 16 * 1024;
/// Levels of lists and objects within each other in such a schema; a deeper one is refused at start.
pub const TOOL_SCHEMA_DEPTH_MAX: usize = 16;
/// Bytes of the arguments of one use of a tool; more are answered with an error.
pub const TOOL_ARGUMENTS_BYTES_MAX: usize = 64 * 1024;
/// Levels of lists and objects within each other in arguments and results; deeper ones are answered with
/// an error.
pub const TOOL_JSON_DEPTH_MAX: usize = 32;
/// How often arguments may be encoded, as a JSON text within a JSON text; more is answered with an error.
pub const TOOL_ENCODINGS_MAX: usize = 3;
/// Bytes of one result of a tool; a larger one is answered with an error in its place. What models read
/// they also pay for.
pub const TOOL_RESULT_BYTES_MAX: usize = 32 * 1024;
/// Characters of what a model is told about a failure; the rest is cut off.
pub const TOOL_ERROR_CHARS_MAX: usize = 500;
/// Uses of tools that wait for their result in one call; one more is answered with an error.
pub const TOOL_USES_PENDING_MAX: usize = 16;
/// Answered uses that one call remembers, so that none is answered twice. The oldest is forgotten.
pub const TOOL_USES_REMEMBERED_MAX: usize = 1_024;
/// Bytes of the id of a use. One with a longer id is ignored, counted: nothing could be remembered of it.
pub const TOOL_USE_ID_BYTES_MAX: usize = 256;
/// Reports of running tools waiting for their call: one for each that may run. At the limit a run waits.
pub const TOOL_REPORTS_MAX: usize = TOOL_USES_PENDING_MAX;
/// The shortest and the longest time that a tool may be given for its result.
pub const TOOL_TIMEOUT_MIN: Duration = Duration::from_millis(100);
/// See [`TOOL_TIMEOUT_MIN`].
pub const TOOL_TIMEOUT_MAX: Duration = Duration::from_secs(120);
/// Characters of a question that asks the user to confirm, and of a filler; longer ones are refused at
/// start, and a question is cut once the arguments are filled in.
pub const TOOL_SAYING_CHARS_MAX: usize = 500;
/// Characters of one argument in such a question; the rest is cut off.
pub const TOOL_QUESTION_ARGUMENT_CHARS_MAX: usize = 100;
/// Words or phrases in each of the lists that tell a yes from a no, and characters of one of them; more are
/// refused at start.
pub const TOOL_CONSENT_PHRASES_MAX: usize = 100;
/// See [`TOOL_CONSENT_PHRASES_MAX`].
pub const TOOL_CONSENT_PHRASE_CHARS_MAX: usize = 50;
/// How long a question waits for a yes, and a yes for its use. After that the user is asked anew.
pub const TOOL_CONFIRMATION_KEPT: Duration = Duration::from_secs(60);
/// To connect to a webhook.
pub const WEBHOOK_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The pauses before a webhook is tried again, if it may be; their number is that of the retries.
pub const WEBHOOK_RETRY_PAUSES: [Duration; 2] =
    [Duration::from_millis(200), Duration::from_millis(800)];
/// Characters of a webhook's error that the model is told; the rest is cut off.
pub const WEBHOOK_ERROR_CHARS_MAX: usize = 200;

/// Bytes of a prompt as recordings hold it. What is longer is cut in its middle, and says so.
pub const MODEL_PROMPT_SHOWN_BYTES_MAX: usize = 256 * 1024;

// ==== Flight recordings ====

/// Bytes of one record: a block of reply audio is 19 200, a tool's arguments may be long. A longer one
/// ends the recording with a note.
pub const FLIGHT_RECORD_BYTES_MAX: usize = 512 * 1024;
/// Bytes of records collected before they are handed on as a block.
pub const FLIGHT_BLOCK_BYTES: usize = 64 * 1024;
/// How long records are collected before they are handed on: what a crash of the process may lose.
pub const FLIGHT_BLOCK_TIME: Duration = Duration::from_secs(5);
/// Bytes of one block before compression, at most. A file that claims more is not read further.
pub const FLIGHT_BLOCK_BYTES_MAX: usize = FLIGHT_BLOCK_BYTES + FLIGHT_RECORD_BYTES_MAX + 64;
/// Bytes of records in one recording, before compression: about ten hours of a busy call. At the limit the
/// recording ends with a note; the call goes on.
pub const FLIGHT_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Bytes of a clip in a recording: [`CLIP_MS_MAX`] at 48 kHz, and what says so.
pub const FLIGHT_CLIP_BYTES_MAX: usize = CLIP_MS_MAX as usize * 48 * 2 + 64;
/// Bytes of a recording's header.
pub const FLIGHT_HEADER_BYTES_MAX: usize = 256 * 1024;
/// Blocks of one call waiting to be written. A full queue ends the recording with a note: the call never
/// waits for a disk.
pub const FLIGHT_QUEUE_BLOCKS_MAX: usize = 16;
/// Recordings being written at the same moment; the others' queues wait.
pub const FLIGHT_WRITERS_MAX: usize = 4;
/// How long a stopping server waits for recordings to be written.
pub const FLIGHT_FLUSH_TIMEOUT: Duration = Duration::from_secs(5);
/// Points along the time axis of a drawing; longer calls are drawn with several frames to a point.
pub const FLIGHT_DRAWING_POINTS_MAX: usize = 2_000;
/// Marks and bands in a drawing; later ones are left out, and it says so.
pub const FLIGHT_DRAWING_MARKS_MAX: usize = 2_000;

// ==== Scripts ====

/// Turns in one backend script; more are a mistake in it.
pub const SCRIPT_TURNS_MAX: usize = 1_000;
/// Steps in one reply of a script; more are a mistake in it.
pub const SCRIPT_STEPS_MAX: usize = 100;
/// The longest step of a script, in milliseconds.
pub const SCRIPT_STEP_MS_MAX: u64 = 600_000;
/// Recordings of a script together, in samples: 20 minutes at 48 kHz. More are refused at start.
pub const SCRIPT_WAV_SAMPLES_MAX: usize = 20 * 60 * 48_000;

// ==== Calls ====

/// The most calls that a configuration may permit.
pub const CALLS_MAX: usize = 10_000;
/// A call that has not connected by then is ended.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// A peer from which nothing at all came for this long has vanished.
pub const PEER_SILENCE_MAX: Duration = Duration::from_secs(8);

/// How long a shared socket rests after an error that is not about one packet or connection, so that
/// an error that lasts (no more file descriptors) does not take a core.
pub const SOCKET_PAUSE: Duration = Duration::from_millis(50);

// ==== Sessions ====

/// Sessions known at once; one more is answered 503.
pub const SESSIONS_MAX: usize = 10_000;
/// How long a session can still be looked up after it ended.
pub const ENDED_SESSION_KEPT: Duration = Duration::from_secs(600);
/// The longest life a join token may be given.
pub const SESSION_TTL_MAX: Duration = Duration::from_secs(3_600);
/// The life of a join token when nobody says otherwise.
pub const SESSION_TTL_DEFAULT: Duration = Duration::from_secs(60);
/// How long a starting server waits for its backends to say whether they would work. Those that have not
/// said it by then are named, and the server starts.
pub const BACKEND_CHECK_TIMEOUT: Duration = Duration::from_secs(3);
/// Backends asked at the same moment. More wait for one of these to answer.
pub const BACKEND_CHECKS_MAX: usize = 8;
/// How long running calls are given to end when the server is asked to stop.
pub const DRAIN_GRACE: Duration = Duration::from_secs(10);

const _: () = assert!(JITTER_DEPTH_MS_MIN >= FRAME_MS, "a target below one frame cannot be met");
const _: () = assert!(
    JITTER_PACKETS_MAX as u32 * FRAME_MS >= 2 * JITTER_DEPTH_MS_MAX,
    "the buffer must hold its own target and as much again of burst"
);
const _: () = assert!(PRE_ROLL_MS <= HELD_MS_MAX, "the pre-roll lives in the held ring");
const _: () = assert!(
    BACKEND_INPUT_MAX as u32 * FRAME_MS > HELD_MS_MAX,
    "releasing the held audio at once must fit the backend's queue"
);
const _: () = assert!(
    NOVA_CHECK_TIMEOUT.as_millis() < BACKEND_CHECK_TIMEOUT.as_millis(),
    "a check that runs out of time must have the time to say so"
);
const _: () = assert!(
    AWS_CHECK_TIMEOUT.as_millis() < PROVIDER_CHECK_TIMEOUT.as_millis()
        && PROVIDER_CHECK_TIMEOUT.as_millis() < BACKEND_CHECK_TIMEOUT.as_millis(),
    "each must have the time to say what it waited for"
);
const _: () = assert!(
    2 * BACKEND_BLOCK_SAMPLES_MAX + 64 <= FLIGHT_RECORD_BYTES_MAX,
    "a block of reply audio is one record"
);
const _: () =
    assert!(MODEL_PROMPT_SHOWN_BYTES_MAX + 64 <= FLIGHT_RECORD_BYTES_MAX, "a prompt is one record");
const _: () = assert!(
    2 * 6 * MESSAGE_TEXT_CHARS_MAX + 1_024 <= DATA_MESSAGE_BYTES_MAX,
    "a message may hold a text twice, JSON needs up to six bytes a character, then its envelope"
);
