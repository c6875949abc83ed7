//! flite, the speech synthesiser, loaded at run time: all of its C interface is in this file.
//!
//! flite keeps its voices in process-wide tables and passes the streaming callback through the
//! voice, so there is one table of engines here too, and its lock serialises synthesis. It makes a
//! second of speech in about 15 ms and the callback never blocks, so a waiting call waits for
//! milliseconds.

use std::ffi::{CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libloading::Library;

use crate::backend::BackendError;
use crate::backend::cascade::library::Package;
use crate::limits::SENTENCE_CHARS_MAX;

/// What gets the library onto the machine.
const PACKAGE: Package = Package {
    name: "speech synthesis",
    remedy: "`./run --setup` installs it, or: apt-get install flite",
};
/// The feature of a voice that holds the streaming callback.
const STREAMING_FEATURE: &std::ffi::CStr = c"streaming_info";
/// The feature of a voice that stretches time: 2 is half as fast.
const STRETCH_FEATURE: &std::ffi::CStr = c"duration_stretch";

/// A voice of flite's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Voice {
    /// A woman's voice; the clearest. First sound after about 10 ms.
    #[default]
    Slt,
    /// A man's voice.
    Rms,
    /// A Scottish man's voice.
    Awb,
    /// A robot's voice at almost no cost.
    Kal16,
}

impl Voice {
    /// The names used in configuration, for a decoder of choices.
    pub const NAMES: [(&str, Self); 4] =
        [("slt", Self::Slt), ("rms", Self::Rms), ("awb", Self::Awb), ("kal16", Self::Kal16)];

    /// The name used in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Slt => "slt",
            Self::Rms => "rms",
            Self::Awb => "awb",
            Self::Kal16 => "kal16",
        }
    }
}

/// `struct cst_wave` as far as it is read.
#[repr(C)]
struct Wave {
    kind: *const c_char,
    sample_rate: c_int,
    num_samples: c_int,
    num_channels: c_int,
    samples: *const i16,
}

/// Where a token's sound begins and ends in the utterance, as paths through flite's relations: from its
/// first or last word over syllables to segments.
const TOKEN_START: &std::ffi::CStr =
    c"daughter1.R:SylStructure.daughter1.daughter1.R:Segment.p.end";
const TOKEN_END: &std::ffi::CStr = c"daughtern.R:SylStructure.daughtern.daughtern.R:Segment.end";

/// `struct cst_audio_streaming_info`.
#[repr(C)]
struct StreamingInfo {
    min_buffsize: c_int,
    asc:
        Option<unsafe extern "C" fn(*const Wave, c_int, c_int, c_int, *mut StreamingInfo) -> c_int>,
    utt: *const c_void,
    item: *const c_void,
    userdata: *mut c_void,
}

/// `struct cst_voice` as far as it is read.
#[repr(C)]
struct CVoice {
    name: *const c_char,
    features: *mut c_void,
}

const STREAM_STOP: c_int = -1;
const STREAM_CONTINUE: c_int = 0;

/// A voice that was loaded.
#[derive(Clone, Copy, Debug)]
pub(in crate::backend) struct Flite {
    voice: Voice,
}

/// The loaded voices, at most one engine for each; they stay loaded. The lock is held for the whole
/// of each synthesis.
static ENGINES: Mutex<Vec<(Voice, Engine)>> = Mutex::new(Vec::new());

fn engines() -> MutexGuard<'static, Vec<(Voice, Engine)>> {
    // A panic under the lock would be a sink's; the engines are whole either way.
    ENGINES.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct Engine {
    voice: *mut CVoice,
    streaming: *mut StreamingInfo,
    synth_text: unsafe extern "C" fn(*const c_char, *mut CVoice) -> *mut c_void,
    delete_utterance: unsafe extern "C" fn(*mut c_void),
    feat_set_float: unsafe extern "C" fn(*mut c_void, *const c_char, f32),
    tokens: Tokens,
    // Unloaded last: the pointers above lead into them.
    _libraries: [Library; 2],
}

