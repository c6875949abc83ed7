//! What is done in which call.

use std::time::Duration;

use super::log::Role;
use super::room::RoomSpec;
use super::stimulus::{Stimulus, Voice};
use crate::impair::SplitMix64;

/// The echoes that are tried: delays in milliseconds, levels in dB relative to what was played.
pub const DELAYS_MS: [u32; 5] = [40, 100, 200, 400, 700];
/// See [`DELAYS_MS`].
pub const LEVELS_DB: [f64; 3] = [-6.0, -12.0, -20.0];
/// The pauses in the middle of a sentence that are tried, in milliseconds.
pub const PAUSES_MS: [u32; 3] = [400, 800, 1_200];
/// Turns in which the agent learns how this caller pauses.
const LEARNING_TURNS: usize = 3;
/// How long one call of the agent alone with its echo lasts: two greetings' worth.
const ALONE: Duration = Duration::from_secs(66);
const ALONE_QUICK: Duration = Duration::from_secs(24);
/// What part of such a call the agent is heard in: the rest is prompting.
const ALONE_SHARE: f64 = 0.9;

/// What is found out.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, clap::ValueEnum, serde::Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// Response latency and stop time, in a quiet room
    Timing,
    /// Premature ends of turns, against the length of a pause
    Pause,
    /// Interruptions while the agent hears its own echo
    DoubleTalk,
    /// The agent's own echo and nothing else
    Echo,
    /// Replies over which nothing is said: what the others are to be read against
    Control,
    /// "mhm", "yeah" and the like
    Backchannel,
    /// Coughs
    Cough,
    /// Typing
    Typing,
    /// Voices in the background
    Babble,
    /// Music in the background
    Music,
}

impl Scenario {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 10] = [
        Self::Timing,
        Self::Echo,
        Self::DoubleTalk,
        Self::Control,
        Self::Backchannel,
        Self::Cough,
        Self::Typing,
        Self::Babble,
        Self::Music,
        Self::Pause,
    ];
}

/// When a stimulus is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Once the agent has answered and been silent for so long.
    Quiet(Duration),
    /// Once the agent has been heard without a gap for so long.
    Sounding(Duration),
}

/// One stimulus of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cue {
    /// When.
    pub when: When,
    /// What.
    pub say: Stimulus,
    /// What for.
    pub role: Role,
}

/// One call.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What for.
    pub scenario: Scenario,
    /// Who calls.
    pub voice: Voice,
    /// The echo, if there is one.
    pub room: Option<RoomSpec>,
    /// What is said and done, in order.
    pub cues: Vec<Cue>,
    /// How long the call lasts at least; the agent is kept talking meanwhile.
    pub listen: Duration,
    /// How long the call lasts at most, whatever is left to say.
    pub longest: Duration,
}

/// How much is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    /// Few of everything, in less than 90 s.
    pub is_quick: bool,
    /// Minutes of the agent's voice with its echo alone.
    pub echo_minutes: f64,
    /// The same number is the same stimuli at the same moments of a reply.
    pub seed: u64,
}

/// The calls of one scenario.
pub fn plans(scenario: Scenario, extent: &Extent) -> Vec<Plan> {
    let mut random = SplitMix64(extent.seed ^ (scenario as u64) << 32);
    let few = |quick: usize, full: usize| if extent.is_quick { quick } else { full };
    let mut noises =
        |calls: usize, count: usize, stimulus: &dyn Fn(usize) -> Stimulus| -> Vec<Plan> {
            (0..calls)
                .map(|call| over_reply(scenario, call, None, 0..count, stimulus, &mut random))
                .collect()
        };
    let seeded = |index: usize| extent.seed.wrapping_mul(1_000) + index as u64;
    match scenario {
        Scenario::Timing => noises(2, few(5, 20), &|_| Stimulus::Stop),
        Scenario::Control => noises(1, few(4, 20), &|_| Stimulus::Nothing),
        Scenario::Backchannel => noises(2, few(5, 20), &Stimulus::Backchannel),
        Scenario::Cough => noises(2, few(4, 20), &|index| Stimulus::Cough(seeded(index))),
        Scenario::Typing => noises(1, few(4, 20), &|index| Stimulus::Typing(seeded(index))),
        Scenario::Babble => noises(1, few(3, 12), &|index| Stimulus::Babble(seeded(index))),
        Scenario::Music => noises(1, few(3, 12), &|index| Stimulus::Music(seeded(index))),
        Scenario::Pause => (0..few(2, 6)).map(|call| pausing(call, extent.is_quick)).collect(),
        Scenario::DoubleTalk => echoes(extent, if extent.is_quick { 4 } else { 15 })
            .map(|(call, room)| {
                let stop = |_| Stimulus::Stop;
                over_reply(scenario, call, Some(room), 0..few(2, 4), &stop, &mut random)
            })
            .collect(),
        Scenario::Echo => {
            let length = if extent.is_quick { ALONE_QUICK } else { ALONE };
            let heard_s = length.as_secs_f64() * ALONE_SHARE;
            let calls = (extent.echo_minutes * 60.0 / heard_s).ceil() as usize;
            echoes(extent, calls.max(1)).map(|(call, room)| alone(call, room, length)).collect()
        }
    }
}

