//! Packets in a byte stream: each is preceded by its length in two bytes (RFC 4571 §2), which is how
//! ICE-TCP carries datagrams (RFC 6544 §3).

/// Takes the packets out of a TCP byte stream, however it was cut.
///
/// Drained after every push, it holds less than one packet of at most `packet_bytes_max` bytes.
#[derive(Debug)]
pub struct Deframer {
    packet_bytes_max: usize,
    held: Vec<u8>,
    consumed: usize,
}

/// The stream announced a packet longer than is ever sent here; it cannot be followed further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// The announced length in bytes.
    pub packet_bytes: usize,
}

impl Deframer {
    /// A deframer that refuses packets longer than `packet_bytes_max`.
    pub const fn new(packet_bytes_max: usize) -> Self {
        Self { packet_bytes_max, held: Vec::new(), consumed: 0 }
    }

    /// Takes in what the stream delivered.
    pub fn push(&mut self, bytes: &[u8]) {
        self.held.drain(..self.consumed);
        self.consumed = 0;
        self.held.extend_from_slice(bytes);
    }

    /// The next whole packet. Empty ones are passed over.
    pub fn pop(&mut self) -> Result<Option<&[u8]>, TooLong> {
        loop {
            let rest = &self.held[self.consumed..];
            let Some((length, after)) = rest.split_first_chunk::<2>() else { return Ok(None) };
            let packet_bytes = usize::from(u16::from_be_bytes(*length));
            if packet_bytes > self.packet_bytes_max {
                return Err(TooLong { packet_bytes });
            }
            if after.len() < packet_bytes {
                return Ok(None);
            }
            let body = self.consumed + 2;
            self.consumed = body + packet_bytes;
            if packet_bytes > 0 {
                return Ok(Some(&self.held[body..self.consumed]));
            }
        }
    }
}

/// Appends `packet` with its length to `stream`; `false` if it is too long to be framed at all.
pub fn frame(packet: &[u8], stream: &mut Vec<u8>) -> bool {
    let Ok(length) = u16::try_from(packet.len()) else { return false };
    stream.extend(length.to_be_bytes());
    stream.extend(packet);
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn packets_come_out_as_they_went_in_however_the_stream_is_cut(
            packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..20),
            cut in 1_usize..50,
        ) {
            let mut stream = Vec::new();
            for packet in &packets {
                prop_assert!(frame(packet, &mut stream));
            }
            let mut deframer = Deframer::new(40);
            let mut out: Vec<Vec<u8>> = Vec::new();
            for piece in stream.chunks(cut) {
                deframer.push(piece);
                while let Some(packet) = deframer.pop().expect("short packets") {
                    out.push(packet.to_vec());
                }
                prop_assert!(deframer.held.len() - deframer.consumed < 42);
            }
            prop_assert_eq!(out, packets);
        }
    }

    #[test]
    fn a_packet_longer_than_allowed_ends_the_stream() {
        let mut deframer = Deframer::new(10);
        deframer.push(&[0, 11]);
        assert_eq!(deframer.pop(), Err(TooLong { packet_bytes: 11 }));
    }

    #[test]
    fn empty_packets_are_passed_over() {
        let mut deframer = Deframer::new(10);
        deframer.push(&[0, 0, 0, 0, 0, 1, 9]);
        assert_eq!(deframer.pop(), Ok(Some(&[9][..])));
        assert_eq!(deframer.pop(), Ok(None));
    }
}
