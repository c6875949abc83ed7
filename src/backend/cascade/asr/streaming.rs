//! Recognisers that hear a turn while it is spoken, over a WebSocket a call: Deepgram's Nova and Flux, and
//! Kyutai's `moshi-server`.
//!
//! What they have in common is decided in [`hearing`]; how each is written to and read stands in [`wire`].
//! Here are the socket and the clock.

mod hearing;
mod settings;
mod wire;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;

pub use self::settings::{DeepgramSettings, FluxSettings, MoshiSettings};

use self::hearing::{Act, Hearing, Manner, Outgoing};
use self::wire::Wire;
use super::listener::Listener;
use super::{Ask, AsrReport};
use crate::backend::cascade::error::StageError;
use crate::backend::cascade::meter::Bill;
use crate::backend::cascade::socket::{Door, Socket, SocketError};
use crate::backend::{BackendError, Problem};
use crate::cascade::recognition::Recognised;
use crate::cascade::{deepgram, flux};
use crate::limits::{RECOGNISER_CLOSE_TIMEOUT, RECOGNISER_SEND_TIMEOUT};
use crate::time::SessionTime;

/// The key of servers that were not given another.
const MOSHI_PUBLIC_KEY: &str = "public_token";

/// A service that can be asked.
#[derive(Debug)]
pub(in crate::backend::cascade) struct Streaming {
    door: Door,
    query: Vec<(&'static str, String)>,
    speaks: Speaks,
    manner: Manner,
}

/// Whose messages it speaks.
#[derive(Clone, Copy, Debug)]
enum Speaks {
    Deepgram,
    Flux,
    Moshi { delay: Duration },
}

impl Streaming {
    /// Checks the settings. Nothing is sent yet.
    pub(in crate::backend::cascade) fn deepgram(
        settings: DeepgramSettings,
    ) -> Result<Self, BackendError> {
        let door = token_door(&settings.url, settings.api_key, settings.connect_timeout)?;
        let mut query = vec![("model", settings.model)];
        query.extend(settings.language.map(|language| ("language", language)));
        query.extend(settings.vocabulary.into_iter().map(|term| ("keyterm", term)));
        query.extend(deepgram::QUERY.map(|(name, value)| (name, value.to_owned())));
        let manner = Manner {
            service: "Deepgram",
            ready_timeout: None,
            is_gapless: false,
            flushes_likely_ends: true,
            answer_timeout: settings.answer_timeout,
        };
        Ok(Self { door, query, speaks: Speaks::Deepgram, manner })
    }

    /// Checks the settings. Nothing is sent yet.
    pub(in crate::backend::cascade) fn flux(settings: FluxSettings) -> Result<Self, BackendError> {
        let door = token_door(&settings.url, settings.api_key, settings.connect_timeout)?;
        let mut query = vec![
            ("model", settings.model),
            ("eot_threshold", settings.eot_threshold.to_string()),
            ("eager_eot_threshold", settings.eager_eot_threshold.to_string()),
            ("eot_timeout_ms", settings.eot_timeout.as_millis().to_string()),
        ];
        query.extend(settings.language.map(|language| ("language_hint", language)));
        query.extend(settings.vocabulary.into_iter().map(|term| ("keyterm", term)));
        query.extend(flux::QUERY.map(|(name, value)| (name, value.to_owned())));
        let manner = Manner {
            service: "Deepgram Flux",
            ready_timeout: None,
            is_gapless: true,
            flushes_likely_ends: false,
            answer_timeout: settings.answer_timeout,
        };
        Ok(Self { door, query, speaks: Speaks::Flux, manner })
    }

    /// Checks the settings. Nothing is sent yet.
    pub(in crate::backend::cascade) fn moshi(
        settings: MoshiSettings,
    ) -> Result<Self, BackendError> {
        let key = settings.api_key.as_deref().unwrap_or(MOSHI_PUBLIC_KEY);
        let headers = [("kyutai-api-key", key)];
        let patience = settings.connect_timeout;
        let door = Door::new("asr.url", &settings.url, "api/asr-streaming", &headers, patience)?;
        let manner = Manner {
            service: "the moshi server",
            ready_timeout: Some(settings.connect_timeout),
            is_gapless: true,
            flushes_likely_ends: true,
            answer_timeout: settings.answer_timeout,
        };
        let speaks = Speaks::Moshi { delay: settings.delay };
        Ok(Self { door, query: Vec::new(), speaks, manner })
    }

    pub(in crate::backend::cascade) async fn check(&self) -> Result<(), Problem> {
        self.door.check("asr", &self.query).await
    }

    async fn connect(self: Arc<Self>) -> Result<Box<Connection>, StageError> {
        let query: Vec<(&str, &str)> =
            self.query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let socket = self.door.open(&query).await.map_err(|error| self.failed(&error))?;
        let wire = match self.speaks {
            Speaks::Deepgram => Wire::Deepgram,
            Speaks::Flux => Wire::Flux,
            Speaks::Moshi { delay } => Wire::moshi(delay),
        };
        Ok(Box::new(Connection { socket, wire }))
    }

