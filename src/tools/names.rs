//! Names of tools as models' servers accept them, Nova and those of chat completions alike:
//! `^[a-zA-Z0-9_-]{1,64}$`.
//!
//! One name that does not match costs the whole request, and names from elsewhere have dots and spaces.

use crate::limits::TOOL_WIRE_NAME_CHARS_MAX;

/// The names of one agent's tools on the wire, and the way back. The same list gives the same names every
/// time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    wire: Vec<String>,
}

impl Names {
    /// Names for tools that are called `originals`. What is acceptable stays as it is; in others each
    /// character that is not becomes `_`, and a number is added to what is taken already.
    pub fn new(originals: &[&str]) -> Self {
        let mut wire: Vec<String> = Vec::with_capacity(originals.len());
        let kept: Vec<&str> =
            originals.iter().copied().filter(|name| is_acceptable(name)).collect();
        for original in originals {
            let is_first = !wire.iter().any(|taken| taken == original);
            let name = match is_acceptable(original) && is_first {
                true => (*original).to_owned(),
                false => unique(&cleaned(original), |name| {
                    wire.iter().any(|taken| taken == name) || kept.contains(&name)
                }),
            };
            wire.push(name);
        }
        Self { wire }
    }

    /// The name of the tool at `index` in the list given to [`Names::new`].
    ///
    /// # Panics
    /// If the list was shorter.
    pub fn wire(&self, index: usize) -> &str {
        &self.wire[index]
    }

    /// The place in that list of the tool that a service calls `wire`.
    pub fn original(&self, wire: &str) -> Option<usize> {
        self.wire.iter().position(|name| name == wire)
    }
}

fn is_acceptable(name: &str) -> bool {
    (1..=TOOL_WIRE_NAME_CHARS_MAX).contains(&name.len()) && name.chars().all(is_plain)
}

fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

/// ASCII, at least one character, of any length.
fn cleaned(name: &str) -> String {
    match name.is_empty() {
        true => "tool".to_owned(),
        false => name.chars().map(|it| if is_plain(it) { it } else { '_' }).collect(),
    }
}

/// `name`, shortened, with the first number that makes it unlike all that are taken.
fn unique(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let with = |suffix: &str| {
        let room = TOOL_WIRE_NAME_CHARS_MAX - suffix.len();
        format!("{}{suffix}", &name[..name.len().min(room)])
    };
    let plain = std::iter::once(with(""));
    let numbered = (2_usize..).map(|number| with(&format!("_{number}")));
    let mut candidates = plain.chain(numbered);
    candidates.find(|name| !is_taken(name)).expect("there are more numbers than names")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_become_acceptable_and_stay_apart() {
        let long = "x".repeat(70);
        let cut = "x".repeat(64);
        let cut_second = format!("{}_2", "x".repeat(62));
        let rows: [(&[&str], &[&str]); 8] = [
            (&["get_order", "a-B-9"], &["get_order", "a-B-9"]),
            (&["orders.get"], &["orders_get"]),
            // Whoever is acceptable keeps the name, wherever it stands.
            (&["a.b", "a b", "a_b"], &["a_b_2", "a_b_3", "a_b"]),
            (&["a_b", "a.b", "a_b_2"], &["a_b", "a_b_3", "a_b_2"]),
            (&["same", "same"], &["same", "same_2"]),
            (&["", "é", "日本"], &["tool", "_", "__"]),
            (&[&long, &long], &[&cut, &cut_second]),
            (&[], &[]),
        ];
        for (originals, expected) in rows {
            let names = Names::new(originals);
            for (index, wire) in expected.iter().enumerate() {
                assert_eq!(names.wire(index), *wire, "{originals:?}");
                assert_eq!(names.original(wire), Some(index), "{originals:?}");
            }
            assert_eq!(names.original("never declared"), None);
        }
    }

    proptest! {
        #[test]
        fn any_names_come_back(originals in prop::collection::vec("[ab._ é]{0,3}|x{60,70}", 0..12)) {
            let originals: Vec<&str> = originals.iter().map(String::as_str).collect();
            let names = Names::new(&originals);
            for index in 0..originals.len() {
                let wire = names.wire(index);
                prop_assert!(is_acceptable(wire), "{}", wire);
                prop_assert_eq!(names.original(wire), Some(index));
            }
        }
    }
}
