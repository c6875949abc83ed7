//! The sockets that all calls share.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use super::call::{Answered, CallHandle, CallParts};
use super::driver::{AnswerFacts, Driver, DriverSetup};
use super::routes::{PortStats, Routes};
use super::tcp;
use super::webrtc::session::{Chance, Session, Setup, StackError};
use super::webrtc::{Identity, IdentityError, host_addresses};
use crate::backend::Busy;
use crate::dsp::vad::VoiceModel;
use crate::limits::{
    CALL_CONTROL_MAX, CALL_DATAGRAMS_MAX, DATAGRAM_BYTES_MAX, SCTP_MESSAGE_BYTES_MAX, SOCKET_PAUSE,
    UDP_RECEIVE_BUFFER_BYTES,
};
use crate::media::codec::Codec;
use crate::rtp::rtcp::NtpTime;
use crate::sdp::offer::AudioFormat;
use crate::sdp::{Answer, Candidate, CandidateKind, Offer, OfferError, Transport};

/// Where to listen and what to tell peers of it.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// The one UDP socket of all calls. Port 0 lets the system choose.
    pub udp: SocketAddr,
    /// The one ICE-TCP listener, if any.
    pub tcp: Option<SocketAddr>,
    /// The addresses in answers.
    pub advertise: Advertise,
}

/// Which addresses answers name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advertise {
    /// Those of the host.
    Host,
    /// These, such as the public address of a one-to-one NAT, before those of the host.
    Beside(Vec<IpAddr>),
    /// Only these.
    Instead(Vec<IpAddr>),
}

/// The endpoint could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("cannot listen on UDP {address}: {error}")]
    Udp { address: SocketAddr, error: io::Error },
    #[error("cannot listen on TCP {address}: {error}")]
    Tcp { address: SocketAddr, error: io::Error },
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// An offer was not answered.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The offer is at fault; [`OfferError::field`] says where.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// What answers the call has no room for it.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// We are.
    #[error("{0}")]
    Internal(String),
}

/// What carries the media of all calls: one UDP socket, perhaps one ICE-TCP listener, one
/// certificate. Dropping it stops listening; calls that run lose their network and end.
#[derive(Debug)]
pub struct Endpoint {
    udp: Arc<UdpSocket>,
    tcp_address: Option<SocketAddr>,
    identity: Identity,
    routes: Arc<Routes>,
    candidates: Vec<Candidate>,
    tasks: Vec<AbortHandle>,
}

impl Endpoint {
    /// Listens. Must be called inside a tokio runtime.
    pub fn bind(config: &EndpointConfig) -> Result<Self, BindError> {
        let identity = Identity::generate()?;
        let udp_failed = |error| BindError::Udp { address: config.udp, error };
        let udp = Arc::new(bind_udp(config.udp).map_err(udp_failed)?);
        let udp_address = udp.local_addr().map_err(udp_failed)?;
        let routes = Arc::new(Routes::default());
        let mut candidates = candidates(Transport::Udp, udp_address, &config.advertise);
        let mut tasks =
            vec![tokio::spawn(receive(Arc::clone(&udp), Arc::clone(&routes))).abort_handle()];
        let mut tcp_address = None;
        if let Some(address) = config.tcp {
            let tcp_failed = |error| BindError::Tcp { address, error };
            let listener = bind_tcp(address).map_err(tcp_failed)?;
            let bound = listener.local_addr().map_err(tcp_failed)?;
            candidates.extend(self::candidates(Transport::TcpPassive, bound, &config.advertise));
            tasks.push(tokio::spawn(tcp::accept(listener, Arc::clone(&routes))).abort_handle());
            tcp_address = Some(bound);
        }
        Ok(Self { udp, tcp_address, identity, routes, candidates, tasks })
    }

