//! Which fault hits which stream.

use std::time::Duration;

use super::{Fault, FaultRule, OpeningFault, StreamFault, When};
use crate::random::Random;

/// Deals the faults of the rules to the streams as they open.
#[derive(Debug)]
pub struct Schedule {
    rules: Vec<RuleState>,
    openings: u64,
}

#[derive(Debug)]
struct RuleState {
    rule: FaultRule,
    /// How often it was dealt, for the rules whose faults take turns.
    dealt: usize,
    /// For a period: how many of its times went by that an opening has seen.
    ticks_seen: u64,
}

/// What will go wrong with one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScheduledFaults {
    /// The headers never come, nor anything else.
    pub hangs: bool,
    /// At these times since the opening.
    pub timed: Vec<(Duration, StreamFault)>,
    /// If history is replayed: within this time of the audio's beginning.
    pub after_history: Option<(Duration, StreamFault)>,
}

impl Schedule {
    /// Of these rules.
    pub fn new(rules: &[FaultRule]) -> Self {
        let state = |rule: &FaultRule| RuleState { rule: rule.clone(), dealt: 0, ticks_seen: 0 };
        Self { rules: rules.iter().map(state).collect(), openings: 0 }
    }

    /// A stream is opened, so long after the simulator's start, and may live for `life`: how the
    /// opening fails, if it does, and what goes wrong later.
    pub fn open(
        &mut self,
        now: Duration,
        life: Duration,
    ) -> (Option<OpeningFault>, ScheduledFaults) {
        self.openings += 1;
        let is_this = |nth: Option<u64>| nth.is_none_or(|nth| nth == self.openings);
        let mut at_opening = None;
        let mut later = ScheduledFaults::default();
        for state in &mut self.rules {
            match state.rule.when {
                When::Opening { nth } if is_this(nth) => match state.next() {
                    Some(Fault::Opening(fault)) => at_opening = at_opening.or(Some(fault)),
                    Some(Fault::Stream(fault)) => later.timed.push((Duration::ZERO, fault)),
                    None => {}
                },
                When::After { delay, nth } if is_this(nth) => {
                    if let Some(Fault::Stream(fault)) = state.next() {
                        later.timed.push((delay, fault));
                    }
                }
                When::AfterHistory { within } => {
                    if let Some(Fault::Stream(fault)) = state.next() {
                        later.after_history = Some((within, fault));
                    }
                }
                When::Every { period } => {
                    let fault = state.ticks_at_opening(now, period);
                    at_opening = at_opening.or(fault);
                    later.timed.extend(state.ticks_after(now, life, period));
                }
                When::Opening { .. } | When::After { .. } => {}
            }
        }
        later.timed.sort_by_key(|(at, _)| *at);
        (at_opening, later)
    }
}

impl RuleState {
    fn next(&mut self) -> Option<Fault> {
        let fault = self.fault(self.dealt as u64)?;
        self.dealt += 1;
        Some(fault)
    }

    fn fault(&self, index: u64) -> Option<Fault> {
        let faults = &self.rule.faults;
        let index = index.checked_rem(faults.len() as u64)?;
        faults.get(index as usize).cloned()
    }

    /// The first fault at opening among the times that went by since the last opening.
    fn ticks_at_opening(&mut self, now: Duration, period: Duration) -> Option<OpeningFault> {
        let ticks = ticks_until(now, period);
        let fresh = self.ticks_seen..ticks;
        self.ticks_seen = ticks;
        fresh.filter_map(|tick| self.fault(tick)).find_map(|fault| match fault {
            Fault::Opening(fault) => Some(fault),
            Fault::Stream(_) => None,
        })
    }

    /// The faults of open streams among the times within `life` from now.
    fn ticks_after(
        &self,
        now: Duration,
        life: Duration,
        period: Duration,
    ) -> Vec<(Duration, StreamFault)> {
        let ticks = ticks_until(now, period)..ticks_until(now + life, period);
        ticks
            .filter_map(|tick| {
                let at = period.saturating_mul(u32::try_from(tick + 1).unwrap_or(u32::MAX));
                match self.fault(tick)? {
                    Fault::Stream(fault) => Some((at.saturating_sub(now), fault)),
                    Fault::Opening(_) => None,
                }
            })
            .collect()
    }
}

/// How often a period has ended by `now`.
fn ticks_until(now: Duration, period: Duration) -> u64 {
    let ticks = now.as_micros().checked_div(period.as_micros()).unwrap_or_default();
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

impl ScheduledFaults {
    /// Nothing goes wrong.
    pub fn none() -> Self {
        Self::default()
    }

    /// Only this goes wrong.
    pub fn one(at: Duration, fault: StreamFault) -> Self {
        Self { timed: vec![(at, fault)], ..Self::default() }
    }

    /// The history begins to work: what it does is now one of the timed faults.
    pub(crate) fn poison(&mut self, now: Duration, random: &mut Random) {
        if let Some((within, fault)) = self.after_history.take() {
            let share = random.below(1_000) as f64 / 1_000.0;
            self.timed.push((now + within.mul_f64(share), fault));
            self.timed.sort_by_key(|(at, _)| *at);
        }
    }

    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.timed.first().map(|(at, _)| *at)
    }

    pub(crate) fn take_next(&mut self) -> Option<StreamFault> {
        (!self.timed.is_empty()).then(|| self.timed.remove(0).1)
    }
}
