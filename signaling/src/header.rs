//! Parsers of the header values and query that matter here. Pure; fed with bytes from anyone.

use crate::limits::{AGENT_CHARS_MAX, ENTITY_TAGS_MAX, TOKEN_BYTES_MAX};
use crate::port::IfMatch;

/// Why an `If-Match` value is not one (RFC 9110 §13.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IfMatchError {
    /// Nothing between the commas.
    #[error("the list of entity tags is empty")]
    Empty,
    /// Not `*` and not quoted.
    #[error("an entity tag must be in double quotes")]
    Unquoted,
    /// A closing quote is missing, or a character is not allowed in a tag.
    #[error("an entity tag is not closed or holds a character that is not allowed")]
    BadTag,
    /// `*` beside tags.
    #[error("`*` stands alone")]
    MixedStar,
    /// More than [`ENTITY_TAGS_MAX`].
    #[error("too many entity tags")]
    TooMany,
}

/// Why an `Authorization` value holds no bearer token (RFC 6750 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BearerError {
    /// Another scheme, or none.
    #[error("the scheme must be Bearer")]
    OtherScheme,
    /// Empty, or a character outside `b64token`.
    #[error("the token after `Bearer ` is empty or holds a character that is not allowed")]
    Malformed,
    /// More than [`TOKEN_BYTES_MAX`] bytes.
    #[error("the token is too long")]
    TooLong,
}

/// Why a query cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A parameter other than `agent`. Ignoring a misspelt one would call the wrong agent.
    #[error("the only parameter is `agent`")]
    UnknownParameter,
    /// `agent` twice.
    #[error("`agent` is given more than once")]
    Repeated,
    /// Not an agent name.
    #[error("an agent's name is 1 to {AGENT_CHARS_MAX} letters, digits, `-`, `_` and `.`")]
    BadName,
}

/// The media type of a `Content-Type` value, without its parameters: `application/sdp` of
/// `application/sdp; charset=utf-8`. `None` if it is not of the form `type/subtype`.
pub fn media_type(value: &str) -> Option<&str> {
    let essence = value.split(';').next().unwrap_or_default().trim_matches([' ', '\t']);
    let (kind, subtype) = essence.split_once('/')?;
    (is_token(kind) && is_token(subtype)).then_some(essence)
}

/// The token of an `Authorization: Bearer` value. The scheme's case does not matter.
pub fn bearer(value: &str) -> Result<&str, BearerError> {
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(BearerError::OtherScheme);
    }
    let token = token.trim_matches(' ');
    if token.len() > TOKEN_BYTES_MAX {
        return Err(BearerError::TooLong);
    }
    let body = token.trim_end_matches('=');
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if body.is_empty() || !body.bytes().all(legal) {
        return Err(BearerError::Malformed);
    }
    Ok(token)
}

/// An `If-Match` value: `*` (also in quotes, as WHIP's own example writes it) or a list of tags.
///
/// Weak tags are kept as they are: they never compare equal to a strong one, which is what the
/// strong comparison of RFC 9110 §8.8.3.2 asks for.
pub fn if_match(value: &str) -> Result<IfMatch, IfMatchError> {
    let mut rest = skip_separators(value);
    if rest.is_empty() {
        return Err(IfMatchError::Empty);
    }
    let mut tags = Vec::new();
    let mut star = false;
    while !rest.is_empty() {
        let end = tag_end(rest)?;
        let (tag, after) = rest.split_at(end);
        star |= tag == "*" || tag == "\"*\"";
        if tags.len() == ENTITY_TAGS_MAX {
            return Err(IfMatchError::TooMany);
        }
        tags.push(tag.to_owned());
        let next = skip_separators(after);
        let separated = after[..after.len() - next.len()].contains(',');
        if !next.is_empty() && !separated {
            return Err(IfMatchError::BadTag);
        }
        rest = next;
    }
    match (star, tags.len()) {
        (true, 1) => Ok(IfMatch::Any),
        (true, _) => Err(IfMatchError::MixedStar),
        (false, _) => Ok(IfMatch::Tags(tags)),
    }
}

/// The agent named by the query of `/v1/rtc?agent=NAME`.
pub fn agent_query(query: &str) -> Result<Option<&str>, QueryError> {
    let mut agent = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if key != "agent" {
            return Err(QueryError::UnknownParameter);
        }
        if agent.is_some() {
            return Err(QueryError::Repeated);
        }
        if !is_agent_name(value) {
            return Err(QueryError::BadName);
        }
        agent = Some(value);
    }
    Ok(agent)
}

/// Whether an agent may be called so: 1 to [`AGENT_CHARS_MAX`] characters that need no escape in a
/// query, in a path or in a log.
pub fn is_agent_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=AGENT_CHARS_MAX).contains(&name.len()) && name.bytes().all(legal)
}

/// The text after the list separators (commas and white space, RFC 9110 §5.6.1).
fn skip_separators(text: &str) -> &str {
    text.trim_start_matches([',', ' ', '\t'])
}

