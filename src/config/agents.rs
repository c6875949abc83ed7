//! `agents`: who answers. Each entry is a persona, a backend and how it takes turns.

mod audio;
mod backends;
mod cascade;
mod endpoint;
mod fallback;
mod interruption;
mod nova;
mod tools;
mod turn;
mod waiting;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use endpoint::SILENCE_MS;

use super::{Environment, Overrides};
use crate::agent::AgentSettings;
use crate::backend::Abilities;
use crate::backend::cascade::CascadeSettings;
use crate::backend::echo::EchoSettings;
use crate::backend::local::LocalSettings;
use crate::backend::nova_sonic::NovaSonicSettings;
use crate::backend::scripted::ScriptedSettings;
use crate::call::settings::{
    EndpointSettings, EndpointStrategy, InterruptionPolicy, TurnAuthority,
};
use crate::limits::FALLBACKS_MAX;
use crate::tools::Toolbox;
use crate::tools::mcp::McpSettings;
use crate::yaml::{Errors, Fields, Place};

pub(super) use self::fallback::resolve as resolve_fallbacks;
pub use self::waiting::{ClipSource, ClipSources};

const PERSONA_CHARS_MAX: usize = 20_000;
const GREETING_CHARS_MAX: usize = 1_000;
/// Why no other endpoint strategy goes with it: there is nothing by which it could be told.
const NOVA_ENDS_TURNS: &str = "Nova Sonic says when a turn is over, by nova_sonic.endpointing; \
                               expected the strategy `backend` or none";

/// One agent of the configuration.
#[derive(Clone, Debug)]
pub struct AgentProfile {
    /// Instructions to the model.
    pub persona: String,
    /// The first words; `None` leaves them to the backend.
    pub greeting: Option<String>,
    /// BCP 47 tag, default `en-US`.
    pub language: String,
    /// Who holds the conversation.
    pub backend: BackendConfig,
    /// Who takes a call over when that one is lost, in this order. At most
    /// [`FALLBACKS_MAX`](crate::limits::FALLBACKS_MAX), default nobody.
    pub fallback: Vec<BackendConfig>,
    /// What its model may call. Default nothing.
    pub tools: Arc<Toolbox>,
    /// Servers whose tools it may call besides; they are listed at start. Default none.
    pub tool_servers: Vec<McpSettings>,
    /// How it listens and takes turns.
    pub settings: AgentSettings,
    /// The turn's model, where the endpoint strategy is semantic: an ONNX file.
    pub turn_model: Option<PathBuf>,
    /// Where the clips come from that its calls can play; they are loaded at start.
    pub clips: ClipSources,
}

/// A backend and its settings.
#[derive(Clone, Debug)]
pub enum BackendConfig {
    Local(LocalSettings),
    Cascade(Box<CascadeSettings>),
    Scripted(ScriptedSettings),
    Echo(EchoSettings),
    NovaSonic(Box<NovaSonicSettings>),
}

impl BackendConfig {
    /// Its name, as the file and `--backend` write it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Local(_) => "local",
            Self::Cascade(_) => "cascade",
            Self::Scripted(_) => "scripted",
            Self::Echo(_) => "echo",
            Self::NovaSonic(_) => "nova_sonic",
        }
    }
}

impl AgentProfile {
    /// The agent that exists when the file defines none.
    pub(super) fn built_in() -> Self {
        Self {
            persona:
                "You are a friendly voice assistant. Answer in one or two short sentences, in \
                      plain words that sound natural when spoken."
                    .to_owned(),
            greeting: None,
            language: "en-US".to_owned(),
            backend: BackendConfig::Local(LocalSettings::standard()),
            fallback: Vec::new(),
            tools: Arc::default(),
            tool_servers: Vec::new(),
            settings: AgentSettings::default(),
            turn_model: None,
            clips: ClipSources::default(),
        }
    }

    /// Whether its backend can do what it is set to do.
    pub fn check(&self, abilities: Abilities) -> Result<(), String> {
        let call = &self.settings.call;
        if call.endpoint.speculate && !abilities.speculates {
            return Err(format!(
                "turn.endpoint.speculate: the {} backend cannot answer ahead: expected false",
                self.backend.name()
            ));
        }
        if !call.idle.prompts.is_empty() && !abilities.says {
            return Err(format!(
                "idle.prompts: the {} backend cannot speak a given text: expected none",
                self.backend.name()
            ));
        }
        if call.endpoint.strategy == EndpointStrategy::Backend && !abilities.ends_turns {
            return Err(format!(
                "turn.endpoint.strategy: the {} backend does not say when a turn is over: expected adaptive, \
                 silence or semantic",
                self.backend.name()
            ));
        }
        if call.greet && !abilities.greets {
            return Err(format!(
                "greeting: this {} backend cannot speak first: expected off",
                self.backend.name()
            ));
        }
        if !self.tools.is_empty() && !abilities.tools {
            return Err(format!(
                "tools: the {} backend cannot call any: expected none, received {}",
                self.backend.name(),
                self.tools.len()
            ));
        }
        let policy = call.interruption.policy;
        if matches!(policy, InterruptionPolicy::Words(_)) && !abilities.transcribes {
            return Err(format!(
                "interruption.policy: `words` needs a backend that transcribes while the user speaks; \
                 this {} backend never does: expected staged, immediate or never",
                self.backend.name()
            ));
        }
        Ok(())
    }

