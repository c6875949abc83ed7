//! The service's limits, as far as they are known, and the simulator's own bounds.

use std::time::Duration;

// ---- the service's ----

/// Bytes of one message of the history, and of the system prompt. More is refused:
/// "Chat history is over max limit".
pub const MESSAGE_BYTES_MAX: usize = 50 * 1024;
/// Bytes of all messages of the history together. More is refused likewise.
pub const HISTORY_BYTES_MAX: usize = 200 * 1024;
/// Bytes of one `textInput`. Long texts are sent in several; a larger one is an invalid input request.
pub const TEXT_INPUT_BYTES_MAX: usize = 32_000;
/// Input audio that must have come since the last interactive text for the next one to be answered.
/// With less, nothing is said, and no error tells why.
pub const AUDIO_BEFORE_TEXT: Duration = Duration::from_millis(68);
/// Largest `maxTokens`. More is an invalid input request.
pub const TOKENS_MAX: u64 = 10_000;
/// Speech tokens for a second of audio, in either direction.
pub const SPEECH_TOKENS_PER_SECOND: f64 = 25.0;
/// Bytes of text for one text token, about.
pub const BYTES_PER_TEXT_TOKEN: usize = 4;
/// Concurrent streams of one HTTP/2 connection. The next one waits in the client.
pub const STREAMS_PER_CONNECTION_MAX: u32 = 128;

// ---- the simulator's own ----

/// Bytes of one event-stream frame from a client. A larger one ends the stream.
pub const FRAME_BYTES_MAX: usize = 1 << 20;
/// Bytes that wait because a client does not read. Beyond it the stream is reset.
pub const UNREAD_BYTES_MAX: usize = 16 << 20;
/// Content blocks that are open at once. One more is an invalid input request.
pub const OPEN_CONTENTS_MAX: usize = 16;
/// Content names that are remembered, to tell a repeated one. The connection limit comes first: this
/// is 20 a second for 8 minutes. One more is an invalid input request.
pub const CONTENT_NAMES_MAX: usize = 10_000;
/// Tool calls that wait for their results. Beyond it the simulator calls no tool.
pub const TOOLS_PENDING_MAX: usize = 16;
/// Tools that may be declared. One more is an invalid input request.
pub const TOOLS_MAX: usize = 128;
/// Things to answer that wait. The oldest is forgotten.
pub const CUES_MAX: usize = 16;
/// Text blocks that follow late. The oldest is forgotten.
pub const LATE_TEXTS_MAX: usize = 64;
/// Messages that the mind remembers. The oldest is forgotten.
pub const REMEMBERED_MAX: usize = 200;
/// Longest utterance. Longer speech is taken as ended there.
pub const UTTERANCE_MAX: Duration = Duration::from_secs(60);
/// Longest sentence, in bytes of text. The rest is left out.
pub const SENTENCE_BYTES_MAX: usize = 2_000;
/// Sentences of one answer. The rest is left out.
pub const SENTENCES_MAX: usize = 32;
/// Sentences whose speech is kept to be said again. Beyond it all are forgotten.
pub const SPEECH_CACHE_MAX: usize = 256;
/// Client errors that are kept for a test to look at. Later ones are only counted.
pub const PROTOCOL_ERRORS_MAX: usize = 1_000;
/// Events that a slow watcher may be behind. It then misses the oldest.
pub const SIGHTINGS_MAX: usize = 65_536;
/// Time for the TLS and HTTP/2 handshakes. A connection that takes longer is closed.
pub const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
