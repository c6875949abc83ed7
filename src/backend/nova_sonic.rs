//! Amazon Nova Sonic on Bedrock: one stream in place of three hops.
//!
//! ```text
//! call -- BackendInput --> machine --> nova::conversation (pure) --> units --> line --> service
//!      <- BackendOutput --         <------------------------------ reports <-'
//! ```
//!
//! What is said and when is decided in [`crate::nova`]; here are the streams ([`line`]), the account they
//! go to ([`account`]), how many there may be ([`budget`]), those kept ready
//! ([`pool`]), and the question at start whether it would work at all ([`check`]).

pub mod account;
pub mod budget;
pub mod check;
mod errors;
pub mod line;
mod machine;
pub mod pool;
mod settings;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use self::settings::{ConnectionSettings, NovaSonicSettings, WarmSettings};

use self::account::Account;
use self::line::Dial;
use self::machine::{First, NovaMachine};
use self::pool::{SetUp, WarmPool};
use super::{
    Abilities, Backend, BackendError, BackendSession, Busy, CallContext, Checking, Problem,
    channels, session,
};
use crate::nova::conversation::{Setup, declarations};
use crate::nova::settings::ModelVersion;
use crate::nova::usage::Prices;
use crate::tools::Toolbox;
use crate::tools::runner::Runner;

/// What one agent's conversations have in common.
#[derive(Clone, Debug)]
pub struct NovaAgent {
    /// Who the model is and how it behaves.
    pub persona: String,
    /// What it may call.
    pub tools: Arc<Toolbox>,
    /// How long its calls wait for the beginning of a reply.
    pub reply_timeout: Duration,
}

/// The Nova Sonic backend of one agent.
#[derive(Debug)]
pub struct NovaSonic {
    dial: Dial,
    set_up: SetUp,
    agent: NovaAgent,
    prices: Prices,
    warm: WarmSettings,
    pool: OnceLock<WarmPool>,
    runner: Runner,
}

impl NovaSonic {
    /// The backend of an agent. Nothing is sent before the first check or call.
    pub fn new(
        settings: NovaSonicSettings,
        agent: NovaAgent,
        account: Arc<Account>,
    ) -> Result<Self, BackendError> {
        let NovaSonicSettings { nova, connection, prices } = settings;
        let dial = Dial { account, model: nova.model.clone(), within: nova.patience.open };
        let (system, tools) = (agent.persona.clone(), declarations(&agent.tools));
        let set_up = SetUp { settings: nova, system, tools };
        let runner =
            Runner::new().map_err(|error| BackendError::Invalid { problem: error.to_string() })?;
        let (warm, pool) = (connection.warm, OnceLock::new());
        Ok(Self { dial, set_up, agent, prices, warm, pool, runner })
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

    /// Conversations that wait for a call now.
    pub fn warm_ready(&self) -> usize {
        self.pool.get().map_or(0, WarmPool::ready)
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
            tools: true,
            recalls: true,
        }
    }

    fn open(&self, call: CallContext) -> Result<BackendSession, Busy> {
        // Should the check at start have been cut short.
        self.keep_warm();
        let reports = machine::reports();
        let warm = self.pool.get().and_then(|pool| pool.take(FIRST_LINE, &reports.0));
        let first = match warm {
            Some(warm) => First::Warm(warm),
            None => First::Cold(self.dial.account.budget().seat()?),
        };
        let setup = Setup {
            settings: self.set_up.settings.clone(),
            system: self.set_up.system.clone(),
            greeting: call.greeting,
            tools: Arc::clone(&self.agent.tools),
            prices: self.prices,
            seed: seed_of(&call.call_id),
            call_id: call.call_id,
            reply_timeout: self.agent.reply_timeout,
        };
        let (dial, runner) = (self.dial.clone(), self.runner.clone());
        let mut machine = NovaMachine::new(setup, dial, runner, first, reports);
        machine.recall(&call.history);
        let (ends, channels) = channels();
        tokio::spawn(session::run(machine, channels));
        Ok(ends)
    }

    /// What is kept ready is begun with it, after the question whether it works.
    fn check(&self) -> Checking<'_> {
        Box::pin(async {
            let answer = check::check(&self.dial, &self.set_up).await;
            // With a mistake in it the server does not start.
            if !matches!(answer, Err(Problem::Mistake(_))) {
                self.keep_warm();
            }
            answer
        })
    }
}

/// The number of a call's first connection.
const FIRST_LINE: u32 = 1;

/// Calls differ in what is left to chance, and one call does not: its id is random.
fn seed_of(call_id: &str) -> u64 {
    call_id.bytes().fold(0, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)))
}
