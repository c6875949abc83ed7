//! Whether what begins with `<` is a tag of HTML or SSML, an address, or neither.
//!
//! Stricter than a browser, since text has comparisons in it: an attribute needs its value, and directly
//! behind a word only well-known tags may open.

/// Characters of a tag's name. A longer one is none.
const NAME_CHARS_MAX: usize = 32;
/// Tags that stand for the end of a line or for a pause.
const BREAKS: [&str; 17] = [
    "br", "p", "li", "ul", "ol", "div", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "table",
    "break", "s",
];
/// Other tags that may open directly behind a word.
const INLINE: [&str; 14] = [
    "a", "b", "i", "u", "em", "strong", "sub", "sup", "code", "span", "mark", "img", "emphasis",
    "prosody",
];

/// A tag so far.
#[derive(Clone, Debug)]
pub(super) struct Tag {
    state: State,
    name: String,
    is_behind_word: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// `<`
    Start,
    /// `</`
    Closing,
    Name,
    /// Between attributes.
    Gap,
    Attribute,
    /// Behind `=`.
    Value,
    Quoted(char),
    Bare,
    /// Behind the `/` of a tag that closes itself.
    Slash,
    /// `<!`
    Bang,
    /// `<!-`, and so many dashes at the end so far.
    Comment(usize),
    /// `<!DOCTYPE`, `<?xml`
    Declaration,
    /// `<https://`, `<name@`
    Address,
}

/// What the next character makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Open,
    /// A tag, complete.
    Tag,
    /// A tag that ends a line, complete.
    Break,
    /// An address between `<` and `>`, complete.
    Address,
    /// No tag.
    Text,
}

impl Tag {
    /// A `<`, directly behind a letter or a digit or not.
    pub(super) const fn new(is_behind_word: bool) -> Self {
        Self { state: State::Start, name: String::new(), is_behind_word }
    }

    pub(super) fn step(&mut self, c: char) -> Verdict {
        use State as S;
        let is_name = c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '_');
        self.state = match (self.state, c) {
            (_, '\n') => return Verdict::Text,
            (S::Start, '/') => S::Closing,
            (S::Start, '!') => S::Bang,
            (S::Start, '?') => S::Declaration,
            (S::Bang, '-') => S::Comment(0),
            (S::Bang, c) if c.is_ascii_alphabetic() => S::Declaration,
            (S::Start, c) if c.is_ascii_alphabetic() => return self.in_name(c, S::Name),
            (S::Closing, c) if is_name => return self.in_name(c, S::Closing),
            (S::Closing, '>') if !self.name.is_empty() => return self.complete(),
            (S::Name, c) if is_name => return self.in_name(c, S::Name),
            (S::Name, '/') if self.name.ends_with(':') => S::Address,
            (S::Name, '@' | '.') => S::Address,
            (S::Name | S::Gap, '/') => S::Slash,
            (S::Name | S::Gap | S::Bare, '>') => return self.complete_opening(),
            (S::Name | S::Gap | S::Bare, c) if c.is_whitespace() => S::Gap,
            (S::Gap, _) if is_name => S::Attribute,
            (S::Attribute, '=') => S::Value,
            (S::Attribute, c) if is_name || c == '.' => S::Attribute,
            (S::Value, '"' | '\'') => S::Quoted(c),
            (S::Value, c) if !c.is_whitespace() && c != '>' => S::Bare,
            (S::Quoted(quote), c) => {
                if c == quote {
                    S::Gap
                } else {
                    S::Quoted(quote)
                }
            }
            (S::Bare, c) if c != '<' => S::Bare,
            (S::Slash, '>') => return self.complete_opening(),
            (S::Declaration | S::Comment(2..), '>') => return Verdict::Tag,
            (S::Comment(dashes), '-') => S::Comment(dashes + 1),
            (S::Comment(_), _) => S::Comment(0),
            (S::Declaration, c) if c != '<' => S::Declaration,
            (S::Address, '>') => return Verdict::Address,
            (S::Address, c) if !c.is_whitespace() && c != '<' => S::Address,
            _ => return Verdict::Text,
        };
        Verdict::Open
    }

    fn in_name(&mut self, c: char, state: State) -> Verdict {
        if self.name.len() >= NAME_CHARS_MAX {
            return Verdict::Text;
        }
        self.name.push(c.to_ascii_lowercase());
        self.state = state;
        Verdict::Open
    }

    fn complete_opening(&self) -> Verdict {
        let name = self.name.as_str();
        let is_known = BREAKS.contains(&name) || INLINE.contains(&name);
        if self.is_behind_word && !is_known { Verdict::Text } else { self.complete() }
    }

    fn complete(&self) -> Verdict {
        if BREAKS.contains(&self.name.as_str()) { Verdict::Break } else { Verdict::Tag }
    }
}
