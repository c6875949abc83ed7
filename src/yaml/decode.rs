//! From the located tree to typed values, collecting every mistake on the way.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Entry, Errors, Location, Node, Value, clip};

/// A node together with the path that leads to it. Its methods return `None` after reporting what
/// is wrong.
#[derive(Clone, Debug)]
pub struct Place<'n> {
    /// The value.
    pub node: &'n Node,
    /// The keys and indices from the root, such as `turns[2].reply`.
    pub path: String,
}

impl<'n> Place<'n> {
    pub(super) fn new(node: &'n Node, path: String) -> Self {
        Self { node, path }
    }

    /// Reports that something else was expected here.
    pub fn expected(&self, errors: &mut Errors, expected: &str) {
        let received = received(self.node);
        let problem = format!("expected {expected}, received {received}");
        errors.push(self.node.at, &self.path, problem);
    }

    /// Any scalar but null, as it was written.
    pub fn string(&self, errors: &mut Errors) -> Option<String> {
        self.scalar(errors, "text").map(str::to_owned)
    }

    /// `true` or `false`.
    pub fn bool(&self, errors: &mut Errors) -> Option<bool> {
        match self.scalar(errors, "true or false")? {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                self.expected(errors, "true or false");
                None
            }
        }
    }

    /// A whole number within `range`.
    pub fn u64_in(&self, errors: &mut Errors, range: RangeInclusive<u64>) -> Option<u64> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let parsed = self.scalar(errors, &expected)?.replace('_', "").parse().ok();
        self.within(errors, parsed.filter(|number| range.contains(number)), &expected)
    }

    /// A whole number within `range`.
    pub fn u32_in(&self, errors: &mut Errors, range: RangeInclusive<u32>) -> Option<u32> {
        let wide = u64::from(*range.start())..=u64::from(*range.end());
        self.u64_in(errors, wide).and_then(|number| u32::try_from(number).ok())
    }

    /// A finite number within `range`.
    pub fn f32_in(&self, errors: &mut Errors, range: RangeInclusive<f32>) -> Option<f32> {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        let parsed = self.scalar(errors, &expected)?.parse::<f32>().ok();
        self.within(errors, parsed.filter(|number| range.contains(number)), &expected)
    }

    /// A finite number within `range`.
    pub fn f64_in(&self, errors: &mut Errors, range: RangeInclusive<f64>) -> Option<f64> {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        let parsed = self.scalar(errors, &expected)?.parse::<f64>().ok();
        self.within(errors, parsed.filter(|number| range.contains(number)), &expected)
    }

    /// A whole number of milliseconds within `range_ms`.
    pub fn duration_ms(
        &self,
        errors: &mut Errors,
        range_ms: RangeInclusive<u64>,
    ) -> Option<Duration> {
        let expected = format!("milliseconds from {} to {}", range_ms.start(), range_ms.end());
        let parsed = self.scalar(errors, &expected)?.replace('_', "").parse().ok();
        self.within(errors, parsed.filter(|number| range_ms.contains(number)), &expected)
            .map(Duration::from_millis)
    }

    /// One of a few names; yields the value that belongs to it.
    pub fn choice<T: Copy>(&self, errors: &mut Errors, choices: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let expected = one_of(&names);
        let text = self.scalar(errors, &expected)?;
        let chosen = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        self.within(errors, chosen, &expected)
    }

    /// A list of at most `length_max` items.
    pub fn list(&self, errors: &mut Errors, length_max: usize) -> Option<Vec<Place<'n>>> {
        let Value::List(items) = &self.node.value else {
            self.expected(errors, "a list");
            return None;
        };
        self.bounded(errors, items.len(), length_max)?;
        let place = |(index, node)| Place::new(node, format!("{}[{index}]", self.path));
        Some(items.iter().enumerate().map(place).collect())
    }

    /// A map with free keys, at most `length_max` of them, in the order of the text.
    pub fn map(&self, errors: &mut Errors, length_max: usize) -> Option<Vec<(&'n str, Place<'n>)>> {
        let entries = self.entries(errors)?;
        self.bounded(errors, entries.len(), length_max)?;
        let place = |entry: &'n Entry| {
            (entry.key.as_str(), Place::new(&entry.node, join(&self.path, &entry.key)))
        };
        Some(entries.iter().map(place).collect())
    }

    /// A map with known keys. An unknown one is reported with the nearest known one. Null counts as
    /// an empty map.
    pub fn fields<'e>(&self, errors: &'e mut Errors, known: &[&str]) -> Option<Fields<'n, 'e>> {
        let entries = if self.node.is_null() { &[] } else { self.entries(errors)? };
        for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let problem = match nearest(&entry.key, known) {
                Some(near) => format!("unknown key; did you mean `{near}`?"),
                None => format!("unknown key; expected {}", one_of(known)),
            };
            errors.push(entry.at, &join(&self.path, &clip(&entry.key)), problem);
        }
        Some(Fields { path: self.path.clone(), at: self.node.at, entries, errors })
    }

    fn entries(&self, errors: &mut Errors) -> Option<&'n [Entry]> {
        match &self.node.value {
            Value::Map(entries) => Some(entries),
            Value::Scalar { .. } | Value::List(_) => {
                self.expected(errors, "a map of keys and values");
                None
            }
        }
    }

    fn scalar(&self, errors: &mut Errors, expected: &str) -> Option<&'n str> {
        match &self.node.value {
            Value::Scalar { text, .. } if !self.node.is_null() => Some(text),
            _ => {
                self.expected(errors, expected);
                None
            }
        }
    }

    fn within<T>(&self, errors: &mut Errors, value: Option<T>, expected: &str) -> Option<T> {
        if value.is_none() {
            self.expected(errors, expected);
        }
        value
    }

    fn bounded(&self, errors: &mut Errors, length: usize, length_max: usize) -> Option<()> {
        if length > length_max {
            let problem = format!("expected at most {length_max} entries, received {length}");
            errors.push(self.node.at, &self.path, problem);
            return None;
        }
        Some(())
    }
}

