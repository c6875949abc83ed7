//! Replaying: the same core is told what it was told, and what it decides is compared.
//!
//! Under the recorded settings every input comes at its recorded time, the handling of deadlines included,
//! and every line must be the recorded one. Under other settings ([`Replay::what_if`]) the recorded call
//! is replayed beside the other one, which is woken for deadlines of its own where they differ from the
//! recorded call's. The world does not follow: the user says what was said, and the backend's answers are
//! those to what was decided then, for the replies that they were made for. Where such a reply is asked for
//! later than it was, its answers come as much later; where sooner, they come when they came.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use super::record::Record;
use super::recorder::Scribe;
use super::{FileError, Reader};
use crate::agent::{Agent, AgentSettings, Observe, Observed, Taken};
use crate::call::Call;
use crate::call::event::{BackendCommand, BackendEvent, Generation, Output};
use crate::dsp::vad::VoiceModel;
use crate::media::codec::Codec;
use crate::time::SessionTime;

/// What is replayed into.
#[derive(Debug)]
pub enum Engine<C, V> {
    /// The whole agent, for [`Kind::Full`]. `dictates`: the recorded voice probabilities are taken.
    Agent { agent: Box<Agent<C, V>>, dictates: bool },
    /// The conversation, for [`Kind::Features`].
    Conversation { call: Box<Call>, observed: VecDeque<Observed> },
}

impl<C: Codec, V: VoiceModel> Engine<C, V> {
    /// The conversation alone.
    pub fn conversation(settings: &AgentSettings) -> Self {
        let call = Box::new(Call::new(settings.call.clone()));
        Self::Conversation { call, observed: VecDeque::new() }
    }

    /// The whole agent. With `listens` the voice model judges the audio again, else it is not asked and
    /// the recorded probabilities are taken.
    pub fn agent(
        settings: AgentSettings,
        codec: C,
        voice: V,
        listens: bool,
        watch: Observe,
    ) -> Self {
        let mut agent = Box::new(Agent::new(settings, codec, voice));
        agent.observe(watch);
        Self::Agent { agent, dictates: !listens }
    }

    /// Performs one recorded input. What is only an observation does nothing.
    fn input(&mut self, at: SessionTime, record: &Record<'_>) {
        match self {
            Self::Agent { agent, .. } => {
                input_agent(agent, at, record);
                while agent.poll_output().is_some() {}
            }
            Self::Conversation { call, observed } => {
                input_call(call, at, record, observed);
                while let Some(output) = call.poll_output() {
                    observed.push_back(Observed::Output(output));
                }
            }
        }
    }

    fn dictate(&mut self, voice: f32) {
        if let Self::Agent { agent, dictates: true } = self {
            agent.dictate_voice(voice);
        }
    }

    fn deadline(&self) -> Option<SessionTime> {
        match self {
            Self::Agent { agent, .. } => agent.poll_timeout().map(|(at, _)| at),
            Self::Conversation { call, .. } => call.poll_timeout().map(|(at, _)| at),
        }
    }

    fn poll_observed(&mut self) -> Option<Observed> {
        match self {
            Self::Agent { agent, .. } => agent.poll_observed(),
            Self::Conversation { observed, .. } => observed.pop_front(),
        }
    }
}

fn input_agent<C: Codec, V: VoiceModel>(
    agent: &mut Agent<C, V>,
    at: SessionTime,
    record: &Record<'_>,
) {
    match record {
        Record::Connected => agent.handle_connected(at),
        Record::Rtp(packet) => agent.handle_rtp(at, packet),
        Record::RoundTrip(rtt) => agent.handle_round_trip(at, *rtt),
        Record::SentLoss(share) => agent.handle_sent_loss(*share),
        Record::Backend(event) => agent.handle_backend(at, event.clone().into_owned()),
        Record::ReplyAudio { generation, sample_rate_hz, pcm } => {
            agent.handle_backend_audio(at, *generation, *sample_rate_hz, pcm);
        }
        Record::Stuck => agent.handle_backend_stuck(at),
        Record::Client(command) => agent.handle_client(at, command.clone().into_owned()),
        Record::Timeout => agent.handle_timeout(at),
        Record::TurnJudged { turn, probability } => {
            agent.handle_turn_judged(at, *turn, *probability);
        }
        Record::ReplyLength { .. }
        | Record::Heard(_)
        | Record::Sent(_)
        | Record::Line(_)
        | Record::Over(_) => {}
    }
}

