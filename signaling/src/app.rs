//! What all handlers share: the port, the rules, and the way to ask the port something.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::auth::Keys;
use crate::config::SignalingConfig;
use crate::limits::{BUSY_RETRY_AFTER, ID_CHARS_MAX};
use crate::port::{Port, Refusal};

/// The state behind the router.
pub(crate) struct App<P> {
    pub(crate) port: Arc<P>,
    pub(crate) keys: Keys,
    pub(crate) config: SignalingConfig,
    requests: Arc<Semaphore>,
}

impl<P: Port> App<P> {
    pub(crate) fn new(port: Arc<P>, config: SignalingConfig) -> Self {
        Self {
            port,
            keys: Keys::new(config.access_keys.clone()),
            requests: Arc::new(Semaphore::new(config.limits.requests_max)),
            config,
        }
    }

    /// Asks the port, in a task of its own: a client that hangs up cannot stop the port halfway,
    /// and a panic there costs this one request. Bounded by `requests_max`; one more is refused.
    pub(crate) async fn ask<T, F>(&self, question: impl FnOnce(Arc<P>) -> F) -> Result<T, Refusal>
    where
        F: Future<Output = Result<T, Refusal>> + Send + 'static,
        T: Send + 'static,
    {
        let Ok(permit) = Arc::clone(&self.requests).try_acquire_owned() else {
            return Err(Refusal::Busy {
                problem: "Too many requests are in progress. Try again in a moment.".to_owned(),
                retry_after: BUSY_RETRY_AFTER,
            });
        };
        let answer = question(Arc::clone(&self.port));
        let task = tokio::spawn(async move {
            let _held_until_answered = permit;
            answer.await
        });
        task.await.unwrap_or_else(|lost| Err(Refusal::Internal(lost.to_string())))
    }
}

/// The id that ends a path: one segment of unreserved characters. Anything else was never an id.
pub(crate) fn id_in_path<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    path.strip_prefix(prefix)
        .filter(|id| (1..=ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(legal))
}
