use std::path::PathBuf;

use super::*;

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn load(model: &str) -> Result<SmartTurn, ModelError> {
    SmartTurn::load(&file(".runtime/libonnxruntime.so"), &file(model))
}

/// So many samples of a loud tone.
fn tone(samples: usize) -> Vec<i16> {
    (0..samples).map(|n| ((n as f32 * 0.3).sin() * 8_000.0) as i16).collect()
}

#[test]
fn the_end_of_the_sound_is_the_end_of_what_the_model_hears() {
    let mut model = load("tests/golden/smart_turn/tiny.onnx").expect("it has the signature");
    let mut judge = |pcm: &[i16]| model.judge(pcm).expect("a probability");
    let mut noise = 1_u32;
    let mut hiss = |amplitude: i32| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((noise >> 16) as i32 % amplitude) as i16
    };
    let loud_end: Vec<i16> = (0..16_000).map(|_| hiss(8_000)).collect();
    let quiet_end: Vec<i16> = loud_end.iter().copied().chain([0; 8_000]).collect();
    let (loud, quiet) = (judge(&loud_end), judge(&quiet_end));
    assert!(loud > quiet + 0.3, "{loud} {quiet}");
    let long: Vec<i16> = tone(200_000).into_iter().chain(quiet_end.iter().copied()).collect();
    assert!(judge(&long) < 0.5, "only the last 8 s count");
    assert_eq!(judge(&loud_end), loud, "it remembers nothing");
}

#[test]
fn files_that_are_not_what_they_claim_are_refused_with_what_was_found_and_expected() {
    let rows: [(&str, &[&str]); 5] = [
        ("tests/golden/smart_turn/no-such-file.onnx", &["turn model", "missing", "no-such-file"]),
        ("tests/golden/smart_turn/README.md", &["README.md is not a usable turn model"]),
        (
            "tests/golden/smart_turn/wrong_shape.onnx",
            &["is not Smart Turn v3", "should have an input `input_features` [1, 80, 800]", "400"],
        ),
        ("tests/golden/smart_turn/no_probability.onnx", &["not a usable", "no probability"]),
        (".runtime/silero_vad.onnx", &["is not Smart Turn v3", "one input", "`state`"]),
    ];
    for (model, parts) in rows {
        let message = load(model).expect_err(model).to_string();
        for part in parts.iter().chain(&["pipecat-ai/smart-turn-v3"]) {
            assert!(message.contains(part), "{model}: {message}");
        }
    }
}
