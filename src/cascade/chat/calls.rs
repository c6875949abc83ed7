//! Tool calls put together from the pieces in which they are streamed.

use super::event::CallFragment;
use crate::cascade::context::ToolCall;
use crate::limits::{
    MODEL_CALLS_MAX, TOOL_ARGUMENTS_BYTES_MAX, TOOL_NAME_CHARS_MAX, TOOL_USE_ID_BYTES_MAX,
};

/// The tool calls of one answer.
///
/// Pieces of a call share an index. A server may leave it out, or give the same to all: then a new id, a
/// new name, or a name after arguments that are complete begins a new call.
#[derive(Clone, Debug)]
pub struct ToolCalls {
    calls: Vec<Forming>,
    /// The number of the next id that has to be made.
    next: u32,
    /// Of the arguments of all calls together.
    bytes: usize,
}

/// A call that is not carried out: no part of it is left out silently.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tool call `{name}`: {fault}")]
pub struct RefusedCall {
    /// An id under which the model can be told so.
    pub id: String,
    /// What the tool's name begins with, at most [`TOOL_NAME_CHARS_MAX`] characters; may be empty.
    pub name: String,
    /// Why.
    pub fault: CallFault,
}

/// What is wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallFault {
    /// There are too many calls.
    #[error("expected at most {MODEL_CALLS_MAX} calls in one answer, received more")]
    TooMany,
    /// Which tool is meant is not told.
    #[error("name: is required but missing")]
    NoName,
    /// No tool has such a name.
    #[error("name: expected at most {TOOL_NAME_CHARS_MAX} characters, received more")]
    LongName,
    /// It cannot be repeated to the server.
    #[error("id: expected at most {TOOL_USE_ID_BYTES_MAX} bytes, received more")]
    LongId,
    /// The arguments of the answer's calls are too long together, with this one's.
    #[error(
        "arguments: expected at most {TOOL_ARGUMENTS_BYTES_MAX} bytes in one answer, received more"
    )]
    LongArguments,
}

#[derive(Clone, Debug, Default)]
struct Forming {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
    brackets: Brackets,
    /// The first that was found.
    fault: Option<CallFault>,
}

/// Follows a JSON text, to see where its outermost object or list ends.
#[derive(Clone, Copy, Debug, Default)]
struct Brackets {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
    was_closed: bool,
}

impl ToolCalls {
    /// No calls yet. Calls without an id are named `call-<n>`, `n` from `first` on: the number of
    /// [calls so far](crate::cascade::context::Context::calls_so_far), so that an id is used once in a
    /// conversation.
    pub const fn new(first: u32) -> Self {
        Self { calls: Vec::new(), next: first, bytes: 0 }
    }

    /// Whether no call has begun.
    pub const fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The next piece.
    pub fn push(&mut self, fragment: &CallFragment) {
        let known = self.place(fragment).filter(|at| !self.calls[*at].is_over(fragment));
        // Of calls beyond the ones that are refused by name nothing is kept.
        let is_full = self.calls.len() == 2 * MODEL_CALLS_MAX;
        let at = known.unwrap_or(self.calls.len());
        if known.is_none() && is_full {
            return;
        }
        if known.is_none() {
            let fault = (at >= MODEL_CALLS_MAX).then_some(CallFault::TooMany);
            self.calls.push(Forming { index: fragment.index, fault, ..Forming::default() });
        }
        let call = &mut self.calls[at];
        call.name_by(fragment);
        if call.fault.is_none() && !call.repeats(fragment) {
            self.bytes += fragment.arguments.len();
            call.arguments.push_str(&fragment.arguments);
            fragment.arguments.bytes().for_each(|byte| call.brackets.step(byte));
            if self.bytes > TOOL_ARGUMENTS_BYTES_MAX {
                call.fault = Some(CallFault::LongArguments);
            }
        }
        if call.fault.is_some() {
            self.bytes -= call.arguments.len();
            call.arguments = String::new();
        }
    }

