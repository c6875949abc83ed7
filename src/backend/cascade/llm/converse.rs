//! A language model on Amazon Bedrock, asked by `ConverseStream`.

mod wire;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::operation::converse_stream::ConverseStreamOutput as Opened;
use aws_sdk_bedrockruntime::types::{
    ContentBlockDelta, ContentBlockStart, ConverseStreamOutput as Event, InferenceConfiguration,
};
use tokio::time::timeout;

use super::{Answer, Asking};
use crate::backend::aws::{AwsSettings, Reach};
use crate::backend::cascade::aws::{ended, refused, unready};
use crate::backend::cascade::error::StageError;
use crate::backend::cascade::meter::Exchange;
use crate::backend::{BackendError, Problem};
use crate::cascade::chat::{CallFragment, ToolDeclaration};
use crate::cascade::context::Prompt;
use crate::cascade::converse::{Conversation, conversation};
use crate::cascade::failover::FailureKind;
use crate::cascade::price::Tokens;
use crate::limits::MODEL_EVENT_BYTES_MAX;

/// How long the count of an answer's tokens is waited for, which comes right after it.
const RECKONING: Duration = Duration::from_secs(1);
const SERVICE: &str = "the language model on Bedrock";

/// Which model and how long it may take.
#[derive(Clone, Debug, PartialEq)]
pub struct ConverseSettings {
    /// The id of a model or of an inference profile, such as
    /// `us.anthropic.claude-haiku-4-5-20251001-v1:0`. Required.
    pub model: String,
    /// How Bedrock is reached.
    pub aws: AwsSettings,
    /// Tokens of one reply, 1 to 4 096, default 300: some two minutes of speech.
    pub tokens_max: u32,
    /// How freely it chooses its words, 0 to 1. Default: the model's own.
    pub temperature: Option<f32>,
    /// From the request to the first text, 0.1 to 120 s, default 20 s.
    pub first_token_timeout: Duration,
    /// Between two pieces of text, 0.1 to 120 s, default 10 s.
    pub stall_timeout: Duration,
}

impl ConverseSettings {
    /// A model and the defaults for the rest.
    pub fn new(model: String) -> Self {
        Self {
            model,
            aws: AwsSettings::default(),
            tokens_max: 300,
            temperature: None,
            first_token_timeout: Duration::from_secs(20),
            stall_timeout: Duration::from_secs(10),
        }
    }
}

/// A model that can be asked.
#[derive(Debug)]
pub(in crate::backend) struct Converse {
    reach: Reach<Client>,
    settings: ConverseSettings,
}

impl Converse {
    /// Checks the settings. Nothing is sent yet.
    pub(in crate::backend) fn new(settings: ConverseSettings) -> Result<Self, BackendError> {
        if settings.model.trim().is_empty() {
            let problem = "llm.model: is required but empty".to_owned();
            return Err(BackendError::Invalid { problem });
        }
        let reach = Reach::new("llm", settings.aws.clone(), Client::new)?;
        Ok(Self { reach, settings })
    }

    /// Whether there are a region and keys.
    pub(in crate::backend) async fn check(&self) -> Result<(), Problem> {
        self.reach.check().await
    }

    /// As [`LlmStage::ask`](super::LlmStage::ask).
    pub(super) fn ask(
        model: &Arc<Self>,
        prompt: &Prompt,
        tools: &[ToolDeclaration],
        mut answer: Answer,
    ) -> Asking {
        let conversation = conversation(prompt, !tools.is_empty());
        let (model, tools) = (Arc::clone(model), tools.to_vec());
        Asking(tokio::spawn(async move {
            match model.answer(conversation, &tools, &mut answer).await {
                Ok(rest) => {
                    let exchange = answer.finish(Ok(())).await;
                    // Whoever asked has all of the answer, and drops this task.
                    tokio::spawn(timeout(RECKONING, reckon(rest, exchange)));
                }
                Err(error) => drop(answer.finish(Err(error)).await),
            }
        }))
    }

    async fn answer(
        &self,
        conversation: Conversation,
        tools: &[ToolDeclaration],
        answer: &mut Answer,
    ) -> Result<Opened, StageError> {
        let patience = self.settings.first_token_timeout;
        let opened = timeout(patience, self.open(conversation, tools));
        let mut opened = opened.await.unwrap_or_else(|_| Err(slow(patience)))?;
        let mut patience = patience;
        loop {
            let event = match timeout(patience, opened.stream.recv()).await {
                Err(_) => return Err(slow(patience)),
                Ok(Err(error)) => return Err(ended(SERVICE, &error)),
                // A stream that is reset for no reason looks like one that ends: only the stop tells.
                Ok(Ok(None)) => {
                    return Err(failed(FailureKind::Broken, "stopped in the middle of its answer"));
                }
                Ok(Ok(Some(event))) => event,
            };
            match answer.take_event(event).await? {
                Taken::Something => patience = self.settings.stall_timeout,
                Taken::Nothing => {}
                Taken::End => return Ok(opened),
            }
        }
    }

