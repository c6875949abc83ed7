//! One call's conversation as a language model is told it.
//!
//! ```text
//! user_said, agent_says, was_heard, ... -> Context -> prompt() -> chat::request and other wire formats
//!                                            |  ^
//!                             wants_summary  v  |  summarised
//!                                     whoever summarises
//! ```
//!
//! The conversation is kept as turns: what the user says and all that the agent says and does until the
//! user speaks again. The newest turns are told whole. What is beyond the [`Window`] is forgotten, the
//! oldest turn first, or summarised by somebody else. Instructions, pinned facts, the newest turn's user
//! text and its last tools are never forgotten.

mod exchange;
mod prompt;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use self::exchange::Exchange;
pub use self::prompt::{Prompt, ToolCall, ToolResult, Turn};
use crate::call::event::Generation;
use crate::limits::{
    CONTEXT_CHARS_MAX, CONTEXT_FACT_CHARS_MAX, CONTEXT_FACTS_MAX, CONTEXT_SUMMARY_CHARS_MAX,
    CONTEXT_TURNS_MAX, TOOL_ARGUMENTS_BYTES_MAX, TOOL_NAME_CHARS_MAX, TOOL_USE_ID_BYTES_MAX,
    TOOL_USES_PENDING_MAX,
};

/// What is kept of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContextSettings {
    /// What is told whole.
    pub window: Window,
    /// What becomes of the turns beyond it. Default: they are forgotten.
    pub overflow: Overflow,
    /// Instructions that are told again. Default none.
    pub reminder: Reminder,
}

/// The newest part of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Turns: 1 to [`CONTEXT_TURNS_MAX`], default 32. Another number is taken for the nearest of these.
    pub turns_max: usize,
    /// Characters of what was said and of tools, their results among them: at most
    /// [`CONTEXT_CHARS_MAX`], default 32 000. More is taken for that.
    pub chars_max: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self { turns_max: 32, chars_max: 32_000 }
    }
}

/// What becomes of turns beyond the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// They are forgotten.
    #[default]
    Drop,
    /// They are told whole until a summary of them has come, but no more than twice the window.
    Summarise,
}

/// Instructions that are told again, against a model's drifting away from them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reminder {
    /// With every so many-th thing that the user says. 0, the default, is never.
    pub every_turns: u32,
    /// What the model is told.
    pub text: String,
}

/// Why something was not taken into the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// Leave one out: those that are pinned stay for the whole call.
    #[error("facts: expected at most {CONTEXT_FACTS_MAX}, received one more")]
    TooManyFacts,
    /// Say it shorter.
    #[error("fact: expected 1 to {CONTEXT_FACT_CHARS_MAX} characters, received {received}")]
    FactLength {
        /// Its characters.
        received: usize,
    },
    /// Tell the model; [`ToolCalls`](super::chat::ToolCalls) hands out no such calls.
    #[error("tool calls: expected such as an answer may hold, received more or longer ones")]
    Calls,
}

/// The conversation of one call. A clone shares all turns with it until one of the two changes them, so
/// that trying out what would be asked costs one pointer a turn and nothing of the text.
#[derive(Clone, Debug)]
pub struct Context {
    fixed: Arc<Fixed>,
    facts: Arc<Vec<String>>,
    /// Of the turns that were summarised; empty without any.
    summary: Arc<str>,
    summarising: Summarising,
    /// The oldest first.
    turns: VecDeque<Arc<Exchange>>,
    /// Things that the user said so far.
    users: u64,
    /// Tools called so far.
    calls: u32,
    /// The newest reply of which is known what was heard: no further text of it, or of older ones, counts.
    heard: Generation,
    dropped: u64,
    summarised: u64,
}

/// What never changes within a call.
#[derive(Debug)]
struct Fixed {
    system: String,
    settings: ContextSettings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Summarising {
    Idle,
    /// Asked for the turns before this one, counted from the beginning of the call.
    Asked {
        until: u64,
    },
    /// It came to nothing when the user had said so many things.
    Failed {
        users: u64,
    },
}

/// What a context holds, without a word of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// Turns that are told whole.
    pub turns: usize,
    /// Messages of the agent in them.
    pub replies: usize,
    /// Tools called in them.
    pub calls: usize,
    /// Characters of them.
    pub chars: usize,
    /// Characters of the instructions, pinned facts and summary.
    pub system_chars: usize,
    /// Pinned facts.
    pub facts: usize,
    /// Turns forgotten so far.
    pub dropped: u64,
    /// Turns in the summary.
    pub summarised: u64,
    /// The reminder is told.
    pub is_reminded: bool,
}

impl Context {
    /// A conversation that has not begun, with a model that is told `system`: who it is and what it may do.
    /// Empty for nothing.
    pub fn new(system: String, mut settings: ContextSettings) -> Self {
        let Window { turns_max, chars_max } = &mut settings.window;
        *turns_max = (*turns_max).clamp(1, CONTEXT_TURNS_MAX);
        *chars_max = (*chars_max).min(CONTEXT_CHARS_MAX);
        Self {
            fixed: Arc::new(Fixed { system, settings }),
            facts: Arc::default(),
            summary: Arc::default(),
            summarising: Summarising::Idle,
            turns: VecDeque::new(),
            users: 0,
            calls: 0,
            heard: Generation(0),
            dropped: 0,
            summarised: 0,
        }
    }

