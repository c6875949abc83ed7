//! Strips what is marked within a line: emphasis, code, links, images and tags.
//!
//! What opens something is kept with all that follows, until it is closed and goes, or is seen to be text
//! and stays: at the line's end, or after so much that nobody should wait longer. It follows CommonMark's
//! rules in short; each character is looked at once.

use std::collections::VecDeque;

use super::tag::{Tag, Verdict};
use crate::limits::{LINK_ADDRESS_CHARS_MAX, MARKUP_HELD_CHARS_MAX};

/// What may be open within each other. One more and the oldest is text.
const OPENERS_MAX: usize = 16;
/// More asterisks or underscores in a row are a blank to be filled in, or a drawing.
const RUN_MAX: usize = 3;

/// Strips what is marked within lines. `\n` ends a line.
#[derive(Clone, Debug, Default)]
pub(super) struct Inline {
    /// From the first opener on; `None` for a mark that goes.
    held: VecDeque<Option<char>>,
    /// Characters that were in front of those; it makes places that stay the same.
    passed: usize,
    openers: VecDeque<Opener>,
    mode: Mode,
    /// The character before the next one, marks included. Blank at a line's beginning.
    before: Option<char>,
}

#[derive(Clone, Debug)]
struct Opener {
    place: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Emphasis { mark: char, count: usize },
    Link,
    Image,
    Tag,
}

#[derive(Clone, Debug, Default)]
enum Mode {
    #[default]
    Text,
    /// Behind a backslash.
    Escape,
    /// Behind a `!`, which may begin an image.
    Bang,
    /// Within a run of marks of emphasis, and what stands in front of it.
    Run { mark: char, count: usize, before: Option<char> },
    /// Within a run of backticks.
    Ticks(usize),
    /// Within code that so many backticks opened; so many were just seen.
    Code { ticks: usize, seen: usize },
    /// Behind the `]` of the newest link or image.
    Bracket,
    /// Within its address, whose `]` stands at this place, in so many parentheses of its own.
    Address { place: usize, depth: usize },
    /// Within the newest opener, which is a tag.
    Tag(Tag),
}

impl Inline {
    pub(super) fn push(&mut self, c: char, out: &mut String) {
        if c == '\n' {
            self.end_line(out);
            return;
        }
        match std::mem::take(&mut self.mode) {
            Mode::Text => self.text(c, out),
            Mode::Escape => {
                if c.is_ascii_punctuation() {
                    self.emit(c, out);
                } else {
                    self.emit('\\', out);
                    self.text(c, out);
                }
            }
            Mode::Bang if c == '[' => {
                self.open(Kind::Image, out);
                self.emit('!', out);
                self.emit('[', out);
            }
            Mode::Bang => {
                self.emit('!', out);
                self.text(c, out);
            }
            Mode::Run { mark, count, before } if c == mark => {
                self.mode = Mode::Run { mark, count: count + 1, before };
            }
            Mode::Run { mark, count, before } => {
                self.run(mark, count, before, Some(c), out);
                self.text(c, out);
            }
            Mode::Ticks(ticks) if c == '`' => self.mode = Mode::Ticks(ticks + 1),
            Mode::Ticks(ticks) => {
                self.mode = Mode::Code { ticks, seen: 0 };
                self.emit(c, out);
            }
            Mode::Code { ticks, seen } if c == '`' => {
                self.mode = Mode::Code { ticks, seen: seen + 1 };
            }
            Mode::Code { ticks, seen } if ticks == seen => self.text(c, out),
            Mode::Code { ticks, .. } => {
                self.mode = Mode::Code { ticks, seen: 0 };
                self.emit(c, out);
            }
            Mode::Bracket if c == '(' => {
                let place = self.passed + self.held.len() - 1;
                self.mode = Mode::Address { place, depth: 0 };
                self.emit(c, out);
            }
            Mode::Bracket => {
                self.give_up_newest(out);
                self.text(c, out);
            }
            Mode::Address { place, depth } => self.address(place, depth, c, out),
            Mode::Tag(tag) => self.tag(tag, c, out),
        }
        self.before = Some(c);
    }

    fn text(&mut self, c: char, out: &mut String) {
        match c {
            '\\' => self.mode = Mode::Escape,
            '!' => self.mode = Mode::Bang,
            '*' | '_' | '~' => {
                self.mode = Mode::Run { mark: c, count: 1, before: self.before };
            }
            '`' => self.mode = Mode::Ticks(1),
            '[' => {
                self.open(Kind::Link, out);
                self.emit(c, out);
            }
            ']' => {
                let is_bracket = |it: &Opener| matches!(it.kind, Kind::Link | Kind::Image);
                if let Some(newest) = self.openers.iter().rposition(is_bracket) {
                    self.openers.truncate(newest + 1);
                    self.mode = Mode::Bracket;
                }
                self.emit(c, out);
            }
            '<' => {
                let is_behind_word = self.before.is_some_and(char::is_alphanumeric);
                self.open(Kind::Tag, out);
                self.mode = Mode::Tag(Tag::new(is_behind_word));
                self.emit(c, out);
            }
            c => self.emit(c, out),
        }
    }

    /// Nothing stays open beyond its line.
    fn end_line(&mut self, out: &mut String) {
        match std::mem::take(&mut self.mode) {
            Mode::Escape => self.emit('\\', out),
            Mode::Bang => self.emit('!', out),
            Mode::Run { mark, count, before } => self.run(mark, count, before, None, out),
            _ => {}
        }
        self.openers.clear();
        self.release(out);
        self.before = None;
        out.push('\n');
    }

