//! The pieces of a reply that the client was shown, and which of them were spoken.

use crate::limits::{MESSAGE_TEXT_CHARS_MAX, REPLY_SEGMENTS_MAX};

/// The segments of one reply, in the order in which they are spoken.
#[derive(Clone, Debug, Default)]
pub(super) struct Segments {
    list: Vec<Segment>,
}

/// One piece of a reply's text, at most [`MESSAGE_TEXT_CHARS_MAX`] characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Unique in the call, growing.
    pub(super) id: u32,
    pub(super) text: String,
}

/// How much of a segment was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken<'a> {
    All,
    Part { accumulated: &'a str, remaining: &'a str },
    Nothing,
}

impl Segments {
    /// Keeps a segment, up to [`REPLY_SEGMENTS_MAX`].
    pub(super) fn push(&mut self, id: u32, text: &str) {
        if self.list.len() < REPLY_SEGMENTS_MAX {
            self.list.push(Segment { id, text: text.to_owned() });
        }
    }

    /// Every segment, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Segment> {
        self.list.iter()
    }

    /// Every segment with what of it was heard, given the text that was heard of the whole reply.
    ///
    /// The two are compared by their visible characters, because how a backend joins its sentences
    /// with white space is its own affair.
    pub(super) fn heard<'a>(
        &'a self,
        heard: &str,
    ) -> impl Iterator<Item = (&'a Segment, Spoken<'a>)> {
        let mut left = visible(heard);
        self.list.iter().map(move |segment| {
            let own = visible(&segment.text);
            let spoken = match left {
                _ if own <= left => Spoken::All,
                0 => Spoken::Nothing,
                _ => {
                    let (accumulated, remaining) = split_after_visible(&segment.text, left);
                    Spoken::Part { accumulated, remaining }
                }
            };
            left = left.saturating_sub(own);
            (segment, spoken)
        })
    }
}

/// `text` in pieces that each fit a message, cut behind white space where there is some.
pub(super) fn pieces(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let hard_end = match text.char_indices().nth(MESSAGE_TEXT_CHARS_MAX) {
            None => text.len(),
            Some((end, _)) => text[..end].rfind(char::is_whitespace).map_or(end, |space| {
                // Behind the white space, whatever its width.
                space + text[space..].chars().next().map_or(0, char::len_utf8)
            }),
        };
        let (piece, rest) = text.split_at(hard_end);
        text = rest;
        Some(piece)
    })
}

/// The beginning of `text` that fits a message.
pub(super) fn clipped(text: &str) -> &str {
    text.char_indices().nth(MESSAGE_TEXT_CHARS_MAX).map_or(text, |(end, _)| &text[..end])
}

fn visible(text: &str) -> usize {
    text.chars().filter(|character| !character.is_whitespace()).count()
}

/// Splits behind the `count`-th visible character; the white space after it goes with the rest.
fn split_after_visible(text: &str, count: usize) -> (&str, &str) {
    text.char_indices().filter(|(_, character)| !character.is_whitespace()).nth(count).map_or(
        (text, ""),
        |(at, _)| {
            let accumulated = text[..at].trim_end();
            (accumulated, &text[accumulated.len()..])
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_heard_divides_the_segments_at_the_word_where_it_was_cut() {
        let mut segments = Segments::default();
        segments.push(1, "One two. ");
        segments.push(2, "Three four.");
        segments.push(3, "Five.");
        let rows = [
            ("", ["-", "-", "-"]),
            ("One", ["One| two. ", "-", "-"]),
            ("One two.", ["all", "-", "-"]),
            ("One two. Three", ["all", "Three| four.", "-"]),
            ("One two.Three four.", ["all", "all", "-"]),
            ("One two. Three four. Five.", ["all", "all", "all"]),
            ("longer than all that was ever said in this reply", ["all", "all", "all"]),
        ];
        for (heard, expect) in rows {
            let found: Vec<String> = segments
                .heard(heard)
                .map(|(_, spoken)| match spoken {
                    Spoken::All => "all".to_owned(),
                    Spoken::Nothing => "-".to_owned(),
                    Spoken::Part { accumulated, remaining } => format!("{accumulated}|{remaining}"),
                })
                .collect();
            assert_eq!(found, expect, "heard {heard:?}");
        }
    }

    #[test]
    fn segments_beyond_the_limit_are_not_kept() {
        let mut segments = Segments::default();
        for id in 0..2 * REPLY_SEGMENTS_MAX as u32 {
            segments.push(id, "word");
        }
        assert_eq!(segments.iter().count(), REPLY_SEGMENTS_MAX);
    }

    proptest! {
        #[test]
        fn pieces_lose_nothing_and_each_fits(text in "(\\PC|\\s){0,4000}") {
            let all: Vec<&str> = pieces(&text).collect();
            prop_assert_eq!(all.concat(), text.clone());
            for piece in all {
                let length = piece.chars().count();
                prop_assert!((1..=MESSAGE_TEXT_CHARS_MAX).contains(&length), "{}", length);
            }
            prop_assert!(text.starts_with(clipped(&text)));
        }

        #[test]
        fn a_split_loses_nothing(text in "[ab é\u{3000}]{0,20}", heard in "[ab ]{0,20}") {
            let mut segments = Segments::default();
            segments.push(1, &text);
            for (segment, spoken) in segments.heard(&heard) {
                if let Spoken::Part { accumulated, remaining } = spoken {
                    prop_assert_eq!(visible(accumulated), visible(&heard));
                    prop_assert_eq!(format!("{accumulated}{remaining}"), segment.text.clone());
                }
            }
        }
    }
}
