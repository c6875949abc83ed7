//! A local Amazon Nova Sonic.
