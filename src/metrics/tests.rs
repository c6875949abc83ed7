use super::*;
use crate::call::event::{Cost, Generation, Heard, TurnId, TurnMetrics};

fn value(text: &str, sample: &str) -> f64 {
    let line = text
        .lines()
        .find(|line| line.strip_prefix(sample).is_some_and(|rest| rest.starts_with(' ')));
    let line = line.unwrap_or_else(|| panic!("no {sample} in:\n{text}"));
    line.rsplit_once(' ').expect("a value").1.parse().expect("a number")
}

#[test]
fn an_agent_has_zeros_before_its_first_call() {
    let metrics = Metrics::new();
    let _agent = metrics.agent("sales");
    let text = metrics.text();
    assert_eq!(value(&text, "antiphon_calls{agent=\"sales\"}"), 0.0);
    assert_eq!(value(&text, "antiphon_cost_total{agent=\"sales\",stage=\"llm\"}"), 0.0);
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn a_provider_is_up_or_down_as_it_was_told_last() {
    let metrics = Metrics::new();
    let agent = metrics.agent("sales");
    let provider = "antiphon_provider_up{agent=\"sales\",stage=\"tts\",provider=\"flite\"}";
    assert!(!metrics.text().contains("antiphon_provider_up{"), "nothing was told yet");
    for is_up in [true, false, true] {
        agent.provider_is("tts", "flite", is_up);
        assert_eq!(value(&metrics.text(), provider), f64::from(u8::from(is_up)));
    }
}

#[test]
fn what_calls_use_is_added_up_by_agent() {
    let metrics = Metrics::new();
    let (sales, support) = (metrics.agent("sales"), metrics.agent("support"));
    let cost = Cost { asr_nanos: 1_000_000, llm_nanos: 1_500_000, tts_nanos: 0 };
    let usage = Usage {
        speech_in: 10,
        text_in: 20,
        speech_out: 30,
        text_out: 40,
        heard_ms: 1_250,
        spoken_chars: 7,
        cost,
    };
    sales.handle_event(&ClientEvent::Used { turn: TurnId(1), usage });
    // Another call of the same agent.
    metrics.agent("sales").handle_event(&ClientEvent::Used { turn: TurnId(1), usage });
    support.handle_event(&ClientEvent::Used { turn: TurnId(1), usage: Usage::default() });
    let text = metrics.text();
    let tokens = |agent: &str, kind: &str, direction: &str| {
        let labels = format!("agent=\"{agent}\",kind=\"{kind}\",direction=\"{direction}\"");
        value(&text, &format!("antiphon_tokens_total{{{labels}}}"))
    };
    assert_eq!(tokens("sales", "speech", "in"), 20.0);
    assert_eq!(tokens("sales", "text", "in"), 40.0);
    assert_eq!(tokens("sales", "speech", "out"), 60.0);
    assert_eq!(tokens("sales", "text", "out"), 80.0);
    assert_eq!(tokens("support", "text", "out"), 0.0);
    assert_eq!(value(&text, "antiphon_heard_seconds_total{agent=\"sales\"}"), 2.5);
    assert_eq!(value(&text, "antiphon_spoken_characters_total{agent=\"sales\"}"), 14.0);
    for (stage, expected) in [("asr", 0.002), ("llm", 0.003), ("tts", 0.0)] {
        let labels = format!("agent=\"sales\",stage=\"{stage}\"");
        let cost = value(&text, &format!("antiphon_cost_total{{{labels}}}"));
        assert!((cost - expected).abs() < 1e-9, "{stage}: {cost}");
    }
}

#[test]
fn calls_and_their_turns_are_counted() {
    let metrics = Metrics::new();
    let agent = metrics.agent("sales");
    agent.call_began();
    agent.call_began();
    let first_packet = Some(Duration::from_millis(250));
    agent.handle_event(&ClientEvent::Turn(TurnMetrics { first_packet, ..TurnMetrics::default() }));
    let (generation, heard) = (Generation(1), Heard::default());
    let stopped = |interrupted| ClientEvent::BotStoppedSpeaking {
        generation,
        interrupted,
        heard: heard.clone(),
    };
    agent.handle_event(&stopped(true));
    agent.handle_event(&stopped(false));
    agent.handle_event(&ClientEvent::Error { message: String::new(), fatal: false });
    agent.call_ended(&EndReason::Client);
    let text = metrics.text();
    let of_agent = |name: &str| value(&text, &format!("{name}{{agent=\"sales\"}}"));
    assert_eq!(of_agent("antiphon_calls"), 1.0);
    assert_eq!(of_agent("antiphon_turns_total"), 1.0);
    assert_eq!(of_agent("antiphon_interruptions_total"), 1.0);
    assert_eq!(of_agent("antiphon_errors_total"), 1.0);
    assert_eq!(value(&text, "antiphon_calls_ended_total{agent=\"sales\",reason=\"client\"}"), 1.0);
    assert_eq!(value(&text, "antiphon_response_seconds_bucket{le=\"0.2\",agent=\"sales\"}"), 0.0);
    assert_eq!(value(&text, "antiphon_response_seconds_bucket{le=\"0.3\",agent=\"sales\"}"), 1.0);
}

#[test]
fn each_step_counts_from_the_one_before_it() {
    let metrics = Metrics::new();
    let agent = metrics.agent("sales");
    let at = |ms| Some(Duration::from_millis(ms));
    // Nobody waited for the transcript: what was made ahead was the answer.
    let (endpoint, first_text, first_audio, first_packet) = (at(200), at(180), at(240), at(250));
    let turn =
        TurnMetrics { endpoint, first_text, first_audio, first_packet, ..Default::default() };
    agent.handle_event(&ClientEvent::Turn(turn));
    let text = metrics.text();
    let step = |step: &str| {
        let labels = format!("{{agent=\"sales\",step=\"{step}\"}}");
        let sum = value(&text, &format!("antiphon_step_seconds_sum{labels}"));
        (value(&text, &format!("antiphon_step_seconds_count{labels}")), (sum * 1_000.0).round())
    };
    assert_eq!(step("endpoint"), (1.0, 200.0));
    assert_eq!(step("transcript"), (0.0, 0.0));
    assert_eq!(step("text"), (1.0, 0.0));
    assert_eq!(step("audio"), (1.0, 40.0));
    assert_eq!(step("packet"), (1.0, 10.0));
}
