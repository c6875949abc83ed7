//! YAML with places: text in, a bounded tree out in which every value knows its line.
//!
//! Pure and total. Two things are read this way, the configuration and backend scripts, and both
//! promise that every mistake is reported at once with its line, what was expected and what was
//! found. [`parse`] builds the tree; [`Place`] and [`Fields`] decode it and collect the mistakes in
//! [`Errors`].
//!
//! Departures from YAML 1.2: one document, no tags, no merge keys, map keys are scalars, and a key
//! given twice is a mistake. Scalars are not typed by their looks but by what the decoder asks for,
//! so `no` is a perfectly good name.

mod decode;

use std::collections::HashMap;
use std::fmt;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, StrInput};

pub use decode::{Fields, Place};

use crate::limits::{YAML_BYTES_MAX, YAML_DEPTH_MAX, YAML_ERRORS_MAX, YAML_NODES_MAX};

/// A place in the text. Lines and columns count from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    pub line: u32,
    pub column: u32,
}

impl From<Marker> for Location {
    fn from(marker: Marker) -> Self {
        let from_one = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).max(1);
        Self { line: from_one(marker.line()), column: from_one(marker.col().saturating_add(1)) }
    }
}

/// One mistake in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlError {
    /// Where it is.
    pub at: Location,
    /// The field it is about, such as `agents.demo.turn.silence_ms`; empty for the whole text.
    pub path: String,
    /// What is wrong, what was expected and what was received.
    pub problem: String,
}

impl fmt::Display for YamlError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}, column {}: ", self.at.line, self.at.column)?;
        if !self.path.is_empty() {
            write!(formatter, "{}: ", self.path)?;
        }
        formatter.write_str(&self.problem)
    }
}

impl std::error::Error for YamlError {}

/// The mistakes found so far, at most [`YAML_ERRORS_MAX`]; more are counted, not kept.
#[derive(Clone, Debug, Default)]
pub struct Errors {
    found: Vec<YamlError>,
    unlisted: usize,
}

impl Errors {
    /// Nothing found yet.
    pub const fn new() -> Self {
        Self { found: Vec::new(), unlisted: 0 }
    }

    /// Adds a mistake.
    pub fn push(&mut self, at: Location, path: &str, problem: impl Into<String>) {
        if self.found.len() < YAML_ERRORS_MAX {
            self.found.push(YamlError { at, path: path.to_owned(), problem: problem.into() });
        } else {
            self.unlisted += 1;
        }
    }

    /// No mistake was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// `value` if nothing was wrong, else every mistake in the order of the text.
    pub fn into_result<T>(mut self, value: T) -> Result<T, Vec<YamlError>> {
        if self.found.is_empty() {
            return Ok(value);
        }
        self.found.sort_by_key(|error| error.at);
        if self.unlisted > 0 {
            let at = self.found.last().map_or_else(Location::default, |error| error.at);
            let problem = format!("and {} more mistakes", self.unlisted);
            self.found.push(YamlError { at, path: String::new(), problem });
        }
        Err(self.found)
    }
}

/// One value and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where it begins.
    pub at: Location,
    /// What it is.
    pub value: Value,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text. `plain` when it was written without quotes, so that it may stand for null.
    Scalar { text: String, plain: bool },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the text, no key twice.
    Map(Vec<Entry>),
}

/// One key of a mapping and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key is.
    pub at: Location,
    /// The value.
    pub node: Node,
}

impl Node {
    /// Nothing was written, or null was.
    pub fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The node as the root of decoding.
    pub fn root(&self) -> Place<'_> {
        Place::new(self, String::new())
    }

    fn count(&self) -> usize {
        1 + match &self.value {
            Value::Scalar { .. } => 0,
            Value::List(items) => items.iter().map(Self::count).sum(),
            Value::Map(entries) => entries.iter().map(|entry| entry.node.count()).sum(),
        }
    }

    fn depth(&self) -> usize {
        1 + match &self.value {
            Value::Scalar { .. } => 0,
            Value::List(items) => items.iter().map(Self::depth).max().unwrap_or(0),
            Value::Map(entries) => {
                entries.iter().map(|entry| entry.node.depth()).max().unwrap_or(0)
            }
        }
    }
}

