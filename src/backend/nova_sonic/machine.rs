//! One call's conversation joined to its lines, its tools and the call.

use std::collections::HashMap;
use std::future::Future;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::budget::Seat;
use super::line::{Dial, Line, LineReport, Unsent};
use super::pool::WarmLine;
use crate::agent::BackendInput;
use crate::backend::session::Machine;
use crate::backend::{BackendOutput, ReplyAudio, Said};
use crate::limits::NOVA_REPORTS_MAX;
use crate::nova::conversation::{Act, Conversation, LineEvent, LineId, Made, Setup, Warm};
use crate::nova::fault::{Fault, Silence};
use crate::nova::history::History;
use crate::nova::outline::outline;
use crate::nova::request::Unit;
use crate::time::SessionTime;
use crate::tools::ToolDone;
use crate::tools::runner::{RunHandle, Runner};

/// Where a call's lines report.
pub(super) type Reports = (mpsc::Sender<LineReport>, mpsc::Receiver<LineReport>);

/// What the first line of a call is.
#[derive(Debug)]
pub(super) enum First {
    /// It is opened now, in this place.
    Cold(Seat),
    /// It waited for the call.
    Warm(WarmLine),
}

/// One call's conversation at work.
#[derive(Debug)]
pub(super) struct NovaMachine {
    talk: Conversation,
    dial: Dial,
    runner: Runner,
    call_id: String,
    sample_rate_hz: u32,
    lines: HashMap<LineId, Open>,
    /// The call's own place, for whichever line it has.
    seat: Option<Seat>,
    warm: Option<WarmLine>,
    report_to: mpsc::Sender<LineReport>,
    reports: mpsc::Receiver<LineReport>,
    runs: HashMap<u64, RunHandle>,
    done_to: mpsc::Sender<ToolDone>,
    done: mpsc::Receiver<ToolDone>,
    now: SessionTime,
}

/// A line, and the place that it has beside the call's own because it renews another.
#[derive(Debug)]
struct Open {
    line: Line,
    spare: Option<Seat>,
}

/// What came from outside.
#[derive(Debug)]
pub(super) enum Report {
    Line(LineReport),
    Tool(ToolDone),
}

/// Channels for [`NovaMachine::new`]: a line that waited for the call reports there from now on.
pub(super) fn reports() -> Reports {
    mpsc::channel(NOVA_REPORTS_MAX)
}

impl NovaMachine {
    /// The conversation of one call, which begins at once.
    pub(super) fn new(
        setup: Setup,
        dial: Dial,
        runner: Runner,
        first: First,
        (report_to, reports): Reports,
    ) -> Self {
        let (seat, warm) = match first {
            First::Cold(seat) => (Some(seat), None),
            First::Warm(warm) => (None, Some(warm)),
        };
        let (done_to, done) = Runner::reports();
        let mut machine = Self {
            call_id: setup.call_id.clone(),
            sample_rate_hz: setup.settings.output_rate_hz,
            talk: Conversation::new(setup),
            dial,
            runner,
            lines: HashMap::new(),
            seat,
            warm,
            report_to,
            reports,
            runs: HashMap::new(),
            done_to,
            done,
            now: SessionTime::ZERO,
        };
        machine.follow(SessionTime::ZERO);
        machine
    }

    /// What was said before this backend took the call over.
    pub(super) fn recall(&mut self, said: &[Said]) {
        let mut history = History::new();
        for said in said {
            match said {
                Said::User(text) => history.user_said(text),
                Said::Agent { generation, text } => history.agent_says(generation.0, text),
            }
        }
        self.talk.recall(history);
    }

    /// Does what the conversation wants done, and what is due.
    fn follow(&mut self, now: SessionTime) {
        self.now = now;
        if self.talk.poll_timeout().is_some_and(|at| at <= now) {
            self.talk.handle_timeout(now);
        }
        while let Some(act) = self.talk.poll_act() {
            match act {
                Act::Open { line, unit, renews } => self.open(now, line, unit, renews),
                Act::Send { line, unit } => self.send(now, line, unit),
                Act::Close { line, unit } => {
                    if let Some((line, place)) = self.remove(line) {
                        line.close(unit, place);
                    }
                }
                Act::Abort { line } => {
                    if let Some((line, _place)) = self.remove(line) {
                        line.abort();
                    }
                }
                Act::Run(run) => {
                    let ticket = run.ticket;
                    let handle = self.runner.start(run, self.done_to.clone());
                    self.runs.insert(ticket, handle);
                }
                Act::AbortRun { ticket } => {
                    self.runs.remove(&ticket);
                }
            }
        }
    }

    /// A line that leaves, and the place that it needs until it is gone: what is left has the call's own.
    fn remove(&mut self, id: LineId) -> Option<(Line, Option<Seat>)> {
        let Open { line, spare } = self.lines.remove(&id)?;
        let spare = spare.or_else(|| self.lines.values_mut().find_map(|open| open.spare.take()));
        let place =
            if self.lines.is_empty() && self.talk.is_hung_up() { self.seat.take() } else { None };
        Some((line, spare.or(place)))
    }

