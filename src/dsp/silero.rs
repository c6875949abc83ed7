//! Silero VAD v6 (MIT), run by ONNX Runtime: the voice model of real calls.
//!
//! Each step feeds the network the last 64 samples of the window before and the 512 of this one:
//!
//! ```text
//! input [1, 576] f32 ----+                +-- output [1, 1] f32: probability of speech
//! state [2, 1, 128] f32 -+-- 16 kHz model +
//! sr    [] i64 ----------+                +-- stateN [2, 1, 128] f32: `state` of the next window
//! ```
//!
//! The runtime is a shared library that is loaded, and the model a file, both put in place by
//! `./run --setup`. A full-precision model is required: the half-precision file in the same package
//! is wrong by up to 0.92.
//!
//! # Why there are locks here
//!
//! Running a session takes `&mut`, since some of the runtime's allocators are not thread safe, and a
//! session costs 3.7 MB, so calls share sessions. There is one per processor core, behind one lock
//! each, and a stream takes whichever is free, beginning with its own: as many windows are judged at
//! once as there are cores to judge them, so nobody waits. Two threads on two shared cores judge
//! 16 800 windows a second with two sessions and 13 400 with one; a single lock would also bound the
//! whole process to what one core can judge, some 430 calls. `cargo bench --bench stages` repeats it.
//!
//! Bound, preallocated tensors were considered and not taken: this binding copies inputs when they
//! are bound, and a view of our own arrays costs nothing. What a run allocates is the runtime's own.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use ort::inputs;
use ort::session::Session;
use ort::value::{TensorElementType, TensorRef};

use crate::dsp::level;
use crate::dsp::onnx::{self, Expected, Kind, ModelError, Signature};
use crate::dsp::vad::{VoiceModel, WINDOW_SAMPLES};
use crate::limits::WIDEBAND_HZ;

/// Samples of the window before that the network sees again: 4 ms.
const CONTEXT_SAMPLES: usize = 64;
/// Samples of one input.
const INPUT_SAMPLES: usize = CONTEXT_SAMPLES + WINDOW_SAMPLES;
/// Numbers of the recurrent state: two layers of 128.
const STATE_SHAPE: [usize; 3] = [2, 1, 128];
const STATE_NUMBERS: usize = STATE_SHAPE[0] * STATE_SHAPE[1] * STATE_SHAPE[2];

const KIND: Kind = Kind {
    role: "voice model",
    name: "Silero VAD v6 at 16 kHz",
    advice: "`./run --setup` gets the right one",
};
const SIGNATURE: Signature = {
    const fn of(
        name: &'static str,
        element: TensorElementType,
        shape: &'static [i64],
        shown: &'static str,
    ) -> Expected {
        Expected { name: Some(name), element, shape, shown }
    }
    const FLOAT: TensorElementType = TensorElementType::Float32;
    Signature {
        inputs: &[
            of("input", FLOAT, &[1, INPUT_SAMPLES as i64], "an input `input` [1, 576] f32"),
            of("state", FLOAT, &[2, 1, 128], "an input `state` [2, 1, 128] f32"),
            of("sr", TensorElementType::Int64, &[], "an input `sr` [] i64"),
        ],
        inputs_shown: "three inputs",
        outputs: &[
            of("output", FLOAT, &[1, 1], "an output `output` [1, 1] f32"),
            of("stateN", FLOAT, &[2, 1, 128], "an output `stateN` [2, 1, 128] f32"),
        ],
    }
};

/// The model, loaded once for the process and shared by its calls.
#[derive(Clone, Debug)]
pub struct SileroModel {
    pool: Arc<Pool>,
}

/// Sessions of one model, and which one the next stream begins with.
#[derive(Debug)]
struct Pool {
    sessions: Box<[Mutex<Session>]>,
    next: AtomicUsize,
}

/// One stream: its recurrent state, and the end of its last window.
#[derive(Debug)]
pub struct Silero {
    pool: Arc<Pool>,
    home: usize,
    input: [f32; INPUT_SAMPLES],
    state: [f32; STATE_NUMBERS],
    failures: u64,
}

