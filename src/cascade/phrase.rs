//! Cuts text that arrives in pieces into phrases that a synthesiser can speak, so that speaking begins
//! with the first of them.
//!
//! ```text
//! pieces -> lines (lists, headings, tables, fences) -> inline (emphasis, links, tags) -> boundary -> phrases
//! ```
//!
//! Each character goes through all three at once, and each of them holds back only what is not certain
//! yet. So a phrase comes out with the character that makes its end certain, whatever follows; in which
//! pieces the text came makes no difference; and the work for each character is bounded.

mod boundary;
mod inline;
mod lines;
mod scripts;
mod seam;
mod tag;
mod words;

#[cfg(test)]
mod tests;

use self::boundary::Boundary;
use self::inline::Inline;
use self::lines::Lines;
pub use self::seam::{wants_blank, whole_words};

/// Text of which the phrases are taken out, its Markdown and tags stripped.
///
/// The first phrase is short, since the user waits for it: any sentence, or a clause of some length. Later
/// ones are at least some words long, since a voice sounds better over a whole phrase. A line's end
/// always ends a phrase.
///
/// Each phrase has a letter or a digit, and at most [`SENTENCE_CHARS_MAX`] characters. What waits to be
/// certain is bounded by [`MARKUP_HELD_CHARS_MAX`], [`LINK_ADDRESS_CHARS_MAX`] and a phrase's own length;
/// how many phrases wait to be taken is up to who pushes.
///
/// [`SENTENCE_CHARS_MAX`]: crate::limits::SENTENCE_CHARS_MAX
/// [`MARKUP_HELD_CHARS_MAX`]: crate::limits::MARKUP_HELD_CHARS_MAX
/// [`LINK_ADDRESS_CHARS_MAX`]: crate::limits::LINK_ADDRESS_CHARS_MAX
#[derive(Clone, Debug, Default)]
pub struct Phrases {
    lines: Lines,
    inline: Inline,
    boundary: Boundary,
    /// What one character makes certain; empty between characters.
    unlined: String,
    plain: String,
}

impl Phrases {
    /// More of the text; it may break off anywhere.
    pub fn push(&mut self, piece: &str) {
        for c in piece.chars() {
            self.lines.push(normal(c), &mut self.unlined);
            self.pass_on();
        }
    }

    /// The next phrase whose end is certain.
    pub fn pop(&mut self) -> Option<String> {
        self.boundary.pop()
    }

    /// The next phrase, the text being complete; to be called until `None`. Text that is pushed after that
    /// goes on as if on a new line, with phrases of a later one's length.
    pub fn finish(&mut self) -> Option<String> {
        self.lines.finish(&mut self.unlined);
        self.pass_on();
        self.boundary.pop()
    }

    fn pass_on(&mut self) {
        for c in self.unlined.drain(..) {
            self.inline.push(c, &mut self.plain);
        }
        for c in self.plain.drain(..) {
            self.boundary.push(c);
        }
    }
}

/// One kind of line's end, and no control characters, which are nothing to a voice.
fn normal(c: char) -> char {
    match c {
        '\n' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => '\n',
        c if c.is_control() => ' ',
        c => c,
    }
}
