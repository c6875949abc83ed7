//! A voice behind a WebSocket: Cartesia's, ElevenLabs', Deepgram's, and Kyutai's.
//!
//! ```text
//! Tts::speak --phrases--> task: line (one connection) --sound--> pieces --> reports
//!    ^ Speaking dropped ----' stop
//! ```
//!
//! A task a call owns its connection, which is opened with the call and again whenever it is lost, so that no
//! phrase waits for a handshake. What the providers differ in is pure: [`crate::cascade::voice`].

mod line;
mod pieces;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use self::line::{Line, LineError};
use self::pieces::{Piece, Pieces};
use super::{Speaking, Tts, TtsReport};
use crate::backend::Problem;
use crate::backend::cascade::error::StageError;
use crate::backend::cascade::meter::{Bill, Entry};
use crate::backend::cascade::socket::Door;
use crate::call::event::Generation;
use crate::cascade::cartesia::{CartesiaVoice, CartesiaWire};
use crate::cascade::deepgram_voice::DeepgramVoiceWire;
use crate::cascade::elevenlabs::ElevenLabsWire;
use crate::cascade::failover::FailureKind;
use crate::cascade::moshi_voice::MoshiVoiceWire;
use crate::cascade::voice::VoiceWire;
use crate::limits::{SENTENCE_BLOCKS_MAX, VOICE_PHRASES_MAX};

/// A key of a provider. Shows that there is one, never which.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(pub String);

impl fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("set")
    }
}

/// How long a voice behind a WebSocket may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoicePatience {
    /// To connect, 0.1 to 120 s, default 3 s.
    pub connect_timeout: Duration,
    /// From a phrase to its first audio, 0.1 to 120 s, default 10 s.
    pub first_audio_timeout: Duration,
    /// Between two pieces of audio, 0.1 to 120 s, default 5 s.
    pub stall_timeout: Duration,
}

impl Default for VoicePatience {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(3),
            first_audio_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(5),
        }
    }
}

/// A voice that can be asked.
#[derive(Debug)]
pub(in crate::backend::cascade) struct LiveVoice {
    pub(super) provider: Provider,
    pub(super) door: Door,
    /// Asked for with each connection.
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) sample_rate_hz: u32,
    pub(super) patience: VoicePatience,
}

/// Whose voice.
#[derive(Clone, Debug)]
pub(super) enum Provider {
    Cartesia(CartesiaVoice),
    ElevenLabs,
    Deepgram,
    Moshi,
}

impl LiveVoice {
    pub(in crate::backend::cascade) async fn check(&self) -> Result<(), Problem> {
        self.door.check("tts", &self.query).await
    }

    /// What a connection speaks.
    fn wire(&self) -> Box<dyn VoiceWire> {
        match &self.provider {
            Provider::Cartesia(voice) => Box::new(CartesiaWire::new(voice.clone())),
            Provider::ElevenLabs => Box::new(ElevenLabsWire::new(self.sample_rate_hz)),
            Provider::Deepgram => Box::new(DeepgramVoiceWire::new()),
            Provider::Moshi => Box::new(MoshiVoiceWire::default()),
        }
    }

    const fn name(&self) -> &'static str {
        match self.provider {
            Provider::Cartesia(_) => "Cartesia",
            Provider::ElevenLabs => "ElevenLabs",
            Provider::Deepgram => "Deepgram",
            Provider::Moshi => "the moshi-server",
        }
    }

    fn failure(&self, error: &LineError) -> StageError {
        let kind = error.kind();
        let remedy = match kind {
            FailureKind::Unauthorized => "; check the key that tts.api_key_env names",
            _ => "",
        };
        StageError::new(kind, format!("the voice fails: {} {error}{remedy}", self.name()))
    }
}

/// What the task is asked for.
#[derive(Debug)]
struct Phrase {
    work: Generation,
    text: String,
    pace: f32,
    /// Ends when the phrase is not wanted any more.
    stopped: oneshot::Receiver<()>,
}

/// A call's handle on the voice. Dropping it closes the connection.
#[derive(Debug)]
pub(in crate::backend::cascade) struct LiveSpeaker {
    voice: Arc<LiveVoice>,
    phrases: mpsc::Sender<Phrase>,
    reports: mpsc::Sender<TtsReport>,
}

