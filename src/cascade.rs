//! The cascade: speech recognition, a language model and speech in a row.
//!
//! Pure: what the model is told of a call ([`context`]), what of its answer is spoken at a time
//! ([`phrase`]), what was spoken ahead ([`prepared`]), what needs no model ([`intent`]), who of several
//! providers is asked ([`failover`]), and what it costs ([`price`]). The others are what services say and
//! are told: language models, recognisers ([`recognition`] is what they have in common), and voices
//! ([`voice`]).

pub mod cartesia;
pub mod chat;
pub mod context;
pub mod converse;
pub mod deepgram;
pub mod deepgram_voice;
pub mod elevenlabs;
pub mod failover;
pub mod flux;
pub mod intent;
pub mod moshi;
pub mod moshi_voice;
pub mod phrase;
pub mod prepared;
pub mod price;
pub mod recognition;
pub mod speech_body;
pub mod transcript;
pub mod voice;
