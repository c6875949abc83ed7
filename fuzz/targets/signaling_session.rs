//! Bodies of `POST /v1/session`.
#![no_main]

use antiphon_signaling::header::is_agent_name;
use antiphon_signaling::limits::SESSION_TTL_S_MAX;
use antiphon_signaling::session::parse_request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &str| {
    if let Ok(request) = parse_request(body) {
        assert!(request.agent.is_none_or(|agent| is_agent_name(&agent)));
        assert!(request.ttl.is_none_or(|ttl| (1..=SESSION_TTL_S_MAX).contains(&ttl.as_secs())));
    }
});
