//! One thing that the user says and all that the agent says and does until the next.

use super::prompt::{ToolCall, ToolResult, Turn};
use crate::call::event::Generation;
use crate::limits::{CONTEXT_PARTS_MAX, CONTEXT_TEXT_CHARS_MAX, TOOL_RESULT_BYTES_MAX};

/// Told in place of a result that has not come: a model's server refuses a call without one.
const NO_RESULT_YET: &str = r#"{"status":"no result yet"}"#;
/// Told in place of a result that may not be kept.
const RESULT_TOO_LARGE: &str = r#"{"error":"the result is too large"}"#;

/// One exchange. The first of a call has no user text if the agent spoke first.
#[derive(Clone, Debug, Default)]
pub(super) struct Exchange {
    user: String,
    parts: Vec<Part>,
    chars: usize,
}

/// What the agent said at a time, then which tools it called. A reply that goes on behind its tools has
/// several.
#[derive(Clone, Debug)]
struct Part {
    generation: Generation,
    text: String,
    calls: Vec<Use>,
}

/// A call with its result: neither is kept without the other.
#[derive(Clone, Debug)]
struct Use {
    call: ToolCall,
    result: Option<String>,
}

impl Exchange {
    /// One that the user begins. Of a text that is too long the end is kept: it is what will be answered.
    pub(super) fn of_user(text: &str) -> Self {
        let mut exchange = Self { user: ending(text).to_owned(), ..Self::default() };
        exchange.recount();
        exchange
    }

    /// Characters of everything in it.
    pub(super) const fn chars(&self) -> usize {
        self.chars
    }

    pub(super) const fn parts(&self) -> usize {
        self.parts.len()
    }

    pub(super) fn calls(&self) -> usize {
        self.parts.iter().map(|part| part.calls.len()).sum()
    }

    pub(super) fn holds(&self, generation: Generation) -> bool {
        self.parts.iter().any(|part| part.generation == generation)
    }

    /// Further text of a reply. What is beyond the length of a text is not kept.
    pub(super) fn says(&mut self, generation: Generation, text: &str) {
        let last = self.parts.iter_mut().rfind(|part| part.generation == generation);
        match last.filter(|part| part.calls.is_empty()) {
            Some(part) => {
                join(&mut part.text, text);
                part.text.truncate(beginning(&part.text).len());
            }
            None => self.push(generation, beginning(text), Vec::new()),
        }
        self.recount();
    }

    /// The tools that a reply calls at once.
    pub(super) fn calls_tools(&mut self, generation: Generation, calls: Vec<ToolCall>) {
        let calls = calls.into_iter().map(|call| Use { call, result: None }).collect();
        let last = self.parts.iter_mut().rfind(|part| part.generation == generation);
        match last.filter(|part| part.calls.is_empty()) {
            Some(part) => part.calls = calls,
            None => self.push(generation, "", calls),
        }
        self.recount();
    }

    /// The result of the newest call of this id that has none. `false` if there is no such call.
    pub(super) fn has_result(&mut self, id: &str, text: &str) -> bool {
        let Some((part, call)) = self.waiting(id) else { return false };
        let text = if text.len() > TOOL_RESULT_BYTES_MAX { RESULT_TOO_LARGE } else { text };
        self.parts[part].calls[call].result = Some(text.to_owned());
        self.recount();
        true
    }

    /// Whether a call of this id has no result yet.
    pub(super) fn is_waiting(&self, id: &str) -> bool {
        self.waiting(id).is_some()
    }

    /// Cuts a reply to what was heard. The text is shared out among its parts by their numbers of words,
    /// since what was heard may be spelt as it was spoken. What remains of a part without tools is
    /// forgotten if it was not heard.
    pub(super) fn was_heard(&mut self, generation: Generation, heard: &str) {
        let is_it = |part: &Part| part.generation == generation;
        let says = self.parts.iter().rposition(|part| is_it(part) && !part.text.is_empty());
        let last = says.or_else(|| self.parts.iter().rposition(is_it));
        let mut rest = heard.trim();
        for (at, part) in self.parts.iter_mut().enumerate().filter(|(_, part)| is_it(part)) {
            let words =
                if Some(at) == last { usize::MAX } else { part.text.split_whitespace().count() };
            let (of_part, behind) = split_words(rest, words);
            beginning(of_part).clone_into(&mut part.text);
            rest = behind;
        }
        self.parts.retain(|part| !is_it(part) || !part.text.is_empty() || !part.calls.is_empty());
        self.recount();
    }

