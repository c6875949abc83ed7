//! Header values and queries from anyone.
#![no_main]

use antiphon_signaling::header::{agent_query, bearer, if_match, is_agent_name, media_type};
use antiphon_signaling::limits::{ENTITY_TAGS_MAX, TOKEN_BYTES_MAX};
use antiphon_signaling::port::IfMatch;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(essence) = media_type(text) {
        assert_eq!(media_type(essence), Some(essence), "the essence is its own media type");
    }
    if let Ok(token) = bearer(text) {
        assert!(token.is_ascii() && (1..=TOKEN_BYTES_MAX).contains(&token.len()));
        assert_eq!(bearer(&format!("Bearer {token}")), Ok(token));
    }
    if let Ok(IfMatch::Tags(tags)) = if_match(text) {
        assert!((1..=ENTITY_TAGS_MAX).contains(&tags.len()));
        assert_eq!(if_match(&tags.join(", ")), Ok(IfMatch::Tags(tags)), "a list reads as itself");
    }
    if let Ok(Some(agent)) = agent_query(text) {
        assert!(is_agent_name(agent));
    }
});