/// Parses one document. Work and memory are bounded by [`YAML_BYTES_MAX`], [`YAML_DEPTH_MAX`] and
/// [`YAML_NODES_MAX`], the last counting what aliases expand to.
pub fn parse(text: &str) -> Result<Node, Vec<YamlError>> {
    let at = Location { line: 1, column: 1 };
    let mut builder = Builder::default();
    if text.len() > YAML_BYTES_MAX {
        let problem = format!("expected at most {YAML_BYTES_MAX} bytes, received {}", text.len());
        builder.errors.push(at, "", problem);
    } else if let Err((at, problem)) = builder.read(Parser::new_from_str(text)) {
        builder.errors.push(at, "", problem);
    }
    let empty = Node { at, value: Value::Scalar { text: String::new(), plain: true } };
    builder.errors.into_result(builder.root.unwrap_or(empty))
}

/// A collection whose end was not read yet.
struct Open {
    at: Location,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<(String, Location)> },
}

/// Why reading stopped.
type Stop = (Location, String);

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    documents: usize,
    root: Option<Node>,
    errors: Errors,
}

impl Builder {
    fn read(&mut self, mut parser: Parser<'_, StrInput<'_>>) -> Result<(), Stop> {
        while let Some(next) = parser.next_event() {
            let (event, span) =
                next.map_err(|error| ((*error.marker()).into(), error.info().to_owned()))?;
            self.handle(event, span.start.into())?;
        }
        Ok(())
    }

    fn handle(&mut self, event: Event<'_>, at: Location) -> Result<(), Stop> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err((at, "expected one document, received a second one".to_owned()));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.is_some(), at)?;
                let plain = style == ScalarStyle::Plain;
                let value = Value::Scalar { text: text.into_owned(), plain };
                self.finish(Node { at, value }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_tag(tag.is_some(), at)?;
                self.begin(Open { at, anchor, content: Content::List(Vec::new()) })
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(tag.is_some(), at)?;
                let content = Content::Map { entries: Vec::new(), key: None };
                self.begin(Open { at, anchor, content })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let value = match open.content {
                    Content::List(items) => Value::List(items),
                    Content::Map { entries, .. } => Value::Map(entries),
                };
                self.finish(Node { at: open.at, value }, open.anchor)
            }
            Event::Alias(anchor) => {
                let unfinished = || (at, "an alias may not stand inside what it names".to_owned());
                let mut node = self.anchors.get(&anchor).cloned().ok_or_else(unfinished)?;
                node.at = at;
                if self.open.len() + node.depth() > YAML_DEPTH_MAX {
                    return Err(too_deep(at));
                }
                self.nodes += node.count() - 1;
                self.finish(node, 0)
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn begin(&mut self, open: Open) -> Result<(), Stop> {
        if self.open.len() >= YAML_DEPTH_MAX {
            return Err(too_deep(open.at));
        }
        self.open.push(open);
        Ok(())
    }

    /// Puts a complete node where it belongs.
    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        self.nodes += 1;
        if self.nodes > YAML_NODES_MAX {
            let problem = format!("expected at most {YAML_NODES_MAX} values, aliases expanded");
            return Err((node.at, problem));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
            // A stored copy counts too, or nested anchors would be free.
            self.nodes += node.count();
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, key }) => match key.take() {
                None => *key = Some(scalar_key(node)?),
                Some((key, at)) => match entries.iter().find(|entry| entry.key == key) {
                    Some(first) => {
                        let line = first.at.line;
                        let problem = format!("is given twice, first in line {line}");
                        self.errors.push(at, &clip(&key), problem);
                    }
                    None => entries.push(Entry { key, at, node }),
                },
            },
        }
        Ok(())
    }
}

fn scalar_key(node: Node) -> Result<(String, Location), Stop> {
    match node.value {
        Value::Scalar { text, .. } => Ok((text, node.at)),
        Value::List(_) | Value::Map(_) => {
            Err((node.at, "expected text as a key, received a list or a map".to_owned()))
        }
    }
}

fn refuse_tag(present: bool, at: Location) -> Result<(), Stop> {
    if present {
        return Err((at, "tags (`!name`) are not supported; remove it".to_owned()));
    }
    Ok(())
}

fn too_deep(at: Location) -> Stop {
    (at, format!("expected at most {YAML_DEPTH_MAX} levels of nesting"))
}

/// Outside text as shown in a message: short and on one line.
fn clip(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 40;
    let mut shown: String =
        text.chars().take(SHOWN_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
