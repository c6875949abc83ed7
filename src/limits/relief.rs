//! Of backends that take a call over from others.

use std::time::Duration;

use super::{BACKEND_INPUT_MAX, UTTERANCE_FRAMES_MAX};

/// Things said in a call that a backend which takes it over is told of. The oldest are forgotten.
pub const HISTORY_SAID_MAX: usize = 100;
/// Characters of each of them. The rest is not kept.
pub const HISTORY_TEXT_CHARS_MAX: usize = 4_000;
/// Backends that may take a call over, one after the other. More are refused at start.
pub const FALLBACKS_MAX: usize = 4;
/// How long a backend that has another behind it may take to be ready: longer than a cold connection to a
/// provider takes. Then the next one takes over.
pub const RELIEF_READY_MAX: Duration = Duration::from_secs(5);
/// How long such a backend may leave its full queue unread. Then the next one takes over.
pub const RELIEF_STUCK_MAX: Duration = Duration::from_secs(3);
/// Frames and commands that wait for such a backend beside its queue: a whole turn that is told again, and
/// what comes meanwhile. At the limit the call's own queue fills.
pub const RELIEF_WAITING_MAX: usize = 2 * UTTERANCE_FRAMES_MAX + BACKEND_INPUT_MAX;
/// Messages of such a backend on their way to the call. At the limit it is not read.
pub const RELIEF_OUTPUTS_MAX: usize = 8;
/// Replies of such a backend that may fail, one after the other, without one between that was heard. With
/// the last of them the next one takes over.
pub const RELIEF_REPLIES_FAILED_MAX: u32 = 2;
