//! Whole calls on real sockets: the agent's endpoint at one end, the `webrtc` crate at the other.

mod agent;
mod recording;
mod relief;

use std::time::{Duration, Instant};

use antiphon::call::event::EndReason;
use antiphon::peer::{PatchError, Patched, Precondition};
use antiphon::sdp::Fragment;
use antiphon_loopback::{Caller, Codec, Happened, PATIENCE, Sockets};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;

use agent::{Desk, READY, Voice};

#[tokio::test]
async fn a_browser_style_offer_is_answered_and_audio_flows_both_ways() {
    let desk = Desk::new();
    for codec in [Codec::Opus, Codec::Pcmu] {
        let (mut caller, mut call) = desk.connected(codec, Sockets::Udp).await;
        let greeting = caller.next_rtp().await;
        assert!(!greeting.payload.is_empty());
        assert!(call.hears_a_turn_of(&caller, codec).await, "{codec:?}");
        let stats = call.handle.stats().await.expect("the call runs");
        assert!(stats.path.received > 20, "{:?}", stats.path);
        assert_eq!((stats.path.received_lost, stats.session.foreign_rtp), (0, 0));
        let connected_after = stats.connected_after.expect("it is connected");
        assert!(connected_after < Duration::from_secs(2), "{connected_after:?}");
    }
}

#[tokio::test]
async fn messages_go_both_ways_and_wait_for_the_client() {
    let desk = Desk::new();
    let (mut caller, _call) = desk.connected(Codec::Opus, Sockets::Udp).await;
    caller.until(|it| matches!(it, Happened::ChannelOpen)).await;
    caller.send_text("ping: 1").await;
    caller.send_text("this is not RTVI").await;
    caller.send_text(READY).await;
    let first = caller.text_with("").await;
    assert!(first.contains("bot-ready"), "the greeting comes first: {first}");
    caller.text_with("bot-started-speaking").await;
}

#[tokio::test]
async fn an_ice_restart_keeps_the_call() {
    let desk = Desk::new();
    let (mut caller, call) = desk.connected(Codec::Opus, Sockets::Udp).await;
    let etag = call.etag.clone();
    let fragment = caller.restart().await;
    let old = Precondition::Tags(vec!["\"old\"".to_owned()]);
    let refused = call.handle.patch(fragment.clone(), old).await;
    assert_eq!(refused, Err(PatchError::PreconditionFailed));
    let refused = call.handle.patch(fragment.clone(), Precondition::Missing).await;
    assert_eq!(refused, Err(PatchError::PreconditionRequired));
    let patched = call.handle.patch(fragment, Precondition::Any).await.expect("a restart");
    let Patched::Restarted { fragment, etag: new_etag } = patched else {
        panic!("new credentials ask for a restart: {patched:?}");
    };
    assert_ne!(etag, new_etag);
    let fragment = Fragment::parse(&fragment).expect("our own fragment");
    assert!(fragment.end_of_candidates && !fragment.candidates.is_empty());
    caller.accept_restart(&fragment.credentials.expect("it names the new session")).await;
    let trickle = call.handle.patch(Fragment::default(), Precondition::Tags(vec![new_etag])).await;
    assert_eq!(trickle, Ok(Patched::Trickled));
    let restarted = async {
        while call.handle.stats().await.expect("the call runs").session.restarts == 0 {
            caller.next_rtp().await;
        }
    };
    timeout(PATIENCE, restarted).await.expect("the caller moves to the new session");
    for _ in 0..20 {
        caller.next_rtp().await;
    }
    assert_eq!(call.handle.summary(), None);
}

#[tokio::test]
async fn a_call_can_be_carried_by_tcp() {
    let desk = Desk::new();
    let (mut caller, mut call) = desk.connected(Codec::Opus, Sockets::Tcp).await;
    caller.next_rtp().await;
    assert!(call.hears_a_turn_of(&caller, Codec::Opus).await);
}

#[tokio::test]
async fn fifty_calls_share_one_port() {
    let desk = Desk::new();
    let mut calls = Vec::new();
    for _ in 0..50 {
        calls.push(desk.connected(Codec::Pcmu, Sockets::Udp).await);
    }
    let mut talking = JoinSet::new();
    for (mut caller, mut call) in calls {
        talking.spawn(async move {
            caller.next_rtp().await;
            assert!(call.hears_a_turn_of(&caller, Codec::Pcmu).await);
            let stats = call.handle.stats().await.expect("the call runs");
            assert_eq!(stats.session.foreign_rtp, 0);
        });
    }
    talking.join_all().await;
}

