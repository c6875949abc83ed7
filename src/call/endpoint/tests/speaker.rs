//! A simulated speaker: features as the uplink would make them, and what the adaptive endpointer makes
//! of whole conversations with one.
//!
//! What it can show is how the cues, the learning and the risk work together; not how people talk. So
//! nothing but generous bounds is asserted, and the table is printed (`cargo test --no-default-features
//! endpoint -- --nocapture`).

use std::time::Duration;

use crate::call::endpoint::{Endpoint, Verdict};
use crate::call::event::{EchoEvidence, FrameFeatures, TurnId};
use crate::call::settings::EndpointSettings;
use crate::limits::FRAME;
use crate::time::SessionTime;

/// How speech ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Melody {
    /// To the bottom of the voice, softer.
    Falling,
    /// In mid-voice.
    Level,
    /// Upwards by some semitones.
    Rising,
    /// A long level vowel.
    Held,
    /// No pitch was found: whisper, noise, a bad line.
    Unknown,
}

/// Numbers from a seed (SplitMix64).
#[derive(Clone, Debug)]
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 40) as f32 / 16_777_216.0
    }

    fn between(&mut self, least: f32, most: f32) -> f32 {
        least + (most - least) * self.next()
    }

    /// Close to normal, with this deviation.
    fn around(&mut self, deviation: f32) -> f32 {
        ((0..4).map(|_| self.next()).sum::<f32>() - 2.0) * 1.732 * deviation
    }
}

/// Speaks for `length`, without any chance. The end of the last voiced frame.
pub(super) fn say(
    endpoint: &mut Endpoint,
    from: SessionTime,
    length: Duration,
    melody: Melody,
) -> SessionTime {
    Voice { chance: Chance(1), noise: 0.0, base_hz: 120.0, extent: 1.0 }
        .say(endpoint, from, length, melody)
}

struct Voice {
    chance: Chance,
    /// Deviation of the pitch in semitones, frame by frame.
    noise: f32,
    base_hz: f32,
    /// How much of a full fall, rise or fading this ending has.
    extent: f32,
}

impl Voice {
    fn say(
        &mut self,
        endpoint: &mut Endpoint,
        from: SessionTime,
        length: Duration,
        melody: Melody,
    ) -> SessionTime {
        let frames = (length.as_millis() / FRAME.as_millis()) as u32;
        for index in 0..frames {
            let at = from + FRAME * (index + 1);
            let features = self.frame(at, index, (frames - index - 1) * 20, melody);
            endpoint.handle_frame(&features, true);
        }
        from + FRAME * frames
    }

    /// The frame that ends `left_ms` before the speech does. Syllables are 180 ms, of which the last
    /// third is a consonant without pitch.
    fn frame(
        &mut self,
        at: SessionTime,
        index: u32,
        left_ms: u32,
        melody: Melody,
    ) -> FrameFeatures {
        let left = left_ms as f32 / 1_000.0;
        let spoken = index as f32 * 0.02;
        let syllable = index % 9;
        let accent = if syllable < 4 { 1.2 - 0.3 * syllable as f32 } else { 0.0 };
        let ending = |seconds: f32| ((seconds - left) / seconds).clamp(0.0, 1.0);
        let course = accent - 0.4 * spoken.min(4.0);
        let is_held = melody == Melody::Held && left < 0.42;
        let pitch_st = match melody {
            Melody::Falling => course - 5.0 * self.extent * ending(0.36),
            Melody::Level => course * (1.0 - self.extent * ending(0.3)),
            Melody::Rising => course + 3.0 * self.extent * ending(0.3),
            Melody::Held if is_held => -0.5,
            Melody::Held | Melody::Unknown => course,
        };
        let softer_db =
            if melody == Melody::Falling { 7.0 * self.extent * ending(0.3) } else { 0.0 };
        let has_pitch = melody != Melody::Unknown && (is_held || syllable < 6 || left < 0.1);
        let noise_st = self.chance.around(self.noise);
        FrameFeatures {
            at,
            voice: 0.9,
            level_dbfs: -22.0 - softer_db - if syllable < 6 { 0.0 } else { 4.0 }
                + self.chance.around(self.noise),
            pitch_hz: has_pitch.then(|| self.base_hz * ((pitch_st + noise_st) / 12.0).exp2()),
            echo: EchoEvidence::NONE,
            concealed: false,
        }
    }
}

/// A kind of speaker.
struct Kind {
    name: &'static str,
    /// Probability that an ending sounds like what it is; else it is any of them.
    clear: f32,
    noise: f32,
    /// Pauses within turns, in seconds, of which each turn has one with probability `pausing`.
    pause_s: std::ops::RangeInclusive<f32>,
    pausing: f32,
}

/// What became of the turns after the first three.
struct Tally {
    paused: u32,
    cut_off: u32,
    response_ms: Vec<u128>,
}

impl Tally {
    fn cut_percent(&self) -> f32 {
        100.0 * self.cut_off as f32 / self.paused.max(1) as f32
    }

    fn percentile_ms(&self, percent: usize) -> u128 {
        let mut sorted = self.response_ms.clone();
        sorted.sort_unstable();
        sorted[(sorted.len() - 1) * percent / 100]
    }
}

const CALLS: u64 = 200;
const TURNS: u32 = 12;
const LEARNING: u32 = 3;

