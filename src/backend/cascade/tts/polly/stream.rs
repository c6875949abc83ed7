//! A phrase over a stream of both directions (`StartSpeechSynthesisStream`).

use aws_sdk_polly::error::BuildError;
use aws_sdk_polly::types::error::StartSpeechSynthesisStreamActionStreamError as ActionError;
use aws_sdk_polly::types::{
    CloseStreamEvent, Engine, FlushStreamConfiguration, OutputFormat,
    StartSpeechSynthesisStreamActionStream as Action,
    StartSpeechSynthesisStreamEventStream as Event, TextEvent, TextType, VoiceId,
};
use futures_util::stream;
use tokio::time::timeout;

use super::{Audio, Polly, SERVICE, broken, failed, slow};
use crate::backend::cascade::aws::{ended, refused, unready};
use crate::backend::cascade::error::StageError;
use crate::cascade::failover::FailureKind;

/// Speaks it into `audio`, up to the end that the service tells.
pub(super) async fn speak(
    polly: &Polly,
    text: String,
    audio: &mut Audio<'_>,
) -> Result<(), StageError> {
    let settings = &polly.settings;
    let first = settings.first_audio_timeout;
    let Ok(actions) = actions(text) else {
        return Err(failed(FailureKind::Refused, "cannot be told this phrase"));
    };
    let opening = async {
        let client = polly.reach.client().await.map_err(|error| unready(&error))?;
        let request = client
            .start_speech_synthesis_stream()
            .engine(Engine::from(settings.engine.as_str()))
            .voice_id(VoiceId::from(settings.voice.as_str()))
            .output_format(OutputFormat::Pcm)
            .sample_rate(settings.sample_rate_hz.to_string())
            .action_stream(stream::iter(actions.map(Ok::<_, ActionError>)).into());
        match request.send().await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(refused(&polly.reach, SERVICE, &error).await),
        }
    };
    let opened = timeout(first, opening).await.unwrap_or_else(|_| Err(slow(first)))?;
    let mut events = opened.event_stream;
    loop {
        let patience = polly.patience(audio);
        match timeout(patience, events.recv()).await {
            Err(_) => return Err(slow(patience)),
            Ok(Err(error)) => return Err(ended(SERVICE, &error)),
            // One that is reset for no reason looks like one that ends: only the last event tells.
            Ok(Ok(None)) => return Err(broken()),
            Ok(Ok(Some(Event::StreamClosedEvent(_)))) => return Ok(()),
            Ok(Ok(Some(Event::AudioEvent(event)))) => {
                if let Some(chunk) = event.audio_chunk {
                    audio.push(chunk.as_ref()).await?;
                }
            }
            Ok(Ok(Some(_))) => {}
        }
    }
}

/// The phrase, to be spoken at once, and that nothing follows.
fn actions(text: String) -> Result<[Action; 2], BuildError> {
    let flush = FlushStreamConfiguration::builder().force(true).build();
    let event = TextEvent::builder().text(text).text_type(TextType::Text);
    let event = event.flush_stream_configuration(flush).build()?;
    Ok([Action::TextEvent(event), Action::CloseStreamEvent(CloseStreamEvent::builder().build())])
}
