//! The SDK's clients, built for one purpose: streams that live for minutes.

use std::path::Path;
use std::sync::Arc;

use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::retry::RetryConfig;
use aws_sdk_bedrockruntime::config::timeout::TimeoutConfig;
use aws_sdk_bedrockruntime::config::{
    BehaviorVersion, Config, IdentityCache, Region, SharedCredentialsProvider, SharedHttpClient,
    StalledStreamProtectionConfig,
};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider as TlsProvider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::auth::AuthSchemeId;
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpConnector, http_client_fn,
};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::credentials::{Credentials, Provider};
use crate::backend::BackendError;
use crate::limits::NOVA_CONNECT_TIMEOUT;

/// The defaults of the SDK that this was written against.
pub(super) fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// How sockets are opened: whom to trust, and whether a proxy lies between.
#[derive(Clone, Debug)]
pub(super) struct Network {
    tls: TlsContext,
    proxy: ProxyConfig,
}

impl Network {
    /// Trusts the authorities of `ca_file`, or the system's. Honours the usual variables of a proxy, unless
    /// the endpoint is on this machine, where no proxy can reach it.
    pub(super) fn new(
        ca_file: Option<&Path>,
        endpoint: Option<&str>,
    ) -> Result<Self, BackendError> {
        let roots = match ca_file {
            Some(path) => TrustStore::empty().with_pem_certificate(authorities(path)?),
            None => TrustStore::default(),
        };
        let tls = TlsContext::builder().with_trust_store(roots).build();
        let tls = tls.map_err(|error| BackendError::Invalid {
            problem: format!("nova_sonic: TLS cannot be set up: {error}"),
        })?;
        let is_here = endpoint.is_some_and(is_loopback);
        let proxy = if is_here { ProxyConfig::disabled() } else { ProxyConfig::from_env() };
        Ok(Self { tls, proxy })
    }

    /// One pool of connections, however the requests are set. With HTTP/2 it is one connection that all
    /// streams share, unless several are opened before the first handshake is done.
    pub(super) fn pooled(&self) -> SharedHttpClient {
        let settings =
            HttpConnectorSettings::builder().connect_timeout(NOVA_CONNECT_TIMEOUT).build();
        let connector = self.connector(&settings);
        http_client_fn(move |_settings, _components| connector.clone())
    }

    /// A new connection for each request, for those that come once an hour and have time limits of their
    /// own: reading credentials.
    pub(super) fn single(&self) -> SharedHttpClient {
        let network = self.clone();
        http_client_fn(move |settings, _components| network.connector(settings))
    }

    fn connector(&self, settings: &HttpConnectorSettings) -> SharedHttpConnector {
        let connector = Connector::builder()
            .connector_settings(settings.clone())
            .proxy_config(self.proxy.clone())
            .tls_provider(TlsProvider::Rustls(CryptoMode::Ring))
            .tls_context(self.tls.clone())
            .build();
        SharedHttpConnector::new(connector)
    }
}

/// A client with connections of its own.
pub(super) fn client(
    network: &Network,
    region: &str,
    endpoint: Option<&str>,
    credentials: &Arc<Credentials>,
) -> Client {
    let mut config = Config::builder()
        .behavior_version(behavior())
        .region(Region::new(region.to_owned()))
        .http_client(network.pooled())
        .credentials_provider(SharedCredentialsProvider::new(Provider(Arc::clone(credentials))))
        .identity_cache(IdentityCache::no_cache())
        // With a bearer token, which the SDK prefers if it finds one in AWS_BEARER_TOKEN_BEDROCK, events
        // would not be signed, and this operation refuses it.
        .auth_scheme_preference([AuthSchemeId::from("sigv4")])
        // The body of a stream cannot be sent twice; attempts are this backend's business.
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(NOVA_CONNECT_TIMEOUT).build())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    config.set_endpoint_url(endpoint.map(str::to_owned));
    Client::from_conf(config.build())
}

/// The text of a file of certificate authorities, checked: the SDK panics at what is none.
fn authorities(path: &Path) -> Result<Vec<u8>, BackendError> {
    let refuse = |error: String| {
        let error = format!(
            "{error} (nova_sonic.ca_file; the simulator, as in ./run --nova-sim, writes its own)"
        );
        BackendError::Unreadable { path: path.to_owned(), error }
    };
    let pem = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| refuse(format!("not PEM: {error}")))?;
        roots.add(certificate).map_err(|error| refuse(format!("not an authority: {error}")))?;
    }
    if roots.is_empty() {
        return Err(refuse("expected at least one certificate in PEM, found none".to_owned()));
    }
    Ok(pem)
}

fn is_loopback(endpoint: &str) -> bool {
    let host = endpoint.split("://").nth(1).unwrap_or(endpoint);
    let host = host.split(['/', '?']).next().unwrap_or_default();
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|here| {
        host == *here || host.strip_prefix(here).is_some_and(|rest| rest.starts_with(':'))
    })
}

#[cfg(test)]
mod tests;