    fn open(&mut self, now: SessionTime, id: LineId, unit: Unit, renews: bool) {
        if let Some(warm) = self.warm.take() {
            let WarmLine { line, scribe, seat, opened_at, credentials_until } = warm;
            self.seat = Some(seat);
            self.lines.insert(id, Open { line, spare: None });
            let credentials_last = credentials_until.map(|until| until - Instant::now());
            let warm = Warm { scribe: Box::new(scribe), age: opened_at.elapsed() };
            let event = LineEvent::Opened { credentials_last, warm: Some(warm) };
            return self.talk.handle_line(now, id, event);
        }
        let spare = renews.then(|| self.dial.account.budget().spare());
        match spare {
            Some(None) => self.talk.handle_line(now, id, LineEvent::Ended(Fault::Busy)),
            spare => {
                let line = Line::open(&self.dial, unit, id.0, self.report_to.clone());
                self.lines.insert(id, Open { line, spare: spare.flatten() });
            }
        }
    }

    fn send(&mut self, now: SessionTime, id: LineId, unit: Unit) {
        let Some(open) = self.lines.get(&id) else { return };
        for json in &unit {
            self.log(id.0, "->", json);
        }
        match open.line.send(unit) {
            Ok(()) => {}
            // How it ended is being reported.
            Err(Unsent::Over) => {}
            Err(Unsent::Full) => {
                if let Some((line, _place)) = self.remove(id) {
                    line.abort();
                }
                let waited = self.dial.within;
                let fault = Fault::Silent { waited, what: Silence::Stall };
                self.talk.handle_line(now, id, LineEvent::Ended(fault));
            }
        }
    }

    /// For whoever wants to know what the service really does: all but the audio, and nobody's words.
    fn log(&self, line: u32, way: &str, json: &[u8]) {
        if tracing::enabled!(tracing::Level::DEBUG) {
            let outline = outline(json);
            if !outline.starts_with("audio") {
                tracing::debug!(call = self.call_id, line, "{way} {outline}");
            }
        }
    }

    fn handle_line(&mut self, now: SessionTime, report: LineReport) {
        match report {
            LineReport::Opened { line, took, credentials_last } => {
                tracing::debug!(call = self.call_id, line, ?took, "connected to Nova Sonic");
                let event = LineEvent::Opened { credentials_last, warm: None };
                self.talk.handle_line(now, LineId(line), event);
            }
            LineReport::Event { line, json } => {
                self.log(line, "<-", &json);
                self.talk.handle_line(now, LineId(line), LineEvent::Event(json));
            }
            LineReport::Ended { line, fault } => {
                let id = LineId(line);
                // One that was closed or given up ends as it should.
                if self.remove(id).is_some() {
                    tracing::warn!(call = self.call_id, line, %fault, "lost Nova Sonic");
                }
                self.talk.handle_line(now, id, LineEvent::Ended(fault));
            }
        }
    }
}

impl Machine for NovaMachine {
    type Report = Report;

    fn handle_input(&mut self, now: SessionTime, input: BackendInput) {
        match input {
            BackendInput::Audio(frame) => self.talk.handle_frame(now, &frame),
            BackendInput::Command(command) => self.talk.handle_command(now, command),
        }
        self.follow(now);
    }

    fn handle_report(&mut self, now: SessionTime, report: Report) {
        match report {
            Report::Line(report) => self.handle_line(now, report),
            Report::Tool(done) => {
                self.runs.remove(&done.ticket);
                self.talk.handle_tool(now, done);
            }
        }
        self.follow(now);
    }

    fn next_report(&mut self) -> impl Future<Output = Report> + Send {
        let Self { talk, reports, done, .. } = self;
        let reads = talk.wants_events();
        async move {
            // Both channels have a sender here, so there is always a next one.
            tokio::select! {
                Some(report) = reports.recv(), if reads => Report::Line(report),
                Some(done) = done.recv() => Report::Tool(done),
            }
        }
    }

    fn poll_output(&mut self, now: SessionTime) -> Option<BackendOutput> {
        self.follow(now);
        Some(match self.talk.poll_made()? {
            Made::Event(event) => BackendOutput::Event(event),
            Made::Audio { generation, pcm } => {
                let sample_rate_hz = self.sample_rate_hz;
                BackendOutput::Audio(ReplyAudio { generation, sample_rate_hz, pcm })
            }
        })
    }

    fn poll_timeout(&self) -> Option<SessionTime> {
        if self.talk.has_made() { Some(SessionTime::ZERO) } else { self.talk.poll_timeout() }
    }

    fn wants_input(&self) -> bool {
        true
    }

    fn is_over(&self) -> bool {
        self.talk.is_over()
    }
}

/// The call is over, and the service is told. What it counts from here on is in no sum of ours.
impl Drop for NovaMachine {
    fn drop(&mut self) {
        self.talk.handle_hang_up(self.now);
        self.follow(self.now);
        let stats = self.talk.stats();
        tracing::info!(
            call = self.call_id,
            connections = stats.connections,
            renewals = stats.renewals,
            renewals_forced = stats.renewals_forced,
            deaths = stats.deaths,
            malformed = stats.malformed,
            unknown = stats.unknown,
            "conversation with Nova Sonic ended"
        );
    }
}
