//! Where keys come from, and for how long they are good.
//!
//! The order is that of all AWS tools: the environment, the profile (with single sign-on and processes), a
//! web identity, a container; an instance's metadata service only if it was asked for. A stream is signed
//! with the keys that it was opened with until it ends, so whoever opens one must know when they expire. The
//! SDK's own cache does not say, and is off.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::credentials::EnvironmentVariableCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::Credentials as Keys;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{behavior, errors};

/// Keys are replaced so long before they expire.
const REFRESH_BEFORE: Duration = Duration::from_secs(600);
/// Sources that renew their keys later than that are asked at most so often.
const REFRESH_EVERY: Duration = Duration::from_secs(30);

/// The keys of one account, read when they are first needed and again before they expire.
pub struct Credentials {
    source: Source,
    kept: Mutex<Option<Kept>>,
}

/// Keys and how long they are good for.
#[derive(Debug)]
pub(in crate::backend) struct Current {
    keys: Keys,
    /// `None`: without end.
    pub(in crate::backend) last: Option<Duration>,
}

enum Source {
    /// Built anew for each reading: its parts remember what the files said when they were built.
    Chain {
        config: Box<ProviderConfig>,
        instance_metadata: bool,
    },
    Given(SharedCredentialsProvider),
}

struct Kept {
    keys: Keys,
    read_at: Instant,
}

impl Credentials {
    /// Those that all AWS tools would find.
    pub(in crate::backend) fn of_process(config: ProviderConfig, instance_metadata: bool) -> Self {
        let config = Box::new(config.with_behavior_version(Some(behavior())));
        Self { source: Source::Chain { config, instance_metadata }, kept: Mutex::new(None) }
    }

    /// Those that `provider` gives.
    pub(in crate::backend) fn given(provider: impl ProvideCredentials + 'static) -> Self {
        let source = Source::Given(SharedCredentialsProvider::new(provider));
        Self { source, kept: Mutex::new(None) }
    }

    /// These and no others, without end: for a simulator.
    pub fn fixed(access_key_id: &str, secret_access_key: &str) -> Self {
        Self::given(Keys::from_keys(access_key_id, secret_access_key, None))
    }

    /// The places that are looked at, in their order.
    pub(in crate::backend) fn places(&self) -> &'static str {
        match self.source {
            Source::Given(_) => "the given ones",
            Source::Chain { instance_metadata: false, .. } => {
                "the environment (AWS_ACCESS_KEY_ID), the profile (AWS_PROFILE, ~/.aws), a web identity \
                 (AWS_WEB_IDENTITY_TOKEN_FILE), the container"
            }
            Source::Chain { instance_metadata: true, .. } => {
                "the environment (AWS_ACCESS_KEY_ID), the profile (AWS_PROFILE, ~/.aws), a web identity \
                 (AWS_WEB_IDENTITY_TOKEN_FILE), the container, the instance's metadata"
            }
        }
    }

    /// What to sign with now. Those who ask while keys are being read wait for the same ones.
    pub(in crate::backend) async fn current(&self) -> Result<Current, String> {
        self.read().await.map_err(|error| match error {
            CredentialsError::CredentialsNotLoaded(_) => {
                format!("there are none in {}", self.places())
            }
            other => errors::chain(&other),
        })
    }

    /// Reads them anew when they are needed next.
    pub(in crate::backend) async fn forget(&self) {
        *self.kept.lock().await = None;
    }

    async fn read(&self) -> Result<Current, CredentialsError> {
        let mut kept = self.kept.lock().await;
        let now = SystemTime::now();
        if let Some(kept) = &*kept {
            let current = Current::of(&kept.keys, now);
            if current.will_do(kept.read_at.elapsed()) {
                return Ok(current);
            }
        }
        match self.source.read().await {
            Ok(keys) => {
                let current = Current::of(&keys, now);
                *kept = Some(Kept { keys, read_at: Instant::now() });
                Ok(current)
            }
            Err(error) => match kept.as_mut().map(|kept| (Current::of(&kept.keys, now), kept)) {
                Some((current, kept)) if !current.is_expired() => {
                    let error = errors::chain(&error);
                    tracing::warn!(error, last = ?current.last, "credentials could not be refreshed");
                    kept.read_at = Instant::now();
                    Ok(current)
                }
                _ => Err(error),
            },
        }
    }
}

impl Current {
    fn of(keys: &Keys, now: SystemTime) -> Self {
        let last = keys.expiry().map(|expiry| expiry.duration_since(now).unwrap_or_default());
        Self { keys: keys.clone(), last }
    }

    /// Whether they need not be read anew, having been read so long ago.
    fn will_do(&self, read_ago: Duration) -> bool {
        let is_fresh = self.last.is_none_or(|last| last > REFRESH_BEFORE);
        is_fresh || (read_ago < REFRESH_EVERY && !self.is_expired())
    }

    fn is_expired(&self) -> bool {
        self.last.is_some_and(|last| last.is_zero())
    }
}

impl Source {
    async fn read(&self) -> Result<Keys, CredentialsError> {
        let (config, instance_metadata) = match self {
            Self::Given(provider) => return provider.provide_credentials().await,
            Self::Chain { config, instance_metadata } => (&**config, *instance_metadata),
        };
        let profile = ProfileFileCredentialsProvider::builder().configure(config).build();
        let web_identity = WebIdentityTokenCredentialsProvider::builder().configure(config).build();
        let container = EcsCredentialsProvider::builder().configure(config).build();
        let environment = EnvironmentVariableCredentialsProvider::new();
        let mut chain = CredentialsProviderChain::first_try("environment", environment)
            .or_else("profile", profile)
            .or_else("web identity", web_identity)
            .or_else("container", container);
        if instance_metadata {
            let instance = ImdsCredentialsProvider::builder().configure(config).build();
            chain = chain.or_else("instance metadata", instance);
        }
        chain.provide_credentials().await
    }
}

/// As the SDK asks for them.
#[derive(Clone, Debug)]
pub(super) struct Provider(pub(super) Arc<Credentials>);

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async { Ok(self.0.read().await?.keys) })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("places", &self.places())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
