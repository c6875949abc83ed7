//! The connection of one call's voice: opened ahead, kept, watched, closed.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::LiveVoice;
use super::pieces::{Pieces, TooLong};
use crate::backend::cascade::error::kind_of_status;
use crate::backend::cascade::socket::{Socket, SocketError};
use crate::cascade::failover::FailureKind;
use crate::cascade::voice::{Heard, Message, Received, VoiceError, VoiceWire};
use crate::limits::{MODEL_ERROR_CHARS_MAX, SPEECH_SECONDS_MAX};

/// Silence of the provider after which it is asked whether it is there; after as much again it is not.
const QUIET: Duration = Duration::from_secs(10);
/// A connection that lasted this long, or spoke, is replaced when it is lost; another only when it is needed,
/// so that a provider that hangs up on everyone is not called without end.
const WORTH_REPLACING: Duration = Duration::from_secs(5);
/// To say goodbye, or to say that a phrase is not wanted.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why a phrase was not spoken, or not to its end. The texts follow the name of a service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LineError {
    #[error(transparent)]
    Socket(#[from] SocketError),
    #[error("hung up: {reason}")]
    HungUp { is_busy: bool, reason: String },
    #[error(transparent)]
    Voice(#[from] VoiceError),
    #[error("sent no audio within {} s", .0.as_secs_f32())]
    Slow(Duration),
    #[error("sent no audio for a phrase")]
    Silent,
    #[error("sent more than {SPEECH_SECONDS_MAX} s of audio for a phrase")]
    TooLong,
}

impl LineError {
    pub(super) const fn kind(&self) -> FailureKind {
        match self {
            Self::Socket(error) => error.kind(),
            Self::Voice(VoiceError::Refused { status, .. }) => kind_of_status(*status),
            Self::HungUp { is_busy: true, .. } | Self::Voice(VoiceError::Busy(_)) => {
                FailureKind::Busy
            }
            Self::HungUp { .. } | Self::Silent | Self::Voice(VoiceError::Failed(_)) => {
                FailureKind::Broken
            }
            Self::Slow(_) => FailureKind::TimedOut,
            Self::TooLong | Self::Voice(VoiceError::Unreadable) => FailureKind::Malformed,
        }
    }

    /// Whether a connection was lost that may have been stale: another may do.
    pub(super) const fn is_lost(&self) -> bool {
        matches!(self, Self::Socket(SocketError::Broken) | Self::HungUp { is_busy: false, .. })
    }
}

type Opening = Pin<Box<dyn Future<Output = Result<Socket, SocketError>> + Send>>;

/// A call's line to its voice.
pub(super) struct Line {
    voice: Arc<LiveVoice>,
    state: State,
}

enum State {
    Closed,
    Opening(Opening),
    Open(Box<Connection>),
}

struct Connection {
    socket: Socket,
    wire: Box<dyn VoiceWire>,
    opened: Instant,
    phrase: Progress,
}

/// How far the connection is with its phrases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// None was spoken yet.
    Fresh,
    /// One is spoken; audio has to come until then, after this time.
    Speaking { until: Instant, patience: Duration },
    /// None is spoken any more.
    Spoken,
}

impl Line {
    /// A line that is being opened, as long as [`Line::keep`] or another of its futures is polled.
    pub(super) fn new(voice: Arc<LiveVoice>) -> Self {
        let mut line = Self { voice, state: State::Closed };
        line.open_ahead();
        line
    }

    /// The rate of its voice.
    pub(super) fn sample_rate_hz(&self) -> u32 {
        self.voice.sample_rate_hz
    }

    /// Keeps the line open while nothing is spoken. Dropping the future loses nothing.
    pub(super) async fn keep(&mut self) -> Infallible {
        loop {
            match &mut self.state {
                State::Closed => pending().await,
                State::Opening(opening) => match opening.await {
                    Ok(socket) => self.opened(socket),
                    // The next phrase tries again and tells what it met.
                    Err(_) => self.state = State::Closed,
                },
                State::Open(connection) => {
                    connection.keep().await;
                    let is_worth_it = connection.phrase != Progress::Fresh
                        || connection.opened.elapsed() >= WORTH_REPLACING;
                    self.state = State::Closed;
                    if is_worth_it {
                        self.open_ahead();
                    }
                }
            }
        }
    }

    /// Has this spoken, once there is a connection.
    pub(super) async fn speak(&mut self, text: &str, pace: f32) -> Result<(), LineError> {
        self.open_ahead();
        if let State::Opening(opening) = &mut self.state {
            match opening.await {
                Ok(socket) => self.opened(socket),
                Err(error) => {
                    self.state = State::Closed;
                    return Err(error.into());
                }
            }
        }
        if let State::Open(connection) = &mut self.state {
            let patience = self.voice.patience.first_audio_timeout;
            connection.phrase = Progress::Speaking { until: Instant::now() + patience, patience };
            connection.wire.speak(text, pace);
        }
        Ok(())
    }

    /// Waits for more of the phrase and adds it to `pieces`; true at its end.
    pub(super) async fn hear(&mut self, pieces: &mut Pieces) -> Result<bool, LineError> {
        let stall_timeout = self.voice.patience.stall_timeout;
        let State::Open(connection) = &mut self.state else {
            return Err(SocketError::Broken.into());
        };
        connection.hear(pieces, stall_timeout).await
    }

    /// The phrase is not wanted any more, however far it is.
    pub(super) async fn stop(&mut self) {
        let is_kept = match &mut self.state {
            State::Open(connection) => connection.stop().await,
            State::Closed | State::Opening(_) => true,
        };
        if !is_kept {
            self.hang_up().await;
        }
        self.open_ahead();
    }

