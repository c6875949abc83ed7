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

use std::time::Duration;

use crate::call::event::{Heard, HeardSource, Playout};
use crate::limits::REPLY_TEXT_CHARS_MAX;
use crate::time::SessionTime;

/// The time one character of text takes to say, for text whose audio is not complete: about 15
/// characters a second, an ordinary English speaking rate.
const SPEECH_PER_CHAR: Duration = Duration::from_millis(65);
/// A playout report older than this no longer says where the client is.
const REPORT_AGE_MAX: Duration = Duration::from_secs(2);

/// The account of one reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    queued: Duration,
    sent: Duration,
    last_sent: Option<SessionTime>,
    report: Option<Report>,
    segments: Vec<Segment>,
    text_chars: usize,
    complete: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Report {
    at: SessionTime,
    played: Duration,
}

/// Text, and where its audio begins within the reply.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Segment {
    start: Duration,
    text: String,
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

    /// Audio was handed to the downlink.
    pub fn note_queued(&mut self, duration: Duration) {
        self.queued += duration;
    }

    /// Text of the audio that follows. Text without audio between is one segment. Returns false if
    /// the reply has more text than is kept; the rest of it is not.
    pub fn note_text(&mut self, text: &str) -> bool {
        let chars = text.chars().count();
        if self.text_chars + chars > REPLY_TEXT_CHARS_MAX {
            return false;
        }
        self.text_chars += chars;
        match self.segments.last_mut() {
            Some(segment) if segment.start == self.queued => append(&mut segment.text, text),
            _ => self.segments.push(Segment { start: self.queued, text: text.trim().to_owned() }),
        }
        true
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
    pub fn heard(&self, now: SessionTime, delay: Duration) -> Heard {
        let (duration, source) = match self.report {
            Some(report) if now.since(report.at) <= REPORT_AGE_MAX => {
                // The client has played on since it reported.
                let played = report.played + now.since(report.at);
                (played.min(self.sent), HeardSource::Reported)
            }
            report => {
                let least = report.map_or(Duration::ZERO, |report| report.played);
                (self.arrived(now, delay).max(least), HeardSource::Estimated)
            }
        };
        Heard { duration, text: self.text_until(duration), source }
    }

    /// What the user will have heard when everything sent was played: nothing can stop it now.
    pub fn heard_in_full(&self) -> Heard {
        let source = match self.report {
            Some(_) => HeardSource::Reported,
            None => HeardSource::Estimated,
        };
        Heard { duration: self.sent, text: self.text_until(self.sent), source }
    }

    fn arrived(&self, now: SessionTime, delay: Duration) -> Duration {
        let idle = self.last_sent.map_or(Duration::ZERO, |last| now.since(last));
        self.sent.saturating_sub(delay.saturating_sub(idle))
    }

    fn text_until(&self, heard: Duration) -> String {
        let mut text = String::new();
        for (index, segment) in self.segments.iter().enumerate() {
            if heard <= segment.start {
                break;
            }
            let length = self.segment_end(index).saturating_sub(segment.start);
            let share = (heard - segment.start).div_duration_f64(length);
            append(&mut text, cut_at_word(&segment.text, share));
        }
        text
    }

    /// Where the audio of a segment ends. While more of it may come, not before a speaker would be
    /// done with its text: a backend that delivers at the speed of speech has always sent all it has.
    fn segment_end(&self, index: usize) -> Duration {
        let spoken = |text: &str| SPEECH_PER_CHAR * text.chars().count() as u32;
        match self.segments.get(index + 1) {
            Some(next) => next.start,
            None if self.complete => self.queued,
            None => {
                let segment = &self.segments[index];
                self.queued.max(segment.start + spoken(&segment.text))
            }
        }
    }
}

/// Joins two pieces of text with one space, or with none where the second continues a script that
/// is written without.
fn append(text: &mut String, more: &str) {
    let more = more.trim();
    let joins = |character: Option<char>| character.is_none_or(is_word_by_itself);
    if !more.is_empty() && !joins(text.chars().next_back()) && !joins(more.chars().next()) {
        text.push(' ');
    }
    text.push_str(more);
}

