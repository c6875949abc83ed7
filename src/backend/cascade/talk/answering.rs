//! From what the recogniser understood to who answers it.

use super::brain::{Brain, ModelBrain};
use super::reply::{Ending, Reply, Source};
use super::{COMPLETENESS_UNKNOWN, Phase, Talk, wall};
use crate::backend::cascade::asr::AsrReport;
use crate::backend::cascade::dialogue::{Answer, dangles};
use crate::backend::cascade::error::StageError;
use crate::backend::session::Machine as _;
use crate::call::event::{BackendEvent, Generation, TurnId};
use crate::cascade::intent::{CommonAnswer, common_answer};
use crate::time::SessionTime;

/// What a model that is to speak first is told in the user's place.
fn call_begins(language: &str) -> String {
    format!(
        "(The call begins, and the user has said nothing yet. Greet the user in one short sentence, in the \
         language that your instructions ask for, or else in the language {language}.)"
    )
}

impl Talk {
    pub(super) fn handle_asr(&mut self, now: SessionTime, report: AsrReport) {
        match report {
            AsrReport::Ready => {
                self.phase = Phase::Awake;
                self.events.push_front(BackendEvent::Ready);
            }
            AsrReport::Partial { turn, text } => self.understood_so_far(turn, text),
            AsrReport::LooksComplete { turn, probability } => {
                self.looks_complete(turn, probability);
            }
            AsrReport::Likely { generation, text, .. } => self.answer_ahead(now, generation, text),
            AsrReport::Final { turn, generation, text } => {
                self.transcript(turn, text.clone(), true);
                self.words.understood(generation, text);
                self.answer_words(now);
            }
            AsrReport::Missed { turn: _, generation, error } => {
                self.miss(generation, &error);
                self.words.missed(generation);
                self.answer_words(now);
            }
            AsrReport::Failed(error) => self.fail(error.message),
        }
    }

    /// The agent speaks first: what is configured, or what the model writes.
    pub(super) fn greet(&mut self, generation: Generation) {
        self.begin(generation);
        let greeting = match &mut self.brain {
            Brain::Dialogue { dialogue, .. } => Some(dialogue.greet()),
            Brain::Model(brain) => {
                let text = brain.greeting.clone();
                text.map(|text| Answer { text, hang_up: false })
            }
        };
        if let Some(greeting) = greeting {
            return self.say(greeting);
        }
        if let Brain::Model(brain) = &self.brain
            && let Some(reply) = &mut self.reply
        {
            // Not the user's words: they are not kept.
            let mut trial = brain.context.clone();
            trial.user_said(&call_begins(&brain.language));
            self.events.push_back(ModelBrain::prompted(reply.generation, &trial));
            reply.source = brain.ask(reply.work, &trial);
        }
    }

    /// Part of an open turn was understood. Of one that is over, or was none, nothing is said any more.
    fn understood_so_far(&mut self, turn: TurnId, text: String) {
        if self.listening.is_none_or(|(listening, _)| listening != turn) {
            return;
        }
        let probability = match &self.brain {
            Brain::Dialogue { dialogue, .. } => dialogue.completeness(&text),
            Brain::Model(_) if dangles(&text) => 0.1,
            Brain::Model(_) => COMPLETENESS_UNKNOWN,
        };
        self.transcript(turn, text, false);
        self.looks_complete(turn, probability);
    }

    /// How complete the open turn looks.
    fn looks_complete(&mut self, turn: TurnId, probability: f32) {
        let is_news = self
            .listening
            .is_some_and(|(listening, looked)| listening == turn && looked != probability);
        if is_news && self.wants_input() {
            self.listening = Some((turn, probability));
            self.events.push_back(BackendEvent::TurnLooksComplete { turn, probability });
        }
    }

    /// What the user said is not known: there is nothing to answer.
    fn miss(&mut self, generation: Generation, error: &StageError) {
        let hearing = self.reply.as_mut().filter(|reply| reply.generation == generation);
        if let Some(reply) = hearing.filter(|reply| matches!(reply.source, Source::Hearing)) {
            reply.source = Source::Complete;
            reply.ending = Ending::Failed(error.to_string());
        }
    }

    /// Answers what is known of what the user said. What was said in a turn whose reply is not wanted any
    /// more is part of what the next one answers.
    pub(super) fn answer_words(&mut self, now: SessionTime) {
        while let Some((generation, text)) = self.words.pop() {
            let is_awaited = |reply: &Reply| {
                reply.generation == generation && matches!(reply.source, Source::Hearing)
            };
            if self.reply.as_ref().is_some_and(is_awaited) {
                self.answer(now, &text);
            } else if let Brain::Model(brain) = &mut self.brain
                && !text.trim().is_empty()
            {
                brain.context.user_said(&text);
                brain.hands.user_said(now, &text);
                self.outdate_ahead();
            }
        }
    }

    /// Answers what was understood, as the reply that waits for it.
    fn answer(&mut self, now: SessionTime, understood: &str) {
        let Some(generation) = self.reply.as_ref().map(|reply| reply.generation) else { return };
        self.events.push_back(BackendEvent::ReplyStarted { generation });
        match &mut self.brain {
            Brain::Dialogue { dialogue, time_zone } => {
                let answer = dialogue.answer(now, wall(time_zone), understood);
                let pace = self.voicing.pace * dialogue.pace();
                match self.take_ahead(generation, understood, Some(&answer), pace) {
                    Some(made) => self.reply = Some(made),
                    None => self.say(answer),
                }
            }
            Brain::Model(_) if understood.is_empty() => {
                let text = self.voicing.own_words.not_heard.clone();
                self.say(Answer { text, hang_up: false });
            }
            Brain::Model(brain) => {
                brain.context.user_said(understood);
                brain.hands.user_said(now, understood);
                self.follow_tools(now);
                self.answer_by_model(now, generation, understood);
            }
        }
        self.speak_on();
    }

    /// What was made ahead is the answer, or the model is asked.
    fn answer_by_model(&mut self, now: SessionTime, generation: Generation, understood: &str) {
        match self.take_ahead(generation, understood, None, self.voicing.pace) {
            Some(mut made) => {
                self.record(generation, &std::mem::take(&mut made.unrecorded));
                self.reply = Some(made);
                self.call_tools(now);
            }
            None => match common_answer(&self.voicing.answers, understood) {
                Some(CommonAnswer { say, .. }) => {
                    let text = say.clone();
                    self.say(Answer { text, hang_up: false });
                }
                None => self.ask_model(),
            },
        }
    }

    /// Has the model write the next part of the reply, if a model answers.
    pub(super) fn ask_model(&mut self) {
        if let Brain::Model(brain) = &self.brain
            && let Some(reply) = &mut self.reply
        {
            self.events.push_back(ModelBrain::prompted(reply.generation, &brain.context));
            reply.source = brain.ask(reply.work, &brain.context);
        }
    }

    /// The agent is about to say these.
    pub(super) fn record(&mut self, generation: Generation, sentences: &[String]) {
        if let Brain::Model(brain) = &mut self.brain {
            for sentence in sentences {
                brain.context.agent_says(generation, sentence);
            }
        }
    }
}
