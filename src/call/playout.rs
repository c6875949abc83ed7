//! What became of a reply's audio: queued, sent, heard.
//!
//! ```text
//! text    |"Hello there."        |"What can I do for you?"
//! queued  ------------------------------------------------|
//! sent    -------------------------|
//! heard   --------------------|  (reported by the client, or sent less what is on its way)
//! ```
//!
//! heard <= sent <= queued, always: a client that claims to have played more is not believed.

mod text;

use std::time::Duration;

use crate::call::event::{Heard, HeardSource, Playout, WordTime};
use crate::limits::SPEECH_PIECES_MAX;
use crate::time::SessionTime;
use text::Text;
pub(crate) use text::is_word_by_itself;

/// A playout report older than this no longer says where the client is.
const REPORT_AGE_MAX: Duration = Duration::from_secs(2);

/// How long audio takes from here to the user's ear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// That long.
    pub duration: Duration,
    source: HeardSource,
}

impl Delay {
    /// Nothing was measured yet.
    pub const fn assumed(duration: Duration) -> Self {
        Self { duration, source: HeardSource::Estimated }
    }

    /// The round trip was.
    pub const fn measured(duration: Duration) -> Self {
        Self { duration, source: HeardSource::RoundTrip }
    }
}

/// The account of one reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    queued: Duration,
    sent: Duration,
    last_sent: Option<SessionTime>,
    report: Option<Report>,
    text: Text,
    speech: SpeechMap,
    complete: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Report {
    at: SessionTime,
    played: Duration,
}

impl Ledger {
    /// Audio handed to the downlink so far.
    pub const fn queued(&self) -> Duration {
        self.queued
    }

    /// Audio that has left the host.
    pub const fn sent(&self) -> Duration {
        self.sent
    }

    /// Characters of its text.
    pub const fn text_chars(&self) -> usize {
        self.text.chars()
    }

    /// Audio was handed to the downlink, `speech` of which is sound and the rest pause.
    pub fn note_queued(&mut self, duration: Duration, speech: Duration) {
        self.queued += duration;
        self.speech.push(duration, speech.min(duration));
    }

    /// Text of the audio that follows. Text without audio between is one segment. Returns false if
    /// the reply has more text than is kept; the rest of it is not.
    pub fn note_text(&mut self, text: &str) -> bool {
        self.text.push(self.queued, text)
    }

    /// When words of the reply sound. Returns false for those that are not in order, or too many.
    pub fn note_words(&mut self, words: Vec<WordTime>) -> bool {
        self.text.push_words(words)
    }

    /// A frame left the host, with `behind` still queued behind it.
    pub fn note_sent(&mut self, now: SessionTime, behind: Duration) {
        self.sent = self.sent.max(self.queued.saturating_sub(behind));
        self.last_sent = Some(now);
    }

    /// The client says what it played. Returns false for a report beyond what was sent, which is
    /// taken as everything that was.
    pub fn note_report(&mut self, now: SessionTime, report: &Playout) -> bool {
        let earlier = self.report.map_or(Duration::ZERO, |report| report.played);
        let played = report.played.min(self.sent).max(earlier);
        self.report = Some(Report { at: now, played });
        report.played <= self.sent
    }

    /// No more audio and text will come.
    pub const fn note_complete(&mut self) {
        self.complete = true;
    }

    /// What the user has heard by `now`, if audio takes `delay` from here to the user's ear.
    pub fn heard(&self, now: SessionTime, delay: Delay) -> Heard {
        let (duration, source) = match self.report {
            Some(report) if now.since(report.at) <= REPORT_AGE_MAX => {
                // The client has played on since it reported.
                let played = report.played + now.since(report.at);
                (played.min(self.sent), HeardSource::Reported)
            }
            report => {
                let least = report.map_or(Duration::ZERO, |report| report.played);
                (self.arrived(now, delay.duration).max(least), delay.source)
            }
        };
        Heard { duration, text: self.text_until(duration), source }
    }

    /// What the user will have heard when everything sent was played: nothing can stop it now.
    pub fn heard_in_full(&self, delay: Delay) -> Heard {
        let source = if self.report.is_some() { HeardSource::Reported } else { delay.source };
        Heard { duration: self.sent, text: self.text_until(self.sent), source }
    }

    /// Whole words of the text of what was sent.
    pub fn words_sent(&self) -> usize {
        self.text_until(self.sent).split_whitespace().count()
    }

