//! What a language model is told, in no provider's format.

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
