//! A session against a peer made of the same stack, in virtual time: no socket, no sleep.

mod pair;

use std::time::Duration;

use bytes::BytesMut;

use self::pair::{Pair, PairSettings};
use super::*;
use crate::agent::EncodedFrame;
use crate::peer::datagram::Route;

fn connected(settings: PairSettings) -> Pair {
    let mut pair = Pair::new(settings);
    pair.run(Duration::from_secs(5));
    assert!(pair.connected_after.is_some(), "no connection");
    pair
}

#[test]
fn a_browser_style_offer_connects_within_a_few_round_trips() {
    for latency_ms in [0, 1, 10, 40] {
        let latency = Duration::from_millis(latency_ms);
        let pair = connected(PairSettings { latency, ..PairSettings::default() });
        let after = pair.connected_after.expect("it is connected");
        // ICE takes two round trips (check, nomination), DTLS with its cookie three, and each side
        // may have to wait for its next check.
        let expected = latency * 12 + Duration::from_millis(60);
        assert!(after < expected, "{after:?} at a latency of {latency:?}");
    }
}

#[test]
fn audio_flows_both_ways_in_every_codec() {
    for (codec, clock) in [("opus", 48), ("PCMU", 8), ("PCMA", 8)] {
        let mut pair = connected(PairSettings { codec, ..PairSettings::default() });
        for index in 0..50_u32 {
            let frame = EncodedFrame::new(index * 20 * clock, index == 0, -30, &[7; 40]);
            pair.send_frame(&frame);
            pair.peer_sends_rtp(index as u16, index * 20 * clock, &[9; 40]);
            pair.run(Duration::from_millis(20));
        }
        let to_peer = &pair.peer_rtp;
        assert_eq!(to_peer.len(), 50, "{codec}");
        assert!(to_peer[0].header.marker && !to_peer[1].header.marker);
        let first = to_peer[0].header.clone();
        let last = to_peer[49].header.clone();
        assert_eq!(last.sequence_number, first.sequence_number.wrapping_add(49));
        assert_eq!(last.timestamp, first.timestamp.wrapping_add(49 * 20 * clock));
        let from_peer = pair.rtp();
        assert_eq!(from_peer.len(), 50, "{codec}");
        assert_eq!(from_peer[3].payload.as_ref(), [9; 40]);
        assert_eq!(from_peer[3].kind, PayloadKind::Audio);
    }
}

#[test]
fn reports_give_the_round_trip() {
    let latency = Duration::from_millis(30);
    let mut pair = connected(PairSettings { latency, ..PairSettings::default() });
    for index in 0..300_u32 {
        pair.send_frame(&EncodedFrame::new(index * 960, false, -30, &[7; 40]));
        pair.peer_sends_rtp(index as u16, index * 960, &[9; 40]);
        pair.run(Duration::from_millis(20));
    }
    pair.run(latency);
    let measured = pair.round_trips();
    assert!(!measured.is_empty(), "no report came back");
    for round_trip in measured {
        let error = round_trip.abs_diff(latency * 2);
        assert!(error < Duration::from_millis(2), "{round_trip:?}");
    }
    let (_, path) = pair.session.stats();
    assert_eq!((path.received, path.received_lost, path.malformed), (300, 0, 0));
}

#[test]
fn text_goes_both_ways_on_the_channel_of_the_peer() {
    let mut pair = connected(PairSettings::default());
    pair.run(Duration::from_secs(1));
    assert!(pair.saw(&Event::ChannelOpened));
    pair.peer_sends_text("hello");
    pair.session.send_text(pair.now, "welcome");
    pair.run(Duration::from_millis(100));
    assert!(pair.saw(&Event::Text("hello".to_owned())));
    assert_eq!(pair.peer_texts, ["welcome"]);
}

#[test]
fn a_call_without_a_data_channel_is_a_call() {
    let pair = connected(PairSettings { has_data: false, ..PairSettings::default() });
    assert!(!pair.saw(&Event::ChannelOpened));
}

/// The order that cost half a second: the nomination comes while our own check is on its way.
#[test]
fn a_nomination_that_overtakes_our_check_is_not_lost() {
    let checks_delay = Duration::from_millis(230);
    let pair = connected(PairSettings { checks_delay, ..PairSettings::default() });
    let after = pair.connected_after.expect("it is connected");
    // Our check went out at once, so its answer is there after the delay; the peer repeats its
    // nomination every 200 ms only.
    assert!(after < checks_delay + Duration::from_millis(30), "{after:?}");
}

/// Chromium nominates with its very first check, and everything else depends on its address being
/// known from then on.
#[test]
fn a_nomination_makes_its_sender_known_only_if_it_is_authentic() {
    let mut pair = Pair::new(PairSettings::default());
    let route = Route::udp(([203, 0, 113, 5], 9).into());
    let pwd = pair.session.local_credentials().pwd.clone();
    for (pwd, is_authentic) in [("a wrong password".to_owned(), false), (pwd, true)] {
        let bytes = pair::nomination(&pair.session, pwd);
        assert!(Binding::parse(&bytes).is_some_and(|it| it.use_candidate));
        pair.session.handle_datagram(pair.now, Datagram { route, bytes });
        pair.drain();
        assert_eq!(pair.saw(&Event::Seen(route)), is_authentic);
        assert!(!pair.saw(&Event::Proven(route)), "nobody there answered a check of ours");
    }
}

