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