/// What leads to the tokens of an utterance.
#[derive(Clone, Copy, Debug)]
struct Tokens {
    relation_present: unsafe extern "C" fn(*const c_void, *const c_char) -> c_int,
    relation: unsafe extern "C" fn(*const c_void, *const c_char) -> *const c_void,
    head: unsafe extern "C" fn(*const c_void) -> *const c_void,
    next: unsafe extern "C" fn(*const c_void) -> *const c_void,
    feature: unsafe extern "C" fn(*const c_void, *const c_char) -> f32,
}

impl Tokens {
    /// When each of the utterance's tokens sounds, silence at its beginning included.
    ///
    /// # Safety
    /// `utterance` is null or one that flite is synthesising on this thread.
    unsafe fn times(self, utterance: *const c_void) -> Vec<Span> {
        let mut spans = Vec::new();
        // SAFETY: the relations exist while the utterance does, and a list's last item has no next.
        unsafe {
            let name = c"Token".as_ptr();
            if utterance.is_null() || (self.relation_present)(utterance, name) == 0 {
                return spans;
            }
            let mut token = (self.head)((self.relation)(utterance, name));
            while !token.is_null() && spans.len() < SENTENCE_CHARS_MAX {
                let seconds = |path: &std::ffi::CStr| (self.feature)(token, path.as_ptr());
                let time = |seconds: f32| Duration::try_from_secs_f32(seconds).unwrap_or_default();
                spans.push(Span {
                    start: time(seconds(TOKEN_START)),
                    end: time(seconds(TOKEN_END)),
                });
                token = (self.next)(token);
            }
        }
        spans
    }
}

/// When something sounds, counted from the utterance's first sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend) struct Span {
    pub(in crate::backend) start: Duration,
    pub(in crate::backend) end: Duration,
}

// SAFETY: the pointers lead to flite's own heap, which is tied to no thread, and the mutex lets one
// thread at a time use them.
unsafe impl Send for Engine {}

/// Where the callback hands its blocks.
struct Sink<'a> {
    take: &'a mut dyn FnMut(&[i16]) -> bool,
    /// Told once, before the first block; `None` afterwards.
    spans: Option<&'a mut dyn FnMut(Vec<Span>)>,
    tokens: Tokens,
    rate_hz: u32,
}

/// Why nothing was spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend) enum SpeakError {
    /// The engine made no utterance of the text.
    Engine,
    /// The engine's audio is not what every one of its voices makes: mono at 16 kHz.
    Format,
}

impl Flite {
    /// Loads the library and a voice, unless they are loaded already.
    pub(in crate::backend) fn load(voice: Voice) -> Result<Self, BackendError> {
        let mut engines = engines();
        if engines.iter().all(|(loaded, _)| *loaded != voice) {
            engines.push((voice, Engine::load(voice)?));
        }
        Ok(Self { voice })
    }

    /// Speaks `text` at `pace` (2 is twice as fast), 16 kHz mono, handing each block of at most some
    /// 25 ms to `take` as it is made, until `take` answers false.
    pub(in crate::backend) fn speak(
        &self,
        text: &str,
        pace: f32,
        take: &mut dyn FnMut(&[i16]) -> bool,
    ) -> Result<(), SpeakError> {
        self.speak_timed(text, pace, take, &mut |_| {})
    }

    /// The same, and tells before the first block when each token, which is a word with its punctuation,
    /// sounds.
    pub(in crate::backend) fn speak_timed(
        &self,
        text: &str,
        pace: f32,
        take: &mut dyn FnMut(&[i16]) -> bool,
        spans: &mut dyn FnMut(Vec<Span>),
    ) -> Result<(), SpeakError> {
        let text = CString::new(speakable(text)).map_err(|_| SpeakError::Engine)?;
        let mut engines = engines();
        let loaded = engines.iter_mut().find(|(voice, _)| *voice == self.voice);
        let Some((_, engine)) = loaded else { return Err(SpeakError::Engine) };
        let mut sink = Sink { take, spans: Some(spans), tokens: engine.tokens, rate_hz: 0 };
        // SAFETY: the lock makes this thread the voice's only user; `sink` outlives the synthesis,
        // which is the only time the callback runs; the text ends in NUL.
        unsafe {
            (engine.feat_set_float)((*engine.voice).features, STRETCH_FEATURE.as_ptr(), 1.0 / pace);
            (*engine.streaming).userdata = (&raw mut sink).cast();
            let utterance = (engine.synth_text)(text.as_ptr(), engine.voice);
            (*engine.streaming).userdata = ptr::null_mut();
            if utterance.is_null() {
                return Err(SpeakError::Engine);
            }
            (engine.delete_utterance)(utterance);
        }
        match sink.rate_hz {
            0 | crate::limits::WIDEBAND_HZ => Ok(()),
            _ => Err(SpeakError::Format),
        }
    }
}

