//! The model of a backend's history: turns and replies as the commands tell of them.

use std::time::Duration;

use antiphon::call::event::{BackendCommand, BackendEvent, Generation, Heard, HeardSource, TurnId};

use super::Truth;

/// The history of one call, and what is open in it.
#[derive(Debug, Default)]
pub(crate) struct History {
    last_turn: TurnId,
    open_turn: Option<TurnId>,
    last_generation: Generation,
    open_reply: Option<Reply>,
    /// A reply that is made ahead of the end of the open turn.
    ahead: Option<Reply>,
    /// The last reply that was closed, and what the user heard of it.
    closed: Option<(Generation, Heard)>,
}

/// A reply as its backend knows it.
#[derive(Debug)]
struct Reply {
    generation: Generation,
    /// What the backend wrote for it.
    text: String,
    finished: bool,
}

impl Reply {
    const fn new(generation: Generation) -> Self {
        Self { generation, text: String::new(), finished: false }
    }
}

impl History {
    pub(super) const fn open_turn(&self) -> Option<TurnId> {
        self.open_turn
    }

    pub(super) fn open_reply(&self) -> Option<Generation> {
        self.open_reply.as_ref().map(|reply| reply.generation)
    }

    /// Whether audio of this reply is still wanted.
    pub(super) fn takes_audio(&mut self, generation: Generation) -> bool {
        self.reply(generation).is_some_and(|reply| !reply.finished)
    }

    pub(super) fn backend_event(&mut self, event: &BackendEvent) {
        match event {
            BackendEvent::ReplyText { generation, text } => {
                if let Some(reply) = self.reply(*generation).filter(|reply| !reply.finished) {
                    reply.text.push(' ');
                    reply.text.push_str(text);
                }
            }
            BackendEvent::ReplyFinished { generation }
            | BackendEvent::ReplyFailed { generation, .. } => {
                if let Some(reply) = self.reply(*generation) {
                    reply.finished = true;
                }
            }
            BackendEvent::Failed { .. } => {
                if let Some(reply) = &mut self.open_reply {
                    reply.finished = true;
                }
            }
            _ => {}
        }
    }

    pub(super) fn command(&mut self, command: &BackendCommand) {
        match command {
            BackendCommand::UserSpeechStarted { turn } => {
                self.turn_opens(*turn);
                self.open_turn = Some(*turn);
            }
            BackendCommand::UserTurnEnded { turn, generation } => {
                self.turn_ends(*turn);
                match self.ahead.take_if(|reply| reply.generation == *generation) {
                    Some(reply) => self.reply_opens(reply),
                    None => self.new_reply_opens(*generation),
                }
            }
            BackendCommand::UserTurnDismissed { turn } => self.turn_ends(*turn),
            BackendCommand::UserText { turn, generation, .. } => {
                self.turn_opens(*turn);
                self.new_reply_opens(*generation);
            }
            BackendCommand::Greet { generation }
            | BackendCommand::Speak { generation }
            | BackendCommand::Say { generation, .. } => self.new_reply_opens(*generation),
            BackendCommand::Speculate { turn, generation } => {
                assert_eq!(self.open_turn, Some(*turn), "[ahead] of a turn that is not open");
                assert!(self.ahead.is_none(), "[ahead] {generation} within {:?}", self.ahead);
                self.counts(*generation);
                self.ahead = Some(Reply::new(*generation));
            }
            BackendCommand::Withdraw { turn, generation } => {
                assert_eq!(self.open_turn, Some(*turn), "[ahead] the turn is still open");
                let withdrawn = self.ahead.take().map(|reply| reply.generation);
                assert_eq!(withdrawn, Some(*generation), "[ahead] it was not begun");
            }
            BackendCommand::Cancel { generation, heard }
            | BackendCommand::Played { generation, heard } => self.reply_closes(*generation, heard),
            BackendCommand::ToolResult { .. } | BackendCommand::Measured(_) => {}
        }
    }

    /// The client was told what was heard: the same as the backend.
    pub(super) fn told_client(&self, generation: Generation, heard: &Heard) {
        let (closed, kept) = self.closed.as_ref().expect("[history] no reply was closed");
        assert_eq!((*closed, kept), (generation, heard), "[history] client and backend differ");
    }

    /// What the agent believes was heard is what was heard.
    pub(super) fn is_true(&self, heard: &Heard, truth: &Truth) {
        if let Some(really) = truth.heard.filter(|_| heard.source == HeardSource::Reported) {
            let error = really.abs_diff(heard.duration);
            assert!(
                error <= truth.tolerance,
                "[heard] {:?} of really {really:?}, more than {:?} off",
                heard.duration,
                truth.tolerance
            );
        }
    }

    fn reply(&mut self, generation: Generation) -> Option<&mut Reply> {
        let replies = [&mut self.open_reply, &mut self.ahead];
        replies.into_iter().flatten().find(|reply| reply.generation == generation)
    }

    fn turn_opens(&mut self, turn: TurnId) {
        assert_eq!(self.open_turn, None, "[turns] {turn} opens within a turn");
        assert_eq!(turn.0, self.last_turn.0 + 1, "[turns] are counted");
        self.last_turn = turn;
    }

    fn turn_ends(&mut self, turn: TurnId) {
        assert_eq!(self.open_turn.take(), Some(turn), "[turns] one ends that is not open");
    }

    /// A reply that was made ahead is left behind by what overtakes it: the turn's end without it, or
    /// its dismissal. Neither may leave it open.
    fn new_reply_opens(&mut self, generation: Generation) {
        assert!(self.ahead.is_none(), "[ahead] {:?} was neither kept nor withdrawn", self.ahead);
        self.counts(generation);
        self.reply_opens(Reply::new(generation));
    }

    fn reply_opens(&mut self, reply: Reply) {
        let open = &self.open_reply;
        assert!(open.is_none(), "[replies] {} opens within {open:?}", reply.generation);
        self.open_reply = Some(reply);
    }

    /// Numbers may be left out (a reply made ahead and withdrawn takes one), but none comes twice.
    fn counts(&mut self, generation: Generation) {
        let last = self.last_generation;
        assert!(generation > last, "[replies] {generation} after {last}");
        self.last_generation = generation;
    }

    fn reply_closes(&mut self, generation: Generation, heard: &Heard) {
        let reply = self.open_reply.take().expect("[replies] one is closed that is not open");
        assert_eq!(reply.generation, generation, "[replies] another one is closed");
        assert!(
            is_prefix(&heard.text, &reply.text),
            "[history] {:?} was never written, but {:?}",
            heard.text,
            reply.text
        );
        let heard_nothing = heard.duration == Duration::ZERO;
        assert!(!heard_nothing || heard.text.is_empty(), "[history] words without sound");
        self.closed = Some((generation, heard.clone()));
    }
}

/// Whether one text begins another, word by word.
fn is_prefix(start: &str, text: &str) -> bool {
    let mut words = text.split_whitespace();
    start.split_whitespace().all(|word| words.next() == Some(word))
}
