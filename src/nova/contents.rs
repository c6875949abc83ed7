//! What the service's content blocks mean, one event at a time.
//!
//! An event tells little by itself: the end of a block does not say whose block it was. [`Contents`]
//! remembers that from the block's beginning, joins its text, and knows the marker of an interruption,
//! which comes as if the agent had said it.
//!
//! | block | said as |
//! |---|---|
//! | text of the user | [`Said::UserText`] at its end |
//! | text of the agent, `SPECULATIVE` | [`Said::Planned`] as it comes, since its audio follows at once |
//! | text of the agent, `FINAL` or without a stage | [`Said::Spoken`] at its end |
//! | audio | [`Said::AudioBegins`], [`Said::Audio`], [`Said::AudioEnds`] |
//!
//! Where a block's role was left out, that of its text counts. Where neither tells, it is the agent's:
//! words of the agent that were taken for the user's would be answered, while the other way round only the
//! history is wrong.

use std::collections::VecDeque;

use serde_json::Value;

use super::event::{Kind, Role, ServerEvent, Stage, Stop};
use super::usage::Totals;
use crate::limits::{NOVA_CONTENT_BYTES_MAX, NOVA_CONTENTS_MAX};

/// What the service tells the conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// The user began to speak, also while the agent does.
    UserSpeechStarted,
    /// The user's utterance is over.
    UserSpeechEnded,
    /// What the user said: the text of a whole block, trimmed and not empty. An utterance may come in
    /// several.
    UserText(String),
    /// A piece of what the agent is going to say, as it came, not blank. Its audio follows.
    Planned { content: ContentKey, text: String },
    /// What the service believes to have been heard of the agent: the text of a whole block, trimmed and
    /// not empty. Comes seconds after the audio, sometimes in the next turn, sometimes never.
    Spoken(String),
    /// Audio of the agent begins, a sentence as a rule.
    AudioBegins {
        /// One of the rates that can be asked for; `None` if it was not told.
        rate_hz: Option<u32>,
    },
    /// Audio of the agent: not empty, mono, as much as an event can hold.
    Audio(Vec<i16>),
    /// An audio block is over; with [`Stop::EndTurn`] the agent's turn is. `is_cut`: nothing of it was to be
    /// heard any more ([`Contents::cut`]).
    AudioEnds { stop: Stop, is_cut: bool },
    /// The user has interrupted the agent. May repeat.
    Interrupted,
    /// A function is to be called, and answered exactly once.
    ToolUse {
        use_id: String,
        /// As it was declared on the wire, or anything else.
        name: String,
        /// As the model wrote them.
        arguments: String,
    },
    /// What the connection has used so far.
    Usage(Totals),
    /// The connection answers for the first time.
    CompletionStarted,
    /// The service is done with the connection.
    CompletionEnded,
    /// An event that is not known here.
    Unknown,
}

/// One content block of a connection, counted from 1. Pieces of one block have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentKey(pub u64);

/// What happened that should not, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentStats {
    /// Events that are not known here.
    pub unknown: u64,
    /// Blocks that never ended, forgotten for newer ones.
    pub forgotten: u64,
    /// Pieces of text of which something was cut off, because their block was too long.
    pub clipped: u64,
    /// Pieces of audio that ended within a sample.
    pub torn: u64,
}

/// The content blocks of one connection: at most [`NOVA_CONTENTS_MAX`], with at most
/// [`NOVA_CONTENT_BYTES_MAX`] bytes of text each.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    open: VecDeque<Content>,
    blocks: u64,
    stats: ContentStats,
}

/// One open block.
#[derive(Clone, Debug)]
struct Content {
    id: String,
    key: ContentKey,
    kind: Kind,
    role: Option<Role>,
    stage: Option<Stage>,
    /// Kept of what is said at the end.
    text: String,
    /// Bytes of text that came.
    bytes: usize,
    /// The interruption that it marks was told.
    is_marker: bool,
    /// What comes of it is of an answer that was cut.
    is_cut: bool,
}

impl Contents {
    /// Of a connection of which nothing has come.
    pub fn new() -> Self {
        Self::default()
    }

    /// What `event` says, in order: two things at most, often nothing.
    pub fn step(&mut self, event: ServerEvent) -> impl Iterator<Item = Said> + use<> {
        self.said(event).into_iter().flatten()
    }

    /// The answer that sounds was cut: audio of the blocks that are open now is of no use, however late it
    /// comes.
    pub fn cut(&mut self) {
        self.open.iter_mut().for_each(|content| content.is_cut = true);
    }

    /// What was counted since the beginning.
    pub const fn stats(&self) -> ContentStats {
        self.stats
    }

    fn said(&mut self, event: ServerEvent) -> [Option<Said>; 2] {
        let said = match event {
            ServerEvent::CompletionStart => Some(Said::CompletionStarted),
            ServerEvent::UserSpeechStart { .. } => Some(Said::UserSpeechStarted),
            ServerEvent::UserSpeechEnd { .. } => Some(Said::UserSpeechEnded),
            ServerEvent::ContentStart { content_id, kind, role, stage, sample_rate_hz } => {
                self.begin(content_id, kind, role, stage);
                (kind == Kind::Audio).then_some(Said::AudioBegins { rate_hz: sample_rate_hz })
            }
            ServerEvent::TextOutput { content_id, text, role } => self.text(content_id, text, role),
            ServerEvent::AudioOutput { content_id, pcm, is_torn } => {
                self.stats.torn += u64::from(is_torn);
                let block = self.open.iter().find(|content| content.id == content_id);
                let is_cut = block.is_some_and(|content| content.is_cut);
                (!pcm.is_empty() && !is_cut).then_some(Said::Audio(pcm))
            }
            ServerEvent::ToolUse { use_id, name, arguments, .. } => {
                Some(Said::ToolUse { use_id, name, arguments })
            }
            ServerEvent::ContentEnd { content_id, kind, stop } => {
                return self.end(&content_id, kind, stop);
            }
            ServerEvent::Usage(totals) => Some(Said::Usage(totals)),
            ServerEvent::CompletionEnd { .. } => Some(Said::CompletionEnded),
            ServerEvent::Unknown { .. } => {
                self.stats.unknown += 1;
                Some(Said::Unknown)
            }
        };
        [said, None]
    }

