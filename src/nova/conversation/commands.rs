//! What the call asks for.

use super::answers::{Asked, Cause};
use super::watches::Watch;
use super::{Conversation, OpenTurn};
use crate::call::event::{BackendCommand, BackendEvent, Generation, Heard, TurnId};
use crate::nova::settings::ModelVersion;
use crate::time::SessionTime;

impl Conversation {
    /// The call asks for something.
    pub fn handle_command(&mut self, now: SessionTime, command: BackendCommand) {
        if self.is_over {
            return;
        }
        let instructions = &self.setup.settings.instructions;
        match command {
            BackendCommand::Greet { generation } => {
                let text = match &self.setup.greeting {
                    Some(words) => filled(&instructions.say, words),
                    None => instructions.greet.clone(),
                };
                self.history.note(&text);
                self.ask_by_text(now, generation, text);
            }
            BackendCommand::Say { generation, text } => {
                let text = filled(&instructions.say, &text);
                self.history.note(&text);
                self.ask_by_text(now, generation, text);
            }
            BackendCommand::UserText { turn, generation, text } => {
                self.last_turn = turn;
                if self.version == ModelVersion::V2 {
                    self.history.user_said(&text);
                    self.desk.user_said(now, &text);
                }
                self.ask_by_text(now, generation, text);
            }
            BackendCommand::Speak { generation } => {
                self.wants_to_speak = false;
                self.ask(now, generation, Cause::Announced);
            }
            BackendCommand::UserSpeechStarted { turn } => self.begin_turn(now, turn),
            BackendCommand::UserTurnEnded { turn, generation } => {
                self.turn.take_if(|open| open.turn == turn);
                self.ask(now, generation, Cause::Spoken);
            }
            BackendCommand::UserTurnDismissed { turn } => {
                self.turn.take_if(|open| open.turn == turn);
                if !self.nova_hears {
                    self.recent.end_turn();
                }
                self.announce_if_waiting();
            }
            BackendCommand::Cancel { generation, heard } => {
                self.handle_cancelled(now, generation, &heard);
            }
            BackendCommand::Played { generation, heard } => self.handle_played(generation, &heard),
            BackendCommand::ToolResult { call_id, result } => {
                self.desk.client_answered(now, &call_id, &result);
            }
            // Nova cannot be told to answer ahead, and measures for itself.
            BackendCommand::Speculate { .. }
            | BackendCommand::Withdraw { .. }
            | BackendCommand::Measured(_) => {}
        }
        self.settle(now);
    }

    fn begin_turn(&mut self, now: SessionTime, turn: TurnId) {
        self.last_turn = turn;
        self.turn = Some(OpenTurn { turn, told: false });
        // Nova may have noticed before the call was sure.
        (self.nova_knows, self.tried_again) = (self.nova_hears, false);
        self.recent.begin_turn();
        if !self.nova_knows {
            // A connection that hears nothing of this is deaf.
            self.timers.arm(Watch::Deaf, now + self.notices_within());
        }
    }

    /// The call waits for a reply that Nova is asked for by a text.
    fn ask_by_text(&mut self, now: SessionTime, generation: Generation, text: String) {
        self.tried_again = false;
        if self.version == ModelVersion::V1 {
            let model = &self.setup.settings.model;
            let message = format!("{model} takes no text; a later model does");
            self.tell(BackendEvent::ReplyFailed { generation, message });
            return;
        }
        self.ask(now, generation, Cause::Text);
        self.say(now, Some(generation), text);
    }

    /// The call waits for a reply.
    fn ask(&mut self, now: SessionTime, generation: Generation, cause: Cause) {
        self.asked = Some(Asked { generation, has_content: false });
        self.last_reply = generation;
        self.attach(now, cause);
        if self.asked.as_ref().is_none_or(|asked| asked.has_content) {
            return;
        }
        match cause {
            // There is nothing left to say.
            Cause::Announced => self.finish_asked(),
            Cause::Spoken => self.await_answer(now),
            Cause::Text => {}
        }
    }

    fn handle_cancelled(&mut self, now: SessionTime, generation: Generation, heard: &Heard) {
        self.history.agent_heard(generation.0, &heard.text);
        self.finals.cut(generation);
        if let Some(at) = self.texts.iter().position(|(reply, _)| *reply == Some(generation))
            && let Some((_, text)) = self.texts.remove(at)
        {
            self.history.forget_note(&text);
        }
        self.drop_answer_of(now, generation);
        self.close_reply(generation);
    }

    fn handle_played(&mut self, generation: Generation, heard: &Heard) {
        self.history.agent_heard(generation.0, &heard.text);
        self.close_reply(generation);
    }

    fn close_reply(&mut self, generation: Generation) {
        self.asked.take_if(|asked| asked.generation == generation);
        self.sounding.take_if(|sounding| *sounding == generation);
    }
}

/// An instruction with the text in its place.
pub(super) fn filled(instruction: &str, text: &str) -> String {
    instruction.replacen("{}", text, 1)
}
