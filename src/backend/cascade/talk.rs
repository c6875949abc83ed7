//! One call's conversation with a cascade: hears a turn, has it answered, speaks the answer
//! sentence by sentence, and stops at once when told to.

mod ahead;
mod answering;
mod brain;
mod calls;
mod reply;
mod speaking;
mod summing;
mod usage;
mod words;

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use tokio::sync::mpsc;

use self::ahead::Ahead;
pub(super) use self::brain::{Brain, BrainParts};
use self::calls::Late;
use self::reply::{Ending, Made, Reply};
pub(super) use self::speaking::Voicing;
use self::usage::Accounts;
use self::words::Words;
use super::asr::{Ask, AsrReport, Listener};
use super::dialogue::Answer;
use super::llm::ModelReport;
use super::meter::Meter;
use super::tts::{Tts, TtsReport};
use crate::agent::BackendInput;
use crate::backend::session::Machine;
use crate::backend::{BackendOutput, ReplyAudio};
use crate::call::event::{BackendCommand, BackendEvent, Generation, Heard, TurnId};
use crate::limits::BACKEND_EVENTS_WAITING_MAX;
use crate::time::SessionTime;
use crate::tools::ToolDone;

/// One call's conversation.
pub(super) struct Talk {
    asr: Listener,
    tts: Box<dyn Tts>,
    brain: Brain,
    from_asr: mpsc::Receiver<AsrReport>,
    from_tts: mpsc::Receiver<TtsReport>,
    from_model: mpsc::Receiver<ModelReport>,
    from_tools: mpsc::Receiver<ToolDone>,
    voicing: Voicing,
    phase: Phase,
    reply: Option<Reply>,
    /// The answer to a turn that may be over.
    ahead: Option<Ahead>,
    /// Replies begun so far, those made ahead among them.
    replies: u32,
    /// The turn that is open, and how complete it was last said to look.
    listening: Option<(TurnId, f32)>,
    events: VecDeque<BackendEvent>,
    /// The newest reply that the call asked for.
    newest: Generation,
    late: Late,
    words: Words,
    accounts: Accounts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The recogniser is being set up: nothing is said.
    Waking,
    Awake,
    /// Something broke for good; what waits is said, then the session ends.
    Gone,
}

/// What any of the workers reports.
pub(super) enum Report {
    Asr(AsrReport),
    Tts(TtsReport),
    Model(ModelReport),
    Tool(ToolDone),
}

/// Said of a turn of which nothing better is known.
const COMPLETENESS_UNKNOWN: f32 = 0.5;
const GOODBYE: &str = "the user said goodbye";

impl Talk {
    pub(super) fn new(
        (asr, from_asr): (Listener, mpsc::Receiver<AsrReport>),
        (tts, from_tts): (Box<dyn Tts>, mpsc::Receiver<TtsReport>),
        brain: BrainParts,
        voicing: Voicing,
        meter: Arc<Meter>,
    ) -> Self {
        let BrainParts { brain, reported: from_model, done: from_tools } = brain;
        Self {
            asr,
            tts,
            brain,
            from_asr,
            from_tts,
            from_model,
            from_tools,
            voicing,
            phase: Phase::Waking,
            reply: None,
            ahead: None,
            replies: 0,
            listening: None,
            events: VecDeque::new(),
            newest: Generation(0),
            late: Late::None,
            words: Words::default(),
            accounts: Accounts::new(meter),
        }
    }

