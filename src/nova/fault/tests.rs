use super::Remedy::{BackOff, End, Renew, RenewWithoutHistory, TellUser};
use super::*;

fn opening(status: u16, code: &str, message: &str) -> Fault {
    Fault::Opening { status: Some(status), code: code.to_owned(), message: message.to_owned() }
}

fn exception(code: &str, message: &str) -> Fault {
    Fault::Exception { code: code.to_owned(), message: message.to_owned() }
}

#[test]
fn each_refusal_at_the_opening_has_its_remedy() {
    let rows = [
        (403, "AccessDeniedException", "You don't have access to the model", End),
        (403, "UnrecognizedClientException", "The security token is invalid", End),
        (403, "InvalidSignatureException", "The request signature does not match", End),
        (403, "MissingAuthenticationTokenException", "", End),
        (403, "ExpiredTokenException", "", BackOff),
        (
            403,
            "ExpiredTokenException",
            "The security token included in the request is expired",
            Renew,
        ),
        (404, "ResourceNotFoundException", "", End),
        (400, "ValidationException", "The provided model identifier is invalid.", End),
        (400, "ServiceQuotaExceededException", "", BackOff),
        (400, "ValidationException", "Invalid input request, please fix", RenewWithoutHistory),
        (400, "ValidationException", "System instability detected. Please retry", Renew),
        (408, "ModelTimeoutException", "", Renew),
        (424, "ModelErrorException", "", BackOff),
        (429, "ThrottlingException", "Too many requests", BackOff),
        (429, "ModelNotReadyException", "", BackOff),
        (500, "InternalServerException", "", BackOff),
        (503, "ServiceUnavailableException", "", BackOff),
        // As other front ends spell it.
        (429, "com.amazon.coral.service#ThrottlingException:http://internal/", "", BackOff),
        (403, "com.amazon.coral.service#UnrecognizedClientException", "", End),
        // Without a code that is known, the status decides.
        (400, "", "", RenewWithoutHistory),
        (401, "", "", End),
        (403, "", "", End),
        (403, "SomethingNewException", "", End),
        (404, "", "", End),
        (408, "", "", Renew),
        (429, "", "", BackOff),
        (500, "", "", BackOff),
        (502, "", "<html>", BackOff),
        (504, "", "", BackOff),
    ];
    for (status, code, message, expected) in rows {
        let fault = opening(status, code, message);
        assert_eq!(remedy(&fault), expected, "{fault}");
    }
    let unanswered = Fault::Opening { status: None, code: String::new(), message: String::new() };
    assert_eq!(remedy(&unanswered), BackOff);
}

#[test]
fn each_exception_on_an_open_connection_has_its_remedy() {
    let rows = [
        ("internalServerException", "", Renew),
        ("modelStreamErrorException", "The system encountered an unexpected error", Renew),
        ("modelTimeoutException", "Model has timed out in processing the request. Try", Renew),
        ("serviceUnavailableException", "", BackOff),
        ("throttlingException", "Too many tokens per day, please wait before", BackOff),
        ("serviceQuotaExceededException", "", BackOff),
        ("modelNotReadyException", "", BackOff),
        ("modelErrorException", "", Renew),
        ("accessDeniedException", "", End),
        ("expiredTokenException", "", Renew),
        ("somethingNewException", "", Renew),
        ("", "", Renew),
    ];
    for (code, message, expected) in rows {
        let fault = exception(code, message);
        assert_eq!(remedy(&fault), expected, "{fault}");
    }
}

