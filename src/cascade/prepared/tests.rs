use proptest::prelude::*;

use super::*;

fn voice(name: &str) -> VoiceKey {
    let provider = "speaker".to_owned();
    VoiceKey { provider, voice: name.to_owned(), pace_percent: 100, rate_hz: 24_000 }
}

fn key(text: &str) -> PreparedKey {
    PreparedKey::new(voice("alloy"), text)
}

fn audio(samples: usize) -> Arc<[i16]> {
    vec![1; samples].into()
}

/// What `key("a")` with so many samples takes.
fn bytes(samples: usize) -> usize {
    bytes_of(&key("a"), &audio(samples))
}

#[test]
fn a_text_is_found_whatever_its_white_space() {
    let mut prepared = Prepared::default();
    assert_eq!(prepared.get(&key("Good  morning.")), None);
    assert!(prepared.insert(key(" Good\n morning."), audio(3)));
    assert_eq!(prepared.get(&key("Good morning.\t")), Some(audio(3)));
    assert_eq!(prepared.get(&key("good morning.")), None);
    let stats = prepared.stats();
    assert_eq!((stats.hits, stats.misses, stats.entries), (1, 2, 1));
}

#[test]
fn every_part_of_the_voice_counts() {
    let mut prepared = Prepared::default();
    prepared.insert(key("a"), audio(3));
    let base = voice("alloy");
    for other in [
        VoiceKey { provider: "other".to_owned(), ..base.clone() },
        VoiceKey { voice: "echo".to_owned(), ..base.clone() },
        VoiceKey { pace_percent: 110, ..base.clone() },
        VoiceKey { rate_hz: 16_000, ..base },
    ] {
        assert_eq!(prepared.get(&PreparedKey::new(other, "a")), None);
    }
}

#[test]
fn what_was_not_used_for_the_longest_time_makes_way() {
    let mut prepared = Prepared::new(3 * bytes(100));
    for text in ["a", "b", "c"] {
        prepared.insert(key(text), audio(100));
    }
    assert!(prepared.get(&key("a")).is_some());
    assert!(prepared.contains(&key("b")), "which is no use");
    prepared.insert(key("d"), audio(100));
    let left = ["a", "b", "c", "d"].map(|text| prepared.contains(&key(text)));
    assert_eq!(left, [true, false, true, true]);
    assert_eq!((prepared.stats().evicted, prepared.stats().bytes), (1, 3 * bytes(100)));
}

#[test]
fn a_new_audio_replaces_the_old_without_pushing_others_out() {
    let mut prepared = Prepared::new(2 * bytes(100));
    prepared.insert(key("a"), audio(100));
    prepared.insert(key("b"), audio(100));
    prepared.insert(key("a"), audio(99));
    assert_eq!(prepared.get(&key("a")), Some(audio(99)));
    let stats = prepared.stats();
    assert_eq!((stats.evicted, stats.entries, stats.bytes), (0, 2, bytes(100) + bytes(99)));
}

#[test]
fn what_is_larger_than_the_store_is_not_kept_and_pushes_nothing_out() {
    let mut prepared = Prepared::new(bytes(100));
    assert!(prepared.insert(key("a"), audio(100)));
    assert!(!prepared.insert(key("b"), audio(101)));
    assert!(prepared.contains(&key("a")));
    assert_eq!((prepared.stats().refused, prepared.stats().evicted), (1, 0));
}

#[test]
fn what_one_voice_said_is_not_found_for_another() {
    let mut prepared = Prepared::default();
    prepared.insert(key("a"), audio(1));
    assert_eq!(prepared.get(&PreparedKey::new(voice("another"), "a")), None);
}

#[test]
fn no_text_is_shown_for_debugging() {
    let mut prepared = Prepared::default();
    prepared.insert(key("secret"), audio(1));
    let shown = format!("{prepared:?} {:?}", key("secret"));
    assert!(!shown.contains("secret") && shown.contains("text_bytes: 6"), "{shown}");
}

proptest! {
    #[test]
    fn the_store_never_exceeds_its_bytes_and_agrees_with_itself(
        uses in prop::collection::vec((0..12_u8, 0..300_usize, any::<bool>()), 0..80),
    ) {
        let bytes_max = 4 * bytes(150);
        let mut prepared = Prepared::new(bytes_max);
        for (text, samples, reads) in uses {
            let key = key(&text.to_string());
            if reads {
                let _counted = prepared.get(&key);
            } else {
                prop_assert!(prepared.insert(key.clone(), audio(samples)));
                prop_assert_eq!(prepared.get(&key), Some(audio(samples)));
            }
            let held: usize = prepared.entries.iter().map(|(key, e)| bytes_of(key, &e.audio)).sum();
            let stats = prepared.stats();
            prop_assert_eq!((stats.bytes, stats.entries), (held, prepared.by_use.len()));
            prop_assert!(held <= bytes_max);
            prop_assert!(prepared.by_use.values().all(|key| prepared.contains(key)));
        }
    }
}
