//! What goes up on the live connection.

use super::watches::Watch;
use super::{Act, Conversation, LineId};
use crate::nova::feed::Block;
use crate::nova::request::Unit;
use crate::nova::settings::{INPUT_CHUNK_SAMPLES, INPUT_RATE_HZ};
use crate::time::SessionTime;

impl Conversation {
    /// Sends the blocks that are complete.
    pub(super) fn send_audio(&mut self) {
        while let Some(block) = self.feed.poll() {
            let was_sent = self.send_block(&block);
            self.recent.push(block, was_sent);
        }
    }

    fn send_block(&mut self, block: &Block) -> bool {
        let Some(live) = &mut self.connections.live else { return false };
        let Ok(unit) = live.scribe.audio(block) else { return false };
        live.samples += block.len() as u64;
        self.acts.push_back(Act::Send { line: live.id, unit });
        true
    }

    /// Sends the texts that wait, once a connection can take them: as one, since Nova answers the last.
    pub(super) fn send_texts(&mut self, now: SessionTime) {
        if self.texts.is_empty() {
            return;
        }
        let Some(live) = &mut self.connections.live else { return };
        let texts: Vec<String> = self.texts.drain(..).map(|(_, text)| text).collect();
        let text = texts.join("\n");
        let lead = self.setup.settings.texts.lead.as_millis() as u64;
        let mut unit = Unit::new();
        while live.samples < lead * u64::from(INPUT_RATE_HZ / 1_000) {
            let silence: Block = [0; INPUT_CHUNK_SAMPLES];
            unit.extend(live.scribe.audio(&silence).unwrap_or_default());
            live.samples += silence.len() as u64;
        }
        live.samples = 0;
        unit.extend(live.scribe.text(&text).unwrap_or_default());
        self.acts.push_back(Act::Send { line: live.id, unit });
        self.unanswered = Some(self.unanswered_with(text));
        self.timers.arm(Watch::FirstEvent, now + self.setup.settings.patience.first_event);
    }

    /// Answers a tool use on the connection that asked; false if that is not the live one.
    pub(super) fn send_tool_result(&mut self, line: LineId, use_id: &str, result: &str) -> bool {
        let Some(live) = self.connections.live.as_mut().filter(|live| live.id == line) else {
            return false;
        };
        let Ok(unit) = live.scribe.tool_result(use_id, result) else { return false };
        self.acts.push_back(Act::Send { line, unit });
        true
    }
}
