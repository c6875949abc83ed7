//! The call while it goes on.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};
use tokio::time::sleep_until;

use super::connect::Connected;
use super::talk::Talk;
use super::{CALL_MAX, Progress, tell};
use crate::agent_log::{AgentLog, Reaction};
use crate::codec::Encoder;
use crate::conversation::{Conversation, Output};
use crate::ear::Ear;
use crate::error::CallError;
use crate::impair::{Direction, Link};
use crate::level::level_dbfs;
use crate::limits::FRAME;
use crate::options::CallOptions;
use crate::peer::{Notice, Outgoing, PeerEvent, Received};
use crate::record::Recorder;
use crate::report::Report;
use crate::rtvi::{Message, Request};
use crate::summary::{self, ms};

/// Ticks between two playout reports: 200 ms.
const PLAYOUT_REPORT_TICKS: u64 = 10;

/// See the module. `T` decides what is said.
pub(super) struct Running<'a, T> {
    options: &'a CallOptions,
    connected: Connected,
    progress: mpsc::Sender<Progress>,
    talk: T,
    agent: AgentLog,
    ear: Ear,
    encoder: Encoder,
    recorder: Recorder,
    uplink: Link<Outgoing>,
    downlink: Link<Received>,
    /// Requests for the data channel until it opens.
    requests: VecDeque<Request>,
    requests_sent: u64,
    /// The first tick's number on the 20 ms grid of the call's clock.
    first_tick: u64,
    ticks: u64,
    late_max: Duration,
    broken: Option<&'static str>,
}

impl<'a, T: Talk> Running<'a, T> {
    /// A call whose media flows; `make` is given the time at which it begins to.
    pub(super) fn new(
        options: &'a CallOptions,
        connected: Connected,
        make: impl FnOnce(Duration) -> T,
        progress: mpsc::Sender<Progress>,
    ) -> Result<Self, CallError> {
        let codec = options.codec;
        let now = connected.start.elapsed();
        let first_tick = (now.as_micros() / FRAME.as_micros()) as u64 + 1;
        let start = FRAME * first_tick as u32;
        let ear = Ear::new(codec, options.playout_delay_ms, start)?;
        // One more, since a frame can be heard only once its time is over.
        let delay_frames = ear.delay().as_micros().div_ceil(FRAME.as_micros()) as usize + 1;
        let (heard, both) = (options.record.as_deref(), options.record_both.as_deref());
        let mut requests = VecDeque::from([Request::ClientReady]);
        if options.mute {
            requests.push_back(Request::Mute { muted: true });
        }
        Ok(Self {
            talk: make(now),
            agent: AgentLog::default(),
            encoder: Encoder::new(codec)?,
            recorder: Recorder::create(heard, both, codec.rate_hz(), delay_frames)?,
            uplink: Link::new(options.impairment, Direction::Uplink),
            downlink: Link::new(options.impairment, Direction::Downlink),
            requests,
            requests_sent: 0,
            first_tick,
            ticks: 0,
            late_max: Duration::ZERO,
            broken: None,
            options,
            connected,
            progress,
            ear,
        })
    }

    /// Talks and listens until everything is said and heard, then hangs up.
    pub(super) async fn run(mut self, hang_up: &Notify) -> Result<Self, CallError> {
        let talked = self.go_on(hang_up).await;
        tell(&self.progress, Progress::HangingUp);
        self.connected.hang_up().await;
        talked?;
        Ok(self)
    }

    /// Who talked, why the call broke if it did, and how late a packet left at worst.
    pub(super) fn into_parts(self) -> (T, Option<&'static str>, Duration) {
        (self.talk, self.broken, self.late_max)
    }