    /// Whether this one of its fallbacks can do what a call cannot be without.
    pub fn check_fallback(
        &self,
        fallback: &BackendConfig,
        abilities: Abilities,
    ) -> Result<(), String> {
        let policy = self.settings.call.interruption.policy;
        if matches!(policy, InterruptionPolicy::Words(_)) && !abilities.transcribes {
            return Err(format!(
                "fallback: with interruption.policy `words` every backend must transcribe while the user \
                 speaks; this {} backend never does: expected another one, or the policy \
                 staged, immediate or never",
                fallback.name()
            ));
        }
        Ok(())
    }

    /// Lays the command line over the entry. A backend that is named there has nobody behind it.
    pub(super) fn apply(&mut self, overrides: &Overrides) -> Result<(), String> {
        if let Some(silence_ms) = overrides.silence_ms {
            if !SILENCE_MS.contains(&u64::from(silence_ms)) {
                return Err(format!(
                    "--silence-ms: expected {} to {}, received {silence_ms}",
                    SILENCE_MS.start(),
                    SILENCE_MS.end()
                ));
            }
            let silence = Duration::from_millis(u64::from(silence_ms));
            self.settings.call.endpoint = EndpointSettings::silence(silence);
            self.turn_model = None;
        }
        self.choose_backend(overrides)?;
        let is_nova = matches!(self.backend, BackendConfig::NovaSonic(_));
        self.settings.call.authority = authority(is_nova);
        let strategy = &mut self.settings.call.endpoint.strategy;
        if is_nova && overrides.silence_ms.is_some() {
            return Err(format!("--silence-ms: {NOVA_ENDS_TURNS}"));
        }
        // The one knows how, the others do not.
        match *strategy {
            _ if is_nova => *strategy = EndpointStrategy::Backend,
            EndpointStrategy::Backend if !matches!(self.backend, BackendConfig::Scripted(_)) => {
                *strategy = EndpointStrategy::Adaptive;
            }
            _ => {}
        }
        Ok(())
    }

    fn choose_backend(&mut self, overrides: &Overrides) -> Result<(), String> {
        let name = match (&overrides.backend, &overrides.script) {
            (Some(name), _) => name.as_str(),
            (None, Some(_)) => "scripted",
            (None, None) => return Ok(()),
        };
        self.fallback.clear();
        let is_current = self.backend.name() == name;
        match (name, &overrides.script) {
            ("scripted", Some(script)) => {
                self.backend = BackendConfig::Scripted(ScriptedSettings { script: script.clone() });
            }
            ("scripted", None) if !is_current => {
                return Err("--backend scripted needs a script: add --script FILE, such as \
                            deploy/examples/tone.yaml"
                    .to_owned());
            }
            (_, Some(_)) => {
                return Err(format!("--script goes with --backend scripted, not with {name}"));
            }
            (_, None) if is_current => {}
            ("cascade", None) => {
                return Err(
                    "--backend cascade needs its stages: describe an agent with them in a file, such as \
                     deploy/examples/csm.yaml, and start with --config FILE"
                        .to_owned(),
                );
            }
            ("local", None) => self.backend = BackendConfig::Local(LocalSettings::standard()),
            ("echo", None) => self.backend = BackendConfig::Echo(EchoSettings::STANDARD),
            ("nova_sonic", None) => self.backend = BackendConfig::NovaSonic(Box::default()),
            (unknown, None) => {
                return Err(format!(
                    "--backend: expected local, scripted, echo or nova_sonic, received `{unknown}`"
                ));
            }
        }
        Ok(())
    }
}

