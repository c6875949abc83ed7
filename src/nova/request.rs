//! What goes up, in the order that the service insists on.
//!
//! ```text
//! session ─► history? ─► open_audio ─► audio … ─► close
//!                                      text, tool_result in between
//! ```
//!
//! Anything else costs the connection, so [`Scribe`] refuses it with an [`OutOfOrder`] that the caller can
//! act on. Events that must not be separated, because audio inside a text block is fatal, are one [`Unit`]:
//! whoever writes them to the stream writes all or none.

mod wire;

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use self::wire::{Block, Event, text};
use super::history::{Message, Speaker};
use super::settings::{INPUT_CHUNK_SAMPLES, ModelVersion, NovaSettings, TextSettings};
use crate::limits::{NOVA_ANSWERED_TOOLS_MAX, NOVA_AUDIO_INPUT_SAMPLES_MAX};

/// JSON texts of events that must not be separated, in order; may be empty.
pub type Unit = Vec<Vec<u8>>;

/// A function that the model may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolDeclaration {
    /// As [`super::names::Names`] makes them.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// The text of a JSON Schema object.
    pub schema: String,
}

/// Why nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfOrder {
    #[error("the session is not set up: `session` comes first")]
    NotSetUp,
    #[error("the audio block is open: history and a second audio block are refused behind it")]
    AudioOpen,
    #[error("the audio block is not open: `open_audio` comes before audio, text and tool results")]
    AudioNotOpen,
    #[error("the history was sent already, and is sent once")]
    HistorySent,
    #[error("a history that is not user and agent in turn, the user first, none empty")]
    HistoryNotInTurn,
    #[error("a text without any words: a block without content is refused")]
    Empty,
    #[error("a second result for one tool use")]
    AlreadyAnswered,
    #[error("text from the user, which this model does not take: use Nova 2 Sonic or later")]
    Unsupported,
    #[error("the connection is closed: open another one")]
    Closed,
}

/// Writes the events of one connection: names what they name, and knows what is open and what may follow.
#[derive(Clone, Debug)]
pub struct Scribe {
    prompt: String,
    version: ModelVersion,
    /// Bytes of one piece of a text.
    piece_bytes_max: usize,
    /// Content blocks opened so far.
    blocks: u64,
    /// Tool uses with a result, the oldest first.
    answered: VecDeque<String>,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    New,
    /// Set up: history or audio may follow.
    Ready,
    /// With its history: audio may follow.
    Informed,
    Streaming(AudioBlock),
    Closed,
}

impl Scribe {
    /// A scribe for one connection. `prompt` names it and must be unlike those of others; the names of
    /// content blocks are made from it.
    pub fn new(prompt: String) -> Self {
        let piece_bytes_max = TextSettings::default().piece_bytes_max;
        let (version, answered) = (ModelVersion::V2, VecDeque::new());
        Self { prompt, version, piece_bytes_max, blocks: 0, answered, state: State::New }
    }

    /// Sets the connection up: to be sent before its answer is awaited. `system` is the system prompt; since
    /// there must be one, a blank one is replaced by [`SYSTEM_DEFAULT`]. Empty when called again.
    pub fn session(
        &mut self,
        settings: &NovaSettings,
        system: &str,
        tools: &[ToolDeclaration],
    ) -> Unit {
        if !matches!(self.state, State::New) {
            return Unit::new();
        }
        self.state = State::Ready;
        self.version = ModelVersion::of(&settings.model);
        self.piece_bytes_max = settings.texts.piece_bytes_max;
        let mut unit = vec![
            text(&wire::session_start(settings)),
            text(&wire::prompt_start(&self.prompt, settings, tools)),
        ];
        let system = if system.trim().is_empty() { SYSTEM_DEFAULT } else { system };
        self.text_block(&mut unit, Block::system(), system);
        unit
    }

