//! One call's conversation with Nova Sonic, over as many connections as it takes. Pure and told the time.
//!
//! ```text
//! frames --> feed --> blocks ----.                       .--> events, audio --> the call
//! commands ----------------------+--> connection (live) -+
//! tool results --> desk ---------'    connection (next)  '--> tool uses ------> the desk
//! ```
//!
//! Nova decides when the user's turn is over and hears interruptions; the call numbers turns and replies.
//! What joins the two is in `answers`: each of Nova's answers is given to the reply that the call asked for,
//! or announced, or dropped. `connections` opens them, replaces them in time and survives their deaths;
//! `watches` is what happens when nothing happens.
//!
//! One input, then drain [`Conversation::poll_act`] and [`Conversation::poll_made`], then the next.

mod answers;
mod commands;
mod connections;
mod losing;
mod sending;
mod tempo;
mod texts;
mod tools;
mod watches;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::call::event::{BackendEvent, Generation, TurnId, Usage};
use crate::limits::{NOVA_OUTPUTS_WAITING_MAX, NOVA_TEXTS_WAITING_MAX};
use crate::media::frame::PcmFrame;
use crate::nova::fault::Fault;
use crate::nova::feed::{Feed, Recent};
use crate::nova::history::History;
use crate::nova::request::{Scribe, ToolDeclaration, Unit};
use crate::nova::settings::{ModelVersion, NovaSettings};
use crate::nova::usage::{Meter, Prices};
use crate::time::{SessionTime, Timers};
use crate::tools::{Desk, Names, ToolDone, ToolRun, ToolSpec, Toolbox};

use answers::{Answer, Asked, Interruption};
use connections::Connections;
use losing::GoingOn;
use tempo::Tempo;
use texts::Finals;
use watches::Watch;

/// One connection of a call, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LineId(pub u32);

/// What a conversation is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How the agent's conversations behave.
    pub settings: NovaSettings,
    /// Who the model is and how it behaves.
    pub system: String,
    /// The first words, if they are fixed.
    pub greeting: Option<String>,
    /// What the model may call.
    pub tools: Arc<Toolbox>,
    /// What a thousand tokens cost.
    pub prices: Prices,
    /// The call's id: it makes names and idempotency keys unique.
    pub call_id: String,
    /// How long the call waits for the beginning of a reply.
    pub reply_timeout: Duration,
    /// For whatever is left to chance.
    pub seed: u64,
}

/// What became of a connection.
#[derive(Debug)]
pub enum LineEvent {
    /// The service has accepted it.
    Opened {
        /// How long its credentials are still good; `None`: for ever.
        credentials_last: Option<Duration>,
        /// It was opened ahead.
        warm: Option<Warm>,
    },
    /// An event came, as JSON.
    Event(Vec<u8>),
    /// It is over. Nothing follows.
    Ended(Fault),
}

/// A connection that was opened ahead.
#[derive(Debug)]
pub struct Warm {
    /// Its own, whose audio block is open.
    pub scribe: Box<Scribe>,
    /// Since the service accepted it.
    pub age: Duration,
}

/// What the conversation wants done.
#[derive(Debug)]
pub enum Act {
    /// Open a connection and send this first. `renews`: beside one that still works.
    Open { line: LineId, unit: Unit, renews: bool },
    /// Send these events, with nothing between them.
    Send { line: LineId, unit: Unit },
    /// Send these, end the input, and read on until the service ends it too, for a few seconds.
    Close { line: LineId, unit: Unit },
    /// Forget it.
    Abort { line: LineId },
    /// Run a tool; answered with [`Conversation::handle_tool`].
    Run(ToolRun),
    /// Stop a run.
    AbortRun { ticket: u64 },
}

