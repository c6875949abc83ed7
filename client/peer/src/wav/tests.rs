use super::*;
use crate::level::{SOUND_DBFS_DEFAULT, level_dbfs};

/// A folder of this test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("antiphon-peer-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn read(path: &Path) -> Result<Clip, WavError> {
    Clip::read(path, 48_000, 960, SOUND_DBFS_DEFAULT)
}

/// Half a second of silence, half a second of a tone at half of full scale, half a second of
/// silence.
fn write(path: &Path, spec: WavSpec) {
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    let rate_hz = f64::from(spec.sample_rate);
    for index in 0..spec.sample_rate * 3 / 2 {
        let seconds = f64::from(index) / rate_hz;
        let tone = if (0.5..1.0).contains(&seconds) {
            0.5 * (seconds * 440.0 * std::f64::consts::TAU).sin()
        } else {
            0.0
        };
        for _ in 0..spec.channels {
            match spec.sample_format {
                SampleFormat::Float => writer.write_sample(tone as f32).unwrap(),
                SampleFormat::Int => {
                    let full_scale = 2.0_f64.powi(i32::from(spec.bits_per_sample) - 1) - 1.0;
                    writer.write_sample((tone * full_scale) as i32).unwrap();
                }
            }
        }
    }
    writer.finalize().unwrap();
}

#[test]
fn every_usual_format_is_the_same_clip() {
    let folder = Folder::new("formats");
    let path = folder.0.join("clip.wav");
    for sample_rate in [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000] {
        for (sample_format, bits_per_sample) in [
            (SampleFormat::Int, 8),
            (SampleFormat::Int, 16),
            (SampleFormat::Int, 24),
            (SampleFormat::Int, 32),
            (SampleFormat::Float, 32),
        ] {
            for channels in [1, 2] {
                let spec = WavSpec { channels, sample_rate, bits_per_sample, sample_format };
                write(&path, spec);
                let clip = read(&path).unwrap();
                assert!(clip.samples.len().abs_diff(72_000) <= 6, "{spec:?}");
                assert_eq!(clip.speech, Some(25..50), "{spec:?}");
                let level = level_dbfs(&clip.samples[26_000..46_000]);
                assert!((level + 9.03).abs() < 0.3, "{spec:?}: {level}");
            }
        }
    }
}

#[test]
fn a_bad_file_is_refused_by_name_and_reason() {
    let folder = Folder::new("bad");
    let spec = WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let whole = folder.0.join("whole.wav");
    write(&whole, spec);
    let bytes = fs::read(&whole).unwrap();
    let patched = |offset: usize, value: [u8; 4]| {
        let mut bytes = bytes.clone();
        bytes[offset..offset + 4].copy_from_slice(&value);
        bytes
    };
    let with = |spec| {
        let path = folder.0.join("other.wav");
        write(&path, spec);
        fs::read(path).unwrap()
    };
    let empty = {
        let path = folder.0.join("silent.wav");
        hound::WavWriter::create(&path, spec).unwrap().finalize().unwrap();
        fs::read(path).unwrap()
    };
    for (name, bytes, reason) in [
        ("nothing.wav", vec![], "not a readable wav"),
        ("text.wav", b"this is no wav file at all".to_vec(), "not a readable wav"),
        ("cut.wav", bytes[..bytes.len() / 2].to_vec(), "not a readable wav"),
        ("header.wav", bytes[..30].to_vec(), "not a readable wav"),
        ("rate.wav", with(WavSpec { sample_rate: 4_000, ..spec }), "sample rate of 4000 Hz"),
        ("fast.wav", with(WavSpec { sample_rate: 192_000, ..spec }), "sample rate of 192000 Hz"),
        ("wide.wav", with(WavSpec { channels: 9, ..spec }), "has 9 channels"),
        ("long.wav", patched(40, (u32::MAX - 1).to_le_bytes()), "longer than the 600 s"),
        ("empty.wav", empty, "holds no audio"),
    ] {
        let path = folder.file(name, &bytes);
        let message = read(&path).unwrap_err().to_string();
        assert!(message.contains(name) && message.contains(reason), "{name}: {message}");
    }
    let missing = read(&folder.0.join("missing.wav")).unwrap_err().to_string();
    assert!(missing.contains("missing.wav") && missing.contains("cannot be opened"), "{missing}");
}

#[test]
fn no_damage_to_a_header_is_worse_than_an_error() {
    let folder = Folder::new("damage");
    let spec = WavSpec {
        channels: 2,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let whole = folder.0.join("whole.wav");
    write(&whole, spec);
    let bytes = fs::read(&whole).unwrap()[..2_044].to_vec();
    for offset in 0..44 {
        for value in [0x00, 0x01, 0x7F, 0xFF] {
            let mut damaged = bytes.clone();
            damaged[offset] = value;
            drop(read(&folder.file("damaged.wav", &damaged)));
        }
    }
}