    fn failed(&self, error: &SocketError) -> StageError {
        StageError::new(error.kind(), format!("{} {error}", self.manner.service))
    }
}

/// Where Deepgram listens.
fn token_door(url: &str, key: Option<String>, patience: Duration) -> Result<Door, BackendError> {
    let token = key.map(|key| format!("Token {key}"));
    let headers: Vec<_> = token.iter().map(|token| ("authorization", token.as_str())).collect();
    Door::new("asr.url", url, "listen", &headers, patience)
}

/// Connects, so that it can listen to a call.
pub(super) fn open(service: Arc<Streaming>, bill: Bill) -> (Listener, mpsc::Receiver<AsrReport>) {
    Listener::spawn(|asked, reports| Listening::new(service, bill, reports).run(asked))
}

/// An open connection.
struct Connection {
    socket: Socket,
    wire: Wire,
}

type Opening = Pin<Box<dyn Future<Output = Result<Box<Connection>, StageError>> + Send>>;

/// What there is of a connection.
enum Line {
    Closed,
    Opening(Opening),
    Open(Box<Connection>),
}

/// What happens on it.
enum LineEvent {
    Opened(Result<Box<Connection>, StageError>),
    Message(Recognised),
    Lost(SocketError),
}

/// The task of a call: what is asked and what the service says goes through [`Hearing`].
struct Listening {
    service: Arc<Streaming>,
    bill: Bill,
    reports: mpsc::Sender<AsrReport>,
    began: Instant,
    hearing: Hearing,
    line: Line,
}

impl Listening {
    fn new(service: Arc<Streaming>, bill: Bill, reports: mpsc::Sender<AsrReport>) -> Self {
        let hearing = Hearing::new(service.manner.clone());
        Self { service, bill, reports, began: Instant::now(), hearing, line: Line::Closed }
    }

    fn now(&self) -> SessionTime {
        let micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        SessionTime::from_micros(micros)
    }

    async fn run(mut self, mut asked: mpsc::Receiver<Ask>) {
        while self.act().await.is_ok() {
            let wake_at = self.hearing.poll_timeout();
            let wake_at = wake_at.map(|at| self.began + at.since(SessionTime::ZERO));
            tokio::select! {
                ask = asked.recv() => match ask {
                    Some(ask) => self.hearing.handle_ask(self.now(), ask),
                    None => break,
                },
                event = self.line.next() => self.handle_line(event),
                () = sleep_until(wake_at.unwrap_or(self.began)), if wake_at.is_some() => {
                    self.hearing.handle_timeout(self.now());
                }
            }
        }
        self.line.hang_up();
    }

    /// Does what is to be done. Fails if nobody reads the reports any more.
    async fn act(&mut self) -> Result<(), mpsc::error::SendError<AsrReport>> {
        while let Some(act) = self.hearing.poll_act() {
            match act {
                Act::Connect => {
                    self.line = Line::Opening(Box::pin(Arc::clone(&self.service).connect()));
                }
                Act::Send(outgoing) => {
                    if let Err(error) = self.line.send(&outgoing, &self.bill).await {
                        // What else was to be sent would only fail again.
                        self.line.hang_up();
                        let error = self.service.failed(&error);
                        self.hearing.handle_lost(self.now(), error);
                    }
                }
                Act::HangUp => self.line.hang_up(),
                Act::Report(report) => self.reports.send(report).await?,
            }
        }
        Ok(())
    }

    fn handle_line(&mut self, event: LineEvent) {
        let now = self.now();
        match event {
            LineEvent::Opened(Ok(connection)) => {
                self.line = Line::Open(connection);
                self.hearing.handle_opened(now);
            }
            LineEvent::Opened(Err(error)) => self.hearing.handle_lost(now, error),
            LineEvent::Message(message) => self.hearing.handle_message(now, message),
            LineEvent::Lost(error) => self.hearing.handle_lost(now, self.service.failed(&error)),
        }
    }
}

impl Line {
    /// What happens next; nothing on one that is closed. Dropping the future loses nothing.
    async fn next(&mut self) -> LineEvent {
        match self {
            Self::Closed => std::future::pending().await,
            Self::Opening(opening) => LineEvent::Opened(opening.await),
            Self::Open(connection) => connection.next().await,
        }
    }

    /// On one that is not open, nothing is sent.
    async fn send(&mut self, outgoing: &Outgoing, bill: &Bill) -> Result<(), SocketError> {
        let Self::Open(connection) = self else { return Ok(()) };
        let Connection { socket, wire } = &mut **connection;
        let sending = async {
            for message in wire.write(outgoing) {
                socket.feed(message).await?;
            }
            socket.flush().await
        };
        match timeout(RECOGNISER_SEND_TIMEOUT, sending).await {
            Ok(sent) => sent?,
            Err(_) => return Err(SocketError::Broken),
        }
        if let Outgoing::Audio(pcm) = outgoing {
            bill.heard(pcm.len());
        }
        Ok(())
    }

    /// Says goodbye, for which nobody waits.
    fn hang_up(&mut self) {
        if let Self::Open(connection) = std::mem::replace(self, Self::Closed) {
            tokio::spawn(timeout(RECOGNISER_CLOSE_TIMEOUT, connection.close()));
        }
    }
}

impl Connection {
    async fn next(&mut self) -> LineEvent {
        loop {
            match self.socket.next().await {
                None | Some(Ok(Message::Close(_))) => return LineEvent::Lost(SocketError::Broken),
                Some(Err(error)) => return LineEvent::Lost(error.into()),
                Some(Ok(message)) => {
                    if let Some(recognised) = self.wire.read(&message) {
                        return LineEvent::Message(recognised);
                    }
                }
            }
        }
    }

    async fn close(mut self: Box<Self>) {
        if let Some(goodbye) = self.wire.goodbye()
            && self.socket.send(goodbye).await.is_err()
        {
            return;
        }
        // The other side's last words are read, so that ours arrive before the connection is reset.
        if self.socket.close(None).await.is_ok() {
            while let Some(Ok(_)) = self.socket.next().await {}
        }
    }
}

#[cfg(test)]
mod tests;