/// The longest run of whole words within the first `share` (0 to 1) of `text`.
fn cut_at_word(text: &str, share: f64) -> &str {
    if share >= 1.0 {
        return text;
    }
    let chars = text.chars().count();
    let kept = (share * chars as f64) as usize;
    let mut end = 0;
    for (start, character) in text.char_indices().take(kept) {
        let after = start + character.len_utf8();
        let next = text[after..].chars().next();
        let ends_word = next.is_none_or(|next| next.is_whitespace() || is_word_by_itself(next));
        if ends_word || is_word_by_itself(character) {
            end = after;
        }
    }
    text[..end].trim_end()
}

/// Chinese and Japanese are written without spaces; a cut between any two characters will do.
const fn is_word_by_itself(character: char) -> bool {
    matches!(character, '\u{2E80}'..='\u{9FFF}' | '\u{FF00}'..='\u{FFEF}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::event::Generation;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

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
        ledger.note_queued(ms(1_000));
        ledger.note_text("six seven");
        ledger.note_queued(ms(1_000));
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
            assert_eq!(ledger(sent_ms).heard_in_full().text, text, "after {sent_ms} ms");
        }
    }

    #[test]
    fn without_reports_heard_is_sent_less_what_is_on_its_way() {
        let heard = ledger(500).heard(at(10_000), ms(120));
        assert_eq!((heard.duration, heard.source), (ms(380), HeardSource::Estimated));
        let heard = ledger(500).heard(at(10_050), ms(120));
        assert_eq!(heard.duration, ms(430), "what was on its way arrives");
        let heard = ledger(500).heard(at(11_000), ms(120));
        assert_eq!(heard.duration, ms(500), "no more than was sent");
        let heard = ledger(60).heard(at(10_000), ms(120));
        assert_eq!(heard.duration, ms(0));
    }

    #[test]
    fn reports_are_believed_up_to_what_was_sent() {
        let mut ledger = ledger(500);
        assert!(ledger.note_report(at(10_000), &report(ms(300))));
        let heard = ledger.heard(at(10_100), ms(120));
        assert_eq!((heard.duration, heard.source), (ms(400), HeardSource::Reported));
        assert_eq!(ledger.heard(at(10_900), ms(120)).duration, ms(500), "capped by sent");
        assert!(ledger.note_report(at(10_100), &report(ms(100))), "going back is no lie");
        assert_eq!(ledger.heard(at(10_100), ms(120)).duration, ms(300), "but changes nothing");
        assert!(!ledger.note_report(at(10_100), &report(ms(9_000))), "more than was sent");
        assert_eq!(ledger.heard(at(10_100), ms(120)).duration, ms(500));
        ledger.note_sent(at(10_100), Duration::ZERO);
        assert_eq!(ledger.heard(at(10_100), ms(120)).duration, ms(500), "nor later on");
    }

    #[test]
    fn an_old_report_is_only_a_lower_bound() {
        let mut ledger = ledger(500);
        ledger.note_report(at(7_000), &report(ms(450)));
        let heard = ledger.heard(at(10_000), ms(120));
        assert_eq!((heard.duration, heard.source), (ms(450), HeardSource::Estimated));
    }

    #[test]
    fn text_whose_audio_is_still_being_made_is_not_all_heard() {
        let mut ledger = Ledger::default();
        ledger.note_text("one two three four five");
        ledger.note_queued(ms(500));
        ledger.note_sent(at(500), Duration::ZERO);
        assert_eq!(ledger.heard_in_full().text, "one two");
        ledger.note_complete();
        assert_eq!(ledger.heard_in_full().text, "one two three four five");
    }

    #[test]
    fn text_without_audio_between_is_one_segment_and_without_audio_at_all_is_not_heard() {
        let mut ledger = Ledger::default();
        ledger.note_text("Hello ");
        ledger.note_text("there.");
        ledger.note_queued(ms(400));
        ledger.note_text("Never said.");
        ledger.note_complete();
        ledger.note_sent(at(400), Duration::ZERO);
        assert_eq!(ledger.heard_in_full().text, "Hello there.");
    }

    #[test]
    fn scripts_without_spaces_are_cut_between_characters() {
        assert_eq!(cut_at_word("你好世界", 0.5), "你好");
        assert_eq!(cut_at_word("naïve café", 0.55), "naïve");
        let mut text = "你好".to_owned();
        append(&mut text, "世界");
        assert_eq!(text, "你好世界");
    }

    #[test]
    fn text_is_bounded() {
        let mut ledger = Ledger::default();
        assert!(ledger.note_text(&"x".repeat(REPLY_TEXT_CHARS_MAX)));
        assert!(!ledger.note_text("y"));
    }
}
