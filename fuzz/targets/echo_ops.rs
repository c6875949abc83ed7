//! The echo canceller and its gate, given anything at any time.
#![no_main]

use std::time::Duration;

use antiphon::call::echo_gate::EchoGate;
use antiphon::call::event::{Canceller, EchoEvidence, FrameFeatures};
use antiphon::dsp::echo::{EchoCanceller, EchoMode, EchoState};
use antiphon::dsp::level;
use antiphon::limits::WIDEBAND_FRAME;
use antiphon::time::SessionTime;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    mode: u8,
    operations: Vec<Operation>,
}

#[derive(Arbitrary, Debug)]
enum Operation {
    /// So many frames both ways; the microphone has an echo so many samples late, and a sound of its own.
    Talk { frames: u8, delay: u16, seed: u16, echo: f32, own: f32 },
    /// One side alone.
    Sent { seed: u16, gain: f32 },
    Heard { seed: u16, gain: f32 },
    /// Time passes without frames, or the slots of the two sides shift.
    Skip { sent: u32, heard: u32 },
    /// Speech begins before the silent slot before it is over.
    ComeForward { samples: u16 },
    Expect { samples: u32 },
}

/// Frames in all, so that one input stays quick.
const FRAMES_MAX: usize = 300;

fuzz_target!(|input: Input| {
    let modes = [EchoMode::Auto, EchoMode::On, EchoMode::Off];
    let mut run = Run {
        canceller: EchoCanceller::new(modes[usize::from(input.mode) % modes.len()]),
        gate: EchoGate::default(),
        sent_at: 0,
        heard_at: 0,
        frames: 0,
    };
    for operation in input.operations {
        run.apply(&operation);
    }
});

struct Run {
    canceller: EchoCanceller,
    gate: EchoGate,
    sent_at: i64,
    heard_at: i64,
    frames: usize,
}

impl Run {
    fn apply(&mut self, operation: &Operation) {
        match *operation {
            Operation::Talk { frames, delay, seed, echo, own } => {
                for _ in 0..frames % 64 {
                    self.send(seed, 0.3);
                    self.hear(seed, echo, i64::from(delay), own);
                }
            }
            Operation::Sent { seed, gain } => self.send(seed, gain),
            Operation::Heard { seed, gain } => self.hear(seed, 0.0, 0, gain),
            Operation::Skip { sent, heard } => {
                self.sent_at += i64::from(sent);
                self.heard_at += i64::from(heard);
            }
            Operation::ComeForward { samples } => {
                let early = i64::from(samples) % WIDEBAND_FRAME as i64;
                self.sent_at = (self.sent_at - early).max(0);
            }
            Operation::Expect { samples } => self.canceller.expect_delay(samples),
        }
    }

    fn send(&mut self, seed: u16, gain: f32) {
        let at = self.sent_at;
        self.canceller.push_sent(at, &std::array::from_fn(|n| gain * sound(seed, at + n as i64)));
        self.sent_at += WIDEBAND_FRAME as i64;
    }

    fn hear(&mut self, seed: u16, echo: f32, delay: i64, own: f32) {
        if self.frames == FRAMES_MAX {
            return;
        }
        self.frames += 1;
        let at = self.heard_at;
        self.heard_at += WIDEBAND_FRAME as i64;
        let mut frame: [f32; WIDEBAND_FRAME] = std::array::from_fn(|n| {
            let at = at + n as i64;
            echo * sound(seed, at - delay) + own * sound(seed ^ 0x5555, at)
        });
        let found = self.canceller.step(at, &mut frame);
        if self.canceller.mode() != EchoMode::Off {
            assert!(frame.iter().all(|sample| sample.is_finite()), "what comes out is audio");
        }
        assert!((0.0..=1.0).contains(&found.likeness), "{found:?}");
        assert!(found.delay_samples.is_none_or(|samples| samples <= 16 * 1_040), "{found:?}");
        self.gate.step(&FrameFeatures {
            at: SessionTime::ZERO,
            voice: own,
            level_dbfs: level::rms_dbfs(&frame),
            pitch_hz: None,
            echo: EchoEvidence {
                reference_dbfs: found.reference_dbfs,
                captured_dbfs: found.captured_dbfs,
                likeness: found.likeness,
                delay: found.delay_samples.map(|n| Duration::from_micros(u64::from(n) * 62)),
                canceller: match found.state {
                    EchoState::Off => Canceller::Off,
                    EchoState::Searching => Canceller::Searching,
                    EchoState::Converged => Canceller::Converged,
                },
            },
            concealed: false,
        });
    }
}

/// Noise that is the same whenever it is asked for.
fn sound(seed: u16, at: i64) -> f32 {
    let mixed = (at as u64 ^ (u64::from(seed) << 40)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
}
