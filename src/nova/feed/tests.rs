use super::*;

const LOUD: PcmFrame = PcmFrame([1_000; WIDEBAND_FRAME]);
const QUIET: PcmFrame = PcmFrame([0; WIDEBAND_FRAME]);

fn at(ms: u64) -> SessionTime {
    SessionTime::from_millis(ms)
}

/// Blocks so far, and how many of their samples are sound.
fn drain(feed: &mut Feed) -> (usize, usize) {
    let blocks: Vec<Block> = std::iter::from_fn(|| feed.poll()).collect();
    (blocks.len(), blocks.iter().flatten().filter(|sample| **sample != 0).count())
}

#[test]
fn frames_become_blocks_without_a_sample_lost() {
    let mut feed = Feed::default();
    for n in 0..80 {
        feed.push(at(20 * n), &LOUD, false);
    }
    assert_eq!(drain(&mut feed), (50, 50 * INPUT_CHUNK_SAMPLES));
}

#[test]
fn a_stream_that_has_begun_is_silence_until_the_first_frame() {
    let mut feed = Feed::default();
    feed.begin(at(1_000));
    while let Some(due) = feed.poll_timeout().filter(|due| *due < at(3_000)) {
        feed.fill(due);
    }
    let (blocks, sound) = drain(&mut feed);
    assert!((55..=62).contains(&blocks), "{blocks} blocks of 32 ms in 2 s");
    assert_eq!(sound, 0);
}

#[test]
fn silence_is_filled_in_where_no_frames_come() {
    let mut feed = Feed::default();
    assert_eq!(feed.poll_timeout(), None, "not before the first frame");
    for n in 0..8 {
        feed.push(at(20 * n), &LOUD, false);
    }
    // Muted for a second, woken as asked.
    while let Some(due) = feed.poll_timeout().filter(|due| *due < at(1_160)) {
        feed.fill(due);
    }
    for n in 58..66 {
        feed.push(at(20 * n), &LOUD, false);
    }
    let (blocks, sound) = drain(&mut feed);
    assert!(
        (1_200..=1_320).contains(&(blocks * 32)),
        "as much as time has passed: {blocks} blocks"
    );
    assert!((4_800..=5_120).contains(&sound), "{sound}");
}

#[test]
fn a_stall_of_the_process_is_not_made_up_for_without_bound() {
    let mut feed = Feed::default();
    feed.push(at(0), &LOUD, false);
    feed.fill(at(3_600_000));
    let (blocks, _) = drain(&mut feed);
    assert!(blocks <= NOVA_BLOCKS_WAITING_MAX + 1, "{blocks}");
    assert!(feed.poll_timeout().is_some_and(|due| due > at(3_600_000)));
}

#[test]
fn what_was_held_back_is_sent_at_once_and_made_up_for_in_silence() {
    let mut feed = Feed::default();
    for n in 0..50 {
        feed.push(at(20 * n), &QUIET, false);
    }
    // Half a second of speech was held back meanwhile.
    for _ in 0..25 {
        feed.push(at(1_000), &LOUD, false);
    }
    let (_, sound) = drain(&mut feed);
    assert!(sound > 23 * WIDEBAND_FRAME, "{sound}");
    for n in 51..100 {
        feed.push(at(20 * n), &LOUD, false);
    }
    assert!(feed.ahead(at(1_980)) > Duration::from_millis(400), "nothing of speech is left out");
    for n in 100..150 {
        feed.push(at(20 * n), &LOUD, true);
    }
    assert!(feed.ahead(at(2_980)) <= AHEAD_MAX + Duration::from_millis(20));
}

#[test]
fn a_turn_is_kept_from_before_its_beginning_until_it_was_understood() {
    let block = |n: i16| [n; INPUT_CHUNK_SAMPLES];
    let mut recent = Recent::default();
    (0..100).for_each(|n| recent.push(block(n), true));
    assert_eq!(recent.replay(false).count(), 0, "all was heard");
    assert_eq!(recent.replay(true).count(), NOVA_BLOCKS_PRE_ROLL, "a turn may have begun in it");
    recent.begin_turn();
    (100..200).for_each(|n| recent.push(block(n), true));
    let first = 100 - NOVA_BLOCKS_PRE_ROLL as i16;
    let kept: Vec<i16> = recent.replay(false).map(|block| block[0]).collect();
    assert_eq!(kept, (first..200).collect::<Vec<_>>());
    recent.end_turn();
    (200..205).for_each(|n| recent.push(block(n), false));
    assert_eq!(
        recent.replay(false).map(|block| block[0]).collect::<Vec<_>>(),
        [200, 201, 202, 203, 204]
    );
    assert_eq!(recent.replay(false).count(), 0, "once");
    recent.begin_turn();
    (0..5_000).for_each(|n| recent.push(block(n), false));
    assert_eq!(recent.replay(false).count(), NOVA_BLOCKS_KEPT_MAX);
}
