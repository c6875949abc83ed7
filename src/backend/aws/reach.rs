//! How a stage of the cascade reaches its service.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use aws_config::SdkConfig;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::credentials::Credentials;
use super::network::Network;
use crate::backend::{BackendError, Problem};
use crate::limits::AWS_CHECK_TIMEOUT;

/// Where a service is and whom to trust. Each of the stages may have its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwsSettings {
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
    /// These keys and no others, for a simulator. Default: those that all AWS tools find; a configuration
    /// file cannot say them.
    pub keys: Option<AwsKeys>,
}

/// Keys that never expire.
#[derive(Clone, PartialEq, Eq)]
pub struct AwsKeys {
    /// Names the pair.
    pub access_key_id: String,
    /// What requests are signed with.
    pub secret_access_key: String,
}

/// Shows that there are keys, never which.
impl fmt::Debug for AwsKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AwsKeys").finish_non_exhaustive()
    }
}

/// A service, its client built when it is first needed: to find out a region, files are read.
pub(in crate::backend) struct Reach<C> {
    /// Names the settings in an error.
    section: &'static str,
    settings: AwsSettings,
    network: Network,
    build: fn(&SdkConfig) -> C,
    ready: OnceCell<Ready<C>>,
}

struct Ready<C> {
    client: C,
    credentials: Arc<Credentials>,
}

impl<C> Reach<C> {
    /// Checks the settings. Nothing is sent, and no file but the authorities' is read.
    pub(in crate::backend) fn new(
        section: &'static str,
        settings: AwsSettings,
        build: fn(&SdkConfig) -> C,
    ) -> Result<Self, BackendError> {
        let (ca_file, endpoint) = (settings.ca_file.as_deref(), settings.endpoint_url.as_deref());
        if endpoint.is_some_and(|endpoint| !endpoint.starts_with("https://")) {
            let problem =
                format!("{section}.endpoint_url: expected https://..., for HTTP/2 over TLS");
            return Err(BackendError::Invalid { problem });
        }
        let network = Network::new(section, ca_file, endpoint)?;
        Ok(Self { section, settings, network, build, ready: OnceCell::new() })
    }

    /// Its client, which all calls share.
    pub(in crate::backend) async fn client(&self) -> Result<&C, BackendError> {
        Ok(&self.ready().await?.client)
    }

    /// Reads the keys anew when they are needed next: they may have been replaced where they came from.
    pub(in crate::backend) async fn forget_keys(&self) {
        if let Some(Ready { credentials, .. }) = self.ready.get() {
            credentials.forget().await;
        }
    }

    /// Whether there are a region and keys. Nothing is asked of the service.
    pub(in crate::backend) async fn check(&self) -> Result<(), Problem> {
        let Self { section, .. } = self;
        let mistake = |error: BackendError| Problem::Mistake(error.to_string());
        let Ready { credentials, .. } = self.ready().await.map_err(mistake)?;
        match timeout(AWS_CHECK_TIMEOUT, credentials.current()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(problem)) => Err(Problem::Mistake(format!(
                "{section}: no AWS credentials: {problem}; set AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY, or choose a profile with AWS_PROFILE, or on an EC2 instance with a \
                 role set {section}.instance_metadata"
            ))),
            Err(_) => Err(Problem::Passing(format!(
                "{section}: the AWS credentials could not be read within {:.1} s from {}",
                AWS_CHECK_TIMEOUT.as_secs_f32(),
                credentials.places()
            ))),
        }
    }

    async fn ready(&self) -> Result<&Ready<C>, BackendError> {
        let Self { section, settings, network, build, .. } = self;
        let AwsSettings { region, endpoint_url, ca_file, instance_metadata, keys } = settings;
        let prepare = || async {
            let region = super::region(section, region.as_deref()).await?;
            let credentials = match keys {
                Some(AwsKeys { access_key_id, secret_access_key }) => {
                    Credentials::fixed(access_key_id, secret_access_key)
                }
                None => super::credentials_of_process(
                    section,
                    ca_file.as_deref(),
                    &region,
                    *instance_metadata,
                )?,
            };
            let credentials = Arc::new(credentials);
            let sdk = super::sdk(network, &region, endpoint_url.as_deref(), &credentials);
            Ok(Ready { client: build(&sdk), credentials })
        };
        self.ready.get_or_try_init(prepare).await
    }
}

impl<C> fmt::Debug for Reach<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Reach")
            .field("section", &self.section)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