/// What the conversation says to the call.
#[derive(Clone, Debug, PartialEq)]
pub enum Made {
    /// Something happened.
    Event(BackendEvent),
    /// Reply audio, at [`NovaSettings::output_rate_hz`].
    Audio { generation: Generation, pcm: Vec<i16> },
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NovaStats {
    /// Connections opened.
    pub connections: u64,
    /// Connections that were replaced in time.
    pub renewals: u64,
    /// Of those, in the middle of something.
    pub renewals_forced: u64,
    /// Connections that died by themselves.
    pub deaths: u64,
    /// Events that could not be read.
    pub malformed: u64,
    /// Events of unknown kinds, ignored.
    pub unknown: u64,
    /// Answers dropped because they were interrupted.
    pub answers_dropped: u64,
    /// Texts refused because too many waited.
    pub texts_refused: u64,
}

/// The conversation of one call.
#[derive(Debug)]
pub struct Conversation {
    setup: Setup,
    version: ModelVersion,
    connections: Connections,
    feed: Feed,
    recent: Recent,
    history: History,
    meter: Meter,
    desk: Desk,
    names: Names,
    /// Tool uses, and the connections on which they may be answered.
    uses: Vec<(String, LineId)>,
    timers: Timers<Watch>,
    /// The user's turn that the call has open.
    turn: Option<OpenTurn>,
    /// The newest turn of the call.
    last_turn: TurnId,
    /// Nova hears the user speak.
    nova_hears: bool,
    /// The reply that the call waits for, or takes.
    asked: Option<Asked>,
    /// The newest reply that the call asked for.
    last_reply: Generation,
    /// The answer that Nova makes.
    answer: Option<Answer>,
    /// The reply that sounds, or is about to: it has content, and the call has not closed it.
    sounding: Option<Generation>,
    interruption: Interruption,
    finals: Finals,
    /// What the user said or was said in place of the user, which Nova has not begun to answer.
    unanswered: Option<String>,
    /// Nova has shown that it heard the open turn.
    nova_knows: bool,
    /// It tells when it begins to hear the user; the documentation does not promise that.
    says_when_it_hears: bool,
    /// When a connection was last taken to be deaf.
    deaf_at: Option<SessionTime>,
    /// A connection was replaced for this turn already, because nothing was answered.
    tried_again: bool,
    going_on: GoingOn,
    /// How fast the voice speaks.
    voice: Tempo,
    /// The result of the last tool, while Nova has not spoken since.
    last_result: Option<String>,
    /// The call was asked for the floor and has not given it.
    wants_to_speak: bool,
    /// What is to be said to Nova, and the reply that it asks for.
    texts: VecDeque<(Option<Generation>, String)>,
    /// Used, and not told yet.
    used: Usage,
    is_ready: bool,
    is_over: bool,
    acts: VecDeque<Act>,
    made: VecDeque<Made>,
    stats: NovaStats,
}

/// A turn of the user as the call sees it.
#[derive(Clone, Copy, Debug)]
struct OpenTurn {
    turn: TurnId,
    /// The call was told that it is over.
    told: bool,
}

/// What a model is told of its tools.
pub fn declarations(tools: &Toolbox) -> Vec<ToolDeclaration> {
    let names = names_of(tools);
    let declare = |(index, spec): (usize, &ToolSpec)| ToolDeclaration {
        name: names.wire(index).to_owned(),
        description: spec.description.clone(),
        schema: spec.parameters.to_string(),
    };
    tools.specs().enumerate().map(declare).collect()
}

fn names_of(tools: &Toolbox) -> Names {
    let names: Vec<&str> = tools.specs().map(|spec| spec.name.as_str()).collect();
    Names::new(&names)
}

impl Conversation {
    /// A conversation that opens its first connection. The time is zero.
    pub fn new(setup: Setup) -> Self {
        let mut conversation = Self {
            version: ModelVersion::of(&setup.settings.model),
            connections: Connections::new(setup.seed),
            feed: Feed::default(),
            recent: Recent::default(),
            history: History::default(),
            meter: Meter::default(),
            names: names_of(&setup.tools),
            desk: Desk::new(Arc::clone(&setup.tools), setup.call_id.clone()),
            uses: Vec::new(),
            timers: Timers::new(),
            turn: None,
            last_turn: TurnId(0),
            nova_hears: false,
            asked: None,
            last_reply: Generation(0),
            answer: None,
            sounding: None,
            interruption: Interruption::default(),
            finals: Finals::default(),
            unanswered: None,
            nova_knows: false,
            says_when_it_hears: false,
            deaf_at: None,
            tried_again: false,
            going_on: GoingOn::No,
            voice: Tempo::default(),
            last_result: None,
            wants_to_speak: false,
            texts: VecDeque::new(),
            used: Usage::default(),
            is_ready: false,
            is_over: false,
            acts: VecDeque::new(),
            made: VecDeque::new(),
            stats: NovaStats::default(),
            setup,
        };
        conversation.open_next(SessionTime::ZERO);
        conversation
    }

