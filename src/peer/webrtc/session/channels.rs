//! Data channels of a session. The peer opens them; messages of all are heard, and ours go into the
//! one that was opened last.

use std::time::Instant;

use rtc::data_channel::{RTCDataChannelId, RTCDataChannelMessage};
use rtc::peer_connection::RTCPeerConnection;
use rtc::peer_connection::event::RTCDataChannelEvent;

use super::{Event, Session};
use crate::limits::{DATA_BUFFERED_BYTES_MAX, DATA_CHANNELS_MAX};

/// The open channels, oldest first.
#[derive(Debug, Default)]
pub(super) struct Channels {
    open: Vec<RTCDataChannelId>,
    dropped: u64,
}

impl Channels {
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn handle_event(
        &mut self,
        stack: &mut RTCPeerConnection,
        event: RTCDataChannelEvent,
    ) -> Option<Event> {
        match event {
            RTCDataChannelEvent::OnOpen(id) if self.open.len() < DATA_CHANNELS_MAX => {
                self.open.push(id);
                Some(Event::ChannelOpened)
            }
            RTCDataChannelEvent::OnOpen(id) => {
                let _ = stack.data_channel(id).map(|mut channel| channel.close());
                None
            }
            RTCDataChannelEvent::OnClose(id) => {
                let was_used = self.open.last() == Some(&id);
                self.open.retain(|open| *open != id);
                was_used.then_some(Event::ChannelClosed)
            }
            _ => None,
        }
    }

    /// The text of a message; others are dropped.
    pub(super) fn handle_message(&mut self, message: RTCDataChannelMessage) -> Option<String> {
        let text = message.is_string.then(|| String::from_utf8(message.data.to_vec()).ok());
        let text = text.flatten();
        self.dropped += u64::from(text.is_none());
        text
    }
}

impl Session {
    /// Sends a text message, if a channel is open and the peer reads it.
    pub(crate) fn send_text(&mut self, now: Instant, text: &str) {
        let channel = self.channels.open.last().and_then(|id| self.stack.data_channel(*id));
        let sent = channel.is_some_and(|mut channel| {
            channel.outstanding_bytes() + text.len() <= DATA_BUFFERED_BYTES_MAX
                && channel.send_text(now, text).is_ok()
        });
        self.channels.dropped += u64::from(!sent);
        self.drain_writes(None);
    }
}
