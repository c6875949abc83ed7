//! What all calls of this server did and used, by agent, as Prometheus reads it (OpenMetrics 1.0).
//!
//! A call adds what it tells its client, as it tells it, so a call of an hour is seen while it lasts. Adding
//! is one atomic addition; the names were found when the agent was made. Labels are the names of the
//! configured agents and providers and words of ours, never anything that a caller sent, so their number is
//! bounded.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::call::event::{ClientEvent, Cost, EndReason, TurnMetrics, Usage};

/// Upper bounds of the histogram of response times, in seconds: fine around the 300 ms that a user takes for
/// an answer at once, up to where a user takes the line for dead.
const RESPONSE_SECONDS: [f64; 12] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0];

/// Upper bounds of the histograms of its steps, which take less.
const STEP_SECONDS: [f64; 10] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0, 2.0, 5.0];

/// The steps of an answer, in their order: until the turn was judged to be over, its transcript final, the
/// first text of the answer there, its first audio, and the first packet with sound of it sent.
const STEPS: [&str; 5] = ["endpoint", "transcript", "text", "audio", "packet"];

/// Labels: pairs of a name of ours and a value of ours or of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Labels<const N: usize>([(&'static str, String); N]);

impl<const N: usize> EncodeLabelSet for Labels<N> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.0.encode(encoder)
    }
}

type OfAgent<M> = Family<Labels<1>, M>;
/// What is not counted in whole numbers.
type Amount = Counter<f64, AtomicU64>;

/// The counts of all agents.
#[derive(Debug, Default)]
pub struct Metrics {
    registry: Registry,
    running: OfAgent<Gauge>,
    ended: Family<Labels<2>, Counter>,
    turns: OfAgent<Counter>,
    interruptions: OfAgent<Counter>,
    errors: OfAgent<Counter>,
    response: OfAgentResponse,
    steps: Steps,
    tokens: Family<Labels<3>, Counter>,
    heard: OfAgent<Amount>,
    spoken: OfAgent<Counter>,
    cost: Family<Labels<2>, Amount>,
    providers: Family<Labels<3>, Gauge>,
}

/// The family of histograms; a name, because its constructor is part of its type.
#[derive(Clone, Debug)]
struct OfAgentResponse(Family<Labels<1>, Histogram, fn() -> Histogram>);

impl Default for OfAgentResponse {
    fn default() -> Self {
        Self(Family::new_with_constructor(|| Histogram::new(RESPONSE_SECONDS)))
    }
}

/// The same, by step.
#[derive(Clone, Debug)]
struct Steps(Family<Labels<2>, Histogram, fn() -> Histogram>);

impl Default for Steps {
    fn default() -> Self {
        Self(Family::new_with_constructor(|| Histogram::new(STEP_SECONDS)))
    }
}

impl Metrics {
    /// No agent has any calls yet.
    pub fn new() -> Self {
        let mut metrics = Self::default();
        let Self {
            registry,
            running,
            ended,
            turns,
            interruptions,
            errors,
            response,
            steps,
            tokens,
            heard,
            spoken,
            cost,
            providers,
        } = &mut metrics;
        registry.register("antiphon_calls", "Calls that run now", running.clone());
        registry.register("antiphon_calls_ended", "Calls that ended, by why", ended.clone());
        registry.register("antiphon_turns", "Turns of users that were answered", turns.clone());
        let help = "Replies that their users cut short";
        registry.register("antiphon_interruptions", help, interruptions.clone());
        registry.register("antiphon_errors", "Errors that clients were told of", errors.clone());
        let help = "From the end of a user's speech to the first packet of the answer";
        registry.register("antiphon_response_seconds", help, response.0.clone());
        let help = "Where the time of an answer went: each step from the one before it";
        registry.register("antiphon_step_seconds", help, steps.0.clone());
        let help = "Tokens of models, by kind and direction as the model sees it";
        registry.register("antiphon_tokens", help, tokens.clone());
        let help = "Audio that speech recognition was sent";
        registry.register("antiphon_heard_seconds", help, heard.clone());
        let help = "Characters that voices were given to speak";
        registry.register("antiphon_spoken_characters", help, spoken.clone());
        let help = "What all that costs, by stage, in the currency of the configured prices";
        registry.register("antiphon_cost", help, cost.clone());
        let help = "Whether a provider that others can stand in for is up: 1, or 0";
        registry.register("antiphon_provider_up", help, providers.clone());
        metrics
    }

