//! Connections: the one that holds the conversation, the next, and those that are leaving.
//!
//! ```text
//! live     |======================= 6:30 ~~~~|- - (final texts) -|
//! next                               |open~~~|========================
//!                                            ^ handed over when nobody speaks, at the latest at 7:40
//! ```
//!
//! The service ends a connection after eight minutes, and any of them may die before. Whatever is going on
//! then must not be lost: speech that was not understood is heard again by the successor, what was
//! understood and not answered is told to it as text, and a reply that was cut off is gone on with.

use std::time::Duration;

use super::commands::filled;
use super::losing::{EARLY_DEATH, GoingOn};
use super::watches::Watch;
use super::{Act, Conversation, LineEvent, LineId, Warm, declarations};
use crate::call::event::{BackendEvent, Cost, Usage};
use crate::limits::{NOVA_LEAVING_MAX, NOVA_UNIT_EVENTS_MAX};
use crate::nova::contents::{Contents, Said};
use crate::nova::event;
use crate::nova::fault::Fault;
use crate::nova::history::Speaker;
use crate::nova::request::{Scribe, Unit};
use crate::nova::usage::{Tokens, Totals};
use crate::time::SessionTime;

/// A connection that was opened ahead of its time is given up unless it was needed by then: the service ends
/// one that hears nothing for 55 s.
pub(super) const STAND_BY_MAX: Duration = Duration::from_secs(40);
/// A connection is not replaced sooner, however soon its credentials expire.
const RENEWAL_MIN: Duration = Duration::from_secs(20);
/// So long before they do it is replaced in the middle of whatever is going on.
const EXPIRY_MARGIN: Duration = Duration::from_secs(10);
/// Counts come many times in a turn; they are told so long after the first.
const USAGE_PAUSE: Duration = Duration::from_secs(1);

/// The connections of one call.
#[derive(Debug)]
pub(super) struct Connections {
    pub(super) live: Option<Line>,
    pub(super) next: Option<Next>,
    /// Replaced; their last texts and counts still come.
    pub(super) leaving: Vec<Line>,
    /// One of them that makes the rest of an answer, and is not closed before.
    pub(super) finishing: Option<LineId>,
    pub(super) lines: u32,
    /// Failures in a row.
    pub(super) attempts: u32,
    pub(super) early_deaths: u32,
    pub(super) chance: u64,
}

#[derive(Debug)]
pub(super) struct Line {
    pub(super) id: LineId,
    pub(super) scribe: Scribe,
    pub(super) contents: Contents,
    pub(super) opened: SessionTime,
    pub(super) had_history: bool,
    /// Of sound, since the last text.
    pub(super) samples: u64,
}

#[derive(Debug)]
pub(super) struct Next {
    pub(super) id: LineId,
    pub(super) scribe: Scribe,
    pub(super) opened: Option<SessionTime>,
    pub(super) is_warm: bool,
    /// When the conversation got it.
    pub(super) age: Duration,
    pub(super) credentials_last: Option<Duration>,
}

impl Connections {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            live: None,
            next: None,
            leaving: Vec::new(),
            finishing: None,
            lines: 0,
            attempts: 0,
            early_deaths: 0,
            chance: seed,
        }
    }

    /// The answer that this one makes was cut.
    pub(super) fn cut(&mut self, line: LineId) {
        if let Some(line) = self.line(line) {
            line.contents.cut();
        }
    }

    /// One of those that are read.
    fn line(&mut self, id: LineId) -> Option<&mut Line> {
        self.live.iter_mut().chain(&mut self.leaving).find(|line| line.id == id)
    }

    /// From 0 to 1 (SplitMix64: enough to spread connections in time).
    pub(super) fn whim(&mut self) -> f32 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.chance;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits >> 40) as f32 / (1_u32 << 24) as f32
    }
}

impl Conversation {
    // ---- opening ----

