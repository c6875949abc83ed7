//! Counters that wrap, made ones that do not (RFC 3550 appendix A.1).

/// The sequence number nearest to `near` whose lower 16 bits are `sequence`.
pub fn extend_sequence(near: i64, sequence: u16) -> i64 {
    let ahead = sequence.wrapping_sub(near as u16) as i16;
    near.saturating_add(i64::from(ahead))
}

/// The timestamp nearest to `near` whose lower 32 bits are `timestamp`.
pub fn extend_timestamp(near: i64, timestamp: u32) -> i64 {
    let ahead = timestamp.wrapping_sub(near as u32) as i32;
    near.saturating_add(i64::from(ahead))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_extend_across_the_wrap_in_both_directions() {
        for (near, sequence, expected) in [
            (0, 0, 0),
            (65_535, 0, 65_536),
            (65_536, 65_535, 65_535),
            (70_000, 4_464, 70_000),
            (0, 65_535, -1),
            (-1, 0, 0),
            (10, 32_777, 32_777),
            (10, 32_778, -32_758),
        ] {
            assert_eq!(extend_sequence(near, sequence), expected, "{sequence} near {near}");
        }
    }

    #[test]
    fn timestamps_extend_across_the_wrap_in_both_directions() {
        let wrap = 1_i64 << 32;
        for (near, timestamp, expected) in [
            (wrap - 960, 0, wrap),
            (wrap, u32::MAX - 959, wrap - 960),
            (5, 7, 7),
            (3 * wrap + 1, 0, 3 * wrap),
        ] {
            assert_eq!(extend_timestamp(near, timestamp), expected, "{timestamp} near {near}");
        }
    }
}
