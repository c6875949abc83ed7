//! What was queued, sent and said to be heard of each reply, by the packets themselves.

use std::time::Duration;

use antiphon::agent::EncodedFrame;
use antiphon::call::event::{Generation, Heard};
use antiphon::limits::{FRAME, WIDEBAND_FRAME};

use crate::backend::REPLY_HZ;
use crate::client::Received;
use crate::sound::{MARK_SAMPLES, Mark};

/// Level in dBFS above which a packet sounds.
const SOUND_DBFS: i8 = -60;
/// Packets with sound that may follow the end of a reply: the one that fades, or its last samples.
const FAREWELL_PACKETS_MAX: u32 = 1;
/// What durations may be off by: they are rounded down to microseconds on their way.
const ROUNDING: Duration = Duration::from_millis(1);

/// The audio of the open reply, and what follows it.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    /// Replies that have audio, with the samples queued: the open one, and one made ahead.
    queued: Vec<(Generation, usize)>,
    /// The reply that was last sent a packet of, and the sample after that packet.
    sent: Option<(Generation, usize)>,
    /// Packets with sound since then that say nothing of themselves: they fade.
    faded: u32,
    /// Packets with sound and without a mark since the last reply was closed.
    farewell: u32,
}

impl Ring {
    pub(super) fn queue(&mut self, generation: Generation, samples: usize) {
        match self.queued.iter_mut().find(|(queued, _)| *queued == generation) {
            Some((_, queued)) => *queued += samples,
            None => self.queued.push((generation, samples)),
        }
    }

    pub(super) fn packet(
        &mut self,
        packet: &EncodedFrame,
        open: Option<Generation>,
    ) -> Option<Received> {
        if packet.level_dbfs <= SOUND_DBFS {
            return None;
        }
        let (values, _) = packet.payload().as_chunks::<2>();
        let samples = values.iter().map(|value| i16::from_le_bytes(*value));
        let Some((start, mark)) = Mark::find(samples) else { return self.faded(open) };
        if mark.tag == Mark::CLIP {
            let end = Duration::ZERO;
            return Some(Received { generation: None, end });
        }
        let generation = open.filter(|open| Mark::of_reply(open.0) == mark.tag);
        let generation = generation.unwrap_or_else(|| {
            panic!("[dead audio] of tag {} while {open:?} is open", mark.tag);
        });
        let at = usize::from(mark.number) * MARK_SAMPLES;
        // The first mark may lie within the packet: behind a rising edge, or a cut.
        let (from, until) = (at.saturating_sub(start), at.saturating_sub(start) + WIDEBAND_FRAME);
        let before = self.sent.filter(|(sent, _)| *sent == generation).map_or(0, |(_, end)| end);
        let skipped = self.faded as usize * WIDEBAND_FRAME;
        let may_begin = before..=before + skipped;
        assert!(
            may_begin.contains(&from)
                || (self.faded > 0 && from < before && from + WIDEBAND_FRAME > before),
            "[ring] a packet of {generation} from sample {from}, expected {may_begin:?}"
        );
        let queued = self.queued(generation);
        let end = until.min(queued);
        assert!(from < queued, "[ring] sample {from} of {generation} was never queued");
        (self.sent, self.faded) = (Some((generation, end)), 0);
        Some(Received { generation: Some(generation), end: duration(end) })
    }

    /// A packet with sound of which nothing is whole.
    fn faded(&mut self, open: Option<Generation>) -> Option<Received> {
        self.faded += 1;
        if open.is_none_or(|open| self.queued(open) == 0) {
            self.farewell += 1;
            let farewell = self.farewell;
            assert!(
                farewell <= FAREWELL_PACKETS_MAX,
                "[dead audio] {farewell} packets with sound of a reply that is closed"
            );
        }
        let (generation, end) = self.sent?;
        Some(Received { generation: Some(generation), end: duration(end) })
    }

    /// A reply was cut: no more was heard than sent.
    pub(super) fn cancelled(&mut self, generation: Generation, heard: &Heard) {
        // What fades bears no mark: a frame of it may have been sent beyond the last that does.
        let sent = self.sent(generation) + FRAME * self.faded;
        let heard = heard.duration;
        assert!(heard <= sent + ROUNDING, "[heard] {heard:?} of {sent:?} sent");
        let queued = duration(self.queued(generation));
        assert!(heard <= queued + ROUNDING, "[heard] {heard:?} of {queued:?} queued");
        self.closed(generation);
    }

    /// A reply was sent to its end: all of it, and all of it counts as heard.
    pub(super) fn played(&mut self, generation: Generation, heard: &Heard) {
        let queued = duration(self.queued(generation));
        let sent = self.sent(generation) + FRAME * self.faded;
        assert!(queued <= sent + ROUNDING, "[ring] {sent:?} of {queued:?} was sent");
        assert!(heard.duration.abs_diff(queued) <= ROUNDING, "[heard] {heard:?} of {queued:?}");
        self.closed(generation);
    }

    fn closed(&mut self, generation: Generation) {
        self.queued.retain(|(queued, _)| *queued > generation);
        self.farewell = 0;
    }

    fn queued(&self, generation: Generation) -> usize {
        let queued = self.queued.iter().find(|(queued, _)| *queued == generation);
        queued.map_or(0, |(_, samples)| *samples)
    }

    fn sent(&self, generation: Generation) -> Duration {
        let sent = self.sent.filter(|(sent, _)| *sent == generation);
        sent.map_or(Duration::ZERO, |(_, end)| duration(end))
    }
}

fn duration(samples: usize) -> Duration {
    Duration::from_micros(samples as u64 * 1_000_000 / u64::from(REPLY_HZ))
}