    /// What was said in the call before: every connection is told of it. Before the first is open.
    pub fn recall(&mut self, history: History) {
        self.history = history;
    }

    /// 20 ms of the user.
    pub fn handle_frame(&mut self, now: SessionTime, frame: &PcmFrame) {
        let nobody_speaks = !self.nova_hears && self.turn.is_none() && !self.recent.is_in_turn();
        self.feed.push(now, frame, nobody_speaks);
        self.send_audio();
    }

    /// Something became of a connection.
    pub fn handle_line(&mut self, now: SessionTime, line: LineId, event: LineEvent) {
        if self.is_over {
            return;
        }
        match event {
            LineEvent::Opened { credentials_last, warm } => {
                self.handle_opened(now, line, credentials_last, warm);
            }
            LineEvent::Event(json) => self.handle_event(now, line, &json),
            LineEvent::Ended(fault) => self.handle_ended(now, line, &fault),
        }
        self.settle(now);
    }

    /// A run of a tool is over.
    pub fn handle_tool(&mut self, now: SessionTime, done: ToolDone) {
        self.desk.finished(now, done);
        self.settle(now);
    }

    /// Deadlines of [`Conversation::poll_timeout`] were reached.
    pub fn handle_timeout(&mut self, now: SessionTime) {
        self.feed.fill(now);
        self.send_audio();
        while let Some(watch) = self.timers.take_due(now) {
            self.handle_watch(now, watch);
        }
        self.settle(now);
    }

    /// The next thing to do, in order.
    pub fn poll_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    /// The next thing to tell the call, in order.
    pub fn poll_made(&mut self) -> Option<Made> {
        self.made.pop_front()
    }

    /// Whether something is to be told.
    pub fn has_made(&self) -> bool {
        !self.made.is_empty()
    }

    /// When [`Conversation::handle_timeout`] wants to be called next.
    pub fn poll_timeout(&self) -> Option<SessionTime> {
        let timer = self.timers.next().map(|(at, _)| at);
        [timer, self.feed.poll_timeout(), self.desk.poll_timeout()].into_iter().flatten().min()
    }

    /// Whether connections may be read: what came before was taken.
    pub fn wants_events(&self) -> bool {
        let waiting = self.answer.as_ref().map_or(0, Answer::waiting);
        self.made.len() + waiting < NOVA_OUTPUTS_WAITING_MAX
    }

    /// The backend has failed, and has said so.
    pub fn is_over(&self) -> bool {
        self.is_over && self.made.is_empty()
    }

    /// Nothing further will be opened.
    pub const fn is_hung_up(&self) -> bool {
        self.is_over
    }

    /// What is to be said to Nova is one thing, however many parts it came in.
    fn unanswered_with(&self, text: String) -> String {
        match &self.unanswered {
            Some(before) => format!("{before} {text}"),
            None => text,
        }
    }

    /// What was counted so far.
    pub const fn stats(&self) -> NovaStats {
        self.stats
    }

    /// The call is over: the connections are closed politely.
    pub fn handle_hang_up(&mut self, now: SessionTime) {
        self.desk.cancel_all(now, "the call is over");
        self.is_over = true;
        self.close_all();
    }

    /// After each input: what became possible by it.
    fn settle(&mut self, now: SessionTime) {
        self.follow_desk(now);
        self.release_finished();
        self.hand_over_if_quiet(now);
    }

    fn tell(&mut self, event: BackendEvent) {
        self.made.push_back(Made::Event(event));
    }

    /// Says something to the model in place of the user, as soon as a connection takes it.
    fn say(&mut self, now: SessionTime, reply: Option<Generation>, text: String) {
        if self.texts.len() == NOVA_TEXTS_WAITING_MAX {
            self.stats.texts_refused += 1;
            return;
        }
        self.texts.push_back((reply, text));
        self.send_texts(now);
    }

    /// Nothing goes on between user and model.
    fn is_quiet(&self) -> bool {
        self.turn.is_none()
            && !self.nova_hears
            && !self.recent.is_in_turn()
            && self.asked.is_none()
            && self.answer.is_none()
            && self.sounding.is_none()
            && self.unanswered.is_none()
            && self.last_result.is_none()
            && self.texts.is_empty()
            && self.desk.pending() == 0
    }
}

#[cfg(test)]
mod tests;
