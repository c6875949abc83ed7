//! The voices against servers that stream, dawdle, refuse, lie and hang up.

mod calls;
mod failing;
mod server;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use self::server::{Act, Seen, Server};
use super::*;
use crate::backend::cascade::tts::{
    CartesiaSettings, DeepgramVoiceSettings, ElevenLabsSettings, MoshiVoiceSettings,
};
use crate::backend::tests::within;
use crate::call::event::WordTime;

const FIRST: Generation = Generation(7);
const SECOND: Generation = Generation(8);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Cartesia,
    ElevenLabs,
    Deepgram,
    Moshi,
}

const ALL: [Whose; 4] = [Whose::Cartesia, Whose::ElevenLabs, Whose::Deepgram, Whose::Moshi];

impl Whose {
    fn voice(self, url: &str, patience: VoicePatience) -> LiveVoice {
        let key = Some("the-key".to_owned());
        let url = url.to_owned();
        let voice = match self {
            Self::Cartesia => {
                let settings = CartesiaSettings::new("v1".to_owned(), key);
                CartesiaSettings { url, patience, ..settings }.voice()
            }
            Self::ElevenLabs => {
                let settings = ElevenLabsSettings::new("v1".to_owned(), key);
                ElevenLabsSettings { url, patience, ..settings }.voice()
            }
            Self::Deepgram => {
                let settings = DeepgramVoiceSettings::new(key);
                DeepgramVoiceSettings { url, patience, ..settings }.voice()
            }
            Self::Moshi => {
                let voice = Some("a/b.wav".to_owned());
                let settings = MoshiVoiceSettings::new(url, key);
                MoshiVoiceSettings { voice, patience, ..settings }.voice()
            }
        };
        voice.expect("the settings are right")
    }

    /// What a connection says by itself.
    fn greets(self) -> Vec<Act> {
        match self {
            Self::Moshi => vec![Act::Packet(json!({"type": "Ready"}))],
            Self::Cartesia | Self::ElevenLabs | Self::Deepgram => Vec::new(),
        }
    }

    /// Takes up the messages of a phrase.
    fn reads(self) -> Vec<Act> {
        let messages = match self {
            Self::Cartesia => 1,
            Self::ElevenLabs => 3,
            Self::Deepgram | Self::Moshi => 2,
        };
        vec![Act::Read; messages]
    }

    /// Sends these samples in one message.
    fn sends(self, pcm: &[i16]) -> Vec<Act> {
        let bytes: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let data = STANDARD.encode(&bytes);
        vec![match self {
            Self::Cartesia => Act::Text(
                json!({"type": "chunk", "data": data, "done": false, "context_id": "CONTEXT"})
                    .to_string(),
            ),
            Self::ElevenLabs => {
                Act::Text(json!({"audio": data, "contextId": "CONTEXT"}).to_string())
            }
            Self::Deepgram => Act::Binary(bytes),
            Self::Moshi => {
                // Half a step more, against what rounding takes away.
                let sample = |sample: &i16| (f32::from(*sample) + 0.5) / 32_767.0;
                let pcm: Vec<f32> = pcm.iter().map(sample).collect();
                Act::Packet(json!({"type": "Audio", "pcm": pcm}))
            }
        }]
    }

    /// Ends the phrase.
    fn ends(self) -> Vec<Act> {
        vec![match self {
            Self::Cartesia => {
                Act::Text(json!({"type": "done", "context_id": "CONTEXT"}).to_string())
            }
            Self::ElevenLabs => {
                Act::Text(json!({"isFinal": true, "contextId": "CONTEXT"}).to_string())
            }
            Self::Deepgram => Act::Text(json!({"type": "Flushed", "sequence_id": 0}).to_string()),
            Self::Moshi => Act::Close(1000, ""),
        }]
    }
}

fn ramp(count: usize) -> Vec<i16> {
    (0..count).map(|at| (1_000 + at % 20_000) as i16).collect()
}

async fn open(
    whose: Whose,
    scripts: Vec<Vec<Act>>,
    patience: VoicePatience,
) -> (LiveSpeaker, mpsc::Receiver<TtsReport>, Server) {
    let server = Server::start(scripts).await;
    let voice = whose.voice(&server.url, patience);
    let (speaker, reports) = LiveSpeaker::open(Arc::new(voice), Bill::unseen());
    (speaker, reports, server)
}

