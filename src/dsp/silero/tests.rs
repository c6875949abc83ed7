use std::path::PathBuf;

use super::*;
use crate::dsp::g711::{f32_from_i16, ulaw_decode};
use crate::dsp::vad::VoiceDetector;

const SPEECH: &[u8] = include_bytes!("../../../tests/golden/silero/speech.ulaw");
const PROBABILITIES: &str = include_str!("../../../tests/golden/silero/speech.txt");

fn runtime_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".runtime").join(name)
}

fn library() -> PathBuf {
    runtime_file("libonnxruntime.so")
}

fn model() -> SileroModel {
    SileroModel::load(&library(), &runtime_file("silero_vad.onnx"))
        .unwrap_or_else(|error| panic!("this test needs the voice model: {error}"))
}

fn speech() -> Vec<f32> {
    SPEECH.iter().map(|code| f32_from_i16(ulaw_decode(*code))).collect()
}

fn probabilities(stream: Silero, pcm: &[f32]) -> Vec<f32> {
    let mut detector = VoiceDetector::new(stream);
    let windows = pcm.chunks_exact(WINDOW_SAMPLES);
    let probabilities = windows
        .map(|window| {
            assert_eq!(detector.step(window), 1);
            detector.probability()
        })
        .collect();
    assert_eq!(detector.model().failures(), 0);
    probabilities
}

#[test]
fn speech_is_judged_as_the_python_package_judges_it() {
    let expected: Vec<f32> = PROBABILITIES
        .lines()
        .map(|line| line.parse().expect("the golden file is numbers"))
        .collect();
    let found = probabilities(model().stream(), &speech());
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        // The same library on another processor adds up in another order; through the recurrence
        // that is under 1e-4. A wrong context, state or rate is off by more than 0.1.
        assert!((found - expected).abs() < 1e-3, "window {index}: {found}, not {expected}");
    }
}

#[test]
fn streams_that_share_sessions_do_not_hear_each_other() {
    let model = SileroModel::load_sessions(&library(), &runtime_file("silero_vad.onnx"), 2)
        .unwrap_or_else(|error| panic!("this test needs the voice model: {error}"));
    let speech = speech();
    let alone = probabilities(model.stream(), &speech);
    std::thread::scope(|scope| {
        let streams: Vec<_> =
            (0..4).map(|_| scope.spawn(|| probabilities(model.stream(), &speech))).collect();
        for stream in streams {
            assert_eq!(stream.join().expect("no stream panics"), alone);
        }
    });
}

#[test]
fn a_reset_stream_is_a_new_one() {
    let mut stream = model().stream();
    let speech = speech();
    let window = |index: usize| {
        let samples = &speech[index * WINDOW_SAMPLES..][..WINDOW_SAMPLES];
        <&[f32; WINDOW_SAMPLES]>::try_from(samples).expect("a window's worth")
    };
    let fresh = stream.step(window(14));
    assert_ne!(stream.step(window(14)), fresh, "it remembers");
    stream.reset();
    assert_eq!(stream.step(window(14)), fresh);
}

#[test]
fn not_a_number_is_silence_and_is_forgotten() {
    let mut stream = model().stream();
    let fresh = stream.step(&[0.0; WINDOW_SAMPLES]);
    assert_eq!(stream.step(&[f32::NAN; WINDOW_SAMPLES]), 0.0);
    assert_eq!(stream.failures(), 1);
    assert_eq!(stream.step(&[0.0; WINDOW_SAMPLES]), fresh);
}

#[test]
fn a_missing_file_is_named_with_the_way_to_get_it() {
    let (library, present) = (library(), runtime_file("silero_vad.onnx"));
    let missing = runtime_file("no-such-file");
    for (library, model, what) in
        [(&library, &missing, "voice model"), (&missing, &present, "ONNX Runtime library")]
    {
        let message = SileroModel::load(library, model).expect_err("it is not there").to_string();
        for part in [what, "no-such-file", "`./run --setup`"] {
            assert!(message.contains(part), "{message}");
        }
    }
}

#[test]
fn a_file_that_is_no_model_is_refused() {
    let error = SileroModel::load(&library(), &library()).expect_err("a library is no model");
    assert!(matches!(error, ModelError::Model { .. }), "{error:?}");
    assert!(error.to_string().contains("`./run --setup`"));
}
