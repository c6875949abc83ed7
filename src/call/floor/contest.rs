//! The user speaks while the agent has the floor: the floor's side of an interruption.
//!
//! Suspected, the reply is paused in the downlink, and nobody else knows. Confirmed, the backend is given
//! what was held since, as a turn that may come to nothing. Committed, the reply is cancelled and the turn
//! is the user's. Dismissed, the turn is taken back and the reply plays on from where it faded.

use std::mem;
use std::time::Duration;

use super::{Floor, State};
use crate::call::Timer;
use crate::call::barge_in::Finding;
use crate::call::effects::Effects;
use crate::call::event::{
    BackendCommand, ClientEvent, Decision, DownlinkCommand, EchoVerdict, FrameFeatures, Generation,
    Output, Stage, TurnId,
};
use crate::call::metrics::TurnClock;
use crate::call::settings::{InterruptionPolicy, TurnAuthority};
use crate::call::speech::SpeechChange;
use crate::time::SessionTime;

/// An attempt that neither voice nor silence decided by then comes to nothing: sound without words where
/// only words count, or features that no longer come.
const ATTEMPT_MAX: Duration = Duration::from_secs(3);

/// Speech of the user over a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overlap {
    first: SessionTime,
    /// When it ended; `None` while it goes on.
    last: Option<SessionTime>,
    /// The reply could not be interrupted when it began.
    unheard: bool,
    /// It is not the agent's own echo: a new sound may be, for some frames.
    is_users: bool,
}

impl Overlap {
    pub(super) const fn is_over(&self) -> bool {
        self.last.is_some()
    }
}

impl Floor {
    /// A frame of the user was heard.
    pub(in crate::call) fn heard(
        &mut self,
        now: SessionTime,
        frame: &FrameFeatures,
        echo: EchoVerdict,
        change: Option<SpeechChange>,
        effects: &mut Effects,
    ) {
        if let State::User { .. } = self.state {
            self.barge_in.note_turn_frame(frame);
        }
        if !self.has_reply() {
            self.wait_for_clarity(now, echo, change, effects);
            return;
        }
        // Only a voiced frame and the beginning of speech ask, and the answer may take words apart.
        let is_asked = change.is_some() || self.barge_in.is_voiced(frame);
        let may_interrupt = is_asked && self.may_interrupt();
        self.note_overlap(change, echo, may_interrupt);
        let finding = self.barge_in.step(frame, echo, may_interrupt);
        self.act(now, finding, Evidence { echo, voice: frame.voice }, effects);
    }

    /// Something of the turn was understood.
    pub(in crate::call) fn understood(
        &mut self,
        now: SessionTime,
        turn: TurnId,
        text: &str,
        is_final: bool,
        effects: &mut Effects,
    ) {
        if let State::Yielding { turn: offered, .. } = &self.state
            && offered.turn() == turn
        {
            let finding = self.barge_in.transcribed(text, is_final);
            self.act(now, finding, Evidence::NONE, effects);
        }
    }

    /// The backend's own detector heard an interruption: it makes no more of this reply.
    pub(in crate::call) fn interrupted_by_backend(
        &mut self,
        now: SessionTime,
        generation: Generation,
        effects: &mut Effects,
    ) {
        // It may have been made to its end and still be playing.
        if self.reply_mut().is_none_or(|reply| reply.generation() != generation) {
            effects.stats.stale_messages += 1;
            return;
        }
        let speaking = self.overlap.filter(|overlap| overlap.last.is_none());
        match mem::take(&mut self.state) {
            State::Thinking { reply } | State::Agent { reply } if speaking.is_none() => {
                self.forget_attempts();
                self.tell(Stage::Committed, Evidence::NONE, effects);
                self.interrupt(now, reply, effects);
                self.enter(now, State::Idle, effects);
            }
            speculating @ State::Speculating { .. } => {
                self.state = speculating;
                self.give_up_ahead(now, effects);
            }
            other => {
                self.state = other;
                self.act(now, Finding::Commit, Evidence::NONE, effects);
            }
        }
    }

    /// Neither voice nor silence decided the attempt.
    pub(in crate::call) fn contest_timeout(&mut self, now: SessionTime, effects: &mut Effects) {
        self.dismiss(now, effects);
        self.barge_in.give_up();
    }

