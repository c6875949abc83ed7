//! PocketSphinx, the speech recogniser, loaded at run time: all of its C interface is in this file.
//!
//! This is the interface of 0.8 (5prealpha), which Debian 12 and Ubuntu 24.04 carry. Decoders share
//! nothing that is written after set-up, so each may live on a thread of its own.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;
use std::sync::Arc;

use libloading::Library;

use crate::backend::BackendError;
use crate::backend::cascade::library::Package;

const PACKAGE: Package = Package {
    name: "speech recognition",
    remedy: "`./run --setup` installs it, or: apt-get install pocketsphinx pocketsphinx-en-us",
};

type Decoder = c_void;
type Config = c_void;

/// The loaded library.
#[derive(Debug)]
pub(in crate::backend::cascade) struct PocketSphinx {
    args: unsafe extern "C" fn() -> *const c_void,
    init: unsafe extern "C" fn(*mut Config) -> *mut Decoder,
    free: unsafe extern "C" fn(*mut Decoder) -> c_int,
    start_utt: unsafe extern "C" fn(*mut Decoder) -> c_int,
    process_raw: unsafe extern "C" fn(*mut Decoder, *const i16, usize, c_int, c_int) -> c_int,
    end_utt: unsafe extern "C" fn(*mut Decoder) -> c_int,
    get_hyp: unsafe extern "C" fn(*mut Decoder, *mut i32) -> *const c_char,
    add_word: unsafe extern "C" fn(*mut Decoder, *const c_char, *const c_char, c_int) -> c_int,
    set_jsgf: unsafe extern "C" fn(*mut Decoder, *const c_char, *const c_char) -> c_int,
    set_search: unsafe extern "C" fn(*mut Decoder, *const c_char) -> c_int,
    lookup_word: unsafe extern "C" fn(*mut Decoder, *const c_char) -> *mut c_char,
    parse_config: unsafe extern "C" fn(
        *mut Config,
        *const c_void,
        i32,
        *const *const c_char,
        i32,
    ) -> *mut Config,
    free_config: unsafe extern "C" fn(*mut Config) -> c_int,
    free_memory: unsafe extern "C" fn(*mut c_void),
    // Unloaded last: the pointers above lead into them.
    _libraries: [Library; 2],
}

/// What a recogniser can hear.
#[derive(Clone, Debug)]
pub(super) enum Vocabulary {
    /// Any English, by the model's own language model and dictionary.
    Free,
    /// Only what a JSGF grammar allows. Each of its words comes with its phones.
    Grammar { jsgf: String, words: Vec<(String, String)> },
}

/// One recogniser. It hears one utterance at a time.
#[derive(Debug)]
pub(super) struct Recogniser {
    engine: Arc<PocketSphinx>,
    decoder: *mut Decoder,
    /// The decoder's configuration may point into these.
    _arguments: Vec<CString>,
}

// SAFETY: a decoder is used by one thread at a time, being neither `Sync` nor `Clone`, and is tied
// to no thread.
unsafe impl Send for Recogniser {}

/// The decoder refused audio or could not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecogniserFailed;

