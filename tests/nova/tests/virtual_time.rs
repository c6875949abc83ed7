//! Hours of conversation in seconds: every word of the script arrives once, whatever the service does.

use std::sync::Arc;
use std::time::Duration;

use antiphon::nova::conversation::Setup;
use antiphon::nova::settings::NovaSettings;
use antiphon::nova::usage::Prices;
use antiphon_nova_sim::SimSettings;
use antiphon_nova_sim::count;
use antiphon_nova_sim::faults::{
    ExceptionKind, Fault, FaultRule, OpeningFault, Refusal, ResetReason, StreamFault, When,
};
use antiphon_nova_sim::settings::BargeIn;
use antiphon_nova_tests::caller::{Exchange, Manners};
use antiphon_nova_tests::virtual_call::{VirtualCall, agent_settings};

const ANSWER_WORDS: usize = 7;
/// What a gap within an answer may be, beyond the pause between two words.
const GAP_MAX_MS: u64 = 60;

const MANNERS: Manners = Manners {
    preface: "",
    answer_words: ANSWER_WORDS,
    pause_ms: 1_000,
    patience_ms: 12_000,
    interrupts_after: None,
};

fn setup() -> Setup {
    let mut settings = NovaSettings::default();
    settings.renewal.after = Duration::from_secs(40);
    settings.renewal.jitter = Duration::from_secs(5);
    settings.renewal.at_latest = Duration::from_secs(55);
    Setup {
        settings,
        system: "You count.".to_owned(),
        greeting: None,
        tools: Arc::default(),
        prices: Prices::default(),
        call_id: "virtual".to_owned(),
        reply_timeout: Duration::from_secs(10),
        seed: 1,
    }
}

fn sim() -> SimSettings {
    SimSettings { connection_limit: Duration::from_secs(60), ..SimSettings::tones() }
}

/// All exchanges but the last, which may be under way.
fn finished(call: &VirtualCall) -> &[Exchange] {
    call.caller.exchanges().split_last().map_or(&[], |(_, finished)| finished)
}

/// Those whose answer is not word for word what it should be.
fn wrong(call: &VirtualCall) -> Vec<String> {
    let is_wrong = |it: &&Exchange| it.words != count::answer(it.number, ANSWER_WORDS);
    finished(call).iter().filter(is_wrong).map(|it| format!("{it:?}")).collect()
}

/// How many answers had a gap.
fn gaps(call: &VirtualCall) -> usize {
    finished(call).iter().filter(|exchange| exchange.gap_ms > GAP_MAX_MS).count()
}

#[test]
fn an_hour_with_a_renewal_each_minute_loses_and_doubles_no_word() {
    let mut call = VirtualCall::new(agent_settings(), setup(), sim(), MANNERS);
    call.run(Duration::from_secs(3_600));
    assert_eq!(call.end, None);
    assert_eq!(call.violations, [""; 0]);
    assert_eq!(wrong(&call), [""; 0], "of {} exchanges", call.caller.exchanges().len());
    assert_eq!(gaps(&call), 0, "the caller hears nothing of a renewal");
    let stats = call.talk.stats();
    assert!(stats.renewals >= 60, "{stats:?}");
    assert_eq!(stats.deaths, 0, "{stats:?}");
    assert!(call.caller.exchanges().len() > 600);
}

/// Everything that goes by itself: with one of them each three minutes no word is lost or doubled.
fn passing_faults() -> Vec<Fault> {
    let exception = |kind: ExceptionKind, message: &str| {
        Fault::Stream(StreamFault::Exception(kind, message.to_owned()))
    };
    let refused = |status, code: &str| {
        let (code, message) = (code.to_owned(), "Try again.".to_owned());
        Fault::Opening(OpeningFault::Refused(Refusal { status, code, message }))
    };
    use ExceptionKind as Kind;
    vec![
        exception(Kind::InternalServer, "internal"),
        exception(Kind::Validation, "System instability detected. Please retry your request."),
        Fault::Stream(StreamFault::Reset(ResetReason::NoError)),
        exception(Kind::Throttling, "slow down"),
        Fault::Stream(StreamFault::Close),
        refused(503, "ServiceUnavailableException"),
        exception(Kind::ModelStreamError, "stream"),
        Fault::Stream(StreamFault::Reset(ResetReason::Internal)),
        exception(Kind::ServiceUnavailable, "unavailable"),
        Fault::Stream(StreamFault::GoAwayAbrupt),
        refused(429, "ThrottlingException"),
        exception(
            Kind::Validation,
            "InternalErrorCode=531::RST_STREAM closed stream. HTTP/2 error code: NO_ERROR",
        ),
        Fault::Stream(StreamFault::End),
        exception(Kind::ModelTimeout, "Model has timed out in processing the request."),
        Fault::Stream(StreamFault::Truncated),
        Fault::Stream(StreamFault::Silence),
    ]
}

#[test]
fn hours_with_a_fault_each_three_minutes_go_on() {
    let (mut deaths, mut with_gap) = (0, 0);
    // The faults come at other moments of the conversation in each.
    for period in [170, 180, 190].map(Duration::from_secs) {
        let rule = FaultRule { faults: passing_faults(), when: When::Every { period } };
        let sim = SimSettings { faults: vec![rule], ..sim() };
        let mut call = VirtualCall::new(agent_settings(), setup(), sim, MANNERS);
        call.run(Duration::from_secs(3_600));
        assert_eq!(call.end, None);
        assert_eq!(call.violations, [""; 0]);
        let stats = call.talk.stats();
        assert_eq!(wrong(&call), [""; 0], "{stats:?}");
        assert!(stats.deaths >= 12, "{stats:?}");
        deaths += stats.deaths;
        with_gap += gaps(&call) as u64;
    }
    // Where a connection dies in the first words of an answer, nothing is left to bridge the next one's.
    assert!(with_gap <= deaths / 4, "{with_gap} gaps, {deaths} deaths");
}

#[test]
fn each_shape_of_an_interruption_leads_to_the_next_answer() {
    for shape in BargeIn::SHAPES {
        let sim = SimSettings { barge_in: shape, ..sim() };
        let manners = Manners { interrupts_after: Some(2), ..MANNERS };
        let mut call = VirtualCall::new(agent_settings(), setup(), sim, manners);
        call.run(Duration::from_secs(120));
        assert_eq!(call.violations, [""; 0], "{shape:?}");
        let exchanges = call.caller.exchanges();
        assert!(exchanges.len() > 20, "{shape:?}: {}", exchanges.len());
        for exchange in &exchanges[..exchanges.len() - 1] {
            let expected = count::answer(exchange.number, ANSWER_WORDS);
            let heard = &exchange.words;
            assert!(expected.starts_with(heard), "{shape:?}: {exchange:?}");
            assert!((2..ANSWER_WORDS).contains(&heard.len()), "{shape:?}: {exchange:?}");
        }
    }
}
