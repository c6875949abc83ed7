//! One stream: carries bytes between HTTP/2 and a [`Session`].

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Response, StatusCode};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::connection::{ConnectionFate, refuse};
use super::engines::Done;
use super::frame::{self, BadFrame, FrameReader, Inbound};
use crate::faults::{ExceptionKind, ResetReason};
use crate::limits::UNREAD_BYTES_MAX;
use crate::server::{Barred, Seat, Shared};
use crate::session::{Output, Session};

/// Opens a session for a request and runs it to its end.
pub(crate) async fn serve(
    model_id: &str,
    signature: String,
    body: RecvStream,
    mut respond: SendResponse<Bytes>,
    shared: Arc<Shared>,
    fates: mpsc::Sender<ConnectionFate>,
) {
    let (seat, session) = match shared.open(model_id) {
        Ok(opened) => opened,
        Err(Barred::Refused(refusal)) => return refuse(&mut respond, &refusal),
        Err(Barred::Reset(reason)) => return respond.send_reset(reason_of(reason)),
        Err(Barred::Close) => {
            // A full channel means that the connection is ending already.
            let _ = fates.try_send(ConnectionFate::Close);
            return;
        }
    };
    let stream = Stream {
        session,
        seat,
        opened: Instant::now(),
        outgoing: Outgoing { side: Side::Waiting(respond), pending: VecDeque::new(), bytes: 0 },
        last: None,
        engaged: JoinSet::new(),
        fates,
    };
    let reader = FrameReader::new(shared.signer().clone(), signature);
    stream.run(body, reader).await;
}

struct Stream {
    session: Session,
    seat: Seat,
    opened: Instant,
    outgoing: Outgoing,
    /// How it ends, once all that is pending was sent.
    last: Option<Last>,
    /// Tasks of the session that are being done.
    engaged: JoinSet<Done>,
    fates: mpsc::Sender<ConnectionFate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    End,
    Reset(Reason),
    Connection(ConnectionFate),
}

/// The client has gone.
struct Gone;

impl Stream {
    async fn run(mut self, mut body: RecvStream, mut reader: FrameReader) {
        let mut is_reading = true;
        loop {
            self.take_outputs();
            self.engage();
            if let Some(last) = self.last
                && self.outgoing.pending.is_empty()
            {
                return self.finish(last);
            }
            let due = self.session.poll_timeout().map(|at| self.opened + at);
            tokio::select! {
                data = body.data(), if is_reading && self.last.is_none() => match data {
                    Some(Ok(bytes)) => {
                        // The window is the transport's; a session takes what comes.
                        let _ = body.flow_control().release_capacity(bytes.len());
                        self.read(&mut reader, &bytes);
                    }
                    Some(Err(_)) => return,
                    None => {
                        is_reading = false;
                        self.session.handle_end(self.now());
                    }
                },
                flushed = poll_fn(|context| self.outgoing.poll_flush(context)) => {
                    if let Err(Gone) = flushed {
                        return;
                    }
                }
                Some(Ok(done)) = self.engaged.join_next(), if !self.engaged.is_empty() => {
                    self.take_done(done);
                }
                () = tokio::time::sleep_until(due.unwrap_or(self.opened)), if due.is_some() => {}
            }
        }
    }

    fn now(&self) -> Duration {
        self.opened.elapsed()
    }

    fn read(&mut self, reader: &mut FrameReader, bytes: &[u8]) {
        reader.push(bytes);
        while self.last.is_none() {
            match reader.next() {
                Ok(None) => return,
                // The end of the stream follows, and is what counts.
                Ok(Some(Inbound::End)) => {}
                Ok(Some(Inbound::Event(json))) => {
                    let arrived = Instant::now();
                    let seen = self.session.handle_event(self.now(), &json);
                    self.seat.saw_request(arrived, seen);
                    if let Some(violation) = self.session.violation() {
                        self.seat.saw_violation(violation);
                    }
                    self.take_outputs();
                }
                Err(BadFrame(problem)) => {
                    self.seat.saw_violation(&problem);
                    let kind = ExceptionKind::Validation;
                    self.put(Output::Exception { kind, message: problem });
                }
            }
        }
    }

    fn take_outputs(&mut self) {
        while self.last.is_none()
            && let Some(output) = self.session.poll_output(self.now())
        {
            self.put(output);
        }
    }