impl PocketSphinx {
    /// Loads the library and silences its log, which would hold what users say.
    pub(super) fn load() -> Result<Arc<Self>, BackendError> {
        // SAFETY: their initialisers have no effects.
        let (base, library) =
            unsafe { (PACKAGE.open("libsphinxbase.so.3")?, PACKAGE.open("libpocketsphinx.so.3")?) };
        // SAFETY: the types are those of the 5prealpha headers, and the soname pins its interface.
        unsafe {
            let set_log: unsafe extern "C" fn(*mut c_void) =
                PACKAGE.symbol(&base, "err_set_logfp")?;
            set_log(ptr::null_mut());
            Ok(Arc::new(Self {
                args: PACKAGE.symbol(&library, "ps_args")?,
                init: PACKAGE.symbol(&library, "ps_init")?,
                free: PACKAGE.symbol(&library, "ps_free")?,
                start_utt: PACKAGE.symbol(&library, "ps_start_utt")?,
                process_raw: PACKAGE.symbol(&library, "ps_process_raw")?,
                end_utt: PACKAGE.symbol(&library, "ps_end_utt")?,
                get_hyp: PACKAGE.symbol(&library, "ps_get_hyp")?,
                add_word: PACKAGE.symbol(&library, "ps_add_word")?,
                set_jsgf: PACKAGE.symbol(&library, "ps_set_jsgf_string")?,
                set_search: PACKAGE.symbol(&library, "ps_set_search")?,
                lookup_word: PACKAGE.symbol(&library, "ps_lookup_word")?,
                parse_config: PACKAGE.symbol(&base, "cmd_ln_parse_r")?,
                free_config: PACKAGE.symbol(&base, "cmd_ln_free_r")?,
                free_memory: PACKAGE.symbol(&base, "ckd_free")?,
                _libraries: [library, base],
            }))
        }
    }

    /// Sets up a recogniser with the model in `model_dir`. Takes about 0.4 s and 100 MB for free
    /// speech, 10 ms and 8 MB for a grammar.
    pub(super) fn recogniser(
        self: &Arc<Self>,
        model_dir: &Path,
        vocabulary: &Vocabulary,
    ) -> Result<Recogniser, BackendError> {
        let acoustic = model_dir.join("en-us");
        let mut files = vec![("-hmm", acoustic.clone())];
        if let Vocabulary::Free = vocabulary {
            files.push(("-dict", model_dir.join("cmudict-en-us.dict")));
            files.push(("-lm", model_dir.join("en-us.lm.bin")));
        }
        // The library ends the process over some files that it cannot read; look before it does.
        let looked_at = [acoustic.join("mdef"), acoustic.join("means")];
        for path in looked_at.iter().chain(files.iter().skip(1).map(|(_, path)| path)) {
            std::fs::File::open(path).map_err(|error| {
                PACKAGE.missing(&format!("model file {}", path.display()), error.to_string())
            })?;
        }
        let mut arguments = vec![c"antiphon".to_owned()];
        for (key, path) in &files {
            arguments.push(c_string(key.as_bytes())?);
            arguments.push(c_string(path.as_os_str().as_encoded_bytes())?);
        }
        let decoder = self.decoder(&arguments);
        if decoder.is_null() {
            let what = format!("model in {}", model_dir.display());
            return Err(PACKAGE.missing(&what, "it does not load".to_owned()));
        }
        let recogniser = Recogniser { engine: Arc::clone(self), decoder, _arguments: arguments };
        if let Vocabulary::Grammar { jsgf, words } = vocabulary {
            recogniser.restrict(jsgf, words)?;
        }
        Ok(recogniser)
    }

    /// A new decoder, or null.
    fn decoder(&self, arguments: &[CString]) -> *mut Decoder {
        let pointers: Vec<*const c_char> = arguments.iter().map(|text| text.as_ptr()).collect();
        let count = i32::try_from(pointers.len()).expect("there are a handful of arguments");
        let strict = 1;
        // SAFETY: the count is the array's; the caller keeps the strings as long as the decoder; null
        // is checked; the decoder holds its own reference to the configuration.
        unsafe {
            let (definitions, pointers) = ((self.args)(), pointers.as_ptr());
            let config = (self.parse_config)(ptr::null_mut(), definitions, count, pointers, strict);
            if config.is_null() {
                return ptr::null_mut();
            }
            let decoder = (self.init)(config);
            (self.free_config)(config);
            decoder
        }
    }
}

