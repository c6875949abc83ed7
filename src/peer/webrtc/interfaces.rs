//! Addresses of this host that a peer may reach.

use std::net::IpAddr;

use crate::limits::HOST_ADDRESSES_MAX;

/// The addresses to offer for a socket bound to `bound`: that one, or, if it is bound to all, those
/// of the host's interfaces, IPv4 first, without loopback unless there is nothing else.
pub(crate) fn host_addresses(bound: IpAddr) -> Vec<IpAddr> {
    if !bound.is_unspecified() {
        return vec![bound];
    }
    let interfaces = rtc::shared::ifaces::ifaces().unwrap_or_default();
    let found = interfaces.into_iter().filter_map(|it| it.addr).map(|it| it.ip());
    choose(found.collect(), bound.is_ipv6())
}

fn choose(found: Vec<IpAddr>, with_v6: bool) -> Vec<IpAddr> {
    let mut chosen = Vec::new();
    for address in &found {
        if is_reachable(*address) && (with_v6 || address.is_ipv4()) && !chosen.contains(address) {
            chosen.push(*address);
        }
    }
    // Stable: interfaces stay in the system's order within a family.
    chosen.sort_by_key(IpAddr::is_ipv6);
    chosen.truncate(HOST_ADDRESSES_MAX);
    if chosen.is_empty() {
        chosen.push(IpAddr::from([127, 0, 0, 1]));
    }
    chosen
}

/// Whether another machine could use the address. Link-local IPv6 needs a zone, which candidates
/// cannot carry (RFC 8839 §5.1); link-local IPv4 is no better.
fn is_reachable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_unspecified() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unspecified() && !v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(addresses: &[&str]) -> Vec<IpAddr> {
        addresses.iter().map(|it| it.parse().expect("an address")).collect()
    }

    #[test]
    fn only_addresses_that_others_can_use_are_chosen_ipv4_first() {
        let found =
            ["127.0.0.1", "::1", "fe80::1", "2001:db8::1", "10.0.0.5", "169.254.1.1", "10.0.0.5"];
        assert_eq!(choose(parsed(&found), true), parsed(&["10.0.0.5", "2001:db8::1"]));
        assert_eq!(choose(parsed(&found), false), parsed(&["10.0.0.5"]));
        assert_eq!(choose(parsed(&["127.0.0.1", "::1"]), true), parsed(&["127.0.0.1"]));
    }

    #[test]
    fn a_socket_bound_to_one_address_offers_that_one() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(host_addresses(loopback), [loopback]);
    }
}
