//! What is markup, and what looks like it.

use super::*;

/// Each text, whole and in single characters.
#[track_caller]
fn check_both(rows: &[(&str, &[&str])]) {
    check(rows);
    for (text, expected) in rows {
        let pieces: Vec<String> = text.chars().map(String::from).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let phrases: Vec<String> = cut(&pieces).into_iter().filter(|it| it != "|").collect();
        assert_eq!(phrases, *expected, "{text:?} in characters");
    }
}

#[test]
fn emphasis_and_code_lose_their_marks() {
    check_both(&[
        ("A **bold** word", &["A bold word"]),
        ("An *italic* word", &["An italic word"]),
        ("A __bold__ and _italic_ word", &["A bold and italic word"]),
        ("A ***both*** word", &["A both word"]),
        ("**Bold and *italic* within**", &["Bold and italic within"]),
        ("**Note:** it is", &["Note: it is"]),
        ("这是**重点。**内容", &["这是重点。", "内容"]),
        ("A ~~gone~~ word", &["A gone word"]),
        ("Run `a_b*c*d` now", &["Run a_b*c*d now"]),
        ("Run ``a`b`` now", &["Run ab now"]),
        ("Run ```ls -l``` now", &["Run ls -l now"]),
        ("A \\*star\\*, C:\\dir", &["A *star*, C:\\dir"]),
        ("**Yes.** Then go.", &["Yes.", "Then go."]),
    ]);
}

#[test]
fn what_looks_like_markup_and_is_none_stays() {
    check_both(&[
        ("2 * 3 is 6, 2*3*4 is 24", &["2 * 3 is 6, 2*3*4 is 24"]),
        ("snake_case_name and _private", &["snake_case_name and _private"]),
        ("a < b and b > c", &["a < b and b > c"]),
        ("x<y and z>w", &["x<y and z>w"]),
        ("a Vec<String> of I <3 you", &["a Vec<String> of I <3 you"]),
        ("C# is #1 of #tags", &["C# is #1 of #tags"]),
        ("#1 is it", &["#1 is it"]),
        ("-5 degrees", &["-5 degrees"]),
        (">5 is more", &[">5 is more"]),
        ("a[0] and [sic] stay", &["a[0] and [sic] stay"]),
        ("[so] (it is)", &["[so] (it is)"]),
        ("[so](he said so)", &["[so](he said so)"]),
        ("an *open one", &["an *open one"]),
        ("an [open one", &["an [open one"]),
        ("an [open](http://a", &["an [open](http://a"]),
        ("an <a href=", &["an <a href="]),
        ("Wow! a ~5 b", &["Wow!", "a ~5 b"]),
        ("fill in ____ here", &["fill in ____ here"]),
        ("a | b", &["a | b"]),
    ]);
}

#[test]
fn links_are_their_text_and_images_are_nothing() {
    check_both(&[
        ("See [the page](https://a.example/b_(c)?d=e) now", &["See the page now"]),
        ("See [the **page**](a \"title. So\") now", &["See the page now"]),
        ("**[All](a) of it** is", &["All of it is"]),
        ("*a [b*](c) d*", &["a b* d"]),
        ("A ![picture of it](a.png) b", &["A b"]),
        ("A [![badge](a.svg)](b) c", &["A c"]),
        ("Yes![1] no", &["Yes![1] no"]),
        ("At <https://a.example/b> or <a@b.example>", &["At https://a.example/b or a@b.example"]),
    ]);
}

#[test]
fn tags_are_dropped() {
    check_both(&[
        ("A <b>bold</b>er <span class=\"x > y\">word</span>", &["A bolder word"]),
        ("<speak>So <prosody rate='slow'>slow</prosody> it is</speak>", &["So slow it is"]),
        ("Wait<break time=\"1s\"/>there", &["Wait", "there"]),
        ("One<br>two<br/>three", &["One", "two", "three"]),
        ("<p>One</p><p>Two</p>", &["One", "Two"]),
        ("A <!-- no > no --> b", &["A b"]),
        ("<!DOCTYPE html><?xml version=\"1\"?>So", &["So"]),
        ("<say-as interpret-as=\"date\">1 May</say-as>", &["1 May"]),
        ("<amazon:effect name=\"whispered\">So</amazon:effect>", &["So"]),
    ]);
}

#[test]
fn lines_lose_their_marks() {
    check_both(&[
        ("# Title\n## Second one\ntext", &["Title", "Second one", "text"]),
        ("- one\n* two\n+ three\n• four\n  - five", &["one", "two", "three", "four", "five"]),
        ("* **Bold** item\n- [Link](a)", &["Bold item", "Link"]),
        ("**Bold** line\n*it* too", &["Bold line", "it too"]),
        ("> quoted\n>\n> > twice", &["quoted", "twice"]),
        ("one\n---\ntwo\n***\nthree\n* * *\n___\nfour\n===", &["one", "two", "three", "four"]),
        (
            "| Name | Age |\n|:-----|----:|\n| Ann | 5 |\n| **Bo** | |",
            &["Name, Age", "Ann, 5", "Bo"],
        ),
        ("- \n\n#\n>\n|", &[]),
    ]);
}

#[test]
fn fenced_code_is_left_out() {
    check_both(&[
        ("So:\n```rust\nfn main() {}\n// So. It is.\n```\nDone.", &["So:", "Done."]),
        ("So:\n\n~~~\n```\ncode\n~~~\nDone.", &["So:", "Done."]),
        ("So: ```\ncode\n```\nDone.", &["So:", "Done."]),
        ("- so\n  ```\n  code\n  ```  \nDone.", &["so", "Done."]),
        ("````\n```\ncode\n````\nDone.", &["Done."]),
        ("So:\r\n```\r\ncode\r\n```\r\nDone.", &["So:", "Done."]),
        ("So:\n```\ncode that is never closed", &["So:"]),
        ("So:\n```rust", &["So:"]),
        ("Then ```a``` and ```b``` it\nis", &["Then a and b it", "is"]),
    ]);
}

#[test]
fn pictures_are_not_said() {
    check_both(&[
        ("Great! 😊 Go on.", &["Great!", "Go on."]),
        ("Great!😊Go on.", &["Great!", "Go on."]),
        ("Great 😊. Go on.", &["Great.", "Go on."]),
        ("A 👩‍👩‍👧 and 🇩🇪 and 👍🏽 and ❤️ b", &["A and and and b"]),
        ("1️⃣ First", &["1 First"]),
        ("😀😀", &[]),
        ("™ and → stay", &["™ and → stay"]),
    ]);
}