    async fn go_on(&mut self, hang_up: &Notify) -> Result<(), CallError> {
        if self.connected.is_channel_open {
            self.send_requests().await;
        }
        while !self.talk.is_done() {
            let deadline = self.connected.start + self.next_deadline();
            tokio::select! {
                biased;
                event = self.connected.peer.next() => match event {
                    Some(event) => self.handle_event(event).await,
                    None => self.end("the connection closed"),
                },
                () = hang_up.notified() => self.talk.end(self.now()),
                () = sleep_until(deadline.into()) => {}
            }
            let now = self.now();
            self.deliver(now).await?;
            while !self.talk.is_done() && self.tick_time() <= self.now() {
                self.tick().await?;
            }
            if now > CALL_MAX {
                self.end("the call lasted too long");
            }
        }
        self.flush_recording()
    }

    fn now(&self) -> Duration {
        self.connected.start.elapsed()
    }

    /// When the next frame is due, on a grid that no delay moves.
    fn tick_time(&self) -> Duration {
        FRAME * (self.first_tick + self.ticks) as u32
    }

    fn next_deadline(&self) -> Duration {
        [self.uplink.poll_timeout(), self.downlink.poll_timeout()]
            .into_iter()
            .flatten()
            .fold(self.tick_time(), Duration::min)
    }

    fn end(&mut self, why: &'static str) {
        self.broken.get_or_insert(why);
        self.talk.end(self.now());
    }

    async fn handle_event(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::Packet(packet) => {
                let at = packet.at.saturating_duration_since(self.connected.start);
                self.downlink.push(at, packet);
            }
            PeerEvent::Notice(Notice::ChannelOpen) => {
                self.connected.is_channel_open = true;
                self.connected.connect.channel_ms = Some(self.since_posted_ms());
                self.send_requests().await;
            }
            PeerEvent::Notice(Notice::Message(text)) => self.handle_message(&text),
            PeerEvent::Notice(Notice::Disconnected) => self.end("the connection broke"),
            PeerEvent::Notice(Notice::Gathered | Notice::IceConnected | Notice::Connected) => {}
        }
    }

    fn since_posted_ms(&self) -> f64 {
        ms(self.connected.posted_at.elapsed())
    }

    fn handle_message(&mut self, text: &str) {
        let Some(message) = Message::parse(text) else { return };
        self.talk.handle_message(self.now(), &message);
        let errors = self.agent.errors();
        let reaction = self.agent.handle_message(self.now(), message);
        if let Some(error) = self.agent.error_after(errors) {
            tell(&self.progress, Progress::AgentError(error.to_owned()));
        }
        if self.agent.ready_at().is_some() && self.connected.connect.bot_ready_ms.is_none() {
            self.connected.connect.bot_ready_ms = Some(self.since_posted_ms());
        }
        if reaction == Reaction::End {
            self.end("the agent ended the call");
        }
    }

    /// Takes what has come through the simulated network to the stack and to the ear.
    async fn deliver(&mut self, now: Duration) -> Result<(), CallError> {
        while let Some(packet) = self.uplink.pop(now) {
            self.connected.peer.send(&packet).await?;
        }
        while let Some((arrived, packet)) = self.downlink.pop_due(now) {
            self.ear.handle_packet(arrived, packet.sequence, packet.timestamp, packet.payload);
        }
        Ok(())
    }

    /// One step of 20 ms: hear what is due, decide, speak.
    async fn tick(&mut self) -> Result<(), CallError> {
        let due = self.tick_time();
        if self.ticks >= self.recorder.delay_frames() as u64 {
            self.hear()?;
        }
        let now = self.now();
        self.late_max = self.late_max.max(now.saturating_sub(due));
        let frame = self.talk.next_frame(now);
        let packet = self.packet(&frame)?;
        self.recorder.handle_said(frame);
        self.uplink.push(now, packet);
        self.ticks += 1;
        self.deliver(now).await?;
        while let Some(output) = self.talk.poll_output() {
            match output {
                Output::SendText(text) => self.requests.push_back(Request::SendText { text }),
                Output::Progress(what) => tell(&self.progress, Progress::Turn(what)),
            }
        }
        self.report_playout();
        self.send_requests().await;
        Ok(())
    }

    fn hear(&mut self) -> Result<(), CallError> {
        let frame = self.ear.next_frame();
        self.recorder.handle_heard(&frame)?;
        // The first frame heard is the one at the first tick's place.
        let played = self.ticks - self.recorder.delay_frames() as u64;
        self.talk.handle_played(FRAME * (self.first_tick + played) as u32, &frame);
        while let Some(heard) = self.ear.poll_heard() {
            self.talk.handle_heard(&heard);
        }
        Ok(())
    }

    fn packet(&mut self, frame: &[i16]) -> Result<Outgoing, CallError> {
        let level = level_dbfs(frame);
        let level_minus_dbov = (-level).clamp(0.0, 127.0) as u8;
        Ok(Outgoing {
            // Both may wrap: that is what they are made for.
            sequence: self.ticks as u16,
            timestamp: (self.ticks * frame.len() as u64) as u32,
            marker: self.ticks == 0,
            level_minus_dbov,
            voice: level > self.options.manners.sound_dbfs,
            payload: Bytes::from(self.encoder.encode(frame)?),
        })
    }

    fn report_playout(&mut self) {
        if !self.ticks.is_multiple_of(PLAYOUT_REPORT_TICKS) {
            return;
        }
        let Some((generation, played)) = self.agent.speaking().zip(self.talk.played()) else {
            return;
        };
        let played_ms = played.as_millis() as u64;
        self.requests.push_back(Request::Playout { generation, played_ms });
        self.agent.handle_playout_sent();
    }

    async fn send_requests(&mut self) {
        while self.connected.is_channel_open
            && let Some(request) = self.requests.pop_front()
        {
            self.requests_sent += 1;
            let message = request.to_message(self.requests_sent);
            if let Err(error) = self.connected.peer.send_message(&message).await {
                tracing::debug!(%error, "a message could not be sent");
            }
        }
    }

    /// What the ear still holds belongs to the recording.
    fn flush_recording(&mut self) -> Result<(), CallError> {
        for _ in 0..self.recorder.delay_frames().min(self.ticks as usize) {
            let frame = self.ear.next_frame();
            self.recorder.handle_heard(&frame)?;
        }
        Ok(())
    }
}

