//! Simulated calls: the whole agent in virtual time, against a user, a network and a backend that
//! are models with a seed. No sockets, no threads, no waiting.

mod backend;
mod canary;
mod checks;
mod client;
mod network;
mod person;
mod plans;
mod random;
mod room;
mod sound;
mod swarm;
mod user;
mod world;
