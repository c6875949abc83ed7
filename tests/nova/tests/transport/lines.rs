//! One stream from its opening to its end, whoever ends it.

use std::time::Duration;

use antiphon::backend::nova_sonic::ConnectionSettings;
use antiphon::backend::nova_sonic::line::{Dial, LineReport, Unsent};
use antiphon::limits::NOVA_UNITS_MAX;
use antiphon::nova::fault::{Fault, Silence};
use tokio::sync::mpsc;

use crate::support::{Bench, Talk, account, dial, ended, next, within};

#[tokio::test]
async fn a_line_is_opened_used_and_ended_in_order() {
    let bench = Bench::new(&[]).await;
    let dial = bench.dial();
    let mut talk = Talk::dialled(&dial, 7);
    let opened = next(&mut talk.heard).await;
    let LineReport::Opened { line: 7, credentials_last: None, .. } = opened else {
        panic!("{opened:?}")
    };
    let audio = talk.scribe.open_audio().expect("it is set up");
    talk.line.send(audio).expect("there is room");
    talk.silence();
    let seat = dial.account.budget().seat().expect("there is room");
    let last = talk.scribe.close();
    talk.line.close(last, Some(seat));
    assert_eq!(ended(&mut talk.heard).await, Fault::Ended);
    bench.until(|counts| counts.streams_open == 0).await;
    let counts = bench.sim.counts();
    assert_eq!(counts.protocol_errors, [""; 0]);
    assert_eq!(counts.requests["sessionEnd"], 1);
    assert_eq!(counts.replies["completionEnd"], 1);
}

#[tokio::test]
async fn a_line_that_is_dropped_ends_its_half_and_says_when_it_is_over() {
    let bench = Bench::new(&[]).await;
    let mut talk = Talk::open(&bench.dial(), 1).await;
    let last = talk.scribe.close();
    talk.line.send(last).expect("there is room");
    drop(talk.line);
    assert_eq!(ended(&mut talk.heard).await, Fault::Ended);
    bench.until(|counts| counts.streams_open == 0).await;
    assert_eq!(bench.sim.counts().requests["sessionEnd"], 1, "what was queued was sent");
}

#[tokio::test]
async fn an_aborted_line_is_gone_and_says_nothing() {
    let bench = Bench::new(&[]).await;
    let mut talk = Talk::open(&bench.dial(), 1).await;
    talk.line.abort();
    while let Some(report) = within(talk.heard.recv()).await {
        assert!(matches!(report, LineReport::Event { .. }), "{report:?}");
    }
    bench.until(|counts| counts.streams_open == 0).await;

    let hanging = Bench::new(&["open hang"]).await;
    let mut talk = Talk::dialled(&hanging.dial(), 1);
    hanging.until(|counts| counts.streams_open == 1).await;
    talk.line.abort();
    assert_eq!(within(talk.heard.recv()).await, None);
    hanging.until(|counts| counts.streams_open == 0).await;
}

#[tokio::test]
async fn a_stream_that_nobody_listens_to_ends() {
    let bench = Bench::new(&[]).await;
    let talk = Talk::open(&bench.dial(), 1).await;
    drop(talk.heard);
    bench.until(|counts| counts.streams_open == 0).await;
    within(async {
        while talk.line.send(vec![b"{}".to_vec()]) != Err(Unsent::Over) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_line_can_be_handed_over_until_it_is_over() {
    let bench = Bench::new(&["at=1500ms throttling"]).await;
    let mut talk = Talk::open(&bench.dial(), 1).await;
    let (reports, mut heard) = mpsc::channel(64);
    assert!(talk.line.hand_over(9, reports));
    let fault = loop {
        match next(&mut heard).await {
            LineReport::Event { line, .. } => assert_eq!(line, 9),
            LineReport::Ended { line: 9, fault } => break fault,
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(fault, Fault::Exception { .. }), "{fault}");
    let (reports, _heard) = mpsc::channel(64);
    assert!(!talk.line.hand_over(10, reports), "there is nothing left to hand over");
}

#[tokio::test]
async fn units_wait_up_to_a_limit() {
    let bench = Bench::new(&["open hang"]).await;
    let talk = Talk::dialled(&bench.dial(), 1);
    // Nothing else runs on this thread until the next await, so nothing is taken out.
    for _ in 0..NOVA_UNITS_MAX {
        assert_eq!(talk.line.send(vec![b"{}".to_vec()]), Ok(()));
    }
    assert_eq!(talk.line.send(vec![b"{}".to_vec()]), Err(Unsent::Full));
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_given_up() {
    let bench = Bench::new(&["open hang"]).await;
    let waited = Duration::from_millis(300);
    let impatient = Dial { within: waited, ..bench.dial() };
    let mut talk = Talk::dialled(&impatient, 1);
    let expected = Fault::Silent { waited, what: Silence::Open };
    assert_eq!(ended(&mut talk.heard).await, expected);
    bench.until(|counts| counts.streams_open == 0).await;
    assert_eq!(talk.line.send(Vec::new()), Err(Unsent::Over));
}

#[tokio::test]
async fn a_host_that_is_not_there_is_a_fault_of_the_network() {
    let bench = Bench::new(&[]).await;
    // A port on which nobody listens: it was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let nowhere = free.local_addr().expect("it has an address");
    drop(free);
    let endpoint_url = Some(format!("https://{nowhere}"));
    let connection = ConnectionSettings { endpoint_url, ..bench.connection() };
    let mut talk = Talk::dialled(&dial(account(&connection)), 1);
    let fault = ended(&mut talk.heard).await;
    assert!(
        matches!(&fault, Fault::Transport { message } if message.contains("refused")),
        "{fault}"
    );
}

#[tokio::test]
async fn a_connection_that_goes_away_politely_keeps_its_streams() {
    let bench = Bench::new(&["at=300ms nth=1 goaway-graceful"]).await;
    let dial = bench.dial();
    let mut first = Talk::open(&dial, 1).await;
    let mut number = 2;
    // The next streams are opened on another connection as soon as this one is known to go.
    while bench.sim.counts().connections < 2 {
        let mut talk = Talk::open(&dial, number).await;
        talk.line.close(talk.scribe.close(), None);
        assert_eq!(ended(&mut talk.heard).await, Fault::Ended);
        number += 1;
    }
    first.silence();
    let last = first.scribe.close();
    first.line.close(last, None);
    assert_eq!(ended(&mut first.heard).await, Fault::Ended);
    assert_eq!(bench.sim.counts().protocol_errors, [""; 0]);
}
