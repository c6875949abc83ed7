//! Each strategy by its table, and what a pause's sound does to the wait.

mod speaker;
mod strategies;
