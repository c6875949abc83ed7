use super::*;

fn address(port: u16) -> SocketAddr {
    ([192, 0, 2, 1], port).into()
}

/// A binding request for `ufrag`.
fn request(ufrag: &str) -> Vec<u8> {
    let name = format!("{ufrag}:them");
    let padded = name.len().next_multiple_of(4);
    let mut bytes = vec![0, 1, 0, (4 + padded) as u8, 0x21, 0x12, 0xa4, 0x42];
    bytes.extend([0; 12]);
    bytes.extend([0, 6, 0, name.len() as u8]);
    bytes.extend(name.as_bytes());
    bytes.resize(24 + padded, 0);
    bytes
}

/// A call and its queue.
fn call(routes: &Arc<Routes>, ufrag: &str) -> (Registration, mpsc::Receiver<Inbound>) {
    let (sender, receiver) = mpsc::channel(4);
    (routes.register(ufrag, sender), receiver)
}

const RTP: [u8; 12] = [0x80; 12];

#[test]
fn checks_are_delivered_by_name_and_the_rest_by_source() {
    let routes = Arc::new(Routes::default());
    let (first, mut first_queue) = call(&routes, "first");
    let (_second, mut second_queue) = call(&routes, "second");
    routes.deliver(address(1), &request("first"));
    routes.deliver(address(1), &request("second"));
    assert!(first_queue.try_recv().is_ok() && second_queue.try_recv().is_ok());
    routes.deliver(address(1), &RTP);
    assert_eq!(routes.stats().unknown_source, 1, "a check alone binds nothing");
    first.saw(address(1));
    routes.deliver(address(1), &RTP);
    assert!(first_queue.try_recv().is_ok());
    routes.deliver(address(1), &request("third"));
    routes.deliver(address(1), &[255; 40]);
    routes.deliver(address(1), &[]);
    let stats = routes.stats();
    assert_eq!((stats.delivered, stats.unknown_call, stats.unusable), (3, 1, 2));
}

#[test]
fn a_forged_source_neither_takes_an_address_nor_keeps_it_from_its_owner() {
    let routes = Arc::new(Routes::default());
    let (owner, mut owner_queue) = call(&routes, "owner");
    let (forger, mut forger_queue) = call(&routes, "forger");
    let mut goes_to_owner = || {
        routes.deliver(address(1), &RTP);
        let (owner, forger) = (owner_queue.try_recv().is_ok(), forger_queue.try_recv().is_ok());
        assert!(owner != forger, "one of them");
        owner
    };
    forger.saw(address(1));
    owner.saw(address(1));
    assert!(!goes_to_owner(), "whoever came first, until there is proof");
    owner.proved(address(1));
    assert!(goes_to_owner());
    forger.saw(address(1));
    assert!(goes_to_owner(), "what is proven does not give way to what was seen");
    forger.proved(address(1));
    assert!(!goes_to_owner(), "the address really changed hands");
}

#[test]
fn addresses_of_a_call_are_bounded_and_end_with_it() {
    let routes = Arc::new(Routes::default());
    let (registration, queue) = call(&routes, "call");
    for port in 1..=100 {
        registration.saw(address(port));
    }
    assert_eq!(routes.read().addresses.len(), CALL_ADDRESSES_MAX);
    assert!(routes.read().addresses.contains_key(&address(100)));
    drop(registration);
    let tables = routes.read();
    assert!(tables.addresses.is_empty() && tables.ufrags.is_empty() && tables.calls.is_empty());
    drop(queue);
}

#[test]
fn a_restart_keeps_the_running_name_and_forgets_others() {
    let routes = Arc::new(Routes::default());
    let (registration, mut queue) = call(&routes, "one");
    let mut known = |ufrag: &str| {
        routes.deliver(address(1), &request(ufrag));
        queue.try_recv().is_ok()
    };
    registration.set_ufrags("one", "two");
    assert!(known("one") && known("two"));
    registration.set_ufrags("one", "three");
    assert!(known("one") && !known("two") && known("three"));
    registration.set_ufrags("three", "four");
    assert!(!known("one") && known("three") && known("four"));
}

#[test]
fn a_full_queue_drops_and_counts() {
    let routes = Arc::new(Routes::default());
    let (_registration, queue) = call(&routes, "call");
    for _ in 0..6 {
        routes.deliver(address(1), &request("call"));
    }
    assert_eq!((routes.stats().delivered, routes.stats().overflow), (4, 2));
    drop(queue);
}

#[test]
fn tcp_connections_of_a_call_are_bounded() {
    let routes = Arc::new(Routes::default());
    let (_registration, _queue) = call(&routes, "call");
    assert!(routes.join(&RTP).is_none() && routes.join(&request("other")).is_none());
    let members =
        (0..CALL_TCP_CONNECTIONS_MAX).map(|_| routes.join(&request("call"))).collect::<Vec<_>>();
    assert!(members.iter().all(Option::is_some));
    assert!(routes.join(&request("call")).is_none());
    drop(members);
    assert!(routes.join(&request("call")).is_some());
}
