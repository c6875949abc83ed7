//! One stream to Nova Sonic, over the SDK.
//!
//! ```text
//! units --(bounded)--> body of the request, flattened --> service
//!                                                            |
//! reports <--(bounded)-- the line's own task <---------------'
//! ```
//!
//! The service withholds its answer until it has read something, so the first unit is in the body before
//! the answer is awaited. The SDK has no time limit for an open stream and does not notice a consumer that
//! is gone: both are this task's business.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_sdk_bedrockruntime::operation::invoke_model_with_bidirectional_stream as operation;
use aws_sdk_bedrockruntime::primitives::Blob;
use aws_sdk_bedrockruntime::types::error::InvokeModelWithBidirectionalStreamInputError as InputError;
use aws_sdk_bedrockruntime::types::{
    BidirectionalInputPayloadPart, InvokeModelWithBidirectionalStreamInput as Input,
    InvokeModelWithBidirectionalStreamOutput as Output,
};
use futures_util::Stream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::account::Account;
use super::budget::Seat;
use super::errors;
use crate::limits::{NOVA_CLOSE_TIMEOUT, NOVA_UNITS_MAX};
use crate::nova::fault::{Fault, Silence};
use crate::nova::request::Unit;

/// How an agent's lines are opened.
#[derive(Clone, Debug)]
pub struct Dial {
    /// Where to.
    pub account: Arc<Account>,
    /// The model's id.
    pub model: String,
    /// How long the service may take to accept one.
    pub within: Duration,
}

/// What became of a line. A line says [`LineReport::Ended`] once, as the last thing, unless it was aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineReport {
    /// The service has accepted it.
    Opened {
        line: u32,
        took: Duration,
        /// How long the credentials are good for that it was signed with; `None`: without end.
        credentials_last: Option<Duration>,
    },
    /// The JSON text of an event.
    Event { line: u32, json: Vec<u8> },
    /// It is over. After [`Line::close`] the fault is [`Fault::Ended`].
    Ended { line: u32, fault: Fault },
}

/// A unit was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// [`NOVA_UNITS_MAX`] units wait already: the service has stopped reading.
    #[error("the service reads nothing: {NOVA_UNITS_MAX} units wait")]
    Full,
    /// The line is over; its reports say why.
    #[error("the line is over")]
    Over,
}

/// Our end of a stream. Dropping it ends the stream as politely as [`Line::close`] without a last unit.
#[derive(Debug)]
pub struct Line {
    id: u32,
    units: mpsc::Sender<Unit>,
    orders: mpsc::Sender<Order>,
}

/// What the owner of a line wants of its task.
#[derive(Debug)]
enum Order {
    /// Report to somebody else from here on.
    Report { id: u32, to: mpsc::Sender<LineReport> },
    /// Keep this place of the account until the stream is over.
    Hold(Seat),
    /// Reset the stream and say nothing more.
    Abort,
}

impl Line {
    /// Opens a stream with `first`, in a task of its own. Never waits. `id` is what its reports bear. Must
    /// be called inside a tokio runtime.
    pub fn open(dial: &Dial, first: Unit, id: u32, reports: mpsc::Sender<LineReport>) -> Self {
        let (units, waiting) = mpsc::channel(NOVA_UNITS_MAX);
        let (orders, ordered) = mpsc::channel(ORDERS_MAX);
        let (running, over) = oneshot::channel();
        let body = Body { unit: first.into_iter(), units: waiting, over: Some(over) };
        let task = Task { id, reports, orders: ordered, is_aborted: false, seat: None };
        tokio::spawn(task.run(dial.clone(), body, running));
        Self { id, units, orders }
    }

    /// What its reports bear.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Queues a unit, behind those that wait.
    pub fn send(&self, unit: Unit) -> Result<(), Unsent> {
        self.units.try_send(unit).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Unsent::Full,
            mpsc::error::TrySendError::Closed(_) => Unsent::Over,
        })
    }

    /// Sends `last` if there is room, ends our half, and goes on reporting until the service has ended its
    /// own, at most [`NOVA_CLOSE_TIMEOUT`]. `seat` is given back only then.
    pub fn close(self, last: Unit, seat: Option<Seat>) {
        if !last.is_empty() {
            // A service that stopped reading will not miss it.
            let _unread = self.units.try_send(last);
        }
        if let Some(seat) = seat {
            let _is_over = self.orders.try_send(Order::Hold(seat));
        }
    }

    /// Resets the stream. Nothing more is reported.
    pub fn abort(self) {
        let _is_over = self.orders.try_send(Order::Abort);
    }

    /// From here on it is line `id` and reports elsewhere; what was under way to the old place may be lost.
    /// False if it is over.
    #[must_use]
    pub fn hand_over(&mut self, id: u32, reports: mpsc::Sender<LineReport>) -> bool {
        self.id = id;
        self.orders.try_send(Order::Report { id, to: reports }).is_ok()
    }
}

/// Orders that wait for one line's task: all that one line is ever given.
const ORDERS_MAX: usize = 4;

/// The body of the request: units, flattened. Ends when the line is dropped and all was sent, or at once
/// when the line's task is over.
struct Body {
    unit: std::vec::IntoIter<Vec<u8>>,
    units: mpsc::Receiver<Unit>,
    /// Resolves when the task is over; `None` when that is known. The SDK asks on after the end.
    over: Option<oneshot::Receiver<Infallible>>,
}

