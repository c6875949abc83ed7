//! A user who asks numbers, one after the other, and listens to the answers. Pure: 20 ms in, 20 ms out.

use std::collections::VecDeque;

use antiphon::limits::{FRAME_MS, WIDEBAND_FRAME, WIDEBAND_HZ};
use antiphon_nova_sim::tones::{self, Decoder, PAUSE_MS, Spotted, Word};

/// What is louder is no silence: about -41 dBFS.
const SOUND_MIN: u16 = 300;

/// 20 ms of sound at 16 kHz.
pub type Frame = [i16; WIDEBAND_FRAME];

/// What the user does.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// Words of [`tones`] that are said before each number; they may be none.
    pub preface: &'static str,
    /// Words of a complete answer.
    pub answer_words: usize,
    /// Silence between an answer, or a greeting, and the next question.
    pub pause_ms: u64,
    /// How long an answer is waited for before the next question.
    pub patience_ms: u64,
    /// Speaks the next number over each answer, after so many of its words.
    pub interrupts_after: Option<usize>,
}

/// One question and what was heard after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// What was asked.
    pub number: u16,
    /// What was heard until the next question.
    pub words: Vec<Word>,
    /// From the end of the question to the first sound of the answer.
    pub latency_ms: Option<u64>,
    /// The longest silence between two words of the answer, beyond the pause that belongs there.
    pub gap_ms: u64,
}

/// The user.
#[derive(Debug)]
pub struct Caller {
    manners: Manners,
    next: u16,
    speech: VecDeque<Frame>,
    frames: u64,
    spoke_until: u64,
    heard_at: u64,
    decoder: Decoder,
    last_end: Option<u64>,
    greeting: Vec<Word>,
    exchanges: Vec<Exchange>,
}

impl Caller {
    /// A user who begins with the number 1.
    pub fn new(manners: Manners) -> Self {
        Self {
            manners,
            next: 1,
            speech: VecDeque::new(),
            frames: 0,
            spoke_until: 0,
            heard_at: 0,
            decoder: Decoder::new(WIDEBAND_HZ),
            last_end: None,
            greeting: Vec::new(),
            exchanges: Vec::new(),
        }
    }

    /// What is heard now, and what is said meanwhile.
    pub fn step(&mut self, heard: &Frame) -> Frame {
        self.frames += 1;
        if let Some(open) = self.exchanges.last_mut()
            && sounds(heard)
            && self.spoke_until > 0
            && self.speech.is_empty()
        {
            let after = (self.frames - self.spoke_until) * u64::from(FRAME_MS);
            open.latency_ms.get_or_insert(after);
        }
        let mut words = Vec::new();
        self.decoder.push(heard, &mut words);
        words.iter().for_each(|spotted| self.hear(spotted));
        if self.speech.is_empty() && self.is_time_to_ask() {
            self.ask();
        }
        let said = self.speech.pop_front();
        if said.is_some() {
            self.spoke_until = self.frames;
        }
        said.unwrap_or([0; WIDEBAND_FRAME])
    }

    /// What was asked and heard so far.
    pub fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// What was heard before the first question.
    pub fn greeting(&self) -> &[Word] {
        &self.greeting
    }

    fn hear(&mut self, spotted: &Spotted) {
        self.heard_at = self.frames;
        // What sounds while a question is asked is the end of the answer before.
        if !self.speech.is_empty() {
            if let [.., before, _] = self.exchanges.as_mut_slice() {
                before.words.push(spotted.word);
            }
            return;
        }
        let Some(open) = self.exchanges.last_mut() else {
            return self.greeting.push(spotted.word);
        };
        if !open.words.is_empty()
            && let Some(last) = self.last_end
        {
            let per_ms = u64::from(WIDEBAND_HZ / 1_000);
            let silence_ms = spotted.start.saturating_sub(last) / per_ms;
            open.gap_ms = open.gap_ms.max(silence_ms.saturating_sub(u64::from(PAUSE_MS)));
        }
        open.words.push(spotted.word);
        self.last_end = Some(spotted.end);
    }

    fn is_time_to_ask(&self) -> bool {
        let ms = |since: u64| (self.frames - since) * u64::from(FRAME_MS);
        let Some(open) = self.exchanges.last() else {
            return ms(self.heard_at) >= self.manners.pause_ms;
        };
        let count = open.words.len();
        if self.manners.interrupts_after.is_some_and(|after| count == after) {
            return true;
        }
        if count >= self.manners.answer_words {
            return ms(self.heard_at) >= self.manners.pause_ms;
        }
        ms(self.spoke_until.max(self.heard_at)) >= self.manners.patience_ms
    }

    fn ask(&mut self) {
        let number = self.next;
        self.next += 1;
        let word = Word::number(number).expect("no test asks so many questions");
        // An interruption is longer than an "mhm".
        let count = if self.manners.interrupts_after.is_some() { 4 } else { 1 };
        let mut words = Word::all_in(self.manners.preface);
        words.extend(vec![word; count]);
        let pcm = tones::encode(&words, WIDEBAND_HZ);
        let frames = pcm.chunks(WIDEBAND_FRAME).map(|chunk| {
            let mut frame = [0; WIDEBAND_FRAME];
            frame[..chunk.len()].copy_from_slice(chunk);
            frame
        });
        self.speech = frames.collect();
        self.last_end = None;
        self.exchanges.push(Exchange { number, ..Exchange::default() });
    }
}

/// Whether there is anything but silence in a frame.
pub fn sounds(frame: &Frame) -> bool {
    frame.iter().any(|sample| sample.unsigned_abs() > SOUND_MIN)
}