    async fn open(
        &self,
        conversation: Conversation,
        tools: &[ToolDeclaration],
    ) -> Result<Opened, StageError> {
        let client = self.reach.client().await.map_err(|error| unready(&error))?;
        let Self { settings, .. } = self;
        let Ok((system, messages)) = wire::messages(conversation) else {
            return Err(failed(FailureKind::Refused, "cannot be told this conversation"));
        };
        let Ok(tools) = wire::tools(tools) else {
            return Err(failed(FailureKind::Refused, "cannot be told these tools"));
        };
        let inference = InferenceConfiguration::builder()
            .max_tokens(i32::try_from(settings.tokens_max).unwrap_or(i32::MAX))
            .set_temperature(settings.temperature)
            .build();
        let request = client
            .converse_stream()
            .model_id(&settings.model)
            .set_system(system.map(|system| vec![system]))
            .set_messages(Some(messages))
            .set_tool_config(tools)
            .inference_config(inference);
        match request.send().await {
            Ok(opened) => Ok(opened),
            Err(error) => Err(refused(&self.reach, SERVICE, &error).await),
        }
    }
}

fn failed(kind: FailureKind, problem: &str) -> StageError {
    StageError::new(kind, format!("{SERVICE} {problem}"))
}

fn slow(patience: Duration) -> StageError {
    let problem = format!("did not answer within {} s", patience.as_secs_f32());
    failed(FailureKind::TimedOut, &problem)
}

enum Taken {
    Something,
    Nothing,
    End,
}

/// What comes after the end of an answer: how many tokens it was.
async fn reckon(mut rest: Opened, mut exchange: Exchange) {
    while let Ok(Some(event)) = rest.stream.recv().await {
        if let Event::Metadata(told) = event
            && let Some(usage) = told.usage
        {
            let count = |tokens: i32| u64::try_from(tokens).unwrap_or(0);
            let cached = count(usage.cache_read_input_tokens.unwrap_or(0));
            let written = count(usage.cache_write_input_tokens.unwrap_or(0));
            // What is read from the cache or written to it is not among the others.
            let prompt = count(usage.input_tokens).saturating_add(cached).saturating_add(written);
            let completion = count(usage.output_tokens);
            return exchange.told(Tokens { prompt, completion, cached });
        }
    }
}

impl Answer {
    /// Whatever is neither text nor a call of a tool is not said: the model's reasoning, above all.
    async fn take_event(&mut self, event: Event) -> Result<Taken, StageError> {
        match event {
            Event::ContentBlockStart(start) => {
                let Some(ContentBlockStart::ToolUse(call)) = start.start else {
                    return Ok(Taken::Nothing);
                };
                let named = |text: String| Some(text).filter(|text| !text.is_empty());
                let (id, name) = (named(call.tool_use_id), named(call.name));
                self.take_call(start.content_block_index, id, name, String::new()).await
            }
            Event::ContentBlockDelta(delta) => match delta.delta {
                Some(ContentBlockDelta::Text(text)) => self.take_text(text).await,
                Some(ContentBlockDelta::ToolUse(piece)) => {
                    self.take_call(delta.content_block_index, None, None, piece.input).await
                }
                Some(ContentBlockDelta::ReasoningContent(_)) => {
                    self.works().await;
                    Ok(Taken::Nothing)
                }
                _ => Ok(Taken::Nothing),
            },
            // What was used comes after it; whoever asked does not wait for that.
            Event::MessageStop(_) => Ok(Taken::End),
            _ => Ok(Taken::Nothing),
        }
    }

    async fn take_call(
        &mut self,
        block: i32,
        id: Option<String>,
        name: Option<String>,
        arguments: String,
    ) -> Result<Taken, StageError> {
        let index = u64::try_from(block).ok();
        self.calls.push(&CallFragment { index, id, name, arguments });
        self.works().await;
        Ok(Taken::Something)
    }

    async fn take_text(&mut self, text: String) -> Result<Taken, StageError> {
        if text.is_empty() {
            return Ok(Taken::Nothing);
        }
        if text.len() > MODEL_EVENT_BYTES_MAX {
            let problem = format!("sent more than {MODEL_EVENT_BYTES_MAX} bytes at once");
            return Err(failed(FailureKind::Malformed, &problem));
        }
        Ok(if self.say(text).await { Taken::Something } else { Taken::End })
    }
}
