use super::*;
use crate::backend::tests::{context, ended, finished, read_until, shipped, within};

/// A folder of its own for one test, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("antiphon-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("the temporary folder is writable");
        Self(path)
    }

    fn script(&self, text: &str) -> Result<Scripted, BackendError> {
        let script = self.0.join("script.yaml");
        fs::write(&script, text).expect("the folder is writable");
        Scripted::new(&ScriptedSettings { script })
    }

    fn wav(&self, name: &str, sample_rate: u32, channels: u16, samples: &[i16]) {
        let (bits_per_sample, sample_format) = (16, hound::SampleFormat::Int);
        let spec = hound::WavSpec { channels, sample_rate, bits_per_sample, sample_format };
        let mut writer = hound::WavWriter::create(self.0.join(name), spec).expect("writable");
        samples.iter().for_each(|sample| writer.write_sample(*sample).expect("writable"));
        writer.finalize().expect("writable");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind in the temporary folder does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn recordings_are_played_sample_by_sample() {
    let folder = Folder::new("wav");
    let samples: Vec<i16> = (0..1_000).collect();
    folder.wav("a.wav", 16_000, 1, &samples);
    let text = "speed: max\nsample_rate_hz: 16000\nturns: [{reply: [{wav: a.wav}]}]";
    let mut session =
        folder.script(text).expect("it is right").open(context()).expect("there is room");
    session.input.send(ended(1)).await.expect("the session lives");
    let (audio, _) = read_until(&mut session, finished(1)).await;
    assert!(audio.iter().all(|block| block.sample_rate_hz == 16_000));
    let played: Vec<i16> = audio.into_iter().flat_map(|block| block.pcm).collect();
    assert_eq!(played, samples);
}

#[test]
fn what_is_wrong_is_named() {
    let folder = Folder::new("refused");
    folder.wav("stereo.wav", 44_100, 2, &[0, 0]);
    folder.wav("slow.wav", 8_000, 1, &[0]);
    folder.wav("wide.wav", 24_000, 2, &[0, 0]);
    fs::write(folder.0.join("text.wav"), "RIFF no").expect("the folder is writable");
    let refusal = |text: &str| folder.script(text).expect_err("it is wrong").to_string();
    let with_wav = |name: &str| refusal(&format!("turns:\n- reply: [{{wav: {name}}}]"));
    let rows = [
        (with_wav("none.wav"), "none.wav: No such file or directory"),
        (with_wav("text.wav"), "text.wav"),
        (with_wav("stereo.wav"), "received 16 bit, 2 channels, 44100 Hz"),
        (with_wav("slow.wav"), "received 16 bit, 1 channels, 8000 Hz"),
        (with_wav("wide.wav"), "received 16 bit, 2 channels, 24000 Hz"),
        (with_wav("stereo.wav"), "(named in line 2 of the script)"),
        (refusal("turns: []"), "script.yaml:\n  line 1"),
        (refusal(&"#".repeat(YAML_BYTES_MAX + 1)), "at most"),
    ];
    for (refusal, expected) in rows {
        assert!(refusal.contains(expected), "{refusal:?} should contain {expected:?}");
    }
    let missing = ScriptedSettings { script: folder.0.join("none.yaml") };
    assert!(matches!(Scripted::new(&missing), Err(BackendError::Unreadable { .. })));
}

#[tokio::test]
async fn a_dropped_connection_closes_both_channels() {
    let folder = Folder::new("drop");
    let scripted = folder.script("turns: [{reply: [{drop: true}]}]").expect("it is right");
    let mut session = scripted.open(context()).expect("there is room");
    session.input.send(ended(1)).await.expect("the session lives");
    within(async { while session.output.recv().await.is_some() {} }).await;
    assert!(session.input.is_closed());
}

#[test]
fn every_shipped_script_loads() {
    for name in ["tone", "slow", "fast", "tools", "faults", "conversation"] {
        let loaded = Scripted::new(&shipped(&format!("{name}.yaml")));
        assert!(loaded.is_ok(), "{name}: {}", loaded.expect_err("it is not ok"));
    }
}