#[tokio::test]
async fn hostile_packets_on_the_port_do_not_reach_a_call() {
    let desk = Desk::new();
    let (mut caller, mut call) = desk.connected(Codec::Opus, Sockets::Udp).await;
    let stranger = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let target = desk.endpoint.udp_address().expect("it is bound");
    let mut seed = 7_u32;
    for length in 0..2_000_usize {
        let mut bytes = (0..length % 1_400)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            })
            .collect::<Vec<_>>();
        if let Some(first) = bytes.first_mut() {
            *first = [0, 1, 22, 128, 144, 255][length % 6];
        }
        stranger.send_to(&bytes, target).await.expect("loopback takes it");
    }
    let listener = desk.endpoint.tcp_address().expect("it is bound");
    for first in [&[0xff, 0xff, 1][..], &[0, 4, 1, 2, 3, 4], b"GET / HTTP/1.1\r\n\r\n"] {
        let stream = TcpStream::connect(listener).await.expect("it listens");
        stream.try_write(first).expect("a few bytes fit");
        timeout(PATIENCE, stream.readable()).await.expect("it is closed on us").expect("a socket");
        let closed = matches!(stream.try_read(&mut [0; 8]), Ok(0) | Err(_));
        assert!(closed, "{first:?}");
    }
    caller.next_rtp().await;
    assert!(call.hears_a_turn_of(&caller, Codec::Opus).await);
    let stats = desk.endpoint.stats();
    assert!(stats.unusable > 0 && stats.unknown_source > 0, "{stats:?}");
    assert_eq!(stats.tcp_refused, 3, "{stats:?}");
}

#[tokio::test]
async fn either_side_can_hang_up() {
    let desk = Desk::new();
    let (caller, call) = desk.connected(Codec::Opus, Sockets::Udp).await;
    caller.close().await;
    let summary = timeout(PATIENCE, call.handle.finished()).await.expect("it ends");
    assert_eq!(summary.expect("it has a summary").reason, EndReason::Client);
    assert_eq!(
        call.handle.patch(Fragment::default(), Precondition::Any).await,
        Err(PatchError::Gone)
    );

    let (mut caller, call) = desk.connected(Codec::Opus, Sockets::Udp).await;
    caller.until(|it| matches!(it, Happened::ChannelOpen)).await;
    let summary = call.handle.end(EndReason::Drained).await.expect("it has a summary");
    assert_eq!(summary.reason, EndReason::Drained);
    assert!(summary.stats.connected_after.is_some());
    caller.until(|it| matches!(it, Happened::ChannelClosed)).await;
}

#[tokio::test]
async fn a_bug_in_one_call_ends_that_call_only() {
    let desk = Desk::new();
    let (mut caller, call) = desk.connected(Codec::Opus, Sockets::Udp).await;
    let (broken_caller, mut broken) = desk.connected_with(Codec::Pcmu, Voice::Broken).await;
    broken.hears_a_turn_of(&broken_caller, Codec::Pcmu).await;
    let summary = timeout(PATIENCE, broken.handle.finished()).await.expect("it ends");
    assert_eq!(summary.expect("it has a summary").reason, EndReason::Internal);
    caller.next_rtp().await;
    assert_eq!(call.handle.summary(), None);
}

/// Prints how long it took; that no check is lost on the way is tested in virtual time.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "figures for whoever runs it with --nocapture")]
async fn fifty_calls_connect_one_after_the_other() {
    let desk = Desk::new();
    let mut took_ms = Vec::new();
    for _ in 0..50 {
        let mut caller = Caller::new(Codec::Opus, Sockets::Udp).await;
        let offer = caller.offer().await;
        let begin = Instant::now();
        let (answer, _call) = desk.answer(&offer, Voice::Level);
        caller.accept(&answer).await;
        caller.connected().await;
        took_ms.push(begin.elapsed().as_secs_f64() * 1_000.0);
        caller.close().await;
    }
    took_ms.sort_by(f64::total_cmp);
    println!(
        "offer to connected, ms: median {:.1}, p90 {:.1}, max {:.1}",
        took_ms[25], took_ms[45], took_ms[49]
    );
}
