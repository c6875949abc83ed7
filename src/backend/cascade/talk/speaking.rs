//! A call's sentences on their way to its voice, or to what it said before.

use std::sync::Arc;

use super::Talk;
use super::reply::{Ending, Kept, Made, Source};
use crate::backend::cascade::OwnWords;
use crate::backend::cascade::PACE_RANGE;
use crate::backend::cascade::larder::Larder;
use crate::backend::cascade::tts::TtsReport;
use crate::cascade::intent::CommonAnswer;
use crate::limits::SPEECH_AHEAD_BLOCKS_MAX;

/// How a call's words become speech.
pub(in crate::backend::cascade) struct Voicing {
    pub(in crate::backend::cascade) pace: f32,
    /// What was spoken before.
    pub(in crate::backend::cascade) larder: Arc<Larder>,
    /// What needs no model.
    pub(in crate::backend::cascade) answers: Arc<[CommonAnswer]>,
    pub(in crate::backend::cascade) own_words: Arc<OwnWords>,
}

impl Talk {
    /// Has the next sentence spoken, of the reply or else of the one made ahead, if none is being
    /// spoken and not too much lies ready.
    pub(super) fn speak_on(&mut self) {
        let ahead = self.ahead.as_mut().map(|ahead| &mut ahead.reply);
        let is_ahead = self.reply.is_none();
        let Some(reply) = self.reply.as_mut().or(ahead) else { return };
        if reply.speaking.is_some() || reply.made.len() > SPEECH_AHEAD_BLOCKS_MAX {
            return;
        }
        let Some(sentence) = reply.sentences.pop_front() else { return };
        let pace = reply.pace.clamp(*PACE_RANGE.start(), *PACE_RANGE.end());
        let generation = reply.generation;
        reply.made.push_back(Made::Text(sentence.clone()));
        reply.spoken_from = reply.samples;
        match self.voicing.larder.get(self.tts.provider(), &sentence, pace) {
            Some(pcm) => {
                reply.add_spoken(&pcm, self.tts.sample_rate_hz());
                self.tts.stay();
            }
            None => {
                reply.keeping = self.voicing.larder.wants(&sentence).then(|| Kept::new(&sentence));
                reply.speaking = Some(self.tts.speak(reply.work, sentence.clone(), pace));
            }
        }
        if reply.recorded > 0 {
            reply.recorded -= 1;
        } else if is_ahead {
            reply.unrecorded.push(sentence);
        } else {
            self.record(generation, &[sentence]);
        }
    }

    /// The voice has got on.
    pub(super) fn handle_tts(&mut self, report: TtsReport) {
        match report {
            TtsReport::Block { work, pcm } => {
                if let Some(reply) = self.reply_of(work) {
                    reply.samples += pcm.len();
                    if let Some(kept) = &mut reply.keeping {
                        kept.pcm.extend_from_slice(&pcm);
                    }
                    reply.made.push_back(Made::Block(pcm));
                }
            }
            TtsReport::Words { work, words } => {
                let rate_hz = self.tts.sample_rate_hz();
                if let Some(reply) = self.reply_of(work) {
                    reply.time_words(words, rate_hz);
                }
            }
            TtsReport::Queued { .. } | TtsReport::Admitted { .. } => {}
            TtsReport::Done { work, result } => {
                let mut kept = None;
                if let Some(reply) = self.reply_of(work) {
                    reply.speaking = None;
                    kept =
                        reply.keeping.take().filter(|_| result.is_ok()).map(|it| (it, reply.pace));
                    if let Err(error) = result {
                        reply.sentences.clear();
                        reply.source = Source::Complete;
                        reply.ending = Ending::Failed(error.message);
                    }
                }
                if let Some((Kept { sentence, pcm }, pace)) = kept
                    && let Some(voice) = self.tts.spoke_whole(work)
                {
                    self.voicing.larder.keep(voice, &sentence, pace, pcm);
                }
                self.speak_on();
            }
        }
    }
}