    /// A block that begins a second time is another one: where ids are left out, each follows the last.
    fn begin(&mut self, id: String, kind: Kind, role: Option<Role>, stage: Option<Stage>) {
        let is_known = self.take(&id).is_some();
        let is_full = self.open.len() == NOVA_CONTENTS_MAX;
        if is_full {
            self.open.pop_front();
        }
        self.stats.forgotten += u64::from(is_known || is_full);
        self.blocks += 1;
        let key = ContentKey(self.blocks);
        let text = String::new();
        let (bytes, is_marker, is_cut) = (0, false, false);
        let content = Content { id, key, kind, role, stage, text, bytes, is_marker, is_cut };
        self.open.push_back(content);
    }

    /// Text of a block that did not begin, or was forgotten, begins one.
    fn text(&mut self, id: String, mut text: String, role: Option<Role>) -> Option<Said> {
        if !self.open.iter().any(|content| content.id == id) {
            self.begin(id.clone(), Kind::Text, role, None);
        }
        let content = self.open.iter_mut().find(|content| content.id == id)?;
        content.role = content.role.or(role);
        let whole = text.len();
        text.truncate(text.floor_char_boundary(NOVA_CONTENT_BYTES_MAX - content.bytes));
        content.bytes += text.len();
        self.stats.clipped += u64::from(text.len() < whole);
        content.text(text)
    }

    /// The end of a block that did not begin says what can be said without its beginning.
    fn end(&mut self, id: &str, kind: Option<Kind>, stop: Stop) -> [Option<Said>; 2] {
        let content = self.take(id);
        let begun = content.as_ref().map(|content| content.kind).filter(|it| *it != Kind::Unknown);
        let is_interrupted = stop == Stop::Interrupted;
        match begun.or(kind) {
            Some(Kind::Audio) => {
                let is_cut = content.is_some_and(|content| content.is_cut);
                let ends = Said::AudioEnds { stop, is_cut };
                [Some(ends), is_interrupted.then_some(Said::Interrupted)]
            }
            Some(Kind::Tool) => [None, None],
            Some(Kind::Text | Kind::Unknown) | None => match content {
                Some(content) => content.end(is_interrupted),
                None => [None, is_interrupted.then_some(Said::Interrupted)],
            },
        }
    }

    fn take(&mut self, id: &str) -> Option<Content> {
        let at = self.open.iter().position(|content| content.id == id)?;
        self.open.remove(at)
    }
}

/// Whose text it is.
enum Voice {
    User,
    Agent,
    /// A role that has nothing to say aloud.
    Nobody,
}

impl Content {
    const fn voice(&self) -> Voice {
        match self.role {
            Some(Role::User) => Voice::User,
            Some(Role::Assistant) | None => Voice::Agent,
            Some(Role::System | Role::Tool) => Voice::Nobody,
        }
    }

    /// Takes a piece of text.
    fn text(&mut self, piece: String) -> Option<Said> {
        match self.voice() {
            Voice::Agent if is_marker(&piece) => {
                self.is_marker = true;
                Some(Said::Interrupted)
            }
            Voice::Agent if self.stage == Some(Stage::Speculative) => {
                let is_blank = piece.trim().is_empty();
                (!is_blank).then_some(Said::Planned { content: self.key, text: piece })
            }
            Voice::User | Voice::Agent => {
                self.text.push_str(&piece);
                None
            }
            Voice::Nobody => None,
        }
    }

    /// What a block of text says at its end. A marker that was told as it came is not told again, and may
    /// have come in pieces.
    fn end(self, is_interrupted: bool) -> [Option<Said>; 2] {
        let text = self.text.trim();
        let words = |said: fn(String) -> Said| (!text.is_empty()).then(|| said(text.to_owned()));
        match self.voice() {
            Voice::User => [words(Said::UserText), None],
            Voice::Agent if is_marker(text) => [Some(Said::Interrupted), None],
            Voice::Agent => {
                // What was spoken of an interrupted answer comes seconds later, when another may sound.
                let is_news = is_interrupted && !self.is_marker && text.is_empty();
                [words(Said::Spoken), is_news.then_some(Said::Interrupted)]
            }
            Voice::Nobody => [None, None],
        }
    }
}

/// Texts that are longer are not looked at: the marker has 24 bytes.
const MARKER_BYTES_MAX: usize = 256;

/// Is it `{ "interrupted" : true }`, whatever the white space and whatever else the object holds?
fn is_marker(text: &str) -> bool {
    if text.len() > MARKER_BYTES_MAX || !text.trim_start().starts_with('{') {
        return false;
    }
    let object: Option<Value> = serde_json::from_str(text).ok();
    object.is_some_and(|object| object.get("interrupted") == Some(&Value::Bool(true)))
}

#[cfg(test)]
mod tests;