    /// A fact that is told in every request of the call, such as the caller's name. One that is known
    /// already is not told twice.
    ///
    /// # Errors
    ///
    /// If there are [`CONTEXT_FACTS_MAX`] of them, or it is empty or too long.
    pub fn pin(&mut self, fact: &str) -> Result<(), ContextError> {
        let fact = fact.trim();
        let received = fact.chars().count();
        if !(1..=CONTEXT_FACT_CHARS_MAX).contains(&received) {
            return Err(ContextError::FactLength { received });
        }
        if self.facts.iter().any(|known| known == fact) {
            return Ok(());
        }
        if self.facts.len() == CONTEXT_FACTS_MAX {
            return Err(ContextError::TooManyFacts);
        }
        Arc::make_mut(&mut self.facts).push(fact.to_owned());
        Ok(())
    }

    /// The user said or typed something, which begins a turn. Nothing but white space is none.
    pub fn user_said(&mut self, text: &str) {
        let text = text.trim();
        if !text.is_empty() {
            self.users += 1;
            self.turns.push_back(Arc::new(Exchange::of_user(text)));
            self.forget_oldest();
        }
    }

    /// The agent is saying more of a reply. Text that belongs before a reply's tools must come before them.
    /// Text of a reply of which is known what was heard comes late, and is not taken.
    pub fn agent_says(&mut self, generation: Generation, text: &str) {
        let text = text.trim();
        if !text.is_empty() && generation > self.heard {
            self.turn_of(generation).says(generation, text);
            self.forget_oldest();
        }
    }

    /// A reply calls these tools, all of one answer of the model. Their results may come in any order.
    ///
    /// # Errors
    ///
    /// If they are more or longer than an answer may hold; then none is taken.
    pub fn agent_calls(
        &mut self,
        generation: Generation,
        calls: Vec<ToolCall>,
    ) -> Result<(), ContextError> {
        let is_long = |call: &ToolCall| {
            call.id.len() > TOOL_USE_ID_BYTES_MAX || call.name.chars().count() > TOOL_NAME_CHARS_MAX
        };
        let arguments: usize = calls.iter().map(|call| call.arguments.len()).sum();
        if calls.len() > TOOL_USES_PENDING_MAX
            || arguments > TOOL_ARGUMENTS_BYTES_MAX
            || calls.iter().any(is_long)
        {
            return Err(ContextError::Calls);
        }
        if !calls.is_empty() {
            self.calls = self.calls.saturating_add(calls.len() as u32);
            self.turn_of(generation).calls_tools(generation, calls);
            self.forget_oldest();
        }
        Ok(())
    }

    /// What came of a call; until then the model is told that there is no result yet. A result beyond
    /// [`TOOL_RESULT_BYTES_MAX`](crate::limits::TOOL_RESULT_BYTES_MAX) is replaced by an error.
    ///
    /// Returns `false` if no call of this id waits for one: it is not known, was forgotten, or has its
    /// result.
    pub fn tool_result(&mut self, id: &str, text: &str) -> bool {
        let Some(turn) = self.turns.iter_mut().rfind(|turn| turn.is_waiting(id)) else {
            return false;
        };
        Arc::make_mut(turn).has_result(id, text);
        self.forget_oldest();
        true
    }

    /// Only this much of a reply was heard: the rest was never said. A reply of which nothing was heard was
    /// none, but the tools that it called were called.
    pub fn was_heard(&mut self, generation: Generation, text: &str) {
        if let Some(turn) = self.turns.iter_mut().rfind(|turn| turn.holds(generation)) {
            Arc::make_mut(turn).was_heard(generation, text);
            self.heard = self.heard.max(generation);
            self.forget_oldest();
        }
    }

    /// The oldest turns as text with what was summarised before, if they are beyond the window and nobody
    /// was asked yet: half of the window is to remain. Whoever makes the summary gives it to
    /// [`Context::summarised`]. What is asked for is asked once, so ask the conversation, not a clone.
    pub fn wants_summary(&mut self) -> Option<String> {
        let settings = &self.fixed.settings;
        let Window { turns_max, chars_max } = settings.window;
        let may_ask = match self.summarising {
            Summarising::Idle => true,
            Summarising::Asked { .. } => false,
            Summarising::Failed { users } => users != self.users,
        };
        let overflows = self.turns.len() > turns_max || self.chars() > chars_max;
        if settings.overflow == Overflow::Drop || !may_ask || !overflows {
            return None;
        }
        let (mut kept, mut chars) = (self.turns.len(), self.chars());
        let mut text = String::new();
        if !self.summary.is_empty() {
            text.extend(["Summary so far: ", &self.summary, "\n"]);
        }
        for turn in self.turns.iter().take(self.turns.len() - 1) {
            if kept <= turns_max.div_ceil(2) && chars <= chars_max / 2 {
                break;
            }
            turn.transcribe(&mut text);
            kept -= 1;
            chars -= turn.chars();
        }
        let leaving = self.turns.len() - kept;
        if leaving == 0 {
            return None;
        }
        self.summarising = Summarising::Asked { until: self.gone() + leaving as u64 };
        Some(text)
    }

