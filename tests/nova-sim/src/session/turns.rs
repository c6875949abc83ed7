//! Turns: hearing the user, answering, and the texts of both.

use std::time::Duration;

use super::delivery::{Delivery, Piece};
use super::event::{Stage, Stop};
use super::request::Endpointing;
use super::{InputLength, Later, Session, Task};
use crate::ear::{Ear, EarSettings, Heard, Utterance};
use crate::limits::{
    AUDIO_BEFORE_TEXT, BYTES_PER_TEXT_TOKEN, CUES_MAX, LATE_TEXTS_MAX, SPEECH_TOKENS_PER_SECOND,
    TOOLS_PENDING_MAX,
};
use crate::mind::{Message, Reply};
use crate::model::Generation;
use crate::settings::{Ears, Voice};
use crate::tones::{Word, encode};

/// Something that wants an answer, from time `at` on.
#[derive(Debug)]
pub(super) enum Cue {
    Heard { at: Duration, audio_at: Duration, text: String },
    Told { at: Duration, audio_at: Duration, text: String },
    ToolAnswered { at: Duration, use_id: String, result: String },
}

/// The text of what was spoken.
#[derive(Debug)]
pub(super) struct LateText {
    /// `None`: after the user has begun to speak again.
    at: Option<Duration>,
    text: String,
    stop: Stop,
}

impl Cue {
    fn at(&self) -> Duration {
        match self {
            Self::Heard { at, .. } | Self::Told { at, .. } | Self::ToolAnswered { at, .. } => *at,
        }
    }
}

impl Session {
    pub(super) fn open_ear(&mut self, now: Duration, rate_hz: u32, is_from_user: bool) {
        // A second block, once the assistant has spoken, works like an interruption.
        if self.ear.is_some() {
            self.interrupt_by_client(now);
        }
        let detection = match self.endpointing {
            // In the proportion of the documented pauses: 1.5, 1.75 and 2 seconds.
            Endpointing::High => self.settings.detection * 6 / 7,
            Endpointing::Medium => self.settings.detection,
            Endpointing::Low => self.settings.detection * 8 / 7,
        };
        let keeps_pcm = matches!(self.settings.ears, Ears::PocketSphinx(_));
        let settings = EarSettings { detection, speech_dbfs: self.settings.speech_dbfs, keeps_pcm };
        // Without its role the block is accepted, and nobody listens.
        self.ear = is_from_user.then(|| Ear::new(rate_hz, settings));
        self.input = InputLength { rate_hz, ..InputLength::default() };
    }

    pub(super) fn hear(&mut self, now: Duration, pcm: &[i16]) {
        if pcm.is_empty() {
            return;
        }
        self.input_at = now;
        self.input.samples += pcm.len() as u64;
        let mut heard = Vec::new();
        if let Some(ear) = &mut self.ear {
            ear.push(pcm, &mut heard);
        }
        for heard in heard {
            match heard {
                Heard::Started { at_ms } => self.speech_started(now, at_ms),
                Heard::Ended(utterance) => self.speech_ended(now, utterance),
            }
        }
    }

    fn speech_started(&mut self, now: Duration, at_ms: u64) {
        self.interrupt_by_speech(now, at_ms);
        self.begin_completion();
        for late in &mut self.late {
            // The time it takes to have started, for those that waited for it.
            late.at.get_or_insert(now + Duration::from_millis(150));
        }
        // What is not answered yet is answered together with what comes now.
        let waiting = self.cues.iter().position(|cue| matches!(cue, Cue::Heard { .. }));
        if let Some(Cue::Heard { text, .. }) = waiting.and_then(|index| self.cues.remove(index)) {
            self.unanswered = Some(text);
        }
    }

    fn speech_ended(&mut self, now: Duration, utterance: Utterance) {
        let Utterance { start_ms, end_ms, detected_ms, words, pcm } = utterance;
        let length_s = (end_ms - start_ms) as f64 / 1_000.0;
        self.tokens.speech_in += length_s * SPEECH_TOKENS_PER_SECOND;
        if self.generation == Generation::Second {
            let end = self.events.user_speech_end(end_ms, detected_ms);
            self.say(end);
        }
        let number = self.utterances;
        self.utterances += 1;
        let text = match &self.settings.ears {
            _ if !words.is_empty() => Word::text_of(&words),
            Ears::Script(lines) => {
                lines.get(number % lines.len().max(1)).cloned().unwrap_or_default()
            }
            Ears::Energy => format!("(speech of {length_s:.1} s)"),
            Ears::PocketSphinx(_) => {
                let id = self.new_task();
                let rate_hz = self.input.rate_hz;
                self.recognising.insert(id, now);
                self.tasks.push_back(Task::Transcribe { id, pcm, rate_hz });
                return;
            }
        };
        self.understand(now, now, text);
    }

