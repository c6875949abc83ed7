//! What the providers say when they are asked, and what is made of it.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch::channel;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

use super::*;
use crate::backend::Backend as _;
use crate::backend::cascade::asr::{
    AsrStage, DeepgramSettings, FluxSettings, MoshiSettings, TranscriptionSettings,
};
use crate::backend::cascade::tts::{
    CartesiaSettings, DeepgramVoiceSettings, ElevenLabsSettings, MoshiVoiceSettings,
    SpeechSettings, TtsStage, VoicePatience,
};
use crate::backend::cascade::{AsrSettings, BrainSettings, Cascade, CascadeSettings, TtsSettings};

/// Time enough for a check that needs a moment of a busy machine, and short where it must run out.
const SOON: Duration = Duration::from_millis(500);

fn key() -> Option<String> {
    Some("the-key".to_owned())
}

fn transcription(url: String) -> AsrSettings {
    AsrSettings::Transcription(TranscriptionSettings::new(url, key()))
}

fn speech(url: String) -> TtsSettings {
    TtsSettings::Speech(Box::new(SpeechSettings::new(url, key())))
}

/// What a stage of the kind says of a server.
async fn checked(section: &str, url: String) -> Vec<Problem> {
    within(async {
        match section {
            "asr" => {
                let load = |settings| AsrStage::load(settings, false);
                let asr = Stage::new("asr", vec![transcription(url).into()], load);
                check(&asr.expect("the settings are right")).await
            }
            "llm" => check(&*models([url], Some(SOON))).await,
            _ => {
                let tts = Stage::new("tts", vec![speech(url).into()], TtsStage::load);
                check(&tts.expect("the settings are right")).await
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_server_that_answers_anything_but_a_failure_is_there() {
    let answers = ["200 OK", "200 Garbage", "404 Not Found", "405 No", "308 Elsewhere", "501 What"];
    for section in ["asr", "llm", "tts"] {
        for line in answers {
            let body = if line == "200 OK" { r#"{"data": [{"id": "a"}]}"# } else { "{\u{1}" };
            let mut server = Server::start(move |_| status(line, body)).await;
            assert_eq!(checked(section, server.url()).await, [], "{section}: {line}");
            let request = within(server.asked.recv()).await.expect("it was asked");
            assert!(request.starts_with("GET /v1/models HTTP/1.1\r\n"), "{request}");
            assert!(request.contains("authorization: Bearer the-key\r\n"), "{request}");
        }
    }
}

#[tokio::test]
async fn a_key_that_is_not_accepted_is_a_mistake() {
    for (section, line) in [("asr", "401 No"), ("llm", "403 No"), ("tts", "401 No")] {
        let body = r#"{"error": {"message": "no such key"}}"#;
        let server = Server::start(move |_| status(line, body)).await;
        let problems = checked(section, server.url()).await;
        let [Problem::Mistake(text)] = &problems[..] else { panic!("{problems:?}") };
        let answered = format!("{}/models answered {}: no such key", server.url(), &line[..3]);
        assert!(text.starts_with(&format!("{section}.api_key_env: {answered}; ")), "{text}");
        assert!(text.contains(&format!("{section}.check_every_s to 0")), "{text}");
        assert!(!text.contains("the-key"), "{text}");
    }
}

#[tokio::test]
async fn a_server_that_fails_is_busy_or_is_gone_may_come_back() {
    let rows: [(&str, Vec<Act>); 4] = [
        ("answered 500: out of memory", status("500 Oops", r#"{"error": "out of memory"}"#)),
        ("answered 503", status("503 Oops", "\u{fffd}{")),
        ("answered 429", status("429 Slower", "{}")),
        ("cannot be reached", vec![]),
    ];
    for section in ["asr", "llm", "tts"] {
        for (expected, acts) in rows.clone() {
            let server = Server::start(move |_| acts.clone()).await;
            let text = format!("{section}.url: {}/models {expected}", server.url());
            assert_eq!(checked(section, server.url()).await, [Problem::Passing(text)]);
        }
        let server = Server::start(well).await;
        let (url, address) = (server.url(), server.stop().await);
        let text = format!("{section}.url: http://{address}/v1/models cannot be reached");
        assert_eq!(checked(section, url).await, [Problem::Passing(text)]);
    }
}

#[tokio::test]
async fn an_address_is_shown_without_what_may_be_secret() {
    let server = Server::start(refusing).await;
    let url = format!("http://user:secret@{}/v1", server.address);
    let problems = checked("llm", url).await;
    let [Problem::Mistake(text)] = &problems[..] else { panic!("{problems:?}") };
    assert!(!text.contains("secret"), "{text}");
}

// ==== Behind WebSockets ====

/// What each of the providers behind WebSockets says of a server, and the section of its settings.
async fn behind_sockets(url: &str) -> Vec<(&'static str, Result<(), Problem>)> {
    let patience = VoicePatience { connect_timeout: SOON, ..VoicePatience::default() };
    let (url, voice) = (url.to_owned(), "v1".to_owned());
    let mut deepgram = DeepgramSettings::new(key());
    (deepgram.url, deepgram.connect_timeout) = (url.clone(), SOON);
    let mut flux = FluxSettings::new(key());
    (flux.url, flux.connect_timeout) = (url.clone(), SOON);
    let mut moshi = MoshiSettings::new(url.clone(), key());
    moshi.connect_timeout = SOON;
    let asr = [AsrSettings::Deepgram(deepgram), AsrSettings::Flux(flux), AsrSettings::Moshi(moshi)];
    let mut cartesia = CartesiaSettings::new(voice.clone(), key());
    (cartesia.url, cartesia.patience) = (url.clone(), patience);
    let mut elevenlabs = ElevenLabsSettings::new(voice, key());
    (elevenlabs.url, elevenlabs.patience) = (url.clone(), patience);
    let mut deepgram = DeepgramVoiceSettings::new(key());
    (deepgram.url, deepgram.patience) = (url.clone(), patience);
    let mut moshi = MoshiVoiceSettings::new(url, key());
    moshi.patience = patience;
    let tts = [
        TtsSettings::Cartesia(Box::new(cartesia)),
        TtsSettings::ElevenLabs(Box::new(elevenlabs)),
        TtsSettings::Deepgram(Box::new(deepgram)),
        TtsSettings::Moshi(Box::new(moshi)),
    ];
    let mut said = Vec::new();
    for settings in asr {
        let provider = AsrStage::load(settings, false).expect("the settings are right");
        said.push(("asr", within(provider.check()).await));
    }
    for settings in tts {
        let provider = TtsStage::load(settings).expect("the settings are right");
        said.push(("tts", within(provider.check()).await));
    }
    said
}

/// Where each connection is treated so, one after the other.
async fn socket_server<T: Future<Output = ()> + Send>(
    treat: impl Fn(TcpStream) -> T + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("ws://{}", listener.local_addr().expect("it is bound"));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("somebody connects");
            treat(stream).await;
        }
    });
    url
}

#[tokio::test]
async fn a_handshake_is_enough_and_nothing_is_said_that_could_be_counted() {
    let (tell, mut said) = mpsc::unbounded_channel();
    let url = socket_server(move |stream| {
        let tell = tell.clone();
        async move {
            let mut peer = accept_async(stream).await.expect("it is a handshake");
            // A service that is not asked may say something all the same.
            let _ = peer.send(Message::text(r#"{"type": "Connected"}"#)).await;
            while let Some(message) = peer.next().await {
                let _ = tell.send(message.expect("the client closes in order"));
            }
        }
    });
    let answers = behind_sockets(&url.await).await;
    assert_eq!(answers.len(), 7);
    for (section, answer) in answers {
        assert_eq!(answer, Ok(()), "{section}");
        let message = within(said.recv()).await.expect("it is closed");
        assert!(matches!(message, Message::Close(_)), "{message:?}");
    }
    assert!(said.try_recv().is_err(), "something was said");
}

#[tokio::test]
async fn a_handshake_may_be_refused() {
    let rows = [
        ("401 Unauthorized", true),
        ("403 Forbidden", true),
        ("400 Bad Request", false),
        ("429 Too Many", false),
        ("502 Bad Gateway", false),
    ];
    for (line, is_mistake) in rows {
        let url = socket_server(move |mut stream| async move {
            let head = format!("HTTP/1.1 {line}\r\ncontent-length: 2\r\n\r\n{{}}");
            // The client may have read enough, but not before it has asked.
            let _ = stream.readable().await;
            let _ = stream.read(&mut [0; 4_096]).await;
            let _ = stream.write_all(head.as_bytes()).await;
        });
        let url = url.await;
        for (section, answer) in behind_sockets(&url).await {
            let answered = format!("answered {}", &line[..3]);
            match answer {
                Err(Problem::Mistake(text)) if is_mistake => {
                    assert!(text.starts_with(&format!("{section}.api_key_env: {url}/")), "{text}");
                    assert!(text.contains(&answered) && !text.contains("the-key"), "{text}");
                }
                Err(Problem::Passing(text)) if !is_mistake => {
                    assert!(text.starts_with(&format!("{section}.url: {url}/")), "{text}");
                    assert!(text.contains(&answered), "{text}");
                }
                other => panic!("{line}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_service_that_says_nothing_or_is_gone_may_come_back() {
    let (keep, _kept) = mpsc::unbounded_channel();
    let silent = socket_server(move |stream| {
        let _ = keep.send(stream);
        std::future::ready(())
    });
    let silent = silent.await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let gone = format!("ws://{}", listener.local_addr().expect("it is bound"));
    drop(listener);
    for (url, expected) in
        [(silent, "did not accept a connection within 0.5 s"), (gone, "cannot be reached")]
    {
        for (section, answer) in behind_sockets(&url).await {
            let Err(Problem::Passing(text)) = answer else { panic!("{answer:?}") };
            assert!(text.starts_with(&format!("{section}.url: {url}/")), "{text}");
            assert!(text.ends_with(expected), "{text}");
        }
    }
}

// ==== All of them ====

#[tokio::test]
async fn of_a_list_those_are_named_that_are_not_well() {
    let (silent, refusing) = (Server::start(|_| vec![Act::Hang]), Server::start(refusing));
    let (silent, refusing, well) = (silent.await, refusing.await, Server::start(well).await);
    let urls = [silent.url(), refusing.url(), well.url()];
    let problems = within(check(&*models(urls, Some(SOON)))).await;
    let [Problem::Passing(passing), Problem::Mistake(mistake)] = &problems[..] else {
        panic!("{problems:?}")
    };
    let name = format!("small at {}", silent.url());
    assert_eq!(
        *passing,
        format!("number 1 of llm: llm: {name} did not say within 2.5 s that it is well")
    );
    let url = refusing.url();
    let begins = format!("number 2 of llm: llm.api_key_env: {url}/models answered 401");
    assert!(mistake.starts_with(&begins), "{mistake}");
}

#[tokio::test]
async fn who_is_not_to_be_checked_is_not_asked_at_start_either() {
    let mut server = Server::start(refusing).await;
    assert_eq!(within(check(&*models([server.url()], None))).await, []);
    assert!(server.asked.try_recv().is_err(), "it was asked");
}

fn cascade(asr: &Server, llm: &Server, tts: &Server) -> Cascade {
    let brain = BrainSettings::Llm(vec![chat(llm.url()).into()]);
    let settings = CascadeSettings::new(transcription(asr.url()), brain, speech(tts.url()));
    Cascade::new("cascade", settings, Arc::default()).expect("the settings are right")
}

#[tokio::test]
async fn all_that_is_wrong_is_told_and_mistakes_first() {
    let asr = Server::start(unwell).await;
    let (llm, tts) = (Server::start(well).await, Server::start(refusing).await);
    let Err(Problem::Mistake(text)) = within(cascade(&asr, &llm, &tts).check()).await else {
        panic!("the key is wrong")
    };
    assert!(text.starts_with("tts.api_key_env: http://"), "{text}");
    assert!(text.contains("; and asr.url: http://"), "{text}");
    let passing = within(cascade(&asr, &llm, &llm).check()).await;
    let text = format!("asr.url: {}/models answered 503", asr.url());
    assert_eq!(passing, Err(Problem::Passing(text)));
    assert_eq!(within(cascade(&llm, &llm, &llm).check()).await, Ok(()));
}

#[tokio::test]
async fn all_stages_and_providers_are_asked_at_the_same_time() {
    // Nobody answers before everybody was asked.
    let (count, _) = channel(0);
    let gathering = async |listener: TcpListener| {
        let count = count.clone();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("it is asked");
            let _ = stream.read(&mut [0; 4_096]).await;
            count.send_modify(|asked| *asked += 1);
            let _ = count.subscribe().wait_for(|asked| *asked == 4).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            stream.write_all(answer).await.expect("the client waits");
        });
    };
    let mut urls = Vec::new();
    for _ in 0..4 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        urls.push(format!("http://{}/v1", listener.local_addr().expect("it is bound")));
        gathering(listener).await;
    }
    let brain =
        BrainSettings::Llm(vec![chat(urls[1].clone()).into(), chat(urls[2].clone()).into()]);
    let (asr, tts) = (transcription(urls[0].clone()), speech(urls[3].clone()));
    let settings = CascadeSettings::new(asr, brain, tts);
    let cascade = Cascade::new("cascade", settings, Arc::default()).expect("they are right");
    assert_eq!(within(cascade.check()).await, Ok(()));
}
