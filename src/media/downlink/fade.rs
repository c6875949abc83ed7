//! Edges of sound: how a frame begins after silence and ends before it.

use crate::dsp::gain::{Ramp, Shape};

/// Raises the first `length` samples from silence.
pub(super) fn fade_in(frame: &mut [f32], length: usize) {
    let mut ramp = Ramp::new(0.0, Shape::RaisedCosine);
    ramp.fade_to(1.0, length as u32);
    ramp.step(frame);
}

/// Ends a frame of which only the first `count` samples exist, without a step.
///
/// ```text
/// before |......a b c|                      the end of the frame before
/// frame            | d e f g|               count = 4
/// ended            | d e f g|g f e d c b|0 0 0
///                      \___ faded, the last `length` ___/
/// ```
///
/// The sound is continued by its own mirror image for up to `edge` samples, as far as the frame has
/// room, and the last `length` samples of that fade out. A sound that stops in the middle of a wave
/// is heard as a click; one that is cut inside a wave and fades over 5 ms is not. `before` is the end
/// of the frame before this one, at least `edge` long.
pub(super) fn end(frame: &mut [f32], count: usize, before: &[f32], edge: usize, length: usize) {
    let end = frame.len().min(count + edge);
    for position in count..end {
        let back = position - count;
        frame[position] = match count.checked_sub(back + 1) {
            Some(mirrored) => frame[mirrored],
            None => before[before.len() + count - back - 1],
        };
    }
    frame[end..].fill(0.0);
    let start = end.saturating_sub(length);
    let mut ramp = Ramp::new(1.0, Shape::RaisedCosine);
    ramp.fade_to(0.0, (end - start) as u32);
    ramp.step(&mut frame[start..end]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_sound_is_continued_by_its_mirror_image() {
        let mut frame = [4.0, 5.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0];
        end(&mut frame, 2, &[1.0, 2.0, 3.0], 4, 1);
        // The fade's first sample still has the full gain.
        assert_eq!(frame, [4.0, 5.0, 5.0, 4.0, 3.0, 2.0, 0.0, 0.0]);
    }

    #[test]
    fn with_no_room_the_sound_itself_is_faded() {
        let mut frame = [1.0; 8];
        end(&mut frame, 8, &[1.0; 4], 4, 4);
        assert_eq!(frame[..5], [1.0; 5]);
        assert!(frame[5..].windows(2).all(|pair| pair[1] < pair[0]));
        assert!(frame[7] < 0.2);
    }

    #[test]
    fn with_nothing_left_the_frame_before_rings_out() {
        let mut frame = [7.0; 6];
        end(&mut frame, 0, &[0.25, 0.5, 0.75, 1.0], 4, 4);
        assert_eq!(frame[0], 1.0);
        assert!(frame[..4].windows(2).all(|pair| pair[1] < pair[0]));
        assert_eq!(frame[4..], [0.0, 0.0]);
    }
}