    /// What was said before this connection, user and agent in turn, the user first; see
    /// [`super::history::History::for_connection`]. An empty one writes nothing and changes nothing.
    ///
    /// # Errors
    /// Behind the audio, a second time, or if the messages are in another order.
    pub fn history(&mut self, messages: &[Message]) -> Result<Unit, OutOfOrder> {
        match self.state {
            State::New => return Err(OutOfOrder::NotSetUp),
            State::Ready => {}
            State::Informed => return Err(OutOfOrder::HistorySent),
            State::Streaming(_) => return Err(OutOfOrder::AudioOpen),
            State::Closed => return Err(OutOfOrder::Closed),
        }
        let expected = [Speaker::User, Speaker::Agent].into_iter().cycle();
        let is_good = |(message, speaker): (&Message, Speaker)| {
            message.speaker == speaker && !message.text.trim().is_empty()
        };
        if !messages.iter().zip(expected).all(is_good) {
            return Err(OutOfOrder::HistoryNotInTurn);
        }
        let mut unit = Unit::new();
        for message in messages {
            self.text_block(&mut unit, Block::history(message.speaker), &message.text);
            self.state = State::Informed;
        }
        Ok(unit)
    }

    /// Opens the one audio block, which stays open until the connection is closed: a second one would be
    /// taken for an interruption each time.
    ///
    /// # Errors
    /// Before the set-up, and when it is open already.
    pub fn open_audio(&mut self) -> Result<Unit, OutOfOrder> {
        match self.state {
            State::New => Err(OutOfOrder::NotSetUp),
            State::Ready | State::Informed => Ok(vec![self.audio_start()]),
            State::Streaming(_) => Err(OutOfOrder::AudioOpen),
            State::Closed => Err(OutOfOrder::Closed),
        }
    }

    /// Audio of the user: 16 kHz, mono, of any length; more than [`NOVA_AUDIO_INPUT_SAMPLES_MAX`] samples
    /// become several events. This is on the per-frame path: of the JSON only what changes is written, into
    /// one allocation for each event.
    ///
    /// # Errors
    /// If the audio block is not open.
    pub fn audio(&mut self, pcm: &[i16]) -> Result<Unit, OutOfOrder> {
        let block = self.audio_block()?;
        Ok(pcm.chunks(NOVA_AUDIO_INPUT_SAMPLES_MAX).map(|pcm| block.event(pcm)).collect())
    }

    /// A text in the user's place, which the model answers aloud. It does so only behind about 100 ms of
    /// audio, of silence too.
    ///
    /// # Errors
    /// If the audio block is not open, the text is blank, or the model is of the first generation.
    pub fn text(&mut self, text: &str) -> Result<Unit, OutOfOrder> {
        self.audio_block()?;
        if self.version == ModelVersion::V1 {
            return Err(OutOfOrder::Unsupported);
        }
        if text.trim().is_empty() {
            return Err(OutOfOrder::Empty);
        }
        let mut unit = Unit::new();
        self.text_block(&mut unit, Block::interactive(), text);
        Ok(unit)
    }

    /// The result of the tool use `tool_use_id`: the text of a JSON object. Since any other text is fatal,
    /// it becomes the object's `result`.
    ///
    /// # Errors
    /// If the audio block is not open, or this id was among the last [`NOVA_ANSWERED_TOOLS_MAX`] that were
    /// answered.
    pub fn tool_result(&mut self, tool_use_id: &str, result: &str) -> Result<Unit, OutOfOrder> {
        self.audio_block()?;
        if self.answered.iter().any(|answered| answered == tool_use_id) {
            return Err(OutOfOrder::AlreadyAnswered);
        }
        if self.answered.len() == NOVA_ANSWERED_TOOLS_MAX {
            self.answered.pop_front();
        }
        self.answered.push_back(tool_use_id.to_owned());
        let wrapped = match serde_json::from_str(result) {
            Ok(Value::Object(_)) => None,
            Ok(value) => Some(json!({ "result": value }).to_string()),
            Err(_) => Some(json!({ "result": result }).to_string()),
        };
        let content = wrapped.as_deref().unwrap_or(result);
        let name = self.next_name();
        let prompt = &self.prompt;
        Ok(vec![
            text(&wire::content_start(prompt, &name, Block::tool_result(tool_use_id))),
            text(&Event::ToolResult(wire::input(prompt, &name, content))),
            text(&wire::content_end(prompt, &name)),
        ])
    }

