//! From nothing to a connection on which media can flow.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use reqwest::Url;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Progress, tell};
use crate::error::CallError;
use crate::options::CallOptions;
use crate::peer::{Notice, Peer};
use crate::report::Connect;
use crate::summary::ms;
use crate::whip::{Answer, Signaling};

/// A connection on which media can flow.
pub(super) struct Connected {
    pub(super) peer: Peer,
    pub(super) signaling: Signaling,
    pub(super) resource: Url,
    /// When the call was begun: the zero of all times reported.
    pub(super) start: Instant,
    /// When the offer was posted.
    pub(super) posted_at: Instant,
    pub(super) connect: Connect,
    /// Whether the data channel opened already.
    pub(super) is_channel_open: bool,
}

/// Connects, or ends what was begun.
pub(super) async fn connect(
    options: &CallOptions,
    progress: &mpsc::Sender<Progress>,
) -> Result<Connected, CallError> {
    let start = Instant::now();
    let signaling = Signaling::new(&options.url, options.agent.as_deref(), options.token.clone())?;
    let bind = match options.bind {
        Some(address) => address,
        None => local_address(signaling.endpoint()).await,
    };
    let mut peer = Peer::new(options.codec, bind).await?;
    let offer = peer.offer().await?;
    let posted_at = Instant::now();
    tell(progress, Progress::Calling { url: signaling.endpoint().to_string() });
    let answer = match signaling.offer(offer).await {
        Ok(answer) => answer,
        Err(error) => {
            peer.close().await;
            return Err(error.into());
        }
    };
    let mut connected = Connected {
        peer,
        signaling,
        resource: answer.resource.clone(),
        start,
        posted_at,
        connect: Connect {
            offer_ms: ms(posted_at - start),
            http_ms: ms(posted_at.elapsed()),
            ice_servers: answer.ice_servers.clone(),
            ..Connect::default()
        },
        is_channel_open: false,
    };
    if let Err(error) = connected.establish(options, answer).await {
        connected.hang_up().await;
        return Err(error);
    }
    tell(progress, Progress::Connected(connected.connect.clone()));
    Ok(connected)
}

impl Connected {
    /// Takes in the answer and waits for media.
    async fn establish(&mut self, options: &CallOptions, answer: Answer) -> Result<(), CallError> {
        let answered_at = Instant::now();
        self.peer.accept(answer.sdp).await?;
        let mut ice_at = None;
        let wait = async {
            while let Some((at, notice)) = self.peer.next_notice().await {
                match notice {
                    Notice::IceConnected => ice_at = ice_at.or(Some(at)),
                    Notice::ChannelOpen => self.is_channel_open = true,
                    Notice::Connected => return Some(at),
                    Notice::Disconnected => return None,
                    Notice::Gathered | Notice::Message(_) => {}
                }
            }
            None
        };
        let waited = timeout(options.connect_timeout, wait).await;
        let state = if ice_at.is_some() { "encryption did not begin" } else { "no path was found" };
        let Ok(Some(connected_at)) = waited else {
            return Err(CallError::Connect { timeout: options.connect_timeout, state });
        };
        let ice_at = ice_at.unwrap_or(connected_at);
        self.connect.ice_ms = ms(ice_at.saturating_duration_since(answered_at));
        self.connect.dtls_ms = ms(connected_at.saturating_duration_since(ice_at));
        self.connect.offer_to_connected_ms = ms(connected_at - self.posted_at);
        if self.is_channel_open {
            self.connect.channel_ms = Some(self.connect.offer_to_connected_ms);
        }
        Ok(())
    }

    /// Ends the call on both sides.
    pub(super) async fn hang_up(&self) {
        if let Err(error) = self.signaling.hang_up(&self.resource).await {
            tracing::debug!(%error, "hanging up");
        }
        self.peer.close().await;
    }
}

/// The local address from which `url` is reached. No packet is sent to find it out.
async fn local_address(url: &Url) -> IpAddr {
    let route = async {
        let host = url.host_str()?.trim_matches(['[', ']']);
        let port = url.port_or_known_default()?;
        let server = tokio::net::lookup_host((host, port)).await.ok()?.next()?;
        let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).await.ok()?;
        socket.connect(server).await.ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    // Every interface, for want of a better one: the post will tell what is wrong.
    route.await.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}
