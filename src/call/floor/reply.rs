//! One reply, from being asked for to being closed, and the floor's side of it.

use std::mem;
use std::time::Duration;

use super::{Floor, State};
use crate::call::Timer;
use crate::call::effects::Effects;
use crate::call::event::{
    BackendCommand, BackendEvent, ClientEvent, DownlinkCommand, Generation, Heard, HeardSource,
    Playout, SentFrame,
};
use crate::call::metrics::TurnClock;
use crate::call::playout::{Delay, Ledger};
use crate::call::settings::InterruptionSettings;
use crate::time::SessionTime;

/// Level from which a sent frame is heard as sound. Room noise in a recorded voice is below it.
pub(super) const AUDIBLE_DBFS: f32 = -60.0;

/// A reply that is open.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    generation: Generation,
    /// The turn it answers; `None` for a greeting or an announcement.
    pub(super) clock: Option<TurnClock>,
    ledger: Ledger,
    /// The backend has made all of it.
    finished: bool,
    /// A frame with sound was sent.
    sounding: bool,
    /// The filler was played for it.
    filled: bool,
}

impl Reply {
    pub(super) fn new(generation: Generation, clock: Option<TurnClock>) -> Self {
        let ledger = Ledger::default();
        Self { generation, clock, ledger, finished: false, sounding: false, filled: false }
    }

    pub(super) const fn generation(&self) -> Generation {
        self.generation
    }

    /// Whether what is made for `generation` still belongs to it.
    pub(super) fn accepts(&self, generation: Generation) -> bool {
        self.generation == generation && !self.finished
    }

    pub(super) const fn has_audio(&self) -> bool {
        !self.ledger.queued().is_zero()
    }

    /// It was made, and nothing of it is to be played.
    pub(super) const fn is_over_before_it_sounds(&self) -> bool {
        self.finished && !self.has_audio()
    }

    pub(super) const fn text_chars(&self) -> usize {
        self.ledger.text_chars()
    }

    /// Whether what plays of it now may not be interrupted.
    pub(super) fn is_protected(&self, settings: &InterruptionSettings) -> bool {
        let first_words = settings.first_words as usize;
        let is_first = first_words > 0 && self.ledger.words_sent() < first_words;
        is_first || (!settings.protected.is_empty() && self.ledger.is_in(&settings.protected))
    }

    pub(super) const fn may_be_filled(&self) -> bool {
        !self.filled && !self.finished
    }

    /// Takes the one filler that a reply may have. It is for silence: while audio is queued it is not taken.
    pub(super) fn fill(&mut self) -> bool {
        let is_dry = self.ledger.sent() >= self.ledger.queued();
        let fills = self.may_be_filled() && is_dry;
        self.filled |= fills;
        fills
    }

    /// Tells everybody that it ends here, `delay` before the user has heard all that was sent.
    pub(super) fn cancel(self, now: SessionTime, delay: Delay, effects: &mut Effects) {
        let generation = self.generation;
        let heard = self.ledger.heard(now, delay);
        count(&heard, effects);
        // What waits in the downlink may be a clip.
        if self.has_audio() || self.filled {
            effects.downlink(DownlinkCommand::Flush);
        }
        effects.backend(BackendCommand::Cancel { generation, heard: heard.clone() });
        if self.sounding {
            let interrupted = true;
            effects.client(ClientEvent::BotStoppedSpeaking { generation, interrupted, heard });
        }
    }

    /// Tells everybody that it was sent to its end.
    pub(super) fn close(self, delay: Delay, effects: &mut Effects) {
        let generation = self.generation;
        let heard = self.ledger.heard_in_full(delay);
        effects.backend(BackendCommand::Played { generation, heard: heard.clone() });
        if self.sounding {
            let interrupted = false;
            effects.client(ClientEvent::BotStoppedSpeaking { generation, interrupted, heard });
        }
    }

    /// The first frame with sound was sent: what the turn took is known.
    fn begin_to_sound(&mut self, now: SessionTime, effects: &mut Effects) {
        self.sounding = true;
        let generation = self.generation;
        effects.client(ClientEvent::BotStartedSpeaking { generation });
        if let Some(clock) = &self.clock {
            let metrics = clock.measure(generation, now);
            effects.client(ClientEvent::Turn(metrics));
            effects.backend(BackendCommand::Measured(metrics));
        }
    }
}

impl Floor {
    /// The backend is set up: from now on it can be late.
    pub(in crate::call) fn set_backend_ready(&mut self, now: SessionTime, effects: &mut Effects) {
        self.backend_ready = true;
        if matches!(self.state, State::Thinking { .. }) {
            effects.timers.arm(Timer::Reply, now + self.settings.reply_timeout);
        }
    }

