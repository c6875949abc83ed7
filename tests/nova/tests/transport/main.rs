//! What carries conversations with Nova Sonic, over the real SDK against the simulator.

mod checks;
mod environment;
mod faults;
mod lines;
mod support;
mod warmth;