    /// The words of an utterance that ended at `ended_at` are known.
    pub(super) fn understand(&mut self, now: Duration, ended_at: Duration, text: String) {
        let answer = self.settings.answer;
        self.say_later(now.max(ended_at + answer / 5), Later::Transcript(text.clone()));
        let text = match self.unanswered.take() {
            Some(before) => format!("{before} {text}"),
            None => text,
        };
        if self.ear.as_ref().is_some_and(Ear::hears_speech) {
            self.unanswered = Some(text);
            return;
        }
        let at = now.max(ended_at + answer * 3 / 5);
        self.push_cue(Cue::Heard { at, audio_at: at.max(ended_at + answer), text });
    }

    pub(super) fn say_transcript(&mut self, text: &str) {
        let content_id = self.random.id();
        let block = self.events.text(&content_id, Stage::User, text, Stop::PartialTurn);
        block.into_iter().for_each(|event| self.say(event));
        self.say_usage();
        if self.settings.quirks.unknown_events {
            let unknown = self.events.unknown();
            self.say(unknown);
        }
    }

    /// Interactive text came.
    pub(super) fn be_told(&mut self, now: Duration, text: String) {
        if self.generation == Generation::First {
            return;
        }
        self.input_at = now;
        self.read_text(&text);
        let fresh = self.input.samples - self.input.samples_at_text;
        self.input.samples_at_text = self.input.samples;
        let fresh_us = fresh * 1_000_000 / u64::from(self.input.rate_hz.max(1));
        if Duration::from_micros(fresh_us) < AUDIO_BEFORE_TEXT {
            self.say_usage();
            return;
        }
        self.interrupt_by_client(now);
        self.begin_completion();
        if self.settings.quirks.empty_transcripts {
            self.say_transcript("");
        }
        let answer = self.settings.answer;
        self.push_cue(Cue::Told { at: now + answer, audio_at: now + answer * 2, text });
    }

    pub(super) fn push_cue(&mut self, cue: Cue) {
        if self.cues.len() == CUES_MAX {
            self.cues.pop_front();
        }
        self.cues.push_back(cue);
    }

    /// When the next cue is taken up: not while the user speaks, nor while an answer is being sent.
    pub(super) fn cue_at(&self) -> Option<Duration> {
        let is_sending = self.delivery.as_ref().is_some_and(|d| d.sent_at().is_none());
        let is_hearing = self.ear.as_ref().is_some_and(Ear::hears_speech);
        if is_sending || is_hearing {
            return None;
        }
        self.cues.front().map(Cue::at)
    }

    pub(super) fn take_cue(&mut self, at: Duration) {
        let Some(cue) = self.cues.pop_front() else { return };
        let (audio_at, reply) = match cue {
            Cue::Heard { audio_at, text, .. } => (audio_at, self.mind.hear(&text)),
            Cue::Told { audio_at, text, .. } => (audio_at, self.mind.read(&text)),
            Cue::ToolAnswered { use_id, result, .. } => {
                (at + self.settings.answer, self.mind.tool_answered(&use_id, &result))
            }
        };
        self.perform(at, audio_at, reply);
    }

