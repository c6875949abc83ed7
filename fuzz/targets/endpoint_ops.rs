//! Any conversation with the endpointer, of any strategy: no panic, waits within their bounds, and a pause
//! that nothing interrupts ends.
#![no_main]

use std::time::Duration;

use antiphon::call::endpoint::{Endpoint, TurnHint, Verdict};
use antiphon::call::event::{EchoEvidence, FrameFeatures, TurnId};
use antiphon::call::settings::{EndpointSettings, EndpointStrategy};
use antiphon::time::SessionTime;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    strategy: u8,
    millis: u16,
    min_ms: u16,
    span_ms: u16,
    threshold: f32,
    speculate: bool,
    operations: Vec<Operation>,
}

#[derive(Arbitrary, Debug)]
enum Operation {
    Opened { turn: u8 },
    Frames { count: u8, pitch_hz: Option<f32>, level_dbfs: f32, concealed: bool },
    Resumed,
    Stopped { wait_ms: u16 },
    Text { turn: u8, probability: f32 },
    Model { turn: u8, probability: Option<f32> },
    Ended,
}

/// Questions in one pause, at most: more means that it asks again for ever.
const QUESTIONS_MAX: u32 = 8;

fuzz_target!(|input: Input| {
    let settings = settings(&input);
    let mut endpoint = Endpoint::new(&settings);
    // As in a call: time goes on, and speech began before it is noticed.
    let mut now = SessionTime::from_millis(1_000);
    for operation in &input.operations {
        match *operation {
            Operation::Opened { turn } => endpoint.turn_opened(TurnId(turn.into()), now),
            Operation::Frames { count, pitch_hz, level_dbfs, concealed } => {
                for _ in 0..count {
                    now += Duration::from_millis(20);
                    let echo = EchoEvidence::NONE;
                    let (at, voice) = (now, 0.9);
                    let frame = FrameFeatures { at, voice, level_dbfs, pitch_hz, echo, concealed };
                    endpoint.handle_frame(&frame, true);
                }
            }
            Operation::Resumed => endpoint.speech_started(now),
            Operation::Stopped { wait_ms } => {
                let last = now;
                now += Duration::from_millis(100);
                let look = endpoint.speech_stopped(now, last);
                assert!(look >= last, "a deadline lies after what it is about");
                let until = now + Duration::from_millis(wait_ms.into());
                now = pause(&mut endpoint, &settings, last, look, until);
            }
            Operation::Text { turn, probability } => {
                endpoint.hint(now, TurnHint::Text { turn: TurnId(turn.into()), probability });
            }
            Operation::Model { turn, probability } => {
                let probability = probability.filter(|p| (0.0..=1.0).contains(p));
                endpoint.hint(now, TurnHint::Model { turn: TurnId(turn.into()), probability });
            }
            Operation::Ended => endpoint.turn_ended(),
        }
    }
});

fn settings(input: &Input) -> EndpointSettings {
    let ms = |millis: u16, least: u64, most: u64| {
        Duration::from_millis(u64::from(millis).clamp(least, most))
    };
    let min = ms(input.min_ms, 100, 2_000);
    let threshold =
        if input.threshold.is_finite() { input.threshold.clamp(0.05, 0.95) } else { 0.5 };
    EndpointSettings {
        strategy: match input.strategy % 4 {
            0 => EndpointStrategy::Silence(ms(input.millis, 100, 5_000)),
            1 => EndpointStrategy::Adaptive,
            2 => EndpointStrategy::Semantic { threshold },
            _ => EndpointStrategy::Backend,
        },
        min,
        max: (min + ms(input.span_ms, 0, 3_000)).min(Duration::from_secs(5)),
        speculate: input.speculate,
    }
}

/// Judges when asked to, up to `until`. Where the pause is left alone it ends in time.
fn pause(
    endpoint: &mut Endpoint,
    settings: &EndpointSettings,
    last: SessionTime,
    mut look: SessionTime,
    until: SessionTime,
) -> SessionTime {
    let mut speculated = 0;
    for _ in 0..QUESTIONS_MAX {
        if look > until {
            return until;
        }
        match endpoint.judge(look, false) {
            Verdict::Over => {
                let (silence, least, most) = match settings.strategy {
                    EndpointStrategy::Silence(silence) => (look.since(last), silence, silence),
                    EndpointStrategy::Backend => {
                        (look.since(last), EndpointSettings::BACKSTOP, EndpointSettings::BACKSTOP)
                    }
                    _ => (look.since(last), settings.min, settings.max),
                };
                assert!(silence >= least && silence <= most.max(Duration::from_millis(100)));
                endpoint.turn_ended();
                return look;
            }
            Verdict::Speculate(next) => {
                speculated += 1;
                assert!(settings.speculate && speculated == 1 && next > look);
                look = next;
            }
            Verdict::AskAgain(next) => {
                assert!(next > look, "it asks again later");
                look = next;
            }
        }
    }
    panic!("it asks again for ever");
}
