use std::path::PathBuf;

use super::*;
use crate::backend::{Abilities, BackendSession, Busy, CallContext};
use crate::config::{Config, Environment};

fn profile(agent: &str, folder: Option<&std::path::Path>) -> AgentProfile {
    let text = format!("agents: {{a: {agent}}}");
    let config = Config::parse(&text, folder, &Environment::of(&[])).expect("it is right");
    config.agents["a"].clone()
}

/// A folder of its own for one test, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("antiphon-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the temporary folder is writable");
        Self(path)
    }

    fn wav(&self, name: &str, sample_rate: u32, samples: usize) {
        let (bits_per_sample, sample_format) = (16, hound::SampleFormat::Int);
        let spec = hound::WavSpec { channels: 1, sample_rate, bits_per_sample, sample_format };
        let mut writer = hound::WavWriter::create(self.0.join(name), spec).expect("writable");
        (0..samples).for_each(|_| writer.write_sample(1_000_i16).expect("writable"));
        writer.finalize().expect("writable");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind in the temporary folder does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn recordings_lie_beside_the_configuration_and_are_checked_at_start() {
    let folder = Folder::new("clips");
    folder.wav("good.wav", 24_000, 12_000);
    folder.wav("odd.wav", 44_100, 100);
    folder.wav("long.wav", 8_000, 80_080);
    let agent = |file: &str| {
        let wait = format!("{{filler_after_ms: 900, filler: {{wav: {file}}}}}");
        profile(&format!("{{backend: echo, wait: {wait}}}"), Some(&folder.0))
    };
    let clips = load(&agent("good.wav")).expect("it is right");
    assert_eq!(clips.filler, ClipAudio::new(24_000, &[1_000; 12_000]).ok());
    assert_eq!(clips.apology, None, "an echo has nothing to apologise with");
    let rows = [
        ("none.wav", "none.wav: No such file or directory"),
        ("odd.wav", "expected 16 bit, 1 channel, 8000 or 16000 or 24000 or 48000 Hz, received"),
        ("long.wav", "expected at most 10000 ms, received 10010 ms (wait.filler.wav)"),
    ];
    for (file, expected) in rows {
        let refusal = load(&agent(file)).expect_err("it is wrong").to_string();
        assert!(refusal.contains(expected), "{refusal:?} should contain {expected:?}");
    }
}

#[test]
fn texts_are_spoken_once_and_the_local_backend_apologises_by_itself() {
    let clips = load(&profile("{backend: local}", None)).expect("flite is installed");
    assert!(clips.apology.is_some() && clips.filler.is_none());
    let silent = load(&profile("{backend: local, wait: {apologise: false}}", None));
    assert_eq!(silent.expect("nothing is asked for"), Clips::default());
    let spoken = "{backend: echo, wait: {apology: {text: Sorry.}}}";
    let clips = load(&profile(spoken, None)).expect("flite is installed");
    assert!(clips.apology.is_some());
    let long = format!("{{backend: echo, wait: {{apology: {{text: {}}}}}}}", "one two ".repeat(45));
    let refusal = load(&profile(&long, None)).expect_err("it is too long").to_string();
    assert!(refusal.contains("wait.apology.text: expected a text that takes"), "{refusal}");
}

/// A cascade, as far as clips go.
struct Speaks(Option<Spoken>);

impl Backend for Speaks {
    fn name(&self) -> &'static str {
        "speaks"
    }

    fn abilities(&self) -> Abilities {
        Abilities { says: true, greets: true, ..Abilities::default() }
    }

    fn open(&self, _call: CallContext) -> Result<BackendSession, Busy> {
        Err(Busy("it only speaks".to_owned()))
    }

    fn spoken(&self, text: &str) -> Option<Spoken> {
        assert_eq!(text, "One moment.");
        self.0.clone()
    }
}

#[test]
fn a_cascade_speaks_the_texts_itself_and_flite_only_until_it_has() {
    let wait = "{filler_after_ms: 900, filler: {text: One moment.}}";
    let stages = "cascade: {tts: {kind: speech, url: http://127.0.0.1:1/v1}}";
    let mut profile = profile(&format!("{{backend: cascade, {stages}, wait: {wait}}}"), None);
    profile.settings.clips = load(&profile).expect("flite is installed");
    let by_flite = profile.settings.clips.clone();
    let of = |spoken| of_call("a", &profile, &Speaks(spoken));
    assert!(by_flite.filler.is_some());
    assert_eq!(of(None), by_flite);
    let spoken = |count| Some(Spoken { sample_rate_hz: 24_000, pcm: vec![700; count] });
    assert_eq!(of(spoken(24_000)).filler, ClipAudio::new(24_000, &[700; 24_000]).ok());
    assert_eq!(of(spoken(24_000 * 11)), by_flite, "a clip takes 10 s at most");
}