impl Engine {
    /// To be called once for each voice, under the lock: registration writes process-wide tables.
    fn load(voice: Voice) -> Result<Self, BackendError> {
        let voice_file = format!("libflite_cmu_us_{}.so.1", voice.name());
        // SAFETY: flite's initialisers do nothing but set up static data.
        let (base, voice_library) =
            unsafe { (PACKAGE.open("libflite.so.1")?, PACKAGE.open(&voice_file)?) };
        let register_name = format!("register_cmu_us_{}", voice.name());
        // SAFETY: the types are those of flite 2's headers, and the soname pins its interface. The
        // voice lives in the library's static data; features are freed by nobody while it is loaded.
        unsafe {
            let init: unsafe extern "C" fn() -> c_int = PACKAGE.symbol(&base, "flite_init")?;
            let new_streaming: unsafe extern "C" fn() -> *mut StreamingInfo =
                PACKAGE.symbol(&base, "new_audio_streaming_info")?;
            let streaming_value: unsafe extern "C" fn(*mut StreamingInfo) -> *const c_void =
                PACKAGE.symbol(&base, "audio_streaming_info_val")?;
            let feat_set: unsafe extern "C" fn(*mut c_void, *const c_char, *const c_void) =
                PACKAGE.symbol(&base, "flite_feat_set")?;
            let register: unsafe extern "C" fn(*const c_char) -> *mut CVoice =
                PACKAGE.symbol(&voice_library, &register_name)?;
            init();
            let voice = register(ptr::null());
            let streaming = new_streaming();
            if voice.is_null() || streaming.is_null() {
                return Err(PACKAGE.missing(&voice_file, "the voice does not load".to_owned()));
            }
            (*streaming).asc = Some(stream_block);
            feat_set((*voice).features, STREAMING_FEATURE.as_ptr(), streaming_value(streaming));
            Ok(Self {
                voice,
                streaming,
                synth_text: PACKAGE.symbol(&base, "flite_synth_text")?,
                delete_utterance: PACKAGE.symbol(&base, "delete_utterance")?,
                feat_set_float: PACKAGE.symbol(&base, "flite_feat_set_float")?,
                tokens: Tokens {
                    relation_present: PACKAGE.symbol(&base, "utt_relation_present")?,
                    relation: PACKAGE.symbol(&base, "utt_relation")?,
                    head: PACKAGE.symbol(&base, "relation_head")?,
                    next: PACKAGE.symbol(&base, "item_next")?,
                    feature: PACKAGE.symbol(&base, "ffeature_float")?,
                },
                _libraries: [voice_library, base],
            })
        }
    }
}

/// Called by flite for each block while it synthesises.
///
/// # Safety
/// `wave` holds `start + size` samples and `info` is the voice's, its user data a live [`Sink`].
unsafe extern "C" fn stream_block(
    wave: *const Wave,
    start: c_int,
    size: c_int,
    _last: c_int,
    info: *mut StreamingInfo,
) -> c_int {
    // SAFETY: flite passes the wave it is filling and the info that `speak` set up on this thread.
    let (sink, block, is_expected) = unsafe {
        let Some(sink) = (*info).userdata.cast::<Sink<'_>>().as_mut() else { return STREAM_STOP };
        let (Ok(start), Ok(size)) = (usize::try_from(start), usize::try_from(size)) else {
            return STREAM_STOP;
        };
        if let Some(tell) = sink.spans.take() {
            let spans = sink.tokens.times((*info).utt);
            if catch_unwind(AssertUnwindSafe(|| tell(spans))).is_err() {
                return STREAM_STOP;
            }
        }
        sink.rate_hz = (*wave).sample_rate.unsigned_abs();
        let is_expected = sink.rate_hz == crate::limits::WIDEBAND_HZ && (*wave).num_channels == 1;
        (sink, std::slice::from_raw_parts((*wave).samples.add(start), size), is_expected)
    };
    // A panic must not unwind into C; it ends the utterance.
    let wants_more =
        is_expected && catch_unwind(AssertUnwindSafe(|| (sink.take)(block))).unwrap_or(false);
    if wants_more { STREAM_CONTINUE } else { STREAM_STOP }
}

