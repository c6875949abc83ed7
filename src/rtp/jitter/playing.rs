//! The way out: what is due, what is missing, and what is too early or too late.

use super::{
    BEYOND_US, Content, JITTER_DEPTH_MS_MAX, JitterBuffer, LOSS_WEIGHT, LOSS_WORTH_WAITING,
    NOISE_US, Passage, Phase, Playhead, Redundancy, SHORT_US, Step, Surplus, TARGET_FALL_US,
    micros,
};
use crate::time::SessionTime;

/// Times are clamped to this (three centuries), so that differences cannot overflow.
const MICROS_MAX: u64 = 1 << 53;

/// The packet at the cursor.
struct Head {
    sequence: i64,
    timestamp: i64,
    ticks: u32,
    marker: bool,
}

impl JitterBuffer {
    /// Decides the next piece and moves the cursor over it.
    pub(super) fn advance(&mut self, now: SessionTime, playhead: Playhead) -> Step {
        // Every turn of the loop moves the cursor over packets that are held or missing.
        loop {
            let Some(stream) = &mut self.stream else { return Step::Wait };
            let Some(first) = self.ring.first_from(stream.next_sequence) else {
                return self.starve(playhead);
            };
            let content = self.ring.content(first);
            if first > stream.next_sequence {
                if let Some(step) = self.pass_missing(now, playhead, first) {
                    return step;
                }
                continue;
            }
            match content {
                Content::Audio { timestamp, ticks, marker } => {
                    let head = Head { sequence: first, timestamp, ticks, marker };
                    return self.play(now, playhead, &head);
                }
                Content::Foreign | Content::Empty => {
                    self.ring.remove(first);
                    stream.move_to(first + 1);
                }
            }
        }
    }

    /// Nothing is held.
    fn starve(&mut self, playhead: Playhead) -> Step {
        if let Some(stream) = &mut self.stream
            && stream.phase == Phase::Playing
            && stream.waited_ticks == 0
        {
            self.stats.starved += 1;
        }
        self.wait(playhead)
    }

    fn wait(&mut self, playhead: Playhead) -> Step {
        let filler_ticks = self.slot_ticks.saturating_sub(playhead.ahead_ticks);
        if let Some(stream) = &mut self.stream {
            stream.waited_ticks = stream.waited_ticks.saturating_add(filler_ticks);
        }
        Step::Wait
    }

    /// The next packet is here: play it, unless that would be too early.
    fn play(&mut self, now: SessionTime, playhead: Playhead, head: &Head) -> Step {
        let Some(stream) = &self.stream else { return Step::Wait };
        let begins =
            stream.phase == Phase::Filling || head.marker || head.timestamp > stream.next_timestamp;
        let delay_us = self.delay_us(now, head.timestamp, playhead);
        let need_us = self.need_us(playhead);
        if delay_us < need_us - SHORT_US {
            if begins {
                return self.wait(playhead);
            }
            // Where there is a hole already, making it longer is the cheapest way to grow.
            if stream.waited_ticks > 0 || playhead.passage == Passage::Silence {
                return self.stretch(playhead);
            }
        }
        self.ring.remove(head.sequence);
        let surplus = self.surplus(delay_us - need_us, delay_us, playhead, head.ticks);
        if let Some(stream) = &mut self.stream {
            stream.phase = Phase::Playing;
            stream.next_timestamp = head.timestamp + i64::from(head.ticks);
            stream.packet_ticks = head.ticks;
            stream.waited_ticks = 0;
            stream.move_to(head.sequence + 1);
            stream.played |= 1;
        }
        self.stats.played += 1;
        self.stats.delay_ms = (delay_us.max(0) / 1_000).min(i64::from(u32::MAX)) as u32;
        self.loss_share *= 1.0 - LOSS_WEIGHT;
        self.target_us = self.wanted_us().max(self.target_us - TARGET_FALL_US);
        Step::Play { sequence: head.sequence, ticks: head.ticks, surplus }
    }