/// As [`Agent`] tells its conversation.
fn input_call(
    call: &mut Call,
    at: SessionTime,
    record: &Record<'_>,
    observed: &mut VecDeque<Observed>,
) {
    match record {
        Record::Connected => call.handle_connected(at),
        Record::RoundTrip(rtt) => call.handle_round_trip(*rtt),
        Record::Backend(event) => call.handle_backend(at, event.clone().into_owned()),
        Record::Stuck => call.handle_backend_stuck(at),
        Record::Client(command) => call.handle_client(at, command.clone().into_owned()),
        Record::Timeout => call.handle_timeout(at),
        Record::TurnJudged { turn, probability } => {
            call.handle_turn_judged(at, *turn, *probability);
        }
        Record::ReplyLength { generation, taken } => {
            let generation = *generation;
            if call.admits(generation) {
                match taken {
                    Some(Taken { length, speech }) => {
                        call.handle_reply_audio(at, generation, *length, *speech);
                    }
                    None => {
                        let message = "its audio was refused".to_owned();
                        let failed = BackendEvent::ReplyFailed { generation, message };
                        call.handle_backend(at, failed);
                    }
                }
            }
        }
        Record::Heard(features) => {
            call.handle_frame(at, features);
            observed.push_back(Observed::Heard { features: *features, echo: call.echo() });
        }
        Record::Sent(sent) => {
            observed.push_back(Observed::Sent(*sent));
            call.handle_sent(at, sent);
        }
        // Only in full recordings, or nothing that the conversation is told.
        Record::Rtp(_)
        | Record::SentLoss(_)
        | Record::ReplyAudio { .. }
        | Record::Line(_)
        | Record::Over(_) => {}
    }
}

/// One thing that happened in a replay.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub at: SessionTime,
    pub observed: Observed,
    /// Its line in the trace, if it has one.
    pub line: Option<String>,
}

/// Where a replay first differs from its recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Counted from 1.
    pub line: usize,
    /// `None` where one of the two has no such line.
    pub recorded: Option<String>,
    pub replayed: Option<String>,
}

/// A replay in progress. Advance, drain, and so on to the end.
#[derive(Debug)]
pub struct Replay<'a, C, V> {
    reader: Reader<'a>,
    actual: Engine<C, V>,
    other: Option<Engine<C, V>>,
    /// Answers on their way to the other replay.
    answers: Answers,
    actual_scribe: Scribe,
    other_scribe: Scribe,
    seen: VecDeque<Seen>,
    /// Lines of the recording that were not taken yet.
    shown: VecDeque<String>,
    /// Lines of the recording, and of its replay, that wait for their counterpart.
    recorded: VecDeque<String>,
    replayed: VecDeque<String>,
    lines: usize,
    difference: Option<Difference>,
    at: SessionTime,
    over: Option<String>,
}

impl<'a, C: Codec, V: VoiceModel> Replay<'a, C, V> {
    /// A replay under the recorded settings, with which `engine` must have been built.
    pub fn new(reader: Reader<'a>, engine: Engine<C, V>) -> Self {
        let scribe = Scribe::new(reader.header().kind);
        Self {
            reader,
            actual: engine,
            other: None,
            answers: Answers::default(),
            actual_scribe: scribe.clone(),
            other_scribe: scribe,
            seen: VecDeque::new(),
            shown: VecDeque::new(),
            recorded: VecDeque::new(),
            replayed: VecDeque::new(),
            lines: 0,
            difference: None,
            at: SessionTime::ZERO,
            over: None,
        }
    }

    /// Beside it, a replay under other settings, which is what [`Replay::poll_seen`] then shows.
    #[must_use]
    pub fn what_if(mut self, other: Engine<C, V>) -> Self {
        self.other = Some(other);
        self
    }