    /// Whether what was sent last belongs to a sentence that contains one of `phrases`.
    pub fn is_in(&self, phrases: &[String]) -> bool {
        let sentence = self.text.sentence_of_word(self.words_sent());
        let sentence = sentence.to_lowercase();
        phrases.iter().any(|phrase| sentence.contains(&phrase.to_lowercase()))
    }

    fn arrived(&self, now: SessionTime, delay: Duration) -> Duration {
        let idle = self.last_sent.map_or(Duration::ZERO, |last| now.since(last));
        self.sent.saturating_sub(delay.saturating_sub(idle))
    }

    fn text_until(&self, heard: Duration) -> String {
        let end = self.complete.then_some(self.queued);
        self.text.until(heard, end, |position| self.speech.until(position))
    }
}

/// How much of the audio up to a position is speech.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct SpeechMap {
    pieces: Vec<Piece>,
}

/// A stretch of audio within which speech is spread evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    audio: Duration,
    speech: Duration,
}

impl Piece {
    const fn is_like(self, other: Self) -> bool {
        (self.speech.is_zero() && other.speech.is_zero()) || (self.is_full() && other.is_full())
    }

    const fn is_full(self) -> bool {
        self.speech.as_nanos() == self.audio.as_nanos()
    }
}

impl SpeechMap {
    fn push(&mut self, audio: Duration, speech: Duration) {
        let is_full = self.pieces.len() == SPEECH_PIECES_MAX;
        let piece = Piece { audio, speech };
        match self.pieces.last_mut() {
            Some(last) if is_full || last.is_like(piece) => {
                last.audio += audio;
                last.speech += speech;
            }
            _ => self.pieces.push(piece),
        }
    }

    fn until(&self, position: Duration) -> Duration {
        let (mut speech, mut left) = (Duration::ZERO, position);
        for piece in &self.pieces {
            if left < piece.audio {
                return speech + piece.speech.mul_f64(left.div_duration_f64(piece.audio));
            }
            speech += piece.speech;
            left -= piece.audio;
        }
        speech
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::event::Generation;
    use crate::limits::REPLY_TEXT_CHARS_MAX;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    const DELAY: Delay = Delay::assumed(ms(120));

    const fn at(millis: u64) -> SessionTime {
        SessionTime::from_millis(millis)
    }

    fn report(played: Duration) -> Playout {
        Playout { generation: Generation(1), played }
    }

    /// One second of "one two three four five" and one of "six seven", `sent_ms` of it sent, the
    /// last frame at 10 s.
    fn ledger(sent_ms: u64) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.note_text("one two three four five");
        ledger.note_queued(ms(1_000), ms(1_000));
        ledger.note_text("six seven");
        ledger.note_queued(ms(1_000), ms(1_000));
        ledger.note_complete();
        ledger.note_sent(at(10_000), ms(2_000 - sent_ms));
        ledger
    }

    #[test]
    fn heard_text_is_cut_at_a_word() {
        for (sent_ms, text) in [
            (0, ""),
            (100, ""),
            (150, "one"),
            (400, "one two"),
            (560, "one two"),
            (570, "one two three"),
            (1_000, "one two three four five"),
            (1_320, "one two three four five"),
            (1_340, "one two three four five six"),
            (2_000, "one two three four five six seven"),
        ] {
            assert_eq!(ledger(sent_ms).heard_in_full(DELAY).text, text, "after {sent_ms} ms");
        }
    }

    #[test]
    fn without_reports_heard_is_sent_less_what_is_on_its_way() {
        let heard = ledger(500).heard(at(10_000), DELAY);
        assert_eq!((heard.duration, heard.source), (ms(380), HeardSource::Estimated));
        let heard = ledger(500).heard(at(10_050), DELAY);
        assert_eq!(heard.duration, ms(430), "what was on its way arrives");
        let heard = ledger(500).heard(at(11_000), DELAY);
        assert_eq!(heard.duration, ms(500), "no more than was sent");
        let heard = ledger(60).heard(at(10_000), DELAY);
        assert_eq!(heard.duration, ms(0));
    }

    #[test]
    fn reports_are_believed_up_to_what_was_sent() {
        let mut ledger = ledger(500);
        assert!(ledger.note_report(at(10_000), &report(ms(300))));
        let heard = ledger.heard(at(10_100), DELAY);
        assert_eq!((heard.duration, heard.source), (ms(400), HeardSource::Reported));
        assert_eq!(ledger.heard(at(10_900), DELAY).duration, ms(500), "capped by sent");
        assert!(ledger.note_report(at(10_100), &report(ms(100))), "going back is no lie");
        assert_eq!(ledger.heard(at(10_100), DELAY).duration, ms(300), "but changes nothing");
        assert!(!ledger.note_report(at(10_100), &report(ms(9_000))), "more than was sent");
        assert_eq!(ledger.heard(at(10_100), DELAY).duration, ms(500));
        ledger.note_sent(at(10_100), Duration::ZERO);
        assert_eq!(ledger.heard(at(10_100), DELAY).duration, ms(500), "nor later on");
    }

