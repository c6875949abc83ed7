//! What the jitter buffer counts.

/// What the buffer has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterStats {
    /// Packets handed in, refused ones included.
    pub received: u64,
    /// Packets handed out to be played.
    pub played: u64,
    /// Packets that came after their turn; each was counted as lost before.
    pub late: u64,
    /// Packets that were there already.
    pub duplicate: u64,
    /// Packets dropped unplayed because the buffer was full, and packets too long to be held.
    pub overflow: u64,
    /// Packets refused because their number or timestamp is far from the stream's, and packets
    /// dropped when the stream really had moved there.
    pub strayed: u64,
    /// Packets that were not there when their turn came.
    pub lost: u64,
    /// Lost packets replaced from the redundancy in the packet after them.
    pub concealed_fec: u64,
    /// Lost packets replaced by the decoder's invention.
    pub concealed_plc: u64,
    /// Times that there was nothing to play, and no way to know whether there should be.
    pub starved: u64,
    /// Audio left out to catch up, in ms.
    pub accelerated_ms: u64,
    /// Silence put in to let the buffer fill, in ms.
    pub stretched_ms: u64,
    /// Times that the stream began anew at another number or time.
    pub resyncs: u64,
    /// The delay that the buffer aims for now, in ms.
    pub target_ms: u32,
    /// The delay of what was played last, counted from the fastest packet's arrival, in ms.
    pub delay_ms: u32,
    /// Audio held now, in ms.
    pub held_ms: u32,
    /// The sender's clock against ours, in parts per million; positive where it is fast.
    pub drift_ppm: i32,
}
