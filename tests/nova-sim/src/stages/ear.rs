//! How Transcribe hears: by energy, words from a script.

use serde_json::{Value, json};

const RATE_HZ: usize = 16_000;
/// Samples that are judged at once: 20 ms.
const WINDOW: usize = 320;
/// Peak from which a window is voice.
const VOICE_PEAK: u16 = 500;
/// Windows of silence that end an utterance: 600 ms.
const PAUSE: usize = 30;
/// Windows of voice for one more word: 200 ms.
const WORD: usize = 10;

/// What one stream hears.
#[derive(Debug)]
pub struct StageEar {
    transcripts: Vec<String>,
    /// Samples that are less than a window.
    rest: Vec<i16>,
    /// Windows so far.
    windows: usize,
    utterances: usize,
    utterance: Option<Utterance>,
}

#[derive(Debug)]
struct Utterance {
    start: usize,
    last_voice: usize,
    voiced: usize,
    words_told: usize,
}

impl StageEar {
    /// Hears these, one after the other.
    pub fn new(transcripts: &[String]) -> Self {
        let transcripts = transcripts.to_vec();
        Self { transcripts, rest: Vec::new(), windows: 0, utterances: 0, utterance: None }
    }

    /// Some audio; the events that it leads to.
    pub fn push(&mut self, pcm: &[i16]) -> Vec<Value> {
        self.rest.extend_from_slice(pcm);
        let rest = std::mem::take(&mut self.rest);
        let mut windows = rest.chunks_exact(WINDOW);
        let events = windows.by_ref().filter_map(|window| self.step(window)).collect();
        self.rest = windows.remainder().to_vec();
        events
    }

    /// No more comes.
    pub fn finish(&mut self) -> Option<Value> {
        let utterance = self.utterance.take()?;
        Some(self.close(&utterance))
    }

    fn step(&mut self, window: &[i16]) -> Option<Value> {
        let at = self.windows;
        self.windows += 1;
        let is_voice = window.iter().any(|sample| sample.unsigned_abs() >= VOICE_PEAK);
        if !is_voice {
            let utterance = self.utterance.take_if(|open| at - open.last_voice >= PAUSE)?;
            return Some(self.close(&utterance));
        }
        let begun = Utterance { start: at, last_voice: at, voiced: 0, words_told: 0 };
        let utterance = self.utterance.get_or_insert(begun);
        utterance.last_voice = at;
        utterance.voiced += 1;
        let words = utterance.voiced / WORD;
        if words == utterance.words_told {
            return None;
        }
        utterance.words_told = words;
        let (start, text) = (utterance.start, self.transcript());
        let text: Vec<&str> = text.split_whitespace().take(words).collect();
        Some(self.event(start, at + 1, &text.join(" ").to_lowercase(), true))
    }

    fn close(&mut self, utterance: &Utterance) -> Value {
        let text = self.transcript().to_owned();
        let event = self.event(utterance.start, utterance.last_voice + 1, &text, false);
        self.utterances += 1;
        event
    }

    fn transcript(&self) -> &str {
        let count = self.transcripts.len().max(1);
        self.transcripts.get(self.utterances % count).map_or("", String::as_str)
    }

    fn event(&self, start: usize, end: usize, text: &str, is_partial: bool) -> Value {
        let seconds = |window: usize| (window * WINDOW) as f64 / RATE_HZ as f64;
        json!({ "Transcript": { "Results": [{
            "ResultId": format!("result-{}", self.utterances),
            "StartTime": seconds(start),
            "EndTime": seconds(end),
            "IsPartial": is_partial,
            "Alternatives": [{ "Transcript": text, "Items": [] }],
        }] } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(events: &[Value]) -> Vec<(String, bool)> {
        let result = |event: &Value| {
            let result = &event["Transcript"]["Results"][0];
            let text = result["Alternatives"][0]["Transcript"].as_str().expect("a text");
            (text.to_owned(), result["IsPartial"] == true)
        };
        events.iter().map(result).collect()
    }

    #[test]
    fn words_come_with_the_voice_and_the_end_with_a_pause() {
        let mut ear = StageEar::new(&["One two.".to_owned(), "Three.".to_owned()]);
        assert_eq!(ear.push(&[0; 1_000]), Vec::<Value>::new());
        let told = ear.push(&[900; 2 * WORD * WINDOW]);
        assert_eq!(results(&told), [("one".to_owned(), true), ("one two.".to_owned(), true)]);
        let told = ear.push(&[0; (PAUSE + 5) * WINDOW]);
        assert_eq!(results(&told), [("One two.".to_owned(), false)]);
        ear.push(&[900; WORD * WINDOW]);
        let told: Vec<Value> = ear.finish().into_iter().collect();
        assert_eq!(results(&told), [("Three.".to_owned(), false)]);
        assert_eq!(ear.finish(), None);
    }
}
