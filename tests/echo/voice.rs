//! With the real voice model and the real codec in both directions.

use std::path::Path;

use antiphon::call::event::EchoVerdict;
use antiphon::dsp::echo::EchoState;
use antiphon::dsp::resample::Resampler;
use antiphon::dsp::silero::{Silero, SileroModel};
use antiphon::dsp::vad::VoiceDetector;
use antiphon::limits::{ENCODED_FRAME_BYTES_MAX, FULLBAND_HZ, WIDEBAND_FRAME, WIDEBAND_HZ};
use antiphon::media::codec::Codec;
use antiphon::media::opus::OpusCodec;

use crate::room::{golden, speech, to_level};
use crate::scene::{Outcome, Scene};

/// The voice model, or the reason why there is none.
fn model() -> SileroModel {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".runtime");
    SileroModel::load(&folder.join("libonnxruntime.so"), &folder.join("silero_vad.onnx"))
        .unwrap_or_else(|error| panic!("this test needs the voice model: {error}"))
}

/// What comes out of Opus; later by its own delay, which only adds to that of the path.
fn through_opus(pcm: &[f32]) -> Vec<f32> {
    let mut codec = OpusCodec::new(WIDEBAND_HZ).expect("Opus");
    let mut up = Resampler::new(WIDEBAND_HZ, FULLBAND_HZ).expect("a supported pair");
    let (mut payload, mut frame) = ([0; ENCODED_FRAME_BYTES_MAX], [0.0; WIDEBAND_FRAME]);
    let mut output = Vec::with_capacity(pcm.len());
    for block in pcm.chunks_exact(WIDEBAND_FRAME) {
        let mut fullband = Vec::new();
        up.step(block, &mut fullband);
        let length = codec.encode(&fullband, &mut payload).expect("a frame");
        codec.decode(&payload[..length], &mut frame).expect("a packet");
        output.extend_from_slice(&frame);
    }
    output
}

/// The scene with Opus both ways, and the voice probability of each frame of what is left.
fn play(mut scene: Scene, voice: Silero) -> Vec<(Outcome, f32)> {
    scene.played = Some(through_opus(&scene.sent));
    let (mic, levels) = scene.microphone();
    let outcomes = scene.judge(&through_opus(&mic), &levels);
    let mut detector = VoiceDetector::new(voice);
    let probability = |outcome: Outcome| {
        detector.step(&outcome.cancelled);
        let probability = detector.probability();
        (outcome, probability)
    };
    outcomes.into_iter().map(probability).collect()
}

/// Runs of at least `length` frames for which `holds`.
fn runs(
    frames: &[(Outcome, f32)],
    length: usize,
    holds: impl Fn(&(Outcome, f32)) -> bool,
) -> usize {
    let (mut run, mut runs) = (0, 0);
    for frame in frames {
        run = if holds(frame) { run + 1 } else { 0 };
        runs += usize::from(run == length);
    }
    runs
}

/// Runs of three frames that may be taken for a user, in all 36 scenes of 10 s. The goal is none; what
/// there is comes of hisses, of which Opus keeps the loudness and not the shape.
const RUNS_MAX: usize = 2;
/// Frames of near speech that may be taken for echo.
const CERTAIN_SHARE_MAX: f32 = 0.15;

#[test]
fn echo_alone_is_not_taken_for_a_user() {
    let model = model();
    println!("echo alone, Opus both ways: frames with voice >= 0.5, of those Clear and Likely,");
    println!("and runs of three frames with voice that are not Certain");
    let head = ["far", "ms", "dB", "voice", "clear", "likely", "runs"];
    println!("{}", head.map(|title| format!("{title:>8}")).concat());
    let mut total = 0;
    for (name, far) in [("golden", golden(10.0)), ("pulses", speech(1, 110.0, 10.0))] {
        for echo_db in [-6.0, -12.0, -20.0] {
            for delay_ms in [40.0, 100.0, 200.0, 400.0, 550.0, 700.0] {
                let frames = play(Scene::new(far.clone(), echo_db, delay_ms), model.stream());
                let voiced = || frames.iter().filter(|(_, voice)| *voice >= 0.5);
                let count = |verdict| voiced().filter(|(o, _)| o.verdict == verdict).count();
                let (clear, likely) = (count(EchoVerdict::Clear), count(EchoVerdict::Likely));
                let voiced = voiced().count();
                let runs = runs(&frames, 3, is_believed);
                total += runs;
                println!(
                    "{name:>8}{delay_ms:>8}{echo_db:>8}{voiced:>8}{clear:>8}{likely:>8}{runs:>8}"
                );
            }
        }
    }
    assert!(total <= RUNS_MAX, "{total} runs");
}

