//! One connection's behaviour: what a client sends, and what Nova Sonic makes of it. Pure, and told
//! the time since the stream was opened.
//!
//! ```text
//! handle_event -> request (shape) -> order (may it come?) -> ear -> mind -> delivery -> poll_output
//!                                        `-- violation: exception                `-- poll_task (voice)
//! ```

mod delivery;
mod ending;
mod event;
mod interruption;
mod order;
mod request;
mod turns;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use self::delivery::Delivery;
use self::event::{Events, Tokens};
use self::order::{Meaning, Order};
use self::request::{Endpointing, Prompt, Role};
use self::turns::{Cue, LateText};
use crate::ear::Ear;
use crate::faults::{ExceptionKind, ResetReason, ScheduledFaults};
use crate::limits::BYTES_PER_TEXT_TOKEN;
use crate::mind::{Message, Mind, ToolCard};
use crate::model::Generation;
use crate::random::Random;
use crate::settings::SimSettings;

/// One connection.
#[derive(Debug)]
pub struct Session {
    settings: Arc<SimSettings>,
    generation: Generation,
    random: Random,
    life: Life,
    order: Order,
    events: Events,
    voice_id: String,
    output_rate_hz: u32,
    endpointing: Endpointing,
    ear: Option<Ear>,
    /// Input audio so far, and at the last interactive text, in samples.
    input: InputLength,
    mind: Mind,
    outputs: VecDeque<Output>,
    tasks: VecDeque<Task>,
    tasks_made: u64,
    /// Output that is due later, by its time and its number.
    agenda: BTreeMap<(Duration, u64), Later>,
    agenda_made: u64,
    cues: VecDeque<Cue>,
    /// An utterance that was not answered because the user went on.
    unanswered: Option<String>,
    /// Utterances whose words are being recognised, by the task, with the time of their end.
    recognising: BTreeMap<u64, Duration>,
    delivery: Option<Delivery>,
    late: VecDeque<LateText>,
    utterances: usize,
    interruptions: usize,
    has_completion: bool,
    tokens: Tokens,
    tokens_told: Tokens,
    input_at: Duration,
    faults: ScheduledFaults,
    violation: Option<String>,
}

/// What the connection does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// The response's headers, 200.
    Headers,
    /// One event, its JSON, for a `chunk`.
    Event(Vec<u8>),
    /// An exception; nothing follows. Before the headers it is an HTTP error.
    Exception {
        /// Which.
        kind: ExceptionKind,
        /// What it says.
        message: String,
    },
    /// A frame of message type `error`; nothing follows.
    ErrorFrame {
        /// `:error-code`.
        code: String,
        /// `:error-message`.
        message: String,
    },
    /// A frame that is damaged: cut off, after which nothing follows, or with a wrong checksum.
    BrokenFrame {
        /// Whether it is cut off.
        is_truncated: bool,
    },
    /// The stream is reset; nothing follows.
    Reset(ResetReason),
    /// The connection's socket is closed; nothing follows.
    Close,
    /// The connection goes away: at once, after which nothing follows, or when its streams have ended.
    GoAway {
        /// Whether it goes at once.
        is_abrupt: bool,
    },
    /// The response is complete.
    End,
}

/// Work that takes longer than a session may: it is done elsewhere, and its result handed back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Speak a sentence; the result goes to [`Session::handle_spoken`].
    Speak {
        /// The task's number.
        id: u64,
        /// What to say.
        text: String,
        /// Who says it.
        voice_id: String,
        /// The rate of the result, in Hz.
        rate_hz: u32,
    },
    /// Recognise an utterance; the result goes to [`Session::handle_transcribed`].
    Transcribe {
        /// The task's number.
        id: u64,
        /// Mono.
        pcm: Vec<i16>,
        /// Its rate, in Hz.
        rate_hz: u32,
    },
}

/// What one client event was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSeen {
    /// Its name.
    pub name: String,
    /// Bytes of PCM in it.
    pub audio_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// The headers are withheld until the session is started.
    Opening,
    Open,
    /// Nothing is heard or said any more, and nobody is told.
    Deaf,
    Over,
}

/// Output that is due at a time.
#[derive(Debug)]
enum Later {
    Event(Vec<u8>),
    /// The user's words, as a text block.
    Transcript(String),
}

#[derive(Debug, Default)]
struct InputLength {
    rate_hz: u32,
    samples: u64,
    samples_at_text: u64,
}

