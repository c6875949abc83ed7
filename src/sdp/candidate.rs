//! ICE candidates (RFC 8839 §5.1).

use core::fmt;
use core::net::{IpAddr, SocketAddr};

/// How a candidate is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Udp,
    /// The owner listens and the other side connects (RFC 6544 §4.5).
    TcpPassive,
}

/// Where a candidate's address comes from (RFC 8445 §5.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CandidateKind {
    Host,
    ServerReflexive,
    Relayed,
}

impl CandidateKind {
    /// Its name in SDP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::Relayed => "relay",
        }
    }

    /// RFC 8445 §5.1.2.2.
    const fn type_preference(self) -> u32 {
        match self {
            Self::Host => 126,
            Self::ServerReflexive => 100,
            Self::Relayed => 0,
        }
    }
}

/// An address that checks can be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub transport: Transport,
    pub address: SocketAddr,
    pub kind: CandidateKind,
}

impl Candidate {
    /// Reads the value of a `candidate` attribute, with or without its name in front. `None` for
    /// what cannot be used here and is skipped without a word (RFC 8839 §5.1 allows extensions): a
    /// host name (mDNS), an unknown transport or type, a connecting TCP candidate, another component
    /// than 1, port 0.
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.trim().strip_prefix("a=").unwrap_or(value.trim());
        let value = value.strip_prefix("candidate:").unwrap_or(value);
        let mut fields = value.split_ascii_whitespace();
        let _foundation = fields.next()?;
        if fields.next()? != "1" {
            return None;
        }
        let transport = fields.next()?;
        let _priority = fields.next()?.parse::<u32>().ok()?;
        let ip = fields.next()?.parse::<IpAddr>().ok()?;
        let port = fields.next()?.parse::<u16>().ok()?;
        if fields.next()? != "typ" || port == 0 || ip.is_unspecified() || ip.is_multicast() {
            return None;
        }
        let kind = match fields.next()? {
            "host" => CandidateKind::Host,
            "srflx" | "prflx" => CandidateKind::ServerReflexive,
            "relay" => CandidateKind::Relayed,
            _ => return None,
        };
        let mut extensions = fields;
        let mut tcp_type = None;
        while let (Some(name), Some(value)) = (extensions.next(), extensions.next()) {
            if name == "tcptype" {
                tcp_type = Some(value);
            }
        }
        let transport = match (transport, tcp_type) {
            (udp, None) if udp.eq_ignore_ascii_case("udp") => Transport::Udp,
            (tcp, Some("passive")) if tcp.eq_ignore_ascii_case("tcp") => Transport::TcpPassive,
            _ => return None,
        };
        Some(Self { transport, address: SocketAddr::new(ip, port), kind })
    }

    /// Its priority (RFC 8445 §5.1.2.1, RFC 6544 §4.2): UDP before TCP, then as they are listed.
    pub fn priority(&self, place: u16) -> u32 {
        let local_preference = match self.transport {
            Transport::Udp => 0xffff - u32::from(place).min(0xff),
            // Direction preference 4 (passive host) in the upper three bits.
            Transport::TcpPassive => (4 << 13) + 0x1fff - u32::from(place).min(0xff),
        };
        let type_preference = match self.transport {
            Transport::Udp => self.kind.type_preference(),
            Transport::TcpPassive => self.kind.type_preference().saturating_sub(36),
        };
        (type_preference << 24) | (local_preference << 8) | 255
    }

    /// Its attribute value, as the `place`-th of a list.
    pub fn to_attribute(self, place: u16) -> Attribute {
        Attribute { candidate: self, place }
    }
}

/// Writes `candidate:...`.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    candidate: Candidate,
    place: u16,
}

impl fmt::Display for Attribute {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Candidate { transport, address, kind } = self.candidate;
        let name = match transport {
            Transport::Udp => "udp",
            Transport::TcpPassive => "tcp",
        };
        write!(
            formatter,
            "candidate:{} 1 {name} {} {} {} typ {}",
            u32::from(self.place) + 1,
            self.candidate.priority(self.place),
            address.ip(),
            address.port(),
            kind.name(),
        )?;
        if kind != CandidateKind::Host {
            // The base is nobody's business (RFC 8839 §5.1 allows any value here).
            formatter.write_str(" raddr 0.0.0.0 rport 9")?;
        }
        match transport {
            Transport::Udp => Ok(()),
            Transport::TcpPassive => formatter.write_str(" tcptype passive"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(transport: Transport, address: &str, kind: CandidateKind) -> Candidate {
        Candidate { transport, address: address.parse().expect("an address"), kind }
    }

    #[test]
    fn candidates_of_browsers_are_read() {
        use CandidateKind::*;
        let rows = [
            (
                "candidate:1467250027 1 udp 2122260223 192.168.0.196 46243 typ host generation 0 ufrag x",
                Some(candidate(Transport::Udp, "192.168.0.196:46243", Host)),
            ),
            (
                "a=candidate:1 1 UDP 1685987071 24.23.204.141 54609 typ srflx raddr 192.168.4.92 rport 54609",
                Some(candidate(Transport::Udp, "24.23.204.141:54609", ServerReflexive)),
            ),
            (
                "2 1 udp 5 2001:db8::1 7 typ relay raddr ::1 rport 9",
                Some(candidate(Transport::Udp, "[2001:db8::1]:7", Relayed)),
            ),
            (
                "3 1 tcp 5 10.0.0.1 443 typ host tcptype passive",
                Some(candidate(Transport::TcpPassive, "10.0.0.1:443", Host)),
            ),
            ("3 1 tcp 5 10.0.0.1 9 typ host tcptype active", None),
            ("3 1 tcp 5 10.0.0.1 9 typ host", None),
            ("3 2 udp 5 10.0.0.1 9 typ host", None),
            ("3 1 udp 5 8a1f-22.local 9 typ host", None),
            ("3 1 udp 5 10.0.0.1 0 typ host", None),
            ("3 1 udp 5 0.0.0.0 9 typ host", None),
            ("3 1 udp 5 224.0.0.1 9 typ host", None),
            ("3 1 udp -1 10.0.0.1 9 typ host", None),
            ("3 1 sctp 5 10.0.0.1 9 typ host", None),
            ("3 1 udp 5 10.0.0.1 9 typ magic", None),
            ("3 1 udp 5 10.0.0.1 70000 typ host", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(Candidate::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_back_and_udp_comes_first() {
        let udp = candidate(Transport::Udp, "192.0.2.1:40000", CandidateKind::Host);
        let tcp = candidate(Transport::TcpPassive, "192.0.2.1:40001", CandidateKind::Host);
        assert_eq!(
            udp.to_attribute(0).to_string(),
            "candidate:1 1 udp 2130706431 192.0.2.1 40000 typ host"
        );
        for (place, written) in [udp, tcp].into_iter().enumerate() {
            let text = written.to_attribute(place as u16).to_string();
            assert_eq!(Candidate::parse(&text), Some(written), "{text}");
        }
        assert!(udp.priority(3) > tcp.priority(0));
        assert!(udp.priority(0) > udp.priority(1));
    }
}
