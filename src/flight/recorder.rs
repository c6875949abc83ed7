//! Recording: an agent whose inputs are noted before they are performed.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Deref;
use std::time::Duration;

use super::Kind;
use super::record::Record;
use super::redact::{self, Redactor};
use super::wire::Put;
use crate::agent::{Agent, AgentOutput, AgentSettings, Observe, Observed, RtpPacket};
use crate::call::event::{BackendEvent, ClientCommand, Generation, TurnId};
use crate::call::trace::Trace;
use crate::dsp::vad::VoiceModel;
use crate::limits::{
    FLIGHT_BLOCK_BYTES, FLIGHT_BLOCK_TIME, FLIGHT_BYTES_MAX, FLIGHT_RECORD_BYTES_MAX,
};
use crate::media::codec::Codec;
use crate::time::SessionTime;

/// Collects the records of one call into blocks.
#[derive(Debug)]
pub struct Recorder {
    scribe: Scribe,
    /// Takes the words out of features files.
    redactor: Option<Redactor>,
    block: Vec<u8>,
    began: SessionTime,
    last: SessionTime,
    bytes: u64,
    ready: VecDeque<Vec<u8>>,
    stopped: Option<&'static str>,
}

impl Recorder {
    /// A recorder of a call with these settings, from its beginning.
    pub fn new(kind: Kind, settings: &AgentSettings) -> Self {
        let interruption = &settings.call.interruption;
        Self {
            scribe: Scribe::new(kind),
            redactor: (kind == Kind::Features).then(|| Redactor::new(interruption)),
            block: Vec::new(),
            began: SessionTime::ZERO,
            last: SessionTime::ZERO,
            bytes: 0,
            ready: VecDeque::new(),
            stopped: None,
        }
    }

    /// The next block, for [`super::file::block`]. Drain after every input.
    pub fn poll_block(&mut self) -> Option<Vec<u8>> {
        self.ready.pop_front()
    }

    /// Why nothing more is recorded, once that is so.
    pub const fn stopped(&self) -> Option<&'static str> {
        self.stopped
    }

    /// Nothing more is recorded. What was collected is handed out.
    pub fn stop(&mut self, why: &'static str) {
        if self.stopped.is_none() {
            self.cut();
            self.stopped = Some(why);
        }
    }

    /// The call is over. What was collected is handed out.
    pub fn finish(&mut self, now: SessionTime, reason: &str) {
        self.put(now, &Record::Over(Cow::Borrowed(reason)));
        self.stop("");
    }

    const fn is_full(&self) -> bool {
        self.redactor.is_none()
    }

    /// An input comes. Blocks end before inputs, so that what an input led to is in its block.
    fn input(&mut self, now: SessionTime, record: &Record<'_>) {
        if self.block.len() >= FLIGHT_BLOCK_BYTES || now.since(self.began) >= FLIGHT_BLOCK_TIME {
            self.cut();
        }
        self.put(now, record);
    }

    fn put(&mut self, now: SessionTime, record: &Record<'_>) {
        if self.stopped.is_some() {
            return;
        }
        if self.block.is_empty() {
            (self.began, self.last) = (now, now);
            self.block.put_u64(now.as_micros());
        }
        let before = self.block.len();
        record.put(&mut self.block, self.last, now);
        // The clock of the call never goes backwards; a block could not say it.
        self.last = self.last.max(now);
        if self.block.len() - before > FLIGHT_RECORD_BYTES_MAX {
            self.block.truncate(before);
            self.stop("a record was too long");
        } else if self.bytes + self.block.len() as u64 > FLIGHT_BYTES_MAX {
            self.stop("the recording reached its longest size");
        }
    }

    fn cut(&mut self) {
        if self.stopped.is_none() && !self.block.is_empty() {
            self.bytes += self.block.len() as u64;
            self.ready.push_back(std::mem::take(&mut self.block));
        }
    }

    fn backend(&mut self, now: SessionTime, event: &BackendEvent) {
        let event = match &mut self.redactor {
            Some(redactor) => Cow::Owned(redactor.backend(event)),
            None => Cow::Borrowed(event),
        };
        self.input(now, &Record::Backend(event));
    }

    fn client(&mut self, now: SessionTime, command: &ClientCommand) {
        let command = match &self.redactor {
            Some(redactor) => Cow::Owned(redactor.client(command)),
            None => Cow::Borrowed(command),
        };
        self.input(now, &Record::Client(command));
    }

    /// In a full recording what is observed is kept to be compared and shown; in one of features it is the
    /// conversation's input.
    fn observed(&mut self, now: SessionTime, observed: &Observed) {
        match observed {
            Observed::Heard { features, .. } => self.put(now, &Record::Heard(*features)),
            Observed::Sent(sent) => self.put(now, &Record::Sent(*sent)),
            Observed::Key { key } if !self.is_full() => {
                self.client(now, &ClientCommand::Dtmf { key: *key });
            }
            Observed::ReplyAudio { generation, taken } if !self.is_full() => {
                let (generation, taken) = (*generation, *taken);
                self.input(now, &Record::ReplyLength { generation, taken });
            }
            Observed::TurnJudged { turn, probability } if !self.is_full() => {
                let (turn, probability) = (*turn, *probability);
                self.input(now, &Record::TurnJudged { turn, probability });
            }
            Observed::Deadlines if !self.is_full() => self.input(now, &Record::Timeout),
            _ => {}
        }
        if let Some(line) = self.scribe.line(now, observed) {
            self.put(now, &Record::Line(Cow::Owned(line)));
        }
    }
}

/// Writes down what a call decided: the same live and in a replay, so that the two can be compared.
#[derive(Clone, Debug)]
pub(super) struct Scribe {
    trace: Trace,
    redacts: bool,
}