    /// It was an interruption, if it may be one.
    pub(super) fn commit(&mut self, now: SessionTime, effects: &mut Effects) {
        if matches!(self.state, State::Contested { .. } | State::Yielding { .. }) {
            self.act(now, Finding::Commit, Evidence::NONE, effects);
        }
    }

    /// What was said over the reply is not to be heard: the user is muted, and the held audio gone.
    pub(in crate::call) fn forget_speech(&mut self, now: SessionTime, effects: &mut Effects) {
        self.dismiss(now, effects);
        self.forget_attempts();
    }

    /// It was nothing: the reply plays on.
    pub(super) fn dismiss(&mut self, now: SessionTime, effects: &mut Effects) {
        self.act(now, Finding::Dismiss, Evidence::NONE, effects);
    }

    /// With no reply open, who speaks is not interrupting.
    pub(super) const fn forget_attempts(&mut self) {
        self.overlap = None;
        self.barge_in.reset();
    }

    /// Who spoke over a reply that is over now, and was not heard, is heard.
    pub(super) fn hear_overlap(&mut self, now: SessionTime, effects: &mut Effects) {
        let overlap = self.overlap;
        self.forget_attempts();
        let Some(Overlap { first, last, is_users, .. }) = overlap else { return };
        if !is_users {
            // It opens a turn once it is known not to be the end of the agent's own echo.
            self.overlap = overlap.filter(|overlap| !overlap.is_over());
            return;
        }
        self.open_turn(now, first, effects);
        if let (State::User { turn }, Some(last)) = (&mut self.state, last) {
            turn.note_voiced(last);
            self.speech_stopped(now, now, effects);
        }
    }

    /// Somebody begins to speak to an agent that is silent, and it may be the agent's echo.
    pub(in crate::call) const fn doubt(&mut self, first: SessionTime) {
        self.overlap = Some(Overlap { first, last: None, unheard: false, is_users: false });
    }

    fn wait_for_clarity(
        &mut self,
        now: SessionTime,
        echo: EchoVerdict,
        change: Option<SpeechChange>,
        effects: &mut Effects,
    ) {
        match (change, &mut self.overlap) {
            (Some(SpeechChange::Stopped { .. }), Some(_)) => self.overlap = None,
            (None, Some(overlap)) if echo == EchoVerdict::Clear => {
                overlap.is_users = true;
                self.hear_overlap(now, effects);
            }
            _ => {}
        }
    }

    const fn has_reply(&self) -> bool {
        matches!(
            self.state,
            State::Thinking { .. }
                | State::Agent { .. }
                | State::Contested { .. }
                | State::Yielding { .. }
        )
    }

    /// Whether speech may interrupt the open reply at this moment. What was suspected is judged to its end.
    fn may_interrupt(&self) -> bool {
        let settings = &self.settings.interruption;
        match &self.state {
            State::Agent { reply } => {
                settings.policy != InterruptionPolicy::Never && !reply.is_protected(settings)
            }
            State::Thinking { .. } => settings.policy != InterruptionPolicy::Never,
            _ => true,
        }
    }

    fn note_overlap(
        &mut self,
        change: Option<SpeechChange>,
        echo: EchoVerdict,
        may_interrupt: bool,
    ) {
        let lasts = self.settings.interruption.commit;
        match (change, &mut self.overlap) {
            (Some(SpeechChange::Started { first }), None) => {
                let (unheard, is_users) = (!may_interrupt, echo == EchoVerdict::Clear);
                self.overlap = Some(Overlap { first, last: None, unheard, is_users });
            }
            (Some(SpeechChange::Started { .. }), Some(overlap)) => overlap.last = None,
            (Some(SpeechChange::Stopped { last }), Some(overlap)) => {
                // What could have interrupted and did not was judged to be nothing.
                let is_turn = overlap.unheard && last.since(overlap.first) >= lasts;
                overlap.last = Some(last);
                self.overlap = self.overlap.filter(|it| is_turn && it.is_users);
            }
            (None, Some(overlap)) if overlap.last.is_none() => {
                overlap.is_users |= echo == EchoVerdict::Clear;
            }
            _ => {}
        }
    }