    /// Opens a connection: the first, or one beside the live one.
    pub(super) fn open_next(&mut self, now: SessionTime) {
        if self.connections.next.is_some() || self.is_over {
            return;
        }
        self.connections.lines += 1;
        let line = LineId(self.connections.lines);
        let mut scribe = Scribe::new(format!("{}-{}", self.setup.call_id, line.0));
        let unit = scribe.session(
            &self.setup.settings,
            &self.setup.system,
            &declarations(&self.setup.tools),
        );
        let renews = self.connections.live.is_some();
        let age = Duration::ZERO;
        let next =
            Next { id: line, scribe, opened: None, is_warm: false, age, credentials_last: None };
        self.connections.next = Some(next);
        self.timers.arm(Watch::Open, now + self.setup.settings.patience.open);
        self.acts.push_back(Act::Open { line, unit, renews });
    }

    pub(super) fn handle_opened(
        &mut self,
        now: SessionTime,
        line: LineId,
        credentials_last: Option<Duration>,
        warm: Option<Warm>,
    ) {
        let Some(next) = self.connections.next.as_mut().filter(|next| next.id == line) else {
            return;
        };
        next.opened = Some(now);
        next.credentials_last = credentials_last;
        if let Some(Warm { scribe, age }) = warm {
            (next.scribe, next.is_warm, next.age) = (*scribe, true, age);
        }
        self.timers.disarm(Watch::Open);
        self.stats.connections += 1;
        if self.connections.live.is_none() {
            self.take_over(now);
        } else {
            self.timers.arm(Watch::StandBy, now + STAND_BY_MAX);
        }
    }

    // ---- handing over ----

    /// The next connection takes the conversation over while nothing goes on.
    pub(super) fn hand_over_if_quiet(&mut self, now: SessionTime) {
        let is_open = self.connections.next.as_ref().is_some_and(|next| next.opened.is_some());
        if is_open && (self.connections.live.is_none() || self.is_quiet()) {
            self.take_over(now);
        }
    }

    /// Time has run out: it takes it over in the middle of whatever goes on.
    pub(super) fn hand_over_now(&mut self, now: SessionTime) {
        if self.connections.next.as_ref().is_some_and(|next| next.opened.is_some()) {
            self.stats.renewals_forced += u64::from(!self.is_quiet());
            self.take_over(now);
        } else {
            // It goes on as long as it lasts.
            self.open_next(now);
        }
    }

    fn take_over(&mut self, now: SessionTime) {
        let Some(next) = self.connections.next.take_if(|next| next.opened.is_some()) else {
            return;
        };
        let is_quiet = self.is_quiet() && self.going_on == GoingOn::No;
        if let Some(old) = self.connections.live.take() {
            self.stats.renewals += 1;
            self.leave(now, old);
        }
        for watch in [Watch::Renew, Watch::AtLatest, Watch::StandBy, Watch::Retry] {
            self.timers.disarm(watch);
        }
        self.nova_hears = false;
        let line = Line {
            id: next.id,
            scribe: next.scribe,
            contents: Contents::default(),
            opened: now,
            had_history: false,
            samples: 0,
        };
        self.connections.live = Some(line);
        self.feed.begin(now);
        if !next.is_warm {
            self.send_beginning();
        }
        self.replay(is_quiet);
        self.arm_renewal(now, next.age, next.credentials_last);
        if !self.is_ready {
            self.is_ready = true;
            self.tell(BackendEvent::Ready);
        }
        self.take_up(now);
        self.watch_again(now);
    }