    /// The bound UDP address.
    pub fn udp_address(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    /// The bound ICE-TCP address.
    pub const fn tcp_address(&self) -> Option<SocketAddr> {
        self.tcp_address
    }

    /// What became of the packets on the shared port so far.
    pub fn stats(&self) -> PortStats {
        self.routes.stats()
    }

    /// Answers an offer and starts the call. `build` makes its agent and opens its backend, for the
    /// audio that was agreed on; it is not called for an offer that is refused.
    pub fn answer<C, V>(
        &self,
        offer: &str,
        build: impl FnOnce(AudioFormat) -> Result<CallParts<C, V>, AnswerError>,
    ) -> Result<Answered, AnswerError>
    where
        C: Codec + Send + 'static,
        V: VoiceModel + Send + 'static,
    {
        let offer = Offer::parse(offer)?;
        let format = offer.audio_format()?;
        let parts = build(format)?;
        let chance = Chance::draw().map_err(|error| AnswerError::Internal(error.to_string()))?;
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let setup = Setup {
            offer: &offer,
            format,
            identity: &self.identity,
            chance,
            epoch: NtpTime::from_unix(since_1970),
        };
        let session = Session::new(Instant::now(), &setup).map_err(stack_failed)?;
        let credentials = session.local_credentials().clone();
        let (inbound, datagrams) = mpsc::channel(CALL_DATAGRAMS_MAX);
        // Before the answer leaves: the peer's first check may be here as soon as the answer is there.
        let registration = self.routes.register(&credentials.ufrag, inbound);
        let sdp = Answer {
            offer: &offer,
            format,
            session_id: u64::from(chance.ssrc) + 1,
            credentials: &credentials,
            fingerprint: self.identity.fingerprint(),
            candidates: &self.candidates,
            ssrc: chance.ssrc,
            message_bytes_max: SCTP_MESSAGE_BYTES_MAX,
        }
        .write();
        let (control, requests) = mpsc::channel(CALL_CONTROL_MAX);
        let (summary, finished) = watch::channel(None);
        let driver = Driver::new(DriverSetup {
            session,
            parts,
            udp: Arc::clone(&self.udp),
            registration,
            datagrams,
            requests,
            answer: AnswerFacts {
                mid: offer.media[0].mid.clone(),
                candidates: self.candidates.clone(),
                since_1970,
            },
        });
        tokio::spawn(driver.run(summary));
        let etag = super::call::etag(&credentials.ufrag);
        Ok(Answered { sdp, etag, format, call: CallHandle::new(control, finished) })
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn stack_failed(error: StackError) -> AnswerError {
    AnswerError::Internal(error.to_string())
}

impl Chance {
    fn draw() -> Result<Self, getrandom::Error> {
        Ok(Self {
            ssrc: getrandom::u32()?.max(1),
            first_sequence: getrandom::u32()? as u16,
            first_timestamp: getrandom::u32()?,
        })
    }
}

/// Reads the socket for ever and hands every datagram to its call.
async fn receive(socket: Arc<UdpSocket>, routes: Arc<Routes>) {
    // One byte more than is taken, to tell a datagram that was cut.
    let mut buffer = [0; DATAGRAM_BYTES_MAX + 1];
    loop {
        let (length, source) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            // About one datagram that was sent before (ICMP): there may be thousands of these.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
            Err(error) => {
                tracing::warn!(%error, "the UDP socket failed to receive");
                tokio::time::sleep(SOCKET_PAUSE).await;
                continue;
            }
        };
        let source = SocketAddr::new(source.ip().to_canonical(), source.port());
        if length <= DATAGRAM_BYTES_MAX {
            routes.deliver(source, &buffer[..length]);
        }
    }
}

fn bind_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    // The system may grant less; then bursts are lost sooner.
    let _ = socket.set_recv_buffer_size(UDP_RECEIVE_BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(128)?;
    TcpListener::from_std(socket.into())
}

fn candidates(transport: Transport, bound: SocketAddr, advertise: &Advertise) -> Vec<Candidate> {
    let host = || host_addresses(bound.ip());
    let mut addresses = match advertise {
        Advertise::Host => host(),
        Advertise::Beside(public) => public.iter().copied().chain(host()).collect(),
        Advertise::Instead(public) => public.clone(),
    };
    // Candidates of a family that the socket does not speak would only waste the peer's time.
    addresses.retain(|address| address.is_ipv4() || bound.is_ipv6());
    let mut unique = Vec::new();
    for address in addresses {
        let address = SocketAddr::new(address, bound.port());
        let candidate = Candidate { transport, address, kind: CandidateKind::Host };
        if !unique.contains(&candidate) {
            unique.push(candidate);
        }
    }
    unique
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advertised_addresses_stand_beside_or_instead_of_those_of_the_host() {
        let bound: SocketAddr = "10.0.0.5:40000".parse().expect("an address");
        let public = vec!["198.51.100.7".parse().expect("an address")];
        let rows = [
            (Advertise::Host, vec!["10.0.0.5:40000"]),
            (Advertise::Beside(public.clone()), vec!["198.51.100.7:40000", "10.0.0.5:40000"]),
            (Advertise::Instead(public), vec!["198.51.100.7:40000"]),
            (Advertise::Instead(vec![IpAddr::from([0_u16; 8])]), vec![]),
        ];
        for (advertise, expected) in rows {
            let found = candidates(Transport::Udp, bound, &advertise);
            let found = found.iter().map(|it| it.address.to_string()).collect::<Vec<_>>();
            assert_eq!(found, expected, "{advertise:?}");
        }
    }
}
