//! How an agent reaches Amazon Bedrock.

use std::path::PathBuf;
use std::time::Duration;

use crate::nova::settings::NovaSettings;
use crate::nova::usage::Prices;

/// All that can be set of the Nova Sonic backend.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NovaSonicSettings {
    /// The conversation.
    pub nova: NovaSettings,
    /// The account and the connections to it.
    pub connection: ConnectionSettings,
    /// What a thousand tokens cost.
    pub prices: Prices,
}

/// The account and the connections to it. Keys are in none of these: they come from where all AWS tools
/// find them. Agents that reach one account by one path share what is said here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// Such as `us-east-1`. Default: `AWS_REGION`, `AWS_DEFAULT_REGION`, or the profile; instance metadata
    /// is never asked for it.
    pub region: Option<String>,
    /// Another endpoint than the region's own: a VPC endpoint, a simulator. `https://` only.
    pub endpoint_url: Option<String>,
    /// Certificate authorities to trust in place of the system's, as PEM.
    pub ca_file: Option<PathBuf>,
    /// Whether credentials may come from the metadata service of an EC2 instance. Asking it where there is
    /// none costs seconds. Default false.
    pub instance_metadata: bool,
    /// Conversations at once that the account permits: AWS's default of 20 unless it was raised.
    /// 1 to 1 000.
    pub sessions_max: usize,
    /// How many of those calls leave free for the renewal of others' connections, less than
    /// `sessions_max`. Default 2.
    pub renewal_spare: usize,
    /// What is kept ready for the next calls.
    pub warm: WarmSettings,
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        Self {
            region: None,
            endpoint_url: None,
            ca_file: None,
            instance_metadata: false,
            sessions_max: 20,
            renewal_spare: 2,
            warm: WarmSettings::default(),
        }
    }
}

/// What is kept ready for the next calls, so that their first turn waits for no handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarmSettings {
    /// TCP and TLS connections, over which calls are spread. 0 to 16, default 1; 0 keeps none and opens one
    /// when it is needed.
    pub connections: usize,
    /// Conversations of this agent, opened and waiting for a caller. Each counts against `sessions_max`
    /// until a call needs its place. 0 to 16, default 0.
    pub sessions: usize,
    /// Age at which such a conversation is replaced by a new one. 30 to 280 s, default 240 s: the service
    /// may end one that hears nobody for 295 s.
    pub age_max: Duration,
}

impl Default for WarmSettings {
    fn default() -> Self {
        Self { connections: 1, sessions: 0, age_max: Duration::from_secs(240) }
    }
}
