//! Answers from a script: the shell around [`crate::script`].

use std::fs;
use std::future::{Future, pending};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::session::{self, Machine};
use super::wav;
use super::{
    Abilities, Backend, BackendError, BackendOutput, BackendSession, Busy, CallContext, ReplyAudio,
    channels,
};
use crate::agent::BackendInput;
use crate::limits::{BACKEND_EVENTS_WAITING_MAX, SCRIPT_WAV_SAMPLES_MAX, YAML_BYTES_MAX};
use crate::script::player::{Act, Player};
use crate::script::{self, Script, Step, Turn};
use crate::time::SessionTime;

/// What can be set of the scripted backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptedSettings {
    /// The script, a YAML file; the recordings it names are looked for beside it. Required.
    pub script: PathBuf,
}

/// The scripted backend: a script that was read and checked, its recordings loaded.
#[derive(Clone, Debug)]
pub struct Scripted {
    script: Arc<Script>,
    clips: Arc<[Vec<i16>]>,
}

impl Scripted {
    /// Reads and checks the script and everything it refers to.
    pub fn new(settings: &ScriptedSettings) -> Result<Self, BackendError> {
        let path = &settings.script;
        let unreadable = |error: String| BackendError::Unreadable { path: path.clone(), error };
        let size = fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
        if size > YAML_BYTES_MAX as u64 {
            let error = format!("it has {size} bytes, at most {YAML_BYTES_MAX} are read");
            return Err(unreadable(error));
        }
        let text = fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        let script = script::parse(&text)
            .map_err(|errors| BackendError::Script { path: path.clone(), errors })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let clips = load_clips(&script, folder)?;
        Ok(Self { script: Arc::new(script), clips })
    }
}

impl Backend for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn abilities(&self) -> Abilities {
        let hears = |turn: &Turn| {
            let transcribes = |step: &Step| matches!(step, Step::UserPartial(_));
            turn.hears.is_some() || turn.steps.iter().any(transcribes)
        };
        let transcribes = self.script.turns.iter().any(hears);
        Abilities {
            speculates: true,
            transcribes,
            says: true,
            greets: true,
            ends_turns: true,
            tools: false,
            // Its script says what it answers, whatever was said.
            recalls: true,
        }
    }

    fn open(&self, _call: CallContext) -> Result<BackendSession, Busy> {
        let (session, channels) = channels();
        let player =
            Player::new(Arc::clone(&self.script), Arc::clone(&self.clips), SessionTime::ZERO);
        let sample_rate_hz = self.script.sample_rate_hz;
        tokio::spawn(session::run(Scene { player, sample_rate_hz }, channels));
        Ok(session)
    }
}

struct Scene {
    player: Player,
    sample_rate_hz: u32,
}

impl Machine for Scene {
    type Report = ();

    fn handle_input(&mut self, now: SessionTime, input: BackendInput) {
        match input {
            BackendInput::Audio(_) => self.player.handle_frame(),
            BackendInput::Command(command) => self.player.handle_command(now, command),
        }
    }

    fn handle_report(&mut self, _now: SessionTime, (): ()) {}

    fn next_report(&mut self) -> impl Future<Output = ()> + Send {
        pending()
    }

    fn poll_output(&mut self, now: SessionTime) -> Option<BackendOutput> {
        match self.player.poll_output(now)? {
            Act::Event(event) => Some(BackendOutput::Event(event)),
            Act::Audio { generation, pcm } => {
                let sample_rate_hz = self.sample_rate_hz;
                Some(BackendOutput::Audio(ReplyAudio { generation, sample_rate_hz, pcm }))
            }
            Act::Drop => None,
        }
    }

    fn poll_timeout(&self) -> Option<SessionTime> {
        self.player.poll_timeout()
    }

    fn wants_input(&self) -> bool {
        self.player.events_waiting() < BACKEND_EVENTS_WAITING_MAX
    }

    fn is_over(&self) -> bool {
        self.player.is_gone()
    }
}

fn load_clips(script: &Script, folder: &Path) -> Result<Arc<[Vec<i16>]>, BackendError> {
    let mut clips = Vec::new();
    let mut samples_left = SCRIPT_WAV_SAMPLES_MAX;
    for file in &script.wavs {
        let path = folder.join(&file.path);
        let refuse = |error: String| BackendError::Unreadable {
            path: path.clone(),
            error: format!("{error} (named in line {} of the script)", file.at.line),
        };
        let recording = wav::read(&path, &[script.sample_rate_hz], samples_left).map_err(refuse)?;
        samples_left -= recording.pcm.len();
        clips.push(recording.pcm);
    }
    Ok(clips.into())
}

#[cfg(test)]
mod tests;
