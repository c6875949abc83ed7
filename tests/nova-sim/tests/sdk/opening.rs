//! Openings: signatures, withheld headers, refusals, concurrency.

use aws_sdk_bedrockruntime::error::ProvideErrorMetadata;

use crate::support::{Client, MODEL, session_start, sim};

#[tokio::test]
async fn a_wrong_secret_or_key_is_refused() {
    let sim = sim(&[]).await;
    for (key_id, secret, code) in [
        ("AKIDSIM", "another secret", "InvalidSignatureException"),
        ("AKIDOTHER", "sim-secret", "UnrecognizedClientException"),
    ] {
        let opened = Client::with(&sim, key_id, secret).open(MODEL, vec![session_start()]).await;
        let error = opened.err().expect("a refusal").into_service_error();
        assert_eq!(error.code(), Some(code), "{error:?}");
    }
}
