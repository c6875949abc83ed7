//! Whether calls to an agent would work: asked once, at start.
//!
//! Keys can be there and wrong, right and without access, with access to another model: only the service
//! knows. So a real conversation is opened with the agent's set-up, and ended as soon as it is accepted.
//! Nobody waits for a metadata service that is not there.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

use super::budget::Seat;
use super::line::{Dial, Line, LineReport};
use super::pool::SetUp;
use crate::backend::Problem;
use crate::limits::{NOVA_CHECK_TIMEOUT, NOVA_REPORTS_MAX};
use crate::nova::fault::{self, Fault, Remedy};

/// How long is waited for an exception about the set-up, which comes after the acceptance.
const AFTERTHOUGHT: Duration = Duration::from_millis(700);

/// How often is asked for a place while there is none.
const PLACE_PAUSE: Duration = Duration::from_millis(20);

/// Opens a conversation and ends it, within [`NOVA_CHECK_TIMEOUT`].
pub async fn check(dial: &Dial, set_up: &SetUp) -> Result<(), Problem> {
    let deadline = Instant::now() + NOVA_CHECK_TIMEOUT;
    let account = &dial.account;
    let places = account.credentials().places();
    let keys = timeout_at(deadline, account.credentials().current()).await;
    let Ok(keys) = keys else {
        return Err(Problem::Passing(format!(
            "the credentials for Nova Sonic could not be read within {:.1} s from {places}",
            NOVA_CHECK_TIMEOUT.as_secs_f32()
        )));
    };
    keys.map_err(|problem| {
        Problem::Mistake(format!(
            "no credentials for Nova Sonic: {problem}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or \
             choose a profile with AWS_PROFILE, or on an EC2 instance with a role set \
             nova_sonic.instance_metadata: true"
        ))
    })?;
    let left = deadline.saturating_duration_since(Instant::now());
    let dial = Dial { within: left.min(dial.within), ..dial.clone() };
    conversation(&dial, set_up, deadline).await.map_err(|fault| problem(&dial, &fault))
}

/// Until it ended in order, or nothing was said against it for long enough.
async fn conversation(dial: &Dial, set_up: &SetUp, deadline: Instant) -> Result<(), Fault> {
    let seat = place(dial, deadline).await?;
    let (reports, mut heard) = mpsc::channel(NOVA_REPORTS_MAX);
    let (mut scribe, first) = set_up.begin("check".to_owned());
    let line = Line::open(dial, first, 0, reports);
    loop {
        match heard.recv().await {
            Some(LineReport::Opened { .. }) => break,
            Some(LineReport::Event { .. }) => {}
            Some(LineReport::Ended { fault, .. }) => return Err(fault),
            None => return Ok(()),
        }
    }
    line.close(scribe.close(), Some(seat));
    let deadline = deadline.min(Instant::now() + AFTERTHOUGHT);
    while let Ok(Some(report)) = timeout_at(deadline, heard.recv()).await {
        if let LineReport::Ended { fault, .. } = report {
            let is_refusal = matches!(fault, Fault::Exception { .. }) && is_mistake(&fault);
            return if is_refusal { Err(fault) } else { Ok(()) };
        }
    }
    Ok(())
}

/// A place of the account. The checks of its other agents have them now, each for a moment, and so does
/// nobody else: there are no calls yet.
async fn place(dial: &Dial, deadline: Instant) -> Result<Seat, Fault> {
    loop {
        match dial.account.budget().seat() {
            Ok(seat) => return Ok(seat),
            Err(_busy) if Instant::now() + PLACE_PAUSE < deadline => sleep(PLACE_PAUSE).await,
            Err(_busy) => return Err(Fault::Busy),
        }
    }
}

/// Whether it would be the same the next time: there is no history here that could be at fault.
fn is_mistake(fault: &Fault) -> bool {
    matches!(fault::remedy(fault), Remedy::End | Remedy::RenewWithoutHistory)
}

fn problem(dial: &Dial, fault: &Fault) -> Problem {
    let (account, model) = (&dial.account, &dial.model);
    let (endpoint, region) = (account.endpoint(), account.region());
    match fault {
        Fault::Transport { message } if message.contains("certificate") => {
            Problem::Mistake(format!(
                "{endpoint} is not trusted: {message}; name its authority with nova_sonic.ca_file, or \
                 install the system's (ca-certificates)"
            ))
        }
        Fault::Transport { message } => Problem::Passing(format!(
            "Nova Sonic cannot be reached at {endpoint}: {message}; check nova_sonic.region and \
             nova_sonic.endpoint_url, the network, and HTTPS_PROXY; a simulator must be started first"
        )),
        Fault::Silent { waited, .. } => Problem::Passing(format!(
            "Nova Sonic at {endpoint} has not answered within {:.1} s; check the network and the \
             region's status",
            waited.as_secs_f32()
        )),
        fault if is_mistake(fault) => {
            Problem::Mistake(format!("Nova Sonic ({model} in {region}): {fault}"))
        }
        fault => Problem::Passing(format!("Nova Sonic ({model} in {region}): {fault}")),
    }
}
