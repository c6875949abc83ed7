//! How one call's conversation behaves. Plain values; the configuration maps its keys onto them.

use std::time::Duration;

/// Who says when a turn of the user is over and what interrupts a reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TurnAuthority {
    /// The conversation: a backend is given the user's turns one by one.
    #[default]
    Local,
    /// The backend: it hears the user all the time, in a stream without a gap, and decides itself.
    ///
    /// What is certainly echo reaches it as silence. So does what is said over a reply that sounds, until
    /// that is known to be an interruption; then it follows at once. A backchannel never reaches it.
    Backend,
}

/// The conversation's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct CallSettings {
    /// Whether the agent speaks first, once the peer is connected. Default: it does.
    pub greet: bool,
    /// Default: the conversation decides.
    pub authority: TurnAuthority,
    /// When the user is speaking.
    pub speech: SpeechSettings,
    /// When the user's turn is over.
    pub endpoint: EndpointSettings,
    /// What it takes to interrupt the agent.
    pub interruption: InterruptionSettings,
    /// What is done while the backend keeps the user waiting.
    pub wait: WaitSettings,
    /// What is done while nobody speaks.
    pub idle: IdleSettings,
    /// The longest turn of the user. A longer monologue is given to the backend in parts, of which
    /// only the last is answered. 5 s to 10 min, default 2 min.
    pub turn_max: Duration,
    /// How long the backend may show no sign of life before the first audio of a reply.
    /// 1 to 120 s, default 10 s.
    pub reply_timeout: Duration,
    /// How long a reply that already sounds may lack both audio and signs of life.
    /// 0.5 to 60 s, default 5 s.
    pub stall_timeout: Duration,
    /// How long the backend may take to say that it is ready, from the call's beginning.
    /// 1 to 120 s, default 20 s.
    pub backend_setup_timeout: Duration,
    /// The longest call. 10 s to 24 h, default 1 h.
    pub call_max: Duration,
    /// How long after a telephone key the next one may follow, before the keys pressed so far are
    /// taken as the user's turn. `#` ends it at once. 0.2 to 10 s, default 1.5 s.
    pub key_timeout: Duration,
    /// What the client holds between its network and its loudspeaker: jitter buffer and device.
    /// Only used for clients that do not report their playout. 0 to 500 ms, default 80 ms.
    pub client_buffer: Duration,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self {
            greet: true,
            authority: TurnAuthority::Local,
            speech: SpeechSettings::default(),
            endpoint: EndpointSettings::default(),
            interruption: InterruptionSettings::default(),
            wait: WaitSettings::default(),
            idle: IdleSettings::default(),
            turn_max: Duration::from_secs(120),
            reply_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(5),
            backend_setup_timeout: Duration::from_secs(20),
            call_max: Duration::from_secs(3_600),
            key_timeout: Duration::from_millis(1_500),
            client_buffer: Duration::from_millis(80),
        }
    }
}

/// When the user is speaking: hysteresis over the voice probability.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeechSettings {
    /// Voice probability from which a frame may begin speech. 0.1 to 0.95, default 0.5.
    pub start_threshold: f32,
    /// Voice probability below which a frame no longer continues it; at most `start_threshold`.
    /// 0.05 to 0.95, default 0.35.
    pub stop_threshold: f32,
    /// Level below which a frame is silence whatever the detector says, which looks back further
    /// than one frame and so lags behind the end of speech. -127 to -30 dBFS, default -65.
    pub floor_dbfs: f32,
    /// Voice needed before it is believed to be speech. Longer ignores more clicks and coughs and
    /// stops the agent later. 20 to 500 ms, default 60 ms: three frames, about two detector windows.
    pub speech_min: Duration,
    /// Silence after which the user is said to have stopped speaking. Not the end of the turn, which
    /// [`EndpointSettings`] decides. 20 to 1000 ms, default 100 ms.
    pub silence_min: Duration,
}

impl Default for SpeechSettings {
    fn default() -> Self {
        Self {
            start_threshold: 0.5,
            stop_threshold: 0.35,
            floor_dbfs: -65.0,
            speech_min: Duration::from_millis(60),
            silence_min: Duration::from_millis(100),
        }
    }
}

/// How it is decided that the user's turn is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EndpointStrategy {
    /// After this much silence, counted from the end of the last voiced frame, whoever speaks and
    /// whatever was said. 100 ms to 5 s. Short answers sooner and cuts off who pauses to think: people
    /// pause 200 to 500 ms within a sentence.
    Silence(Duration),
    /// By how the speech ends and by how long this user is used to pausing.
    Adaptive,
    /// By a model that is asked about the sound of each pause, in place of how the speech ends. The
    /// probability at which a turn is as likely over as not, 0.05 to 0.95, default 0.5.
    Semantic { threshold: f32 },
    /// The backend says so. After [`EndpointSettings::BACKSTOP`] of silence it is over anyway.
    Backend,
}

