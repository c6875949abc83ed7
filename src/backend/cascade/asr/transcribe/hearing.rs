//! What a stream of Amazon Transcribe is told, and what is made of its results. Pure.
//!
//! The service knows no turns. A turn's audio goes up in chunks as it comes; after its end silence follows,
//! faster than time, so that the service closes its last result. Results are told apart from those of the
//! turn before by when they end on the stream. So a turn that begins while the one before is not yet known
//! waits, and its audio with it. A stream is used for the next turn only if this one's results are complete;
//! otherwise it is closed, and the next turn has a new one.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::{Ask, AsrReport};
use crate::agent::PcmFrame;
use crate::backend::cascade::error::StageError;
use crate::call::event::{Generation, TurnId};
use crate::cascade::failover::FailureKind;
use crate::limits::{
    TRANSCRIPT_BYTES_MAX, TRANSCRIPT_RESULTS_MAX, TRANSCRIPTS_AWAITED_MAX, UTTERANCE_FRAMES_MAX,
    WIDEBAND_FRAME, WIDEBAND_HZ,
};
use crate::time::SessionTime;

/// Samples of a chunk: 100 ms.
const CHUNK: usize = 5 * WIDEBAND_FRAME;
/// Peak of a frame, about -46 dBFS, from which something was said in it.
const SOUND_PEAK: u16 = 160;
/// Between two chunks of silence after a turn: four times as fast as time.
const SILENCE_EVERY: Duration = Duration::from_millis(25);
/// Chunks of silence after a turn: 3 s.
const SILENCE_CHUNKS: u32 = 30;
/// A final result that ends so long before the last sound, or later, is the last one.
const LAST_WITHIN_MS: u64 = 500;
/// Without news for so long after a turn nothing more is expected.
const SETTLED_AFTER: Duration = Duration::from_secs(1);
/// Streams that one turn is sent over, the first included.
const STREAMS_MAX: u32 = 3;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// From the end of a turn to its text.
    pub(super) answer: Duration,
    /// How long a stream is kept open for the next turn.
    pub(super) idle: Duration,
}

/// What a stream tells.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum StreamEvent {
    /// The service takes it.
    Opened,
    /// Results, each with all that is known of it.
    Heard(Vec<Segment>),
    /// It is over.
    Lost(StageError),
}

/// A result: a stretch of speech.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) id: String,
    /// On the stream.
    pub(super) start_ms: u64,
    pub(super) end_ms: u64,
    pub(super) text: String,
    pub(super) is_final: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum HearingAct {
    /// A stream is to be opened; what is sent waits for it.
    Open,
    Send(Vec<i16>),
    Close,
    Report(AsrReport),
}

/// The turn that is heard, and the stream.
#[derive(Debug)]
pub(super) struct Hearing {
    patience: Patience,
    line: Option<Line>,
    turn: Option<Turn>,
    /// Turns after one that is over and not yet known, the oldest first. Nothing of them has gone up.
    waiting: VecDeque<Turn>,
    /// When a stream that nobody needs is closed.
    idle_until: Option<SessionTime>,
    acts: VecDeque<HearingAct>,
}

#[derive(Debug, Default)]
struct Line {
    opened_at: Option<SessionTime>,
    /// Samples that went up.
    sent: usize,
}

#[derive(Debug)]
struct Turn {
    id: TurnId,
    /// All of it, to be sent again over another stream.
    pcm: Vec<i16>,
    /// How much of it went up over this stream.
    sent: usize,
    /// Where it begins on this stream, in samples.
    begins: usize,
    /// The end of its last frame with a sound, in samples.
    last_sound: usize,
    segments: Vec<Segment>,
    /// What was told last.
    told: String,
    streams: u32,
    /// Why the last of its streams ended.
    lost: Option<StageError>,
    ending: Option<Ending>,
}

#[derive(Debug)]
struct Ending {
    generation: Generation,
    deadline: SessionTime,
    /// When something was heard last, or the turn ended.
    news_at: SessionTime,
    silence_at: SessionTime,
    silence_chunks: u32,
}

