//! What Nova Sonic sends, one event a line: read, understood and metered.
#![no_main]

use antiphon::limits::{NOVA_CONTENT_BYTES_MAX, NOVA_EVENT_NAME_CHARS_MAX, NOVA_ID_BYTES_MAX};
use antiphon::nova::contents::{Contents, Said};
use antiphon::nova::event::{ServerEvent, parse};
use antiphon::nova::usage::Meter;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|lines: &[u8]| {
    let mut contents = Contents::new();
    let mut meter = Meter::new();
    for (number, json) in lines.split(|byte| *byte == b'\n').enumerate() {
        let Ok(event) = parse(json) else { continue };
        check_event(&event, json.len());
        let said: Vec<Said> = contents.step(event).collect();
        assert!(said.len() <= 2, "{said:?}");
        for said in &said {
            check_said(said);
            if let Said::Usage(totals) = said {
                // Two connections, in turn.
                let before = meter.sum();
                let added = meter.handle(number as u32 % 2, *totals);
                assert_eq!(meter.sum(), before + added);
            }
        }
    }
});

fn check_event(event: &ServerEvent, bytes: usize) {
    let id = match event {
        ServerEvent::AudioOutput { content_id, pcm, .. } => {
            assert!(2 * pcm.len() <= bytes, "more audio than was sent");
            content_id
        }
        ServerEvent::ToolUse { use_id, name, arguments, .. } => {
            assert!((1..=NOVA_ID_BYTES_MAX).contains(&use_id.len()));
            assert!(name.len() <= NOVA_ID_BYTES_MAX);
            // A number without its exponent may be longer than it was.
            assert!(arguments.len() <= 8 * bytes, "more arguments than were sent");
            name
        }
        ServerEvent::ContentStart { content_id, sample_rate_hz, .. } => {
            assert!(matches!(sample_rate_hz, None | Some(8_000 | 16_000 | 24_000)));
            content_id
        }
        ServerEvent::TextOutput { content_id, .. } | ServerEvent::ContentEnd { content_id, .. } => {
            content_id
        }
        ServerEvent::Unknown { name } => {
            assert!(name.len() <= NOVA_EVENT_NAME_CHARS_MAX);
            assert!(
                name.bytes().all(|byte| byte.is_ascii_graphic()),
                "a name that may not be shown"
            );
            name
        }
        _ => return,
    };
    assert!(id.len() <= NOVA_ID_BYTES_MAX);
}

fn check_said(said: &Said) {
    match said {
        Said::UserText(text) | Said::Spoken(text) => {
            assert!(!text.is_empty() && text.trim() == text, "{text:?}");
            assert!(text.len() <= NOVA_CONTENT_BYTES_MAX);
        }
        Said::Planned { text, .. } => {
            assert!(!text.trim().is_empty());
            assert!(text.len() <= NOVA_CONTENT_BYTES_MAX);
        }
        Said::Audio(pcm) => assert!(!pcm.is_empty()),
        _ => {}
    }
}