/// When the user's turn is over.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointSettings {
    /// How it is decided. Default: adaptive.
    pub strategy: EndpointStrategy,
    /// The least silence that ends a turn, where it is not fixed. 100 ms to 2 s, default 200 ms.
    pub min: Duration,
    /// The most silence that a turn survives, where it is not fixed. `min` to 5 s, default 3 s.
    pub max: Duration,
    /// Whether the backend may be started ahead on an end that is likely and not yet certain. Only the
    /// adaptive and semantic strategies know such ends. Default: no.
    pub speculate: bool,
}

impl EndpointSettings {
    /// Silence after which a turn that the backend should have ended is over: longer than any provider
    /// waits, so that none is overruled, and short enough that a lost event does not end the call.
    pub const BACKSTOP: Duration = Duration::from_secs(5);

    /// The settings of a fixed silence.
    pub fn silence(silence: Duration) -> Self {
        Self { strategy: EndpointStrategy::Silence(silence), ..Self::default() }
    }
}

impl Default for EndpointSettings {
    fn default() -> Self {
        Self {
            strategy: EndpointStrategy::Adaptive,
            min: Duration::from_millis(200),
            max: Duration::from_secs(3),
            speculate: false,
        }
    }
}

/// Whether, and by what, the agent can be interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterruptionPolicy {
    /// In stages: fade at once, hold the floor open while it is judged, and play on if it was nothing.
    Staged,
    /// Any speech that is not certainly echo ends the reply as soon as it is believed.
    Immediate,
    /// As `Staged`, but only so many words of the user commit, never the length of their speech.
    /// Needs a backend that transcribes while the user speaks. 1 to 20.
    Words(u32),
    /// Not by speech. What the user says meanwhile is answered after the reply.
    Never,
}

/// What it takes to interrupt the agent.
#[derive(Clone, Debug, PartialEq)]
pub struct InterruptionSettings {
    /// The way it is judged. Default: staged.
    pub policy: InterruptionPolicy,
    /// Voice after which the agent falls silent for good and the backend is given what was said so far.
    /// 40 to 1000 ms, default 120 ms.
    pub confirm: Duration,
    /// Voice after which it is an interruption without any words. 100 ms to 3 s, default 500 ms: longer
    /// than most backchannels ("mhm", "okay"), shorter than most sentences. The agent is silent meanwhile.
    pub commit: Duration,
    /// Silence after a short utterance that makes it a backchannel or a cough: the agent plays on.
    /// 60 to 1000 ms, default 200 ms.
    pub dismiss: Duration,
    /// Words at the beginning of each reply that cannot be interrupted: who speaks there mostly has not
    /// noticed yet that the agent began. 0 to 20, default 0.
    pub first_words: u32,
    /// A sentence of a reply that contains one of these cannot be interrupted (a legal notice, say).
    /// Compared without regard to case. At most 50, default none.
    pub protected: Vec<String>,
    /// Words that do not take the floor by themselves. At most 200, default the usual English ones.
    pub backchannels: Vec<String>,
}

impl Default for InterruptionSettings {
    fn default() -> Self {
        let backchannels = [
            "mhm", "mm", "mmhm", "mm-hmm", "hmm", "hm", "uh-huh", "uhuh", "uh", "um", "ah", "oh",
            "yeah", "yep", "yes", "right", "okay", "ok", "sure", "alright", "great", "good",
            "nice", "cool", "wow", "really", "exactly", "true", "i", "see", "got", "it",
        ];
        Self {
            policy: InterruptionPolicy::Staged,
            confirm: Duration::from_millis(120),
            commit: Duration::from_millis(500),
            dismiss: Duration::from_millis(200),
            first_words: 0,
            protected: Vec::new(),
            backchannels: backchannels.map(str::to_owned).to_vec(),
        }
    }
}

/// What is done while the backend keeps the user waiting.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitSettings {
    /// How long a reply may take before the filler clip is played, once a reply; `None`: never.
    /// 0.3 to 30 s, default none.
    pub filler: Option<Duration>,
    /// Whether the apology clip is played when a reply failed or never came. Default: it is.
    pub apologise: bool,
}

impl Default for WaitSettings {
    fn default() -> Self {
        Self { filler: None, apologise: true }
    }
}

/// What is done while nobody speaks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IdleSettings {
    /// How long nobody may speak before the user is prompted, each time. `None`: for ever.
    /// 2 s to 10 min, default none.
    pub after: Option<Duration>,
    /// What is said, the first time, the second time, and so on. At most 10, default none.
    pub prompts: Vec<String>,
    /// Whether the call ends when nobody spoke after the last prompt. Default: it does not.
    pub hang_up: bool,
}