    #[test]
    fn an_old_report_is_only_a_lower_bound() {
        let mut ledger = ledger(500);
        ledger.note_report(at(7_000), &report(ms(450)));
        let heard = ledger.heard(at(10_000), DELAY);
        assert_eq!((heard.duration, heard.source), (ms(450), HeardSource::Estimated));
    }

    #[test]
    fn text_whose_audio_is_still_being_made_is_not_all_heard() {
        let mut ledger = Ledger::default();
        ledger.note_text("one two three four five");
        ledger.note_queued(ms(500), ms(500));
        ledger.note_sent(at(500), Duration::ZERO);
        assert_eq!(ledger.heard_in_full(DELAY).text, "one two");
        ledger.note_complete();
        assert_eq!(ledger.heard_in_full(DELAY).text, "one two three four five");
    }

    #[test]
    fn text_without_audio_between_is_one_segment_and_without_audio_at_all_is_not_heard() {
        let mut ledger = Ledger::default();
        ledger.note_text("Hello ");
        ledger.note_text("there.");
        ledger.note_queued(ms(400), ms(400));
        ledger.note_text("Never said.");
        ledger.note_complete();
        ledger.note_sent(at(400), Duration::ZERO);
        assert_eq!(ledger.heard_in_full(DELAY).text, "Hello there.");
    }

    #[test]
    fn text_is_bounded() {
        let mut ledger = Ledger::default();
        assert!(ledger.note_text(&"x".repeat(REPLY_TEXT_CHARS_MAX)));
        assert!(!ledger.note_text("y"));
    }

    #[test]
    fn text_is_spread_over_speech_and_not_over_pauses() {
        let mut ledger = Ledger::default();
        ledger.note_text("one two three four");
        for (audio_ms, speech_ms) in [(500, 500), (500, 500), (4_000, 0), (1_000, 1_000)] {
            ledger.note_queued(ms(audio_ms), ms(speech_ms));
        }
        ledger.note_complete();
        for (sent_ms, text) in
            [(500, "one"), (1_000, "one two"), (4_900, "one two"), (6_000, "one two three four")]
        {
            ledger.note_sent(at(10_000), ms(6_000 - sent_ms));
            assert_eq!(ledger.heard_in_full(DELAY).text, text, "after {sent_ms} ms");
        }
    }

    #[test]
    fn word_times_say_what_was_heard_where_they_come() {
        let word = |text: &str, start: u64, end: u64| {
            let (start, end) = (ms(start), ms(end));
            WordTime { text: text.to_owned(), start, end }
        };
        let mut ledger = ledger(300);
        assert!(ledger.note_words(vec![word("one", 0, 100), word("two", 150, 400)]));
        assert!(!ledger.note_words(vec![word("late", 300, 500)]), "not in order");
        assert_eq!(ledger.heard_in_full(DELAY).text, "one two", "half of it was heard");
        assert!(ledger.note_words(vec![word("three", 900, 1_900)]));
        ledger.note_sent(at(10_000), ms(700));
        assert_eq!(ledger.heard_in_full(DELAY).text, "one two");
        ledger.note_sent(at(10_000), ms(550));
        assert_eq!(ledger.heard_in_full(DELAY).text, "one two three");
    }

    #[test]
    fn a_sentence_is_found_by_what_was_sent_of_it() {
        let mut ledger = Ledger::default();
        ledger.note_text("Hello. This call is recorded, as the law demands. And now?");
        ledger.note_queued(ms(1_000), ms(1_000));
        ledger.note_complete();
        let phrases = ["IS RECORDED".to_owned()];
        let protected: Vec<bool> = (0..=10)
            .map(|tenth| {
                ledger.note_sent(at(1_000), ms(1_000 - tenth * 100));
                ledger.is_in(&phrases)
            })
            .collect();
        let within: Vec<usize> = (0..=10).filter(|tenth| protected[*tenth]).collect();
        assert_eq!(within, (2..=8).collect::<Vec<_>>(), "{protected:?}");
    }
}
