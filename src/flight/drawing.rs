//! A call as a picture: SVG, by itself in one file, on a card of its own that is light or dark as the reader
//! likes it.
//!
//! ```text
//! floor   | idle | agent        |contested| user      |settling| thinking | agent ...
//! user    ~~~~~~~~~~ level ~~~~~~~~~~
//! voice   ---------- probability ----
//! echo    ---------- verdict --------
//! agent   ~~~~~~~~~~ level ~~~~~~~~~~
//! events    ^ turn over   ^ suspected ^ committed
//!         0 s        5 s        10 s
//! ```

mod page;

use std::time::Duration;

use crate::agent::Observed;
use crate::call::event::{
    BackendCommand, ClientEvent, EchoVerdict, FloorState, Generation, Output, Stage,
};
use crate::limits::{FLIGHT_DRAWING_MARKS_MAX, FLIGHT_DRAWING_POINTS_MAX};
use crate::time::SessionTime;

/// What is drawn of a call, collected from what was seen of it.
#[derive(Clone, Debug)]
pub struct Drawing {
    title: String,
    from: SessionTime,
    to: SessionTime,
    user: Vec<UserPoint>,
    agent: Vec<AgentPoint>,
    floors: Vec<(SessionTime, FloorState)>,
    marks: Vec<Mark>,
    last: SessionTime,
    left_out: usize,
}

#[derive(Clone, Copy, Debug)]
struct UserPoint {
    at: SessionTime,
    level_dbfs: f32,
    voice: f32,
    echo: EchoVerdict,
}

#[derive(Clone, Copy, Debug)]
struct AgentPoint {
    at: SessionTime,
    level_dbfs: f32,
}

/// Something that happened at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    at: SessionTime,
    kind: MarkKind,
    label: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MarkKind {
    /// A turn was over, or something was typed.
    Turn,
    /// An interruption was suspected or confirmed.
    Doubt,
    /// A reply was cut.
    Cut,
    /// It was nothing.
    Dismissed,
    /// Something failed, or the call ended.
    End,
}

impl Drawing {
    /// A drawing of the time `from` to `to`; `None` for the last is the end of the call.
    pub fn new(title: &str, from: SessionTime, to: Option<SessionTime>) -> Self {
        Self {
            title: title.to_owned(),
            from,
            to: to.unwrap_or(SessionTime::from_micros(u64::MAX)),
            user: Vec::new(),
            agent: Vec::new(),
            floors: vec![(SessionTime::ZERO, FloorState::Idle)],
            marks: Vec::new(),
            last: from,
            left_out: 0,
        }
    }

    /// Takes one thing in. In the order in which things happened.
    pub fn see(&mut self, at: SessionTime, observed: &Observed) {
        if let Observed::Output(Output::Client(ClientEvent::Floor { state, .. })) = observed {
            self.floor(at, *state);
        }
        if at < self.from || at > self.to {
            return;
        }
        self.last = at;
        match observed {
            Observed::Heard { features, echo } => {
                let (level_dbfs, voice) = (features.level_dbfs, features.voice);
                self.user.push(UserPoint { at, level_dbfs, voice, echo: *echo });
            }
            Observed::Sent(sent) => {
                self.agent.push(AgentPoint { at, level_dbfs: sent.level_dbfs });
            }
            Observed::Output(output) => self.output(at, output),
            _ => {}
        }
    }

    fn floor(&mut self, at: SessionTime, state: FloorState) {
        if at > self.to || self.floors.last().is_some_and(|(_, last)| *last == state) {
            return;
        }
        if at < self.from {
            // Only what holds at the beginning is shown.
            self.floors.clear();
        } else if self.floors.len() >= FLIGHT_DRAWING_MARKS_MAX {
            self.left_out += 1;
            return;
        }
        self.floors.push((at, state));
    }