    fn handle_command(&mut self, now: SessionTime, command: BackendCommand) {
        let asked = match command {
            BackendCommand::Greet { generation } => {
                self.greet(generation);
                Ok(())
            }
            BackendCommand::Speak { generation } => {
                match &mut self.brain {
                    Brain::Dialogue { dialogue, .. } => {
                        let answer = dialogue.speak();
                        self.begin(generation);
                        self.say(answer);
                    }
                    Brain::Model(_) => self.speak_of_results(generation),
                }
                Ok(())
            }
            BackendCommand::UserSpeechStarted { turn } => {
                self.listening = Some((turn, COMPLETENESS_UNKNOWN));
                self.asr.ask(Ask::Start(turn))
            }
            BackendCommand::Speculate { turn, generation } => {
                self.speculate(turn, generation);
                self.asr.ask(Ask::Peek { turn, generation })
            }
            BackendCommand::Withdraw { generation, .. } => {
                self.withdraw(generation);
                Ok(())
            }
            BackendCommand::UserTurnEnded { turn, generation } => {
                self.forget_ahead_unless(turn, generation);
                self.listening = None;
                self.reply = Some(self.new_reply(generation));
                self.words.expect(generation);
                self.asr.ask(Ask::End { turn, generation })
            }
            BackendCommand::UserText { generation, text, .. } => {
                self.ahead = None;
                self.reply = Some(self.new_reply(generation));
                self.words.push(generation, text);
                self.answer_words(now);
                Ok(())
            }
            // A reply that is being made goes on.
            BackendCommand::UserTurnDismissed { turn } => {
                self.listening.take_if(|(listening, _)| *listening == turn);
                self.ahead = None;
                self.asr.ask(Ask::Forget)
            }
            BackendCommand::Cancel { generation, heard } => {
                self.reply.take_if(|reply| reply.generation == generation);
                self.withdraw(generation);
                self.was_heard(generation, heard);
                self.summarise();
                Ok(())
            }
            BackendCommand::Played { generation, heard } => {
                self.was_heard(generation, heard);
                Ok(())
            }
            BackendCommand::Measured(metrics) => {
                if let Brain::Dialogue { dialogue, .. } = &mut self.brain {
                    dialogue.handle_measured(metrics);
                }
                Ok(())
            }
            BackendCommand::Say { generation, text } => {
                self.begin(generation);
                self.say(Answer { text, hang_up: false });
                Ok(())
            }
            BackendCommand::ToolResult { call_id, result } => {
                if let Brain::Model(brain) = &mut self.brain {
                    brain.hands.client_answered(now, &call_id, &result);
                }
                self.follow_tools(now);
                Ok(())
            }
        };
        if asked.is_err() {
            self.fail("the speech recogniser does not keep up".to_owned());
        }
    }

    fn handle_model(&mut self, now: SessionTime, report: ModelReport) {
        let Some(report) = self.take_summary(report) else { return };
        match report {
            ModelReport::Working { .. } => {}
            ModelReport::Text { generation, text } => {
                if let Some(reply) = self.reply_of(generation) {
                    reply.write(&text);
                }
            }
            ModelReport::Done { generation, result } => {
                if let Some(reply) = self.reply_of(generation) {
                    reply.written(result);
                }
                self.call_tools(now);
            }
        }
        self.speak_on();
    }

    fn new_reply(&mut self, generation: Generation) -> Reply {
        self.replies += 1;
        self.newest = generation;
        let own_words = Arc::clone(&self.voicing.own_words);
        Reply::hearing(generation, Generation(self.replies), self.voicing.pace, own_words)
    }

    fn begin(&mut self, generation: Generation) {
        self.events.push_back(BackendEvent::ReplyStarted { generation });
        self.reply = Some(self.new_reply(generation));
    }

    /// The whole text of the current reply.
    fn say(&mut self, answer: Answer) {
        let Some(reply) = &mut self.reply else { return };
        reply.complete(&answer);
        if let Brain::Dialogue { dialogue, .. } = &self.brain {
            reply.pace = self.voicing.pace * dialogue.pace();
        }
        self.speak_on();
    }

    fn was_heard(&mut self, generation: Generation, heard: Heard) {
        match &mut self.brain {
            Brain::Dialogue { dialogue, .. } => dialogue.handle_heard(heard),
            Brain::Model(brain) => brain.context.was_heard(generation, &heard.text),
        }
    }

    fn transcript(&mut self, turn: TurnId, text: String, is_final: bool) {
        if is_final || self.wants_input() {
            self.events.push_back(BackendEvent::UserTranscript { turn, text, is_final });
        }
    }

    fn fail(&mut self, message: String) {
        if self.phase != Phase::Gone {
            self.phase = Phase::Gone;
            self.reply = None;
            self.tell_usage();
            self.events.push_back(BackendEvent::Failed { message });
        }
    }

    /// The reply that its workers know by this.
    fn reply_of(&mut self, work: Generation) -> Option<&mut Reply> {
        let ahead = self.ahead.as_mut().map(|ahead| &mut ahead.reply);
        self.reply.as_mut().into_iter().chain(ahead).find(|reply| reply.work == work)
    }