impl Hearing {
    pub(super) const fn new(patience: Patience) -> Self {
        Self {
            patience,
            line: None,
            turn: None,
            waiting: VecDeque::new(),
            idle_until: None,
            acts: VecDeque::new(),
        }
    }

    /// The call says what goes on.
    pub(super) fn handle_ask(&mut self, now: SessionTime, ask: Ask) {
        match ask {
            Ask::Start(turn) => self.handle_start(now, turn),
            Ask::Frame(frame) => self.handle_frame(&frame),
            Ask::Peek { turn, generation } => {
                let open = self.open_turn().filter(|open| open.id == turn);
                let text = open.map(|open| open.text()).unwrap_or_default();
                self.report(AsrReport::Likely { turn, generation, text });
            }
            Ask::End { turn, generation } => self.handle_end(now, turn, generation),
            Ask::Forget => {
                self.waiting.pop_back_if(|turn| turn.ending.is_none());
                // Results of it may still come: the next turn shall not see them.
                if self.turn.take_if(|turn| turn.ending.is_none()).is_some() {
                    self.close();
                }
            }
        }
    }

    /// The stream says what goes on.
    pub(super) fn handle_stream(&mut self, now: SessionTime, event: StreamEvent) {
        match event {
            StreamEvent::Opened => {
                if let Some(line) = &mut self.line {
                    line.opened_at = Some(now);
                }
            }
            StreamEvent::Heard(segments) => self.handle_heard(now, segments),
            StreamEvent::Lost(error) => self.handle_lost(now, error),
        }
    }

    /// When to be told the time.
    pub(super) fn poll_timeout(&self) -> Option<SessionTime> {
        let Some(ending) = self.turn.as_ref().and_then(|turn| turn.ending.as_ref()) else {
            return self.idle_until;
        };
        let settled = self.settled_at(ending);
        let has_silence = ending.silence_chunks < SILENCE_CHUNKS;
        let silence = has_silence.then_some(ending.silence_at);
        [Some(ending.deadline), settled, silence].into_iter().flatten().min()
    }

    pub(super) fn handle_timeout(&mut self, now: SessionTime) {
        if self.idle_until.is_some_and(|until| until <= now) {
            self.close();
        }
        let mut silence = false;
        if let Some(ending) = self.turn.as_mut().and_then(|turn| turn.ending.as_mut())
            && ending.silence_at <= now
            && ending.silence_chunks < SILENCE_CHUNKS
        {
            ending.silence_at = now + SILENCE_EVERY;
            ending.silence_chunks += 1;
            silence = true;
        }
        if silence {
            self.send(vec![0; CHUNK]);
        }
        self.finish_if_over(now);
    }

    /// The next thing to do, in order.
    pub(super) fn poll_act(&mut self) -> Option<HearingAct> {
        self.acts.pop_front()
    }

    fn handle_start(&mut self, now: SessionTime, id: TurnId) {
        self.handle_ask(now, Ask::Forget);
        self.waiting.push_back(Turn::new(id));
        if self.waiting.len() >= TRANSCRIPTS_AWAITED_MAX {
            // What is known of the oldest has to do.
            self.finish(now, false);
        }
        self.begin_next(now);
    }

    /// The turn that waits is sent, once it is known what was said in the one before.
    fn begin_next(&mut self, now: SessionTime) {
        if self.turn.is_some() {
            return;
        }
        let Some(mut turn) = self.waiting.pop_front() else { return };
        self.idle_until = None;
        turn.begins = self.line.as_ref().map_or(0, |line| line.sent);
        if let Some(ending) = &mut turn.ending {
            *ending = Ending::new(now, ending.generation, self.patience.answer);
        }
        self.turn = Some(turn);
        self.open();
        self.send_rest();
    }

