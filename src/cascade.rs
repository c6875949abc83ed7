//! The cascade: speech recognition, a language model and speech in a row.
//!
//! Pure: what the model is told of a call ([`context`]).

pub mod context;
