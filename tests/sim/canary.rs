//! Faults put between the agent and the checks: each must be caught, by the invariant that it breaks.

use antiphon::agent::{EncodedFrame, PcmFrame};
use antiphon::call::event::{BackendCommand, Generation};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A frame of the user's reaches the backend twice.
    DoublesUserAudio,
    /// A frame of the user's that was held is not released.
    LosesUserAudio,
    /// Two frames of the user's change places.
    SwapsUserAudio,
    /// A packet of a reply is sent after the reply was cut.
    KeepsDeadAudio,
    /// A packet of a reply is not sent.
    SkipsReplyAudio,
    /// A reply is cut, and its backend is not told.
    HidesCancel,
    /// A reply is played, and its backend is told of the one before.
    ClosesAnother,
    /// More is said to be heard than was sent.
    ExaggeratesHeard,
    /// Words are said to be heard that were never written.
    InventsWords,
}

/// A fault, and what it remembers.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    kind: Kind,
    /// Frames of the user's since it last struck.
    frames: u32,
    kept: Option<PcmFrame>,
    sent: Option<EncodedFrame>,
    is_cut: bool,
    packets: u32,
}

/// A fault strikes once in so many frames.
const PERIOD: u32 = 40;

impl Fault {
    pub(crate) const fn new(kind: Kind) -> Self {
        Self { kind, frames: 0, kept: None, sent: None, is_cut: false, packets: 0 }
    }

    /// What becomes of a frame for the backend.
    pub(crate) fn user_audio(&mut self, pcm: &PcmFrame) -> Vec<PcmFrame> {
        if pcm.0.iter().all(|sample| *sample == 0) {
            return vec![*pcm];
        }
        self.frames += 1;
        let strikes = self.frames.is_multiple_of(PERIOD);
        match self.kind {
            Kind::DoublesUserAudio if strikes => vec![*pcm, *pcm],
            Kind::LosesUserAudio if strikes => Vec::new(),
            Kind::SwapsUserAudio if strikes => {
                self.kept = Some(*pcm);
                Vec::new()
            }
            _ => std::iter::once(*pcm).chain(self.kept.take()).collect(),
        }
    }

    /// What becomes of a packet.
    pub(crate) fn packet(&mut self, packet: &EncodedFrame) -> Option<EncodedFrame> {
        let sounds = packet.level_dbfs > -60;
        match self.kind {
            Kind::KeepsDeadAudio if self.is_cut => {
                self.is_cut = false;
                let mut dead = self.sent.take().unwrap_or_else(|| packet.clone());
                dead.timestamp = packet.timestamp;
                Some(dead)
            }
            Kind::SkipsReplyAudio if sounds => {
                self.packets += 1;
                (!self.packets.is_multiple_of(PERIOD)).then(|| packet.clone())
            }
            _ => {
                if sounds {
                    self.sent = Some(packet.clone());
                }
                Some(packet.clone())
            }
        }
    }

    /// What becomes of a command.
    pub(crate) fn command(&mut self, command: &BackendCommand) -> Option<BackendCommand> {
        let mut command = command.clone();
        match &mut command {
            BackendCommand::Cancel { heard, .. } => match self.kind {
                Kind::HidesCancel => return None,
                Kind::KeepsDeadAudio => self.is_cut = true,
                Kind::ExaggeratesHeard => heard.duration *= 2,
                Kind::InventsWords if !heard.duration.is_zero() => heard.text += " never",
                _ => {}
            },
            BackendCommand::Played { generation, heard } => match self.kind {
                Kind::ClosesAnother => *generation = Generation(generation.0.wrapping_sub(1)),
                Kind::InventsWords => heard.text += " never",
                _ => {}
            },
            _ => {}
        }
        Some(command)
    }
}