    /// A run of marks of emphasis between two characters: it closes, opens, or is text.
    fn run(
        &mut self,
        mark: char,
        count: usize,
        before: Option<char>,
        next: Option<char>,
        out: &mut String,
    ) {
        let is_blank = |side: Option<char>| side.is_none_or(char::is_whitespace);
        let is_word = |side: Option<char>| side.is_some_and(char::is_alphanumeric);
        let is_ascii_word = |side: Option<char>| side.is_some_and(|c| c.is_ascii_alphanumeric());
        let is_text = match mark {
            // A product, as a rule.
            '*' => count > RUN_MAX || count == 1 && is_ascii_word(before) && is_ascii_word(next),
            '_' => count > RUN_MAX,
            _ => count != 2,
        };
        let may_close = !is_text && !is_blank(before) && (mark != '_' || !is_word(next));
        let may_open = !is_text && !is_blank(next) && (mark != '_' || !is_word(before));
        let left = if may_close { self.close(mark, count, out) } else { count };
        if left == 0 {
            return;
        }
        if may_open {
            self.open(Kind::Emphasis { mark, count: left }, out);
        }
        for _ in 0..left {
            self.emit(mark, out);
        }
    }

    /// Takes `count` marks and those that they close out of the text; returns how many close nothing.
    fn close(&mut self, mark: char, mut count: usize, out: &mut String) -> usize {
        while count > 0 {
            // A link whose text is open may not be torn.
            let opens =
                |it: &Opener| matches!(it.kind, Kind::Emphasis { mark: its, .. } if its == mark);
            let is_link = |it: &Opener| matches!(it.kind, Kind::Link | Kind::Image);
            let newest = self.openers.iter().rposition(|it| opens(it) || is_link(it));
            let Some(newest) = newest.filter(|at| opens(&self.openers[*at])) else { break };
            self.openers.truncate(newest + 1);
            let Opener { place, kind: Kind::Emphasis { count: open, .. } } =
                &mut self.openers[newest]
            else {
                break;
            };
            let both = count.min(*open).min(2);
            let last = *place - self.passed + *open;
            for gone in self.held.range_mut(last - both..last) {
                *gone = None;
            }
            *open -= both;
            count -= both;
            if *open == 0 {
                self.openers.pop_back();
            }
        }
        self.release(out);
        count
    }

    fn address(&mut self, place: usize, depth: usize, c: char, out: &mut String) {
        let depth = match c {
            '(' => depth + 1,
            ')' if depth == 0 => return self.end_link(place, out),
            ')' => depth - 1,
            _ => depth,
        };
        self.mode = Mode::Address { place, depth };
        self.emit(c, out);
    }

    /// The link's text stays, if behind its address is nothing but a title.
    fn end_link(&mut self, place: usize, out: &mut String) {
        let bracket = place - self.passed;
        let mut address =
            self.held.range(bracket + 2..).flatten().skip_while(|c| !c.is_whitespace());
        let behind = address.find(|c| !c.is_whitespace());
        if !matches!(behind, None | Some('"' | '\'')) {
            self.emit(')', out);
            return self.give_up_newest(out);
        }
        if let Some(opener) = self.openers.pop_back() {
            let opening = opener.place - self.passed;
            if opener.kind == Kind::Image {
                self.held.truncate(opening);
            } else {
                self.held.truncate(bracket);
                self.held[opening] = None;
            }
        }
        self.release(out);
    }

    fn tag(&mut self, mut tag: Tag, c: char, out: &mut String) {
        let verdict = tag.step(c);
        if verdict == Verdict::Open {
            self.mode = Mode::Tag(tag);
            return self.emit(c, out);
        }
        let Some(opener) = self.openers.pop_back() else { return self.text(c, out) };
        let opening = opener.place - self.passed;
        match verdict {
            Verdict::Address => self.held[opening] = None,
            Verdict::Tag | Verdict::Break => self.held.truncate(opening),
            Verdict::Open | Verdict::Text => {}
        }
        match verdict {
            Verdict::Text => {
                self.release(out);
                self.text(c, out);
            }
            Verdict::Break => self.end_line(out),
            _ => self.release(out),
        }
    }

    /// The character that comes next opens something.
    fn open(&mut self, kind: Kind, out: &mut String) {
        if self.openers.len() >= OPENERS_MAX {
            self.give_up_oldest(out);
        }
        self.openers.push_back(Opener { place: self.passed + self.held.len(), kind });
    }

    fn emit(&mut self, c: char, out: &mut String) {
        if self.openers.is_empty() {
            self.passed += 1;
            out.push(c);
            return;
        }
        self.held.push_back(Some(c));
        let held_max = match self.mode {
            Mode::Address { .. } => MARKUP_HELD_CHARS_MAX + LINK_ADDRESS_CHARS_MAX,
            _ => MARKUP_HELD_CHARS_MAX,
        };
        if self.held.len() > held_max {
            self.give_up_oldest(out);
        }
    }

    /// What may have been opened last is text.
    fn give_up_newest(&mut self, out: &mut String) {
        self.openers.pop_back();
        self.release(out);
    }

    fn give_up_oldest(&mut self, out: &mut String) {
        self.openers.pop_front();
        let is_of_opener = matches!(self.mode, Mode::Bracket | Mode::Address { .. } | Mode::Tag(_));
        if self.openers.is_empty() && is_of_opener {
            self.mode = Mode::Text;
        }
        self.release(out);
    }

    /// Lets go what stands in front of the oldest opener.
    fn release(&mut self, out: &mut String) {
        let end = self.passed + self.held.len();
        let place = self.openers.front().map_or(end, |opener| opener.place);
        let count = place - self.passed;
        self.passed = place;
        out.extend(self.held.drain(..count).flatten());
    }
}
