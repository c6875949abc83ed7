use super::*;
use crate::duplex::stimulus::{Sound, Stimulus, Voice};

const FRAME: usize = 960;

/// A reply of about 10 s; its beginning is unlike the rest.
fn reply() -> Vec<i16> {
    let said = |stimulus: Stimulus| -> Sound { stimulus.sound(Voice::Low, 48_000, FRAME) };
    (0..6).flat_map(|index| said(Stimulus::Finished(index)).samples).collect()
}

/// What is heard when these stretches of the reply, in ms, follow each other; `None` is silence of so
/// many milliseconds.
fn listen(stretches: &[(Option<usize>, usize)], generations: &[Option<u64>]) -> Vec<ReplyTrack> {
    let reply = reply();
    let mut listener = Listener::new(-50.0, Vec::new());
    let mut at = Duration::ZERO;
    for (&(from_ms, length_ms), generation) in stretches.iter().zip(generations) {
        if let Some(generation) = generation {
            listener.handle_generation(*generation);
        }
        let samples = match from_ms {
            Some(from_ms) => reply[from_ms * 48..(from_ms + length_ms) * 48].to_vec(),
            None => vec![0; length_ms * 48],
        };
        for frame in samples.chunks_exact(FRAME) {
            listener.handle_played(at, frame);
            at += Duration::from_millis(20);
        }
    }
    listener.finish().0
}

fn pieces(stretches: &[(Option<usize>, usize)]) -> Vec<usize> {
    let unknown = vec![None; stretches.len()];
    listen(stretches, &unknown).iter().map(|reply| reply.pieces.len()).collect()
}

#[test]
fn a_reply_that_goes_on_after_a_gap_is_one_reply() {
    for gap_ms in [200, 500, 1_500] {
        let stretches = [(Some(0), 2_000), (None, gap_ms), (Some(1_980), 3_000)];
        assert_eq!(pieces(&stretches), [2], "{gap_ms} ms");
    }
}

#[test]
fn a_reply_that_begins_again_after_a_gap_is_another_one() {
    for gap_ms in [200, 500, 1_500, 3_000] {
        let stretches = [(Some(0), 2_000), (None, gap_ms), (Some(0), 3_000)];
        assert_eq!(pieces(&stretches), [1, 1], "{gap_ms} ms");
    }
    let resumed_then_cut =
        [(Some(0), 2_000), (None, 300), (Some(2_000), 1_000), (None, 400), (Some(0), 2_000)];
    assert_eq!(pieces(&resumed_then_cut), [2, 1]);
}

#[test]
fn what_the_ear_cannot_tell_the_agent_says() {
    let stretches = [(Some(0), 2_000), (None, 500), (Some(4_000), 2_000)];
    for (generations, expected) in
        [([None, None, None], 1), ([Some(1), None, Some(1)], 1), ([Some(1), None, Some(2)], 2)]
    {
        let replies = listen(&stretches, &generations);
        assert_eq!(replies.len(), expected, "{generations:?}");
        assert_eq!(replies.last().unwrap().by_account, expected == 2);
    }
    // Cut at once and resumed from there: it sounds as a beginning.
    let soon = [(Some(0), 120), (None, 500), (Some(0), 3_000)];
    assert_eq!(listen(&soon, &[Some(1), None, Some(1)]).len(), 1);
    assert_eq!(listen(&soon, &[Some(1), None, Some(2)]).len(), 2);
}

#[test]
fn places_are_those_of_the_call() {
    let replies = listen(&[(None, 400), (Some(0), 1_000), (None, 3_000)], &[None; 3]);
    assert_eq!(replies[0].began_at(), Duration::from_millis(400));
    assert!(replies[0].ended_at() <= Duration::from_millis(1_400));
    assert!(replies[0].sound() > Duration::from_millis(900));
}
