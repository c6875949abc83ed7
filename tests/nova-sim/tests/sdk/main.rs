//! The simulator over the real wire: every test is a client with the real AWS SDK.

mod faults;
mod opening;
mod support;
mod turns;
