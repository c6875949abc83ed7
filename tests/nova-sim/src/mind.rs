//! What is answered: to what was heard, typed, or told by a tool.

mod talk;
mod tools;

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Map, Value};

use crate::count;
use crate::limits::{REMEMBERED_MAX, SENTENCE_BYTES_MAX, SENTENCES_MAX};
use crate::settings::MindKind;
use crate::tones::Word;

/// One connection's memory and manners.
#[derive(Debug)]
pub struct Mind {
    kind: MindKind,
    /// Whether several calls are made at once.
    calls_in_parallel: bool,
    tools: Vec<ToolCard>,
    messages: VecDeque<Message>,
    /// Calls whose results are awaited, by the id of their use.
    calls: BTreeMap<String, Call>,
    /// A call that waits for the user's yes.
    unconfirmed: Option<Call>,
}

/// A tool that may be called.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCard {
    /// Its name.
    pub name: String,
    /// The JSON Schema of its arguments.
    pub schema: Map<String, Value>,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The tool.
    pub name: String,
    /// A JSON object.
    pub arguments: Value,
}

/// One message of the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Whether the user said it; else the assistant did.
    pub is_users: bool,
    /// What was said.
    pub text: String,
}

/// What is done in answer: first the calls, then the sentences are spoken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// Tools to call.
    pub calls: Vec<Call>,
    /// What to say.
    pub sentences: Vec<String>,
}

impl Mind {
    /// A mind with no memory and no tools.
    pub fn new(kind: MindKind, calls_in_parallel: bool) -> Self {
        Self {
            kind,
            calls_in_parallel,
            tools: Vec::new(),
            messages: VecDeque::new(),
            calls: BTreeMap::new(),
            unconfirmed: None,
        }
    }

    /// Gives it tools.
    pub fn equip(&mut self, tools: Vec<ToolCard>) {
        self.tools = tools;
    }

    /// Tells it what was said before, or beside; nothing is answered.
    pub fn remember(&mut self, message: Message) {
        if self.messages.len() == REMEMBERED_MAX {
            self.messages.pop_front();
        }
        self.messages.push_back(message);
    }

    /// The user spoke.
    pub fn hear(&mut self, text: &str) -> Reply {
        let reply = self.answer(text);
        self.remember(Message { is_users: true, text: text.to_owned() });
        reply
    }

    /// Text came in.
    pub fn read(&mut self, text: &str) -> Reply {
        let reply = match self.kind {
            _ if talk::dictated(text).is_some() => {
                let dictated = talk::dictated(text).unwrap_or_default();
                Reply { sentences: talk::sentences_of(dictated), ..Reply::default() }
            }
            MindKind::Talk => self.answer(text),
            MindKind::Count { .. } => self.count_on(text),
        };
        self.remember(Message { is_users: true, text: text.to_owned() });
        bounded(reply)
    }

    /// A call was made, under this id.
    pub fn call_made(&mut self, use_id: String, call: Call) {
        self.calls.insert(use_id, call);
    }

    /// A tool answered: the text of a JSON object.
    pub fn tool_answered(&mut self, use_id: &str, result: &str) -> Reply {
        let call = self.calls.remove(use_id);
        let result: Value = serde_json::from_str(result).unwrap_or_default();
        if let Some(question) = tools::question_in(&result) {
            self.unconfirmed = call;
            let question = match self.kind {
                MindKind::Talk => question,
                MindKind::Count { .. } => "confirm.".to_owned(),
            };
            return say(vec![question]);
        }
        let told = tools::told(&result);
        say(match (self.kind, told) {
            (MindKind::Talk, Ok(result)) => vec![format!("The result is: {result}.")],
            (MindKind::Talk, Err(error)) => vec![format!("That did not work: {error}.")],
            (MindKind::Count { .. }, Err(_)) => vec!["fail.".to_owned()],
            (MindKind::Count { words_per_sentence, .. }, Ok(result)) => {
                let mut words = Word::all_in(&result);
                words.truncate(count::ANSWER_WORDS_MAX);
                if words.is_empty() {
                    words.extend(Word::number(0));
                }
                count::sentences(&words, words_per_sentence)
            }
        })
    }

    fn answer(&mut self, text: &str) -> Reply {
        if let Some(call) = self.unconfirmed.take() {
            if talk::is_no(text) {
                return say(vec![match self.kind {
                    MindKind::Talk => "All right, I will leave it.".to_owned(),
                    MindKind::Count { .. } => "no.".to_owned(),
                }]);
            }
            if talk::is_yes(text) {
                return Reply { calls: vec![call], sentences: Vec::new() };
            }
        }
        let calls = tools::calls_for(text, &self.tools, self.calls_in_parallel);
        if !calls.is_empty() {
            return Reply { calls, sentences: Vec::new() };
        }
        bounded(say(match self.kind {
            MindKind::Talk => talk::answer(text, self.messages.len()),
            MindKind::Count { words, words_per_sentence } => {
                match Word::all_in(text).into_iter().find_map(Word::as_number) {
                    Some(number) if !talk::is_not_words(text) => {
                        count::sentences(&count::answer(number, words), words_per_sentence)
                    }
                    _ => vec!["repeat.".to_owned()],
                }
            }
        }))
    }

    /// In a conversation of numbers: a text with a number is answered like speech; any other asks to
    /// go on where the conversation stands.
    fn count_on(&mut self, text: &str) -> Reply {
        let MindKind::Count { words, words_per_sentence } = self.kind else {
            return self.answer(text);
        };
        let is_business = self.unconfirmed.is_some()
            || !tools::calls_for(text, &self.tools, self.calls_in_parallel).is_empty();
        // Someone who types numbers and nothing else asks for them.
        let is_typed = !text.contains(char::is_alphabetic) && text.contains(char::is_numeric);
        if is_business || is_typed {
            return self.answer(text);
        }
        if let Some(rest) = self.unsaid(words) {
            return say(count::sentences(&rest, words_per_sentence));
        }
        let is_answer_due = self.messages.back().is_some_and(|message| message.is_users);
        let has_number = Word::all_in(text).into_iter().any(|word| word.as_number().is_some());
        match (has_number, is_answer_due, self.messages.back().cloned()) {
            (false, true, Some(message)) => self.answer(&message.text),
            (true, ..) => self.answer(text),
            (false, ..) => say(count::sentences(&count::answer(0, words), words_per_sentence)),
        }
    }

    /// What the last answer still lacks, if it stands there cut off.
    fn unsaid(&self, words: usize) -> Option<Vec<Word>> {
        let mut latest = self.messages.iter().rev();
        let said = latest.next().filter(|message| !message.is_users)?;
        let asked = latest.next().filter(|message| message.is_users)?;
        let number = Word::all_in(&asked.text).into_iter().find_map(Word::as_number)?;
        let answer = count::answer(number, words);
        let said = Word::all_in(&said.text);
        let rest = count::rest(&answer, &said).filter(|_| !said.is_empty())?;
        Some(rest.to_vec())
    }
}

fn say(sentences: Vec<String>) -> Reply {
    Reply { calls: Vec::new(), sentences }
}

fn bounded(mut reply: Reply) -> Reply {
    reply.sentences.truncate(SENTENCES_MAX);
    for sentence in &mut reply.sentences {
        if sentence.len() > SENTENCE_BYTES_MAX {
            sentence.truncate(sentence.floor_char_boundary(SENTENCE_BYTES_MAX));
        }
    }
    reply
}

#[cfg(test)]
mod tests;