/// The text as far as flite's English front end can say it: letters, digits and plain punctuation.
/// Typographic characters become their plain twins, others a space.
fn speakable(text: &str) -> String {
    let plain = |c: char| match c {
        '\u{2018}' | '\u{2019}' => '\'',
        '\u{2013}' | '\u{2014}' | '\u{2026}' => ',',
        'à'..='å' => 'a',
        'è'..='ë' => 'e',
        'ì'..='ï' => 'i',
        'ò'..='ö' => 'o',
        'ù'..='ü' => 'u',
        'ç' => 'c',
        'ñ' => 'n',
        // Marks of markup would be read out by name.
        '*' | '_' | '`' | '#' | '<' | '>' | '|' | '~' | '^' | '\\' => ' ',
        ' '..='~' => c,
        _ => ' ',
    };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken(flite: &Flite, text: &str, pace: f32) -> Vec<i16> {
        let mut pcm = Vec::new();
        let take = &mut |block: &[i16]| {
            pcm.extend_from_slice(block);
            true
        };
        flite.speak(text, pace, take).expect("flite speaks");
        pcm
    }

    #[test]
    fn every_voice_speaks_and_pace_changes_its_length() {
        for (name, voice) in Voice::NAMES {
            let flite = Flite::load(voice).expect("flite is installed");
            let text = "The quick brown fox.";
            let [slow, plain, fast] = [0.5, 1.0, 2.0].map(|pace| spoken(&flite, text, pace).len());
            assert!((12_000..48_000).contains(&plain), "{name}: {plain} samples");
            assert!(slow > plain * 3 / 2 && fast < plain * 3 / 4, "{name}: {slow} {plain} {fast}");
        }
    }

    #[test]
    fn every_voice_says_when_its_words_sound() {
        for (name, voice) in Voice::NAMES {
            let flite = Flite::load(voice).expect("flite is installed");
            let (mut samples, mut spans) = (0, Vec::new());
            let take = &mut |block: &[i16]| {
                samples += block.len();
                true
            };
            let text = "It is 12 o'clock, isn't it?";
            flite.speak_timed(text, 1.0, take, &mut |told| spans = told).expect("flite speaks");
            assert_eq!(spans.len(), 6, "{name}: {spans:?}");
            let times: Vec<_> = spans.iter().flat_map(|span| [span.start, span.end]).collect();
            assert!(times.is_sorted(), "{name}: {spans:?}");
            assert!(spans.iter().all(|span| span.start < span.end), "{name}: {spans:?}");
            let length = Duration::from_millis(samples as u64 / 16);
            assert!(spans[5].end <= length && spans[5].end > length / 2, "{name}: {spans:?}");
        }
    }

    #[test]
    fn it_stops_when_told_to_and_speaks_again_after() {
        let flite = Flite::load(Voice::Slt).expect("flite is installed");
        let mut blocks = 0;
        flite
            .speak("One two three four five six seven eight.", 1.0, &mut |_| {
                blocks += 1;
                blocks < 3
            })
            .expect("being stopped is no error");
        assert_eq!(blocks, 3);
        assert!(spoken(&flite, "hello", 1.0).len() > 4_000);
    }

    #[test]
    fn a_panic_in_the_sink_ends_the_utterance_only() {
        let flite = Flite::load(Voice::Kal16).expect("flite is installed");
        let _ = flite.speak("one two three", 1.0, &mut |_| panic!("for the test"));
        assert!(spoken(&flite, "hello", 1.0).len() > 4_000);
    }

    #[test]
    fn no_text_hurts_it() {
        let flite = Flite::load(Voice::Kal16).expect("flite is installed");
        for text in ["", " ", "...", "\0\u{7}", "日本語", "ÀÉ", "1e309", "(((", "a*b_c`d", "$5.3%"]
        {
            let _ = spoken(&flite, text, 1.0);
        }
    }
}
