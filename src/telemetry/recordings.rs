//! Recordings on their way to the disk: one task and one file a call.
//!
//! A call hands its blocks over by a bounded queue and never waits. Compressing and writing happen on the
//! runtime's blocking threads, [`FLIGHT_WRITERS_MAX`] at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};

use crate::agent::AgentSettings;
use crate::config::RecordingsConfig;
use crate::flight::{Header, Kind, Recorder, file, redact};
use crate::limits::FLIGHT_WRITERS_MAX;
use crate::peer::{Recording, Tape, TapeItem};

/// What files of recordings end with.
const EXTENSION: &str = "flight";

/// Where calls are recorded.
#[derive(Debug)]
pub struct Recordings {
    directory: PathBuf,
    kind: Kind,
    writers: Arc<Semaphore>,
    /// Files being written.
    open: watch::Sender<usize>,
}

/// The directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "recordings.directory: cannot write to {}: {error}; name another, or leave it out and nothing is \
     recorded",
    directory.display()
)]
pub struct RecordingsError {
    directory: PathBuf,
    error: io::Error,
}

/// What is known of a call that begins.
#[derive(Clone, Copy, Debug)]
pub struct CallFacts<'a> {
    pub call: &'a str,
    /// When it began, as ISO 8601.
    pub began: &'a str,
    /// One of [`Header::CODECS`].
    pub codec: &'static str,
    pub voice_model: &'static str,
    pub settings: &'a AgentSettings,
}

impl Recordings {
    /// Makes the directory if it is missing, and tries it.
    pub fn prepare(config: &RecordingsConfig) -> Result<Self, RecordingsError> {
        let directory = config.directory.clone();
        match tried(&directory) {
            Ok(()) => Ok(Self {
                directory,
                kind: config.kind,
                writers: Arc::new(Semaphore::new(FLIGHT_WRITERS_MAX)),
                open: watch::Sender::new(0),
            }),
            Err(error) => Err(RecordingsError { directory, error }),
        }
    }

    /// Begins to record a call. Must be called inside a tokio runtime. What goes wrong with the file is
    /// logged; the call goes on.
    pub fn begin(&self, facts: &CallFacts<'_>) -> Recording {
        let CallFacts { call, began, codec, voice_model, settings } = *facts;
        let kept = match self.kind {
            Kind::Full => settings.clone(),
            Kind::Features => redact::settings(settings),
        };
        // The words that are taken out are found with the settings as they are.
        let recorder = Recorder::new(self.kind, settings);
        let header = Header {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            began: began.to_owned(),
            call: call.to_owned(),
            kind: self.kind,
            codec: codec.to_owned(),
            voice_model: voice_model.to_owned(),
            settings: kept,
        };
        let path = self.directory.join(call).with_extension(EXTENSION);
        let (tape, items) = Tape::new();
        self.open.send_modify(|open| *open += 1);
        let place = Place(self.open.clone());
        let (writers, call) = (Arc::clone(&self.writers), call.to_owned());
        tokio::spawn(async move {
            let _place = place;
            match write(path, header, items, &writers).await {
                Ok((bytes, "")) => tracing::info!(call, bytes, "call recorded"),
                Ok((bytes, note)) => {
                    tracing::warn!(call, bytes, note, "a recording ended before its call");
                }
                Err(error) => tracing::warn!(call, %error, "a recording could not be written"),
            }
        });
        Recording { recorder, tape }
    }

    /// Waits until every file is written, at most this long.
    pub async fn finished(&self, patience: Duration) {
        let mut open = self.open.subscribe();
        let all = open.wait_for(|open| *open == 0);
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::warn!(
                cut_off = *self.open.borrow(),
                "recordings were not written to their end"
            );
        }
    }
}