/// What is reported of a phrase, up to its end.
#[derive(Debug)]
struct Spoken {
    pcm: Vec<i16>,
    words: Vec<WordTime>,
    result: Result<(), StageError>,
}

async fn spoken(reports: &mut mpsc::Receiver<TtsReport>, of: Generation) -> Spoken {
    let (mut pcm, mut words) = (Vec::new(), Vec::new());
    loop {
        match within(reports.recv()).await.expect("the phrase ends") {
            TtsReport::Block { work, pcm: block } => {
                assert_eq!(work, of);
                assert!(block.len() <= 480, "{} samples are more than 20 ms", block.len());
                pcm.extend(block);
            }
            TtsReport::Words { work, words: told } => {
                assert_eq!(work, of);
                words.extend(told);
            }
            TtsReport::Done { work, result } => {
                assert_eq!(work, of);
                return Spoken { pcm, words, result };
            }
            other => panic!("these voices do not wait: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_phrase_is_asked_for_and_played_as_it_comes() {
    for whose in ALL {
        let pcm = ramp(2_000);
        // The silence before the first sound is left out.
        let all = [vec![0; 700], pcm.clone()].concat();
        let mut script = [whose.greets(), whose.reads()].concat();
        for piece in all.chunks(333) {
            script.extend(whose.sends(piece));
        }
        script.extend(whose.ends());
        script.push(Act::Stay);
        let scripts = vec![script, vec![Act::Stay]];
        let (speaker, mut reports, mut server) =
            open(whose, scripts, VoicePatience::default()).await;
        // Before there is a phrase.
        let (path, headers) = server.opened().await;
        let (expected_path, header) = match whose {
            Whose::Cartesia => ("/tts/websocket", "x-api-key: the-key\n"),
            Whose::ElevenLabs => (
                "/v1/text-to-speech/v1/multi-stream-input?model_id=eleven_flash_v2_5&\
                 output_format=pcm_24000&auto_mode=true&sync_alignment=true&inactivity_timeout=180",
                "xi-api-key: the-key\n",
            ),
            Whose::Deepgram => (
                "/v1/speak?model=aura-2-thalia-en&encoding=linear16&sample_rate=24000",
                "authorization: Token the-key\n",
            ),
            Whose::Moshi => (
                "/api/tts_streaming?format=PcmMessagePack&cfg_alpha=1.5&voice=a%2Fb.wav",
                "kyutai-api-key: the-key\n",
            ),
        };
        assert_eq!(path, expected_path);
        assert!(headers.contains(header), "{headers}");
        let is_versioned = headers.contains("cartesia-version: 2026-03-01\n");
        assert_eq!(is_versioned, whose == Whose::Cartesia, "{headers}");

        let _speaking = speaker.speak(FIRST, "Hello there.".to_owned(), 1.0);
        let Spoken { pcm: played, result, .. } = spoken(&mut reports, FIRST).await;
        assert_eq!(result, Ok(()), "{whose:?}");
        assert!(played.ends_with(&pcm), "{whose:?}: {} samples, or others", played.len());
        assert!(played.len() < pcm.len() + 200, "{whose:?}: {} samples", played.len());
        let first = server.sent().await;
        let text = ["text", "transcript"].map(|field| first[field].as_str().unwrap_or_default());
        assert!(text.concat() == "Hello there." || whose == Whose::ElevenLabs, "{first}");
    }
}

#[tokio::test]
async fn one_connection_speaks_phrase_after_phrase() {
    for whose in [Whose::Cartesia, Whose::ElevenLabs, Whose::Deepgram] {
        let phrase = |pcm: &[i16]| [whose.reads(), whose.sends(pcm), whose.ends()].concat();
        let (one, two) = (ramp(500), ramp(700));
        let script = [phrase(&one), phrase(&two), vec![Act::Stay]].concat();
        let (speaker, mut reports, mut server) =
            open(whose, vec![script], VoicePatience::default()).await;
        for (work, pcm) in [(FIRST, one), (SECOND, two)] {
            let _speaking = speaker.speak(work, "Hello.".to_owned(), 1.0);
            let phrase = spoken(&mut reports, work).await;
            assert_eq!((phrase.result, phrase.pcm), (Ok(()), pcm), "{whose:?}");
        }
        drop(speaker);
        while server.next().await != Seen::Closed {}
    }
}

#[tokio::test]
async fn moshi_has_a_connection_for_each_phrase_opened_before_it() {
    let whose = Whose::Moshi;
    let stale = Act::Packet(json!({"type": "Audio", "pcm": [0.5, 0.5]}));
    let phrase = |pcm: &[i16]| {
        [vec![stale.clone()], whose.greets(), whose.reads(), whose.sends(pcm), whose.ends()]
            .concat()
    };
    let (one, two) = (ramp(500), ramp(700));
    let scripts = vec![phrase(&one), phrase(&two), vec![Act::Stay]];
    let (speaker, mut reports, mut server) = open(whose, scripts, VoicePatience::default()).await;
    for (work, pcm) in [(FIRST, one), (SECOND, two)] {
        server.opened().await;
        let _speaking = speaker.speak(work, "Hello.".to_owned(), 1.0);
        let phrase = spoken(&mut reports, work).await;
        assert_eq!((phrase.result, phrase.pcm), (Ok(()), pcm));
        assert_eq!(server.sent().await, json!({"type": "Text", "text": "Hello."}));
        assert_eq!(server.sent().await, json!({"type": "Eos"}));
    }
    server.opened().await;
}

#[tokio::test]
async fn words_count_from_the_first_block_and_may_come_behind_it() {
    let timestamps = json!({
        "type": "timestamps", "context_id": "CONTEXT",
        "word_timestamps": {"words": ["Hello", "there."], "start": [0.125, 0.3], "end": [0.3, 0.5]},
    });
    let alignment = json!({
        "contextId": "CONTEXT", "audio": null,
        "alignment": {
            "chars": ["H", "o", " ", "t", "o"],
            "charStartTimesMs": [125, 200, 300, 300, 400],
            "charDurationsMs": [75, 100, 0, 100, 100],
        },
    });
    let packet = |text: &str, start_s: f64, stop_s: f64| {
        Act::Packet(json!({"type": "Text", "text": text, "start_s": start_s, "stop_s": stop_s}))
    };
    let silence = vec![0; 2_400];
    let rows = [
        (Whose::Cartesia, vec![Act::Text(timestamps.to_string())]),
        (Whose::ElevenLabs, vec![Act::Text(alignment.to_string())]),
        (
            Whose::Moshi,
            vec![packet("", 0.0, 0.0), packet("Hi", 0.125, 0.3), packet("you.", 0.3, 0.5)],
        ),
    ];
    for (whose, tell) in rows {
        let sound = whose.sends(&[silence.clone(), ramp(2_400)].concat());
        let script =
            [whose.greets(), whose.reads(), sound, tell, whose.ends(), vec![Act::Stay]].concat();
        let (speaker, mut reports, _server) =
            open(whose, vec![script, vec![Act::Stay]], VoicePatience::default()).await;
        let _speaking = speaker.speak(FIRST, "Hello there.".to_owned(), 1.0);
        let phrase = spoken(&mut reports, FIRST).await;
        assert_eq!(phrase.result, Ok(()), "{whose:?}");
        assert_eq!(phrase.pcm.len(), 2_400 + 160, "{whose:?}");
        // Of the 100 ms of silence 160 samples are kept.
        let lead = 100_000 - 160 * 1_000_000 / 24_000;
        let times: Vec<_> = phrase.words.iter().map(|it| (it.start, it.end)).collect();
        let at = |micros: u64| Duration::from_micros(micros - lead - 1);
        let expected = [(at(125_000), at(300_000)), (at(300_000), at(500_000))];
        let is_near = |seen: Duration, expected: Duration| seen.abs_diff(expected).as_micros() <= 2;
        let is_right = times.len() == 2
            && times
                .iter()
                .zip(expected)
                .all(|(seen, expected)| is_near(seen.0, expected.0) && is_near(seen.1, expected.1));
        assert!(is_right, "{whose:?}: {times:?} should be {expected:?}");
    }
}

/// Waits for sound of the phrase, then does not want it any more; what was reported until then is read away.
async fn interrupt(reports: &mut mpsc::Receiver<TtsReport>, speaking: Speaking) {
    let first = within(reports.recv()).await;
    assert!(matches!(first, Some(TtsReport::Block { .. })), "{first:?}");
    drop(speaking);
    while reports.try_recv().is_ok() {}
}

#[tokio::test]
async fn a_phrase_that_is_dropped_is_stopped_and_never_heard_again() {
    for whose in [Whose::Cartesia, Whose::ElevenLabs, Whose::Deepgram] {
        let (old, new) = (vec![-9_000; 4_800], ramp(500));
        let mut script = [whose.reads(), whose.sends(&old)].concat();
        // What it sends until it sees that the phrase is not wanted.
        let rest = [whose.sends(&old), whose.ends()].concat();
        match whose {
            Whose::ElevenLabs => {
                script.push(Act::Read);
                let of_the_old = |act: Act| match act {
                    Act::Text(text) => Act::Text(text.replace("CONTEXT", "phrase-1")),
                    other => other,
                };
                script.extend(rest.into_iter().map(of_the_old));
                script.extend([Act::Read, Act::Read]);
            }
            Whose::Cartesia | Whose::Deepgram | Whose::Moshi => {
                script.push(Act::Read);
                script.extend(rest);
                if whose == Whose::Deepgram {
                    script.push(Act::Text(json!({"type": "Cleared"}).to_string()));
                }
                script.extend(whose.reads());
            }
        }
        script.extend([whose.sends(&new), whose.ends(), vec![Act::Stay]].concat());
        let (speaker, mut reports, mut server) =
            open(whose, vec![script], VoicePatience::default()).await;
        let speaking = speaker.speak(FIRST, "One.".to_owned(), 1.0);
        interrupt(&mut reports, speaking).await;
        let _speaking = speaker.speak(SECOND, "Two.".to_owned(), 1.0);
        let phrase = spoken(&mut reports, SECOND).await;
        assert_eq!((phrase.result, phrase.pcm), (Ok(()), new), "{whose:?}");
        server.opened().await;
        let mut sent = Vec::new();
        while let Ok(seen) = server.seen_now() {
            sent.push(seen);
        }
        let told = match whose {
            Whose::Cartesia => json!({"context_id": "phrase-1", "cancel": true}),
            Whose::ElevenLabs => json!({"text": " ", "context_id": "phrase-2"}),
            Whose::Deepgram | Whose::Moshi => json!({"type": "Clear"}),
        };
        assert!(sent.contains(&Seen::Sent(told)), "{whose:?}: {sent:?}");
    }
}

#[tokio::test]
async fn moshi_is_hung_up_on_when_a_phrase_is_dropped() {
    let whose = Whose::Moshi;
    let first = [whose.greets(), whose.reads(), whose.sends(&[-9_000; 4_800]), vec![Act::Stay]];
    let second = [whose.greets(), whose.reads(), whose.sends(&ramp(500)), whose.ends()];
    let scripts = vec![first.concat(), second.concat(), vec![Act::Stay]];
    let (speaker, mut reports, mut server) = open(whose, scripts, VoicePatience::default()).await;
    let speaking = speaker.speak(FIRST, "One.".to_owned(), 1.0);
    interrupt(&mut reports, speaking).await;
    // Before there is another phrase.
    while server.next().await != Seen::Closed {}
    let _speaking = speaker.speak(SECOND, "Two.".to_owned(), 1.0);
    let phrase = spoken(&mut reports, SECOND).await;
    assert_eq!((phrase.result, phrase.pcm), (Ok(()), ramp(500)));
}

#[test]
fn a_key_is_never_shown_and_what_makes_no_address_is_refused() {
    let key = || Some("the-key".to_owned());
    let settings = CartesiaSettings::new("v1".to_owned(), key());
    assert!(!format!("{settings:?}").contains("the-key"));
    let voice = settings.voice().expect("the settings are right");
    assert!(!format!("{voice:?}").contains("the-key"));
    assert!(ElevenLabsSettings::new("a/../b".to_owned(), key()).voice().is_err());
    let settings = DeepgramVoiceSettings::new(key());
    assert!(DeepgramVoiceSettings { url: "ftp://x".to_owned(), ..settings }.voice().is_err());
}
