use std::time::Duration;

use super::*;
use crate::call::settings::{EndpointSettings, EndpointStrategy};

fn parse(text: &str) -> Result<Config, Vec<YamlError>> {
    Config::parse(text, None, &Environment::of(&[("TURN_SECRET", "s3cret")]))
}

fn mistakes(text: &str) -> Vec<String> {
    parse(text).expect_err("it has mistakes").iter().map(ToString::to_string).collect()
}

fn load(overrides: Overrides, environment: &[(&str, &str)]) -> Result<Config, String> {
    Config::load(None, &overrides, &Environment::of(environment)).map_err(|error| error.to_string())
}

#[test]
fn the_example_says_the_defaults() {
    let text = include_str!("../../deploy/antiphon.example.yaml");
    let example = parse(text).expect("the example is good");
    let defaults = parse("").expect("nothing is good too");
    assert_eq!(format!("{:?}", example.http), format!("{:?}", defaults.http));
    assert_eq!(example.media, defaults.media);
    assert_eq!(example.calls_max, defaults.calls_max);
    assert_eq!(example.session_ttl, defaults.session_ttl);
    assert_eq!(format!("{:?}", example.agents), format!("{:?}", defaults.agents));
}

#[test]
fn every_mistake_is_reported_at_once_with_its_line() {
    let text = "\
http:
  listen: here
media:
  tcp: maybe
  advertise: [nowhere]
calls_max: 0
agents:
  a:
    bakend: local
    turn: {silence_ms: 5}
    speech: {start_threshold: 0.4, stop_threshold: 0.6}
    jitter: {depth_min_ms: 100, depth_max_ms: 50}
default_agent: b
";
    let found = mistakes(text);
    let lines = [2, 4, 5, 6, 9, 10, 11, 12, 13];
    assert_eq!(found.len(), lines.len(), "{found:#?}");
    for (problem, line) in found.iter().zip(lines) {
        assert!(problem.starts_with(&format!("line {line}, ")), "line {line}: {problem}");
    }
    assert!(found[4].contains("did you mean `backend`"), "{}", found[4]);
}

#[test]
fn agents_are_named_as_urls_can_name_them_and_speak_what_their_backend_can() {
    assert!(mistakes("agents: {my agent: {backend: echo}}")[0].contains("letters, digits"));
    assert!(mistakes("agents: {a: {language: de-DE}}")[0].contains("English only"));
    assert!(parse("agents: {a: {language: de-DE, backend: echo}}").is_ok());
}

#[test]
fn secrets_come_from_the_environment_and_are_missed_by_name() {
    let good = "ice_servers: {turn: [{urls: ['turn:t.example.com'], secret_env: TURN_SECRET}]}";
    assert_eq!(parse(good).expect("the variable is set").ice_servers.turn.len(), 1);
    let bad = "ice_servers: {turn: [{urls: ['turn:t.example.com'], secret_env: NOT_SET}]}";
    assert!(mistakes(bad)[0].contains("`NOT_SET` is not set"));
    let neither = "ice_servers: {turn: [{urls: ['stun:t.example.com']}]}";
    assert_eq!(mistakes(neither).len(), 2);
}

#[test]
fn the_command_line_overrides_the_default_agent() {
    let script = Some("deploy/examples/tone.yaml".into());
    let overrides = Overrides { script, silence_ms: Some(200), ..Overrides::default() };
    let config = load(overrides, &[]).expect("they fit");
    let agent = &config.agents[&config.default_agent];
    assert_eq!(agent.backend.name(), "scripted");
    let silence = EndpointSettings::silence(Duration::from_millis(200));
    assert_eq!(agent.settings.call.endpoint, silence);
}