/// The length of the entity tag, or of the `*`, that `text` begins with.
fn tag_end(text: &str) -> Result<usize, IfMatchError> {
    if text.starts_with('*') {
        return Ok(1);
    }
    let quote = if text.starts_with("W/") { 2 } else { 0 };
    let opaque = text[quote..].strip_prefix('"').ok_or(IfMatchError::Unquoted)?;
    let length = opaque.find('"').ok_or(IfMatchError::BadTag)?;
    // `etagc` of RFC 9110 §8.8.3: no controls, no space, no quote.
    let legal = |byte: u8| byte == 0x21 || (0x23..=0x7e).contains(&byte) || byte >= 0x80;
    if !opaque.as_bytes()[..length].iter().copied().all(legal) {
        return Err(IfMatchError::BadTag);
    }
    Ok(quote + 1 + length + 1)
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_compared_without_their_parameters() {
        let rows = [
            ("application/sdp", Some("application/sdp")),
            ("application/sdp; charset=utf-8", Some("application/sdp")),
            ("Application/SDP;x=\"a;b\"", Some("Application/SDP")),
            (" text/plain ", Some("text/plain")),
            ("", None),
            ("sdp", None),
            ("/sdp", None),
            ("application/", None),
            ("application/s dp", None),
            ("a/b/c", None),
            ("é/x", None),
        ];
        for (value, expect) in rows {
            assert_eq!(media_type(value), expect, "{value:?}");
        }
    }

    #[test]
    fn bearer_tokens_are_read_as_rfc_6750_writes_them() {
        let long = format!("Bearer {}", "a".repeat(TOKEN_BYTES_MAX + 1));
        let longest = format!("Bearer {}", "a".repeat(TOKEN_BYTES_MAX));
        let rows = [
            ("Bearer abc", Ok("abc")),
            ("bEARER a-._~+/b==", Ok("a-._~+/b==")),
            ("Bearer   abc ", Ok("abc")),
            (longest.as_str(), Ok(&longest[7..])),
            ("", Err(BearerError::OtherScheme)),
            ("Basic abc", Err(BearerError::OtherScheme)),
            ("Bearerabc", Err(BearerError::OtherScheme)),
            ("Bearer", Err(BearerError::Malformed)),
            ("Bearer ", Err(BearerError::Malformed)),
            ("Bearer ==", Err(BearerError::Malformed)),
            ("Bearer a b", Err(BearerError::Malformed)),
            ("Bearer a=b", Err(BearerError::Malformed)),
            ("Bearer é", Err(BearerError::Malformed)),
            (long.as_str(), Err(BearerError::TooLong)),
        ];
        for (value, expect) in rows {
            assert_eq!(bearer(value), expect, "{value:?}");
        }
    }

    #[test]
    fn preconditions_are_a_star_or_a_list_of_tags() {
        let tags = |list: &[&str]| Ok(IfMatch::Tags(list.iter().map(|t| (*t).into()).collect()));
        let many = "\"a\",".repeat(ENTITY_TAGS_MAX + 1);
        let rows = [
            ("*", Ok(IfMatch::Any)),
            ("\"*\"", Ok(IfMatch::Any)),
            (" * ", Ok(IfMatch::Any)),
            ("\"a\"", tags(&["\"a\""])),
            ("\"\"", tags(&["\"\""])),
            ("\"a\" , \"b,c\"", tags(&["\"a\"", "\"b,c\""])),
            (",\"a\",,", tags(&["\"a\""])),
            ("W/\"a\"", tags(&["W/\"a\""])),
            ("\"é\"", tags(&["\"é\""])),
            (&many[..many.len() - 4], tags(&["\"a\""; ENTITY_TAGS_MAX])),
            (&many, Err(IfMatchError::TooMany)),
            ("", Err(IfMatchError::Empty)),
            (" , ", Err(IfMatchError::Empty)),
            ("a", Err(IfMatchError::Unquoted)),
            ("w/\"a\"", Err(IfMatchError::Unquoted)),
            ("W/", Err(IfMatchError::Unquoted)),
            ("\"a", Err(IfMatchError::BadTag)),
            ("\"a b\"", Err(IfMatchError::BadTag)),
            ("\"a\"\"b\"", Err(IfMatchError::BadTag)),
            ("\"a\" \"b\"", Err(IfMatchError::BadTag)),
            ("*, \"a\"", Err(IfMatchError::MixedStar)),
            ("*,*", Err(IfMatchError::MixedStar)),
        ];
        for (value, expect) in rows {
            assert_eq!(if_match(value), expect, "{value:?}");
        }
    }

    #[test]
    fn the_query_names_an_agent_and_nothing_else() {
        let long = format!("agent={}", "a".repeat(AGENT_CHARS_MAX + 1));
        let rows = [
            ("", Ok(None)),
            ("&", Ok(None)),
            ("agent=tour-1_a.b", Ok(Some("tour-1_a.b"))),
            ("agnet=x", Err(QueryError::UnknownParameter)),
            ("agent=a&agent=a", Err(QueryError::Repeated)),
            ("agent=a&b", Err(QueryError::UnknownParameter)),
            ("agent", Err(QueryError::BadName)),
            ("agent=", Err(QueryError::BadName)),
            ("agent=a%20b", Err(QueryError::BadName)),
            (long.as_str(), Err(QueryError::BadName)),
        ];
        for (query, expect) in rows {
            assert_eq!(agent_query(query), expect, "{query:?}");
        }
    }
}