    /// Beyond [`UTTERANCE_FRAMES_MAX`] frames nothing is kept.
    fn handle_frame(&mut self, frame: &PcmFrame) {
        let Some(turn) = self.open_turn() else { return };
        if turn.pcm.len() < UTTERANCE_FRAMES_MAX * WIDEBAND_FRAME {
            turn.pcm.extend_from_slice(&frame.0);
            if frame.0.iter().any(|sample| sample.unsigned_abs() > SOUND_PEAK) {
                turn.last_sound = turn.pcm.len();
            }
            self.send_rest();
        }
    }

    fn handle_end(&mut self, now: SessionTime, id: TurnId, generation: Generation) {
        let answer = self.patience.answer;
        let Some(turn) = self.open_turn().filter(|turn| turn.id == id) else {
            let text = String::new();
            return self.report(AsrReport::Final { turn: id, generation, text });
        };
        turn.ending = Some(Ending::new(now, generation, answer));
        self.send_rest();
        self.finish_if_over(now);
    }

    /// The turn that is spoken: the last, or none.
    fn open_turn(&mut self) -> Option<&mut Turn> {
        let last = self.waiting.back_mut().or(self.turn.as_mut());
        last.filter(|turn| turn.ending.is_none())
    }

    fn handle_heard(&mut self, now: SessionTime, segments: Vec<Segment>) {
        let Some(turn) = &mut self.turn else { return };
        let begins_ms = to_ms(turn.begins);
        for segment in segments.into_iter().filter(|segment| segment.end_ms > begins_ms) {
            let known = turn.segments.iter_mut().find(|known| known.id == segment.id);
            match known {
                // What is final stays as it is.
                Some(known) if known.is_final => {}
                Some(known) => *known = segment,
                None => turn.segments.push(segment),
            }
        }
        turn.segments.retain(|segment| segment.is_final || !segment.text.trim().is_empty());
        turn.segments.sort_by_key(|segment| segment.start_ms);
        let bytes: usize = turn.segments.iter().map(|segment| segment.text.len()).sum();
        if turn.segments.len() > TRANSCRIPT_RESULTS_MAX || bytes > TRANSCRIPT_BYTES_MAX {
            turn.segments.clear();
            turn.streams = STREAMS_MAX;
            let problem = "Amazon Transcribe sent more than a turn can hold";
            return self.handle_lost(now, StageError::new(FailureKind::Malformed, problem));
        }
        if let Some(ending) = &mut turn.ending {
            ending.news_at = now;
        }
        let text = turn.text();
        if text != turn.told {
            turn.told.clone_from(&text);
            let id = turn.id;
            if turn.ending.is_none() {
                self.report(AsrReport::Partial { turn: id, text });
            }
        }
        self.finish_if_over(now);
    }

    /// The turn is sent again over another stream, unless that was tried often enough, or would not help.
    fn handle_lost(&mut self, now: SessionTime, error: StageError) {
        self.close();
        let Some(turn) = &mut self.turn else { return };
        let is_hopeless = matches!(error.kind, FailureKind::Unauthorized | FailureKind::Refused);
        turn.lost = Some(error);
        if is_hopeless || turn.streams >= STREAMS_MAX {
            turn.streams = STREAMS_MAX;
            return self.finish_if_over(now);
        }
        turn.sent = 0;
        turn.begins = 0;
        turn.segments.clear();
        if let Some(ending) = &mut turn.ending {
            ending.silence_chunks = 0;
        }
        self.open();
        self.send_rest();
    }

    /// A stream for the turn, if there is none.
    fn open(&mut self) {
        let Some(turn) = &mut self.turn else { return };
        if self.line.is_none() {
            turn.streams += 1;
            self.line = Some(Line::default());
            self.acts.push_back(HearingAct::Open);
        }
    }

    fn close(&mut self) {
        self.idle_until = None;
        if self.line.take().is_some() {
            self.acts.push_back(HearingAct::Close);
        }
    }

    /// What of the turn has not gone up, in chunks, of which only the last of the turn may be short.
    fn send_rest(&mut self) {
        while self.line.is_some()
            && let Some(turn) = &mut self.turn
            && turn.pcm.len() >= turn.sent + if turn.ending.is_some() { 1 } else { CHUNK }
        {
            let end = turn.pcm.len().min(turn.sent + CHUNK);
            let chunk = turn.pcm[turn.sent..end].to_vec();
            turn.sent = end;
            self.send(chunk);
        }
    }