    /// History and the beginning of the audio.
    fn send_beginning(&mut self) {
        let mut messages = self.history.for_connection(&self.setup.settings.history);
        // What is to be answered is said again, not remembered.
        let texts = self.texts.iter().rev().map(|(_, text)| text);
        for text in texts.chain(&self.unanswered) {
            if let Some(last) = messages.last_mut()
                && last.speaker == Speaker::User
                && let Some(before) = last.text.strip_suffix(text.as_str())
            {
                last.text.truncate(before.trim_end().len());
                messages.pop_if(|last| last.text.is_empty());
            }
        }
        let Some(live) = &mut self.connections.live else { return };
        live.had_history = !messages.is_empty();
        let mut unit = Unit::new();
        if live.had_history
            && let Ok(history) = live.scribe.history(&messages)
        {
            unit.extend(history);
        }
        if let Ok(audio) = live.scribe.open_audio() {
            unit.extend(audio);
        }
        self.acts.push_back(Act::Send { line: live.id, unit });
    }

    /// What the last connection did not understand is heard again.
    fn replay(&mut self, is_quiet: bool) {
        let Some(live) = &mut self.connections.live else { return };
        let mut unit = Unit::new();
        for block in self.recent.replay(is_quiet) {
            live.samples += block.len() as u64;
            unit.extend(live.scribe.audio(block).unwrap_or_default());
            if unit.len() == NOVA_UNIT_EVENTS_MAX {
                let unit = std::mem::take(&mut unit);
                self.acts.push_back(Act::Send { line: live.id, unit });
            }
        }
        if !unit.is_empty() {
            self.acts.push_back(Act::Send { line: live.id, unit });
        }
    }

    /// Goes on with what the last connection left: a question, or a reply that broke off.
    fn take_up(&mut self, now: SessionTime) {
        let due = std::mem::replace(&mut self.going_on, GoingOn::No);
        let instructions = &self.setup.settings.instructions;
        let again = if let Some(text) = self.unanswered.take() {
            if matches!(due, GoingOn::Asked(_)) {
                // This is what asks for it, once more.
                self.going_on = due;
            }
            Some(text)
        } else if let Some(result) = self.last_result.take() {
            Some(filled(&instructions.late_result, &result))
        } else if let GoingOn::Due(generation) = due {
            self.going_on = GoingOn::Asked(generation);
            Some(instructions.go_on.clone())
        } else {
            None
        };
        if let Some(text) = again {
            self.texts.push_front((None, text));
        }
        self.send_texts(now);
    }

    /// `age`: since the service accepted it.
    fn arm_renewal(&mut self, now: SessionTime, age: Duration, credentials_last: Option<Duration>) {
        let renewal = self.setup.settings.renewal;
        let early = renewal.jitter.mul_f32(self.connections.whim());
        let mut after = renewal.after.saturating_sub(early).saturating_sub(age);
        let mut at_latest = renewal.at_latest.saturating_sub(age);
        if let Some(last) = credentials_last {
            let in_time = last.checked_sub(renewal.before_expiry).filter(|it| *it >= RENEWAL_MIN);
            // The next ones may be no younger, where somebody else renews them.
            let before = in_time.unwrap_or((last / 2).max(RENEWAL_MIN));
            after = after.min(before);
            at_latest = at_latest.min(last.saturating_sub(EXPIRY_MARGIN).max(before));
        }
        self.timers.arm(Watch::Renew, now + after);
        self.timers.arm(Watch::AtLatest, now + at_latest);
        self.timers.arm(Watch::UserSilence, now + renewal.user_silence.saturating_sub(age));
    }

    /// A connection that did its part is closed. If it is in the middle of an answer, it may finish that.
    fn leave(&mut self, now: SessionTime, mut old: Line) {
        if now.since(old.opened) >= EARLY_DEATH {
            self.connections.early_deaths = 0;
        }
        if self.answer.as_ref().is_some_and(|answer| answer.line == old.id) {
            self.connections.finishing = Some(old.id);
        } else {
            let unit = old.scribe.close();
            self.acts.push_back(Act::Close { line: old.id, unit });
        }
        if self.connections.leaving.len() == NOVA_LEAVING_MAX {
            let oldest = self.connections.leaving.remove(0);
            self.acts.push_back(Act::Abort { line: oldest.id });
        }
        self.connections.leaving.push(old);
    }