    /// The calls in their order, once the answer is complete. No two have the same id, and no call without
    /// arguments has none: they are `{}`.
    ///
    /// # Errors
    ///
    /// In its place, each call that is beyond a limit or has no name.
    pub fn finish(self) -> Vec<Result<ToolCall, RefusedCall>> {
        let mut made = (u64::from(self.next)..).map(|n| format!("call-{n}"));
        let given: Vec<String> = self.calls.iter().map(|call| call.id.clone()).collect();
        let mut ids: Vec<String> = Vec::new();
        let mut finished = Vec::new();
        for call in self.calls {
            let is_usable = !call.id.is_empty()
                && call.fault != Some(CallFault::LongId)
                && !ids.contains(&call.id);
            let id = if is_usable {
                call.id
            } else {
                made.find(|id| !given.contains(id)).expect("numbers do not run out")
            };
            ids.push(id.clone());
            let name = call.name;
            let fault = call.fault.or(name.is_empty().then_some(CallFault::NoName));
            let has_none = call.arguments.trim().is_empty();
            let arguments = if has_none { "{}".to_owned() } else { call.arguments };
            finished.push(match fault {
                Some(fault) => Err(RefusedCall { id, name, fault }),
                None => Ok(ToolCall { id, name, arguments }),
            });
        }
        finished
    }

    /// The newest call that a piece may belong to.
    fn place(&self, fragment: &CallFragment) -> Option<usize> {
        let id = fragment.id.as_deref().map(clip_id);
        let by_id = || self.calls.iter().rposition(|call| Some(call.id.as_str()) == id);
        let last = || self.calls.len().checked_sub(1);
        match fragment.index {
            Some(index) => self.calls.iter().rposition(|call| call.index == Some(index)),
            None if id.is_some() => by_id().or_else(last),
            None => last(),
        }
    }
}

impl Forming {
    /// Whether the piece begins another call.
    fn is_over(&self, fragment: &CallFragment) -> bool {
        let id = fragment.id.as_deref().map(clip_id);
        let name = fragment.name.as_deref().map(clip_name);
        if let Some(id) = id.filter(|_| !self.id.is_empty()) {
            return id != self.id;
        }
        let Some(name) = name.filter(|_| !self.name.is_empty()) else { return false };
        let brings_more = !fragment.arguments.trim().is_empty();
        name != self.name || (self.brackets.is_complete() && brings_more)
    }

    /// Takes over an id and a name that were not known.
    fn name_by(&mut self, fragment: &CallFragment) {
        if let Some(id) = fragment.id.as_deref().filter(|_| self.id.is_empty()) {
            clip_id(id).clone_into(&mut self.id);
            if self.id.len() < id.len() {
                self.fault = self.fault.or(Some(CallFault::LongId));
            }
        }
        if let Some(name) = fragment.name.as_deref().filter(|_| self.name.is_empty()) {
            clip_name(name).clone_into(&mut self.name);
            if self.name.len() < name.len() {
                self.fault = self.fault.or(Some(CallFault::LongName));
            }
        }
    }

    /// Whether the piece is the whole call once more.
    fn repeats(&self, fragment: &CallFragment) -> bool {
        self.brackets.is_complete() && fragment.id.is_some() && fragment.arguments == self.arguments
    }
}

impl Brackets {
    fn step(&mut self, byte: u8) {
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.in_string => self.is_escaped = true,
            b'"' => self.in_string = !self.in_string,
            b'{' | b'[' if !self.in_string => self.depth += 1,
            b'}' | b']' if !self.in_string => {
                self.was_closed |= self.depth == 1;
                self.depth = self.depth.saturating_sub(1);
            }
            _ => {}
        }
    }

    const fn is_complete(self) -> bool {
        self.was_closed && self.depth == 0
    }
}

fn clip_id(id: &str) -> &str {
    &id[..id.floor_char_boundary(TOOL_USE_ID_BYTES_MAX)]
}

fn clip_name(name: &str) -> &str {
    name.char_indices().nth(TOOL_NAME_CHARS_MAX).map_or(name, |(end, _)| &name[..end])
}
