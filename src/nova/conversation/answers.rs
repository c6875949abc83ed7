//! Nova's answers, and the replies of the call that they become.
//!
//! Nova numbers nothing: an answer is what comes between two turns of the user. The call numbers its
//! replies and asks for each. An answer goes to the reply that is asked for; where none is, the call is asked
//! for the floor first; what belongs to an interrupted answer is dropped until the next begins.

use std::collections::VecDeque;
use std::time::Duration;

use super::losing::GoingOn;
use super::texts::Pace;
use super::watches::Watch;
use super::{Conversation, LineId, Made};
use crate::call::event::{BackendEvent, Generation};
use crate::limits::{BACKEND_BLOCK_SAMPLES_MAX, NOVA_OUTPUTS_WAITING_MAX};
use crate::nova::contents::Said;
use crate::nova::event::Stop;
use crate::nova::settings::ModelVersion;
use crate::time::SessionTime;
use crate::tools::TOOL_PATIENCE;

/// After an interruption that Nova reported, a new sentence this much later belongs to the next answer, even
/// if nothing else said so.
const RESUMES_AFTER: Duration = Duration::from_millis(300);
/// A sentence is held back no longer than until so shortly before it has to sound.
const HOLD_MARGIN: Duration = Duration::from_millis(300);
/// One interruption is reported up to three times, spread over so much.
const REPORTS_SPREAD: Duration = Duration::from_secs(2);

/// The reply that the call waits for, or takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) generation: Generation,
    /// Some of it was told.
    pub(super) has_content: bool,
}

/// Why the call asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The user spoke.
    Spoken,
    /// A text was sent.
    Text,
    /// It was asked for the floor.
    Announced,
}

/// The answer that Nova makes.
#[derive(Debug)]
pub(super) struct Answer {
    route: Route,
    /// The connection that makes it.
    pub(super) line: LineId,
    pub(super) pace: Pace,
    /// A sentence that is not complete, while what came before still sounds: should its connection die, the
    /// next one says the whole of it, and nobody has heard a part.
    held: VecDeque<Piece>,
    /// When what was delivered has been heard, if it is played without a pause.
    sounds_until: SessionTime,
}

#[derive(Debug)]
enum Route {
    To(Generation),
    /// Until the call asks for it.
    Waiting(VecDeque<Piece>),
    Dropped {
        since: SessionTime,
        by: DroppedBy,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DroppedBy {
    /// Nova stopped it: nothing more of it will come than is on its way.
    Nova,
    /// The call did, and Nova may not know: it goes on until it hears the user.
    Call,
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Audio(Vec<i16>),
    End,
}

impl Answer {
    const fn new(route: Route, line: LineId, pace: Pace) -> Self {
        let held = VecDeque::new();
        Self { route, line, pace, held, sounds_until: SessionTime::ZERO }
    }

    /// Pieces that wait for the call.
    pub(super) fn waiting(&self) -> usize {
        match &self.route {
            Route::Waiting(pieces) => pieces.len(),
            Route::To(_) => self.held.len(),
            Route::Dropped { .. } => 0,
        }
    }

    /// The text of what was delivered.
    pub(super) fn text_so_far(&self) -> String {
        let samples = |piece: &Piece| if let Piece::Audio(pcm) = piece { pcm.len() } else { 0 };
        self.pace.text_so_far(self.held.iter().map(samples).sum())
    }

    /// The reply that it is given to.
    pub(super) const fn generation(&self) -> Option<Generation> {
        match self.route {
            Route::To(generation) => Some(generation),
            Route::Waiting(_) | Route::Dropped { .. } => None,
        }
    }
}

/// How Nova reports an interruption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Report {
    /// It hears the user speak.
    Speech,
    /// It has stopped its answer.
    Marker,
}

/// What is known of interruptions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Interruption {
    /// When the last one was reported first.
    at: Option<SessionTime>,
}

impl Interruption {
    /// Whether another report, now, is about the last one.
    fn is_known(self, now: SessionTime) -> bool {
        self.at.is_some_and(|at| now.since(at) < REPORTS_SPREAD)
    }
}

