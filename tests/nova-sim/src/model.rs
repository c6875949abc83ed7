//! What can be told from a model's id.

/// The generations that differ on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// Nova Sonic: no turn detection settings, no text while the audio runs, no speech events.
    First,
    /// Nova 2 Sonic, Nova 2.5 Sonic and whatever follows.
    Second,
}

const VOICES_FIRST: &[&str] = &[
    "tiffany", "matthew", "amy", "ambre", "florian", "beatrice", "lorenzo", "greta", "lennart",
    "lupe", "carlos",
];
const VOICES_SECOND: &[&str] = &[
    "tiffany", "matthew", "amy", "olivia", "kiara", "arjun", "ambre", "florian", "beatrice",
    "lorenzo", "tina", "lennart", "lupe", "carlos", "carolina", "leo",
];

impl Generation {
    /// Of a model id. Every id that does not contain `nova-sonic-v1` has the newer features.
    pub fn of(model_id: &str) -> Self {
        if model_id.contains("nova-sonic-v1") { Self::First } else { Self::Second }
    }

    /// Whether the model has a voice of this id.
    pub fn has_voice(self, voice_id: &str) -> bool {
        let voices = match self {
            Self::First => VOICES_FIRST,
            Self::Second => VOICES_SECOND,
        };
        voices.contains(&voice_id)
    }
}

/// Whether the simulated account has a model of this id: any Nova Sonic.
pub fn is_known(model_id: &str) -> bool {
    model_id.starts_with("amazon.nova") && model_id.contains("sonic")
}