    /// Forgets the oldest parts until no more than `chars_max` characters are left, or one part.
    pub(super) fn forget_beyond(&mut self, chars_max: usize) {
        while self.chars > chars_max && self.parts.len() > 1 {
            self.parts.remove(0);
            self.recount();
        }
    }

    /// Appends it to what a model is told. What the user says is joined to what the user said before.
    pub(super) fn write(&self, messages: &mut Vec<Turn>) {
        match messages.last_mut() {
            _ if self.user.is_empty() => {}
            Some(Turn::User(before)) => join(before, &self.user),
            _ => messages.push(Turn::User(self.user.clone())),
        }
        for part in &self.parts {
            let calls = part.calls.iter().map(|used| used.call.clone()).collect();
            messages.push(Turn::Assistant { text: part.text.clone(), calls });
            if !part.calls.is_empty() {
                messages.push(Turn::Results(part.calls.iter().map(Use::told).collect()));
            }
        }
    }

    /// Appends it to a text of which a summary is made.
    pub(super) fn transcribe(&self, text: &mut String) {
        let mut line = |who: &str, what: &str| {
            if !what.is_empty() {
                text.extend([who, ": ", what, "\n"]);
            }
        };
        line("User", &self.user);
        for part in &self.parts {
            line("Agent", &part.text);
            for used in &part.calls {
                let ToolCall { name, arguments, .. } = &used.call;
                let result = used.result.as_deref().unwrap_or(NO_RESULT_YET);
                line("Tool", &format!("{name} {} -> {}", excerpt(arguments), excerpt(result)));
            }
        }
    }

    fn push(&mut self, generation: Generation, text: &str, calls: Vec<Use>) {
        if self.parts.len() == CONTEXT_PARTS_MAX {
            self.parts.remove(0);
        }
        self.parts.push(Part { generation, text: text.to_owned(), calls });
    }

    fn waiting(&self, id: &str) -> Option<(usize, usize)> {
        let of_part = |part: &Part| {
            part.calls.iter().rposition(|used| used.result.is_none() && used.call.id == id)
        };
        let parts = self.parts.iter().enumerate().rev();
        parts.filter_map(|(at, part)| of_part(part).map(|call| (at, call))).next()
    }

    fn recount(&mut self) {
        let parts = self.parts.iter().map(|part| {
            part.text.chars().count() + part.calls.iter().map(Use::chars).sum::<usize>()
        });
        self.chars = self.user.chars().count() + parts.sum::<usize>();
    }
}

impl Use {
    fn chars(&self) -> usize {
        let ToolCall { id, name, arguments } = &self.call;
        let texts = [id, name, arguments].into_iter().chain(&self.result);
        texts.map(|text| text.chars().count()).sum()
    }

    fn told(&self) -> ToolResult {
        let text = self.result.as_deref().unwrap_or(NO_RESULT_YET).to_owned();
        ToolResult { id: self.call.id.clone(), text }
    }
}

/// Appends with a space between, if there is something before.
fn join(text: &mut String, more: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(more);
}

/// The first characters that a text may have.
fn beginning(text: &str) -> &str {
    let end = text.char_indices().nth(CONTEXT_TEXT_CHARS_MAX);
    end.map_or(text, |(end, _)| text[..end].trim_end())
}

/// The last characters that a text may have.
fn ending(text: &str) -> &str {
    let start = text.char_indices().rev().nth(CONTEXT_TEXT_CHARS_MAX - 1);
    start.map_or(text, |(start, _)| text[start..].trim_start())
}

/// The first `words` words and the rest, each without white space around it.
fn split_words(text: &str, words: usize) -> (&str, &str) {
    let mut rest = text.trim_start();
    for _ in 0..words {
        if rest.is_empty() {
            break;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        rest = rest[end..].trim_start();
    }
    (text[..text.len() - rest.len()].trim(), rest)
}

/// As much of what a tool was told or said as a summary needs.
fn excerpt(text: &str) -> &str {
    const CHARS_MAX: usize = 300;
    text.char_indices().nth(CHARS_MAX).map_or(text, |(end, _)| &text[..end])
}
