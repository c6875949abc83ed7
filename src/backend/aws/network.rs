//! How sockets to AWS are opened.

use std::path::Path;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider as TlsProvider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::backend::BackendError;
use crate::limits::AWS_CONNECT_TIMEOUT;

/// How sockets are opened: whom to trust, and whether a proxy lies between.
#[derive(Clone, Debug)]
pub(in crate::backend) struct Network {
    tls: TlsContext,
    proxy: ProxyConfig,
}

impl Network {
    /// Trusts the authorities of `ca_file`, or the system's. Honours the usual variables of a proxy, unless
    /// the endpoint is on this machine, where no proxy can reach it. `what` names the section of the
    /// settings in an error.
    pub(in crate::backend) fn new(
        what: &str,
        ca_file: Option<&Path>,
        endpoint: Option<&str>,
    ) -> Result<Self, BackendError> {
        let roots = match ca_file {
            Some(path) => TrustStore::empty().with_pem_certificate(authorities(what, path)?),
            None => TrustStore::default(),
        };
        let tls = TlsContext::builder().with_trust_store(roots).build();
        let tls = tls.map_err(|error| BackendError::Invalid {
            problem: format!("{what}: TLS cannot be set up: {error}"),
        })?;
        let is_here = endpoint.is_some_and(is_loopback);
        let proxy = if is_here { ProxyConfig::disabled() } else { ProxyConfig::from_env() };
        Ok(Self { tls, proxy })
    }

    /// One pool of connections, however the requests are set. With HTTP/2 it is one connection that all
    /// streams share, unless several are opened before the first handshake is done.
    pub(in crate::backend) fn pooled(&self) -> SharedHttpClient {
        let settings =
            HttpConnectorSettings::builder().connect_timeout(AWS_CONNECT_TIMEOUT).build();
        let connector = self.connector(&settings);
        http_client_fn(move |_settings, _components| connector.clone())
    }

    /// A new connection for each request, for those that come once an hour and have time limits of their
    /// own: reading credentials.
    pub(in crate::backend) fn single(&self) -> SharedHttpClient {
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

/// The text of a file of certificate authorities, checked: the SDK panics at what is none.
fn authorities(what: &str, path: &Path) -> Result<Vec<u8>, BackendError> {
    let refuse = |error: String| {
        let error = format!(
            "{error} ({what}.ca_file; the simulator, as in ./run --nova-sim, writes its own)"
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
