//! What may follow what: the order of a client's events, and the limits of what they hold.
//!
//! ```text
//! sessionStart, promptStart, SYSTEM block, [SYSTEM_SPEECH block], history blocks (USER first, alternating),
//! AUDIO contentStart, audioInput ... among them interactive text and tool results,
//! AUDIO contentEnd, promptEnd, sessionEnd
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::request::{Endpointing, Opening, Prompt, Request, Role, Violation};
use crate::limits::{CONTENT_NAMES_MAX, HISTORY_BYTES_MAX, MESSAGE_BYTES_MAX, OPEN_CONTENTS_MAX};
use crate::model::Generation;

/// Follows one connection's input. After a violation it is not asked again.
#[derive(Debug)]
pub(crate) struct Order {
    generation: Generation,
    stage: Stage,
    prompt_name: String,
    /// By content name.
    open: BTreeMap<String, Block>,
    names_seen: BTreeSet<String>,
    history: History,
    tool_uses: BTreeMap<String, ToolUse>,
    has_had_audio: bool,
}

/// What an event that may come means.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Meaning {
    SessionStarted {
        endpointing: Option<Endpointing>,
    },
    Prompted(Box<Prompt>),
    /// The system prompt is complete.
    Instructed(String),
    /// One message of the history is complete.
    Remembered {
        role: Role,
        text: String,
    },
    AudioBegan {
        rate_hz: u32,
        is_from_user: bool,
    },
    Audio(Vec<i16>),
    /// An interactive text is complete: it wants an answer.
    Told(String),
    ToolAnswered {
        use_id: String,
        result: String,
    },
    PromptEnded,
    SessionEnded,
    /// Nothing follows from it by itself.
    Nothing,
}

/// What has been said last that decides what may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Opened,
    SessionStarted,
    Prompted,
    /// The SYSTEM block has begun.
    Instructed,
    /// The SYSTEM_SPEECH block has begun.
    InstructedToSpeak,
    Remembering,
    Live,
    PromptEnded,
    SessionEnded,
}

#[derive(Debug)]
struct Block {
    kind: Kind,
    has_data: bool,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// `is_history`: it came before the audio.
    Text {
        role: Role,
        interactive: bool,
        is_history: bool,
    },
    Audio,
    Tool {
        use_id: String,
    },
}

#[derive(Debug, Default)]
struct History {
    bytes: usize,
    last: Option<Role>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ToolUse {
    Pending,
    Answered,
}

impl Order {
    pub(crate) fn new(generation: Generation) -> Self {
        Self {
            generation,
            stage: Stage::Opened,
            prompt_name: String::new(),
            open: BTreeMap::new(),
            names_seen: BTreeSet::new(),
            history: History::default(),
            tool_uses: BTreeMap::new(),
            has_had_audio: false,
        }
    }

    /// The service asked for a tool; one result for this id may come.
    pub(crate) fn expect_result(&mut self, use_id: &str) {
        self.tool_uses.insert(use_id.to_owned(), ToolUse::Pending);
    }

    /// Tool calls without a result.
    pub(crate) fn results_pending(&self) -> usize {
        self.tool_uses.values().filter(|tool_use| **tool_use == ToolUse::Pending).count()
    }

    /// Whether history was replayed on this connection.
    pub(crate) fn has_history(&self) -> bool {
        self.history.last.is_some()
    }

    pub(crate) fn step(&mut self, request: Request) -> Result<Meaning, Violation> {
        match request {
            Request::SessionStart { endpointing } => {
                self.advance(Stage::Opened, Stage::SessionStarted)?;
                Ok(Meaning::SessionStarted { endpointing })
            }
            Request::PromptStart(prompt) => {
                self.advance(Stage::SessionStarted, Stage::Prompted)?;
                self.prompt_name.clone_from(&prompt.name);
                Ok(Meaning::Prompted(prompt))
            }
            Request::ContentStart { prompt, content, opening } => {
                self.check_prompt(&prompt)?;
                self.begin(content, opening)
            }
            Request::TextInput { prompt, content, text } => {
                self.check_prompt(&prompt)?;
                self.take_text(&content, &text)?;
                Ok(Meaning::Nothing)
            }
            Request::AudioInput { prompt, content, pcm } => {
                self.check_prompt(&prompt)?;
                self.take_audio(&content)?;
                Ok(Meaning::Audio(pcm))
            }
            Request::ToolResult { prompt, content, result } => {
                self.check_prompt(&prompt)?;
                let block = self.open.get_mut(&content).ok_or_else(Violation::invalid)?;
                if !matches!(block.kind, Kind::Tool { .. }) || block.has_data {
                    return Err(Violation::invalid());
                }
                block.has_data = true;
                block.text = result;
                Ok(Meaning::Nothing)
            }
            Request::ContentEnd { prompt, content } => {
                self.check_prompt(&prompt)?;
                self.end(&content)
            }
            Request::PromptEnd { prompt } => {
                self.check_prompt(&prompt)?;
                self.end_prompt()
            }
            Request::SessionEnd => {
                self.advance(Stage::PromptEnded, Stage::SessionEnded)?;
                Ok(Meaning::SessionEnded)
            }
        }
    }

    fn advance(&mut self, from: Stage, to: Stage) -> Result<(), Violation> {
        if self.stage != from {
            return Err(Violation::invalid());
        }
        self.stage = to;
        Ok(())
    }

    fn check_prompt(&self, prompt: &str) -> Result<(), Violation> {
        let is_running = (Stage::Prompted..Stage::PromptEnded).contains(&self.stage);
        if is_running && prompt == self.prompt_name { Ok(()) } else { Err(Violation::invalid()) }
    }

