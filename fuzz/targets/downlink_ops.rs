//! Reply audio and commands into the downlink, and slots out of it.
#![no_main]

use std::time::Duration;

use antiphon::call::event::{Clip, DownlinkCommand, Generation};
use antiphon::limits::{
    BACKEND_BLOCK_SAMPLES_MAX, DOWNLINK_QUEUE_MS_MAX, FRAME_MS, WIDEBAND_FRAME,
};
use antiphon::media::downlink::{ClipAudio, Clips, Downlink};
use antiphon::media::pcm::PcmCodec;
use antiphon::time::SessionTime;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Operation {
    Wait {
        ms: u16,
    },
    /// So many blocks in a row; enough of them fill the queue.
    Push {
        generation: u8,
        rate: Rate,
        samples: u16,
        value: i16,
        blocks: u8,
    },
    Play {
        generation: u8,
    },
    Pause,
    Resume,
    Flush,
    Clip {
        apology: bool,
    },
    Finish {
        generation: u8,
    },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Rate {
    Narrow,
    Wide,
    Usual,
    Full,
    Other(u32),
}

impl Rate {
    const fn hz(self) -> u32 {
        match self {
            Self::Narrow => 8_000,
            Self::Wide => 16_000,
            Self::Usual => 24_000,
            Self::Full => 48_000,
            Self::Other(hz) => hz,
        }
    }
}

/// The last block taken may exceed the bound: 1.2 s at 8 kHz. A pause puts a frame back.
const QUEUED_MAX: Duration = Duration::from_millis(
    DOWNLINK_QUEUE_MS_MAX as u64 + BACKEND_BLOCK_SAMPLES_MAX as u64 / 8 + FRAME_MS as u64,
);

fuzz_target!(|operations: Vec<Operation>| {
    let mut codec = PcmCodec;
    let filler = ClipAudio::new(48_000, &[9_000; 3_333]).ok();
    let apology = ClipAudio::new(8_000, &[-20_000; 1_001]).ok();
    let clips = Clips { filler, apology };
    let mut downlink = Downlink::new(&codec, u32::MAX - 100).with_clips(clips);
    let mut now = SessionTime::ZERO;
    downlink.start(now);
    let mut timestamp = None;
    for operation in operations {
        let generation = |generation: u8| Generation(generation.into());
        match operation {
            Operation::Wait { ms } => now += Duration::from_millis(ms.into()),
            Operation::Push { generation: id, rate, samples, value, blocks } => {
                let pcm = vec![value; samples.into()];
                for _ in 0..blocks {
                    let _counted = downlink.push(now, generation(id), rate.hz(), &pcm);
                }
            }
            Operation::Play { generation: id } => {
                downlink.command(now, DownlinkCommand::Play { generation: generation(id) });
            }
            Operation::Pause => downlink.command(now, DownlinkCommand::Pause),
            Operation::Resume => downlink.command(now, DownlinkCommand::Resume),
            Operation::Clip { apology } => {
                let clip = if apology { Clip::Apology } else { Clip::Filler };
                downlink.command(now, DownlinkCommand::Clip { clip });
            }
            Operation::Flush => downlink.command(now, DownlinkCommand::Flush),
            Operation::Finish { generation: id } => {
                downlink.command(now, DownlinkCommand::Finish { generation: generation(id) });
            }
        }
        while let Some(slot) = downlink.poll_slot(now, &mut codec) {
            assert!(slot.sent.queued <= QUEUED_MAX, "{:?} queued", slot.sent.queued);
            // A resampler overshoots at full-scale edges; the encoder clips that.
            assert!(downlink.last_frame().iter().all(|sample| sample.abs() <= 4.0));
            let Some(packet) = slot.packet else { continue };
            assert_eq!(packet.payload().len(), 2 * WIDEBAND_FRAME);
            if let Some(earlier) = timestamp.replace(packet.timestamp) {
                let step = packet.timestamp.wrapping_sub(earlier);
                assert!(step > 0 && step < 1 << 31, "timestamps go forward");
                // Two packets never overlap, and slots come forward by whole milliseconds.
                assert!(step >= WIDEBAND_FRAME as u32, "{step} ticks after the packet before");
                assert_eq!(step % 16, 0, "in whole milliseconds");
            }
        }
        assert!(downlink.next_slot().is_some_and(|at| at > now), "a slot is overdue");
    }
});
