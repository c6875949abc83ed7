use super::*;
use crate::backend::nova_sonic::WarmSettings;

fn settings() -> ConnectionSettings {
    ConnectionSettings { region: Some("us-east-1".to_owned()), ..ConnectionSettings::default() }
}

#[tokio::test]
async fn agents_that_reach_an_account_the_same_way_share_it() {
    let mut accounts = Accounts::default();
    let first = accounts.of(&settings()).await.expect("nothing is sent");
    let warm = WarmSettings { sessions: 3, ..WarmSettings::default() };
    let second = accounts.of(&ConnectionSettings { warm, ..settings() }).await.expect("they agree");
    assert!(Arc::ptr_eq(&first, &second), "what is kept waiting is an agent's own affair");
    let elsewhere = Some("eu-north-1".to_owned());
    let other = accounts.of(&ConnectionSettings { region: elsewhere, ..settings() }).await;
    assert!(!Arc::ptr_eq(&first, &other.expect("it is another account")));
}

#[tokio::test]
async fn agents_that_disagree_about_their_account_are_refused() {
    let mut accounts = Accounts::default();
    accounts.of(&settings()).await.expect("nothing is sent");
    let other = accounts.of(&ConnectionSettings { sessions_max: 5, ..settings() }).await;
    let problem = other.expect_err("whose number is it?").to_string();
    assert!(problem.contains("nova_sonic.sessions_max"), "{problem}");
    assert!(problem.contains("expected 20") && problem.contains("received 5"), "{problem}");
}

#[tokio::test]
async fn calls_are_spread_over_the_connections() {
    let warm = WarmSettings { connections: 3, ..WarmSettings::default() };
    let settings = ConnectionSettings { warm, ..settings() };
    let account = Account::with_keys(&settings, Credentials::fixed("id", "secret"));
    let account = account.expect("nothing is sent");
    let used: Vec<*const Client> =
        (0..6).map(|_| std::ptr::from_ref(account.connection())).collect();
    assert_eq!(used[..3], used[3..]);
    assert_ne!(used[0], used[1]);
    assert_eq!(account.endpoint(), "https://bedrock-runtime.us-east-1.amazonaws.com");
}
