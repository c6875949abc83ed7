//! Bounds of a cascade: what its stages are sent and say, what a model is told, what is kept.

use std::time::Duration;

use super::TOOL_USES_PENDING_MAX;

// ==== Conversations ====

/// The most turns of a conversation that a language model may be set to be told whole, each what the user
/// says and all that follows until the next. Beyond the setting the oldest is forgotten or summarised.
pub const CONTEXT_TURNS_MAX: usize = 500;
/// The most characters of those turns together: some 100 000 tokens. Beyond the setting the oldest turn is
/// forgotten or summarised.
pub const CONTEXT_CHARS_MAX: usize = 400_000;
/// Characters of one text in a conversation. Of the user's the beginning is cut off, of a reply its end.
pub const CONTEXT_TEXT_CHARS_MAX: usize = REPLY_CHARS_MAX;
/// Messages of the agent in one turn, its calls of tools among them. The oldest is forgotten.
pub const CONTEXT_PARTS_MAX: usize = 64;
/// Facts that are pinned in one conversation; one more is refused.
pub const CONTEXT_FACTS_MAX: usize = 32;
/// Characters of a pinned fact; a longer one is refused.
pub const CONTEXT_FACT_CHARS_MAX: usize = 500;
/// Characters of a summary; the rest is cut off.
pub const CONTEXT_SUMMARY_CHARS_MAX: usize = 4_000;
/// Tools that one answer of a language model may call: as many as may wait for a result. Further ones are
/// refused by name, and of more than twice as many nothing is said.
pub const MODEL_CALLS_MAX: usize = TOOL_USES_PENDING_MAX;
/// How often in one reply a language model may call tools, several at once counted as one. The next calls are
/// answered with an error that says to answer the user; if that is of no avail, the reply fails.
pub const MODEL_TOOL_ROUNDS_MAX: u32 = 8;
/// Characters of an error of a language model's server that are shown; the rest is cut off.
pub const MODEL_ERROR_CHARS_MAX: usize = 200;
/// Audio of one synthesised phrase, in seconds. A server that sends more has lost its way: the phrase fails.
pub const SPEECH_SECONDS_MAX: u32 = 120;
/// Characters of the words of which a voice may tell for one phrase when they sound: numbers are spelt out.
/// Further words are left out.
pub const SENTENCE_WORD_CHARS_MAX: usize = 4 * SENTENCE_CHARS_MAX;
/// Phrases that a call asks a voice for before it has stopped an earlier one. One more fails.
pub const VOICE_PHRASES_MAX: usize = 16;
/// Bytes of one phrase's audio that are not samples: headers, and chunks beside them. More are refused.
pub const SPEECH_HEADER_BYTES_MAX: u64 = 64 * 1024;
/// Channels of a WAV body; of more the mean is not taken, they are refused.
pub const SPEECH_CHANNELS_MAX: u16 = 8;
/// Providers of one stage of a cascade; more are refused at start.
pub const PROVIDERS_MAX: usize = 8;
/// Providers asked at the same moment for one request: one, and its hedge. Further ones wait for a failure.
pub const PROVIDERS_ASKED_MAX: usize = 2;
/// The longest of the times that a provider's settings hold; a longer one is refused at start.
pub const PROVIDER_TIME_MAX: Duration = Duration::from_secs(600);
/// How long a provider may take to say that it is well; then it is taken not to be. Less than a starting
/// server waits for its backends.
pub const PROVIDER_CHECK_TIMEOUT: Duration = Duration::from_millis(2_500);
/// Checks that fail in a row before calls are turned away from a provider; the first that is good turns them
/// back.
pub const PROVIDER_CHECKS_FAILED: u32 = 2;
/// Failures that a circuit breaker may be told to wait for; more are refused at start.
pub const BREAKER_FAILURES_MAX: usize = 32;
/// Latencies remembered of one provider, of which its 95th percentile is taken. The oldest is forgotten.
pub const PROVIDER_LATENCIES_MAX: usize = 64;
/// Bytes of audio synthesised ahead: 23 minutes at 24 kHz, for all calls together. What was not used for the
/// longest time is forgotten.
pub const PREPARED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Failures of a voice that speaks ahead of the calls, in all, some of which are paid for. After them nothing
/// more is spoken ahead: it is when it is needed.
pub const PREPARE_FAILURES_MAX: u32 = 20;
/// The pause after the first of these failures: a voice may be starting beside the server. It doubles with
/// each further failure in a row.
pub const PREPARE_PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest such pause: all of them together are a quarter of an hour, in which a large voice has started.
pub const PREPARE_PAUSE_MAX: Duration = Duration::from_secs(60);
/// Texts, and questions with a fixed answer, that an agent names to be spoken ahead. More are refused.
pub const PREPARED_TEXTS_MAX: usize = 100;

