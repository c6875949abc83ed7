use std::sync::Mutex as Lock;
use std::time::UNIX_EPOCH;

use super::*;

/// Gives what it was told to, one after the other, and then nothing.
#[derive(Debug)]
struct Scripted(Lock<Vec<Result<Keys, CredentialsError>>>);

impl Scripted {
    fn credentials(answers: Vec<Result<Keys, CredentialsError>>) -> Credentials {
        Credentials::given(Self(Lock::new(answers)))
    }
}

impl ProvideCredentials for Scripted {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let mut answers = self.0.lock().expect("no test panics with it");
        let none = || Err(CredentialsError::not_loaded("the script is over"));
        let answer = if answers.is_empty() { none() } else { answers.remove(0) };
        future::ProvideCredentials::ready(answer)
    }
}

fn keys(id: &str, expiry: Option<SystemTime>) -> Keys {
    Keys::new(id, "a secret", None, expiry, "a test")
}

fn in_minutes(minutes: u64) -> Option<SystemTime> {
    Some(SystemTime::now() + Duration::from_secs(minutes * 60))
}

async fn id(credentials: &Credentials) -> Result<String, String> {
    credentials.current().await.map(|current| current.keys.access_key_id().to_owned())
}

#[tokio::test]
async fn keys_are_read_once_and_again_when_they_are_forgotten() {
    let answers = vec![Ok(keys("first", None)), Ok(keys("second", None))];
    let credentials = Scripted::credentials(answers);
    for _ in 0..3 {
        assert_eq!(id(&credentials).await.as_deref(), Ok("first"));
    }
    credentials.forget().await;
    assert_eq!(id(&credentials).await.as_deref(), Ok("second"));
}

#[tokio::test]
async fn keys_say_how_long_they_last() {
    let answers = vec![Ok(keys("short", in_minutes(15)))];
    let last = Scripted::credentials(answers).current().await.map(|current| current.last);
    let last = last.expect("there are some").expect("they end");
    let minutes = Duration::from_secs(14 * 60)..=Duration::from_secs(15 * 60);
    assert!(minutes.contains(&last), "{last:?}");
    let endless = Credentials::fixed("id", "secret").current().await.map(|current| current.last);
    assert_eq!(endless, Ok(None));
}

#[test]
fn keys_are_replaced_before_they_expire_and_not_with_every_use() {
    let minute = Duration::from_secs(60);
    let rows = [
        (None, minute * 100, true),
        (Some(minute * 11), minute * 100, true),
        (Some(minute * 9), minute * 100, false),
        (Some(minute * 9), minute / 10, true),
        (Some(Duration::ZERO), Duration::ZERO, false),
    ];
    for (last, read_ago, expected) in rows {
        let current = Current { keys: keys("id", None), last };
        assert_eq!(current.will_do(read_ago), expected, "{last:?} {read_ago:?}");
    }
}

#[tokio::test]
async fn keys_that_are_still_good_bridge_a_source_that_fails() {
    let broken = || Err(CredentialsError::provider_error("the source is down"));
    let credentials = Scripted::credentials(vec![Ok(keys("old", in_minutes(5))), broken()]);
    assert_eq!(id(&credentials).await.as_deref(), Ok("old"));
    // As if they had been read long ago.
    credentials.kept.lock().await.as_mut().expect("they are kept").read_at -= REFRESH_EVERY;
    assert_eq!(id(&credentials).await.as_deref(), Ok("old"));

    let expired = Scripted::credentials(vec![Ok(keys("gone", Some(UNIX_EPOCH))), broken()]);
    assert_eq!(id(&expired).await.as_deref(), Ok("gone"));
    let problem = id(&expired).await.expect_err("they are of no use any more");
    assert!(problem.contains("the source is down"), "{problem}");
}

#[tokio::test]
async fn where_there_are_none_the_places_are_named() {
    let config = ProviderConfig::without_region();
    let credentials = Credentials::of_process(config.clone(), false);
    assert!(credentials.places().contains("AWS_PROFILE"));
    assert!(!credentials.places().contains("metadata"));
    assert!(Credentials::of_process(config, true).places().contains("metadata"));
    let problem = id(&Scripted::credentials(Vec::new())).await.expect_err("there are none");
    assert_eq!(problem, "there are none in the given ones");
}

#[test]
fn keys_are_not_shown() {
    let shown = format!("{:?}", Credentials::fixed("AKIDSIM", "sim-secret"));
    assert!(!shown.contains("AKIDSIM") && !shown.contains("sim-secret"), "{shown}");
}