/// What is due next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Fault,
    ConnectionLimit,
    IdleLimit,
    Agenda,
    LateText,
    Played,
    Delivery,
    Cue,
}

impl Session {
    /// A connection to a model of the second generation.
    pub fn new(settings: Arc<SimSettings>, faults: ScheduledFaults, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let events = Events::new(&mut random);
        let mind = Mind::new(settings.mind, settings.quirks.tools_in_parallel);
        Self {
            settings,
            generation: Generation::Second,
            random,
            life: if faults.hangs { Life::Deaf } else { Life::Opening },
            order: Order::new(Generation::Second),
            events,
            voice_id: String::new(),
            output_rate_hz: 24_000,
            endpointing: Endpointing::Medium,
            ear: None,
            input: InputLength::default(),
            mind,
            outputs: VecDeque::new(),
            tasks: VecDeque::new(),
            tasks_made: 0,
            agenda: BTreeMap::new(),
            agenda_made: 0,
            cues: VecDeque::new(),
            unanswered: None,
            recognising: BTreeMap::new(),
            delivery: None,
            late: VecDeque::new(),
            utterances: 0,
            interruptions: 0,
            has_completion: false,
            tokens: Tokens::default(),
            tokens_told: Tokens::default(),
            input_at: Duration::ZERO,
            faults,
            violation: None,
        }
    }

    /// The same connection to the model of this id.
    #[must_use]
    pub fn for_model(mut self, model_id: &str) -> Self {
        self.generation = Generation::of(model_id);
        self.order = Order::new(self.generation);
        self
    }

    /// The client sent an event, its envelope included.
    pub fn handle_event(&mut self, now: Duration, json: &[u8]) -> EventSeen {
        self.advance(now);
        let (name, request) = request::parse(json, self.generation);
        let mut seen = EventSeen { name, audio_bytes: 0 };
        if let Ok(request::Request::AudioInput { pcm, .. }) = &request {
            seen.audio_bytes = pcm.len() * 2;
        }
        if matches!(self.life, Life::Deaf | Life::Over) {
            return seen;
        }
        match request.and_then(|request| self.order.step(request)) {
            Ok(meaning) => self.follow(now, meaning),
            Err(violation) => self.refuse(violation),
        }
        seen
    }

    /// The client's side of the stream has ended.
    pub fn handle_end(&mut self, now: Duration) {
        self.advance(now);
        if matches!(self.life, Life::Opening | Life::Open) {
            // Without headers there is nothing that could end.
            if self.life == Life::Opening {
                self.outputs.push_back(Output::Headers);
            }
            self.die(Output::End);
        }
    }

    /// A sentence was spoken: a [`Task::Speak`] is done. `pcm` at the rate it asked for.
    pub fn handle_spoken(&mut self, now: Duration, id: u64, pcm: Vec<i16>) {
        self.advance(now);
        if let Some(delivery) = &mut self.delivery {
            delivery.handle_spoken(now, id, pcm);
        }
    }

    /// An utterance was recognised: a [`Task::Transcribe`] is done. Empty if no words were found.
    pub fn handle_transcribed(&mut self, now: Duration, id: u64, text: &str) {
        self.advance(now);
        if self.life == Life::Open
            && let Some(ended_at) = self.recognising.remove(&id)
        {
            self.understand(now, ended_at, text.to_owned());
        }
    }

    /// What the connection does next.
    pub fn poll_output(&mut self, now: Duration) -> Option<Output> {
        self.advance(now);
        self.outputs.pop_front()
    }

    /// Work to be done elsewhere.
    pub fn poll_task(&mut self) -> Option<Task> {
        self.tasks.pop_front()
    }

