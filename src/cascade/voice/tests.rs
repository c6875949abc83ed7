use super::*;

#[test]
fn samples_do_not_depend_on_where_their_bytes_are_cut() {
    let pcm: Vec<i16> = (0..50).map(|at| at * 641 - 16_000).collect();
    let bytes: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    for length in 1..=bytes.len() {
        let mut samples = Samples::new();
        let read: Vec<i16> = bytes.chunks(length).flat_map(|piece| samples.push(piece)).collect();
        assert_eq!(read, pcm, "in pieces of {length}");
    }
    let mut samples = Samples::new();
    assert_eq!(samples.push(&[1]), [] as [i16; 0]);
    assert_eq!(samples.push(&[]), [] as [i16; 0]);
    assert_eq!(samples.push(&[1]), [257]);
}

#[test]
fn base64_is_read_with_and_without_its_padding() {
    let read = |text: &str| bytes_of(Some(&Value::from(text)));
    assert_eq!(read("AQI="), Ok(vec![1, 2]));
    assert_eq!(read("AQI"), Ok(vec![1, 2]));
    assert_eq!(read("A*I"), Err(VoiceError::Unreadable));
    assert_eq!(bytes_of(Some(&Value::Null)), Ok(Vec::new()));
    assert_eq!(bytes_of(Some(&Value::from(3))), Err(VoiceError::Unreadable));
}

#[test]
fn a_word_needs_letters_and_times() {
    assert_eq!(word(" ", 0.0, 1.0), None);
    assert_eq!(word("a", -1.0, 1.0), None);
    assert_eq!(word("a", 0.0, f64::NAN), None);
    assert_eq!(word("a", 0.0, 1e300), None);
    let ms = Duration::from_millis;
    let said = WordTime { text: "a".to_owned(), start: ms(500), end: ms(750) };
    assert_eq!(word(" a ", 0.5, 0.75), Some(said));
}

#[test]
fn an_error_is_short_and_on_one_line() {
    let error = serde_json::json!({"message": "a\nb", "title": "x".repeat(1_000)});
    assert_eq!(message_of(&error, &["none", "message"]), "a b");
    assert_eq!(message_of(&error, &["title"]).len(), MODEL_ERROR_CHARS_MAX);
    assert_eq!(message_of(&error, &["none"]), "no reason was given");
}
