//! `antiphon replay`: a recording through the same core, compared, shown, heard and drawn.

mod sound;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use similar::{ChangeTag, TextDiff};

use crate::agent::{AgentSettings, Observe, Observed};
use crate::call::event::{EchoVerdict, FrameFeatures, Generation};
use crate::config::{Config, Environment, Overrides, overlay};
use crate::dsp::silero::{Silero, SileroModel};
use crate::dsp::vad::{VoiceModel, WINDOW_SAMPLES};
use crate::flight::drawing::Drawing;
use crate::flight::replay::{Engine, Replay, hears_differently};
use crate::flight::{FileError, Header, Kind, Reader};
use crate::media::g711::Law;
use crate::media::negotiated::NegotiatedCodec;
use crate::time::SessionTime;
use sound::Sound;

/// The largest file read, in bytes: what the longest recording compresses to at worst.
const FILE_BYTES_MAX: u64 = crate::limits::FLIGHT_BYTES_MAX + crate::limits::FLIGHT_BYTES_MAX / 8;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct ReplayOptions {
    pub file: PathBuf,
    /// `key=value`, with the keys of an agent in the configuration.
    pub sets: Vec<String>,
    /// A folder for both sides as wav files.
    pub wav: Option<PathBuf>,
    /// A drawing.
    pub svg: Option<PathBuf>,
    /// What is drawn.
    pub from: Option<Duration>,
    pub to: Option<Duration>,
    /// The voice model judges the audio again.
    pub listen_again: bool,
    /// Every 20 ms of the user as measured, between the lines of the trace.
    pub frames: bool,
    /// What language models were told, between the lines of the trace.
    pub prompts: bool,
    /// No trace.
    pub quiet: bool,
}

/// How a replay went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As recorded, or as asked.
    Good,
    /// It decided otherwise, or the file is not whole.
    Different,
}

/// The voice model of a replay.
#[derive(Debug)]
enum Voice {
    Silero(Box<Silero>),
    /// Not asked: the recorded probabilities are taken.
    Recorded,
}

impl VoiceModel for Voice {
    fn step(&mut self, window: &[f32; WINDOW_SAMPLES]) -> f32 {
        match self {
            Self::Silero(silero) => silero.step(window),
            Self::Recorded => 0.0,
        }
    }

    fn reset(&mut self) {
        if let Self::Silero(silero) = self {
            silero.reset();
        }
    }
}

type Core = Engine<NegotiatedCodec, Voice>;

/// Replays. Writes to `out` what is to be read.
pub fn run(options: &ReplayOptions, out: &mut impl Write) -> Result<Outcome, String> {
    let shown = options.file.display();
    let told = |problem: String| format!("{shown}: {problem}");
    let bytes = read(&options.file).map_err(|error| told(error.to_string()))?;
    let reader = Reader::open(&bytes).map_err(|error| told(error.to_string()))?;
    let header = reader.header().clone();
    let settings =
        overlay(&header.settings, &options.sets).map_err(|problem| format!("--set: {problem}"))?;
    check(options, &header, &settings).map_err(told)?;
    let listens = options.listen_again || hears_differently(&header.settings, &settings);
    let model = if listens { Some(silero()?) } else { None };
    let watch = if options.wav.is_some() { Observe::Audio } else { Observe::Decisions };
    let core = |settings: &AgentSettings, listens: bool| {
        core(&header, settings, model.as_ref().filter(|_| listens), watch)
    };
    let mut replay = Replay::new(reader, core(&header.settings, options.listen_again)?);
    if !options.sets.is_empty() {
        replay = replay.what_if(core(&settings, listens)?);
    }
    let mut show = Show::new(options, &header)?;
    let began = Instant::now();
    let broken = show.play(&mut replay, out).map_err(|error| format!("output: {error}"))?;
    let took = began.elapsed();
    show.save()?;
    if let Some(note) = replay.note().filter(|note| !note.is_empty()) {
        say(out, format_args!("the recording ended before its call: {note}"))?;
    }
    let outcome = show.conclude(&replay, broken.as_ref(), out)?;
    let call = replay.at().since(SessionTime::ZERO);
    let speed = call.as_secs_f64() / took.as_secs_f64().max(1e-6);
    say(
        out,
        format_args!(
            "replayed {:.1} s of {} in {took:.1?} ({speed:.0} x)",
            call.as_secs_f64(),
            header.call
        ),
    )?;
    Ok(outcome)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let length = fs::metadata(path)?.len();
    if length > FILE_BYTES_MAX {
        let problem = format!("{length} bytes are more than recordings have ({FILE_BYTES_MAX})");
        return Err(io::Error::other(problem));
    }
    fs::read(path)
}

