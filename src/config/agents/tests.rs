use std::time::Duration;

use super::*;
use crate::call::settings::InterruptionSettings;
use crate::config::Config;

fn agent(sections: &str) -> Result<AgentProfile, Vec<String>> {
    let text = format!("agents: {{a: {sections}}}");
    let config = Config::parse(&text, Some(Path::new("/etc")), &Environment::of(&[]));
    let config =
        config.map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    Ok(config.agents["a"].clone())
}

/// The one mistake, which must contain `expected`.
fn mistake(sections: &str, expected: &str) {
    let mistakes = agent(sections).expect_err(sections);
    assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
    assert!(mistakes[0].contains(expected), "{:?} should contain {expected:?}", mistakes[0]);
}

#[test]
fn interruptions_are_judged_as_the_file_says() {
    let read = agent(
        "{interruption: {policy: words, words: 3, confirm_ms: 100, commit_ms: 100, dismiss_ms: 60, \
         first_words: 20, protected: [this call], backchannels: []}}",
    );
    let expected = InterruptionSettings {
        policy: InterruptionPolicy::Words(3),
        confirm: Duration::from_millis(100),
        commit: Duration::from_millis(100),
        dismiss: Duration::from_millis(60),
        first_words: 20,
        protected: vec!["this call".to_owned()],
        backchannels: Vec::new(),
    };
    assert_eq!(read.expect("it is right").settings.call.interruption, expected);
    for (name, policy) in [
        ("staged", InterruptionPolicy::Staged),
        ("immediate", InterruptionPolicy::Immediate),
        ("never", InterruptionPolicy::Never),
    ] {
        let read = agent(&format!("{{interruption: {{policy: {name}}}}}")).expect("it is right");
        assert_eq!(read.settings.call.interruption.policy, policy);
    }
}

#[test]
fn interruptions_that_contradict_themselves_are_refused() {
    let rows = [
        ("policy: often", "expected one of `staged`, `immediate`, `words`, `never`"),
        ("policy: words", "interruption.words: is required"),
        ("policy: words, words: 21", "expected a whole number from 1 to 20"),
        ("words: 2", "goes with `policy: words`"),
        ("confirm_ms: 500, commit_ms: 300", "confirm_ms: expected at most commit_ms (300)"),
        ("confirm_ms: 39", "milliseconds from 40 to 1000"),
        ("commit_ms: 3001", "milliseconds from 100 to 3000"),
        ("dismiss_ms: 59", "milliseconds from 60 to 1000"),
        ("first_words: 21", "from 0 to 20"),
        // It would be part of every sentence.
        ("protected: ['']", "protected[0]: expected 1 to 200 characters"),
        ("backchannels: [mhm, ' ']", "backchannels[1]: expected 1 to 50 characters"),
        ("confirm: 100", "did you mean `confirm_ms`"),
    ];
    for (section, expected) in rows {
        mistake(&format!("{{interruption: {{{section}}}}}"), expected);
    }
}

#[test]
fn counting_words_needs_a_backend_that_hears_them() {
    let words = agent("{backend: echo, interruption: {policy: words, words: 2}}");
    let words = words.expect("what the backend can do is known only later");
    let deaf = Abilities { speculates: true, greets: true, ..Abilities::default() };
    let problem = words.check(deaf).expect_err("an echo has no words");
    assert!(problem.contains("interruption.policy") && problem.contains("echo"), "{problem}");
    assert!(words.check(Abilities { transcribes: true, ..deaf }).is_ok());
    assert!(agent("{backend: echo}").expect("it is right").check(deaf).is_ok());
    let tools = "{backend: echo, tools: [{name: a, description: b, builtin: echo}]}";
    let tools = agent(tools).expect("as above");
    let problem = tools.check(deaf).expect_err("an echo has no model");
    assert!(problem.contains("tools: the echo backend cannot call any"), "{problem}");
    assert!(tools.check(Abilities { tools: true, ..deaf }).is_ok());
    let prompts = agent("{backend: echo, idle: {after_ms: 2000, prompts: [Hello?]}}");
    let problem = prompts.expect("as above").check(deaf).expect_err("an echo has no voice");
    assert!(problem.contains("idle.prompts") && problem.contains("echo"), "{problem}");
}