    /// The counts of one agent; its names appear from here on, with zeros.
    pub fn agent(&self, name: &str) -> AgentMetrics {
        let agent = Labels([("agent", name.to_owned())]);
        let tokens = |kind: &str, direction: &str| {
            let agent = ("agent", name.to_owned());
            let (kind, direction) = (kind.to_owned(), direction.to_owned());
            let labels = Labels([agent, ("kind", kind), ("direction", direction)]);
            self.tokens.get_or_create_owned(&labels)
        };
        let step = |step: &str| {
            let labels = [("agent", name.to_owned()), ("step", step.to_owned())];
            self.steps.0.get_or_create_owned(&Labels(labels))
        };
        let cost = |stage: &str| {
            let labels = [("agent", name.to_owned()), ("stage", stage.to_owned())];
            self.cost.get_or_create_owned(&Labels(labels))
        };
        AgentMetrics {
            name: name.into(),
            running: self.running.get_or_create_owned(&agent),
            ended: self.ended.clone(),
            turns: self.turns.get_or_create_owned(&agent),
            interruptions: self.interruptions.get_or_create_owned(&agent),
            errors: self.errors.get_or_create_owned(&agent),
            response: self.response.0.get_or_create_owned(&agent),
            steps: STEPS.map(step),
            speech_in: tokens("speech", "in"),
            text_in: tokens("text", "in"),
            speech_out: tokens("speech", "out"),
            text_out: tokens("text", "out"),
            heard_seconds: self.heard.get_or_create_owned(&agent),
            spoken_chars: self.spoken.get_or_create_owned(&agent),
            cost: Cost::default().stages().map(|(stage, _)| cost(stage)),
            providers: self.providers.clone(),
        }
    }

    /// All of it, as OpenMetrics text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _infallible = encode(&mut text, &self.registry);
        text
    }
}

/// The counts of one agent, shared by its calls.
#[derive(Clone, Debug)]
pub struct AgentMetrics {
    name: Arc<str>,
    running: Gauge,
    ended: Family<Labels<2>, Counter>,
    turns: Counter,
    interruptions: Counter,
    errors: Counter,
    response: Histogram,
    /// As [`STEPS`].
    steps: [Histogram; 5],
    speech_in: Counter,
    text_in: Counter,
    speech_out: Counter,
    text_out: Counter,
    heard_seconds: Amount,
    spoken_chars: Counter,
    /// As [`Cost::stages`].
    cost: [Amount; 3],
    providers: Family<Labels<3>, Gauge>,
}

impl AgentMetrics {
    /// A call was answered.
    pub fn call_began(&self) {
        self.running.inc();
    }

    /// A call ended.
    pub fn call_ended(&self, reason: &EndReason) {
        self.running.dec();
        let labels = [("agent", self.name.to_string()), ("reason", reason.name().to_owned())];
        self.ended.get_or_create(&Labels(labels)).inc();
    }

    /// Whether one of the providers of a stage is up now.
    pub fn provider_is(&self, stage: &str, provider: &str, is_up: bool) {
        let agent = ("agent", self.name.to_string());
        let labels = [agent, ("stage", stage.to_owned()), ("provider", provider.to_owned())];
        self.providers.get_or_create(&Labels(labels)).set(i64::from(is_up));
    }

    /// A call tells its client something.
    pub fn handle_event(&self, event: &ClientEvent) {
        match event {
            ClientEvent::Turn(turn) => {
                self.turns.inc();
                if let Some(first_packet) = turn.first_packet {
                    self.responded(first_packet);
                }
                self.stepped(turn);
            }
            ClientEvent::BotStoppedSpeaking { interrupted: true, .. } => {
                self.interruptions.inc();
            }
            ClientEvent::Error { .. } => {
                self.errors.inc();
            }
            ClientEvent::Used { usage, .. } => self.used(usage),
            _ => {}
        }
    }

    fn responded(&self, after: Duration) {
        self.response.observe(after.as_secs_f64());
    }

    /// A step that did not happen takes no time of its own, nor from the one after it.
    fn stepped(&self, turn: &TurnMetrics) {
        let TurnMetrics { endpoint, transcript, first_text, first_audio, first_packet, .. } = turn;
        let mut before = Duration::ZERO;
        let at = [endpoint, transcript, first_text, first_audio, first_packet];
        for (step, at) in self.steps.iter().zip(at) {
            if let Some(at) = at {
                step.observe(at.saturating_sub(before).as_secs_f64());
                before = before.max(*at);
            }
        }
    }

    fn used(&self, usage: &Usage) {
        self.speech_in.inc_by(usage.speech_in);
        self.text_in.inc_by(usage.text_in);
        self.speech_out.inc_by(usage.speech_out);
        self.text_out.inc_by(usage.text_out);
        self.heard_seconds.inc_by(usage.heard_ms as f64 / 1_000.0);
        self.spoken_chars.inc_by(usage.spoken_chars);
        for (counter, (_, cost)) in self.cost.iter().zip(usage.cost.stages()) {
            counter.inc_by(cost);
        }
    }
}

#[cfg(test)]
mod tests;
