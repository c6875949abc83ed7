//! One stream to Amazon Transcribe: chunks up, results down.

use std::sync::Arc;

use aws_sdk_transcribestreaming::operation::start_stream_transcription as operation;
use aws_sdk_transcribestreaming::primitives::Blob;
use aws_sdk_transcribestreaming::types::error::AudioStreamError;
use aws_sdk_transcribestreaming::types::{
    AudioEvent, AudioStream, LanguageCode, MediaEncoding, PartialResultsStability,
    Result as Transcribed, TranscriptResultStream,
};
use futures_util::stream::poll_fn;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::hearing::{Segment, StreamEvent};
use super::{Stability, Transcribe, failed};
use crate::backend::cascade::aws::{ended, refused, unready};
use crate::backend::cascade::error::StageError;
use crate::backend::cascade::meter::Bill;
use crate::cascade::failover::FailureKind;
use crate::limits::{
    RECOGNISER_REPORTS_MAX, TRANSCRIBE_CHUNKS_MAX, TRANSCRIPT_BYTES_MAX, WIDEBAND_HZ,
};

/// A handle on it. Dropping it ends the stream.
#[derive(Debug)]
pub(super) struct Stream {
    chunks: mpsc::Sender<Chunk>,
    events: mpsc::Receiver<StreamEvent>,
    bill: Bill,
    /// Samples that wait for the service to accept the stream; once it has, none do.
    waiting: Option<usize>,
    task: JoinHandle<()>,
}

type Chunk = Result<AudioStream, AudioStreamError>;
type Opened = operation::StartStreamTranscriptionOutput;

impl Stream {
    /// Opens one; chunks may be sent at once.
    pub(super) fn open(service: Arc<Transcribe>, bill: Bill) -> Self {
        let (chunks, audio) = mpsc::channel(TRANSCRIBE_CHUNKS_MAX);
        let (reports, events) = mpsc::channel(RECOGNISER_REPORTS_MAX);
        let task = tokio::spawn(async move {
            let error = follow(&service, audio, &reports).await;
            // Nobody listening any more is no error.
            let _ = reports.send(StreamEvent::Lost(error)).await;
        });
        Self { chunks, events, bill, waiting: Some(0), task }
    }

    /// Some audio.
    pub(super) fn send(&mut self, pcm: &[i16]) -> Result<(), StageError> {
        let bytes: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let event = AudioEvent::builder().audio_chunk(Blob::new(bytes)).build();
        match self.chunks.try_send(Ok(AudioStream::AudioEvent(event))) {
            Ok(()) => {
                match &mut self.waiting {
                    Some(samples) => *samples += pcm.len(),
                    None => self.bill.heard(pcm.len()),
                }
                Ok(())
            }
            // If the stream has ended, its reason is on the way.
            Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => {
                Err(failed(FailureKind::Busy, "does not take the audio as fast as it comes"))
            }
        }
    }

    /// What it tells next. After [`StreamEvent::Lost`] nothing comes any more.
    pub(super) async fn event(&mut self) -> StreamEvent {
        let gone = || StreamEvent::Lost(failed(FailureKind::Broken, "hung up"));
        let event = self.events.recv().await.unwrap_or_else(gone);
        if event == StreamEvent::Opened
            && let Some(samples) = self.waiting.take()
        {
            self.bill.heard(samples);
        }
        event
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Until the stream ends; the reason why.
async fn follow(
    service: &Transcribe,
    audio: mpsc::Receiver<Chunk>,
    reports: &mpsc::Sender<StreamEvent>,
) -> StageError {
    let patience = service.settings.connect_timeout;
    let mut opened = match timeout(patience, open(service, audio)).await {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => return error,
        Err(_) => {
            let problem = format!("accepted no stream within {} s", patience.as_secs_f32());
            return failed(FailureKind::TimedOut, &problem);
        }
    };
    let gone = || failed(FailureKind::Broken, "hung up");
    if reports.send(StreamEvent::Opened).await.is_err() {
        return gone();
    }
    loop {
        let event = match opened.transcript_result_stream.recv().await {
            Ok(Some(event)) => event,
            Ok(None) => return gone(),
            Err(error) => return ended("Amazon Transcribe", &error),
        };
        let TranscriptResultStream::TranscriptEvent(event) = event else { continue };
        let results = event.transcript.and_then(|transcript| transcript.results);
        let results = results.unwrap_or_default();
        if results.iter().any(is_oversized) {
            return failed(FailureKind::Malformed, "sent a transcript that is too long");
        }
        let segments = results.into_iter().filter_map(segment).collect();
        if reports.send(StreamEvent::Heard(segments)).await.is_err() {
            return gone();
        }
    }
}

async fn open(
    service: &Transcribe,
    mut audio: mpsc::Receiver<Chunk>,
) -> Result<Opened, StageError> {
    let Transcribe { reach, settings } = service;
    let client = reach.client().await.map_err(|error| unready(&error))?;
    let stability = match settings.stability {
        Stability::Low => PartialResultsStability::Low,
        Stability::Medium => PartialResultsStability::Medium,
        Stability::High => PartialResultsStability::High,
    };
    let request = client
        .start_stream_transcription()
        .language_code(LanguageCode::from(settings.language.as_str()))
        .media_sample_rate_hertz(WIDEBAND_HZ as i32)
        .media_encoding(MediaEncoding::Pcm)
        .enable_partial_results_stabilization(true)
        .partial_results_stability(stability)
        .set_vocabulary_name(settings.vocabulary_name.clone())
        .audio_stream(poll_fn(move |context| audio.poll_recv(context)).into());
    match request.send().await {
        Ok(opened) => Ok(opened),
        Err(error) => Err(refused(reach, "Amazon Transcribe", &error).await),
    }
}

fn is_oversized(result: &Transcribed) -> bool {
    let alternatives = result.alternatives.iter().flatten();
    let bytes = alternatives.filter_map(|alternative| alternative.transcript.as_ref());
    bytes.map(String::len).any(|bytes| bytes > TRANSCRIPT_BYTES_MAX)
}

/// What is left out of a result is taken for nothing; a time that is none, for the beginning.
fn segment(result: Transcribed) -> Option<Segment> {
    let best = result.alternatives?.into_iter().next()?;
    // A cast saturates; what is not a number is 0.
    let to_ms = |seconds: f64| (seconds * 1_000.0) as u64;
    Some(Segment {
        id: result.result_id.unwrap_or_default(),
        start_ms: to_ms(result.start_time),
        end_ms: to_ms(result.end_time),
        text: best.transcript.unwrap_or_default(),
        is_final: !result.is_partial,
    })
}
