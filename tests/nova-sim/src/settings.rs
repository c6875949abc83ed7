//! What can be set of the simulator.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::faults::FaultRule;
use crate::stages::StageSettings;

/// What the simulator is like. [`SimSettings::standard`] is what the command line starts from,
/// [`SimSettings::tones`] what tests want.
#[derive(Clone, Debug, PartialEq)]
pub struct SimSettings {
    /// Where it listens. Port 0 takes any free one. Default 127.0.0.1:0.
    pub listen: SocketAddr,
    /// The access key id that clients must sign with. Default `AKIDSIM`.
    pub key_id: String,
    /// Its secret. Default `sim-secret`.
    pub secret: String,
    /// The region of the signatures. Default `us-east-1`.
    pub region: String,
    /// How long a connection may last; it then ends with a model time-out. Default 480 s.
    pub connection_limit: Duration,
    /// How long neither audio nor interactive text may come; the connection then fails. Default 55 s.
    pub idle_limit: Duration,
    /// The silence that ends an utterance, as input audio, at medium sensitivity. Default 400 ms.
    pub detection: Duration,
    /// From the detected end of an utterance to the first audio of the answer. Default 335 ms.
    pub answer: Duration,
    /// From the end of an answer to the text of what was spoken. Default 2.6 s.
    pub final_delay: Duration,
    /// Concurrent streams; one more is throttled. Default 20.
    pub sessions_max: usize,
    /// Level above which input is taken for speech, in dBFS. Default -45.
    pub speech_dbfs: f32,
    /// How an interruption is told. Default [`BargeIn::All`].
    pub barge_in: BargeIn,
    /// How sound becomes text. Default [`Ears::Energy`].
    pub ears: Ears,
    /// Who answers. Default [`MindKind::Talk`].
    pub mind: MindKind,
    /// How text becomes sound. Default [`Voice::Flite`].
    pub voice: Voice,
    /// What is sent now and then that is lawful and unusual. Default none of it.
    pub quirks: Quirks,
    /// What goes wrong, and when. Default nothing.
    pub faults: Vec<FaultRule>,
    /// What the stages of a cascade, which it also is, are to do.
    pub stages: StageSettings,
    /// Where chance begins: ids, chunk sizes, which final texts are late. Default 1.
    pub seed: u64,
}

/// How the service tells that the user has interrupted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BargeIn {
    /// Only the user's speech is told of; the audio block ends as if in mid-turn.
    SpeechStart,
    /// Only the interrupted marker, as a text block.
    Marker,
    /// The audio block ends as if the turn were over; then the marker.
    EndTurnThenMarker,
    /// The audio block ends as interrupted, and that is all.
    AudioInterrupted,
    /// The user's speech, the audio block ends as interrupted, the marker.
    All,
    /// The user's speech and the marker, and then still some audio of the interrupted answer.
    LateAudio,
    /// As [`BargeIn::All`], and all of it once more.
    Repeated,
    /// Each of them in turn.
    Rotate,
}

impl BargeIn {
    /// The shapes that [`BargeIn::Rotate`] goes through.
    pub const SHAPES: [Self; 7] = [
        Self::SpeechStart,
        Self::Marker,
        Self::EndTurnThenMarker,
        Self::AudioInterrupted,
        Self::All,
        Self::LateAudio,
        Self::Repeated,
    ];

    /// Each by the name that the command line knows it by.
    pub const NAMES: [(&str, Self); 8] = [
        ("speech-start", Self::SpeechStart),
        ("marker", Self::Marker),
        ("end-turn-marker", Self::EndTurnThenMarker),
        ("audio-interrupted", Self::AudioInterrupted),
        ("all", Self::All),
        ("late-audio", Self::LateAudio),
        ("repeated", Self::Repeated),
        ("rotate", Self::Rotate),
    ];

    /// The shape of interruption number `index`.
    pub(crate) fn shape(self, index: usize) -> Self {
        if self == Self::Rotate { Self::SHAPES[index % Self::SHAPES.len()] } else { self }
    }
}

/// How sound becomes text. The words of [`tones`](crate::tones) are understood by all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ears {
    /// Speech is noticed and not understood: `(speech of 1.2 s)`.
    Energy,
    /// Each utterance is taken for the next of these lines, again and again. Not empty.
    Script(Vec<String>),
    /// PocketSphinx, with the English model in this folder.
    PocketSphinx(PathBuf),
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MindKind {
    /// A small dialogue in English.
    Talk,
    /// Answers a number with numbers that follow from it: [`count::answer`](crate::count::answer).
    Count {
        /// Words of an answer, 1 to 64. Default 7.
        words: usize,
        /// Words of a sentence, at least 1. Default 3.
        words_per_sentence: usize,
    },
}

impl MindKind {
    /// Answers of 7 words in sentences of 3.
    pub const COUNT: Self = Self::Count { words: 7, words_per_sentence: 3 };
}

/// How text becomes sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// flite. The voice id decides who speaks.
    Flite,
    /// The words of [`tones`](crate::tones); others are left out.
    Tones,
}

/// What is sent now and then that is lawful and unusual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    /// Tool arguments are a JSON string inside a JSON string.
    pub tool_doubly_encoded: bool,
    /// Where several numbers or tools are named, all calls are made at once.
    pub tools_in_parallel: bool,
    /// An empty user transcript follows each interactive text.
    pub empty_transcripts: bool,
    /// Events that no client knows.
    pub unknown_events: bool,
}

impl SimSettings {
    /// A person's conversation partner.
    pub fn standard() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            key_id: "AKIDSIM".to_owned(),
            secret: "sim-secret".to_owned(),
            region: "us-east-1".to_owned(),
            connection_limit: Duration::from_secs(480),
            idle_limit: Duration::from_secs(55),
            detection: Duration::from_millis(400),
            answer: Duration::from_millis(335),
            final_delay: Duration::from_millis(2_600),
            sessions_max: 20,
            speech_dbfs: -45.0,
            barge_in: BargeIn::All,
            ears: Ears::Energy,
            mind: MindKind::Talk,
            voice: Voice::Flite,
            quirks: Quirks::default(),
            faults: Vec::new(),
            stages: StageSettings::default(),
            seed: 1,
        }
    }

    /// A test's conversation partner: hears and speaks the words of [`tones`](crate::tones), and
    /// answers numbers with numbers. It needs no speech engine.
    pub fn tones() -> Self {
        Self { mind: MindKind::COUNT, voice: Voice::Tones, ..Self::standard() }
    }
}