#[test]
fn somebody_who_speaks_over_an_echo_is_heard() {
    let model = model();
    println!(
        "double talk, Opus both ways: of the frames with near speech, those with voice >= 0.5; of"
    );
    println!(
        "those the shares by verdict; utterances of a second of which three frames in a row count"
    );
    let head = ["near dB", "echo dB", "ms", "voice", "clear", "likely", "certain", "heard"];
    println!("{}", head.map(|title| format!("{title:>9}")).concat());
    for near_db in [6.0, 0.0, -6.0] {
        for echo_db in [-6.0, -12.0] {
            for delay_ms in [100.0, 400.0] {
                let mut scene = Scene::new(golden(20.0), echo_db, delay_ms);
                scene.near = utterances(-20.0 + echo_db + near_db);
                let frames = play(scene, model.stream());
                let near = || frames.iter().filter(|(o, _)| o.near_dbfs > -45.0);
                let voiced = || near().filter(|(_, voice)| *voice >= 0.5);
                let count = |verdict| voiced().filter(|(o, _)| o.verdict == verdict).count() as f32;
                let share = |verdict| count(verdict) / voiced().count() as f32;
                let (clear, likely) = (share(EchoVerdict::Clear), share(EchoVerdict::Likely));
                let certain = share(EchoVerdict::Certain);
                let voice = voiced().count() as f32 / near().count() as f32;
                let (heard, all) = heard(&frames);
                println!(
                    "{near_db:>9}{echo_db:>9}{delay_ms:>9}{voice:>9.2}{clear:>9.3}{likely:>9.3}{certain:>9.3}{:>9}",
                    format!("{heard}/{all}")
                );
                assert!(certain < CERTAIN_SHARE_MAX, "{certain} of near speech taken for echo");
            }
        }
    }
}

/// A frame that counts as the user's voice.
fn is_believed((outcome, voice): &(Outcome, f32)) -> bool {
    let is_possible = match outcome.verdict {
        EchoVerdict::Clear => true,
        EchoVerdict::Likely => outcome.echo.state != EchoState::Searching,
        EchoVerdict::Certain => false,
    };
    *voice >= 0.5 && is_possible
}

/// Utterances in which the user is believed for three frames in a row, and how many there are.
fn heard(frames: &[(Outcome, f32)]) -> (usize, usize) {
    let (from, length, period) =
        (UTTERANCES_FROM / WIDEBAND_FRAME, 50, UTTERANCE_PERIOD / WIDEBAND_FRAME);
    let utterances = (from..frames.len().saturating_sub(length)).step_by(period);
    let is_heard = |start: &usize| runs(&frames[*start..*start + length], 3, is_believed) > 0;
    (utterances.clone().filter(is_heard).count(), utterances.count())
}

/// When the first one begins, and from one to the next, in samples.
const UTTERANCES_FROM: usize = 40_000;
const UTTERANCE_PERIOD: usize = 28_800;

/// Utterances of a second, every 1.8 s.
fn utterances(level_dbfs: f32) -> Vec<f32> {
    let mut pcm = speech(5, 150.0, 12.0);
    to_level(&mut pcm, level_dbfs);
    let mut near = vec![0.0; UTTERANCES_FROM];
    for utterance in pcm.chunks(WIDEBAND_HZ as usize) {
        near.extend_from_slice(utterance);
        near.resize(near.len() + UTTERANCE_PERIOD - utterance.len(), 0.0);
    }
    near
}