    fn put(&mut self, output: Output) {
        match output {
            Output::Headers => self.outgoing.start(),
            Output::Event(json) => {
                self.seat.saw_reply(&json);
                self.outgoing.push(frame::chunk(&json));
                if self.outgoing.bytes > UNREAD_BYTES_MAX {
                    self.last = Some(Last::Reset(Reason::ENHANCE_YOUR_CALM));
                    self.outgoing.pending.clear();
                }
            }
            Output::Exception { kind, message } => {
                self.outgoing.refuse_or_push(
                    |respond| refuse(respond, &kind.as_refusal(&message)),
                    || frame::exception(kind.name(), &message),
                );
                self.last = Some(Last::End);
            }
            Output::ErrorFrame { code, message } => {
                self.outgoing.push(frame::error(&code, &message));
                self.last = Some(Last::End);
            }
            Output::BrokenFrame { is_truncated } => {
                self.outgoing.push(frame::broken(is_truncated));
                self.last = is_truncated.then_some(Last::End);
            }
            Output::Reset(reason) => self.last = Some(Last::Reset(reason_of(reason))),
            Output::Close => self.last = Some(Last::Connection(ConnectionFate::Close)),
            Output::GoAway { is_abrupt: true } => {
                self.last = Some(Last::Connection(ConnectionFate::GoAwayAbrupt));
            }
            Output::GoAway { is_abrupt: false } => {
                let _ = self.fates.try_send(ConnectionFate::GoAwayGraceful);
            }
            Output::End => self.last = Some(Last::End),
        }
    }

    fn engage(&mut self) {
        while let Some(task) = self.session.poll_task() {
            let engines = self.seat.engines();
            self.engaged.spawn_blocking(move || engines.perform(task));
        }
    }

    fn take_done(&mut self, done: Done) {
        let now = self.now();
        match done {
            Done::Spoken { id, pcm } => self.session.handle_spoken(now, id, pcm),
            Done::Transcribed { id, text } => self.session.handle_transcribed(now, id, &text),
        }
    }

    fn finish(mut self, last: Last) {
        match last {
            Last::End => self.outgoing.end(),
            Last::Reset(reason) => self.outgoing.reset(reason),
            Last::Connection(fate) => {
                let _ = self.fates.try_send(fate);
            }
        }
    }
}

/// The response, and what of it waits for the client to read.
struct Outgoing {
    side: Side,
    pending: VecDeque<Bytes>,
    bytes: usize,
}

enum Side {
    /// The headers are withheld.
    Waiting(SendResponse<Bytes>),
    Sending(SendStream<Bytes>),
    /// Answered in full, or gone.
    Done,
}

impl Outgoing {
    fn start(&mut self) {
        let Side::Waiting(respond) = &mut self.side else { return };
        let response = Response::builder()
            .status(StatusCode::OK)
            .header("content-type", "application/vnd.amazon.eventstream")
            .body(())
            .expect("the headers are valid");
        self.side = match respond.send_response(response, false) {
            Ok(send) => Side::Sending(send),
            Err(_) => Side::Done,
        };
    }

    fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.pending.push_back(frame);
    }

    /// Says what went wrong: as an HTTP error where the headers have not gone yet.
    fn refuse_or_push(
        &mut self,
        refuse: impl FnOnce(&mut SendResponse<Bytes>),
        frame: impl FnOnce() -> Bytes,
    ) {
        if let Side::Waiting(respond) = &mut self.side {
            refuse(respond);
            self.side = Side::Done;
        } else {
            self.push(frame());
        }
    }

    /// Sends what the client has room for. Ready when all of it was sent, or the client has gone.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        let send = match &mut self.side {
            Side::Waiting(respond) => {
                return respond.poll_reset(context).map(|_| Err(Gone));
            }
            Side::Sending(send) => send,
            Side::Done => return Poll::Pending,
        };
        let had_some = !self.pending.is_empty();
        while let Some(frame) = self.pending.front_mut() {
            send.reserve_capacity(frame.len());
            match send.poll_capacity(context) {
                Poll::Pending => break,
                Poll::Ready(Some(Ok(room))) => {
                    let now = frame.split_to(room.min(frame.len()));
                    self.bytes -= now.len();
                    if send.send_data(now, false).is_err() {
                        return Poll::Ready(Err(Gone));
                    }
                    if !frame.has_remaining() {
                        self.pending.pop_front();
                    }
                }
                Poll::Ready(_) => return Poll::Ready(Err(Gone)),
            }
        }
        if had_some && self.pending.is_empty() {
            return Poll::Ready(Ok(()));
        }
        send.poll_reset(context).map(|_| Err(Gone))
    }

    fn end(&mut self) {
        if let Side::Sending(send) = &mut self.side {
            // Nobody is there to hear of a failure.
            let _ = send.send_data(Bytes::new(), true);
        }
    }

    fn reset(&mut self, reason: Reason) {
        match &mut self.side {
            Side::Waiting(respond) => respond.send_reset(reason),
            Side::Sending(send) => send.send_reset(reason),
            Side::Done => {}
        }
    }
}

fn reason_of(reason: ResetReason) -> Reason {
    match reason {
        ResetReason::NoError => Reason::NO_ERROR,
        ResetReason::Internal => Reason::INTERNAL_ERROR,
        ResetReason::Cancel => Reason::CANCEL,
        ResetReason::Refused => Reason::REFUSED_STREAM,
    }
}