    /// Reply audio of this length was queued, `speech` of which is sound.
    pub(in crate::call) fn reply_audio(
        &mut self,
        now: SessionTime,
        generation: Generation,
        duration: Duration,
        speech: Duration,
        effects: &mut Effects,
    ) {
        let Some(reply) = self.admit(generation, &mut effects.stats) else { return };
        if duration.is_zero() {
            return;
        }
        reply.ledger.note_queued(duration, speech);
        if let Some(clock) = &mut reply.clock {
            clock.note_audio(now);
        }
        match mem::take(&mut self.state) {
            State::Thinking { reply } => self.enter(now, State::Agent { reply }, effects),
            other => self.state = other,
        }
        self.sign_of_life(now, effects);
    }

    /// What the backend says of a reply.
    pub(in crate::call) fn reply_event(
        &mut self,
        now: SessionTime,
        event: BackendEvent,
        effects: &mut Effects,
    ) {
        let Some(generation) = generation_of(&event) else { return };
        if let BackendEvent::Interrupted { generation } = event {
            return self.interrupted_by_backend(now, generation, effects);
        }
        // A backend may have said what it had to say before it needs the client: it is enough that no later
        // reply was asked for.
        let is_over = generation == self.generation && self.reply_mut().is_none();
        let event = match event {
            BackendEvent::ToolCall { call_id, name, arguments, .. } if is_over => {
                effects.client(ClientEvent::ToolCall { generation, call_id, name, arguments });
                return;
            }
            event => event,
        };
        let told = effects.outputs.len();
        let Some(reply) = self.admit(generation, &mut effects.stats) else { return };
        match event {
            BackendEvent::ReplyStarted { .. } => {
                effects.client(ClientEvent::ReplyStarted { generation });
            }
            BackendEvent::ReplyText { text, .. } => {
                if !reply.ledger.note_text(&text) {
                    effects.stats.text_overflows += 1;
                }
                if let Some(clock) = &mut reply.clock {
                    clock.note_text(now);
                }
                effects.client(ClientEvent::ReplyText { generation, text });
            }
            BackendEvent::ToolCall { call_id, name, arguments, .. } => {
                effects.client(ClientEvent::ToolCall { generation, call_id, name, arguments });
            }
            BackendEvent::ReplyFinished { .. } => {
                reply.ledger.note_complete();
                effects.client(ClientEvent::ReplyFinished { generation });
                self.finish(now, effects);
            }
            BackendEvent::ReplyFailed { message, .. } => {
                if self.is_speculating() {
                    return self.give_up_ahead(now, effects);
                }
                effects.complain(message);
                self.finish(now, effects);
                if self.is_idle() {
                    self.apologise(effects);
                }
            }
            BackendEvent::ReplyWords { words, .. } => {
                if !reply.ledger.note_words(words) {
                    effects.stats.text_overflows += 1;
                }
            }
            BackendEvent::Ready
            | BackendEvent::Interrupted { .. }
            | BackendEvent::UserTranscript { .. }
            | BackendEvent::TurnLooksComplete { .. }
            | BackendEvent::UserTurnEnded { .. }
            | BackendEvent::WantsToSpeak
            | BackendEvent::TurnsAreYours
            | BackendEvent::Prompted { .. }
            | BackendEvent::Used { .. }
            | BackendEvent::Failed { .. }
            | BackendEvent::HangUp { .. } => {}
        }
        if let State::Speculating { ahead } = &mut self.state {
            ahead.keep_back(told, effects);
        }
        self.sign_of_life(now, effects);
    }

    /// No more of the open reply will come. What is queued is still played; a reply without audio is
    /// over.
    pub(in crate::call) fn finish(&mut self, now: SessionTime, effects: &mut Effects) {
        let Some(reply) = self.reply_mut() else { return };
        reply.finished = true;
        let (generation, has_audio) = (reply.generation, reply.has_audio());
        if has_audio {
            effects.downlink(DownlinkCommand::Finish { generation });
            return;
        }
        match mem::take(&mut self.state) {
            State::Thinking { reply } => self.close(now, reply, effects),
            // There is nothing left to interrupt.
            State::Contested { reply, .. } => {
                effects.downlink(DownlinkCommand::Resume);
                self.close(now, reply, effects);
            }
            yielding @ State::Yielding { .. } => {
                self.state = yielding;
                self.commit(now, effects);
            }
            other => self.state = other,
        }
    }