impl Conversation {
    /// Nova said something on the connection that holds the conversation.
    pub(super) fn handle_said(&mut self, now: SessionTime, line: LineId, said: Said) {
        match said {
            Said::UserSpeechStarted => self.user_speech_started(now),
            Said::UserSpeechEnded => self.user_speech_ended(now),
            Said::UserText(text) => self.user_text(now, text),
            Said::Planned { text, .. } => self.planned(now, line, text),
            Said::AudioBegins { .. } => self.sign_of_answer(now),
            Said::Audio(pcm) => self.answer_audio(now, line, pcm),
            Said::AudioEnds { stop, is_cut: false } => self.audio_ends(now, stop),
            Said::AudioEnds { stop, is_cut: true } => self.cut_audio_ends(now, stop),
            Said::Interrupted => self.interrupted(now, Report::Marker),
            Said::ToolUse { use_id, name, arguments } => {
                self.tool_use(now, line, use_id, &name, &arguments);
            }
            Said::Spoken(_)
            | Said::Usage(_)
            | Said::CompletionStarted
            | Said::CompletionEnded
            | Said::Unknown => {}
        }
    }

    /// What was spoken, seconds later: of which answer is to be found out.
    pub(super) fn handle_final(&mut self, text: &str) {
        if let Some((generation, text)) = self.finals.spoken(text) {
            self.history.agent_heard(generation.0, &text);
        }
    }

    fn user_speech_started(&mut self, now: SessionTime) {
        (self.nova_hears, self.says_when_it_hears) = (true, true);
        self.hears_turn(now);
        self.recent.begin_turn();
        for watch in [Watch::Deaf, Watch::FirstEvent, Watch::Stall] {
            self.timers.disarm(watch);
        }
        self.interrupted(now, Report::Speech);
        self.dropped_by_nova(now);
    }

    /// From here on Nova knows what the call did: it says no more of an answer that was dropped.
    fn dropped_by_nova(&mut self, now: SessionTime) {
        if let Some(Answer { route: Route::Dropped { since, by }, .. }) = &mut self.answer
            && *by == DroppedBy::Call
        {
            (*since, *by) = (now, DroppedBy::Nova);
        }
    }

    fn user_speech_ended(&mut self, now: SessionTime) {
        self.nova_hears = false;
        self.hears_turn(now);
        self.forget_dropped();
        self.end_turn();
        self.await_answer(now);
    }

    fn user_text(&mut self, now: SessionTime, text: String) {
        self.nova_hears = false;
        self.hears_turn(now);
        // What is understood was heard, whoever cut the answer before it.
        self.answer.take_if(|answer| matches!(answer.route, Route::Dropped { .. }));
        self.history.user_said(&text);
        self.desk.user_said(now, &text);
        let turn = self.last_turn;
        self.tell(BackendEvent::UserTranscript { turn, text: text.clone(), is_final: true });
        self.end_turn();
        if self.version == ModelVersion::V2 {
            // Should the connection die now, the words are sent and not their sound.
            self.recent.end_turn();
            self.unanswered = Some(self.unanswered_with(text));
        }
        self.await_answer(now);
    }

    /// The user's turn is over, if the call has one open and does not know.
    pub(super) fn end_turn(&mut self) {
        if let Some(open) = self.turn.as_mut().filter(|open| !open.told) {
            open.told = true;
            let turn = open.turn;
            self.tell(BackendEvent::UserTurnEnded { turn });
        }
    }

    fn planned(&mut self, now: SessionTime, line: LineId, text: String) {
        let is_next = match &self.answer {
            None => true,
            Some(Answer { route: Route::Dropped { since, by: DroppedBy::Nova }, .. }) => {
                now.since(*since) >= RESUMES_AFTER
            }
            Some(_) => false,
        };
        if is_next {
            self.begin_answer(line);
        }
        self.sign_of_answer(now);
        self.release_held(now);
        if let Some(answer) = &mut self.answer {
            answer.pace.begin_sentence(&text);
        }
        self.piece(now, Piece::Text(text));
    }

    fn answer_audio(&mut self, now: SessionTime, line: LineId, mut pcm: Vec<i16>) {
        if self.answer.is_none() {
            self.begin_answer(line);
        }
        self.sign_of_answer(now);
        if let Some(answer) = &mut self.answer {
            answer.pace.push_audio(pcm.len());
        }
        while pcm.len() > BACKEND_BLOCK_SAMPLES_MAX {
            let rest = pcm.split_off(BACKEND_BLOCK_SAMPLES_MAX);
            self.piece(now, Piece::Audio(std::mem::replace(&mut pcm, rest)));
        }
        self.piece(now, Piece::Audio(pcm));
    }

