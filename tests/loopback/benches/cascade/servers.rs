//! A cascade's stages with scripted times, over HTTP/1.1 on loopback.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::sleep_until;

pub(crate) const RATE_HZ: u32 = 24_000;
/// What Sesame CSM's codec makes at a time.
pub(crate) const FRAME: Duration = Duration::from_millis(80);
/// How long a letter sounds in a voice that is paced.
const LETTER: Duration = Duration::from_millis(60);
const FRAME_SAMPLES: usize = 1_920;
/// What each question is understood as, so that an answer made ahead is the answer.
const HEARD: &str = "what is it";

/// How long the stages take, and how they go about it.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) transcript: Duration,
    pub(crate) first_token: Duration,
    pub(crate) first_audio: Duration,
    pub(crate) answer: Answer,
    pub(crate) audio: Audio,
    /// Every sample of the voice, by which it is told from another.
    pub(crate) sample: i16,
}

/// A voice like any other.
pub(crate) const SAMPLE: i16 = 0x1000;

#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// All at once.
    Text(&'static str),
    /// A word every 5 ms for as long as somebody listens.
    Endless,
}

#[derive(Clone, Debug)]
pub(crate) enum Audio {
    /// So much of it for each phrase, at once.
    AtOnce(Duration),
    /// Frame by frame, each of which takes this share of its length; [`LETTER`] for each letter.
    Paced(f64),
    /// The same, but the server dies when it has made so many frames of the first phrase.
    Dies(f64, usize),
}

/// What happened at a server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    /// The model's text was sent.
    Written(Instant),
    /// The recogniser was sent a turn.
    Heard,
    /// A voice was asked to say this.
    Asked(String),
    /// The caller of this stage hung up in the middle of an answer.
    HungUp(&'static str, Instant),
    /// The server died, so many letters into what it was asked to say.
    Died(Instant, usize),
}

/// Starts the stages; answers their base address and what happens.
pub(crate) async fn start(script: Script) -> (String, mpsc::UnboundedReceiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}/v1", listener.local_addr().expect("it is bound"));
    let (seen, happened) = mpsc::unbounded_channel();
    let is_dead = Arc::new(Mutex::new(false));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let _ = socket.set_nodelay(true);
            if *is_dead.lock().expect("nobody panics") {
                continue;
            }
            let server = Server { script: script.clone(), seen: seen.clone(), socket };
            let is_dead = Arc::clone(&is_dead);
            tokio::spawn(async move {
                if server.run().await == End::Dead {
                    *is_dead.lock().expect("nobody panics") = true;
                }
            });
        }
    });
    (url, happened)
}

struct Server {
    script: Script,
    seen: mpsc::UnboundedSender<Seen>,
    socket: TcpStream,
}

#[derive(PartialEq)]
enum End {
    HungUp,
    Dead,
}

impl Server {
    /// Serves a connection until it is closed.
    async fn run(mut self) -> End {
        while let Some((path, body)) = self.request().await {
            let goes_on = match path.as_str() {
                "/v1/audio/transcriptions" => self.transcribe().await,
                "/v1/chat/completions" => self.write().await,
                _ => match self.speak(&body).await {
                    Spoken::Dead => return End::Dead,
                    Spoken::Whole => true,
                    Spoken::HungUp => false,
                },
            };
            if !goes_on {
                break;
            }
        }
        End::HungUp
    }

    async fn request(&mut self) -> Option<(String, String)> {
        let mut request = Vec::new();
        let mut buffer = vec![0; 65_536];
        loop {
            let count = self.socket.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
            request.extend_from_slice(&buffer[..count]);
            let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") else {
                continue;
            };
            let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
            if request.len() >= end + 4 + length {
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                return Some((path, String::from_utf8_lossy(&request[end + 4..]).into_owned()));
            }
        }
    }

    async fn transcribe(&mut self) -> bool {
        let _ = self.seen.send(Seen::Heard);
        if !self.waited(self.script.transcript, "asr").await {
            return false;
        }
        let body = format!("{{\"text\": \"{HEARD}\"}}");
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
        self.send(format!("{head}{}\r\n\r\n{body}", body.len()).as_bytes()).await
    }

    async fn write(&mut self) -> bool {
        if !self.waited(self.script.first_token, "llm").await
            || !self.begin("text/event-stream").await
        {
            return false;
        }
        match self.script.answer {
            Answer::Text(text) => {
                let _ = self.seen.send(Seen::Written(Instant::now()));
                self.token(text).await
                    && self.chunk(b"data: [DONE]\n\n").await
                    && self.chunk(b"").await
            }
            Answer::Endless => {
                while self.token("one two three. ").await {
                    if !self.waited(Duration::from_millis(5), "llm").await {
                        return false;
                    }
                }
                false
            }
        }
    }

    async fn token(&mut self, text: &str) -> bool {
        let event = format!(
            "data: {{\"choices\": [{{\"index\": 0, \"delta\": {{\"content\": \"{text}\"}}}}]}}\n\n"
        );
        self.chunk(event.as_bytes()).await
    }

    async fn speak(&mut self, body: &str) -> Spoken {
        let text = body.split("\"input\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let text = text.unwrap_or_default().to_owned();
        let _ = self.seen.send(Seen::Asked(text.clone()));
        if !self.waited(self.script.first_audio, "tts").await || !self.begin("audio/pcm").await {
            return Spoken::HungUp;
        }
        let frame = self.script.sample.to_le_bytes().repeat(FRAME_SAMPLES);
        let frames = (LETTER * text.len() as u32).div_duration_f64(FRAME).ceil();
        let (share, frames, dies_after) = match self.script.audio {
            Audio::AtOnce(length) => (0.0, length.div_duration_f64(FRAME).ceil(), usize::MAX),
            Audio::Paced(share) => (share, frames, usize::MAX),
            Audio::Dies(share, after) => (share, frames, after),
        };
        for at in 0..frames as usize {
            if at == dies_after {
                let letters = (FRAME * at as u32).div_duration_f64(LETTER) as usize;
                let _ = self.seen.send(Seen::Died(Instant::now(), letters));
                return Spoken::Dead;
            }
            if share > 0.0 && !self.waited(FRAME.mul_f64(share), "tts").await {
                return Spoken::HungUp;
            }
            if !self.chunk(&frame).await {
                return Spoken::HungUp;
            }
        }
        if self.chunk(b"").await { Spoken::Whole } else { Spoken::HungUp }
    }

    /// Waits; false if the other side hangs up meanwhile.
    async fn waited(&mut self, duration: Duration, stage: &'static str) -> bool {
        if duration.is_zero() {
            return true;
        }
        let until = sleep_until(tokio::time::Instant::now() + duration);
        tokio::pin!(until);
        loop {
            tokio::select! {
                () = &mut until => return true,
                _ = self.socket.readable() => match self.socket.try_read(&mut [0; 1]) {
                    // It only looked as if something had come.
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Ok(1..) => panic!("nothing more is sent on a connection before the answer"),
                    Ok(0) | Err(_) => {
                        let _ = self.seen.send(Seen::HungUp(stage, Instant::now()));
                        return false;
                    }
                },
            }
        }
    }

    async fn begin(&mut self, kind: &str) -> bool {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        self.send(head.as_bytes()).await
    }

    async fn chunk(&mut self, data: &[u8]) -> bool {
        let chunk = [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat();
        self.send(&chunk).await
    }

    async fn send(&mut self, data: &[u8]) -> bool {
        self.socket.write_all(data).await.is_ok()
    }
}

enum Spoken {
    Whole,
    HungUp,
    Dead,
}
