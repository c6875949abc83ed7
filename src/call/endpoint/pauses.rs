//! How long this user is used to pausing within a turn.
//!
//! The answer is a survival curve: which share of the pauses within a turn lasts at least so long. It
//! begins as what is known of people in general and moves to what this user does, pause by pause:
//!
//! ```text
//! S(t) = sum over pauses p of weight(p) / (1 + (t / p)^6)  /  sum of weights
//! ```
//!
//! Each pause stands for pauses like it: a log-logistic curve around its length, that is one whose
//! spread grows with the length, as that of pauses does. This is a kernel estimate on a logarithmic
//! axis, on which pauses are about normally distributed, and it is exact arithmetic with no fit that
//! could fail. A user with short and with long pauses keeps both humps, which a mean would lose.
//!
//! The general part: pauses within turns have a median near 0.5 s and a long tail. Campione & Véronis
//! (Speech Prosody 2002) found brief (under 0.2 s), medium (0.2 to 1 s) and long ones; Heldner & Edlund
//! (J. Phonetics 38, 2010) a median of about 0.5 s in dialogue.

use std::time::Duration;

/// What people do in general: five pauses in seconds that stand for the quintiles.
const GENERAL_S: [f32; 5] = [0.2, 0.35, 0.5, 0.7, 1.0];
/// How many of this user's pauses they are worth together: after about three turns the user counts for
/// as much as everybody else.
const GENERAL_WEIGHT: f32 = 3.0;
/// Pauses remembered: the newest. People change within a call, and the memory is bounded.
pub const PAUSES_KEPT: usize = 24;
/// Steepness of each pause's curve. At 6, one in ten pauses like it lasts 1.44 times as long.
const STEEPNESS: i32 = 6;
/// Pauses are heard from 100 ms on and judged up to a few seconds; what lies outside says nothing.
const HEARD_S: std::ops::RangeInclusive<f32> = 0.1..=5.0;

/// The pauses of one user.
#[derive(Clone, Debug)]
pub struct Pauses {
    /// In seconds, a ring.
    kept_s: [f32; PAUSES_KEPT],
    count: usize,
    next: usize,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { kept_s: [0.0; PAUSES_KEPT], count: 0, next: 0 }
    }
}

impl Pauses {
    /// Learns of a pause within a turn.
    pub fn learn(&mut self, pause: Duration) {
        self.kept_s[self.next] = pause.as_secs_f32().clamp(*HEARD_S.start(), *HEARD_S.end());
        self.next = (self.next + 1) % PAUSES_KEPT;
        self.count = (self.count + 1).min(PAUSES_KEPT);
    }

    /// The share of this user's pauses within turns that last longer than `silence`, 0 to 1.
    pub fn survival(&self, silence: Duration) -> f32 {
        let silence_s = silence.as_secs_f32();
        let lasts = |pause_s: &f32| 1.0 / (1.0 + (silence_s / pause_s).powi(STEEPNESS));
        let general: f32 = GENERAL_S.iter().map(lasts).sum();
        let own: f32 = self.kept_s[..self.count].iter().map(lasts).sum();
        let general_each = GENERAL_WEIGHT / GENERAL_S.len() as f32;
        (general * general_each + own) / (GENERAL_WEIGHT + self.count as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn longer_pauses_are_rarer_whatever_was_learned() {
        let mut pauses = Pauses::default();
        for learned in [90, 250, 1_200, 9_000, 0, 600] {
            pauses.learn(ms(learned));
            let curve: Vec<f32> = (0..60).map(|step| pauses.survival(ms(step * 50))).collect();
            assert!(curve.windows(2).all(|pair| pair[1] < pair[0]), "{curve:?}");
            assert!((curve[0] - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn a_user_who_pauses_long_is_expected_to_and_one_who_does_not_is_not() {
        let (mut slow, mut quick) = (Pauses::default(), Pauses::default());
        let before = slow.survival(ms(900));
        for _ in 0..4 {
            slow.learn(ms(1_200));
            quick.learn(ms(250));
        }
        let (slow, quick) = (slow.survival(ms(900)), quick.survival(ms(900)));
        assert!(quick < before / 2.0 && before * 2.0 < slow, "{quick} {before} {slow}");
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let mut pauses = Pauses::default();
        (0..PAUSES_KEPT).for_each(|_| pauses.learn(ms(2_000)));
        (0..PAUSES_KEPT).for_each(|_| pauses.learn(ms(250)));
        let mut fresh = Pauses::default();
        (0..PAUSES_KEPT).for_each(|_| fresh.learn(ms(250)));
        assert_eq!(pauses.survival(ms(700)), fresh.survival(ms(700)));
    }
}