#[test]
fn what_came_before_the_path_is_kept() {
    let mut pair = Pair::new(PairSettings::default());
    let route = pair.peer_route();
    let now = pair.now;
    let early = Datagram { route, bytes: BytesMut::from(&[22, 254, 253][..]) };
    pair.session.handle_datagram(now, early);
    assert_eq!(pair.session.stats().0.unusable, 0);
    pair.run(Duration::from_secs(2));
    assert!(pair.connected_after.is_some());
}

#[test]
fn a_peer_that_vanishes_is_noticed_in_time() {
    let mut pair = connected(PairSettings::default());
    pair.run(Duration::from_secs(30));
    assert_eq!(pair.end(), None, "a quiet peer is not a lost one");
    pair.is_cut = true;
    let cut_at = pair.now;
    pair.run(Duration::from_secs(20));
    assert_eq!(pair.end(), Some(End::Silent));
    let noticed_after = pair.ended_at.expect("it ended").duration_since(cut_at);
    assert!(noticed_after <= Duration::from_secs(10), "{noticed_after:?}");
    assert!(noticed_after >= Duration::from_secs(5), "{noticed_after:?}");
}

#[test]
fn a_call_that_never_connects_is_given_up() {
    let mut pair = Pair::new(PairSettings { has_candidates: false, ..PairSettings::default() });
    pair.is_cut = true;
    pair.run(CONNECT_TIMEOUT - Duration::from_secs(1));
    assert_eq!(pair.end(), None);
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.end(), Some(End::NotConnected));
}

#[test]
fn the_peers_goodbye_ends_the_session_at_once() {
    let mut pair = connected(PairSettings::default());
    pair.peer_closes();
    pair.run(Duration::from_millis(200));
    assert_eq!(pair.end(), Some(End::Closed));
}

#[test]
fn our_goodbye_reaches_the_peer() {
    let mut pair = connected(PairSettings::default());
    pair.session.close(pair.now);
    pair.run(Duration::from_millis(200));
    assert!(pair.peer_saw_close());
}

#[test]
fn an_ice_restart_keeps_the_call_and_loses_nothing() {
    let latency = Duration::from_millis(15);
    let mut pair = connected(PairSettings { latency, ..PairSettings::default() });
    let mut sent = 0_u32;
    let mut talk = |pair: &mut Pair, frames: u32| {
        for _ in 0..frames {
            pair.send_frame(&EncodedFrame::new(sent * 960, false, -30, &[7; 40]));
            pair.peer_sends_rtp(sent as u16, sent * 960, &[9; 40]);
            pair.run(Duration::from_millis(20));
            sent += 1;
        }
    };
    talk(&mut pair, 20);
    let old = pair.session.local_credentials().clone();
    let remote = pair.peer_restarts();
    let ours = pair.session.handle_restart(remote, Vec::new()).expect("a restart");
    assert_ne!(ours, old);
    assert_eq!(*pair.session.local_credentials(), old, "the old session goes on");
    talk(&mut pair, 10);
    assert_eq!((pair.peer_rtp.len(), pair.rtp().len()), (30, 30));
    pair.peer_takes_restart(&ours);
    talk(&mut pair, 30);
    pair.run(Duration::from_secs(1));
    assert_eq!(*pair.session.local_credentials(), ours);
    assert_eq!(pair.session.stats().0.restarts, 1);
    // The peer's own stack drops what it sends and gets while it has no path; we lose nothing.
    assert_eq!(pair.carried_rtp, [60, pair.rtp().len()]);
    assert!(pair.rtp().len() > 50 && pair.peer_rtp.len() > 50);
    pair.peer_sends_text("still here");
    pair.run(Duration::from_secs(2));
    assert!(pair.saw(&Event::Text("still here".to_owned())));
}

#[test]
fn nonsense_between_the_packets_changes_nothing() {
    let mut pair = connected(PairSettings::default());
    let mut seed = 1_u32;
    for index in 0..500_u32 {
        let bytes = (0..index % 90).map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        });
        let mut bytes = bytes.collect::<Vec<_>>();
        if let Some(first) = bytes.first_mut() {
            *first = [0, 1, 20, 22, 63, 128, 144, 191, 255][index as usize % 9];
        }
        let other = Route::udp(([203, 0, 113, 5], 9).into());
        let route = if index % 2 == 0 { pair.peer_route() } else { other };
        let datagram = Datagram { route, bytes: BytesMut::from(bytes.as_slice()) };
        pair.session.handle_datagram(pair.now, datagram);
        pair.run(Duration::from_millis(1));
    }
    pair.send_frame(&EncodedFrame::new(0, true, -30, &[7; 40]));
    pair.peer_sends_rtp(1, 960, &[9; 40]);
    pair.run(Duration::from_millis(50));
    assert_eq!((pair.peer_rtp.len(), pair.rtp().len(), pair.end()), (1, 1, None));
}
