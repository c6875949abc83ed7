//! What is found in the environment of a process. Each scenario runs in a process of its own, since an
//! environment cannot be changed safely once threads run: this program again, with only the test
//! [`another_process`] and told which scenario it is.

use std::net::TcpListener;
use std::process::Command;

use antiphon::backend::Problem;
use antiphon::backend::nova_sonic::ConnectionSettings;
use antiphon::backend::nova_sonic::account::Account;
use antiphon::backend::nova_sonic::check::check;
use tokio::task::spawn_blocking;

use crate::support::{Bench, dial, set_up, within};

/// Set in the processes of scenarios: whether instance metadata may be asked.
const SCENARIO: &str = "ANTIPHON_TRANSPORT_SCENARIO";
const ENDPOINT: &str = "ANTIPHON_TRANSPORT_ENDPOINT";
const AUTHORITY: &str = "ANTIPHON_TRANSPORT_AUTHORITY";

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.into_string().expect("it was written here"))
}

/// In a scenario: checks an account as this process finds it, and prints the answer.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "it is how this process tells the one that started it")]
async fn another_process() {
    let Some(scenario) = variable(SCENARIO) else { return };
    let settings = ConnectionSettings {
        endpoint_url: variable(ENDPOINT),
        ca_file: variable(AUTHORITY).map(Into::into),
        instance_metadata: scenario == "with instance metadata",
        ..ConnectionSettings::default()
    };
    let answer = match Account::of_process(&settings).await {
        Err(error) => format!("unbuilt: {error}"),
        Ok(account) => match check(&dial(account.into()), &set_up()).await {
            Ok(()) => "it works".to_owned(),
            Err(Problem::Mistake(text)) => format!("mistake: {text}"),
            Err(Problem::Passing(text)) => format!("passing: {text}"),
        },
    };
    println!("answer: {answer}");
}

/// The answer of a process with this environment and no other.
async fn answer(bench: &Bench, scenario: &str, environment: &[(&str, &str)]) -> String {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command
        .args(["--exact", "environment::another_process", "--nocapture"])
        .env_clear()
        .env("HOME", "/nonexistent")
        .env(SCENARIO, scenario)
        .env(ENDPOINT, bench.sim.endpoint_url())
        .env(AUTHORITY, &bench.ca_file)
        .envs(environment.iter().copied());
    let output = within(spawn_blocking(move || command.output())).await;
    let output = output.expect("the thread lives").expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let answer = said.lines().find_map(|line| line.split_once("answer: "));
    answer.unwrap_or_else(|| panic!("no answer: {output:?}")).1.to_owned()
}

const KEYS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKIDSIM"), ("AWS_SECRET_ACCESS_KEY", "sim-secret")];
const REGION: (&str, &str) = ("AWS_REGION", "us-east-1");

#[tokio::test]
async fn keys_and_region_of_the_environment_are_used() {
    let bench = Bench::new(&[]).await;
    assert_eq!(answer(&bench, "", &[KEYS[0], KEYS[1], REGION]).await, "it works");
    let region = ("AWS_DEFAULT_REGION", "us-east-1");
    assert_eq!(answer(&bench, "", &[KEYS[0], KEYS[1], region]).await, "it works");
}

#[tokio::test]
async fn a_bearer_token_in_the_environment_does_not_stop_the_signing() {
    let bench = Bench::new(&[]).await;
    let token = ("AWS_BEARER_TOKEN_BEDROCK", "a-bedrock-api-key");
    assert_eq!(answer(&bench, "", &[KEYS[0], KEYS[1], REGION, token]).await, "it works");
    let preference = ("AWS_AUTH_SCHEME_PREFERENCE", "httpBearerAuth");
    let all = [KEYS[0], KEYS[1], REGION, token, preference];
    assert_eq!(answer(&bench, "", &all).await, "it works");
}

#[tokio::test]
async fn keys_and_region_of_a_profile_are_used() {
    let bench = Bench::new(&[]).await;
    let file = bench.ca_file.with_extension("profile");
    let profile = "[profile calls]\nregion = us-east-1\naws_access_key_id = AKIDSIM\n\
                   aws_secret_access_key = sim-secret\n";
    std::fs::write(&file, profile).expect("a file for the test");
    let path = file.to_str().expect("a plain path");
    let environment = [("AWS_CONFIG_FILE", path), ("AWS_PROFILE", "calls")];
    let answer = answer(&bench, "", &environment).await;
    std::fs::remove_file(&file).expect("it was written above");
    assert_eq!(answer, "it works");
}

#[tokio::test]
async fn missing_keys_and_a_missing_region_are_told_with_where_they_were_looked_for() {
    let bench = Bench::new(&[]).await;
    let region = answer(&bench, "", &KEYS).await;
    for expected in ["unbuilt: ", "nova_sonic.region", "AWS_REGION", "such as us-east-1"] {
        assert!(region.contains(expected), "{region}");
    }
    let keys = answer(&bench, "", &[REGION]).await;
    let all = ["mistake: ", "AWS_ACCESS_KEY_ID", "AWS_PROFILE", "web identity", "container"];
    for expected in all.into_iter().chain(["nova_sonic.instance_metadata: true"]) {
        assert!(keys.contains(expected), "{keys}");
    }
    assert_eq!(bench.sim.counts().connections, 0, "nobody was asked without keys");
}

#[tokio::test]
async fn a_metadata_service_is_asked_only_if_it_was_wanted() {
    let bench = Bench::new(&[]).await;
    // It accepts and never answers.
    let black_hole = TcpListener::bind("127.0.0.1:0").expect("a free port");
    black_hole.set_nonblocking(true).expect("a socket that can be asked");
    let address = format!("http://{}", black_hole.local_addr().expect("it has an address"));
    let environment = [REGION, ("AWS_EC2_METADATA_SERVICE_ENDPOINT", address.as_str())];
    let unasked = answer(&bench, "", &environment).await;
    assert!(unasked.contains("mistake: no credentials"), "{unasked}");
    assert!(black_hole.accept().is_err(), "nobody must have come");
    let asked = answer(&bench, "with instance metadata", &environment).await;
    assert!(!asked.contains("it works"), "{asked}");
    assert!(black_hole.accept().is_ok(), "somebody must have come");
}