#[test]
fn overrides_that_do_not_fit_are_refused_with_a_way_out() {
    let cases = [
        (Overrides { backend: Some("scripted".into()), ..Overrides::default() }, "--script FILE"),
        (
            Overrides { backend: Some("nova".into()), ..Overrides::default() },
            "local, scripted, echo or nova_sonic",
        ),
        (Overrides { silence_ms: Some(20), ..Overrides::default() }, "expected 100 to 5000"),
        (
            Overrides {
                backend: Some("echo".into()),
                script: Some("x.yaml".into()),
                ..Overrides::default()
            },
            "goes with --backend scripted",
        ),
    ];
    for (overrides, expected) in cases {
        let problem = load(overrides, &[]).expect_err(expected);
        assert!(problem.contains(expected), "{problem}");
    }
}

#[test]
fn listening_beyond_loopback_needs_a_key() {
    let everywhere =
        || Overrides { listen: Some(([0, 0, 0, 0], 8080).into()), ..Overrides::default() };
    let problem = load(everywhere(), &[]).expect_err("anybody could call");
    assert!(problem.contains("ANTIPHON_ACCESS_KEY="), "{problem}");
    let config = load(everywhere(), &[("ANTIPHON_ACCESS_KEY", "k1, k2")]).expect("there is a key");
    assert_eq!(config.http.access_keys.len(), 2);
    assert_eq!(config.media.udp.ip().to_string(), "0.0.0.0");
}

#[test]
fn media_sockets_follow_each_other_unless_placed() {
    let udp = Some(([127, 0, 0, 1], 41_000).into());
    let config = load(Overrides { udp, ..Overrides::default() }, &[]).expect("they fit");
    assert_eq!(config.media.tcp, udp);
    let off = Overrides { udp, tcp: Some(TcpOverride::Off), ..Overrides::default() };
    assert_eq!(load(off, &[]).expect("they fit").media.tcp, None);
    let file = parse("media: {udp: '127.0.0.1:1', tcp: '127.0.0.1:2'}").expect("they fit");
    assert_eq!(file.media.tcp, Some(([127, 0, 0, 1], 2).into()));
}

#[test]
fn how_turns_end_is_read_and_contradictions_are_refused() {
    let of = |turn: &str| {
        let text = format!("agents: {{a: {{backend: echo, turn: {turn}}}}}\ndefault_agent: a");
        let config = parse(&text).map_err(|errors| errors[0].to_string())?;
        let agent = &config.agents["a"];
        Ok::<_, String>((agent.settings.call.endpoint.clone(), agent.turn_model.clone()))
    };
    let silence = EndpointSettings::silence(Duration::from_millis(300));
    assert_eq!(of("{silence_ms: 300}"), Ok((silence.clone(), None)));
    assert_eq!(of("{endpoint: {strategy: silence, silence_ms: 300}}"), Ok((silence, None)));
    assert_eq!(of("{}"), Ok((EndpointSettings::default(), None)));
    let (semantic, model) =
        of("{endpoint: {strategy: semantic, model: m.onnx, threshold: 0.7, speculate: true}}")
            .expect("it is good");
    assert_eq!(semantic.strategy, EndpointStrategy::Semantic { threshold: 0.7 });
    assert!(semantic.speculate && model == Some(PathBuf::from("m.onnx")));
    let refused = [
        ("{silence_ms: 300, endpoint: {}}", "received both"),
        ("{endpoint: {silence_ms: 300}}", "means nothing to the strategy `adaptive`"),
        ("{endpoint: {strategy: silence, speculate: true}}", "means nothing to the strategy"),
        ("{endpoint: {model: m.onnx}}", "means nothing to the strategy `adaptive`"),
        ("{endpoint: {strategy: semantic}}", "needs `model: FILE`"),
        ("{endpoint: {strategy: backend}}", "does not say when a turn is over"),
        ("{endpoint: {min_ms: 900, max_ms: 300}}", "expected at least min_ms (900)"),
        ("{endpoint: {strategy: clever}}", "expected"),
    ];
    for (turn, expected) in refused {
        let error = of(turn).expect_err(turn);
        assert!(error.contains(expected), "{turn}: {error}");
    }
}
