//! Amazon Web Services as this process reaches them: a region, keys, and how sockets are opened.
//!
//! Nova Sonic and the stages of the cascade that are AWS's build their clients here, in one way: the same
//! places for keys, the same trust, no retries of the SDK's own, every request signed.

pub mod credentials;
pub(super) mod errors;
pub(super) mod network;
mod reach;

use std::path::Path;
use std::sync::Arc;

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::identity::IdentityCache;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::auth::AuthSchemeId;

pub(super) use self::reach::Reach;
pub use self::reach::{AwsKeys, AwsSettings};

use self::credentials::{Credentials, Provider};
use self::network::Network;
use super::BackendError;
use crate::limits::AWS_CONNECT_TIMEOUT;

/// What any of the SDK's clients is built from; each so built has connections of its own.
pub(super) fn sdk(
    network: &Network,
    region: &str,
    endpoint: Option<&str>,
    credentials: &Arc<Credentials>,
) -> SdkConfig {
    let mut config = SdkConfig::builder()
        .behavior_version(behavior())
        .region(Region::new(region.to_owned()))
        .http_client(network.pooled())
        .credentials_provider(SharedCredentialsProvider::new(Provider(Arc::clone(credentials))))
        .identity_cache(IdentityCache::no_cache())
        // With a bearer token, which the SDK prefers if it finds one in AWS_BEARER_TOKEN_BEDROCK, events
        // would not be signed, and the streams of both directions refuse it.
        .auth_scheme_preference([AuthSchemeId::from("sigv4")])
        // The body of a stream cannot be sent twice; attempts are the caller's business.
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(AWS_CONNECT_TIMEOUT).build())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    config.set_endpoint_url(endpoint.map(str::to_owned));
    config.build()
}

/// Keys from where all AWS tools find them. `section` names the settings in an error.
pub(super) fn credentials_of_process(
    section: &str,
    ca_file: Option<&Path>,
    region: &str,
    instance_metadata: bool,
) -> Result<Credentials, BackendError> {
    let network = Network::new(section, ca_file, None)?;
    let config = ProviderConfig::without_region()
        .with_region(Some(Region::new(region.to_owned())))
        .with_http_client(network.single());
    Ok(Credentials::of_process(config, instance_metadata))
}

/// The region as it is set, or as this process finds it; without the metadata service, which takes seconds
/// to be found missing. `section` names the settings in an error.
pub(super) async fn region(section: &str, set: Option<&str>) -> Result<String, BackendError> {
    if let Some(region) = set {
        return Ok(region.to_owned());
    }
    let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new());
    let found = chain.region().await.map(|region| region.to_string());
    found.filter(|region| !region.is_empty()).ok_or_else(|| BackendError::Invalid {
        problem: format!(
            "{section}.region is missing, and so are AWS_REGION, AWS_DEFAULT_REGION and a region in the \
             profile; set one, such as us-east-1"
        ),
    })
}

/// The defaults of the SDK that this was written against.
fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}