    fn output(&mut self, at: SessionTime, output: &Output) {
        let reply = |generation: &Generation| format!("reply {}", generation.0);
        let (kind, label) = match output {
            Output::Decision(decision) => {
                let kind = match decision.stage {
                    Stage::Suspected | Stage::Confirmed => MarkKind::Doubt,
                    Stage::Committed => MarkKind::Cut,
                    Stage::Dismissed => MarkKind::Dismissed,
                };
                // What words decided has no voice to show.
                let voice = if decision.voice > 0.0 {
                    format!(" {:.2}", decision.voice)
                } else {
                    String::new()
                };
                (kind, format!("{}{voice}", decision.stage.name()))
            }
            Output::Backend(command) => match command {
                BackendCommand::UserTurnEnded { turn, .. } => {
                    (MarkKind::Turn, format!("turn {} over", turn.0))
                }
                BackendCommand::UserText { turn, .. } => {
                    (MarkKind::Turn, format!("turn {} typed", turn.0))
                }
                BackendCommand::Cancel { generation, heard } => {
                    let heard_s = heard.duration.as_secs_f32();
                    (MarkKind::Cut, format!("{} cut, heard {heard_s:.1} s", reply(generation)))
                }
                BackendCommand::UserTurnDismissed { turn } => {
                    (MarkKind::Dismissed, format!("turn {} dismissed", turn.0))
                }
                _ => return,
            },
            Output::Client(ClientEvent::Error { .. }) => (MarkKind::End, "error".to_owned()),
            Output::End(reason) => (MarkKind::End, format!("end: {}", reason.name())),
            _ => return,
        };
        if self.marks.len() < FLIGHT_DRAWING_MARKS_MAX {
            self.marks.push(Mark { at, kind, label });
        } else {
            self.left_out += 1;
        }
    }

    /// The end of what is drawn.
    fn end(&self) -> SessionTime {
        self.last.max(self.from + Duration::from_millis(100))
    }

    /// The picture.
    pub fn to_svg(&self) -> String {
        page::write(self)
    }
}

/// The largest value in each of at most [`FLIGHT_DRAWING_POINTS_MAX`] groups of neighbours, with the time
/// of the first.
fn thinned<P>(
    points: &[P],
    at: impl Fn(&P) -> SessionTime,
    value: impl Fn(&P) -> f32,
) -> Vec<(SessionTime, f32)> {
    let largest =
        |group: &[P]| (at(&group[0]), group.iter().map(&value).fold(f32::NEG_INFINITY, f32::max));
    groups(points).map(largest).collect()
}

/// At most [`FLIGHT_DRAWING_POINTS_MAX`] groups of neighbours.
fn groups<P>(points: &[P]) -> std::slice::Chunks<'_, P> {
    points.chunks(points.len().div_ceil(FLIGHT_DRAWING_POINTS_MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::event::{Decision, EchoEvidence, EndReason, FrameFeatures, SentFrame, TurnId};

    fn drawn(seconds: u64) -> Drawing {
        let mut drawing = Drawing::new("a <call> & \"more\"", SessionTime::ZERO, None);
        for frame in 0..seconds * 50 {
            let at = SessionTime::from_millis(frame * 20);
            let features = FrameFeatures {
                at,
                voice: (frame % 50) as f32 / 50.0,
                level_dbfs: -20.0,
                pitch_hz: None,
                echo: EchoEvidence::NONE,
                concealed: false,
            };
            drawing.see(at, &Observed::Heard { features, echo: EchoVerdict::Likely });
            let sent = SentFrame { generation: None, level_dbfs: f32::NAN, queued: Duration::ZERO };
            drawing.see(at, &Observed::Sent(sent));
            if frame % 50 == 0 {
                let state = if frame % 100 == 0 { FloorState::User } else { FloorState::Agent };
                let floor =
                    ClientEvent::Floor { at, state, turn: TurnId(1), generation: Generation(1) };
                drawing.see(at, &Observed::Output(Output::Client(floor)));
                let decision = Decision {
                    stage: Stage::Suspected,
                    generation: Generation(1),
                    echo: EchoVerdict::Clear,
                    voice: 0.9,
                };
                drawing.see(at, &Observed::Output(Output::Decision(decision)));
            }
        }
        drawing
    }

    #[test]
    fn text_is_escaped_and_every_number_is_one() {
        let svg = drawn(5).to_svg();
        assert!(svg.contains("a &lt;call&gt; &amp; &quot;more&quot;"), "{svg}");
        assert!(svg.contains(">suspected 0.90<"));
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn a_day_long_call_is_a_picture_of_bounded_size() {
        let day = drawn(24 * 3_600 / 8);
        let svg = day.to_svg();
        assert!(day.left_out > 0 && svg.contains("left out"));
        assert!(svg.len() < 1_000_000, "{}", svg.len());
    }

    #[test]
    fn an_empty_call_and_a_window_are_drawn_too() {
        let mut empty = Drawing::new("", SessionTime::from_millis(5_000), None);
        let end = Observed::Output(Output::End(EndReason::PeerLost));
        empty.see(SessionTime::from_millis(1_000), &end);
        assert!(!empty.to_svg().contains("end:"), "it is before the window");
        empty.see(SessionTime::from_millis(6_000), &end);
        assert!(empty.to_svg().contains("end: peer-lost"));
    }
}