    /// Ends the connection in good order, wherever it stands. A prompt without audio and an audio block
    /// without content would be refused, so silence is put where there is none. Empty if nothing was set
    /// up, and the second time.
    pub fn close(&mut self) -> Unit {
        let mut unit = Unit::new();
        if matches!(self.state, State::Ready | State::Informed) {
            unit.push(self.audio_start());
        }
        if let State::Streaming(block) = &mut self.state {
            if block.is_empty {
                unit.push(block.event(&[0; INPUT_CHUNK_SAMPLES]));
            }
            unit.push(text(&wire::content_end(&self.prompt, &block.name)));
            unit.push(text(&wire::prompt_end(&self.prompt)));
            unit.push(text(&Event::SessionEnd {}));
        }
        self.state = State::Closed;
        unit
    }

    fn audio_block(&mut self) -> Result<&mut AudioBlock, OutOfOrder> {
        match &mut self.state {
            State::New => Err(OutOfOrder::NotSetUp),
            State::Ready | State::Informed => Err(OutOfOrder::AudioNotOpen),
            State::Streaming(block) => Ok(block),
            State::Closed => Err(OutOfOrder::Closed),
        }
    }

    fn audio_start(&mut self) -> Vec<u8> {
        let name = self.next_name();
        let start = text(&wire::content_start(&self.prompt, &name, Block::audio()));
        self.state = State::Streaming(AudioBlock::new(&self.prompt, name));
        start
    }

    /// A whole block of text, in pieces that the service takes.
    fn text_block(&mut self, unit: &mut Unit, block: Block<'_>, content: &str) {
        let name = self.next_name();
        let prompt = &self.prompt;
        unit.push(text(&wire::content_start(prompt, &name, block)));
        let mut rest = content;
        while !rest.is_empty() {
            let piece;
            (piece, rest) = rest.split_at(rest.floor_char_boundary(self.piece_bytes_max));
            unit.push(text(&Event::TextInput(wire::input(prompt, &name, piece))));
        }
        unit.push(text(&wire::content_end(prompt, &name)));
    }

    fn next_name(&mut self) -> String {
        self.blocks += 1;
        format!("{}-{}", self.prompt, self.blocks)
    }
}

/// The system prompt where none is given.
pub const SYSTEM_DEFAULT: &str = "You are a voice assistant.";

/// The open audio block.
#[derive(Clone, Debug)]
struct AudioBlock {
    name: String,
    /// The JSON of its events up to their content.
    head: Vec<u8>,
    is_empty: bool,
}

/// The JSON of an `audioInput` behind its content.
const TAIL: &[u8] = b"\"}}}";

/// Samples that are encoded at a time. Their bytes are a multiple of three, so that base64 pads only
/// behind the last ones.
const ENCODED_SAMPLES: usize = 192;

impl AudioBlock {
    fn new(prompt: &str, name: String) -> Self {
        let mut head = text(&Event::AudioInput(wire::input(prompt, &name, "")));
        head.truncate(head.len() - TAIL.len());
        Self { name, head, is_empty: true }
    }

    fn event(&mut self, pcm: &[i16]) -> Vec<u8> {
        self.is_empty = false;
        let encoded_bytes = (2 * pcm.len()).div_ceil(3) * 4;
        let mut json = Vec::with_capacity(self.head.len() + encoded_bytes + TAIL.len());
        json.extend_from_slice(&self.head);
        json.resize(self.head.len() + encoded_bytes, 0);
        let mut encoded = self.head.len();
        let mut bytes = [[0; 2]; ENCODED_SAMPLES];
        for samples in pcm.chunks(ENCODED_SAMPLES) {
            for (bytes, sample) in bytes.iter_mut().zip(samples) {
                *bytes = sample.to_le_bytes();
            }
            let bytes = bytes[..samples.len()].as_flattened();
            let written = STANDARD.encode_slice(bytes, &mut json[encoded..]);
            encoded += written.expect("there is room for all of it");
        }
        json.extend_from_slice(TAIL);
        json
    }
}

#[cfg(test)]
mod tests;
