//! Amazon Nova Sonic on Bedrock: one stream in place of three hops.
//!
//! ```text
//! call -- BackendInput --> machine (joins) --> nova::session (pure) --> units --> line --> service
//!      <- BackendOutput --         <---------------------------------- reports <-'
//! ```
//!
//! What is said and when is decided in [`crate::nova`]; here are the streams ([`line`]), the account they
//! go to ([`account`], [`credentials`], [`client`]), how many there may be ([`budget`]), those kept ready
//! ([`pool`]), and the question at start whether it would work at all ([`check`]). Nobody else names a crate
//! of AWS.

pub mod account;
pub mod budget;
pub mod check;
mod client;
pub mod credentials;
mod errors;
pub mod line;
pub mod pool;
mod settings;

use std::sync::{Arc, OnceLock};

pub use self::settings::{ConnectionSettings, NovaSonicSettings, WarmSettings};

use self::account::Account;
use self::line::Dial;
use self::pool::{SetUp, WarmPool};
use super::{
    Abilities, Backend, BackendChannels, BackendOutput, BackendSession, Busy, CallContext,
    Checking, channels,
};
use crate::call::event::BackendEvent;
use crate::nova::settings::ModelVersion;

/// The Nova Sonic backend of one agent.
#[derive(Debug)]
pub struct NovaSonic {
    dial: Dial,
    set_up: SetUp,
    warm: WarmSettings,
    pool: OnceLock<WarmPool>,
}

impl NovaSonic {
    /// The backend of an agent with this persona. Nothing is sent before the first check or call.
    pub fn new(settings: NovaSonicSettings, persona: &str, account: Arc<Account>) -> Self {
        let NovaSonicSettings { nova, connection } = settings;
        let dial = Dial { account, model: nova.model.clone(), within: nova.patience.open };
        let set_up = SetUp { settings: nova, system: persona.to_owned(), tools: Vec::new() };
        Self { dial, set_up, warm: connection.warm, pool: OnceLock::new() }
    }

    /// Begins to keep connections and conversations ready. Must be called inside a tokio runtime; a second
    /// time it does nothing.
    pub fn keep_warm(&self) {
        self.dial.account.keep_warm();
        if self.warm.sessions > 0 {
            let start = || WarmPool::start(self.dial.clone(), self.set_up.clone(), self.warm);
            self.pool.get_or_init(start);
        }
    }
}

impl Backend for NovaSonic {
    fn name(&self) -> &'static str {
        "nova_sonic"
    }

    fn abilities(&self) -> Abilities {
        let has_text = ModelVersion::of(&self.dial.model) == ModelVersion::V2;
        Abilities {
            speculates: false,
            transcribes: false,
            says: has_text,
            greets: has_text,
            ends_turns: true,
        }
    }

    fn open(&self, _call: CallContext) -> Result<BackendSession, Busy> {
        let seat = self.dial.account.budget().seat()?;
        let (session, channels) = channels();
        tokio::spawn(async move {
            converse(channels).await;
            drop(seat);
        });
        Ok(session)
    }

    /// What is kept ready is begun with it, after the question whether it works.
    fn check(&self) -> Checking<'_> {
        Box::pin(async {
            let answer = check::check(&self.dial, &self.set_up).await;
            self.keep_warm();
            answer
        })
    }
}

/// One conversation, from the call's beginning to its end.
async fn converse(channels: BackendChannels) {
    let message = "this build carries no conversations with Nova Sonic yet".to_owned();
    let failed = BackendOutput::Event(BackendEvent::Failed { message });
    // A call that is over needs no reason.
    let _over = channels.output.send(failed).await;
}
