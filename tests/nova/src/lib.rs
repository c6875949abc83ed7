//! Calls between the agent and the simulated Nova Sonic.
//!
//! The user and the simulator speak in the language of tones, in which each number has one answer, so that
//! every word that is lost, doubled or late is noticed at the caller's ear.

pub mod caller;
pub mod real_call;
pub mod service;
pub mod virtual_call;