    /// Replays the next block of the recording. Returns whether there was one.
    pub fn advance(&mut self) -> Result<bool, FileError> {
        let Some(block) = self.reader.next_block()? else {
            // What one of them has beyond the other is a difference.
            self.compare(true);
            return Ok(false);
        };
        let mut records = Vec::new();
        self.reader.read(&block, |at, record| records.push((at, record)))?;
        self.dictate(&records);
        for (at, record) in &records {
            self.perform(*at, record);
        }
        self.compare(false);
        Ok(true)
    }

    /// The next thing that happened.
    pub fn poll_seen(&mut self) -> Option<Seen> {
        self.seen.pop_front()
    }

    /// Beside another replay: the next line of the recording, to be shown against it.
    pub fn poll_recorded(&mut self) -> Option<String> {
        self.shown.pop_front()
    }

    /// Lines compared so far that are the same.
    pub const fn lines(&self) -> usize {
        self.lines
    }

    /// The first difference, if there is one.
    pub const fn difference(&self) -> Option<&Difference> {
        self.difference.as_ref()
    }

    /// The time of the last record replayed.
    pub const fn at(&self) -> SessionTime {
        self.at
    }

    /// Why the call ended, once that was read.
    pub fn over(&self) -> Option<&str> {
        self.over.as_deref()
    }

    /// Why the recording ended before the call did; empty if it did not.
    pub fn note(&self) -> Option<&str> {
        self.reader.note()
    }

