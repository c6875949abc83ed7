//! One spoken answer on its way out: sentence by sentence, planned text first, then its audio, faster
//! than real time and in uneven pieces.
//!
//! ```text
//! Plan --> Begin --> Audio --> ... --> Audio --> End --> Plan (the next sentence) ... --> sent
//! ```

use std::time::Duration;

use crate::random::Random;

/// How much faster than real time audio is sent.
const PACE: u32 = 3;
/// Shortest piece of audio, and by how much pieces are longer, in milliseconds.
const PIECE_MS: u64 = 40;
const PIECE_SPREAD_MS: u64 = 120;
/// Where this much is sent ahead, a gap of up to this length may come now and then.
const GAP_MAX: Duration = Duration::from_millis(400);
const PIECES_PER_GAP: u64 = 10;

/// An answer being sent, or sent and still being played.
#[derive(Debug)]
pub(crate) struct Delivery {
    rate_hz: u32,
    sentences: Vec<Sentence>,
    /// The sentence that is being sent.
    current: usize,
    phase: Phase,
    /// When the next piece is due.
    next_at: Duration,
    /// When the first audio is due.
    audio_at: Duration,
    /// When the first audio was sent.
    began: Option<Duration>,
    samples_sent: u64,
}

#[derive(Debug)]
struct Sentence {
    text: String,
    /// `None`: not synthesised yet.
    pcm: Option<Vec<i16>>,
    task: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Plan,
    Begin,
    Audio { content_id: String, sent: usize },
    Sent { at: Duration },
}

/// What is sent next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Plan { text: String },
    Begin { content_id: String },
    Audio { content_id: String, pcm: Vec<i16> },
    End { content_id: String, is_last: bool },
}

impl Delivery {
    /// Sentences with the numbers of the tasks that synthesise them. Not empty.
    pub(crate) fn new(
        rate_hz: u32,
        now: Duration,
        audio_at: Duration,
        sentences: Vec<(String, u64)>,
    ) -> Self {
        let sentence = |(text, task)| Sentence { text, pcm: None, task };
        Self {
            rate_hz,
            sentences: sentences.into_iter().map(sentence).collect(),
            current: 0,
            phase: Phase::Plan,
            next_at: now,
            audio_at,
            began: None,
            samples_sent: 0,
        }
    }

    /// A sentence was synthesised; whether it is one of these.
    pub(crate) fn handle_spoken(&mut self, now: Duration, task: u64, mut pcm: Vec<i16>) -> bool {
        let Some(index) = self.sentences.iter().position(|sentence| sentence.task == task) else {
            return false;
        };
        if pcm.is_empty() {
            // There is always some audio.
            pcm.resize((self.rate_hz / 10) as usize, 0);
        }
        self.sentences[index].pcm = Some(pcm);
        if index == self.current && self.phase == Phase::Begin {
            self.next_at = self.next_at.max(now);
        }
        true
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        match self.phase {
            Phase::Sent { .. } => None,
            Phase::Begin if self.sentences[self.current].pcm.is_none() => None,
            _ => Some(self.next_at),
        }
    }

    /// The piece that is due at [`Delivery::poll_timeout`].
    pub(crate) fn step(&mut self, random: &mut Random) -> Option<Piece> {
        let at = self.poll_timeout()?;
        let sentence = &self.sentences[self.current];
        match &mut self.phase {
            Phase::Plan => {
                self.phase = Phase::Begin;
                self.next_at = at.max(self.audio_at);
                Some(Piece::Plan { text: sentence.text.clone() })
            }
            Phase::Begin => {
                let content_id = random.id();
                self.phase = Phase::Audio { content_id: content_id.clone(), sent: 0 };
                self.began.get_or_insert(at);
                Some(Piece::Begin { content_id })
            }
            Phase::Audio { content_id, sent } => {
                let pcm = sentence.pcm.as_deref().unwrap_or_default();
                let content_id = content_id.clone();
                if *sent == pcm.len() {
                    let is_last = self.current + 1 == self.sentences.len();
                    self.current += 1;
                    self.phase = if is_last { Phase::Sent { at } } else { Phase::Plan };
                    return Some(Piece::End { content_id, is_last });
                }
                let length_ms = PIECE_MS + random.below(PIECE_SPREAD_MS);
                let length = (length_ms * u64::from(self.rate_hz) / 1_000) as usize;
                let end = (*sent + length).min(pcm.len());
                let piece = pcm[*sent..end].to_vec();
                *sent = end;
                self.samples_sent += piece.len() as u64;
                self.next_at = at + self.length_of(piece.len() as u64) / PACE;
                if self.ahead_at(at) > GAP_MAX + GAP_MAX / 2 && random.once_in(PIECES_PER_GAP) {
                    self.next_at += GAP_MAX.mul_f64(random.below(100) as f64 / 100.0);
                }
                Some(Piece::Audio { content_id, pcm: piece })
            }
            Phase::Sent { .. } => None,
        }
    }

    /// The audio block that is open.
    pub(crate) fn open_block(&self) -> Option<&str> {
        match &self.phase {
            Phase::Audio { content_id, .. } => Some(content_id),
            _ => None,
        }
    }

    /// When the last piece was sent; `None` while pieces are left.
    pub(crate) fn sent_at(&self) -> Option<Duration> {
        match self.phase {
            Phase::Sent { at } => Some(at),
            _ => None,
        }
    }

    /// When a listener who plays it as it comes will have heard all of it; `None` while pieces are
    /// left.
    pub(crate) fn played_at(&self) -> Option<Duration> {
        self.sent_at()?;
        Some(self.began? + self.length_of(self.samples_sent))
    }

    /// Audio that was sent, in all.
    pub(crate) fn audio_sent(&self) -> Duration {
        self.length_of(self.samples_sent)
    }

    /// The sentences as far as a listener has heard them at `now`, the last one cut at a word.
    pub(crate) fn heard_at(&self, now: Duration) -> Vec<String> {
        let mut left = self.began.map_or(Duration::ZERO, |began| now.saturating_sub(began));
        left = left.min(self.audio_sent());
        let mut heard = Vec::new();
        for sentence in &self.sentences {
            let samples = sentence.pcm.as_ref().map_or(0, Vec::len) as u64;
            let length = self.length_of(samples);
            if length.is_zero() {
                break;
            }
            if left >= length {
                heard.push(sentence.text.clone());
                left -= length;
                continue;
            }
            let words: Vec<&str> = sentence.text.split_whitespace().collect();
            let share = left.as_secs_f64() / length.as_secs_f64();
            let count = (share * words.len() as f64) as usize;
            if count > 0 {
                heard.push(words[..count].join(" "));
            }
            break;
        }
        heard
    }

    fn ahead_at(&self, now: Duration) -> Duration {
        let playing = self.began.map_or(Duration::ZERO, |began| now.saturating_sub(began));
        self.audio_sent().saturating_sub(playing)
    }

    fn length_of(&self, samples: u64) -> Duration {
        Duration::from_micros(samples * 1_000_000 / u64::from(self.rate_hz))
    }
}
