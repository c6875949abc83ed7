//! The program: what it says of itself, and of arguments that are no good.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_antiphon-nova-sim");

#[test]
fn it_says_that_it_is_a_simulator_and_how_to_reach_it() {
    let folder = std::env::temp_dir().join(format!("nova-sim-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let ca_file = folder.join("ca.pem");
    let mut program = Command::new(PROGRAM)
        .args(["--listen", "127.0.0.1:0", "--voice", "tones", "--ca-out"])
        .arg(&ca_file)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let stdout = program.stdout.take().expect("its output");
    let mut said = String::new();
    for line in BufReader::new(stdout).lines() {
        let line = line.expect("text");
        said.push_str(&line);
        said.push('\n');
        if line.contains("Ctrl-C") {
            break;
        }
    }
    program.kill().expect("it runs");
    program.wait().expect("it ends");
    let pem = fs::read_to_string(&ca_file).expect("the certificate");
    fs::remove_dir_all(&folder).expect("the folder");
    assert!(said.contains("SIMULATOR"), "{said}");
    assert!(said.contains("AWS_ENDPOINT_URL_BEDROCK_RUNTIME=https://127.0.0.1:"), "{said}");
    assert!(said.contains(&format!("SSL_CERT_FILE={}", ca_file.display())), "{said}");
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"), "{pem}");
}

#[test]
fn what_is_wrong_with_an_argument_is_told() {
    for (args, expected) in [
        (["--fault", "at=5s nonsense"], "`nonsense` is no fault; known:"),
        (["--fault", "open"], "expected the name of a fault"),
        (["--barge-in", "loud"], "expected one of speech-start, marker"),
        (["--connection-limit", "soon"], "expected a time as 12s or 300ms"),
        (["--hears", "/dev/null/lines"], "--hears: /dev/null/lines cannot be read"),
        (["--ca-out", "/dev/null/ca.pem"], "--ca-out: /dev/null/ca.pem cannot be written"),
        (["--listen", "192.0.2.1:1"], "cannot listen on 192.0.2.1:1"),
        (["--log", "=!="], "--log: `=!=` is no filter"),
    ] {
        // The port that is asked for last is the one that is used, except where it is the point.
        let port: &[&str] = if args[0] == "--listen" { &[] } else { &["--listen", "127.0.0.1:0"] };
        let output = Command::new(PROGRAM)
            .args(["--voice", "tones"])
            .args(port)
            .args(args)
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(expected), "{args:?}: {said}");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}