    fn act(
        &mut self,
        now: SessionTime,
        finding: Finding,
        evidence: Evidence,
        effects: &mut Effects,
    ) {
        match (finding, mem::take(&mut self.state)) {
            (Finding::Suspect { first }, State::Thinking { reply } | State::Agent { reply }) => {
                disarm_waiting(effects);
                effects.timers.arm(Timer::Contest, now + ATTEMPT_MAX);
                effects.downlink(DownlinkCommand::Pause);
                self.tell(Stage::Suspected, evidence, effects);
                self.enter(now, State::Contested { reply, first }, effects);
            }
            // It waits for the commit: an "mhm" would interrupt a backend that decides itself.
            (Finding::Confirm, State::Contested { reply, first })
                if self.settings.authority == TurnAuthority::Backend =>
            {
                self.tell(Stage::Confirmed, evidence, effects);
                self.state = State::Contested { reply, first };
            }
            (Finding::Confirm, State::Contested { reply, first }) => {
                effects.timers.arm(Timer::Contest, now + ATTEMPT_MAX);
                self.tell(Stage::Confirmed, evidence, effects);
                let mut turn = TurnClock::spoken(self.offer_turn(effects), first);
                turn.note_voiced(now);
                self.enter(now, State::Yielding { reply, turn }, effects);
            }
            (Finding::Commit, State::Yielding { reply, turn }) => {
                self.forget_attempts();
                self.tell(Stage::Committed, evidence, effects);
                self.interrupt(now, reply, effects);
                self.hold_turn(now, turn, effects);
            }
            (Finding::Commit, State::Contested { reply, first }) => {
                self.interrupt_at_once(now, reply, first, evidence, effects);
            }
            (Finding::Commit, State::Thinking { reply } | State::Agent { reply }) => {
                let first = self.overlap.map_or(now, |overlap| overlap.first);
                self.interrupt_at_once(now, reply, first, evidence, effects);
            }
            (Finding::Dismiss, State::Contested { reply, .. }) => {
                self.play_on(now, reply, evidence, effects);
            }
            (Finding::Dismiss, State::Yielding { reply, turn }) => {
                let turn = turn.turn();
                self.dismissed = Some(turn);
                effects.backend(BackendCommand::UserTurnDismissed { turn });
                effects.client(ClientEvent::UserStoppedSpeaking { turn });
                self.play_on(now, reply, evidence, effects);
            }
            (_, other) => self.state = other,
        }
    }

    fn interrupt_at_once(
        &mut self,
        now: SessionTime,
        reply: super::Reply,
        first: SessionTime,
        evidence: Evidence,
        effects: &mut Effects,
    ) {
        self.forget_attempts();
        self.tell(Stage::Committed, evidence, effects);
        self.interrupt(now, reply, effects);
        self.open_turn(now, first, effects);
    }

    fn play_on(
        &mut self,
        now: SessionTime,
        reply: super::Reply,
        evidence: Evidence,
        effects: &mut Effects,
    ) {
        self.forget_attempts();
        effects.timers.disarm(Timer::Contest);
        effects.stats.dismissals += 1;
        effects.downlink(DownlinkCommand::Resume);
        self.tell(Stage::Dismissed, evidence, effects);
        self.return_to(now, reply, effects);
    }

    fn tell(&self, stage: Stage, evidence: Evidence, effects: &mut Effects) {
        let Evidence { echo, voice } = evidence;
        let generation = self.generation;
        effects.outputs.push_back(Output::Decision(Decision { stage, generation, echo, voice }));
    }
}

/// What was known when something was decided.
#[derive(Clone, Copy, Debug)]
struct Evidence {
    echo: EchoVerdict,
    voice: f32,
}

impl Evidence {
    /// It was not a frame that decided.
    const NONE: Self = Self { echo: EchoVerdict::Clear, voice: 0.0 };
}

/// A reply that is contested is not late.
fn disarm_waiting(effects: &mut Effects) {
    for timer in [Timer::Reply, Timer::Stall, Timer::Filler] {
        effects.timers.disarm(timer);
    }
}
