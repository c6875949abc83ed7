//! The cascade: speech recognition, a language model and speech in a row.
//!
//! Pure: what the model is told of a call ([`context`]) and how it is told so over HTTP ([`chat`]), what of
//! its answer is spoken at a time ([`phrase`]), what of a voice's answer is sound ([`speech_body`]), what was
//! spoken ahead ([`prepared`]), what needs no model ([`intent`]), and who of several providers is asked
//! ([`failover`]).

pub mod chat;
pub mod context;
pub mod failover;
pub mod intent;
pub mod phrase;
pub mod prepared;
pub mod speech_body;
