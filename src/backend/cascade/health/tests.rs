//! Providers that are well, refuse the key, fail, are gone and come back: real servers on this machine.

mod asked;
mod watched;

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::backend::cascade::llm::model::tests::{Act, answer, event, serve_by, stream};
use crate::backend::cascade::llm::{LlmSettings, LlmStage};
use crate::backend::cascade::{ModelSettings, Ranked};
use crate::backend::tests::within;

/// An OpenAI-compatible server, until it is stopped. One request a connection, one connection at a time.
struct Server {
    address: SocketAddr,
    asked: mpsc::UnboundedReceiver<String>,
    serving: JoinHandle<()>,
}

impl Server {
    /// One that answers each request, of which it is given the text, so.
    async fn start(answers: impl Fn(&str) -> Vec<Act> + Send + Sync + 'static) -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into(), answers).await
    }

    async fn start_at(
        address: SocketAddr,
        answers: impl Fn(&str) -> Vec<Act> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.expect("the port is free");
        let address = listener.local_addr().expect("it is bound");
        let (tell, asked) = mpsc::unbounded_channel();
        let serving = tokio::spawn(async move {
            loop {
                let answer = |request: &str| {
                    let _ = tell.send(request.to_owned());
                    answers(request)
                };
                serve_by(&listener, answer).await;
            }
        });
        Self { address, asked, serving }
    }

    fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Accepts no connection any more.
    async fn stop(self) -> SocketAddr {
        self.serving.abort();
        let _ = self.serving.await;
        self.address
    }

    /// The requests so far that were more than a question whether it is well.
    fn worked(&mut self) -> usize {
        let asked = std::iter::from_fn(|| self.asked.try_recv().ok());
        asked.filter(|request| request.starts_with("POST")).count()
    }
}

/// The answer with this status, after which the connection is closed.
fn status(status: &str, body: &str) -> Vec<Act> {
    answer(&format!("{status}\r\nconnection: close"), "application/json", body)
}

/// Of a server that is well and writes an answer.
fn well(request: &str) -> Vec<Act> {
    match request.starts_with("GET /v1/models ") {
        true => status("200 OK", r#"{"object": "list", "data": []}"#),
        false => stream(vec![event("Hello."), Act::Chunk("data: [DONE]\n\n".to_owned())]),
    }
}

/// Of a server that says that it is not, although it would work.
fn unwell(request: &str) -> Vec<Act> {
    match request.starts_with("GET") {
        true => status("503 Oops", "{}"),
        false => well(request),
    }
}

fn refusing(_: &str) -> Vec<Act> {
    status("401 Unauthorized", r#"{"error": {"message": "no such key"}}"#)
}

fn chat(url: String) -> ModelSettings {
    ModelSettings::Chat(LlmSettings::new(url, "small".to_owned(), Some("the-key".to_owned())))
}

/// A stage with these models, each checked once in a while if a while is given.
fn models(
    urls: impl IntoIterator<Item = String>,
    every: Option<std::time::Duration>,
) -> Arc<Stage<LlmStage>> {
    let ranked = urls.into_iter().map(|url| {
        let mut model = Ranked::from(chat(url));
        model.usage.check_every = every;
        model
    });
    Arc::new(Stage::new("llm", ranked.collect(), LlmStage::load).expect("the settings are right"))
}
