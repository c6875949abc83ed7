//! What a line is: headings, lists, quotes and tables lose their marks, fenced code is left out.
//!
//! Horizontal rules, underlines of headings and the line below a table's head need no rule: a line without
//! a letter or a digit is no phrase.

use crate::limits::CODE_BLOCK_CHARS_MAX;

/// Characters on a fence's first line, behind the fence. With more it is no fence.
const INFO_CHARS_MAX: usize = 64;
/// From so many on, backticks or tildes fence code.
const FENCE_COUNT_MIN: usize = 3;

/// Strips what marks lines. Its output has one `\n` for each end of a line.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    state: State,
    /// The length of the run of backticks that opened code within this line.
    code: Option<usize>,
}

#[derive(Clone, Debug, Default)]
enum State {
    /// Nothing but marks and blanks so far.
    #[default]
    Start,
    /// So many `#`: with a blank behind them a heading.
    Heading(usize),
    /// A `>`: with a blank behind it a quote.
    Quote,
    /// With a blank behind it an item of a list.
    Bullet(char),
    Text,
    /// A row of a table. Pipes between two cells become commas.
    Row(Row),
    /// A run of what may fence code.
    Ticks(Fence),
    /// The rest of a fence's first line.
    Info(Fence, String),
    /// Within fenced code.
    Code {
        fence: Fence,
        chars: usize,
        closing: Closing,
    },
}

#[derive(Clone, Copy, Debug)]
struct Fence {
    mark: char,
    count: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Row {
    has_text: bool,
    after_blank: bool,
    after_pipe: bool,
}

/// How much of a closing fence the line within code is so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    /// So many of the fence's marks.
    Marks(usize),
    /// All of them, and blanks.
    Blanks,
    No,
}

impl Lines {
    pub(super) fn push(&mut self, c: char, out: &mut String) {
        match std::mem::take(&mut self.state) {
            State::Start => self.start(c, out),
            State::Heading(count) => match c {
                '#' => self.state = State::Heading(count + 1),
                c if c.is_whitespace() && count <= 6 => self.start(c, out),
                c => {
                    out.extend(std::iter::repeat_n('#', count));
                    self.text(c, out);
                }
            },
            State::Quote => {
                if c == '>' || c.is_whitespace() {
                    self.start(c, out);
                } else {
                    out.push('>');
                    self.text(c, out);
                }
            }
            State::Bullet(mark) => {
                if c.is_whitespace() {
                    self.start(c, out);
                } else {
                    out.push(mark);
                    self.text(c, out);
                }
            }
            State::Text => self.text(c, out),
            State::Row(row) => self.row(row, c, out),
            State::Ticks(Fence { mark, count }) if c == mark => {
                self.state = State::Ticks(Fence { mark, count: count + 1 });
            }
            State::Ticks(fence) => self.behind_ticks(fence, c, out),
            State::Info(fence, info) => self.info(fence, info, c, out),
            State::Code { fence, chars, closing } => {
                self.code_block(fence, chars, closing, c, out);
            }
        }
    }

    /// The text is complete: what is held is decided, and the line ends.
    pub(super) fn finish(&mut self, out: &mut String) {
        if matches!(self.state, State::Info(..)) {
            self.state = State::Start;
        }
        // The first ends what may be a fence; then the state is forgotten.
        self.push('\n', out);
        *self = Self::default();
    }

    fn start(&mut self, c: char, out: &mut String) {
        self.state = match c {
            '#' => State::Heading(1),
            '>' => State::Quote,
            '-' | '+' | '*' | '•' | '–' | '—' => State::Bullet(c),
            '|' => State::Row(Row::default()),
            '~' => State::Ticks(Fence { mark: c, count: 1 }),
            '\n' => {
                out.push(c);
                State::Start
            }
            c if c.is_whitespace() => State::Start,
            c => return self.text(c, out),
        };
    }

    fn text(&mut self, c: char, out: &mut String) {
        self.state = match c {
            '\n' => {
                self.code = None;
                out.push(c);
                State::Start
            }
            '`' => State::Ticks(Fence { mark: c, count: 1 }),
            c => {
                out.push(c);
                State::Text
            }
        };
    }

    fn row(&mut self, mut row: Row, c: char, out: &mut String) {
        match c {
            '\n' => return self.text(c, out),
            '|' => row.after_pipe = true,
            c if c.is_whitespace() => row.after_blank = true,
            c => {
                if row.has_text && row.after_pipe {
                    out.push_str(", ");
                } else if row.has_text && row.after_blank {
                    out.push(' ');
                }
                out.push(c);
                row = Row { has_text: true, ..Row::default() };
            }
        }
        self.state = State::Row(row);
    }

    /// The run is over: it fences code, or is within the line.
    fn behind_ticks(&mut self, fence: Fence, c: char, out: &mut String) {
        let closes = self.code == Some(fence.count);
        if self.code.is_none() && fence.count >= FENCE_COUNT_MIN {
            return self.info(fence, String::new(), c, out);
        }
        if closes {
            self.code = None;
        }
        out.extend(std::iter::repeat_n(fence.mark, fence.count));
        self.text(c, out);
    }

    fn info(&mut self, fence: Fence, mut info: String, c: char, out: &mut String) {
        let is_inline = c == fence.mark;
        if c == '\n' {
            self.state = State::Code { fence, chars: 0, closing: Closing::Marks(0) };
            out.push(c);
        } else if is_inline || info.chars().count() >= INFO_CHARS_MAX {
            self.code = Some(fence.count);
            out.extend(std::iter::repeat_n(fence.mark, fence.count));
            out.push_str(&info);
            self.text(c, out);
        } else {
            info.push(c);
            self.state = State::Info(fence, info);
        }
    }

    fn code_block(
        &mut self,
        fence: Fence,
        chars: usize,
        closing: Closing,
        c: char,
        out: &mut String,
    ) {
        let is_whole = closing == Closing::Blanks
            || matches!(closing, Closing::Marks(count) if count >= fence.count);
        if c == '\n' && is_whole {
            return;
        }
        if chars >= CODE_BLOCK_CHARS_MAX {
            return self.text(c, out);
        }
        let closing = match (c, closing) {
            ('\n', _) => Closing::Marks(0),
            (c, Closing::Marks(count)) if c == fence.mark => Closing::Marks(count + 1),
            (c, Closing::Marks(0)) if c.is_whitespace() => Closing::Marks(0),
            (c, _) if c.is_whitespace() && is_whole => Closing::Blanks,
            _ => Closing::No,
        };
        self.state = State::Code { fence, chars: chars + 1, closing };
    }
}
