//! A recogniser by itself, for what is heard outside a call.

use std::path::Path;

use super::pocketsphinx::{PocketSphinx, Recogniser, RecogniserFailed, Vocabulary};
use crate::backend::BackendError;

/// Recognises English utterances, one after the other. It holds about 110 MB.
#[derive(Debug)]
pub struct Transcriber(Recogniser);

/// Sets up a recogniser with PocketSphinx's English model in `model_dir` (see
/// [`PocketSphinxSettings::model`](crate::backend::cascade::PocketSphinxSettings::model)). Takes about half
/// a second.
pub fn transcriber(model_dir: &Path) -> Result<Transcriber, BackendError> {
    let engine = PocketSphinx::load()?;
    engine.recogniser(model_dir, &Vocabulary::Free).map(Transcriber)
}

impl Transcriber {
    /// The words of a whole utterance, in lower case: mono at
    /// [`WIDEBAND_HZ`](crate::limits::WIDEBAND_HZ). Empty if none are understood. Blocks for up to as
    /// long as the utterance is.
    pub fn transcribe(&mut self, pcm: &[i16]) -> String {
        self.recognise(pcm).unwrap_or_default()
    }

    fn recognise(&mut self, pcm: &[i16]) -> Result<String, RecogniserFailed> {
        self.0.start()?;
        let heard = self.0.hear(pcm);
        // Ended in any case, so that the next utterance can begin.
        self.0.finish()?;
        heard.map(|()| self.0.words())
    }
}
