//! An answer that is made before it is certain that the turn is over.
//!
//! Nothing of it leaves: its text and its first two seconds of audio wait here. When the turn is over,
//! what was understood finally is answered as always, and if that comes to the same, what waits here is
//! the answer. So a timer is set, a word is remembered, and the history grows only then; and what the
//! recogniser changes its mind about is answered anew.

use super::Talk;
use super::brain::{Brain, ModelBrain};
use super::reply::Reply;
use crate::backend::cascade::dialogue::Answer;
use crate::call::event::{Generation, TurnId};
use crate::cascade::intent::{CommonAnswer, common_answer};
use crate::time::SessionTime;

/// An answer made ahead.
pub(super) struct Ahead {
    turn: TurnId,
    pub(super) generation: Generation,
    /// What was understood and answered; `None` while the recogniser is asked.
    understood: Option<Understood>,
    pub(super) reply: Reply,
}

struct Understood {
    text: String,
    /// What the dialogue answers; `None` where a model does.
    answer: Option<Answer>,
}

impl Talk {
    /// The turn may be over: the recogniser is asked what was said.
    pub(super) fn speculate(&mut self, turn: TurnId, generation: Generation) {
        let reply = self.new_reply(generation);
        self.ahead = Some(Ahead { turn, generation, understood: None, reply });
    }

    /// The turn goes on. Dropping it drops the request to the model and stops the synthesiser.
    pub(super) fn withdraw(&mut self, generation: Generation) {
        self.ahead.take_if(|ahead| ahead.generation == generation);
    }

    /// What would be understood if the turn were over: it is answered, without any effect.
    pub(super) fn answer_ahead(&mut self, now: SessionTime, generation: Generation, text: String) {
        let Some(ahead) = &mut self.ahead else { return };
        let is_asked = ahead.generation == generation && ahead.understood.is_none();
        if !is_asked || text.is_empty() {
            return;
        }
        let answer = match &self.brain {
            Brain::Dialogue { dialogue, time_zone } => {
                let mut trial = dialogue.clone();
                let answer = trial.answer(now, super::wall(time_zone), &text);
                ahead.reply.pace = self.voicing.pace * trial.pace();
                ahead.reply.complete(&answer);
                Some(answer)
            }
            Brain::Model(brain) => {
                match common_answer(&self.voicing.answers, &text) {
                    Some(CommonAnswer { say, .. }) => {
                        ahead.reply.complete(&Answer { text: say.clone(), hang_up: false });
                    }
                    None => {
                        let mut trial = brain.context.clone();
                        trial.user_said(&text);
                        self.events.push_back(ModelBrain::prompted(generation, &trial));
                        ahead.reply.source = brain.ask(ahead.reply.work, &trial);
                    }
                }
                None
            }
        };
        ahead.understood = Some(Understood { text, answer });
        self.speak_on();
    }

    /// The reply made ahead, if it is what answers `understood` finally: to the dialogue, `answer`.
    pub(super) fn take_ahead(
        &mut self,
        generation: Generation,
        understood: &str,
        answer: Option<&Answer>,
        pace: f32,
    ) -> Option<Reply> {
        let ahead = self.ahead.take().filter(|ahead| ahead.generation == generation)?;
        let made = ahead.understood?;
        let is_it = made.text == understood
            && made.answer.as_ref() == answer
            && (answer.is_none() || ahead.reply.pace == pace);
        is_it.then_some(ahead.reply)
    }

    /// Something was said before it of which it knows nothing.
    pub(super) fn outdate_ahead(&mut self) {
        self.ahead.take_if(|ahead| ahead.understood.is_some());
    }

    /// Forgets an answer to another turn or generation.
    pub(super) fn forget_ahead_unless(&mut self, turn: TurnId, generation: Generation) {
        self.ahead.take_if(|ahead| ahead.turn != turn || ahead.generation != generation);
    }
}