    fn begin(&mut self, content: String, opening: Opening) -> Result<Meaning, Violation> {
        let is_crowded =
            self.open.len() >= OPEN_CONTENTS_MAX || self.names_seen.len() >= CONTENT_NAMES_MAX;
        if is_crowded || !self.names_seen.insert(content.clone()) {
            return Err(Violation::invalid());
        }
        let is_system = matches!(opening, Opening::Text { role: Role::System, .. });
        if self.stage < Stage::Instructed && !is_system {
            return Err(Violation::new("First content must have SYSTEM role"));
        }
        let (kind, meaning) = match opening {
            Opening::Text { role, interactive } => {
                let is_history = self.stage < Stage::Live;
                self.begin_text(role, interactive)?;
                (Kind::Text { role, interactive, is_history }, Meaning::Nothing)
            }
            Opening::Audio { rate_hz, is_from_user } => {
                if self.open.values().any(|block| block.kind == Kind::Audio) {
                    return Err(Violation::invalid());
                }
                self.stage = Stage::Live;
                self.has_had_audio = true;
                (Kind::Audio, Meaning::AudioBegan { rate_hz, is_from_user })
            }
            Opening::Tool { use_id } => {
                // An id that was never given, or that has its result.
                if self.tool_uses.get(&use_id) != Some(&ToolUse::Pending) {
                    return Err(Violation::invalid());
                }
                self.tool_uses.insert(use_id.clone(), ToolUse::Answered);
                (Kind::Tool { use_id }, Meaning::Nothing)
            }
        };
        self.open.insert(content, Block { kind, has_data: false, text: String::new() });
        Ok(meaning)
    }

    fn begin_text(&mut self, role: Role, interactive: bool) -> Result<(), Violation> {
        match role {
            Role::System if self.stage >= Stage::Instructed => Err(Violation::new(
                "Duplicate SYSTEM content. SYSTEM content can only be provided once per prompt",
            )),
            Role::System => {
                self.stage = Stage::Instructed;
                Ok(())
            }
            Role::SystemSpeech if self.generation == Generation::First => Err(Violation::invalid()),
            Role::SystemSpeech => self.advance(Stage::Instructed, Stage::InstructedToSpeak),
            // While the audio runs: a message to answer, context, or an assistant's text, which is
            // accepted and ignored.
            Role::User | Role::Assistant if self.stage == Stage::Live => Ok(()),
            Role::User | Role::Assistant if interactive => Err(Violation::invalid()),
            Role::User | Role::Assistant => {
                match (self.history.last, role) {
                    (None, Role::Assistant) => {
                        return Err(Violation::new(
                            "First message in chat history should not be Assistant. \
                             Please check your chat history and try again.",
                        ));
                    }
                    (Some(last), _) if last == role => return Err(Violation::invalid()),
                    _ => {}
                }
                self.history.last = Some(role);
                self.stage = Stage::Remembering;
                Ok(())
            }
        }
    }

    fn take_text(&mut self, content: &str, text: &str) -> Result<(), Violation> {
        let block = self.open.get_mut(content).ok_or_else(Violation::invalid)?;
        let Kind::Text { role, is_history, .. } = block.kind else {
            return Err(Violation::invalid());
        };
        block.has_data = true;
        block.text.push_str(text);
        if is_history && matches!(role, Role::User | Role::Assistant) {
            self.history.bytes += text.len();
        }
        if block.text.len() > MESSAGE_BYTES_MAX || self.history.bytes > HISTORY_BYTES_MAX {
            let message = "Chat history is over max limit. Trim chat history and try again.";
            return Err(Violation::new(message));
        }
        Ok(())
    }

    fn take_audio(&mut self, content: &str) -> Result<(), Violation> {
        if self.open.values().any(|block| matches!(block.kind, Kind::Text { .. })) {
            let message = "Chat history should be sent completely before streaming audio.";
            return Err(Violation::new(message));
        }
        let block = self.open.get_mut(content).ok_or_else(Violation::invalid)?;
        if block.kind != Kind::Audio {
            return Err(Violation::invalid());
        }
        block.has_data = true;
        Ok(())
    }

    fn end(&mut self, content: &str) -> Result<Meaning, Violation> {
        let block = self.open.remove(content).ok_or_else(Violation::invalid)?;
        if !block.has_data {
            let message = format!("Cannot end content [{content}] as no content data was received");
            return Err(Violation::new(message));
        }
        let text = block.text;
        Ok(match block.kind {
            Kind::Audio => Meaning::Nothing,
            Kind::Tool { use_id } => Meaning::ToolAnswered { use_id, result: text },
            Kind::Text { role: Role::System, .. } => Meaning::Instructed(text),
            Kind::Text { role: Role::SystemSpeech, .. } => Meaning::Nothing,
            Kind::Text { role, is_history: true, .. } => Meaning::Remembered { role, text },
            Kind::Text { role: Role::User, interactive: true, .. } => Meaning::Told(text),
            Kind::Text { role: Role::User, .. } => Meaning::Remembered { role: Role::User, text },
            Kind::Text { role: Role::Assistant, .. } => Meaning::Nothing,
        })
    }

    fn end_prompt(&mut self) -> Result<Meaning, Violation> {
        if !self.open.is_empty() {
            return Err(Violation::new("All contents must be closed before ending prompt"));
        }
        if !self.has_had_audio {
            return Err(Violation::new("A prompt must have at least one audio content"));
        }
        self.stage = Stage::PromptEnded;
        Ok(Meaning::PromptEnded)
    }
}