impl Running<'_, Conversation> {
    /// The report on a call that ended.
    pub(super) fn report(self) -> Result<Report, CallError> {
        let duration_ms = ms(self.now());
        self.recorder.finish()?;
        let round_trip = self.connected.peer.round_trip();
        let agent = self.agent.into_agent();
        let turns = summary::turns(&self.talk, &agent);
        let first_turn_ms = turns.iter().find_map(|turn| turn.speech_began_at_ms);
        let mut unprompted: Vec<_> = self.talk.unprompted().iter().map(summary::reply).collect();
        let is_greeting = unprompted.first().is_some_and(|reply| {
            first_turn_ms.is_none_or(|first_ms| reply.first_sound_at_ms < first_ms)
        });
        let problem = summary::problem(&turns, self.options.expect_reply, self.broken);
        Ok(Report {
            worked: problem.is_none(),
            problem,
            url: self.connected.signaling.endpoint().to_string(),
            codec: self.options.codec,
            sound_dbfs: self.options.manners.sound_dbfs,
            connect: self.connected.connect,
            greeting: is_greeting.then(|| unprompted.remove(0)),
            turns,
            unprompted,
            received: summary::received(&self.ear, self.downlink.lost()),
            sent: summary::sent(
                self.ticks,
                self.uplink.lost(),
                self.late_max,
                round_trip.last_report(),
                self.options.codec.rate_hz(),
            ),
            round_trip: summary::round_trip(&round_trip),
            impairment: self.options.impairment,
            agent,
            recording_starts_at_ms: ms(FRAME * self.first_tick as u32),
            duration_ms,
        })
    }
}