/// The keys of one map while they are being decoded.
///
/// Getters with a default return it when the key is absent and also, after reporting, when its value
/// is wrong, so that decoding goes on to find the other mistakes.
#[derive(Debug)]
pub struct Fields<'n, 'e> {
    path: String,
    at: Location,
    entries: &'n [Entry],
    errors: &'e mut Errors,
}

impl<'n> Fields<'n, '_> {
    /// Where mistakes are collected, for decoding what [`Fields::place`] yields.
    pub fn errors(&mut self) -> &mut Errors {
        self.errors
    }

    /// The value of `key`; `None` when it is absent or null.
    pub fn place(&self, key: &str) -> Option<Place<'n>> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        (!entry.node.is_null()).then(|| Place::new(&entry.node, join(&self.path, key)))
    }

    /// The value of `key`; its absence is a mistake.
    pub fn required(&mut self, key: &str) -> Option<Place<'n>> {
        let place = self.place(key);
        if place.is_none() {
            let entry = self.entries.iter().find(|entry| entry.key == key);
            let at = entry.map_or(self.at, |entry| entry.at);
            self.errors.push(at, &join(&self.path, key), "is required but has no value");
        }
        place
    }

    /// The keys that are present, in the order of the text.
    pub fn keys(&self) -> impl Iterator<Item = &'n str> {
        self.entries.iter().map(|entry| entry.key.as_str())
    }

    /// Reports a mistake about `key`, or about the whole map where `key` is absent.
    pub fn refuse(&mut self, key: &str, problem: impl Into<String>) {
        let entry = self.entries.iter().find(|entry| entry.key == key);
        let at = entry.map_or(self.at, |entry| entry.at);
        self.errors.push(at, &join(&self.path, key), problem);
    }

    /// Text, if given.
    pub fn string(&mut self, key: &str) -> Option<String> {
        self.place(key)?.string(self.errors)
    }

    /// Text of at most `chars_max` characters, if given.
    pub fn string_max(&mut self, key: &str, chars_max: usize) -> Option<String> {
        let place = self.place(key)?;
        let text = place.string(self.errors)?;
        let chars = text.chars().count();
        if chars > chars_max {
            let problem = format!("expected at most {chars_max} characters, received {chars}");
            self.errors.push(place.node.at, &place.path, problem);
            return None;
        }
        Some(text)
    }

    /// Text that must be given; empty after a mistake.
    pub fn required_string(&mut self, key: &str) -> String {
        self.required(key).and_then(|place| place.string(self.errors)).unwrap_or_default()
    }

    /// `true` or `false`.
    pub fn bool(&mut self, key: &str, default: bool) -> bool {
        self.place(key).and_then(|place| place.bool(self.errors)).unwrap_or(default)
    }

    /// A whole number within `range`.
    pub fn u32_in(&mut self, key: &str, range: RangeInclusive<u32>, default: u32) -> u32 {
        self.place(key).and_then(|place| place.u32_in(self.errors, range)).unwrap_or(default)
    }

    /// A whole number within `range`.
    pub fn u64_in(&mut self, key: &str, range: RangeInclusive<u64>, default: u64) -> u64 {
        self.place(key).and_then(|place| place.u64_in(self.errors, range)).unwrap_or(default)
    }

    /// A finite number within `range`.
    pub fn f32_in(&mut self, key: &str, range: RangeInclusive<f32>, default: f32) -> f32 {
        self.place(key).and_then(|place| place.f32_in(self.errors, range)).unwrap_or(default)
    }

    /// A finite number within `range`.
    pub fn f64_in(&mut self, key: &str, range: RangeInclusive<f64>, default: f64) -> f64 {
        self.place(key).and_then(|place| place.f64_in(self.errors, range)).unwrap_or(default)
    }

    /// A whole number of milliseconds within `range_ms`.
    pub fn duration_ms(
        &mut self,
        key: &str,
        range_ms: RangeInclusive<u64>,
        default: Duration,
    ) -> Duration {
        self.place(key)
            .and_then(|place| place.duration_ms(self.errors, range_ms))
            .unwrap_or(default)
    }

    /// One of a few names.
    pub fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)], default: T) -> T {
        self.place(key).and_then(|place| place.choice(self.errors, choices)).unwrap_or(default)
    }

    /// A list of at most `length_max` items; empty when absent.
    pub fn list(&mut self, key: &str, length_max: usize) -> Vec<Place<'n>> {
        self.place(key).and_then(|place| place.list(self.errors, length_max)).unwrap_or_default()
    }

    /// A map with free keys, at most `length_max`; empty when absent.
    pub fn map(&mut self, key: &str, length_max: usize) -> Vec<(&'n str, Place<'n>)> {
        self.place(key).and_then(|place| place.map(self.errors, length_max)).unwrap_or_default()
    }

    /// A map with known keys, if given.
    pub fn fields(&mut self, key: &str, known: &[&str]) -> Option<Fields<'n, '_>> {
        self.place(key)?.fields(self.errors, known)
    }
}

