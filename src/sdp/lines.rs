//! The lines of a description: `<letter>=<value>`, in sections that begin with `m=` (RFC 8866 §5).

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub letter: u8,
    pub value: &'a str,
}

impl<'a> Line<'a> {
    /// Name and value of an `a=` line; the value of a flag is empty.
    pub(super) fn attribute(self) -> Option<(&'a str, &'a str)> {
        (self.letter == b'a').then(|| self.value.split_once(':').unwrap_or((self.value, "")))
    }
}

/// Where a description stops being one: the line number, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadLine(pub usize);

/// The lines of `text`, ended by CR LF or LF. Empty lines are passed over.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Result<Line<'_>, BadLine>> {
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(|(index, line)| {
        let bad = BadLine(index + 1);
        let (letter, value) = line.split_once('=').ok_or(bad)?;
        match letter.as_bytes() {
            [letter @ b'a'..=b'z'] => Ok(Line { letter: *letter, value: value.trim_end() }),
            _ => Err(bad),
        }
    })
}