    /// The frames of a block are judged as they were: an input comes before what was heard through it, so
    /// they are told ahead.
    fn dictate(&mut self, records: &[(SessionTime, Record<'_>)]) {
        for (_, record) in records {
            if let Record::Heard(features) = record {
                self.actual.dictate(features.voice);
                if let Some(other) = &mut self.other {
                    other.dictate(features.voice);
                }
            }
        }
    }

    fn perform(&mut self, at: SessionTime, record: &Record<'_>) {
        self.wake_other(at);
        self.at = at;
        match record {
            Record::Line(line) => {
                self.recorded.push_back(line.clone().into_owned());
                if self.other.is_some() {
                    self.shown.push_back(line.clone().into_owned());
                }
            }
            Record::Over(reason) => self.over = Some(reason.clone().into_owned()),
            _ => {}
        }
        self.actual.input(at, record);
        while let Some(observed) = self.actual.poll_observed() {
            self.answers.opened(&observed, at, Side::Actual);
            let line = self.actual_scribe.line(at, &observed);
            self.replayed.extend(line.clone());
            if self.other.is_none() {
                self.seen.push_back(Seen { at, observed, line });
            }
        }
        if let Some(other) = &mut self.other
            && !self.answers.hold(at, record)
        {
            other.input(at, record);
            self.watch_other(at);
        }
    }

    /// Wakes the other replay for deadlines that the recorded call did not have. Where both wait for the
    /// same, both are as late as the recorded call was.
    fn wake_other(&mut self, until: SessionTime) {
        while let Some((due, record)) = self.answers.take_due(until) {
            self.wake_other_for_deadlines(due);
            if let Some(other) = &mut self.other {
                other.input(due, &record);
            }
            self.watch_other(due);
        }
        self.wake_other_for_deadlines(until);
    }

    fn wake_other_for_deadlines(&mut self, until: SessionTime) {
        while let Some(other) = &mut self.other
            && let Some(deadline) = other.deadline().filter(|deadline| *deadline < until)
            && self.actual.deadline().is_none_or(|actual| deadline < actual)
        {
            let now = deadline.max(self.at);
            other.input(now, &Record::Timeout);
            self.watch_other(now);
            if self.other.as_ref().and_then(Engine::deadline).is_some_and(|next| next <= deadline) {
                // It waits for something that only an input brings.
                return;
            }
        }
    }

    fn watch_other(&mut self, at: SessionTime) {
        while let Some(observed) = self.other.as_mut().and_then(Engine::poll_observed) {
            self.answers.opened(&observed, at, Side::Other);
            let line = self.other_scribe.line(at, &observed);
            self.seen.push_back(Seen { at, observed, line });
        }
    }

    fn compare(&mut self, at_end: bool) {
        while self.difference.is_none() {
            let both = !self.recorded.is_empty() && !self.replayed.is_empty();
            let either = !self.recorded.is_empty() || !self.replayed.is_empty();
            if !(both || at_end && either) {
                return;
            }
            let (recorded, replayed) = (self.recorded.pop_front(), self.replayed.pop_front());
            if recorded == replayed {
                self.lines += 1;
            } else {
                self.difference = Some(Difference { line: self.lines + 1, recorded, replayed });
            }
        }
        self.recorded.clear();
        self.replayed.clear();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Actual,
    Other,
}

/// The recorded backend, as the other replay meets it: what it says of a reply waits until that reply is
/// asked for, and then takes as long as it took. There are no more of these than the recording holds.
#[derive(Debug, Default)]
struct Answers {
    /// When each reply was asked for, in the recording and in the other replay.
    asked: BTreeMap<Generation, (Option<SessionTime>, Option<SessionTime>)>,
    /// In the order in which they were said.
    held: VecDeque<(SessionTime, Generation, Record<'static>)>,
}

impl Answers {
    fn opened(&mut self, observed: &Observed, at: SessionTime, side: Side) {
        let Observed::Output(Output::Backend(command)) = observed else { return };
        let (BackendCommand::Greet { generation }
        | BackendCommand::Speak { generation }
        | BackendCommand::Say { generation, .. }
        | BackendCommand::Speculate { generation, .. }
        | BackendCommand::UserTurnEnded { generation, .. }
        | BackendCommand::UserText { generation, .. }) = command
        else {
            return;
        };
        // A reply that is made ahead is asked for at its first mention.
        let (actual, other) = self.asked.entry(*generation).or_default();
        let asked = if side == Side::Actual { actual } else { other };
        asked.get_or_insert(at);
    }

    /// Keeps a record back that is about a reply which the other replay asks for later.
    fn hold(&mut self, at: SessionTime, record: &Record<'_>) -> bool {
        let Some((generation, record)) = answer(record) else { return false };
        let (Some(actual), other) = self.asked.get(&generation).copied().unwrap_or_default() else {
            // It was stale in the recording too.
            return false;
        };
        let is_late = other.is_none_or(|other| other > actual);
        if is_late {
            self.held.push_back((at, generation, record));
        }
        is_late
    }

    /// The next answer that comes before `until`.
    fn take_due(&mut self, until: SessionTime) -> Option<(SessionTime, Record<'static>)> {
        let due = |(at, generation, _): &(SessionTime, Generation, Record<'static>)| match self
            .asked
            .get(generation)
        {
            Some((Some(actual), Some(other))) => Some(*at + other.since(*actual)),
            _ => None,
        };
        let dues = self.held.iter().enumerate().filter_map(|(index, it)| Some((due(it)?, index)));
        let (due, index) = dues.min()?;
        if due >= until {
            return None;
        }
        self.held.remove(index).map(|(_, _, record)| (due, record))
    }
}

/// What the backend said of one reply.
fn answer(record: &Record<'_>) -> Option<(Generation, Record<'static>)> {
    match record {
        Record::ReplyAudio { generation, sample_rate_hz, pcm } => {
            let (generation, sample_rate_hz) = (*generation, *sample_rate_hz);
            let pcm = Cow::Owned(pcm.clone().into_owned());
            Some((generation, Record::ReplyAudio { generation, sample_rate_hz, pcm }))
        }
        Record::ReplyLength { generation, taken } => {
            let (generation, taken) = (*generation, *taken);
            Some((generation, Record::ReplyLength { generation, taken }))
        }
        Record::Backend(event) => match event.as_ref() {
            BackendEvent::ReplyStarted { generation }
            | BackendEvent::ReplyText { generation, .. }
            | BackendEvent::ReplyWords { generation, .. }
            | BackendEvent::ReplyFinished { generation }
            | BackendEvent::ReplyFailed { generation, .. }
            | BackendEvent::Interrupted { generation }
            | BackendEvent::Prompted { generation, .. }
            | BackendEvent::ToolCall { generation, .. } => {
                let event = event.clone().into_owned();
                Some((*generation, Record::Backend(Cow::Owned(event))))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Whether a replay under `other` settings needs the voice model: they treat the user's audio differently,
/// so what was judged of it then says nothing.
pub fn hears_differently(recorded: &AgentSettings, other: &AgentSettings) -> bool {
    recorded.uplink != other.uplink
}
