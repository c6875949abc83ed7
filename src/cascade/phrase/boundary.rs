//! Where a phrase may end, and is long enough to.

use std::collections::VecDeque;

use super::scripts::{
    JOINER, THAI_REPETITION, are_joined, closes, ends_clause, ends_sentence, is_combining,
    is_emoji, is_invisible, is_long_dash, is_of_spaceless, is_wide,
};
use super::words::full_stop;
use crate::limits::SENTENCE_CHARS_MAX;

/// The first phrase may be a clause of this length or of so many words: shorter ones ("Well,") sound
/// torn off, and save next to nothing.
const FIRST_CLAUSE_LENGTH_MIN: usize = 12;
/// See [`FIRST_CLAUSE_LENGTH_MIN`].
const FIRST_CLAUSE_WORDS_MIN: usize = 3;
/// The shortest later sentence; shorter ones join the next.
const SENTENCE_LENGTH_MIN: usize = 24;
/// From this length on a later phrase may be a clause.
const CLAUSE_LENGTH_MIN: usize = 100;

/// Takes plain text, a character at a time, and cuts it into phrases. `\n` ends a phrase.
#[derive(Clone, Debug, Default)]
pub(super) struct Boundary {
    /// The phrase so far, without a blank in front or two in a row.
    text: String,
    size: Size,
    /// Behind the last blank, in bytes: where a phrase that becomes too long is cut.
    word_start: Option<usize>,
    pending: Pending,
    /// Whether the character before was a picture, which left at most a blank.
    after_emoji: bool,
    /// Whether a phrase was cut already.
    has_begun: bool,
    phrases: VecDeque<String>,
}

/// How much there is to say.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    chars: usize,
    /// In letters: accents count nothing, and what is a syllable by itself counts as three.
    length: usize,
    words: usize,
    is_within_word: bool,
    has_word: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum Pending {
    #[default]
    Nothing,
    /// The text ends in a mark, which may go on, and brackets and quotes that close behind it.
    Mark(Mark),
    /// And in a blank: what comes next decides.
    Blank(Mark),
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    kind: Kind,
    /// Needs no blank behind it.
    is_tight: bool,
}

/// What a mark may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sentence,
    SentenceUnlessDigit,
    SentenceUnlessSmall,
    SentenceIfCapital,
    /// A sentence where a capital letter follows, else a clause.
    Ellipsis,
    Clause,
    ClauseUnlessDigit,
    /// A blank in a script whose clauses end so.
    Gap,
    /// Nothing: a part of its word.
    Inside,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Sentence,
    Clause,
}

impl Boundary {
    pub(super) fn push(&mut self, c: char) {
        if is_invisible(c) || self.after_emoji && c == JOINER {
            return;
        }
        if c == '\n' {
            self.cut();
        } else if is_emoji(c) {
            self.push_blank();
            self.after_emoji = true;
        } else if c.is_whitespace() {
            self.push_blank();
        } else {
            self.push_visible(c);
            self.after_emoji = false;
        }
    }

    pub(super) fn pop(&mut self) -> Option<String> {
        self.phrases.pop_front()
    }

    fn push_blank(&mut self) {
        let Some(last) = self.text.chars().next_back() else { return };
        match self.pending {
            Pending::Mark(mark) => match mark.kind {
                Kind::Sentence => self.end(End::Sentence),
                Kind::Clause => self.end(End::Clause),
                Kind::Inside => self.pending = Pending::Nothing,
                _ => self.pending = Pending::Blank(mark),
            },
            Pending::Nothing if is_of_spaceless(last) => {
                self.pending = Pending::Blank(Mark { kind: Kind::Gap, is_tight: false });
            }
            _ => {}
        }
        if self.size.chars >= SENTENCE_CHARS_MAX {
            self.cut();
        } else if !self.text.is_empty() && last != ' ' {
            self.append(' ');
            self.word_start = Some(self.text.len());
        }
    }

    fn push_visible(&mut self, c: char) {
        match std::mem::take(&mut self.pending) {
            Pending::Mark(mark) => {
                if let Some(mark) = self.prolonged(mark, c) {
                    self.append(c);
                    self.pending = Pending::Mark(mark);
                    return;
                }
                if mark.is_tight {
                    self.end_before(mark, c);
                }
            }
            Pending::Blank(mark) => self.end_before(mark, c),
            Pending::Nothing => {}
        }
        if self.after_emoji && (c == '.' || ends_sentence(c) || ends_clause(c)) {
            self.take_back_blank();
        }
        let mark = self.mark(c);
        self.append(c);
        self.pending = mark.map_or(Pending::Nothing, Pending::Mark);
    }

    /// What `c`, behind the text, is as a mark.
    fn mark(&self, c: char) -> Option<Mark> {
        let last = self.text.chars().next_back();
        let is_behind_digit = last.is_some_and(char::is_numeric);
        let mut is_tight = !c.is_ascii();
        let kind = match c {
            '.' => full_stop(&self.text),
            '…' => {
                is_tight = last.is_some_and(is_wide);
                Kind::Ellipsis
            }
            '．' if is_behind_digit => Kind::SentenceUnlessDigit,
            c if ends_sentence(c) => Kind::Sentence,
            c if ends_clause(c) && is_behind_digit => Kind::ClauseUnlessDigit,
            c if ends_clause(c) => Kind::Clause,
            c if is_long_dash(c) => Kind::ClauseUnlessDigit,
            // Else a hyphen, or the dash of a range.
            '-' | '–' if last == Some(' ') => {
                is_tight = false;
                Kind::ClauseUnlessDigit
            }
            _ => return None,
        };
        Some(Mark { kind, is_tight })
    }

