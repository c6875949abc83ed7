//! The HTTP face over real TCP, with a port that carries no calls.

mod api;
mod client;
mod cors;
mod fake;
mod hostile;
mod pages;
mod patience;