    fn audio_ends(&mut self, now: SessionTime, stop: Stop) {
        self.sign_of_answer(now);
        self.release_held(now);
        if let Some(answer) = &mut self.answer {
            answer.pace.complete_sentence();
            self.voice = answer.pace.tempo();
        }
        // It works: failures are counted from here.
        self.connections.attempts = 0;
        if stop == Stop::EndTurn {
            self.end_answer(now);
        }
    }

    /// The rest of what was cut is over. Nova may have ended it there, or goes on until it hears of it.
    fn cut_audio_ends(&mut self, now: SessionTime, stop: Stop) {
        let Some(Answer { route: Route::Dropped { since, by }, .. }) = &mut self.answer else {
            return;
        };
        match stop {
            Stop::EndTurn => self.answer = None,
            Stop::Interrupted => (*since, *by) = (now, DroppedBy::Nova),
            _ => {}
        }
    }

    /// Nova answers: it is not silent, and what the user said is understood.
    fn sign_of_answer(&mut self, now: SessionTime) {
        let is_dropped = matches!(self.answer, Some(Answer { route: Route::Dropped { .. }, .. }));
        if is_dropped {
            return;
        }
        self.unanswered = None;
        self.last_result = None;
        self.tried_again = false;
        self.going_on = GoingOn::No;
        if !self.nova_hears {
            self.recent.end_turn();
        }
        for watch in [Watch::FirstEvent, Watch::Deaf, Watch::GoOn] {
            self.timers.disarm(watch);
        }
        self.timers.arm(Watch::Stall, now + self.setup.settings.patience.stall);
    }

    fn begin_answer(&mut self, line: LineId) {
        self.end_turn();
        let route = match self.asked {
            Some(Asked { generation, .. }) => Route::To(generation),
            None => {
                self.want_to_speak();
                Route::Waiting(VecDeque::new())
            }
        };
        self.new_answer(route, line);
    }

    fn new_answer(&mut self, route: Route, line: LineId) {
        let pace = Pace::of_voice(self.voice, self.setup.settings.output_rate_hz);
        self.answer = Some(Answer::new(route, line, pace));
    }

    /// Asks for the floor, unless the call is about to ask for a reply by itself.
    fn want_to_speak(&mut self) {
        if self.turn.is_none() && !self.wants_to_speak {
            self.wants_to_speak = true;
            self.tell(BackendEvent::WantsToSpeak);
        }
    }

    pub(super) fn announce_if_waiting(&mut self) {
        if self.is_waiting() {
            self.want_to_speak();
        }
    }

    fn is_waiting(&self) -> bool {
        matches!(&self.answer, Some(Answer { route: Route::Waiting(_), .. }))
    }

    /// Part of the answer goes where the answer goes.
    fn piece(&mut self, now: SessionTime, piece: Piece) {
        let Some(answer) = &mut self.answer else { return };
        let holds = answer.pace.has_complete() && answer.sounds_until > now + HOLD_MARGIN;
        match &mut answer.route {
            Route::To(_) if holds || !answer.held.is_empty() => {
                answer.held.push_back(piece);
                self.timers.arm(Watch::Hold, answer.sounds_until - HOLD_MARGIN);
            }
            Route::To(generation) => {
                let generation = *generation;
                self.deliver(now, generation, piece);
            }
            // Connections are not read while so much waits; one event may still bring several pieces.
            Route::Waiting(pieces) if pieces.len() < 2 * NOVA_OUTPUTS_WAITING_MAX => {
                pieces.push_back(piece);
            }
            Route::Waiting(_) | Route::Dropped { .. } => {}
        }
    }

    /// The sentence that was held is complete, or has to sound now.
    pub(super) fn release_held(&mut self, now: SessionTime) {
        self.timers.disarm(Watch::Hold);
        let Some(answer) = &mut self.answer else { return };
        let held = std::mem::take(&mut answer.held);
        if let Some(generation) = answer.generation() {
            held.into_iter().for_each(|piece| self.deliver(now, generation, piece));
        }
    }