    /// What `mark` becomes with `c` directly behind it; `None` if `c` is no part of it.
    fn prolonged(&self, mark: Mark, c: char) -> Option<Mark> {
        let last = self.text.chars().next_back();
        let is_dotted = matches!(last, Some('.' | '…'));
        let kind = match (mark.kind, c) {
            // Of quoted speech, which the sentence may go on behind.
            (Kind::Sentence | Kind::SentenceUnlessDigit, c)
                if closes(c, mark.is_tight) && !mark.is_tight =>
            {
                Kind::SentenceUnlessSmall
            }
            (kind, c) if closes(c, mark.is_tight) => kind,
            (_, '.' | '…') if is_dotted => Kind::Ellipsis,
            (kind, '.' | '…') => kind,
            (_, c) if ends_sentence(c) => Kind::Sentence,
            (Kind::Inside, c) if ends_clause(c) => Kind::Inside,
            (_, c) if ends_clause(c) => Kind::Clause,
            (kind, '-' | '–' | '—' | '―') if last == Some(c) => kind,
            _ => return None,
        };
        let is_tight = mark.is_tight || ends_sentence(c) && !c.is_ascii();
        Some(Mark { kind, is_tight })
    }

    /// Ends the phrase before `next`, if `mark` says so.
    fn end_before(&mut self, mark: Mark, next: char) {
        let end = match mark.kind {
            Kind::Sentence => End::Sentence,
            Kind::SentenceUnlessDigit if !next.is_numeric() => End::Sentence,
            Kind::SentenceUnlessSmall if !next.is_lowercase() => End::Sentence,
            Kind::SentenceIfCapital if next.is_alphabetic() && !next.is_lowercase() => {
                End::Sentence
            }
            Kind::Ellipsis if next.is_uppercase() => End::Sentence,
            Kind::Ellipsis | Kind::Clause => End::Clause,
            Kind::ClauseUnlessDigit if !next.is_numeric() => End::Clause,
            Kind::Gap if is_of_spaceless(next) && next != THAI_REPETITION => End::Clause,
            _ => return,
        };
        self.end(end);
    }

    /// Cuts, if there is enough to say.
    fn end(&mut self, end: End) {
        self.pending = Pending::Nothing;
        let Size { length, words, has_word, .. } = self.size;
        let is_enough = match end {
            End::Sentence => !self.has_begun || length >= SENTENCE_LENGTH_MIN,
            End::Clause if self.has_begun => length >= CLAUSE_LENGTH_MIN,
            End::Clause => length >= FIRST_CLAUSE_LENGTH_MIN || words >= FIRST_CLAUSE_WORDS_MIN,
        };
        // Marks alone are not said, and begin no phrase.
        if is_enough || !has_word {
            self.cut();
        }
    }

    /// The text is a phrase, if there is anything to say.
    fn cut(&mut self) {
        self.pending = Pending::Nothing;
        self.word_start = None;
        if self.size.has_word {
            self.has_begun = true;
            self.phrases.push_back(self.text.trim_end().to_owned());
        }
        self.text.clear();
        self.size = Size::default();
    }

    fn append(&mut self, c: char) {
        if self.size.chars >= SENTENCE_CHARS_MAX {
            self.cut_anywhere(c);
        }
        self.text.push(c);
        self.size.add(c);
    }

    /// Cuts a text that has become too long, `next` being behind it.
    fn cut_anywhere(&mut self, next: char) {
        let end = self.word_start.unwrap_or_else(|| sign_end(&self.text, next));
        let rest = self.text.split_off(end);
        self.cut();
        for c in rest.chars() {
            self.size.add(c);
        }
        self.text = rest;
    }

    /// A picture was between a word and the mark behind it.
    fn take_back_blank(&mut self) {
        if self.text.ends_with(' ') {
            self.text.pop();
            self.size.chars -= 1;
            self.size.length -= 1;
            self.word_start = None;
        }
    }
}

impl Size {
    fn add(&mut self, c: char) {
        self.chars += 1;
        self.has_word |= c.is_alphanumeric();
        if is_combining(c) {
            return;
        }
        self.length += if is_wide(c) { 3 } else { 1 };
        if c.is_alphanumeric() && !self.is_within_word {
            self.words += 1;
            self.is_within_word = true;
        } else if c == ' ' {
            self.is_within_word = false;
        }
    }
}

/// Where the last whole sign of `text` ends, in bytes, `next` being behind it.
fn sign_end(text: &str, next: char) -> usize {
    let mut next = next;
    for (at, c) in text.char_indices().rev() {
        if !are_joined(c, next) {
            return at + c.len_utf8();
        }
        next = c;
    }
    text.len()
}
