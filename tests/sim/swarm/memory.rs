//! What a call takes of the memory: bounded while it runs, and given back after it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The most that one call may hold, the simulation's own books included: 8 MiB.
const CALL_BYTES_MAX: isize = 8 << 20;

thread_local! {
    /// What this thread took and has not given back.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, counting what each thread holds. A call lives on one.
struct Counting;

fn count(bytes: isize) {
    let held = HELD.get() + bytes;
    HELD.set(held);
    MOST.set(MOST.get().max(held));
}

// SAFETY: every call is passed on as it is; the counters are plain cells of the thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract of `dealloc`, and `alloc` used the same allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Runs one call, which gives back all that it takes and never takes too much.
pub(super) fn check(call: impl FnOnce()) {
    let before = HELD.get();
    MOST.set(before);
    call();
    let (most, left) = (MOST.get() - before, HELD.get() - before);
    assert!(most <= CALL_BYTES_MAX, "[memory] a call held {most} bytes");
    assert_eq!(left, 0, "[memory] bytes that a call did not give back");
}

#[test]
fn what_is_kept_or_too_much_is_caught() {
    let kept = super::caught(|| check(|| std::mem::forget(std::hint::black_box(vec![1_u8; 64]))));
    assert!(kept.is_some_and(|message| message.contains("did not give back")));
    let too_much = || drop(std::hint::black_box(vec![1_u8; CALL_BYTES_MAX as usize + 1]));
    let much = super::caught(|| check(too_much));
    assert!(much.is_some_and(|message| message.starts_with("[memory] a call held")));
    check(|| drop(std::hint::black_box(vec![1_u8; 64])));
}
