//! A language model, as a stage: asked with the conversation, writes the answer.

pub(super) mod model;

pub use self::model::LlmSettings;