fn received(node: &Node) -> String {
    match &node.value {
        _ if node.is_null() => "nothing".to_owned(),
        Value::Scalar { text, .. } => format!("`{}`", clip(text)),
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a map".to_owned(),
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn one_of(names: &[&str]) -> String {
    match names {
        [] => "no key at all".to_owned(),
        [only] => format!("`{only}`"),
        _ => format!("one of `{}`", names.join("`, `")),
    }
}

/// The known key that `key` is most likely a slip of: at most a third of its letters differ.
fn nearest<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let distances = known.iter().map(|known| (edit_distance(key, known), *known));
    let (distance, near) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance * 3 <= near.chars().count().max(3)).then_some(near)
}

/// Letters to insert, delete, replace or swap with a neighbour to get from `a` to `b`.
fn edit_distance(a: &str, b: &str) -> usize {
    const COMPARED_CHARS_MAX: usize = 64;
    let a: Vec<char> = a.chars().take(COMPARED_CHARS_MAX).collect();
    let b: Vec<char> = b.chars().take(COMPARED_CHARS_MAX).collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let differs = usize::from(a[i - 1] != b[j - 1]);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                let swap = if swapped { rows[i - 2][j - 2] + 1 } else { usize::MAX };
                (rows[i - 1][j] + 1)
                    .min(rows[i][j - 1] + 1)
                    .min(rows[i - 1][j - 1] + differs)
                    .min(swap)
            };
        }
    }
    rows[a.len()][b.len()]
}