// ==== Stages ====

/// Frames and requests waiting for a call's speech recogniser: the longest turn, which a backend that takes a
/// call over is told at once. At the limit a request fails the backend.
pub const RECOGNISER_QUEUE_MAX: usize = UTTERANCE_FRAMES_MAX + RECOGNISER_ASKS_MAX;
/// Places of these that are kept for requests. Frames that would need them are dropped and counted.
pub const RECOGNISER_ASKS_MAX: usize = 64;
/// Reports of a call's recogniser waiting for its session. At the limit the recogniser waits.
pub const RECOGNISER_REPORTS_MAX: usize = 32;
/// Frames of one turn that are recognised: 60 s. Later ones are not heard.
pub const UTTERANCE_FRAMES_MAX: usize = 3_000;
/// Turns of a call that are being transcribed at once. One more, and the oldest is not understood.
pub const TRANSCRIPTS_AWAITED_MAX: usize = 4;
/// How long a streaming recogniser may take to accept one message. Longer, and the connection is lost.
pub const RECOGNISER_SEND_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a connection to a recogniser is given to say goodbye; then it is dropped.
pub const RECOGNISER_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Between two attempts to reopen a recogniser's connection. An attempt that is due earlier waits.
pub const RECOGNISER_REOPEN_EVERY: Duration = Duration::from_secs(5);
/// Attempts to reopen it that may fail one after the other; then recognition is gone for good.
pub const RECOGNISER_REOPENS_FAILED_MAX: u32 = 2;
/// Bytes of a transcription server's answer. More is an error.
pub const TRANSCRIPT_BYTES_MAX: usize = 64 * 1024;
/// Bytes of an error of a speech server. More are not read.
pub const STAGE_ERROR_BYTES_MAX: usize = 16 * 1024;
/// Results of Amazon Transcribe in one turn. More end the stream.
pub const TRANSCRIPT_RESULTS_MAX: usize = 256;
/// Chunks of 100 ms that wait for a stream to Amazon Transcribe: the longest turn, sent again, and the
/// silence after it. At the limit the stream counts as lost.
pub const TRANSCRIBE_CHUNKS_MAX: usize = UTTERANCE_FRAMES_MAX / 5 + 64;
/// Bytes of one message of a speech service: 16 s of its audio in base64. More ends the connection.
pub const STAGE_MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Blocks of 20 ms that one sentence may take to say: 60 s. At the limit the sentence ends.
pub const SENTENCE_BLOCKS_MAX: usize = 3_000;
/// Characters of one sentence given to the synthesiser; a longer one is cut at a space.
pub const SENTENCE_CHARS_MAX: usize = 400;
/// Characters of a model's text held back while they may be markup: an emphasis, a link's text or a tag that
/// is still open. At the limit its opening mark is taken as text.
pub const MARKUP_HELD_CHARS_MAX: usize = 400;
/// Characters of a link's address, held back too until it is closed. At the limit it is taken as text.
pub const LINK_ADDRESS_CHARS_MAX: usize = 2_000;
/// Characters of a fenced block of code. It is not spoken and not kept; at the limit it counts as closed, so
/// that a fence that nobody closes does not silence all that follows.
pub const CODE_BLOCK_CHARS_MAX: usize = 4_000;
/// Characters of one reply. What a model writes beyond is not spoken and its request is dropped.
pub const REPLY_CHARS_MAX: usize = 8_000;
/// Synthesised audio kept ahead of being taken, in blocks of 20 ms, before the next sentence waits.
pub const SPEECH_AHEAD_BLOCKS_MAX: usize = 100;
/// Bytes of one event, or of one error, that a language model's server may send.
pub const MODEL_EVENT_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a model's text held back as the beginning of a word, where another model may have to go on: more
/// than the longest words of any language have. At the limit all of it is told.
pub const MODEL_WORD_BYTES_MAX: usize = 128;
/// Pieces of a language model's text waiting for their session. At the limit the request waits.
pub const MODEL_REPORTS_MAX: usize = 64;
/// Timers that a user can have running in one call; one more is refused, in words.
pub const USER_TIMERS_MAX: usize = 8;
/// Pauses that wait for one thread of the turn's model: what it can judge before the calls have stopped
/// waiting. At the limit the pause is judged by its sound, counted.
pub const TURN_JUDGEMENTS_WAITING_MAX: usize = 8;
/// Threads of one turn model, each with a copy of it.
pub const TURN_JUDGES_MAX: usize = 4;
/// Answers of the turn's model waiting for their call: more than it asks for while waiting. At the limit an
/// answer is dropped; nobody waits for it any more.
pub const TURN_ANSWERS_MAX: usize = 4;
/// Control requests (trickle, restart, end) waiting for one call. A full queue answers 503.
pub const CALL_CONTROL_MAX: usize = 16;
