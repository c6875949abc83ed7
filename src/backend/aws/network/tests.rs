use std::path::PathBuf;

use super::*;

#[test]
fn a_file_that_holds_no_authority_is_refused_by_name() {
    let folder = std::env::temp_dir().join(format!("antiphon-authorities-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let rows =
        [("none", "hello", "at least one certificate"), ("broken", broken, "not an authority")];
    for (name, text, expected) in rows {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a file for the test");
        let error = Network::new("aws", Some(&path), None).expect_err(name).to_string();
        assert!(error.contains(expected) && error.contains(name), "{error}");
    }
    std::fs::remove_dir_all(&folder).expect("it was made above");
    let missing = PathBuf::from("/nowhere/ca.pem");
    let error = Network::new("aws", Some(&missing), None).expect_err("it is not there").to_string();
    assert!(error.contains("/nowhere/ca.pem"), "{error}");
}

#[test]
fn no_proxy_lies_between_us_and_ourselves() {
    let rows = [
        ("https://127.0.0.1:8444", true),
        ("https://localhost", true),
        ("https://localhost:8444/path", true),
        ("https://[::1]:8444", true),
        ("https://localhost.example.com", false),
        ("https://127.0.0.1.example.com:443", false),
        ("https://bedrock-runtime.us-east-1.amazonaws.com", false),
    ];
    for (endpoint, expected) in rows {
        assert_eq!(is_loopback(endpoint), expected, "{endpoint}");
        let network = Network::new("aws", None, Some(endpoint)).expect("it needs no file");
        assert_eq!(network.proxy.is_disabled(), expected, "{endpoint}");
    }
}