impl Stream for Body {
    type Item = Result<Input, InputError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let is_over = self.over.as_mut().is_none_or(|over| Pin::new(over).poll(context).is_ready());
        if is_over {
            self.over = None;
            return Poll::Ready(None);
        }
        loop {
            if let Some(json) = self.unit.next() {
                let part = BidirectionalInputPayloadPart::builder().bytes(Blob::new(json)).build();
                return Poll::Ready(Some(Ok(Input::Chunk(part))));
            }
            match std::task::ready!(self.units.poll_recv(context)) {
                Some(unit) => self.unit = unit.into_iter(),
                None => return Poll::Ready(None),
            }
        }
    }
}

/// Why a line is not needed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Released {
    Aborted,
    /// By its owner, with or without a last unit.
    Dropped,
    /// Whoever listened is gone, and the owner has forgotten it.
    Unheard,
}

/// Who reads a stream.
#[derive(Debug)]
struct Task {
    id: u32,
    reports: mpsc::Sender<LineReport>,
    orders: mpsc::Receiver<Order>,
    is_aborted: bool,
    /// Given back when the task is over.
    seat: Option<Seat>,
}

impl Task {
    async fn run(mut self, dial: Dial, body: Body, running: oneshot::Sender<Infallible>) {
        let mut running = Some(running);
        let fault = self.live(&dial, body, &mut running).await;
        // Both halves are gone before anybody is told, and whoever takes it over now is refused.
        drop(running);
        self.orders.close();
        while let Ok(order) = self.orders.try_recv() {
            self.obey(order);
        }
        if !self.is_aborted {
            self.report(|line| LineReport::Ended { line, fault }).await;
        }
    }

    /// From the opening to the end, whose reason it answers.
    async fn live(
        &mut self,
        dial: &Dial,
        body: Body,
        running: &mut Option<oneshot::Sender<Infallible>>,
    ) -> Fault {
        let began = Instant::now();
        let opened = tokio::select! {
            biased;
            _released = self.released() => return Fault::Ended,
            opened = open(dial, body) => opened,
        };
        let (mut accepted, credentials_last) = match opened {
            Ok(opened) => opened,
            Err(fault) => return fault,
        };
        let took = began.elapsed();
        self.report(|line| LineReport::Opened { line, took, credentials_last }).await;
        let mut leave_at = None;
        loop {
            let deadline = leave_at.unwrap_or(began);
            let received = tokio::select! {
                biased;
                released = self.released(), if leave_at.is_none() => {
                    match released {
                        Released::Aborted => return Fault::Ended,
                        // What is queued is still sent, then the body ends by itself.
                        Released::Dropped => {}
                        Released::Unheard => *running = None,
                    }
                    leave_at = Some(Instant::now() + NOVA_CLOSE_TIMEOUT);
                    continue;
                }
                () = sleep_until(deadline), if leave_at.is_some() => return Fault::Ended,
                received = accepted.body.recv() => received,
            };
            match received {
                Ok(Some(Output::Chunk(part))) => {
                    let json = part.bytes.map(Blob::into_inner).unwrap_or_default();
                    self.report(|line| LineReport::Event { line, json }).await;
                }
                // Another kind of message than those that the SDK knows.
                Ok(Some(_)) => {}
                Ok(None) => return Fault::Ended,
                Err(error) => return errors::stream(&error),
            }
        }
    }

    /// Obeys orders until the line is given up. Dropping the future before it is ready loses nothing.
    async fn released(&mut self) -> Released {
        while !self.is_aborted {
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return Released::Dropped,
                },
                () = self.reports.closed() => return Released::Unheard,
            }
        }
        Released::Aborted
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Report { id, to } => (self.id, self.reports) = (id, to),
            Order::Hold(seat) => self.seat = Some(seat),
            Order::Abort => self.is_aborted = true,
        }
    }

    /// Waits for room. What nobody listens to is not said.
    async fn report(&mut self, report: impl FnOnce(u32) -> LineReport) {
        loop {
            if let Ok(permit) = self.reports.reserve().await {
                return permit.send(report(self.id));
            }
            // Whoever listened is gone, perhaps because somebody else is to be told.
            match self.orders.try_recv() {
                Ok(order) => self.obey(order),
                Err(_none) => return,
            }
        }
    }
}

/// Until the service accepts the stream. Answers how long the credentials last, too.
async fn open(
    dial: &Dial,
    body: Body,
) -> Result<(operation::InvokeModelWithBidirectionalStreamOutput, Option<Duration>), Fault> {
    let (account, deadline) = (&dial.account, Instant::now() + dial.within);
    let keys = match timeout_at(deadline, account.credentials().current()).await {
        Ok(keys) => keys.map_err(|message| Fault::Credentials { message })?,
        Err(_elapsed) => {
            let message = format!("not read within {:.1} s", dial.within.as_secs_f32());
            return Err(Fault::Credentials { message });
        }
    };
    let accepted = account
        .connection()
        .invoke_model_with_bidirectional_stream()
        .model_id(&dial.model)
        .body(body.into())
        .send();
    match timeout_at(deadline, accepted).await {
        Ok(Ok(accepted)) => Ok((accepted, keys.last)),
        Ok(Err(error)) => {
            let fault = errors::opening(&error);
            if matches!(fault, Fault::Opening { status: Some(401 | 403), .. }) {
                // They may have been replaced where they came from.
                account.credentials().forget().await;
            }
            Err(fault)
        }
        Err(_elapsed) => Err(Fault::Silent { waited: dial.within, what: Silence::Open }),
    }
}

#[cfg(test)]
mod tests;