impl SileroModel {
    /// The model's name in recordings.
    pub const NAME: &str = "silero-v6";

    /// Loads the runtime (once for the process: a second path must exist, but is not loaded) and the
    /// model, and runs it once.
    pub fn load(onnxruntime: &Path, model: &Path) -> Result<Self, ModelError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::load_sessions(onnxruntime, model, cores)
    }

    /// The same with a given number of sessions, at least one.
    pub fn load_sessions(
        onnxruntime: &Path,
        model: &Path,
        sessions: usize,
    ) -> Result<Self, ModelError> {
        let environment = onnx::environment(onnxruntime)?;
        let load = || onnx::open(&environment, KIND, model, &SIGNATURE).map(Mutex::new);
        let sessions: Result<Box<[_]>, _> = (0..sessions.max(1)).map(|_| load()).collect();
        let loaded = Self { pool: Arc::new(Pool { sessions: sessions?, next: 0.into() }) };
        // The first run of a session allocates its arena; better now than in a call. It also shows
        // that the model runs at all.
        for home in 0..loaded.pool.sessions.len() {
            let mut stream = loaded.stream();
            stream.home = home;
            stream.infer().map_err(|error| ModelError::Model {
                kind: KIND,
                path: model.to_owned(),
                message: error.to_string(),
            })?;
        }
        Ok(loaded)
    }

    /// A stream that has heard nothing yet.
    pub fn stream(&self) -> Silero {
        let next = self.pool.next.fetch_add(1, Ordering::Relaxed);
        Silero {
            pool: Arc::clone(&self.pool),
            home: next % self.pool.sessions.len(),
            input: [0.0; INPUT_SAMPLES],
            state: [0.0; STATE_NUMBERS],
            failures: 0,
        }
    }
}

impl Silero {
    /// Windows that the runtime could not judge; they counted as silence.
    pub const fn failures(&self) -> u64 {
        self.failures
    }

    fn infer(&mut self) -> ort::Result<f32> {
        let rate_hz = [i64::from(WIDEBAND_HZ)];
        let scalar: [usize; 0] = [];
        let mut session = self.pool.acquire(self.home);
        let outputs = session.run(inputs![
            "input" => TensorRef::from_array_view(([1, INPUT_SAMPLES], self.input.as_slice()))?,
            "state" => TensorRef::from_array_view((STATE_SHAPE, self.state.as_slice()))?,
            "sr" => TensorRef::from_array_view((scalar, rate_hz.as_slice()))?,
        ])?;
        let (_, probability) = outputs["output"].try_extract_tensor::<f32>()?;
        let (_, state) = outputs["stateN"].try_extract_tensor::<f32>()?;
        // The shapes were checked when the model was loaded, except for what is dynamic in them.
        let (Some(&probability), STATE_NUMBERS) = (probability.first(), state.len()) else {
            return Err(ort::Error::new("the model's output has another size than its input"));
        };
        self.state.copy_from_slice(state);
        Ok(probability)
    }
}

impl VoiceModel for Silero {
    fn step(&mut self, window: &[f32; WINDOW_SAMPLES]) -> f32 {
        // The network turns not-a-number into a small probability and a state that stays spoiled.
        if level::energy(window).is_finite() {
            self.input[CONTEXT_SAMPLES..].copy_from_slice(window);
            let probability = self.infer();
            self.input.copy_within(WINDOW_SAMPLES.., 0);
            if let Ok(probability) = probability {
                return probability.clamp(0.0, 1.0);
            }
        }
        self.reset();
        self.failures += 1;
        0.0
    }

    fn reset(&mut self) {
        self.input.fill(0.0);
        self.state.fill(0.0);
    }
}

impl Pool {
    /// A session that is free, looked for from `home` on; if none is, waits for that one.
    fn acquire(&self, home: usize) -> MutexGuard<'_, Session> {
        let (before, from_home) = self.sessions.split_at(home);
        for session in from_home.iter().chain(before) {
            match session.try_lock() {
                Ok(session) => return session,
                // A panic elsewhere cannot have left a session half changed: it holds no state.
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.sessions[home].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
