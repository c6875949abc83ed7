//! What a language model is told, in no provider's format.

use crate::limits::MODEL_PROMPT_SHOWN_BYTES_MAX;

/// Everything that a request holds of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// The instructions, the pinned facts and the summary of what is kept no more. May be empty.
    pub system: String,
    /// What was said and done, the oldest first. [`Turn::User`] never follows itself; the agent may be
    /// first, and may follow itself where it spoke without being asked.
    pub messages: Vec<Turn>,
}

impl Prompt {
    /// How long all its texts are together, in characters.
    pub fn chars(&self) -> u64 {
        let chars = |text: &str| text.chars().count() as u64;
        let of_turn = |turn: &Turn| match turn {
            Turn::User(text) | Turn::Reminder(text) => chars(text),
            Turn::Assistant { text, calls } => {
                let of_call = |call: &ToolCall| chars(&call.name) + chars(&call.arguments);
                chars(text) + calls.iter().map(of_call).sum::<u64>()
            }
            Turn::Results(results) => results.iter().map(|result| chars(&result.text)).sum(),
        };
        chars(&self.system) + self.messages.iter().map(of_turn).sum::<u64>()
    }

    /// All of it as people read it, a paragraph for each message; at most
    /// [`MODEL_PROMPT_SHOWN_BYTES_MAX`], without the middle of what is longer. Not for logs: it holds the
    /// user's words.
    pub fn shown(&self) -> String {
        let mut shown = String::new();
        if !self.system.is_empty() {
            shown = format!("system: {}\n", self.system);
        }
        for message in &self.messages {
            message.show(&mut shown);
        }
        without_middle(shown, MODEL_PROMPT_SHOWN_BYTES_MAX)
    }
}

impl Turn {
    fn show(&self, shown: &mut String) {
        let mut line = |who: &str, text: &str| {
            for part in [who, ": ", text, "\n"] {
                shown.push_str(part);
            }
        };
        match self {
            Self::User(text) => line("user", text),
            Self::Reminder(text) => line("reminder", text),
            Self::Assistant { text, calls } => {
                if !text.is_empty() {
                    line("assistant", text);
                }
                for ToolCall { name, arguments, .. } in calls {
                    line("assistant calls", &format!("{name} {arguments}"));
                }
            }
            Self::Results(results) => {
                for result in results {
                    line("result", &result.text);
                }
            }
        }
    }
}

fn without_middle(mut text: String, bytes_max: usize) -> String {
    const CUT: &str = "\n[...]\n";
    if text.len() > bytes_max {
        let half = (bytes_max - CUT.len()) / 2;
        let (head, tail) =
            (text.floor_char_boundary(half), text.ceil_char_boundary(text.len() - half));
        text.replace_range(head..tail, CUT);
    }
    text
}

/// One message of a [`Prompt`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// What the user said, never empty.
    User(String),
    /// What the agent said and which tools it called; never are both empty. If there are calls,
    /// [`Turn::Results`] follows at once.
    Assistant {
        /// As it was heard; may be empty.
        text: String,
        /// In their order.
        calls: Vec<ToolCall>,
    },
    /// One result for each call of the message before it, in the order of the calls.
    Results(Vec<ToolResult>),
    /// Instructions that are told again.
    Reminder(String),
}

/// A tool as the model calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// What its result names.
    pub id: String,
    /// Which tool.
    pub name: String,
    /// JSON text as the model wrote it: nobody has checked it.
    pub arguments: String,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolResult {
    /// That of its [`ToolCall`].
    pub id: String,
    /// JSON text.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_shown_as_people_read_it() {
        let (id, name, arguments) =
            ("1".to_owned(), "weather".to_owned(), "{\"in\":\"Rome\"}".to_owned());
        let calls = vec![ToolCall { id: id.clone(), name, arguments }];
        let prompt = Prompt {
            system: "Be kind.".to_owned(),
            messages: vec![
                Turn::Reminder("Be brief.".to_owned()),
                Turn::User("Is it warm?".to_owned()),
                Turn::Assistant { text: "I look.".to_owned(), calls },
                Turn::Results(vec![ToolResult { id, text: "{\"c\":30}".to_owned() }]),
            ],
        };
        let expected = "system: Be kind.\nreminder: Be brief.\nuser: Is it warm?\nassistant: I look.\n\
                        assistant calls: weather {\"in\":\"Rome\"}\nresult: {\"c\":30}\n";
        assert_eq!(prompt.shown(), expected);
        assert_eq!(Prompt::default().shown(), "");
    }

    #[test]
    fn what_is_too_long_to_be_shown_loses_its_middle() {
        for bytes_max in 40..60 {
            let text = without_middle("é€".repeat(20), bytes_max);
            assert!(text.len() <= bytes_max && text.len() + 8 > bytes_max, "{bytes_max}: {text}");
            assert!(text.starts_with("é€é") && text.ends_with("é€") && text.contains("\n[...]\n"));
        }
        assert_eq!(without_middle("as it is".to_owned(), 8), "as it is");
    }
}
