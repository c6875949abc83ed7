//! Simulated calls: the whole agent in virtual time, against a user, a network and a backend that
//! are models with a seed. No sockets, no threads, no waiting.

mod backend;
mod checks;
mod plans;
mod random;
mod swarm;
mod user;
mod world;
