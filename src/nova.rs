//! Amazon Nova Sonic's conversation, without its transport.
//!
//! Pure: the events that go up ([`request`]) and come down ([`event`]), what they mean in order
//! ([`contents`]), what is remembered across connections ([`history`]), what they cost ([`usage`]), what
//! becomes of failures ([`fault`]). `backend::nova_sonic` carries it over the AWS SDK.

pub mod contents;
pub mod conversation;
pub mod event;
pub mod fault;
pub mod feed;
pub mod history;
pub mod outline;
pub mod request;
pub mod settings;
pub mod usage;