/// One agent, and the names of those whose backends it falls back on: [`fallback::resolve`] finds them.
pub(super) fn decode<'n>(
    place: &Place<'n>,
    errors: &mut Errors,
    folder: Option<&Path>,
    environment: &Environment,
) -> (AgentProfile, Vec<Place<'n>>) {
    let mut profile = AgentProfile::built_in();
    let mut known = vec![
        "persona",
        "greeting",
        "language",
        "backend",
        "local",
        "cascade",
        "scripted",
        "echo",
        "nova_sonic",
        "fallback",
        "tools",
    ];
    known.extend(SETTINGS);
    let Some(mut fields) = place.fields(errors, &known) else {
        return (profile, Vec::new());
    };
    if let Some(persona) = fields.string_max("persona", PERSONA_CHARS_MAX) {
        profile.persona = persona;
    }
    match fields.string_max("greeting", GREETING_CHARS_MAX) {
        Some(off) if off == "off" => profile.settings.call.greet = false,
        greeting => profile.greeting = greeting,
    }
    if let Some(language) = fields.string_max("language", 35) {
        profile.language = language;
    }
    profile.backend = backends::backend(&mut fields, folder, environment);
    (profile.tools, profile.tool_servers) = tools::tools(&mut fields, environment);
    if let Some(who) = english_only(&profile.backend).filter(|_| !is_english(&profile.language)) {
        let language = &profile.language;
        let problem = format!("{who} English only, received `{language}`; expected en or en-...");
        fields.refuse("language", problem);
    }
    let is_nova = matches!(profile.backend, BackendConfig::NovaSonic(_));
    if is_nova {
        profile.settings.call.endpoint.strategy = EndpointStrategy::Backend;
    }
    profile.settings.call.authority = authority(is_nova);
    // A script can say anything, Nova always does; the others leave the end of a turn to the call.
    let ends_turns = is_nova || matches!(profile.backend, BackendConfig::Scripted(_));
    let sources = Sources { folder, ends_turns, is_english: is_english(&profile.language) };
    (profile.turn_model, profile.clips) = settings(&mut fields, &mut profile.settings, &sources);
    if is_nova && profile.settings.call.endpoint.strategy != EndpointStrategy::Backend {
        fields.refuse("turn", NOVA_ENDS_TURNS);
    }
    (profile, fields.list("fallback", FALLBACKS_MAX))
}

/// What of a backend knows no other language.
fn english_only(backend: &BackendConfig) -> Option<&'static str> {
    match backend {
        BackendConfig::Local(_) => Some("the local backend hears and speaks"),
        BackendConfig::Cascade(stages) => stages.english_only(),
        BackendConfig::Scripted(_) | BackendConfig::Echo(_) | BackendConfig::NovaSonic(_) => None,
    }
}

/// Who decides whose turn it is: Nova does, and the others are told.
const fn authority(is_nova: bool) -> TurnAuthority {
    if is_nova { TurnAuthority::Backend } else { TurnAuthority::Local }
}

/// The keys of an agent that say how it listens and takes turns.
pub(super) const SETTINGS: [&str; 8] = [
    "turn",
    "speech",
    "echo_cancellation",
    "interruption",
    "wait",
    "idle",
    "noise_suppression",
    "jitter",
];

/// What decides whether [`SETTINGS`] are possible, beyond themselves.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    /// What paths are relative to.
    pub(super) folder: Option<&'a Path>,
    /// The backend can say when a turn is over.
    pub(super) ends_turns: bool,
    /// The agent speaks English.
    pub(super) is_english: bool,
}

/// Decodes [`SETTINGS`]. Answers the turn model's file and where the clips come from.
pub(super) fn settings(
    fields: &mut Fields<'_, '_>,
    settings: &mut AgentSettings,
    sources: &Sources<'_>,
) -> (Option<PathBuf>, ClipSources) {
    let Sources { folder, ends_turns, is_english } = *sources;
    let call = &mut settings.call;
    let turn_model = turn::turn(fields, call, folder, ends_turns);
    turn::speech(fields, call);
    interruption::interruption(fields, &mut call.interruption);
    waiting::idle(fields, &mut call.idle);
    let clips = waiting::wait(fields, call, folder, is_english);
    audio::uplink(fields, &mut settings.uplink);
    (turn_model, clips)
}

/// A list of words or phrases of at most `count_max` entries, none of them empty.
fn phrases(
    fields: &mut Fields<'_, '_>,
    key: &str,
    count_max: usize,
    chars_max: usize,
) -> Vec<String> {
    let mut phrases = Vec::new();
    for place in fields.list(key, count_max) {
        let Some(text) = place.string(fields.errors()) else { continue };
        let chars = text.chars().count();
        if text.trim().is_empty() || chars > chars_max {
            let expected = format!("1 to {chars_max} characters, of which it has {chars},");
            place.expected(fields.errors(), &expected);
        } else {
            phrases.push(text);
        }
    }
    phrases
}

fn is_english(language: &str) -> bool {
    language.split('-').next().is_some_and(|primary| primary.eq_ignore_ascii_case("en"))
}

/// A path of the file: relative ones begin at the file's folder.
pub(super) fn resolve(folder: Option<&Path>, path: &str) -> PathBuf {
    folder.map_or_else(|| PathBuf::from(path), |folder| folder.join(path))
}

#[cfg(test)]
mod tests;
