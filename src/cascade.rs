//! The cascade: speech recognition, a language model and speech in a row.
//!
//! Pure: what the model is told of a call ([`context`]) and how it is told so over HTTP ([`chat`]), and what of
//! its answer is spoken at a time ([`phrase`]).

pub mod chat;
pub mod context;
pub mod phrase;