impl Scribe {
    pub(super) const fn new(kind: Kind) -> Self {
        Self { trace: Trace::new(), redacts: matches!(kind, Kind::Features) }
    }

    /// The line that shows what was observed, if it is shown.
    pub(super) fn line(&mut self, at: SessionTime, observed: &Observed) -> Option<String> {
        match observed {
            Observed::Heard { features, echo } => self.trace.evidence(*echo, features.voice),
            Observed::Output(output) => {
                let redacted = if self.redacts { redact::output(output) } else { None };
                self.trace.output(at, redacted.as_ref().unwrap_or(output));
            }
            _ => return None,
        }
        let text = self.trace.take();
        let line = text.trim_end_matches('\n');
        // A message of a backend may have lines.
        (!line.is_empty()).then(|| line.replace('\n', " "))
    }
}

/// An agent that may be recorded.
#[derive(Debug)]
pub struct Recorded<C, V> {
    agent: Agent<C, V>,
    recorder: Option<Recorder>,
}

impl<C: Codec, V: VoiceModel> Recorded<C, V> {
    /// `agent` as it is with no `recorder`. It must not have been told anything yet.
    pub fn new(mut agent: Agent<C, V>, recorder: Option<Recorder>) -> Self {
        if recorder.is_some() {
            agent.observe(Observe::Decisions);
        }
        Self { agent, recorder }
    }

    /// See [`Agent::handle_connected`].
    pub fn handle_connected(&mut self, now: SessionTime) {
        self.note(|recorder| recorder.input(now, &Record::Connected));
        self.agent.handle_connected(now);
        self.follow(now);
    }

    /// See [`Agent::handle_rtp`].
    pub fn handle_rtp(&mut self, now: SessionTime, packet: &RtpPacket<'_>) {
        self.note_audio(now, &Record::Rtp(*packet));
        self.agent.handle_rtp(now, packet);
        self.follow(now);
    }

    /// See [`Agent::handle_round_trip`].
    pub fn handle_round_trip(&mut self, now: SessionTime, rtt: Duration) {
        self.note(|recorder| recorder.input(now, &Record::RoundTrip(rtt)));
        self.agent.handle_round_trip(now, rtt);
        self.follow(now);
    }

    /// See [`Agent::handle_sent_loss`].
    pub fn handle_sent_loss(&mut self, now: SessionTime, share: f32) {
        self.note_audio(now, &Record::SentLoss(share));
        self.agent.handle_sent_loss(share);
    }

    /// See [`Agent::handle_backend`].
    pub fn handle_backend(&mut self, now: SessionTime, event: BackendEvent) {
        self.note(|recorder| recorder.backend(now, &event));
        self.agent.handle_backend(now, event);
        self.follow(now);
    }

    /// See [`Agent::handle_backend_audio`].
    pub fn handle_backend_audio(
        &mut self,
        now: SessionTime,
        generation: Generation,
        sample_rate_hz: u32,
        pcm: &[i16],
    ) {
        let audio = Cow::Borrowed(pcm);
        self.note_audio(now, &Record::ReplyAudio { generation, sample_rate_hz, pcm: audio });
        self.agent.handle_backend_audio(now, generation, sample_rate_hz, pcm);
        self.follow(now);
    }

    /// See [`Agent::handle_backend_stuck`].
    pub fn handle_backend_stuck(&mut self, now: SessionTime) {
        self.note(|recorder| recorder.input(now, &Record::Stuck));
        self.agent.handle_backend_stuck(now);
        self.follow(now);
    }

    /// See [`Agent::handle_turn_judged`].
    pub fn handle_turn_judged(&mut self, now: SessionTime, turn: TurnId, probability: Option<f32>) {
        self.note_audio(now, &Record::TurnJudged { turn, probability });
        self.agent.handle_turn_judged(now, turn, probability);
        self.follow(now);
    }

    /// See [`Agent::handle_client`].
    pub fn handle_client(&mut self, now: SessionTime, command: ClientCommand) {
        self.note(|recorder| recorder.client(now, &command));
        self.agent.handle_client(now, command);
        self.follow(now);
    }

    /// See [`Agent::handle_timeout`].
    pub fn handle_timeout(&mut self, now: SessionTime) {
        self.note_audio(now, &Record::Timeout);
        self.agent.handle_timeout(now);
        self.follow(now);
    }

    /// See [`Agent::poll_output`].
    pub fn poll_output(&mut self) -> Option<AgentOutput> {
        self.agent.poll_output()
    }

    fn note(&mut self, note: impl FnOnce(&mut Recorder)) {
        if let Some(recorder) = &mut self.recorder {
            note(recorder);
        }
    }

    /// What only a full recording holds.
    fn note_audio(&mut self, now: SessionTime, record: &Record<'_>) {
        if let Some(recorder) = self.recorder.as_mut().filter(|recorder| recorder.is_full()) {
            recorder.input(now, record);
        }
    }

    fn follow(&mut self, now: SessionTime) {
        let Some(recorder) = &mut self.recorder else { return };
        while let Some(observed) = self.agent.poll_observed() {
            recorder.observed(now, &observed);
        }
        if recorder.stopped().is_some() {
            self.agent.observe(Observe::Nothing);
        }
    }
}

impl<C, V> Recorded<C, V> {
    /// The recorder, if there is one.
    pub const fn recorder(&mut self) -> Option<&mut Recorder> {
        self.recorder.as_mut()
    }
}

/// For looking at: what changes an agent is noted here first.
impl<C, V> Deref for Recorded<C, V> {
    type Target = Agent<C, V>;

    fn deref(&self) -> &Agent<C, V> {
        &self.agent
    }
}