    fn send(&mut self, chunk: Vec<i16>) {
        if let Some(line) = &mut self.line {
            line.sent += chunk.len();
            self.acts.push_back(HearingAct::Send(chunk));
        }
    }

    fn finish_if_over(&mut self, now: SessionTime) {
        let Some(turn) = &self.turn else { return };
        let Some(ending) = &turn.ending else { return };
        let is_gone = self.line.is_none();
        let is_late = ending.deadline <= now;
        let is_complete = turn.is_complete();
        let is_settled = self.settled_at(ending).is_some_and(|at| at <= now);
        if is_complete || is_settled || is_late || is_gone {
            let is_clean = is_complete || (is_settled && !turn.has_partial());
            self.finish(now, is_clean);
            self.begin_next(now);
        }
    }

    /// Once the stream is open and nothing is half known.
    fn settled_at(&self, ending: &Ending) -> Option<SessionTime> {
        let opened_at = self.line.as_ref()?.opened_at?;
        let has_partial = self.turn.as_ref().is_some_and(Turn::has_partial);
        (!has_partial).then_some(opened_at.max(ending.news_at) + SETTLED_AFTER)
    }

    /// Tells what the turn was, if it has ended. `is_clean`: nothing more of it will come.
    fn finish(&mut self, now: SessionTime, is_clean: bool) {
        let Some(turn) = self.turn.take_if(|turn| turn.ending.is_some()) else { return };
        let Some(Ending { generation, deadline, .. }) = turn.ending else { return };
        // What a lost stream had heard counts, if no other heard anything.
        let (id, text) = (turn.id, Some(turn.text()).filter(|text| !text.is_empty()));
        let text = text.unwrap_or(turn.told);
        let is_open = self.line.as_ref().is_some_and(|line| line.opened_at.is_some());
        let error = match turn.lost {
            _ if !text.is_empty() || is_open => None,
            Some(error) => Some(error),
            None if deadline <= now => {
                let problem = "Amazon Transcribe did not answer in time";
                Some(StageError::new(FailureKind::TimedOut, problem))
            }
            None => None,
        };
        self.report(match error {
            None => AsrReport::Final { turn: id, generation, text },
            Some(error) => AsrReport::Missed { turn: id, generation, error },
        });
        if is_clean {
            self.idle_until = Some(now + self.patience.idle);
        } else {
            self.close();
        }
    }

    fn report(&mut self, report: AsrReport) {
        self.acts.push_back(HearingAct::Report(report));
    }
}

impl Ending {
    fn new(now: SessionTime, generation: Generation, answer: Duration) -> Self {
        let deadline = now + answer;
        Self { generation, deadline, news_at: now, silence_at: now, silence_chunks: 0 }
    }
}

impl Turn {
    const fn new(id: TurnId) -> Self {
        Self {
            id,
            pcm: Vec::new(),
            sent: 0,
            begins: 0,
            last_sound: 0,
            segments: Vec::new(),
            told: String::new(),
            streams: 0,
            lost: None,
            ending: None,
        }
    }

    fn text(&self) -> String {
        let texts = self.segments.iter().map(|segment| segment.text.trim());
        texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
    }

    fn has_partial(&self) -> bool {
        self.segments.iter().any(|segment| !segment.is_final)
    }

    /// Whether all is final, up to the last sound.
    fn is_complete(&self) -> bool {
        let last_sound_ms = to_ms(self.begins + self.last_sound);
        let last = self.segments.iter().map(|segment| segment.end_ms).max();
        !self.has_partial() && last.is_some_and(|last| last + LAST_WITHIN_MS >= last_sound_ms)
    }
}

const fn to_ms(samples: usize) -> u64 {
    samples as u64 * 1_000 / WIDEBAND_HZ as u64
}

#[cfg(test)]
mod tests;
