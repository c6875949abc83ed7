//! Samples made small before general compression: differences, their low and high bytes apart.
//!
//! Speech changes slowly against its sample rate, so differences are small and their high bytes nearly
//! all zero, which is what compression finds. Lossless: the arithmetic wraps.

use super::wire::{Malformed, Put, Take};
use crate::limits::FLIGHT_RECORD_BYTES_MAX;

/// Differences of differences at most.
const ORDER_MAX: u8 = 2;

/// Appends `pcm`: the order of difference that makes it smallest, the count, low bytes, high bytes.
pub(super) fn put(out: &mut Vec<u8>, pcm: &[i16]) {
    let order = (0..=ORDER_MAX).min_by_key(|order| size(*order, pcm)).unwrap_or(0);
    out.put_u8(order);
    out.put_u64(pcm.len() as u64);
    out.extend(differences(order, pcm).map(|value| value as u8));
    out.extend(differences(order, pcm).map(|value| (value >> 8) as u8));
}

pub(super) fn take(bytes: &mut Take<'_>) -> Result<Vec<i16>, Malformed> {
    let order = bytes.u8()?;
    if order > ORDER_MAX {
        return Err(Malformed("audio is stored in an unknown way"));
    }
    let count = usize::try_from(bytes.u64()?).unwrap_or(usize::MAX);
    if count > FLIGHT_RECORD_BYTES_MAX {
        return Err(Malformed("a block of audio is too long"));
    }
    let (low, high) = (bytes.bytes(count)?, bytes.bytes(count)?);
    let (mut last, mut before) = (0_i16, 0_i16);
    let sample = |(low, high): (&u8, &u8)| {
        let value = unzigzag(u16::from_le_bytes([*low, *high]));
        let sample = value.wrapping_add(predicted(order, last, before));
        (before, last) = (last, sample);
        sample
    };
    Ok(low.iter().zip(high).map(sample).collect())
}

fn differences(order: u8, pcm: &[i16]) -> impl Iterator<Item = u16> + '_ {
    let (mut last, mut before) = (0_i16, 0_i16);
    pcm.iter().map(move |&sample| {
        let value = sample.wrapping_sub(predicted(order, last, before));
        (before, last) = (last, sample);
        zigzag(value)
    })
}

fn size(order: u8, pcm: &[i16]) -> u64 {
    differences(order, pcm).map(u64::from).sum()
}

const fn predicted(order: u8, last: i16, before: i16) -> i16 {
    match order {
        0 => 0,
        1 => last,
        _ => last.wrapping_add(last).wrapping_sub(before),
    }
}

/// Small magnitudes to small numbers: 0, -1, 1, -2, ...
const fn zigzag(value: i16) -> u16 {
    ((value << 1) ^ (value >> 15)) as u16
}

const fn unzigzag(value: u16) -> i16 {
    ((value >> 1) as i16) ^ -((value & 1) as i16)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_audio_comes_back_sample_by_sample(pcm in prop::collection::vec(any::<i16>(), 0..2_000)) {
            let mut bytes = Vec::new();
            put(&mut bytes, &pcm);
            let mut taken = Take(&bytes);
            prop_assert_eq!(take(&mut taken), Ok(pcm));
            prop_assert!(taken.is_empty());
        }
    }
}
