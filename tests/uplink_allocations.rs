//! The uplink allocates while it learns how large packets are, and then never again.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use antiphon::dsp::vad::{VoiceModel, WINDOW_SAMPLES};
use antiphon::media::frame::{PayloadKind, RtpPacket};
use antiphon::media::pcm::PcmCodec;
use antiphon::media::uplink::{Keep, Uplink, UplinkSettings};
use antiphon::time::SessionTime;

/// The system's allocator, counting per thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that is being torn down has no counter any more.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Never;

impl VoiceModel for Never {
    fn step(&mut self, _: &[f32; WINDOW_SAMPLES]) -> f32 {
        0.0
    }

    fn reset(&mut self) {}
}

#[test]
fn a_packet_costs_no_allocation() {
    let mut codec = PcmCodec;
    let mut uplink = Uplink::new(UplinkSettings::CONVERSATION, &codec, Never);
    let payload = [1; 640];
    let mut before = 0;
    for n in 0..3_000_u64 {
        if n == 1_000 {
            before = ALLOCATIONS.get();
        }
        // One in 17 is lost, one in 13 comes with the next.
        let arrived: &[u64] = match n {
            n if n % 17 == 0 => &[],
            n if n % 13 == 0 => &[],
            n if n % 13 == 1 => &[1, 0],
            _ => &[0],
        };
        for back in arrived {
            let packet = RtpPacket {
                kind: PayloadKind::Audio,
                sequence: (n - back) as u16,
                timestamp: (n - back) as u32 * 320,
                marker: false,
                level_dbfs: None,
                payload: &payload,
            };
            uplink.handle_rtp(SessionTime::from_millis(n * 20), &packet, &codec);
        }
        while let Some(frame) = uplink.poll_frame(SessionTime::from_millis(n * 20 + 20), &mut codec)
        {
            uplink.hold(frame.pcm, Keep::PreRoll);
        }
    }
    let stats = uplink.stats();
    assert!(stats.jitter.lost > 100 && stats.frames > 2_900, "{stats:?}");
    assert_eq!(ALLOCATIONS.get() - before, 0);
}