#[test]
fn waiting_is_bridged_as_the_file_says() {
    let read = agent(
        "{wait: {filler_after_ms: 900, filler: {wav: clips/hm.wav}, apology: {text: Sorry.}}}",
    );
    let read = read.expect("it is right");
    assert_eq!(read.settings.call.wait.filler, Some(Duration::from_millis(900)));
    assert!(read.settings.call.wait.apologise);
    let expected = ClipSources {
        filler: Some(ClipSource::Wav(PathBuf::from("/etc/clips/hm.wav"))),
        apology: Some(ClipSource::Text("Sorry.".to_owned())),
    };
    assert_eq!(read.clips, expected);
    let rows = [
        ("filler_after_ms: 900", "filler_after_ms: needs `filler`"),
        ("filler: {text: Hm.}", "filler: needs `filler_after_ms`"),
        ("filler_after_ms: 10, filler: {text: Hm.}", "milliseconds from 300 to 30000"),
        ("filler_after_ms: 10000, filler: {text: Hm.}", "less than turn.reply_timeout_ms (10000)"),
        ("apology: {text: a, wav: b}", "goes without `text`"),
        ("apology: {}", "expected `text: ...` or `wav: FILE`"),
        ("apology: {text: ' '}", "expected something to say"),
        ("apologise: false, apology: {text: a}", "never played with `apologise: false`"),
    ];
    for (section, expected) in rows {
        mistake(&format!("{{wait: {{{section}}}}}"), expected);
    }
    let german = "{backend: echo, language: de, wait: {apology: {text: Verzeihung.}}}";
    mistake(german, "wait.apology.text: is spoken by a synthesiser that speaks English only");
    assert!(agent(&german.replace("text", "wav")).is_ok());
}

#[test]
fn idle_calls_are_prompted_and_ended_as_the_file_says() {
    let read = agent("{idle: {after_ms: 8000, prompts: [Hello?, Still there?], hang_up: true}}");
    let idle = read.expect("it is right").settings.call.idle;
    assert_eq!(idle.after, Some(Duration::from_secs(8)));
    assert_eq!(idle.prompts, ["Hello?", "Still there?"]);
    assert!(idle.hang_up);
    let rows = [
        ("after_ms: 1999, hang_up: true", "milliseconds from 2000 to 600000"),
        ("prompts: [a]", "prompts: needs `after_ms`"),
        ("hang_up: true", "hang_up: needs `after_ms`"),
        ("after_ms: 8000", "changes nothing without"),
        ("after_ms: 8000, hang_up: true, prompts: [a, a, a, a, a, a, a, a, a, a, a]", "at most 10"),
    ];
    for (section, expected) in rows {
        mistake(&format!("{{idle: {{{section}}}}}"), expected);
    }
}

/// The configuration of these agents, and of what a fallback may be.
fn with_fallback(agents: &str) -> Result<Config, Vec<String>> {
    let others = "steady: {backend: echo}, guide: {backend: local}, nova: {backend: nova_sonic}";
    let text = format!("agents: {{{agents}, {others}}}");
    let config = Config::parse(&text, None, &Environment::of(&[]));
    config.map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

#[test]
fn an_agent_falls_back_on_the_backends_of_others_in_order() {
    let config = with_fallback("a: {backend: nova_sonic, fallback: [guide, steady]}");
    let mut agent = config.expect("it is right").agents["a"].clone();
    let names: Vec<_> = agent.fallback.iter().map(BackendConfig::name).collect();
    assert_eq!(names, ["local", "echo"]);
    // Nobody is behind what the command line names.
    let overrides = Overrides { backend: Some("echo".to_owned()), ..Overrides::default() };
    agent.apply(&overrides).expect("it is there");
    assert!(agent.fallback.is_empty());
    // Whose own fallback is the first is no circle: only backends are taken.
    let both = "a: {backend: echo, fallback: [b]}, b: {backend: echo, fallback: [a]}";
    assert_eq!(with_fallback(both).expect("it is right").agents["b"].fallback.len(), 1);
}

#[test]
fn fallbacks_that_cannot_be_are_refused() {
    let rows = [
        (
            "a: {fallback: [nobody]}",
            "expected the name of another agent, of `guide`, `nova`, `steady`",
        ),
        ("a: {fallback: [a]}", "a.fallback[0]: expected the name of another agent"),
        ("a: {fallback: [steady, steady]}", "a.fallback[1]: `steady` is named twice"),
        ("a: {backend: echo, fallback: [nova]}", "cannot follow the echo backend"),
        ("a: {backend: nova_sonic, fallback: [steady, nova]}", "cannot follow the echo backend"),
        ("a: {backend: echo, language: de, fallback: [guide]}", "hears and speaks English only"),
        ("a: {fallback: [b, c, d, e, f]}", "at most 4"),
    ];
    for (agents, expected) in rows {
        let mistakes = with_fallback(agents).expect_err(agents);
        assert!(mistakes[0].contains(expected), "{mistakes:?} should begin with {expected:?}");
    }
}

#[test]
fn a_fallback_is_heard_by_words_like_the_first() {
    let agent = agent("{backend: echo, interruption: {policy: words, words: 2}}");
    let agent = agent.expect("what the backends can do is known only later");
    let hears = Abilities { transcribes: true, ..Abilities::default() };
    assert_eq!(agent.check_fallback(&agent.backend, hears), Ok(()));
    let deaf = agent.check_fallback(&agent.backend, Abilities { transcribes: false, ..hears });
    assert!(deaf.expect_err("it is deaf").contains("this echo backend never does"));
}