    fn deliver(&mut self, now: SessionTime, generation: Generation, piece: Piece) {
        if let Some(asked) = self.asked.as_mut().filter(|asked| !asked.has_content) {
            asked.has_content = true;
            self.timers.disarm(Watch::Tool);
            self.tell(BackendEvent::ReplyStarted { generation });
        }
        match piece {
            Piece::Text(text) => {
                self.history.agent_says(generation.0, &text);
                self.finals.planned(generation, &text);
                self.tell(BackendEvent::ReplyText { generation, text });
            }
            Piece::Audio(pcm) => {
                self.sounding = Some(generation);
                if let Some(answer) = &mut self.answer {
                    let rate_hz = u64::from(self.setup.settings.output_rate_hz);
                    let length = Duration::from_micros(pcm.len() as u64 * 1_000_000 / rate_hz);
                    answer.sounds_until = answer.sounds_until.max(now) + length;
                }
                self.made.push_back(Made::Audio { generation, pcm });
            }
            Piece::End => {
                self.asked = None;
                self.tell(BackendEvent::ReplyFinished { generation });
            }
        }
    }

    pub(super) fn end_answer(&mut self, now: SessionTime) {
        self.timers.disarm(Watch::Stall);
        if self.is_waiting() {
            return self.piece(now, Piece::End);
        }
        if let Some(Answer { route: Route::To(generation), .. }) = self.answer.take() {
            self.deliver(now, generation, Piece::End);
        }
    }

    /// Gives the answer that waits to the reply that is asked for now.
    pub(super) fn attach(&mut self, now: SessionTime, cause: Cause) {
        let Some(Asked { generation, .. }) = self.asked else { return };
        // What waited was made before the text was sent.
        if cause == Cause::Text {
            self.answer.take_if(|answer| matches!(answer.route, Route::Waiting(_)));
            return;
        }
        let Some(Answer { route: route @ Route::Waiting(_), .. }) = &mut self.answer else {
            return;
        };
        let Route::Waiting(pieces) = std::mem::replace(route, Route::To(generation)) else {
            return;
        };
        for piece in pieces {
            let is_end = matches!(piece, Piece::End);
            self.deliver(now, generation, piece);
            if is_end {
                self.answer = None;
            }
        }
    }

    /// The reply that is asked for has nothing, or nothing more.
    pub(super) fn finish_asked(&mut self) {
        if let Some(Asked { generation, .. }) = self.asked.take() {
            self.tell(BackendEvent::ReplyFinished { generation });
        }
    }

    /// Nova stopped its answer: what is left of it is dropped, and what sounds of it is cut, once.
    fn interrupted(&mut self, now: SessionTime, report: Report) {
        // A late report of the last interruption is not one of the answer that has begun since.
        if report == Report::Marker && self.interruption.is_known(now) {
            return self.dropped_by_nova(now);
        }
        let makes = self.answer.as_ref().and_then(Answer::generation);
        let cut = self.sounding.take().or(makes);
        if cut.is_none() && !self.is_waiting() {
            return;
        }
        self.interruption.at = Some(now);
        self.drop_answer(now, DroppedBy::Nova);
        if let Some(generation) = cut {
            self.asked.take_if(|asked| asked.generation == generation);
            self.tell(BackendEvent::Interrupted { generation });
        }
    }

    /// The call cut this reply.
    pub(super) fn drop_answer_of(&mut self, now: SessionTime, generation: Generation) {
        if self.going_on == GoingOn::Asked(generation)
            && let Some(line) = self.connections.live.as_ref().map(|live| live.id)
        {
            // What comes is the rest of it.
            self.new_answer(Route::Dropped { since: now, by: DroppedBy::Call }, line);
            self.unanswered = None;
        }
        self.going_on = GoingOn::No;
        if self.answer.as_ref().is_some_and(|answer| answer.generation() == Some(generation)) {
            self.interruption.at = Some(now);
            self.drop_answer(now, DroppedBy::Call);
        }
    }

    fn drop_answer(&mut self, now: SessionTime, by: DroppedBy) {
        self.timers.disarm(Watch::Stall);
        if let Some(answer) = &mut self.answer
            && !matches!(answer.route, Route::Dropped { .. })
        {
            self.stats.answers_dropped += 1;
            answer.route = Route::Dropped { since: now, by };
            let line = answer.line;
            self.connections.cut(line);
        }
    }

    /// The user was heard: what comes now is not of the answer that was dropped.
    fn forget_dropped(&mut self) {
        self.answer
            .take_if(|answer| matches!(answer.route, Route::Dropped { by: DroppedBy::Nova, .. }));
    }

    /// How long a reply waits for a tool before the call is told that it has nothing yet.
    pub(super) fn tool_patience(&self) -> Duration {
        TOOL_PATIENCE.min(self.setup.reply_timeout / 2)
    }
}
