//! The cascade: speech recognition, a language model and speech in a row.
//!
//! Pure: what the model is told of a call ([`context`]) and how it is told so over HTTP ([`chat`]).

pub mod chat;
pub mod context;
