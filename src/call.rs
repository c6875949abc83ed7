//! The conversation: who is speaking, whose turn it is, what is said back and what of it was heard.
//!
//! Pure and told the time. Decisions take features, never samples.

pub mod event;
