//! Voice probability: the model's port.

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