    /// Said to the call when its reply has nothing left.
    fn end(&mut self, reply: Reply) {
        self.summarise();
        self.tell_usage();
        let generation = reply.generation;
        self.events.push_back(match &reply.ending {
            Ending::Finished | Ending::HangUp => BackendEvent::ReplyFinished { generation },
            Ending::Failed(message) => {
                BackendEvent::ReplyFailed { generation, message: message.clone() }
            }
        });
        if matches!(reply.ending, Ending::HangUp) {
            self.events.push_back(BackendEvent::HangUp { reason: GOODBYE.to_owned() });
        }
    }
}

/// The date and time on the wall.
fn wall(time_zone: &TimeZone) -> DateTime {
    Timestamp::now().to_zoned(time_zone.clone()).datetime()
}

impl Machine for Talk {
    type Report = Report;

    fn handle_input(&mut self, now: SessionTime, input: BackendInput) {
        match input {
            BackendInput::Audio(frame) => self.asr.hear(frame),
            BackendInput::Command(command) => {
                self.watch_command(now, &command);
                self.handle_command(now, command);
            }
        }
    }

    fn handle_report(&mut self, now: SessionTime, report: Report) {
        self.watch_report(now, &report);
        match report {
            Report::Asr(report) => self.handle_asr(now, report),
            Report::Tts(report) => self.handle_tts(report),
            Report::Model(report) => self.handle_model(now, report),
            Report::Tool(done) => self.handle_tool(now, done),
        }
    }

    fn next_report(&mut self) -> impl Future<Output = Report> + Send {
        let Self { from_asr, from_tts, from_model, from_tools, .. } = self;
        async move {
            // A closed channel has nothing to report; the voice's stays open.
            tokio::select! {
                Some(report) = from_asr.recv() => Report::Asr(report),
                Some(report) = from_tts.recv() => Report::Tts(report),
                Some(report) = from_model.recv() => Report::Model(report),
                Some(done) = from_tools.recv() => Report::Tool(done),
            }
        }
    }

    fn poll_output(&mut self, now: SessionTime) -> Option<BackendOutput> {
        if self.phase == Phase::Waking {
            return None;
        }
        if let Brain::Dialogue { dialogue, .. } = &mut self.brain
            && dialogue.handle_timeout(now)
        {
            self.events.push_back(BackendEvent::WantsToSpeak);
        }
        if self.tools_due().is_some_and(|due| due <= now) {
            self.follow_tools(now);
        }
        self.tell_usage_due(now);
        if let Some(event) = self.events.pop_front() {
            return Some(BackendOutput::Event(event));
        }
        let reply = self.reply.as_mut()?;
        let generation = reply.generation;
        let Some(made) = reply.made.pop_front() else {
            let complete = self.reply.take_if(|reply| reply.is_complete())?;
            self.end(complete);
            return self.events.pop_front().map(BackendOutput::Event);
        };
        self.speak_on();
        Some(match made {
            Made::Text(text) => BackendOutput::Event(BackendEvent::ReplyText { generation, text }),
            Made::Words(words) => {
                BackendOutput::Event(BackendEvent::ReplyWords { generation, words })
            }
            Made::Block(pcm) => {
                let sample_rate_hz = self.tts.sample_rate_hz();
                BackendOutput::Audio(ReplyAudio { generation, sample_rate_hz, pcm })
            }
        })
    }

    fn poll_timeout(&self) -> Option<SessionTime> {
        if self.phase == Phase::Waking {
            return None;
        }
        let has_output = !self.events.is_empty()
            || self
                .reply
                .as_ref()
                .is_some_and(|reply| !reply.made.is_empty() || reply.is_complete());
        if has_output {
            return Some(SessionTime::ZERO);
        }
        let of_brain = match &self.brain {
            Brain::Dialogue { dialogue, .. } => dialogue.poll_timeout(),
            Brain::Model(_) => self.tools_due(),
        };
        [of_brain, self.accounts.due()].into_iter().flatten().min()
    }

    fn wants_input(&self) -> bool {
        self.events.len() + self.words.len() < BACKEND_EVENTS_WAITING_MAX
    }

    fn is_over(&self) -> bool {
        self.phase == Phase::Gone && self.events.is_empty()
    }
}