/// What cannot be done with this recording.
fn check(options: &ReplayOptions, header: &Header, other: &AgentSettings) -> Result<(), String> {
    if header.kind == Kind::Full {
        return Ok(());
    }
    let (was, is) = (&header.settings.call.interruption, &other.call.interruption);
    if was.protected != is.protected || was.backchannels != is.backchannels {
        let problem = "--set of interruption.protected or interruption.backchannels needs the words, and \
                       this recording holds features only";
        return Err(problem.to_owned());
    }
    let needs = if options.wav.is_some() {
        "--wav"
    } else if options.listen_again {
        "--listen-again"
    } else if hears_differently(&header.settings, other) {
        "--set of echo_cancellation, noise_suppression or jitter"
    } else {
        return Ok(());
    };
    Err(format!("{needs} needs the audio, and this recording holds features only"))
}

fn silero() -> Result<SileroModel, String> {
    let environment = Environment::of_process();
    let config = Config::load(None, &Overrides::default(), &environment)
        .map_err(|error| error.to_string())?;
    let folder = config.runtime_dir;
    SileroModel::load_sessions(
        &folder.join("libonnxruntime.so"),
        &folder.join("silero_vad.onnx"),
        1,
    )
    .map_err(|error| error.to_string())
}

fn core(
    header: &Header,
    settings: &AgentSettings,
    model: Option<&SileroModel>,
    watch: Observe,
) -> Result<Core, String> {
    if header.kind == Kind::Features {
        return Ok(Engine::conversation(settings));
    }
    let codec = match header.codec.as_str() {
        "opus" => NegotiatedCodec::opus(settings.uplink.decode_rate_hz())
            .map_err(|refused| refused.to_string())?,
        "pcmu" => NegotiatedCodec::g711(Law::Mu),
        "pcma" => NegotiatedCodec::g711(Law::A),
        other => return Err(format!("`{other}` is the codec of simulations, not of calls")),
    };
    let voice = model.map_or(Voice::Recorded, |model| Voice::Silero(Box::new(model.stream())));
    let listens = model.is_some();
    Ok(Engine::agent(settings.clone(), codec, voice, listens, watch))
}

/// What is made of a replay.
struct Show<'a> {
    options: &'a ReplayOptions,
    drawing: Option<Drawing>,
    sound: Option<Sound>,
    /// Under other settings: the lines of both, to be compared at the end.
    recorded: Vec<String>,
    other: Vec<String>,
}

impl<'a> Show<'a> {
    fn new(options: &'a ReplayOptions, header: &Header) -> Result<Self, String> {
        let time = |duration: Duration| SessionTime::ZERO + duration;
        let began = header.began.get(..19).unwrap_or(&header.began).replace('T', " ");
        let with = if options.sets.is_empty() {
            String::new()
        } else {
            format!(" · with {}", options.sets.join(", "))
        };
        let title = format!("Call {} · {began} UTC · {}{with}", header.call, header.kind.name());
        let from = options.from.map_or(SessionTime::ZERO, time);
        let drawing = Drawing::new(&title, from, options.to.map(time));
        Ok(Self {
            options,
            drawing: options.svg.as_ref().map(|_| drawing),
            sound: options.wav.as_deref().map(Sound::create).transpose()?,
            recorded: Vec::new(),
            other: Vec::new(),
        })
    }