    fn perform(&mut self, now: Duration, audio_at: Duration, reply: Reply) {
        self.begin_completion();
        for call in reply.calls {
            if self.order.results_pending() >= TOOLS_PENDING_MAX {
                break;
            }
            let (content_id, use_id) = (self.random.id(), self.random.id());
            let mut arguments = call.arguments.to_string();
            if self.settings.quirks.tool_doubly_encoded {
                arguments = serde_json::Value::from(arguments).to_string();
            }
            let block = self.events.tool_use(&content_id, &use_id, &call.name, &arguments);
            block.into_iter().for_each(|event| self.say(event));
            self.order.expect_result(&use_id);
            self.mind.call_made(use_id, call);
        }
        if reply.sentences.is_empty() {
            return;
        }
        if let Some(delivery) = self.delivery.take() {
            self.conclude(now, &delivery);
        }
        let mut sentences = Vec::new();
        let mut spoken = Vec::new();
        for text in reply.sentences {
            let id = self.new_task();
            let rate_hz = self.output_rate_hz;
            match self.settings.voice {
                Voice::Tones => spoken.push((id, encode(&Word::all_in(&text), rate_hz))),
                Voice::Flite => {
                    let (text, voice_id) = (text.clone(), self.voice_id.clone());
                    self.tasks.push_back(Task::Speak { id, text, voice_id, rate_hz });
                }
            }
            sentences.push((text, id));
        }
        let mut delivery = Delivery::new(self.output_rate_hz, now, audio_at, sentences);
        for (id, pcm) in spoken {
            delivery.handle_spoken(now, id, pcm);
        }
        self.delivery = Some(delivery);
    }

    /// Sends the piece of the answer that is due.
    pub(super) fn deliver(&mut self) {
        let piece = self.delivery.as_mut().and_then(|delivery| delivery.step(&mut self.random));
        match piece {
            None => {}
            Some(Piece::Plan { text }) => {
                self.tokens.text_out += text.len().div_ceil(BYTES_PER_TEXT_TOKEN) as u64;
                let content_id = self.random.id();
                let stop = Stop::PartialTurn;
                let block = self.events.text(&content_id, Stage::Speculative, &text, stop);
                block.into_iter().for_each(|event| self.say(event));
            }
            Some(Piece::Begin { content_id }) => {
                let start = self.events.audio_start(&content_id, self.output_rate_hz);
                self.say(start);
            }
            Some(Piece::Audio { content_id, pcm }) => {
                let seconds = pcm.len() as f64 / f64::from(self.output_rate_hz);
                self.tokens.speech_out += seconds * SPEECH_TOKENS_PER_SECOND;
                let audio = self.events.audio(&content_id, &pcm);
                self.say(audio);
            }
            Some(Piece::End { content_id, is_last }) => {
                let stop = if is_last { Stop::EndTurn } else { Stop::PartialTurn };
                let end = self.events.audio_end(&content_id, stop);
                self.say(end);
                self.say_usage();
            }
        }
    }

    /// An answer is over, heard to its end or interrupted: what was heard of it is remembered, and
    /// told in a while.
    pub(super) fn conclude(&mut self, now: Duration, delivery: &Delivery) {
        let heard = match delivery.played_at() {
            Some(played_at) => delivery.heard_at(played_at.min(now)),
            None => delivery.heard_at(now),
        };
        let since = delivery.sent_at().unwrap_or(now);
        let at = now.max(since + self.settings.final_delay);
        // Some wait until the user speaks again, and short ones may never come.
        let waits = self.random.once_in(4);
        let is_lost = heard.len() == 1 && self.random.once_in(8);
        let last = heard.len().saturating_sub(1);
        if !heard.is_empty() {
            let text = heard.join(" ");
            self.mind.remember(Message { is_users: false, text });
        }
        if is_lost {
            return;
        }
        for (index, text) in heard.into_iter().enumerate() {
            if self.late.len() == LATE_TEXTS_MAX {
                self.late.pop_front();
            }
            let stop = if index == last { Stop::EndTurn } else { Stop::PartialTurn };
            self.late.push_back(LateText { at: (!waits).then_some(at), text, stop });
        }
    }

    pub(super) fn late_at(&self) -> Option<Duration> {
        self.late.iter().filter_map(|late| late.at).min()
    }

    pub(super) fn say_late_text(&mut self, now: Duration) {
        let due = self.late.iter().position(|late| late.at.is_some_and(|at| at <= now));
        let Some(late) = due.and_then(|index| self.late.remove(index)) else { return };
        let content_id = self.random.id();
        let block = self.events.text(&content_id, Stage::Final, &late.text, late.stop);
        block.into_iter().for_each(|event| self.say(event));
    }

    /// Says that answers begin: once for each connection.
    fn begin_completion(&mut self) {
        if !self.has_completion {
            self.has_completion = true;
            let start = self.events.completion_start();
            self.say(start);
        }
    }

    fn new_task(&mut self) -> u64 {
        self.tasks_made += 1;
        self.tasks_made
    }
}
