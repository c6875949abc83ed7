//! Voice probability: the model's port, and the windows it is fed in.

pub mod level;

use crate::dsp::framer::Framer;

/// Samples in one detector window: 32 ms at 16 kHz.
pub const WINDOW_SAMPLES: usize = 512;

/// A recurrent model that says how likely a window holds speech.
pub trait VoiceModel {
    /// The probability, 0 to 1, that these 32 ms at 16 kHz (-1 to 1) hold speech. Windows follow
    /// each other without a gap.
    fn step(&mut self, window: &[f32; WINDOW_SAMPLES]) -> f32;

    /// Forgets the past.
    fn reset(&mut self);
}

/// Feeds a model with whole windows out of a stream of blocks of any length.
#[derive(Debug)]
pub struct VoiceDetector<V> {
    model: V,
    framer: Framer<WINDOW_SAMPLES>,
    probability: f32,
    windows: u64,
}

impl<V: VoiceModel> VoiceDetector<V> {
    /// Around a model that has heard nothing yet.
    pub const fn new(model: V) -> Self {
        Self { model, framer: Framer::new(), probability: 0.0, windows: 0 }
    }

    /// Takes the next samples at 16 kHz and returns how many windows they completed.
    pub fn step(&mut self, mut pcm: &[f32]) -> usize {
        let mut completed = 0;
        while let Some(window) = self.framer.pop(&mut pcm) {
            self.probability = self.model.step(window);
            completed += 1;
        }
        self.windows += completed as u64;
        completed
    }

    /// The probability of speech, 0 to 1, of the newest whole window; 0 before the first.
    pub const fn probability(&self) -> f32 {
        self.probability
    }

    /// Whole windows judged since the beginning.
    pub const fn windows(&self) -> u64 {
        self.windows
    }

    /// The model, for its counters.
    pub const fn model(&self) -> &V {
        &self.model
    }

    /// Forgets the past, except for how many windows there were.
    pub fn reset(&mut self) {
        self.model.reset();
        self.framer.reset();
        self.probability = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers with the first sample of the window, so that a test sees which samples it was given.
    #[derive(Default)]
    struct FirstSample {
        windows: Vec<f32>,
    }

    impl VoiceModel for FirstSample {
        fn step(&mut self, window: &[f32; WINDOW_SAMPLES]) -> f32 {
            self.windows.push(window[0]);
            window[0]
        }

        fn reset(&mut self) {
            self.windows.clear();
        }
    }

    #[test]
    fn twenty_millisecond_frames_become_windows_without_a_gap() {
        let mut detector = VoiceDetector::new(FirstSample::default());
        let stream: Vec<f32> = (0..320 * 8).map(|n| n as f32).collect();
        let completed: Vec<usize> = stream.chunks(320).map(|frame| detector.step(frame)).collect();
        assert_eq!(completed, [0, 1, 0, 1, 1, 0, 1, 1]);
        assert_eq!(detector.model().windows, [0.0, 512.0, 1024.0, 1536.0, 2048.0]);
        assert_eq!(detector.probability(), 2048.0);
        assert_eq!(detector.windows(), 5);
    }

    #[test]
    fn a_reset_forgets_a_half_filled_window() {
        let mut detector = VoiceDetector::new(FirstSample::default());
        detector.step(&[1.0; 500]);
        detector.reset();
        assert_eq!(detector.step(&[2.0; 511]), 0);
        assert_eq!(detector.step(&[2.0; 1]), 1);
        assert_eq!(detector.probability(), 2.0);
    }
}