/// A file being written; dropping it counts it as written.
struct Place(watch::Sender<usize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

/// Writes what comes to its end. Returns the size of the file and the note at its end.
async fn write(
    path: PathBuf,
    header: Header,
    mut items: mpsc::Receiver<TapeItem>,
    writers: &Semaphore,
) -> io::Result<(u64, &'static str)> {
    let mut sink = Sink { file: None, path, bytes: 0 };
    sink = sink.append(writers, move || file::begin(&header)).await?;
    loop {
        match items.recv().await {
            Some(TapeItem::Block(block)) => {
                sink = sink.append(writers, move || file::block(&block)).await?;
            }
            Some(TapeItem::End(note)) => {
                let sink = sink.append(writers, move || file::end(note)).await?;
                return Ok((sink.bytes, note));
            }
            // The call was dropped before it began.
            None => return Ok((sink.bytes, "the call never began")),
        }
    }
}

/// A file, made when the first bytes come.
struct Sink {
    file: Option<File>,
    path: PathBuf,
    bytes: u64,
}

impl Sink {
    /// Appends what `make` makes, which may take its time.
    async fn append(
        mut self,
        writers: &Semaphore,
        make: impl FnOnce() -> Vec<u8> + Send + 'static,
    ) -> io::Result<Self> {
        let _permit = writers.acquire().await.map_err(io::Error::other)?;
        let append = move || {
            let bytes = make();
            let file = match &mut self.file {
                Some(file) => file,
                None => self.file.insert(create(&self.path)?),
            };
            file.write_all(&bytes)?;
            self.bytes += bytes.len() as u64;
            Ok(self)
        };
        tokio::task::spawn_blocking(append).await.map_err(io::Error::other)?
    }
}

/// A new file that only the server's user can read.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Whether files can be made in a directory, which is made if it is missing.
fn tried(directory: &Path) -> io::Result<()> {
    if !directory.is_dir() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let probe = directory.join(format!(".probe-{}", std::process::id()));
    create(&probe)?;
    fs::remove_file(probe)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::agent::Agent;
    use crate::dsp::vad::level::LevelVoice;
    use crate::flight::{Reader, Recorded};
    use crate::media::pcm::PcmCodec;
    use crate::time::SessionTime;

    fn recordings(name: &str) -> Recordings {
        let directory =
            std::env::temp_dir().join(format!("antiphon-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        let config = RecordingsConfig { directory, kind: Kind::Full };
        Recordings::prepare(&config).expect("a directory")
    }

    #[tokio::test]
    async fn a_call_becomes_one_private_file() {
        let recordings = recordings("one-file");
        let settings = AgentSettings::default();
        let facts = CallFacts {
            call: "abc",
            began: "2026-01-01T00:00:00Z",
            codec: "pcm16",
            voice_model: "level",
            settings: &settings,
        };
        let Recording { recorder, mut tape } = recordings.begin(&facts);
        let agent = Agent::new(settings.clone(), PcmCodec, LevelVoice::new(-50.0));
        let mut agent = Recorded::new(agent, Some(recorder));
        agent.handle_connected(SessionTime::ZERO);
        let recorder = agent.recorder().expect("it was given one");
        recorder.finish(SessionTime::from_millis(10), "client");
        tape.follow(recorder);
        recordings.finished(Duration::from_secs(10)).await;
        let path = recordings.directory.join("abc.flight");
        let mode = fs::metadata(&path).expect("it was made").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let bytes = fs::read(&path).expect("it can be read");
        let mut reader = Reader::open(&bytes).expect("a recording");
        while reader.next_block().expect("a whole file").is_some() {}
        assert_eq!(reader.note(), Some(""));
        fs::remove_dir_all(&recordings.directory).expect("it is ours");
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_told_at_start() {
        let config = RecordingsConfig { directory: "/proc/nowhere".into(), kind: Kind::Features };
        let error = Recordings::prepare(&config).expect_err("it cannot be made").to_string();
        assert!(
            error.starts_with("recordings.directory: cannot write to /proc/nowhere:"),
            "{error}"
        );
    }
}