impl Recogniser {
    fn restrict(&self, jsgf: &str, words: &[(String, String)]) -> Result<(), BackendError> {
        let refused = |what: &str| PACKAGE.missing(what, "it is refused".to_owned());
        let library = &self.engine;
        let (name, jsgf) = (c"commands", c_string(jsgf.as_bytes())?);
        for (word, phones) in words {
            let (c_word, phones) = (c_string(word.as_bytes())?, c_string(phones.as_bytes())?);
            let update_search = 0;
            // SAFETY: the decoder is live, this is its only user, and it copies the strings.
            let added = unsafe {
                (library.add_word)(self.decoder, c_word.as_ptr(), phones.as_ptr(), update_search)
            };
            succeeded(added).map_err(|_| refused(&format!("word `{word}`")))?;
        }
        // SAFETY: as above.
        let (set, chosen) = unsafe {
            let set = (library.set_jsgf)(self.decoder, name.as_ptr(), jsgf.as_ptr());
            (set, (library.set_search)(self.decoder, name.as_ptr()))
        };
        succeeded(set).and(succeeded(chosen)).map_err(|_| refused("grammar"))
    }

    /// Begins an utterance.
    pub(super) fn start(&mut self) -> Result<(), RecogniserFailed> {
        // SAFETY: the decoder is live and this is its only user.
        succeeded(unsafe { (self.engine.start_utt)(self.decoder) })
    }

    /// Hears some of the utterance: 16 kHz mono.
    pub(super) fn hear(&mut self, pcm: &[i16]) -> Result<(), RecogniserFailed> {
        let (search_now, more_follows) = (0, 0);
        // SAFETY: as above; the slice is valid for its length and not kept.
        succeeded(unsafe {
            (self.engine.process_raw)(
                self.decoder,
                pcm.as_ptr(),
                pcm.len(),
                search_now,
                more_follows,
            )
        })
    }

    /// Ends the utterance; [`Recogniser::words`] is then final.
    pub(super) fn finish(&mut self) -> Result<(), RecogniserFailed> {
        // SAFETY: the decoder is live and this is its only user.
        succeeded(unsafe { (self.engine.end_utt)(self.decoder) })
    }

    /// The words understood so far, in lower case; empty if none.
    pub(super) fn words(&mut self) -> String {
        // SAFETY: as above; the text belongs to the decoder and is copied at once.
        let text = unsafe {
            let text = (self.engine.get_hyp)(self.decoder, ptr::null_mut());
            if text.is_null() {
                return String::new();
            }
            CStr::from_ptr(text).to_string_lossy().into_owned()
        };
        // `read(2)` is a second way to say `read`; `<sil>` and `[NOISE]` are no words.
        let word = |word: &str| word.split('(').next().unwrap_or_default().to_owned();
        let spoken: Vec<String> =
            text.split_whitespace().filter(|w| !w.starts_with(['<', '['])).map(word).collect();
        spoken.join(" ")
    }

    /// How a word is pronounced, as ARPABET phones with spaces between; `None` if it is not in the
    /// dictionary.
    pub(super) fn pronunciation(&self, word: &str) -> Option<String> {
        let word = CString::new(word).ok()?;
        // SAFETY: the decoder is live; the result is the caller's to free with the library's own
        // function, and is copied first.
        unsafe {
            let phones = (self.engine.lookup_word)(self.decoder, word.as_ptr());
            if phones.is_null() {
                return None;
            }
            let copy = CStr::from_ptr(phones).to_string_lossy().into_owned();
            (self.engine.free_memory)(phones.cast());
            Some(copy)
        }
    }
}

impl Drop for Recogniser {
    fn drop(&mut self) {
        // SAFETY: this was the decoder's only owner.
        unsafe { (self.engine.free)(self.decoder) };
    }
}

fn succeeded(result: c_int) -> Result<(), RecogniserFailed> {
    if result < 0 { Err(RecogniserFailed) } else { Ok(()) }
}

fn c_string(bytes: &[u8]) -> Result<CString, BackendError> {
    CString::new(bytes).map_err(|error| PACKAGE.missing("model path", error.to_string()))
}