    /// A downlink frame left the host.
    pub(in crate::call) fn sent(
        &mut self,
        now: SessionTime,
        sent: &SentFrame,
        effects: &mut Effects,
    ) {
        if sent.generation.is_none() {
            return self.sent_beside(sent);
        }
        let (State::Agent { reply }
        | State::Contested { reply, .. }
        | State::Yielding { reply, .. }) = &mut self.state
        else {
            return;
        };
        if sent.generation != Some(reply.generation) {
            return;
        }
        reply.ledger.note_sent(now, sent.queued);
        if !reply.sounding && sent.level_dbfs >= AUDIBLE_DBFS {
            reply.begin_to_sound(now, effects);
        }
        let over = reply.finished && sent.queued.is_zero();
        self.sign_of_life(now, effects);
        match mem::take(&mut self.state) {
            State::Agent { reply } if over => self.close(now, reply, effects),
            other => self.state = other,
        }
    }

    /// The client says what it played.
    pub(in crate::call) fn played(
        &mut self,
        now: SessionTime,
        report: &Playout,
        effects: &mut Effects,
    ) {
        let Some(reply) = self.reply_mut() else { return };
        if report.generation == reply.generation && !reply.ledger.note_report(now, report) {
            effects.stats.playout_lies += 1;
        }
    }

    /// The backend showed no sign of life for too long. A reply that it had finished, and that the
    /// downlink never came to the end of, is simply over.
    pub(in crate::call) fn give_up(&mut self, now: SessionTime, effects: &mut Effects) {
        let reply = match mem::take(&mut self.state) {
            State::Agent { reply } if reply.finished => return self.close(now, reply, effects),
            State::Thinking { reply } => {
                effects.stats.reply_timeouts += 1;
                let waited = self.settings.reply_timeout.as_secs_f32();
                effects.complain(format!("the backend did not answer within {waited} s"));
                reply
            }
            State::Agent { reply } => {
                effects.stats.stalls += 1;
                let waited = self.settings.stall_timeout.as_secs_f32();
                effects.complain(format!("the backend stalled for {waited} s within a reply"));
                reply
            }
            other => {
                self.state = other;
                return;
            }
        };
        self.cancel(now, reply, effects);
        self.enter(now, State::Idle, effects);
        self.apologise(effects);
        self.hear_overlap(now, effects);
    }

    /// Whoever works on the reply is given more time.
    pub(super) fn sign_of_life(&self, now: SessionTime, effects: &mut Effects) {
        let settings = &self.settings;
        match &self.state {
            State::Thinking { .. } => {
                effects.timers.arm(Timer::Reply, now + settings.reply_timeout);
            }
            State::Agent { reply } => {
                effects.timers.disarm(Timer::Reply);
                effects.timers.arm(Timer::Stall, now + settings.stall_timeout);
                match settings.wait.filler.filter(|_| reply.may_be_filled()) {
                    Some(after) => effects.timers.arm(Timer::Filler, now + after),
                    None => effects.timers.disarm(Timer::Filler),
                }
            }
            State::Idle
            | State::User { .. }
            | State::Settling { .. }
            | State::Speculating { .. }
            | State::Contested { .. }
            | State::Yielding { .. } => {}
        }
    }

    const fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    const fn is_speculating(&self) -> bool {
        matches!(self.state, State::Speculating { .. })
    }
}

fn count(heard: &Heard, effects: &mut Effects) {
    match heard.source {
        HeardSource::Reported => effects.stats.heard_reported += 1,
        HeardSource::RoundTrip => effects.stats.heard_by_round_trip += 1,
        HeardSource::Estimated => effects.stats.heard_estimated += 1,
    }
}

/// The reply that an event is about.
const fn generation_of(event: &BackendEvent) -> Option<Generation> {
    match event {
        BackendEvent::ReplyStarted { generation }
        | BackendEvent::ReplyText { generation, .. }
        | BackendEvent::ReplyWords { generation, .. }
        | BackendEvent::Interrupted { generation }
        | BackendEvent::ReplyFinished { generation }
        | BackendEvent::ReplyFailed { generation, .. }
        | BackendEvent::ToolCall { generation, .. } => Some(*generation),
        BackendEvent::Ready
        | BackendEvent::UserTranscript { .. }
        | BackendEvent::TurnLooksComplete { .. }
        | BackendEvent::UserTurnEnded { .. }
        | BackendEvent::WantsToSpeak
        | BackendEvent::TurnsAreYours
        | BackendEvent::Prompted { .. }
        | BackendEvent::Used { .. }
        | BackendEvent::Failed { .. }
        | BackendEvent::HangUp { .. } => None,
    }
}