/// So many rooms, all combinations of level and delay in turn; each has walls of its own.
fn echoes(extent: &Extent, count: usize) -> impl Iterator<Item = (usize, RoomSpec)> {
    let seed = extent.seed;
    (0..count).map(move |call| {
        // Both lists are gone through at once; their lengths have no common divisor.
        let (delay_ms, level_db) =
            (DELAYS_MS[call % DELAYS_MS.len()], LEVELS_DB[call % LEVELS_DB.len()]);
        (call, RoomSpec { delay_ms, level_db, seed: seed.wrapping_add(call as u64) })
    })
}

fn voice(call: usize) -> Voice {
    if call.is_multiple_of(2) { Voice::Low } else { Voice::High }
}

/// Something is said or done over a reply, each time somewhere else in it.
fn over_reply(
    scenario: Scenario,
    call: usize,
    room: Option<RoomSpec>,
    cues: std::ops::Range<usize>,
    stimulus: &dyn Fn(usize) -> Stimulus,
    random: &mut SplitMix64,
) -> Plan {
    let longest = Duration::from_secs(30 + 12 * cues.len() as u64);
    let cue = |index: usize| Cue {
        when: When::Sounding(Duration::from_millis(1_600 + (900.0 * random.unit()) as u64)),
        say: stimulus(index + call * 1_000),
        role: Role::Scored,
    };
    let cues = cues.map(cue).collect();
    Plan { scenario, voice: voice(call), room, cues, listen: Duration::ZERO, longest }
}

fn alone(call: usize, room: RoomSpec, listen: Duration) -> Plan {
    Plan {
        scenario: Scenario::Echo,
        voice: voice(call),
        room: Some(room),
        cues: Vec::new(),
        listen,
        longest: listen + Duration::from_secs(10),
    }
}

/// Three turns with long pauses to learn from, then pauses of every length and sentences without one.
fn pausing(call: usize, is_quick: bool) -> Plan {
    let when = When::Quiet(Duration::from_millis(1_000));
    let longest_ms = PAUSES_MS[PAUSES_MS.len() - 1];
    let learning =
        (0..LEARNING_TURNS).map(|index| (Stimulus::Paused(index, longest_ms), Role::Learning));
    let rounds = if is_quick { 1 } else { 2 };
    // The longest one, which is judged, twice as often; in a hurry it alone.
    let shorter = if is_quick { PAUSES_MS.len() - 1 } else { 0 };
    let scored = (0..rounds).flat_map(|round| {
        let paused = PAUSES_MS.into_iter().skip(shorter).chain([longest_ms]).enumerate();
        paused.flat_map(move |(index, pause_ms)| {
            let finished = Stimulus::Finished(4 * round + index);
            [(Stimulus::Paused(round + index, pause_ms), Role::Scored), (finished, Role::Scored)]
        })
    });
    let cues: Vec<_> = learning.chain(scored).map(|(say, role)| Cue { when, say, role }).collect();
    Plan {
        scenario: Scenario::Pause,
        voice: voice(call),
        room: None,
        longest: Duration::from_secs(20 + 10 * cues.len() as u64),
        cues,
        listen: Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Extent = Extent { is_quick: false, echo_minutes: 30.0, seed: 1 };
    const QUICK: Extent = Extent { is_quick: true, echo_minutes: 2.0, seed: 1 };

    #[test]
    fn every_level_meets_every_delay_and_the_minutes_suffice() {
        let plans = plans(Scenario::Echo, &FULL);
        let mut rooms: Vec<_> = plans.iter().filter_map(|plan| plan.room).collect();
        rooms.sort_by(|a, b| a.delay_ms.cmp(&b.delay_ms).then(a.level_db.total_cmp(&b.level_db)));
        rooms.dedup_by_key(|room| (room.delay_ms, room.level_db.to_bits()));
        assert_eq!(rooms.len(), DELAYS_MS.len() * LEVELS_DB.len());
        let listened: Duration = plans.iter().map(|plan| plan.listen).sum();
        assert!(listened.as_secs_f64() * ALONE_SHARE >= 30.0 * 60.0);
    }

    #[test]
    fn the_same_seed_is_the_same_plan() {
        for scenario in Scenario::ALL {
            assert_eq!(plans(scenario, &FULL), plans(scenario, &FULL));
            assert!(!plans(scenario, &QUICK).is_empty());
        }
        let other = Extent { seed: 2, ..FULL };
        assert_ne!(plans(Scenario::Cough, &FULL), plans(Scenario::Cough, &other));
    }

    #[test]
    fn learning_comes_first_and_pauses_alternate_with_finished_sentences() {
        for plan in plans(Scenario::Pause, &FULL) {
            let learning = plan.cues.iter().take_while(|cue| cue.role == Role::Learning).count();
            assert_eq!(learning, LEARNING_TURNS);
            let scored = &plan.cues[learning..];
            let long = |cue: &&Cue| matches!(cue.say, Stimulus::Paused(_, 1_200));
            assert_eq!(scored.iter().filter(long).count(), 4);
            assert_eq!(
                scored.iter().filter(|cue| matches!(cue.say, Stimulus::Finished(_))).count(),
                8
            );
        }
    }
}
