use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::call::settings::EndpointStrategy;
use crate::config::{BackendConfig, Config, Environment, Overrides};

fn parse(agent: &str) -> Result<Config, Vec<String>> {
    let text = format!("agents: {{a: {agent}}}");
    let config = Config::parse(&text, Some(Path::new("/etc")), &Environment::of(&[]));
    config.map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn settings(section: &str) -> NovaSonicSettings {
    let agent = format!("{{backend: nova_sonic, nova_sonic: {section}}}");
    let config = parse(&agent).expect("it is right");
    match &config.agents["a"].backend {
        BackendConfig::NovaSonic(settings) => (**settings).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_said_means_the_documented_defaults() {
    assert_eq!(settings("{}"), NovaSonicSettings::default());
}

#[test]
fn the_example_says_the_defaults() {
    let example = include_str!("../../../../deploy/antiphon.example.yaml");
    let section = example.split("\n\n").find(|part| part.contains("\n    nova_sonic:\n"));
    let section = section.expect("there is such a section");
    let text = format!("agents:\n  a:\n    backend: nova_sonic\n{section}\n");
    let config = Config::parse(&text, None, &Environment::of(&[])).expect("it is right");
    let BackendConfig::NovaSonic(read) = &config.agents["a"].backend else {
        panic!("{:?}", config.agents["a"].backend)
    };
    assert_eq!(**read, NovaSonicSettings::default());
}

#[test]
fn every_key_is_read() {
    let read = settings(
        "{model: amazon.nova-2-5-sonic, voice: tiffany, endpointing: low, temperature: 0.1, top_p: 0.2, \
         tokens_max: 3, output_rate_hz: 8000, \
         texts: {lead_ms: 0, piece_bytes_max: 500}, \
         history: {message_bytes_max: 200, bytes_max: 1000, messages_max: 2}, \
         renewal: {after_ms: 60000, jitter_ms: 30000, at_latest_ms: 61000, before_expiry_ms: 30000, \
                   user_silence_ms: 10000}, \
         patience: {open_ms: 500, first_event_ms: 1000, stall_ms: 2000, attempts_max: 20}, \
         instructions: {greet: g, say: 's {}', go_on: o, late_result: 'l {}'}, \
         region: eu-north-1, endpoint_url: 'https://127.0.0.1:8444', ca_file: sim.pem, \
         instance_metadata: true, sessions_max: 150, renewal_spare: 0, \
         warm: {connections: 2, sessions: 3, age_max_ms: 30000}, \
         prices: {speech_in: 1, text_in: 2, speech_out: 3, text_out: 4}}",
    );
    let expected = NovaSonicSettings {
        prices: Prices { speech_in: 1.0, text_in: 2.0, speech_out: 3.0, text_out: 4.0 },
        nova: NovaSettings {
            model: "amazon.nova-2-5-sonic".to_owned(),
            voice: "tiffany".to_owned(),
            endpointing: Endpointing::Low,
            temperature: 0.1,
            top_p: 0.2,
            tokens_max: 3,
            output_rate_hz: 8_000,
            texts: TextSettings { lead: Duration::ZERO, piece_bytes_max: 500 },
            history: HistorySettings { message_bytes_max: 200, bytes_max: 1_000, messages_max: 2 },
            renewal: RenewalSettings {
                after: Duration::from_secs(60),
                jitter: Duration::from_secs(30),
                at_latest: Duration::from_secs(61),
                before_expiry: Duration::from_secs(30),
                user_silence: Duration::from_secs(10),
            },
            patience: PatienceSettings {
                open: Duration::from_millis(500),
                first_event: Duration::from_secs(1),
                stall: Duration::from_secs(2),
                attempts_max: 20,
            },
            instructions: Instructions {
                greet: "g".to_owned(),
                say: "s {}".to_owned(),
                go_on: "o".to_owned(),
                late_result: "l {}".to_owned(),
            },
        },
        connection: ConnectionSettings {
            region: Some("eu-north-1".to_owned()),
            endpoint_url: Some("https://127.0.0.1:8444".to_owned()),
            ca_file: Some(PathBuf::from("/etc/sim.pem")),
            instance_metadata: true,
            sessions_max: 150,
            renewal_spare: 0,
            warm: WarmSettings { connections: 2, sessions: 3, age_max: Duration::from_secs(30) },
        },
    };
    assert_eq!(read, expected);
}

#[test]
fn each_mistake_is_told_with_what_was_expected() {
    let rows = [
        ("model: ''", "model: expected some text"),
        ("voice: '  '", "voice: expected some text"),
        ("endpointing: HIGH", "expected one of `high`, `medium`, `low`"),
        ("model: 'amazon.nova-sonic-v1:0', endpointing: low", "the first Nova Sonic cannot"),
        ("temperature: 1.1", "temperature: expected a number from 0 to 1"),
        ("top_p: -0.1", "top_p: expected a number from 0 to 1"),
        ("tokens_max: 0", "a whole number from 1 to 10000"),
        ("output_rate_hz: 48000", "expected one of `8000`, `16000`, `24000`"),
        ("history: {message_bytes_max: 5000, bytes_max: 4000}", "at most bytes_max (4000)"),
        ("history: {message_bytes_max: 50001}", "from 200 to 50000"),
        ("history: {messages_max: 1}", "from 2 to 1000"),
        ("renewal: {after_ms: 4999}", "from 5000 to 450000"),
        ("renewal: {after_ms: 10000}", "at most half of after_ms (5000), received 30000"),
        ("renewal: {after_ms: 450000, at_latest_ms: 400000}", "at least after_ms (450000)"),
        ("renewal: {at_latest_ms: 480000}", "from 5000 to 475000"),
        ("renewal: {before_expiry_ms: 600000}", "from 30000 to 540000"),
        ("patience: {open_ms: 100}", "from 500 to 60000"),
        ("patience: {attempts_max: 0}", "from 1 to 20"),
        ("instructions: {say: hello}", "instructions.say: expected `{}` in it"),
        ("instructions: {late_result: hello}", "late_result: expected `{}` in it"),
        ("region: US East", "region: expected the name of a region"),
        ("endpoint_url: 'http://127.0.0.1:1'", "endpoint_url: expected https://"),
        ("sessions_max: 0", "from 1 to 1000"),
        ("sessions_max: 3, renewal_spare: 3", "less than sessions_max (3), received 3"),
        ("sessions_max: 101", "at most 100, since a connection carries 100"),
        ("warm: {connections: 17}", "from 0 to 16"),
        ("sessions_max: 3, warm: {sessions: 2}", "at most 1, which calls have, received 2"),
        ("warm: {age_max_ms: 290000}", "from 30000 to 280000"),
        ("access_key: AKIA", "unknown key"),
    ];
    for (section, expected) in rows {
        let agent = format!("{{backend: nova_sonic, nova_sonic: {{{section}}}}}");
        let mistakes = parse(&agent).expect_err(section);
        assert_eq!(mistakes.len(), 1, "{section}: {mistakes:#?}");
        assert!(mistakes[0].contains(expected), "{:?} should contain {expected:?}", mistakes[0]);
    }
    // A small account keeps its one place for calls without being told.
    assert_eq!(settings("{sessions_max: 1}").connection.renewal_spare, 0);
}

#[test]
fn the_end_of_a_turn_is_novas_to_say() {
    let config = parse("{backend: nova_sonic}").expect("it is right");
    let endpoint = &config.agents["a"].settings.call.endpoint;
    assert_eq!(endpoint.strategy, EndpointStrategy::Backend);
    assert!(parse("{backend: nova_sonic, turn: {endpoint: {strategy: backend}}}").is_ok());
    for turn in ["{silence_ms: 600}", "{endpoint: {strategy: adaptive}}"] {
        let mistakes = parse(&format!("{{backend: nova_sonic, turn: {turn}}}")).expect_err(turn);
        assert!(mistakes[0].contains("Nova Sonic says when a turn is over"), "{mistakes:?}");
    }
}

#[test]
fn the_command_line_chooses_it_and_leaves_it() {
    let load = |overrides| Config::load(None, &overrides, &Environment::of(&[]));
    let nova = || Overrides { backend: Some("nova_sonic".to_owned()), ..Overrides::default() };
    let config = load(nova()).expect("it is a backend");
    let agent = &config.agents[&config.default_agent];
    assert_eq!(agent.backend.name(), "nova_sonic");
    assert_eq!(agent.settings.call.endpoint.strategy, EndpointStrategy::Backend);
    let problem = load(Overrides { silence_ms: Some(300), ..nova() }).expect_err("it is Nova's");
    assert!(problem.to_string().contains("Nova Sonic says when a turn is over"), "{problem}");

    let mut agent = parse("{backend: nova_sonic}").expect("it is right").agents["a"].clone();
    let echo = Overrides { backend: Some("echo".to_owned()), ..Overrides::default() };
    agent.apply(&echo).expect("it is a backend");
    assert_eq!(agent.settings.call.endpoint.strategy, EndpointStrategy::Adaptive);
}
