use std::future::pending;

use super::*;
use crate::backend::{Abilities, BackendSession, Busy, CallContext, Checking};
use crate::config::Environment;

/// A backend that answers no calls, only the check.
struct Asked(Option<Result<(), Problem>>);

impl Backend for Asked {
    fn name(&self) -> &'static str {
        "asked"
    }

    fn abilities(&self) -> Abilities {
        Abilities::default()
    }

    fn open(&self, _call: CallContext) -> Result<BackendSession, Busy> {
        Err(Busy("it only answers the check".to_owned()))
    }

    /// Never, if it has no answer.
    fn check(&self) -> Checking<'_> {
        match &self.0 {
            Some(answer) => Box::pin(std::future::ready(answer.clone())),
            None => Box::pin(pending()),
        }
    }
}

fn agents(answers: Vec<(&str, Option<Result<(), Problem>>)>) -> BTreeMap<String, LiveAgent> {
    let config = Config::parse("", None, &Environment::of(&[])).expect("nothing is right, too");
    let profile = config.agents.values().next().expect("there is one built in");
    let agent = |(name, answer): (&str, _)| {
        let (backend, profile) = (Arc::new(Asked(answer)), profile.clone());
        let metrics = Metrics::new().agent(name);
        (name.to_owned(), LiveAgent { profile, backend, turn_judge: None, metrics })
    };
    answers.into_iter().map(agent).collect()
}

fn mistake() -> Option<Result<(), Problem>> {
    Some(Err(Problem::Mistake("no keys".to_owned())))
}

fn passing() -> Option<Result<(), Problem>> {
    Some(Err(Problem::Passing("throttled".to_owned())))
}

/// A backend that only knows its providers.
struct Relying(Vec<ProviderHealth>);

impl Backend for Relying {
    fn name(&self) -> &'static str {
        "relying"
    }

    fn abilities(&self) -> Abilities {
        Asked(None).abilities()
    }

    fn open(&self, call: CallContext) -> Result<BackendSession, Busy> {
        Asked(None).open(call)
    }

    fn health(&self) -> Vec<ProviderHealth> {
        self.0.clone()
    }
}

/// No test waits for it.
const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn what_must_be_changed_refuses_to_start_and_names_all_that_is_wrong() {
    let agents = agents(vec![("a", passing()), ("b", Some(Ok(()))), ("c", mistake())]);
    let error = check(&agents, LONG).await.expect_err("c has no keys").to_string();
    assert_eq!(error, "agent `a`: throttled\nagent `c`: no keys");
}

#[tokio::test]
async fn what_may_pass_is_told_and_the_server_starts() {
    let agents = agents(vec![("a", Some(Ok(()))), ("b", passing())]);
    let told = check(&agents, LONG).await.expect("it may start");
    assert_eq!(told, [("b".to_owned(), Problem::Passing("throttled".to_owned()))]);
}

#[tokio::test]
async fn a_backend_that_does_not_answer_keeps_nobody_waiting() {
    // More than are asked at once, so that some are never asked.
    let mut answers: Vec<_> = (0..BACKEND_CHECKS_MAX + 2).map(|_| None).collect();
    answers.insert(0, Some(Ok(())));
    let names: Vec<String> = (0..answers.len()).map(|n| format!("a{n:02}")).collect();
    let agents = agents(names.iter().map(String::as_str).zip(answers).collect());
    let told = check(&agents, Duration::from_millis(50)).await.expect("it may start");
    assert_eq!(told.len(), BACKEND_CHECKS_MAX + 2);
    assert!(told.iter().all(|(name, _)| name != "a00"), "{told:?}");
    assert!(told[0].1.to_string().contains("not checked within 0.1 s"), "{}", told[0].1);
}

#[tokio::test]
async fn an_agent_whose_tools_cannot_be_listed_is_named() {
    let text =
        "agents: {desk: {backend: echo, tools: [{mcp: 'http://127.0.0.1:1/mcp', name: crm}]}}";
    let config = Config::parse(text, None, &Environment::of(&[])).expect("it is right as text");
    let Err(error) = prepare(&config, &Metrics::new()).await else { panic!("nobody is there") };
    let error = error.to_string();
    assert!(error.contains("agent `desk`") && error.contains("MCP server `crm`"), "{error}");
}

#[test]
fn providers_are_shown_as_they_are_now_and_the_worse_of_two_that_share_a_name() {
    let mut agents = agents(vec![("desk", None)]);
    let metrics = Metrics::new();
    let provider = |stage, provider: &str, is_up| {
        let provider = provider.to_owned();
        ProviderHealth { stage, provider, is_up }
    };
    let health =
        vec![provider("asr", "a", true), provider("tts", "b", false), provider("tts", "b", true)];
    let relief = Relief::new(Arc::new(Asked(None)), vec![Arc::new(Relying(health))]);
    let desk = agents.get_mut("desk").expect("it is the one");
    (desk.backend, desk.metrics) = (Arc::new(relief), metrics.agent("desk"));
    note_health(&agents);
    let text = metrics.text();
    assert!(text.contains("{agent=\"desk\",stage=\"asr\",provider=\"a\"} 1\n"), "{text}");
    assert!(text.contains("{agent=\"desk\",stage=\"tts\",provider=\"b\"} 0\n"), "{text}");
}

#[test]
fn what_an_agent_says_in_any_call_is_spoken_ahead() {
    let text = "agents: {a: {backend: cascade, greeting: Hello., idle: {after_ms: 5000, prompts: [Still there?]}, \
                wait: {filler_after_ms: 900, filler: {text: One moment.}, apology: {text: Sorry.}}, \
                cascade: {tts: {kind: speech, url: http://127.0.0.1:1/v1}}}}";
    let config = Config::parse(text, None, &Environment::of(&[])).expect("it is right");
    let said: Vec<_> = said_by(&config.agents["a"]).collect();
    assert_eq!(said, ["Hello.", "One moment.", "Sorry.", "Still there?"]);
}
