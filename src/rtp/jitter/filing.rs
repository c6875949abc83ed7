//! The way in: where a packet belongs, and whether there is room for it.

use super::{
    Arrival, Content, DROPOUT_MAX, JITTER_HELD_MS_MAX, JITTER_PACKETS_MAX, JitterBuffer,
    LATENESS_MAX_US, MISORDER_MAX, PAUSE_MS, Phase, Rejected, SPAN, STRAY_SPREAD_US, Stray, Stream,
    micros,
};
use crate::time::SessionTime;

impl JitterBuffer {
    /// Begins the stream at this packet.
    pub(super) fn begin(&mut self, now: SessionTime, packet: &Arrival<'_>) {
        let sequence = i64::from(packet.sequence);
        let timestamp = i64::from(packet.timestamp);
        self.stray = None;
        self.window.clear();
        self.drift.clear();
        let transit_us = self.transit_us(now, timestamp);
        self.window.push(now, transit_us);
        self.drift.push(now, transit_us);
        self.ring.clear();
        let content = Content::Audio { timestamp, ticks: packet.ticks, marker: packet.marker };
        self.ring.insert(sequence, content, packet.payload);
        self.stream = Some(Stream {
            phase: Phase::Filling,
            next_sequence: sequence,
            next_timestamp: timestamp,
            newest_sequence: sequence,
            newest_timestamp: timestamp,
            packet_ticks: packet.ticks,
            waited_ticks: 0,
            played: 0,
        });
    }

    /// Whether the packet is too far away to be of this stream. An outage moves both counters; a
    /// number that jumps alone is wrong.
    pub(super) fn is_stray(&self, ahead: i64, ticks_ahead: i64, lateness_us: i64) -> bool {
        let packet_ticks = self.stream.as_ref().map_or(0, |stream| i64::from(stream.packet_ticks));
        !(-MISORDER_MAX..=DROPOUT_MAX).contains(&ahead)
            || lateness_us.abs() > LATENESS_MAX_US
            || (ahead > MISORDER_MAX && ticks_ahead < ahead * packet_ticks / 2)
    }

    /// A packet far from the stream: refused, unless it follows on another such.
    pub(super) fn push_stray(
        &mut self,
        now: SessionTime,
        packet: &Arrival<'_>,
    ) -> Result<(), Rejected> {
        let here = Stray { sequence: packet.sequence, timestamp: packet.timestamp, arrived: now };
        let follows = self.stray.replace(here).is_some_and(|before| {
            let ticks = packet.timestamp.wrapping_sub(before.timestamp) as i32;
            let elapsed_us = micros(now.since(before.arrived));
            packet.sequence == before.sequence.wrapping_add(1)
                && (elapsed_us - self.micros_of(i64::from(ticks))).abs() < STRAY_SPREAD_US
        });
        if !follows {
            self.stats.strayed += 1;
            return Err(Rejected::Stray);
        }
        self.stats.resyncs += 1;
        self.stats.strayed += self.held_packets();
        self.begin(now, packet);
        Ok(())
    }

    /// Refuses what is here or was played.
    pub(super) fn check_order(&mut self, sequence: i64) -> Result<(), Rejected> {
        let Some(stream) = &self.stream else { return Ok(()) };
        let behind = stream.next_sequence - sequence;
        let was_played = (1..=64).contains(&behind) && stream.played >> (behind - 1) & 1 == 1;
        if was_played || (behind <= 0 && self.ring.content(sequence) != Content::Empty) {
            self.stats.duplicate += 1;
            return Err(Rejected::Duplicate);
        }
        Ok(())
    }

    /// Learns from the packet's lateness.
    pub(super) fn take_lateness(&mut self, now: SessionTime, transit_us: i64, lateness_us: i64) {
        let paused_ticks = self.stream.as_ref().map_or(0, |stream| stream.waited_ticks);
        let was_pause = paused_ticks >= self.clock_hz / 1_000 * PAUSE_MS;
        if was_pause && self.ring.packets() == 0 && lateness_us > micros(self.settings.depth_max) {
            self.stats.resyncs += 1;
            self.window.clear();
            self.drift.clear();
        }
        self.window.push(now, transit_us);
        self.drift.push(now, transit_us);
        let wanted_us = self.wanted_us();
        self.target_us = self.target_us.max(wanted_us);
    }

    /// Refuses what comes after its turn. While nothing was popped yet the cursor moves back instead.
    pub(super) fn check_turn(&mut self, sequence: i64, timestamp: i64) -> Result<(), Rejected> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        if sequence >= stream.next_sequence {
            return Ok(());
        }
        let fits = stream.newest_sequence - sequence < SPAN;
        if stream.phase == Phase::Filling && fits {
            stream.next_sequence = sequence;
            stream.next_timestamp = timestamp;
            return Ok(());
        }
        self.stats.late += 1;
        Err(Rejected::Late)
    }

    /// Drops the oldest until a packet of this number and duration may be held.
    pub(super) fn make_room(&mut self, sequence: i64, ticks: u32) -> Result<(), Rejected> {
        let held_ticks_max = u64::from(self.clock_hz / 1_000 * JITTER_HELD_MS_MAX);
        loop {
            let Some(stream) = &mut self.stream else { return Ok(()) };
            let is_full = self.ring.packets() >= JITTER_PACKETS_MAX
                || self.ring.held_ticks() + u64::from(ticks) > held_ticks_max;
            let is_far = sequence - stream.next_sequence >= SPAN;
            if !is_full && !is_far {
                return Ok(());
            }
            let Some(oldest) = self.ring.first_from(stream.next_sequence) else {
                // An outage: the cursor comes along, and the gap in time is waited out.
                self.stats.lost += (sequence - stream.next_sequence) as u64;
                stream.move_to(sequence);
                return Ok(());
            };
            if oldest > sequence {
                self.stats.overflow += 1;
                return Err(Rejected::Overflow);
            }
            let content = self.ring.content(oldest);
            self.ring.remove(oldest);
            self.stats.lost += (oldest - stream.next_sequence) as u64;
            stream.move_to(oldest + 1);
            stream.phase = Phase::Playing;
            if let Content::Audio { timestamp, ticks, .. } = content {
                self.stats.overflow += 1;
                stream.next_timestamp = timestamp + i64::from(ticks);
            }
        }
    }

    pub(super) fn held_packets(&self) -> u64 {
        let Some(stream) = &self.stream else { return 0 };
        let first = stream.next_sequence;
        let is_audio =
            |sequence: &i64| matches!(self.ring.content(*sequence), Content::Audio { .. });
        (first..first + SPAN).filter(is_audio).count() as u64
    }
}

impl Stream {
    /// Moves the cursor on, over packets that were not played.
    pub(super) fn move_to(&mut self, sequence: i64) {
        let steps = u32::try_from(sequence - self.next_sequence).unwrap_or(u32::MAX);
        self.played = self.played.checked_shl(steps).unwrap_or(0);
        self.next_sequence = sequence;
    }
}
