use std::task::Waker;

use super::*;

/// A body with two events in its first unit, and what feeds and ends it.
fn body() -> (Body, mpsc::Sender<Unit>, oneshot::Sender<Infallible>) {
    let (sender, units) = mpsc::channel(4);
    let (running, over) = oneshot::channel();
    let unit = vec![b"1".to_vec(), b"2".to_vec()].into_iter();
    (Body { unit, units, over: Some(over) }, sender, running)
}

fn poll(body: &mut Body) -> Poll<Option<String>> {
    let mut context = Context::from_waker(Waker::noop());
    let text = |input: Result<Input, InputError>| match input {
        Ok(Input::Chunk(part)) => {
            String::from_utf8(part.bytes.expect("it has a payload").into_inner())
                .expect("it is a text")
        }
        other => panic!("{other:?}"),
    };
    Pin::new(body).poll_next(&mut context).map(|item| item.map(text))
}

fn next(body: &mut Body) -> Option<String> {
    match poll(body) {
        Poll::Ready(next) => next,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn units_are_flattened_in_their_order() {
    let (mut body, units, _running) = body();
    units.try_send(vec![b"3".to_vec()]).expect("there is room");
    units.try_send(Vec::new()).expect("there is room");
    units.try_send(vec![b"4".to_vec(), b"5".to_vec()]).expect("there is room");
    let all: Vec<String> = (0..5).filter_map(|_| next(&mut body)).collect();
    assert_eq!(all, ["1", "2", "3", "4", "5"]);
    assert!(poll(&mut body).is_pending());
}

#[test]
fn what_was_queued_is_sent_before_the_end() {
    let (mut body, units, _running) = body();
    units.try_send(vec![b"3".to_vec()]).expect("there is room");
    drop(units);
    let all: Vec<String> = std::iter::from_fn(|| next(&mut body)).collect();
    assert_eq!(all, ["1", "2", "3"]);
    // The SDK asks once more.
    assert_eq!(next(&mut body), None);
}

#[test]
fn a_body_whose_line_is_over_ends_at_once_and_stays_so() {
    let (mut body, units, running) = body();
    assert_eq!(next(&mut body).as_deref(), Some("1"));
    drop(running);
    assert_eq!([next(&mut body), next(&mut body)], [None, None]);
    drop(units);
    assert_eq!(next(&mut body), None);
}
