//! What is measured from packets: their order and timing, and the replies that they make up.

pub mod receive;
pub mod replies;
