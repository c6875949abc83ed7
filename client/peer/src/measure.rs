//! What is measured from packets: their order and timing, the round trip, and the replies.

pub mod percentiles;
pub mod receive;
pub mod replies;
pub mod round_trip;
