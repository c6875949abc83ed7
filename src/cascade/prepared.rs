//! Audio synthesised ahead: greetings, fillers and whatever else is said again and again.
//!
//! Kept by voice and text, as much as fits into a number of bytes; what was not used for the longest time
//! makes way. A changed voice is another key, so that nothing is played in a voice that is not set any more.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::limits::PREPARED_BYTES_MAX;

/// Bytes that one entry takes beside its text and samples, roughly: so that many tiny ones are bounded too.
const ENTRY_BYTES: usize = 256;

/// All that decides how a text sounds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VoiceKey {
    /// The provider, as the configuration names it.
    pub provider: String,
    /// Its model and voice, and what else it is told of them.
    pub voice: String,
    /// The pace in percent of the voice's own.
    pub pace_percent: u16,
    /// The rate of the samples, in Hz.
    pub rate_hz: u32,
}

/// A text in a voice. White space at the ends does not count, and within the text it is one blank, however
/// much of it there is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PreparedKey {
    voice: VoiceKey,
    text: String,
}

/// What the store counted since it was made, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PreparedStats {
    /// Questions answered with audio.
    pub hits: u64,
    /// Questions answered with nothing.
    pub misses: u64,
    /// Entries that made way for others.
    pub evicted: u64,
    /// Entries not taken because they alone are larger than the store.
    pub refused: u64,
    /// Entries held.
    pub entries: usize,
    /// Bytes held.
    pub bytes: usize,
}

/// The store. Its debug output holds no text.
pub struct Prepared {
    bytes_max: usize,
    entries: BTreeMap<Arc<PreparedKey>, Entry>,
    /// The keys by when they were used last, oldest first.
    by_use: BTreeMap<u64, Arc<PreparedKey>>,
    /// Uses so far: a clock that only orders.
    uses: u64,
    stats: PreparedStats,
}

#[derive(Debug)]
struct Entry {
    audio: Arc<[i16]>,
    used: u64,
}

impl PreparedKey {
    /// The key of `text` in `voice`.
    pub fn new(voice: VoiceKey, text: &str) -> Self {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { voice, text }
    }

    /// The voice.
    pub const fn voice(&self) -> &VoiceKey {
        &self.voice
    }

    /// The text, its white space made even.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Prepared {
    /// An empty store of at most `bytes_max` bytes, and of no more than [`PREPARED_BYTES_MAX`].
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max: bytes_max.min(PREPARED_BYTES_MAX),
            entries: BTreeMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
            stats: PreparedStats::default(),
        }
    }

    /// The audio of `key`, mono at the rate of its voice, if it is there. It is then the newest.
    pub fn get(&mut self, key: &PreparedKey) -> Option<Arc<[i16]>> {
        let Some((key, _)) = self.entries.get_key_value(key) else {
            self.stats.misses += 1;
            return None;
        };
        let key = Arc::clone(key);
        self.stats.hits += 1;
        self.uses += 1;
        let entry = self.entries.get_mut(&key)?;
        self.by_use.remove(&std::mem::replace(&mut entry.used, self.uses));
        let audio = Arc::clone(&entry.audio);
        self.by_use.insert(self.uses, key);
        Some(audio)
    }

    /// Whether the audio of `key` is there. Not a use, and not counted: for what prepares ahead.
    pub fn contains(&self, key: &PreparedKey) -> bool {
        self.entries.contains_key(key)
    }

    /// Keeps `audio`, in place of an older one of the same key. Others make way, the longest unused first.
    /// Says whether it was kept: audio that is larger than the whole store is not.
    pub fn insert(&mut self, key: PreparedKey, audio: Arc<[i16]>) -> bool {
        let bytes = bytes_of(&key, &audio);
        if bytes > self.bytes_max {
            self.stats.refused += 1;
            return false;
        }
        self.remove(&key);
        while self.stats.bytes + bytes > self.bytes_max {
            let Some((_, oldest)) = self.by_use.first_key_value() else { break };
            let oldest = Arc::clone(oldest);
            self.remove(&oldest);
            self.stats.evicted += 1;
        }
        self.uses += 1;
        let key = Arc::new(key);
        self.by_use.insert(self.uses, Arc::clone(&key));
        self.entries.insert(key, Entry { audio, used: self.uses });
        self.stats.bytes += bytes;
        self.stats.entries = self.entries.len();
        true
    }

    /// The counters.
    pub const fn stats(&self) -> PreparedStats {
        self.stats
    }

    fn remove(&mut self, key: &PreparedKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.by_use.remove(&entry.used);
            self.stats.bytes -= bytes_of(key, &entry.audio);
            self.stats.entries = self.entries.len();
        }
    }
}

fn bytes_of(key: &PreparedKey, audio: &[i16]) -> usize {
    let VoiceKey { provider, voice, .. } = &key.voice;
    ENTRY_BYTES + provider.len() + voice.len() + key.text.len() + size_of_val(audio)
}

impl Default for Prepared {
    /// One of [`PREPARED_BYTES_MAX`] bytes.
    fn default() -> Self {
        Self::new(PREPARED_BYTES_MAX)
    }
}

impl fmt::Debug for PreparedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = formatter.debug_struct("PreparedKey");
        key.field("voice", &self.voice).field("text_bytes", &self.text.len()).finish()
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut store = formatter.debug_struct("Prepared");
        store.field("bytes_max", &self.bytes_max).field("stats", &self.stats).finish()
    }
}

#[cfg(test)]
mod tests;