    /// The phrase is over.
    pub(super) async fn finish(&mut self, is_well: bool) {
        let is_kept = match &mut self.state {
            State::Open(connection) => {
                connection.phrase = Progress::Spoken;
                is_well && !connection.wire.speaks_once()
            }
            State::Closed | State::Opening(_) => true,
        };
        if !is_kept {
            self.hang_up().await;
        }
        self.open_ahead();
    }

    /// Closes what is open.
    pub(super) async fn hang_up(&mut self) {
        if let State::Open(mut connection) = std::mem::replace(&mut self.state, State::Closed) {
            // Whatever becomes of it, the connection is over.
            let _ = timeout(FAREWELL, connection.socket.close(None)).await;
        }
    }

    fn open_ahead(&mut self) {
        if let State::Closed = self.state {
            let voice = Arc::clone(&self.voice);
            self.state = State::Opening(Box::pin(async move {
                let query: Vec<_> =
                    voice.query.iter().map(|(name, value)| (*name, value.as_str())).collect();
                voice.door.open(&query).await
            }));
        }
    }

    fn opened(&mut self, socket: Socket) {
        self.state = State::Open(Box::new(Connection {
            socket,
            wire: self.voice.wire(),
            opened: Instant::now(),
            phrase: Progress::Fresh,
        }));
    }
}

impl Connection {
    /// Reads what nobody waits for, until the connection is lost.
    async fn keep(&mut self) {
        let mut was_asked = false;
        loop {
            let heard = tokio::select! {
                heard = receive(&mut self.socket, &mut *self.wire) => heard,
                () = sleep(QUIET) => {
                    let ping = tungstenite::Message::Ping(tungstenite::Bytes::new());
                    if was_asked || self.socket.send(ping).await.is_err() {
                        return;
                    }
                    was_asked = true;
                    continue;
                }
            };
            let Ok(Came::Message(_)) = heard else { return };
            was_asked = false;
        }
    }

    async fn hear(
        &mut self,
        pieces: &mut Pieces,
        stall_timeout: Duration,
    ) -> Result<bool, LineError> {
        let Progress::Speaking { until, patience } = self.phrase else {
            return Err(SocketError::Broken.into());
        };
        // Whoever sends other things without a pause would never be found to be late.
        if Instant::now() >= until {
            return Err(LineError::Slow(patience));
        }
        let heard = timeout_at(until, async {
            send_all(&mut self.socket, &mut *self.wire).await?;
            receive(&mut self.socket, &mut *self.wire).await
        });
        let heard = match heard.await {
            Err(_) => return Err(LineError::Slow(patience)),
            Ok(Ok(Came::Message(heard))) => heard,
            Ok(Ok(Came::End(_))) if self.wire.speaks_once() && pieces.has_begun() => {
                return Ok(true);
            }
            Ok(Ok(Came::End(reason))) => return Err(reason),
            Ok(Err(error)) => return Err(error),
        };
        let (has_sound, is_done) = (!heard.pcm.is_empty(), heard.is_done);
        pieces.push(heard).map_err(|TooLong| LineError::TooLong)?;
        if has_sound {
            let until = Instant::now() + stall_timeout;
            self.phrase = Progress::Speaking { until, patience: stall_timeout };
        }
        Ok(is_done)
    }

    /// Whether the connection can be used further.
    async fn stop(&mut self) -> bool {
        if !matches!(self.phrase, Progress::Speaking { .. }) {
            return true;
        }
        self.phrase = Progress::Spoken;
        self.wire.stop();
        let told = timeout(FAREWELL, send_all(&mut self.socket, &mut *self.wire)).await;
        !self.wire.speaks_once() && matches!(told, Ok(Ok(())))
    }
}

/// What a connection gives.
enum Came {
    Message(Heard),
    /// The provider closed it in order. As an error, if that was too early.
    End(LineError),
}

async fn receive(socket: &mut Socket, wire: &mut dyn VoiceWire) -> Result<Came, LineError> {
    let message = match socket.next().await {
        None => return Err(SocketError::Broken.into()),
        Some(message) => message.map_err(SocketError::from)?,
    };
    let heard = match &message {
        tungstenite::Message::Text(text) => wire.handle_message(Received::Text(text))?,
        tungstenite::Message::Binary(bytes) => wire.handle_message(Received::Binary(bytes))?,
        tungstenite::Message::Close(frame) => return closed(frame.as_ref()),
        _ => Heard::default(),
    };
    Ok(Came::Message(heard))
}

async fn send_all(socket: &mut Socket, wire: &mut dyn VoiceWire) -> Result<(), LineError> {
    while let Some(message) = wire.poll_message() {
        let message = match message {
            Message::Text(text) => tungstenite::Message::text(text),
            Message::Binary(bytes) => tungstenite::Message::binary(bytes),
        };
        socket.send(message).await.map_err(SocketError::from)?;
    }
    Ok(())
}

fn closed(frame: Option<&CloseFrame>) -> Result<Came, LineError> {
    let Some(CloseFrame { code, reason }) = frame else {
        return Ok(Came::End(SocketError::Broken.into()));
    };
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let reason: String = reason.chars().take(MODEL_ERROR_CHARS_MAX).map(plain).collect();
    let reason = format!("{} {reason}", u16::from(*code)).trim_end().to_owned();
    let is_busy = *code == CloseCode::Again;
    let error = LineError::HungUp { is_busy, reason };
    match code {
        CloseCode::Normal | CloseCode::Away | CloseCode::Status => Ok(Came::End(error)),
        _ => Err(error),
    }
}
