//! `fallback`: the agents whose backends take over.

use std::collections::BTreeMap;

use super::{AgentProfile, BackendConfig, english_only, is_english};
use crate::yaml::{Errors, Place};

/// Finds the backends of the agents that are `named`, each list by the agent that has it. Only their
/// backends count, so that nobody's own fallbacks are followed, and no circle can be named.
pub(in crate::config) fn resolve(
    agents: &mut BTreeMap<String, AgentProfile>,
    named: Vec<(String, Vec<Place<'_>>)>,
    errors: &mut Errors,
) {
    for (agent, places) in named {
        let mut names: Vec<String> = Vec::new();
        for place in places {
            let Some(name) = place.string(errors) else { continue };
            match found(agents, &agent, &names, &name) {
                Ok(backend) => {
                    agents.entry(agent.clone()).and_modify(|it| it.fallback.push(backend));
                }
                Err(problem) => errors.push(place.node.at, &place.path, problem),
            }
            names.push(name);
        }
    }
}

fn found(
    agents: &BTreeMap<String, AgentProfile>,
    agent: &str,
    names: &[String],
    name: &str,
) -> Result<BackendConfig, String> {
    let is_other = |other: &&String| *other != agent;
    let Some(other) = agents.get(name).filter(|_| name != agent) else {
        let others: Vec<&str> = agents.keys().filter(is_other).map(String::as_str).collect();
        let others = others.join("`, `");
        return Err(format!(
            "expected the name of another agent, of `{others}`, received `{name}`"
        ));
    };
    if names.iter().any(|before| before == name) {
        return Err(format!("`{name}` is named twice"));
    }
    let profile = &agents[agent];
    let before = profile.fallback.last().unwrap_or(&profile.backend);
    let is_nova = |backend: &BackendConfig| matches!(backend, BackendConfig::NovaSonic(_));
    if is_nova(&other.backend) && !is_nova(before) {
        return Err(format!(
            "Nova Sonic decides itself whose turn it is and cannot follow the {} backend, with which the \
             call does; expected it as the agent's own backend, or before that one",
            before.name()
        ));
    }
    if let Some(who) = english_only(&other.backend).filter(|_| !is_english(&profile.language)) {
        let language = &profile.language;
        return Err(format!("of `{name}`, {who} English only, and the agent speaks `{language}`"));
    }
    Ok(other.backend.clone())
}