    pub(super) fn close_all(&mut self) {
        if let Some(mut live) = self.connections.live.take() {
            let unit = live.scribe.close();
            self.acts.push_back(Act::Close { line: live.id, unit });
        }
        if let Some(next) = self.connections.next.take() {
            self.acts.push_back(Act::Abort { line: next.id });
        }
    }

    /// The next connection was not needed in time: the service would end it.
    pub(super) fn replace_stand_by(&mut self, now: SessionTime) {
        if let Some(next) = self.connections.next.take() {
            self.acts.push_back(Act::Abort { line: next.id });
        }
        self.open_next(now);
    }

    /// The next connection was not accepted in time.
    pub(super) fn give_up_opening(&mut self, now: SessionTime, fault: Fault) {
        if let Some(next) = self.connections.next.as_ref().filter(|next| next.opened.is_none()) {
            let line = next.id;
            self.acts.push_back(Act::Abort { line });
            self.handle_line(now, line, LineEvent::Ended(fault));
        }
    }

    // ---- what they bring ----

    pub(super) fn handle_event(&mut self, now: SessionTime, line: LineId, json: &[u8]) {
        let Ok(event) = event::parse(json) else {
            self.stats.malformed += 1;
            return;
        };
        let connections = &mut self.connections;
        let is_live = connections.live.as_ref().is_some_and(|live| live.id == line);
        let Some(read) = connections.line(line) else { return };
        let said = read.contents.step(event);
        for said in said {
            match said {
                Said::Usage(totals) => self.handle_usage(now, line, totals),
                Said::Spoken(text) => self.handle_final(&text),
                Said::Unknown => self.stats.unknown += 1,
                said if is_live => self.handle_said(now, line, said),
                said if self.connections.finishing == Some(line) => {
                    self.handle_rest(now, line, said);
                }
                _ => {}
            }
        }
    }

    /// Counts are told together, a while after the first.
    fn handle_usage(&mut self, now: SessionTime, line: LineId, totals: Totals) {
        let tokens = self.meter.handle(line.0, totals);
        if tokens == Tokens::default() {
            return;
        }
        let Tokens { speech_in, text_in, speech_out, text_out } = tokens;
        let llm_nanos = (self.setup.prices.cost(&tokens) * 1e9) as u64;
        let cost = Cost { llm_nanos, ..Cost::default() };
        self.used += Usage { speech_in, text_in, speech_out, text_out, cost, ..Usage::default() };
        if self.timers.deadline(Watch::Usage).is_none() {
            self.timers.arm(Watch::Usage, now + USAGE_PAUSE);
        }
    }

    pub(super) fn tell_usage(&mut self) {
        let (turn, usage) = (self.last_turn, std::mem::take(&mut self.used));
        self.tell(BackendEvent::Used { turn, usage });
    }

    /// A connection that was replaced finishes its answer. What else it says is no longer true.
    fn handle_rest(&mut self, now: SessionTime, line: LineId, said: Said) {
        if self.answer.as_ref().is_none_or(|answer| answer.line != line) {
            return;
        }
        match said {
            Said::Planned { .. }
            | Said::Audio(_)
            | Said::AudioBegins { .. }
            | Said::AudioEnds { .. } => self.handle_said(now, line, said),
            // Its result goes to the successor, whose answer is one of its own.
            Said::ToolUse { .. } => {
                self.handle_said(now, line, said);
                self.end_answer(now);
            }
            _ => {}
        }
    }

    /// The answer that a replaced connection was to finish is over: it is closed.
    pub(super) fn release_finished(&mut self) {
        let Some(line) = self.connections.finishing else { return };
        if self.answer.as_ref().is_none_or(|answer| answer.line != line) {
            self.connections.finishing = None;
            if let Some(old) = self.connections.leaving.iter_mut().find(|old| old.id == line) {
                let unit = old.scribe.close();
                self.acts.push_back(Act::Close { line, unit });
            }
        }
    }
}
