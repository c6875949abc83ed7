//! The per-frame path of the pure rooms allocates nothing once it is warm.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use antiphon::call::event::{DownlinkCommand, Generation};
use antiphon::dsp::denoise::{DenoiseMode, Denoiser};
use antiphon::dsp::echo::{EchoCanceller, EchoMode};
use antiphon::dsp::resample::Resampler;
use antiphon::dsp::vad::VoiceDetector;
use antiphon::dsp::vad::level::LevelVoice;
use antiphon::media::downlink::Downlink;
use antiphon::media::pcm::PcmCodec;
use antiphon::time::SessionTime;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting what this thread asks of it.
struct Counting;

// SAFETY: every call is passed on as it is; the counter is a plain cell of the thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and `alloc` used the same allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Runs a second of frames to warm up, then asserts that ten more seconds allocate nothing.
fn check(name: &str, mut step: impl FnMut()) {
    (0..50).for_each(|_| step());
    let before = ALLOCATIONS.get();
    (0..500).for_each(|_| step());
    assert_eq!(ALLOCATIONS.get() - before, 0, "{name} allocates");
}

#[test]
fn the_counter_counts() {
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(vec![1_u8]));
    assert_eq!(ALLOCATIONS.get() - before, 1);
}

#[test]
fn dsp_stages_do_not_allocate() {
    let frame = [0.1; 960];
    let mut output = Vec::with_capacity(2_000);
    let mut resampler = Resampler::new(48_000, 16_000).expect("a supported pair");
    check("resample", || {
        output.clear();
        resampler.step(&frame, &mut output);
    });
    for mode in [DenoiseMode::Off, DenoiseMode::Light, DenoiseMode::Rnnoise] {
        let mut denoiser = Denoiser::new(mode);
        check("denoise", || {
            output.clear();
            denoiser.step(&frame[..mode.input_rate_hz() as usize / 50], &mut output);
        });
    }
    // Steady from the start: digital silence needs no suppression, and so none is ever made.
    let mut auto = Denoiser::new(DenoiseMode::Auto);
    check("denoise auto", || {
        output.clear();
        auto.step(&[0.0; 960], &mut output);
    });
    let mut detector = VoiceDetector::new(LevelVoice::new(-50.0));
    check("voice", || {
        detector.step(&frame[..320]);
    });
}

/// AEC3 makes its working space anew for each block of 4 ms: 14 small vectors in `sonora`'s echo remover and
/// one in its subtractor, five times a frame. They are of one size each and freed at once, which is what an
/// allocator does best; keeping them would take a fork of the crate.
const AEC3_ALLOCATIONS: u64 = 5 * 20;

#[test]
fn the_echo_canceller_does_not_allocate_beyond_aec3() {
    let sound = |n: i64| ((n * n / 7 % 200) - 100) as f32 / 1_000.0;
    for (mode, agent_sounds, most) in
        [(EchoMode::On, true, AEC3_ALLOCATIONS), (EchoMode::On, false, 0), (EchoMode::Off, true, 0)]
    {
        let mut canceller = EchoCanceller::new(mode);
        let mut at = 0_i64;
        let mut step = || {
            let gain = if agent_sounds { 1.0 } else { 0.0 };
            canceller.push_sent(at, &std::array::from_fn(|n| gain * sound(at + n as i64)));
            let mut frame = std::array::from_fn(|n| 0.3 * sound(at - 3_000 + n as i64));
            std::hint::black_box(canceller.step(at, &mut frame));
            at += 320;
        };
        (0..50).for_each(|_| step());
        let before = ALLOCATIONS.get();
        (0..500).for_each(|_| step());
        let each = (ALLOCATIONS.get() - before) as f64 / 500.0;
        assert!(each <= most as f64, "{mode:?}: {each} allocations a frame");
    }
}

#[test]
fn the_downlink_does_not_allocate_while_it_plays_pauses_or_is_silent() {
    let mut codec = PcmCodec;
    let mut downlink = Downlink::new(&codec, 0);
    downlink.start(SessionTime::ZERO);
    let generation = Generation(1);
    let pcm = [1_000; 480];
    let mut count = 0;
    check("downlink", || {
        count += 1;
        let now = downlink.next_slot().expect("it was started");
        match count % 25 {
            1 => downlink.command(now, DownlinkCommand::Play { generation }),
            8 => downlink.command(now, DownlinkCommand::Pause),
            12 => downlink.command(now, DownlinkCommand::Resume),
            20 => downlink.command(now, DownlinkCommand::Flush),
            _ => {}
        }
        // Refused while nothing is to be played.
        let _ = downlink.push(now, generation, 24_000, &pcm);
        assert!(downlink.poll_slot(now, &mut codec).is_some());
    });
}