impl LiveSpeaker {
    /// A handle and where it reports. The connection is being opened.
    pub(in crate::backend::cascade) fn open(
        voice: Arc<LiveVoice>,
        bill: Bill,
    ) -> (Self, mpsc::Receiver<TtsReport>) {
        let (phrases, asked) = mpsc::channel(VOICE_PHRASES_MAX);
        let (reports, reported) = mpsc::channel(SENTENCE_BLOCKS_MAX);
        let speech = Speech {
            line: Line::new(Arc::clone(&voice)),
            voice: Arc::clone(&voice),
            bill,
            reports: reports.clone(),
        };
        tokio::spawn(speech.run(asked));
        (Self { voice, phrases, reports }, reported)
    }
}

impl Tts for LiveSpeaker {
    fn sample_rate_hz(&self) -> u32 {
        self.voice.sample_rate_hz
    }

    fn speak(&self, work: Generation, text: String, pace: f32) -> Speaking {
        let (stop, stopped) = oneshot::channel();
        if self.phrases.try_send(Phrase { work, text, pace, stopped }).is_err() {
            let error = StageError::new(FailureKind::Busy, "the voice has not stopped yet");
            // No room there either: the call reads nothing any more.
            let _ = self.reports.try_send(TtsReport::Done { work, result: Err(error) });
        }
        Speaking::Live { _stop: stop }
    }
}

/// A call's task.
struct Speech {
    voice: Arc<LiveVoice>,
    line: Line,
    bill: Bill,
    reports: mpsc::Sender<TtsReport>,
}

impl Speech {
    async fn run(mut self, mut phrases: mpsc::Receiver<Phrase>) {
        loop {
            let phrase = tokio::select! {
                biased;
                phrase = phrases.recv() => phrase,
                never = self.line.keep() => match never {},
            };
            let Some(phrase) = phrase else { break };
            self.speak(phrase).await;
        }
        self.line.hang_up().await;
    }

    async fn speak(&mut self, phrase: Phrase) {
        let Phrase { work, text, pace, mut stopped } = phrase;
        let mut entry = None;
        let result = tokio::select! {
            biased;
            _ = &mut stopped => None,
            () = self.reports.closed() => None,
            result = say(&mut self.line, (&self.bill, &mut entry), &self.reports, (work, &text, pace)) => {
                Some(result)
            }
        };
        match result {
            None => self.line.stop().await,
            Some(result) => {
                let is_well = result.is_ok();
                let result = result.map_err(|error| self.voice.failure(&error));
                if let Some(mut entry) = entry {
                    entry.settle(&result);
                }
                // Nobody listening any more: the call is over, and this task with it.
                let _ = self.reports.send(TtsReport::Done { work, result }).await;
                self.line.finish(is_well).await;
            }
        }
    }
}

/// Speaks a phrase into `reports`. A connection that is lost before its first audio is opened once more.
async fn say(
    line: &mut Line,
    (bill, entry): (&Bill, &mut Option<Entry>),
    reports: &mpsc::Sender<TtsReport>,
    (work, text, pace): (Generation, &str, f32),
) -> Result<(), LineError> {
    let mut has_tried = false;
    loop {
        let mut pieces = Pieces::new(line.sample_rate_hz());
        line.speak(text, pace).await?;
        entry.get_or_insert_with(|| bill.speaks(text));
        let broke = loop {
            match line.hear(&mut pieces).await {
                Ok(is_done) => {
                    if is_done {
                        pieces.finish();
                    }
                    while let Some(piece) = pieces.pop() {
                        let _ = reports.send(report(work, piece)).await;
                    }
                    if is_done {
                        return pieces.has_begun().then_some(()).ok_or(LineError::Silent);
                    }
                }
                Err(error) => break error,
            }
        };
        if has_tried || pieces.has_begun() || !broke.is_lost() {
            return Err(broke);
        }
        has_tried = true;
        line.hang_up().await;
    }
}

fn report(work: Generation, piece: Piece) -> TtsReport {
    match piece {
        Piece::Words(words) => TtsReport::Words { work, words },
        Piece::Block(pcm) => TtsReport::Block { work, pcm },
    }
}

#[cfg(test)]
mod tests;
