//! One AWS account as this process reaches it: a region, keys, connections, and the places that it grants.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use aws_sdk_bedrockruntime::Client;
use tokio::time::{Instant, sleep_until, timeout};

use super::budget::Budget;
use super::settings::ConnectionSettings;
use crate::backend::BackendError;
use crate::backend::aws::credentials::Credentials;
use crate::backend::aws::network::Network;
use crate::backend::aws::{self, errors};
use crate::limits::{AWS_CONNECT_TIMEOUT, NOVA_WARM_EVERY};

/// The settings' section, in errors.
const SECTION: &str = "nova_sonic";

/// One account, shared by all agents that reach it the same way.
pub struct Account {
    region: String,
    endpoint: Option<String>,
    credentials: Arc<Credentials>,
    budget: Budget,
    connections: Vec<Connection>,
    /// Which connection is next.
    turn: AtomicUsize,
    is_kept_warm: AtomicBool,
}

/// A client with a connection of its own.
#[derive(Debug)]
struct Connection {
    client: Client,
    used_at: Mutex<Instant>,
}

/// Accounts by what decides which one it is, and how it is reached.
#[derive(Debug, Default)]
pub struct Accounts {
    known: BTreeMap<String, (ConnectionSettings, Arc<Account>)>,
}

impl Accounts {
    /// The account of these settings, which is prepared when it is asked for first: nothing is sent.
    pub async fn of(
        &mut self,
        settings: &ConnectionSettings,
    ) -> Result<Arc<Account>, BackendError> {
        let region = aws::region(SECTION, settings.region.as_deref()).await?;
        let ConnectionSettings { endpoint_url, ca_file, instance_metadata, .. } = settings;
        let key = format!("{:?}", (&region, endpoint_url, ca_file, instance_metadata));
        if let Some((first, account)) = self.known.get(&key) {
            agreed(first, settings)?;
            return Ok(Arc::clone(account));
        }
        let account = Arc::new(Account::in_region(settings, region)?);
        self.known.insert(key, (settings.clone(), Arc::clone(&account)));
        Ok(account)
    }
}

impl Account {
    /// The account whose region and keys this process finds where all AWS tools do.
    pub async fn of_process(settings: &ConnectionSettings) -> Result<Self, BackendError> {
        let region = aws::region(SECTION, settings.region.as_deref()).await?;
        Self::in_region(settings, region)
    }

    fn in_region(settings: &ConnectionSettings, region: String) -> Result<Self, BackendError> {
        let ConnectionSettings { ca_file, instance_metadata, .. } = settings;
        let credentials =
            aws::credentials_of_process(SECTION, ca_file.as_deref(), &region, *instance_metadata)?;
        Self::new(settings, region, credentials)
    }

    /// The same with given keys. Nothing is sent and no file but the authorities' is read.
    pub fn with_keys(
        settings: &ConnectionSettings,
        credentials: Credentials,
    ) -> Result<Self, BackendError> {
        let region = settings.region.clone().ok_or_else(|| BackendError::Invalid {
            problem: "nova_sonic.region is missing: given keys do not say it".to_owned(),
        })?;
        Self::new(settings, region, credentials)
    }

    fn new(
        settings: &ConnectionSettings,
        region: String,
        credentials: Credentials,
    ) -> Result<Self, BackendError> {
        let endpoint = settings.endpoint_url.clone();
        let network = Network::new(SECTION, settings.ca_file.as_deref(), endpoint.as_deref())?;
        let credentials = Arc::new(credentials);
        let connection = |_| Connection {
            client: Client::new(&aws::sdk(&network, &region, endpoint.as_deref(), &credentials)),
            used_at: Mutex::new(Instant::now()),
        };
        Ok(Self {
            connections: (0..settings.warm.connections.max(1)).map(connection).collect(),
            budget: Budget::new(settings.sessions_max, settings.renewal_spare),
            turn: AtomicUsize::new(0),
            is_kept_warm: AtomicBool::new(settings.warm.connections == 0),
            region,
            endpoint,
            credentials,
        })
    }

    /// Its region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Where its streams go, as an operator wants to read it.
    pub fn endpoint(&self) -> String {
        self.endpoint
            .clone()
            .unwrap_or_else(|| format!("https://bedrock-runtime.{}.amazonaws.com", self.region))
    }

    /// How many conversations it may have at once.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The client of the connection whose turn it is.
    pub(super) fn connection(&self) -> &Client {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let connection = &self.connections[turn % self.connections.len()];
        connection.touch();
        &connection.client
    }

    /// Opens every connection and keeps it open as long as somebody has the account, if the settings want
    /// that. Must be called inside a tokio runtime; a second time it does nothing.
    pub fn keep_warm(self: &Arc<Self>) {
        if self.is_kept_warm.swap(true, Ordering::Relaxed) {
            return;
        }
        for index in 0..self.connections.len() {
            tokio::spawn(keep_warm(Arc::downgrade(self), index));
        }
    }
}

impl Connection {
    fn touch(&self) {
        *self.used_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn used_at(&self) -> Instant {
        *self.used_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks a small question whenever the connection has not been used for a while. Any answer of the service
/// will do, a refusal too: the account need not permit the question.
async fn keep_warm(account: Weak<Account>, index: usize) {
    let mut was_warm = true;
    loop {
        let Some(strong) = account.upgrade() else { return };
        let connection = &strong.connections[index];
        connection.touch();
        let began = Instant::now();
        let asked = connection.client.list_async_invokes().max_results(1).send();
        let problem = match timeout(AWS_CONNECT_TIMEOUT * 2, asked).await {
            Ok(Err(error)) if !errors::has_answered(&error) => Some(errors::chain(&error)),
            Ok(_answered) => None,
            Err(_elapsed) => Some("no answer".to_owned()),
        };
        let (endpoint, took) = (strong.endpoint(), began.elapsed());
        match &problem {
            Some(problem) if was_warm => {
                tracing::warn!(endpoint, problem, "a connection cannot be kept warm");
            }
            None if !was_warm => tracing::info!(endpoint, ?took, "a connection is warm again"),
            problem => tracing::debug!(endpoint, ?took, problem, "a connection was used"),
        }
        was_warm = problem.is_none();
        drop(strong);
        loop {
            let Some(strong) = account.upgrade() else { return };
            let due = strong.connections[index].used_at() + NOVA_WARM_EVERY;
            drop(strong);
            if due <= Instant::now() {
                break;
            }
            sleep_until(due).await;
        }
    }
}

/// What agents of one account must say the same of.
fn agreed(first: &ConnectionSettings, other: &ConnectionSettings) -> Result<(), BackendError> {
    let rows = [
        ("sessions_max", first.sessions_max, other.sessions_max),
        ("renewal_spare", first.renewal_spare, other.renewal_spare),
        ("warm.connections", first.warm.connections, other.warm.connections),
    ];
    match rows.into_iter().find(|(_, first, other)| first != other) {
        None => Ok(()),
        Some((key, first, other)) => Err(BackendError::Invalid {
            problem: format!(
                "nova_sonic.{key}: agents that use one account share it: expected {first} as in an agent \
                 before, received {other}"
            ),
        }),
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Account")
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