    /// Plays to the end, or to where the file cannot be read further.
    fn play(
        &mut self,
        replay: &mut Replay<'_, NegotiatedCodec, Voice>,
        out: &mut impl Write,
    ) -> io::Result<Option<FileError>> {
        let compares = !self.options.sets.is_empty();
        loop {
            let advanced = replay.advance();
            while let Some(line) = replay.poll_recorded() {
                self.recorded.push(line);
            }
            while let Some(seen) = replay.poll_seen() {
                if let Some(drawing) = &mut self.drawing {
                    drawing.see(seen.at, &seen.observed);
                }
                if let Some(sound) = &mut self.sound {
                    sound.hear(&seen.observed);
                }
                if let Observed::Heard { features, echo } = &seen.observed
                    && self.options.frames
                {
                    writeln!(out, "{}", measured(seen.at, features, *echo))?;
                }
                if let Observed::Prompted { generation, prompt } = &seen.observed
                    && self.options.prompts
                {
                    writeln!(out, "{}", prompted(seen.at, *generation, prompt))?;
                }
                let Some(line) = seen.line else { continue };
                if compares {
                    self.other.push(line);
                } else if !self.options.quiet {
                    writeln!(out, "{line}")?;
                }
            }
            match advanced {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) => return Ok(Some(error)),
            }
        }
    }

    fn save(&mut self) -> Result<(), String> {
        if let (Some(drawing), Some(path)) = (&self.drawing, &self.options.svg) {
            fs::write(path, drawing.to_svg())
                .map_err(|error| format!("--svg {}: {error}", path.display()))?;
        }
        self.sound.take().map_or(Ok(()), Sound::finish)
    }

    fn conclude(
        &self,
        replay: &Replay<'_, NegotiatedCodec, Voice>,
        broken: Option<&FileError>,
        out: &mut impl Write,
    ) -> Result<Outcome, String> {
        let mut outcome = Outcome::Good;
        if let Some(error) = broken {
            say(out, format_args!("{}: {error}", self.options.file.display()))?;
            outcome = Outcome::Different;
        }
        if let Some(difference) = replay.difference() {
            let shown =
                |line: &Option<String>| line.clone().unwrap_or_else(|| "(nothing)".to_owned());
            say(
                out,
                format_args!(
                    "other decisions from line {} on:\n  recorded {}\n  replayed {}",
                    difference.line,
                    shown(&difference.recorded),
                    shown(&difference.replayed)
                ),
            )?;
            return Ok(Outcome::Different);
        }
        if self.options.sets.is_empty() {
            let upto = if broken.is_some() { " up to there" } else { "" };
            say(out, format_args!("same decisions: {} lines{upto}", replay.lines()))?;
        } else {
            self.compare(out)?;
        }
        Ok(outcome)
    }

    /// Both traces, merged. Lines that only moved in time are one decision.
    fn compare(&self, out: &mut impl Write) -> Result<(), String> {
        let (before, after) = (keys(&self.recorded), keys(&self.other));
        let diff =
            TextDiff::configure().timeout(Duration::from_secs(5)).diff_slices(&before, &after);
        let mut has_departed = false;
        for change in diff.iter_all_changes() {
            let old = change.old_index().and_then(|index| self.recorded.get(index));
            let new = change.new_index().and_then(|index| self.other.get(index));
            let (sign, line) = match (change.tag(), old, new) {
                (ChangeTag::Equal, Some(old), Some(new)) if old == new => (' ', new.clone()),
                (ChangeTag::Equal, Some(old), Some(new)) => ('~', moved(old, new)),
                (_, Some(old), _) => ('-', old.clone()),
                (_, _, Some(new)) => ('+', new.clone()),
                _ => continue,
            };
            if sign != ' ' && !has_departed {
                has_departed = true;
                say(
                    out,
                    format_args!(
                        "---- here the replay departs from what was recorded: from now on the user and \
                         the\n---- backend do what they did in the recorded call, whatever is decided; \
                         answers go to\n---- the replies of the same number (- recorded, + replayed, ~ \
                         moved in time)"
                    ),
                )?;
            }
            if !self.options.quiet || sign != ' ' {
                say(out, format_args!("{sign} {line}"))?;
            }
        }
        if !has_departed {
            say(out, format_args!("these settings decide the same: {} lines", self.other.len()))?;
        }
        Ok(())
    }
}

/// What lines say, without their times.
fn keys(lines: &[String]) -> Vec<&str> {
    lines.iter().map(|line| parts(line).1).collect()
}

/// What a model was told, a line for each of its own.
fn prompted(at: SessionTime, generation: Generation, prompt: &str) -> String {
    let lines = prompt.lines().map(|line| format!("\n      | {line}")).collect::<String>();
    format!("{at}     prompted {generation}{lines}")
}

/// 20 ms of the user, as a line.
fn measured(at: SessionTime, features: &FrameFeatures, echo: EchoVerdict) -> String {
    let FrameFeatures { at: _, voice, level_dbfs, pitch_hz, echo: evidence, concealed } = features;
    let pitch = pitch_hz.map_or_else(|| "-".to_owned(), |pitch_hz| format!("{pitch_hz:.0}"));
    let delay = evidence.delay.map_or_else(|| "-".to_owned(), |it| it.as_millis().to_string());
    format!(
        "{at}     voice={voice:.2} dbfs={level_dbfs:.0} pitch={pitch} echo={} likeness={:.2} reference={:.0} \
         captured={:.0} delay={delay} canceller={:?} concealed={concealed}",
        echo.name(),
        evidence.likeness,
        evidence.reference_dbfs,
        evidence.captured_dbfs,
        evidence.canceller,
    )
}

/// The time of a line in ms, and what it says.
fn parts(line: &str) -> (i64, &str) {
    let (time, text) = line.split_once("ms ").unwrap_or(("", line));
    (time.trim_start_matches('@').parse().unwrap_or(0), text)
}

fn moved(old: &str, new: &str) -> String {
    let shift_ms = parts(new).0 - parts(old).0;
    format!("{new} ({shift_ms:+} ms)")
}

fn say(out: &mut impl Write, text: std::fmt::Arguments<'_>) -> Result<(), String> {
    writeln!(out, "{text}").map_err(|error| format!("output: {error}"))
}