#[test]
fn each_text_of_a_validation_exception_has_its_remedy() {
    let rows = [
        ("System instability detected. Please retry your request.", Renew),
        ("InternalErrorCode=531::RST_STREAM closed stream. HTTP/2 error code: NO_ERROR", Renew),
        (
            "(InternalErrorCode=532::) Timed out waiting for audio bytes or interactive content. \
             Please ensure gaps between audio bytes and interactive content are less than 55 seconds",
            Renew,
        ),
        ("Timed out waiting for audio bytes (295 seconds)", Renew),
        ("Timed out waiting for input events", Renew),
        ("Tool Response parsing error", Renew),
        ("Tool result media type must be one of: [text/plain]", Renew),
        ("This request has been blocked by our content filters.", TellUser),
        ("Received invalid voiceId: value must not be empty", End),
        ("Malformed input request: #/toolConfig/tools/0/toolSpec/name: string [a.b] does not", End),
        ("Chat history is over max limit. Trim chat history and try again.", RenewWithoutHistory),
        ("First message in chat history should not be Assistant.", RenewWithoutHistory),
        ("Chat history should be sent completely before streaming audio.", RenewWithoutHistory),
        ("First content must have SYSTEM role", RenewWithoutHistory),
        (
            "Duplicate SYSTEM content. SYSTEM content can only be provided once per prompt",
            RenewWithoutHistory,
        ),
        ("All contents must be closed before ending prompt", RenewWithoutHistory),
        ("Cannot end content [c-3] as no content data was received", RenewWithoutHistory),
        ("Prompt p must have at least one audio content", RenewWithoutHistory),
        ("Unable to parse input chunk", RenewWithoutHistory),
        ("Invalid input request, please fix your input and try again.", RenewWithoutHistory),
        ("a text that nobody has seen yet", RenewWithoutHistory),
    ];
    for (text, expected) in rows {
        // As the service wraps some of them.
        let wrapped = format!("RequestId=1b2c : Error(s):\nError 1 : {text}");
        for message in [text, &wrapped] {
            assert_eq!(remedy(&exception("validationException", message)), expected, "{message}");
        }
    }
}

#[test]
fn faults_of_our_side_of_the_wire_have_their_remedies() {
    let silent = |what| Fault::Silent { waited: Duration::from_secs(8), what };
    let message = || "h2 reset".to_owned();
    let rows = [
        (Fault::Transport { message: message() }, Renew),
        (Fault::Ended, Renew),
        (silent(Silence::Open), Renew),
        (silent(Silence::FirstEvent), Renew),
        (silent(Silence::Stall), Renew),
        (Fault::Malformed { message: message() }, Renew),
        (Fault::Credentials { message: message() }, BackOff),
        (Fault::Busy, BackOff),
    ];
    for (fault, expected) in rows {
        assert_eq!(remedy(&fault), expected, "{fault}");
    }
}

#[test]
fn attempts_are_spread_and_never_wait_longer_than_ten_seconds() {
    let longest: Vec<u64> = (0..8).map(|attempt| delay(attempt, 1.0).as_secs()).collect();
    assert_eq!(longest, [0, 0, 1, 3, 7, 10, 10, 10]);
    assert_eq!(delay(3, 0.0), Duration::from_millis(1_500));
    assert_eq!(delay(u32::MAX, 1.0), Duration::from_secs(10));
    // What comes from outside may be anything.
    for (whim, as_if) in [(-3.0, 0.0), (7.0, 1.0), (f32::NAN, 0.0)] {
        assert_eq!(delay(4, whim), delay(4, as_if));
    }
}

#[test]
fn a_fault_says_what_happened_and_what_to_do() {
    let rows = [
        (
            opening(403, "AccessDeniedException", "You don't have access."),
            "the service refused the connection: AccessDeniedException: You don't have access. (HTTP 403); \
             grant bedrock:InvokeModel",
        ),
        (opening(502, "", ""), "the service refused the connection (HTTP 502); it is opened again"),
        (opening(404, "ResourceNotFoundException", ""), "check nova_sonic.model"),
        (opening(403, "InvalidSignatureException", ""), "clock is wrong"),
        (
            exception("throttlingException", "Slow down"),
            "the service ended the connection: throttlingException: Slow down; lower \
             nova_sonic.sessions_max",
        ),
        (exception("validationException", "Invalid input request"), "without the history"),
        (exception("validationException", "Received invalid voiceId: x"), "nova_sonic section"),
        (
            Fault::Silent { waited: Duration::from_millis(10_040), what: Silence::Open },
            "the service has not accepted the connection after 10.0 s; it is opened again",
        ),
        (Fault::Credentials { message: "none found".to_owned() }, "aws sts get-caller-identity"),
        (Fault::Busy, "raise nova_sonic.sessions_max"),
    ];
    for (fault, expected) in rows {
        let said = fault.to_string();
        assert!(said.contains(expected), "{said:?} should contain {expected:?}");
    }
}

#[test]
fn texts_of_the_service_become_one_bounded_line() {
    assert_eq!(clipped("  a\nb\u{7}c "), "a b c");
    let long = clipped(&"é".repeat(10_000));
    assert_eq!(long.chars().count(), FAULT_TEXT_CHARS_MAX + 1);
    assert!(long.ends_with('…'));
}