    /// Packets before `first` are missing. `None` means that the cursor moved without a sound.
    fn pass_missing(&mut self, now: SessionTime, playhead: Playhead, first: i64) -> Option<Step> {
        let need_us = self.need_us(playhead);
        let stream = self.stream.as_ref()?;
        let missing = first - stream.next_sequence;
        let packet_ticks = i64::from(stream.packet_ticks);
        let gap_ticks = match self.ring.content(first) {
            Content::Audio { timestamp, .. } => timestamp - stream.next_timestamp,
            Content::Foreign | Content::Empty => missing * packet_ticks,
        };
        if gap_ticks <= 0 {
            self.lose(missing, 0);
            return None;
        }
        let delay_us = self.delay_us(now, stream.next_timestamp, playhead);
        let packet_us = self.micros_of(packet_ticks).max(1);
        let spare = (delay_us - need_us + SHORT_US) / packet_us;
        let covered = missing.min(spare).min(i64::from(stream.waited_ticks) / packet_ticks);
        if covered > 0 {
            // They were made up for while waiting, and there is no reason to be later than now.
            self.stats.concealed_plc += covered as u64;
            self.lose(covered, (covered * packet_ticks).min(gap_ticks));
            if let Some(stream) = &mut self.stream {
                stream.waited_ticks -= (covered * packet_ticks) as u32;
            }
            return None;
        }
        if delay_us < need_us - SHORT_US {
            return Some(self.stretch(playhead));
        }
        let ticks = packet_ticks.min(gap_ticks);
        self.lose(1, ticks);
        let is_audio = matches!(self.ring.content(first), Content::Audio { .. });
        let next = (missing == 1 && ticks == gap_ticks && is_audio).then_some(first);
        Some(Step::Conceal { ticks: ticks as u32, next })
    }

    /// Gives up `count` packets that last `ticks` together.
    fn lose(&mut self, count: i64, ticks: i64) {
        self.stats.lost += count as u64;
        for _ in 0..count.min(128) {
            self.loss_share += (1.0 - self.loss_share) * LOSS_WEIGHT;
        }
        if let Some(stream) = &mut self.stream {
            stream.move_to(stream.next_sequence + count);
            stream.next_timestamp += ticks;
        }
    }

    /// Waits although the next packet may be here, so that the delay grows to what it should be.
    fn stretch(&mut self, playhead: Playhead) -> Step {
        let filler_ticks = self.slot_ticks.saturating_sub(playhead.ahead_ticks);
        self.stats.stretched_ms += u64::from(filler_ticks) * 1_000 / u64::from(self.clock_hz);
        self.wait(playhead)
    }

    /// Whether the delay is too long. It can only be shortened by audio that is here: what is left
    /// after the cut must still fill this slot, and be as early as is needed at the slot's end.
    fn surplus(
        &self,
        excess_us: i64,
        delay_us: i64,
        playhead: Playhead,
        packet_ticks: u32,
    ) -> Surplus {
        let heard_ticks = playhead.ahead_ticks.saturating_add(packet_ticks);
        let left = self.ring.held_ticks() + u64::from(heard_ticks);
        let later_us = self.micros_of(i64::from(self.slot_ticks.saturating_sub(heard_ticks)));
        let cut_us = self.micros_of(i64::from(packet_ticks.min(self.slot_ticks)));
        if excess_us - later_us < cut_us - NOISE_US || left < 2 * u64::from(self.slot_ticks) {
            Surplus::None
        } else if delay_us > i64::from(JITTER_DEPTH_MS_MAX) * 1_000 + BEYOND_US {
            Surplus::Now
        } else {
            Surplus::InSilence
        }
    }

    /// The delay that the window asks for.
    pub(super) fn wanted_us(&self) -> i64 {
        let lower = micros(self.settings.depth_min);
        let upper = micros(self.settings.depth_max).max(lower);
        self.window.quantile_us(f64::from(self.settings.quantile)).clamp(lower, upper)
    }

    /// The delay needed here: the target; more, if this packet is the second of the slot, since it is
    /// needed before it is heard; and one packet more, if that one is to repair losses.
    fn need_us(&self, playhead: Playhead) -> i64 {
        let repairs =
            self.redundancy == Redundancy::NextPacket && self.loss_share > LOSS_WORTH_WAITING;
        let packet_ticks = self.stream.as_ref().map_or(0, |stream| stream.packet_ticks);
        let repair_us = if repairs { self.micros_of(i64::from(packet_ticks)) } else { 0 };
        let ahead_us = self.micros_of(i64::from(playhead.ahead_ticks));
        self.target_us + repair_us + ahead_us
    }

    /// How long after the fastest packet's arrival `timestamp` would be heard, popped now.
    fn delay_us(&self, now: SessionTime, timestamp: i64, playhead: Playhead) -> i64 {
        let ahead_us = self.micros_of(i64::from(playhead.ahead_ticks));
        self.transit_us(now, timestamp) + ahead_us - self.window.fastest_us()
    }

    /// `now` less the media time of `timestamp`.
    pub(super) fn transit_us(&self, now: SessionTime, timestamp: i64) -> i64 {
        now.as_micros().min(MICROS_MAX) as i64 - self.micros_of(timestamp)
    }

    pub(super) fn micros_of(&self, ticks: i64) -> i64 {
        let clock_hz = i64::from(self.clock_hz);
        let (seconds, rest) = (ticks.div_euclid(clock_hz), ticks.rem_euclid(clock_hz));
        seconds * 1_000_000 + rest * 1_000_000 / clock_hz
    }
}