    /// When [`Session::poll_output`] should be asked again, if nothing else happens.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.next_due().map(|(at, _)| at)
    }

    /// What the client did wrong, if that ended the connection.
    pub fn violation(&self) -> Option<&str> {
        self.violation.as_deref()
    }

    /// Does everything that is due until `now`, in the order of its time.
    fn advance(&mut self, now: Duration) {
        while let Some((at, due)) = self.next_due().filter(|(at, _)| *at <= now) {
            self.step(at, due);
        }
    }

    fn next_due(&self) -> Option<(Duration, Due)> {
        if matches!(self.life, Life::Deaf | Life::Over) {
            return None;
        }
        let is_open = self.life == Life::Open;
        let delivery = self.delivery.as_ref();
        let dues = [
            (self.faults.next_at().filter(|_| is_open), Due::Fault),
            (Some(self.settings.connection_limit), Due::ConnectionLimit),
            (Some(self.input_at + self.idle_limit()).filter(|_| is_open), Due::IdleLimit),
            (self.agenda.keys().next().map(|(at, _)| *at), Due::Agenda),
            (self.late_at(), Due::LateText),
            (delivery.and_then(Delivery::played_at), Due::Played),
            (delivery.and_then(Delivery::poll_timeout), Due::Delivery),
            (self.cue_at(), Due::Cue),
        ];
        dues.into_iter().filter_map(|(at, due)| Some((at?, due))).min()
    }

    fn step(&mut self, at: Duration, due: Due) {
        match due {
            Due::Fault => {
                if let Some(fault) = self.faults.take_next() {
                    self.fail(fault);
                }
            }
            Due::ConnectionLimit => {
                let message =
                    "Model has timed out in processing the request. Try your request again.";
                self.end_with(ExceptionKind::ModelTimeout, message.to_owned());
            }
            Due::IdleLimit => {
                let message = self.idle_message();
                self.end_with(ExceptionKind::Validation, message);
            }
            Due::Agenda => {
                if let Some((_, later)) = self.agenda.pop_first() {
                    match later {
                        Later::Event(event) => self.say(event),
                        Later::Transcript(text) => self.say_transcript(&text),
                    }
                }
            }
            Due::LateText => self.say_late_text(at),
            Due::Played => {
                if let Some(delivery) = self.delivery.take() {
                    self.conclude(at, &delivery);
                }
            }
            Due::Delivery => self.deliver(),
            Due::Cue => self.take_cue(at),
        }
    }

    fn follow(&mut self, now: Duration, meaning: Meaning) {
        match meaning {
            Meaning::SessionStarted { endpointing } => {
                self.endpointing = endpointing.unwrap_or(Endpointing::Medium);
                self.life = Life::Open;
                self.input_at = now;
                self.outputs.push_back(Output::Headers);
            }
            Meaning::Prompted(prompt) => self.be_prompted(*prompt),
            Meaning::Instructed(text) => self.read_text(&text),
            Meaning::Remembered { role, text } => {
                self.read_text(&text);
                self.mind.remember(Message { is_users: role == Role::User, text });
            }
            Meaning::AudioBegan { rate_hz, is_from_user } => {
                if self.order.has_history() {
                    self.faults.poison(now, &mut self.random);
                }
                self.open_ear(now, rate_hz, is_from_user);
            }
            Meaning::Audio(pcm) => self.hear(now, &pcm),
            Meaning::Told(text) => self.be_told(now, text),
            Meaning::ToolAnswered { use_id, result } => {
                self.read_text(&result);
                self.push_cue(Cue::ToolAnswered { at: now, use_id, result });
            }
            Meaning::PromptEnded => {
                // What was still to be said is not said any more.
                self.agenda.clear();
                self.cues.clear();
                self.late.clear();
                self.delivery = None;
                self.ear = None;
                let end = self.events.completion_end();
                self.say(end);
            }
            Meaning::SessionEnded | Meaning::Nothing => {}
        }
    }

    fn be_prompted(&mut self, prompt: Prompt) {
        self.events.prompt_name = prompt.name;
        self.voice_id = prompt.voice_id;
        self.output_rate_hz = prompt.output_rate_hz;
        let card = |tool: request::Tool| ToolCard { name: tool.name, schema: tool.schema };
        self.mind.equip(prompt.tools.into_iter().map(card).collect());
    }

    fn say(&mut self, event: Vec<u8>) {
        self.outputs.push_back(Output::Event(event));
    }

    fn say_later(&mut self, at: Duration, later: Later) {
        self.agenda_made += 1;
        self.agenda.insert((at, self.agenda_made), later);
    }

    fn read_text(&mut self, text: &str) {
        self.tokens.text_in += text.len().div_ceil(BYTES_PER_TEXT_TOKEN) as u64;
    }

    fn say_usage(&mut self) {
        let usage = self.events.usage(self.tokens_told, self.tokens);
        self.tokens_told = self.tokens;
        self.say(usage);
    }
}

#[cfg(test)]
mod tests;