    /// The summary that was asked for: it takes the place of its turns and of the summary before it. What
    /// is beyond [`CONTEXT_SUMMARY_CHARS_MAX`] is cut off. An empty one is none: it is asked for again
    /// once the user has said something more. One that was not asked for is not taken.
    pub fn summarised(&mut self, text: &str) {
        let Summarising::Asked { until } = self.summarising else { return };
        let text: String = text.trim().chars().take(CONTEXT_SUMMARY_CHARS_MAX).collect();
        if text.is_empty() {
            self.summarising = Summarising::Failed { users: self.users };
            return;
        }
        // Those that were too much to wait for it are gone already.
        let leaving = until.saturating_sub(self.gone());
        self.turns.drain(..leaving as usize);
        self.summarised += leaving;
        self.summary = text.into();
        self.summarising = Summarising::Idle;
    }

    /// What the model is told.
    pub fn prompt(&self) -> Prompt {
        let mut messages = Vec::new();
        for turn in &self.turns {
            turn.write(&mut messages);
        }
        let newest = messages.iter().rposition(|message| matches!(message, Turn::User(_)));
        if let Some(newest) = newest.filter(|_| self.is_reminded()) {
            let text = self.fixed.settings.reminder.text.clone();
            messages.insert(newest, Turn::Reminder(text));
        }
        Prompt { system: self.system(), messages }
    }

    /// What it holds, for a trace.
    pub fn outline(&self) -> Outline {
        Outline {
            turns: self.turns.len(),
            replies: self.turns.iter().map(|turn| turn.parts()).sum(),
            calls: self.turns.iter().map(|turn| turn.calls()).sum(),
            chars: self.chars(),
            system_chars: self.system().chars().count(),
            facts: self.facts.len(),
            dropped: self.dropped,
            summarised: self.summarised,
            is_reminded: self.is_reminded(),
        }
    }

    /// Tools called so far, also those that were forgotten: where the made ids of the next answer's calls
    /// begin, so that no two of a call are the same.
    pub const fn calls_so_far(&self) -> u32 {
        self.calls
    }

    fn system(&self) -> String {
        let mut sections = vec![self.fixed.system.clone()];
        if !self.facts.is_empty() {
            sections.push(format!("Facts:\n- {}", self.facts.join("\n- ")));
        }
        if !self.summary.is_empty() {
            sections.push(format!("The conversation so far, in short:\n{}", self.summary));
        }
        sections.retain(|section| !section.is_empty());
        sections.join("\n\n")
    }

    fn is_reminded(&self) -> bool {
        let Reminder { every_turns, text } = &self.fixed.settings.reminder;
        let is_due = |every: u64| self.users > 0 && self.users.is_multiple_of(every);
        *every_turns > 0 && !text.is_empty() && is_due(u64::from(*every_turns))
    }

    /// The turn that a reply belongs to: the newest one, if it is not known.
    fn turn_of(&mut self, generation: Generation) -> &mut Exchange {
        if self.turns.is_empty() {
            self.turns.push_back(Arc::default());
        }
        let known = self.turns.iter().rposition(|turn| turn.holds(generation));
        let at = known.unwrap_or(self.turns.len() - 1);
        Arc::make_mut(&mut self.turns[at])
    }

    fn chars(&self) -> usize {
        self.turns.iter().map(|turn| turn.chars()).sum()
    }

    /// Turns that are not kept any more.
    const fn gone(&self) -> u64 {
        self.dropped + self.summarised
    }

    fn forget_oldest(&mut self) {
        let Window { turns_max, chars_max } = self.fixed.settings.window;
        let (turns_max, chars_max) = match self.fixed.settings.overflow {
            Overflow::Drop => (turns_max, chars_max),
            Overflow::Summarise => (2 * turns_max, 2 * chars_max),
        };
        let mut chars = self.chars();
        while self.turns.len() > 1 && (self.turns.len() > turns_max || chars > chars_max) {
            chars -= self.turns.pop_front().map_or(0, |turn| turn.chars());
            self.dropped += 1;
        }
        if chars > chars_max
            && let Some(newest) = self.turns.back_mut()
        {
            Arc::make_mut(newest).forget_beyond(chars_max);
        }
    }
}

impl fmt::Display for Outline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { turns, replies, calls, chars, system_chars, facts, .. } = self;
        let Self { dropped, summarised, is_reminded, .. } = self;
        write!(formatter, "turns={turns} replies={replies} calls={calls} chars={chars} ")?;
        write!(formatter, "system_chars={system_chars} facts={facts} dropped={dropped} ")?;
        write!(formatter, "summarised={summarised} reminded={is_reminded}")
    }
}

#[cfg(test)]
mod tests;
