//! User words that were lost, and ones that nobody said: what was said against the agent's transcripts.

use serde::Serialize;

/// Words of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Words {
    /// Said by the caller.
    pub said: usize,
    /// Not in the transcripts, or not there in order.
    pub lost: usize,
    /// In the transcripts and not said then: duplicated or invented.
    pub extra: usize,
}

/// Compares texts word by word, in order (longest common subsequence). A word that a recogniser mistakes
/// for another counts as one lost and one extra.
pub fn words<'a>(
    said: impl IntoIterator<Item = &'a str>,
    heard: impl IntoIterator<Item = &'a str>,
) -> Words {
    let said: Vec<String> = said.into_iter().flat_map(split).collect();
    let heard: Vec<String> = heard.into_iter().flat_map(split).collect();
    let mut above = vec![0; heard.len() + 1];
    for word in &said {
        let mut row = vec![0];
        for (index, other) in heard.iter().enumerate() {
            let best =
                if word == other { above[index] + 1 } else { above[index + 1].max(row[index]) };
            row.push(best);
        }
        above = row;
    }
    let common = above.last().copied().unwrap_or(0);
    Words { said: said.len(), lost: said.len() - common, extra: heard.len() - common }
}

fn split(text: &str) -> Vec<String> {
    let is_of_word = |letter: char| letter.is_alphanumeric() || letter == '\'';
    text.split(|letter| !is_of_word(letter))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_and_duplicated_words_are_counted() {
        for (said, heard, lost, extra) in [
            (&["Wait, stop.", "What time is it?"][..], &["wait stop what time is it"][..], 0, 0),
            (&["please tell me more"], &["tell me more"], 1, 0),
            (&["please tell me more"], &["please please tell me more"], 0, 1),
            (&["book a table for", "two people"], &["two people", "book a table for"], 2, 2),
            (&["one two"], &[], 2, 0),
            (&[], &["the"], 0, 1),
        ] {
            let found = words(said.iter().copied(), heard.iter().copied());
            assert_eq!((found.lost, found.extra), (lost, extra), "{said:?} {heard:?}");
        }
    }
}
