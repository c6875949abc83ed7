//! An account whose service is the simulator.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use antiphon::backend::aws::credentials::Credentials;
use antiphon::backend::nova_sonic::account::Account;
use antiphon::backend::nova_sonic::line::{Dial, Line, LineReport};
use antiphon::backend::nova_sonic::pool::SetUp;
use antiphon::backend::nova_sonic::{ConnectionSettings, NovaSonicSettings};
use antiphon::nova::fault::Fault;
use antiphon::nova::request::Scribe;
use antiphon::nova::settings::NovaSettings;
use antiphon_nova_sim::faults::FaultRule;
use antiphon_nova_sim::{Counts, Sim, SimHandle, SimSettings};
use tokio::sync::mpsc;
use tokio::time::timeout;

pub(crate) const MODEL: &str = "amazon.nova-2-sonic-v1:0";
/// No wait here is for time to pass; reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it takes far less time than that")
}

/// A simulator and how it is reached.
pub(crate) struct Bench {
    pub(crate) sim: SimHandle,
    pub(crate) ca_file: PathBuf,
}

impl Bench {
    /// A simulator with these faults.
    pub(crate) async fn new(faults: &[&str]) -> Self {
        let faults = faults.iter().map(|fault| fault.parse().expect("a fault that is known"));
        let faults: Vec<FaultRule> = faults.collect();
        Self::of(SimSettings { faults, ..SimSettings::tones() }).await
    }

    pub(crate) async fn of(settings: SimSettings) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("antiphon-transport-{}-{number}.pem", std::process::id());
        let ca_file = std::env::temp_dir().join(name);
        let sim = Sim::start(settings).await.expect("a free port");
        std::fs::write(&ca_file, sim.ca_pem()).expect("a file for the test");
        Self { sim, ca_file }
    }

    /// How the simulator is reached.
    pub(crate) fn connection(&self) -> ConnectionSettings {
        ConnectionSettings {
            region: Some("us-east-1".to_owned()),
            endpoint_url: Some(self.sim.endpoint_url()),
            ca_file: Some(self.ca_file.clone()),
            ..ConnectionSettings::default()
        }
    }

    pub(crate) fn settings(&self) -> NovaSonicSettings {
        NovaSonicSettings { connection: self.connection(), ..NovaSonicSettings::default() }
    }

    pub(crate) fn account(&self) -> Arc<Account> {
        account(&self.connection())
    }

    pub(crate) fn dial(&self) -> Dial {
        dial(self.account())
    }

    /// Waits until the simulator has seen enough.
    pub(crate) async fn until(&self, is_enough: impl Fn(&Counts) -> bool) {
        within(async {
            while !is_enough(&self.sim.counts()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // A file that is left behind is no failure of the test.
        let _ = std::fs::remove_file(&self.ca_file);
    }
}

pub(crate) fn account(connection: &ConnectionSettings) -> Arc<Account> {
    let keys = Credentials::fixed("AKIDSIM", "sim-secret");
    Arc::new(Account::with_keys(connection, keys).expect("the settings are right"))
}

pub(crate) fn dial(account: Arc<Account>) -> Dial {
    Dial { account, model: MODEL.to_owned(), within: PATIENCE }
}

pub(crate) fn set_up() -> SetUp {
    let (settings, system) = (NovaSettings::default(), "You count.".to_owned());
    SetUp { settings, system, tools: Vec::new() }
}

/// A line, the writer of its events, and what it reports.
pub(crate) struct Talk {
    pub(crate) line: Line,
    pub(crate) scribe: Scribe,
    pub(crate) heard: Heard,
}

impl Talk {
    /// A line that was not accepted yet.
    pub(crate) fn dialled(dial: &Dial, id: u32) -> Self {
        let (reports, heard) = mpsc::channel(64);
        let (scribe, first) = set_up().begin(format!("talk-{id}"));
        Self { line: Line::open(dial, first, id, reports), scribe, heard }
    }

    /// A line that was accepted and whose audio block is open.
    pub(crate) async fn open(dial: &Dial, id: u32) -> Self {
        let mut talk = Self::dialled(dial, id);
        let first = next(&mut talk.heard).await;
        assert!(matches!(first, LineReport::Opened { line, .. } if line == id), "{first:?}");
        let audio = talk.scribe.open_audio().expect("it is set up");
        talk.line.send(audio).expect("there is room");
        talk.silence();
        talk
    }

    pub(crate) fn silence(&mut self) {
        let silence = self.scribe.audio(&[0; 512]).expect("the audio block is open");
        self.line.send(silence).expect("there is room");
    }
}

pub(crate) type Heard = mpsc::Receiver<LineReport>;

pub(crate) async fn next(heard: &mut Heard) -> LineReport {
    within(heard.recv()).await.expect("a line says when it is over")
}

/// Reads to the end, which is told once, and as the last thing.
pub(crate) async fn ended(heard: &mut Heard) -> Fault {
    let fault = loop {
        if let LineReport::Ended { fault, .. } = next(heard).await {
            break fault;
        }
    };
    assert_eq!(within(heard.recv()).await, None, "nothing comes after the end");
    fault
}