fn converse(kind: &Kind) -> Tally {
    let mut tally = Tally { paused: 0, cut_off: 0, response_ms: Vec::new() };
    for seed in 0..CALLS {
        let mut chance = Chance(seed);
        let base_hz = chance.between(95.0, 230.0);
        let (noise, extent) = (kind.noise, 1.0);
        let voice = Voice { chance: chance.clone(), noise, base_hz, extent };
        let endpoint = Endpoint::new(&EndpointSettings::default());
        let mut caller = Caller { kind, chance, voice, endpoint, turn: 0, now: SessionTime::ZERO };
        for turn in 0..TURNS {
            caller.take_turn(&mut tally, turn >= LEARNING);
        }
    }
    tally
}

struct Caller<'k> {
    kind: &'k Kind,
    chance: Chance,
    voice: Voice,
    endpoint: Endpoint,
    turn: u32,
    now: SessionTime,
}

impl Caller<'_> {
    fn take_turn(&mut self, tally: &mut Tally, counts: bool) {
        // The agent's reply was heard before this.
        self.now += Duration::from_secs_f32(self.chance.between(2.0, 5.0));
        self.open();
        let mut finished = self.chance.between(0.5, 3.0);
        if self.chance.next() < self.kind.pausing {
            let begun = self.chance.between(0.6, 2.5);
            let melody = self.melody(false);
            let last = self.speak(begun, melody);
            let (least, most) = (*self.kind.pause_s.start(), *self.kind.pause_s.end());
            let resumes = last + Duration::from_secs_f32(self.chance.between(least, most));
            let over = self.over(last, Some(resumes));
            self.now = resumes;
            if over.is_some() {
                self.open();
            } else {
                self.endpoint.speech_started(resumes);
            }
            tally.paused += u32::from(counts);
            tally.cut_off += u32::from(counts && over.is_some());
            finished = self.chance.between(0.5, 2.0);
        }
        let melody = self.melody(true);
        let last = self.speak(finished, melody);
        let over = self.over(last, None).expect("nothing follows");
        self.now = over;
        if counts {
            tally.response_ms.push(over.since(last).as_millis());
        }
    }

    fn open(&mut self) {
        self.turn += 1;
        self.endpoint.turn_opened(TurnId(self.turn), self.now);
    }

    fn speak(&mut self, length_s: f32, melody: Melody) -> SessionTime {
        let length = Duration::from_secs_f32(length_s);
        self.voice.extent = self.chance.between(0.4, 1.3);
        self.now = self.voice.say(&mut self.endpoint, self.now, length, melody);
        self.now
    }

    fn melody(&mut self, is_end: bool) -> Melody {
        let unfinished = [Melody::Level, Melody::Rising, Melody::Held];
        let any = [Melody::Falling, Melody::Level, Melody::Rising, Melody::Unknown];
        let clear = self.chance.next() < self.kind.clear;
        let pick = (self.chance.next() * 12.0) as usize;
        match (clear, is_end) {
            (true, true) => Melody::Falling,
            (true, false) => unfinished[pick % unfinished.len()],
            (false, _) => any[pick % any.len()],
        }
    }

    /// When the turn is ended, if that is before the user goes on.
    fn over(&mut self, last: SessionTime, resumes: Option<SessionTime>) -> Option<SessionTime> {
        let mut look = self.endpoint.speech_stopped(last + Duration::from_millis(100), last);
        loop {
            // Speech is noticed 60 ms after it began; until then the end is not judged.
            if resumes.is_some_and(|resumes| look >= resumes) {
                return None;
            }
            match self.endpoint.judge(look, false) {
                Verdict::Over => {
                    self.endpoint.turn_ended();
                    return Some(look);
                }
                Verdict::Speculate(next) | Verdict::AskAgain(next) => look = next,
            }
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the table is for people")]
fn speakers_who_pause_are_rarely_cut_off_and_finished_sentences_are_answered_soon() {
    let kind = |name, clear, noise, pause_s, pausing| Kind { name, clear, noise, pause_s, pausing };
    let kinds = [
        kind("clear, 1.2 s pauses", 0.95, 0.4, 1.2..=1.2, 1.0),
        kind("clear, pauses up to 1.2 s", 0.95, 0.4, 0.3..=1.2, 1.0),
        kind("ordinary, 1.2 s pauses", 0.8, 0.8, 1.2..=1.2, 1.0),
        kind("ordinary, pauses up to 1.2 s", 0.8, 0.8, 0.3..=1.2, 0.5),
        kind("sloppy, 1.2 s pauses", 0.3, 1.5, 1.2..=1.2, 1.0),
        kind("sloppy, pauses up to 1.2 s", 0.3, 1.5, 0.3..=1.2, 0.5),
        kind("no cue at all, 1.2 s pauses", 0.0, 1.5, 1.2..=1.2, 0.5),
        kind("sloppy, hardly ever pauses", 0.3, 1.5, 0.3..=0.6, 0.05),
    ];
    println!("{:<32}{:>10}{:>10}{:>10}", "speaker", "cut off %", "p50 ms", "p95 ms");
    let mut shown = Vec::new();
    for kind in &kinds {
        let tally = converse(kind);
        let (cut, middle) = (tally.cut_percent(), tally.percentile_ms(50));
        println!("{:<32}{cut:>10.1}{middle:>10}{:>10}", kind.name, tally.percentile_ms(95));
        shown.push((cut, middle));
    }
    let (clear_cut, clear_ms) = shown[0];
    assert!(clear_cut < 15.0 && clear_ms < 600, "{clear_cut} % {clear_ms} ms");
    let (never_cut, never_ms) = shown[7];
    assert!(never_cut < 60.0 && never_ms < 800, "{never_cut} % {never_ms} ms");
    // Where nothing tells an end from a pause, being cut off and waiting are traded, not given away.
    assert!(shown[6].0 < 40.0, "{} %", shown[6].0);
}
