//! The simulator on a socket, and Nova Sonic backends that reach it like the real service.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use antiphon::backend::aws::credentials::Credentials;
use antiphon::backend::nova_sonic::account::Account;
use antiphon::backend::nova_sonic::{ConnectionSettings, NovaAgent, NovaSonic, NovaSonicSettings};
use antiphon::nova::settings::NovaSettings;
use antiphon::nova::usage::Prices;
use antiphon::tools::Toolbox;
use antiphon_nova_sim::{Sim, SimHandle, SimSettings};

/// How long a call waits for the beginning of a reply.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// A running simulator and what a client needs to reach it.
#[derive(Debug)]
pub struct Service {
    /// To ask what it saw.
    pub sim: SimHandle,
    keys: (String, String),
    region: String,
    ca_file: PathBuf,
}

impl Service {
    /// Starts a simulator on a free port.
    ///
    /// # Panics
    ///
    /// If it does not start, or its authority cannot be written to a file.
    pub async fn start(settings: SimSettings) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("antiphon-nova-call-{}-{number}.pem", std::process::id());
        let ca_file = std::env::temp_dir().join(name);
        let keys = (settings.key_id.clone(), settings.secret.clone());
        let region = settings.region.clone();
        let sim = Sim::start(settings).await.expect("a simulator starts on a free port");
        std::fs::write(&ca_file, sim.ca_pem()).expect("the folder for temporary files is writable");
        Self { sim, keys, region, ca_file }
    }

    /// How it is reached; nothing is kept warm.
    pub fn connection(&self) -> ConnectionSettings {
        let mut connection = ConnectionSettings {
            region: Some(self.region.clone()),
            endpoint_url: Some(self.sim.endpoint_url()),
            ca_file: Some(self.ca_file.clone()),
            ..ConnectionSettings::default()
        };
        connection.warm.connections = 0;
        connection
    }

    /// A backend with an account of its own, and so with connections of its own.
    ///
    /// # Panics
    ///
    /// If the settings are refused.
    pub fn backend(
        &self,
        nova: NovaSettings,
        connection: ConnectionSettings,
        tools: Toolbox,
    ) -> NovaSonic {
        let credentials = Credentials::fixed(&self.keys.0, &self.keys.1);
        let account = Account::with_keys(&connection, credentials).expect("lawful settings");
        let agent = NovaAgent {
            persona: "You count.".to_owned(),
            tools: Arc::new(tools),
            reply_timeout: REPLY_TIMEOUT,
        };
        let settings = NovaSonicSettings { nova, connection, prices: Prices::default() };
        NovaSonic::new(settings, agent, Arc::new(account)).expect("lawful settings")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // A file that stays behind in the folder for temporary files does no harm.
        let _ = std::fs::remove_file(&self.ca_file);
    }
}
