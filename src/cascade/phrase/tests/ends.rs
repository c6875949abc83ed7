//! Where phrases end, by what stands there and by script.

use super::*;

#[test]
fn the_first_phrase_is_short_and_later_ones_are_not() {
    check(&[
        ("Sure. I can do that.", &["Sure.", "I can do that."]),
        ("Well, yes, of course we can.", &["Well, yes, of course we can."]),
        ("In the meantime, wait here.", &["In the meantime,", "wait here."]),
        ("As I do, so do you.", &["As I do,", "so do you."]),
        ("There are three: one, two, three.", &["There are three:", "one, two, three."]),
        ("It is late; we go.", &["It is late;", "we go."]),
        ("That is fine - go on.", &["That is fine -", "go on."]),
        ("That is fine – go on.", &["That is fine –", "go on."]),
        ("That is fine—go on.", &["That is fine—", "go on."]),
        ("That is well-known to me.", &["That is well-known to me."]),
        (
            "Yes. On the other hand, it is. So. And so on. And that is all.",
            &["Yes.", "On the other hand, it is.", "So. And so on. And that is all."],
        ),
        ("Pages 10–20 and 30 - 2 of them.", &["Pages 10–20 and 30 - 2 of them."]),
        ("On the evening of March 3, 2024, it.", &["On the evening of March 3, 2024,", "it."]),
    ]);
}

#[test]
fn long_sentences_are_cut_at_commas_and_endless_ones_between_words() {
    let long = "Yes. ".to_owned() + &"word ".repeat(19) + "word, " + &"more ".repeat(10);
    assert_eq!(whole(&long)[1].len(), 100);
    let words = "word ".repeat(200);
    let phrases = whole(&words);
    assert_eq!(phrases[0].len(), SENTENCE_CHARS_MAX - 1);
    assert!(phrases.iter().all(|phrase| phrase.ends_with("word")), "{phrases:?}");
    let endless = "x".repeat(3 * SENTENCE_CHARS_MAX);
    assert_eq!(whole(&endless), vec!["x".repeat(SENTENCE_CHARS_MAX); 3]);
    let tail = format!("ab {}", "x".repeat(SENTENCE_CHARS_MAX));
    assert_eq!(whole(&tail), ["ab".to_owned(), "x".repeat(SENTENCE_CHARS_MAX)]);
}

#[test]
fn abbreviations_end_nothing() {
    check(&[
        (
            "Mr. and Mrs. Smith see Dr. Who and Prof. X.",
            &["Mr. and Mrs. Smith see Dr. Who and Prof. X."],
        ),
        ("Use fruit, e.g. apples.", &["Use fruit, e.g. apples."]),
        ("That is fruit (i.e. food). It is.", &["That is fruit (i.e. food).", "It is."]),
        ("That is fruit, e.g., an apple.", &["That is fruit,", "e.g., an apple."]),
        ("Apples, pears etc. are fruit.", &["Apples, pears etc. are fruit."]),
        ("It has pears etc. Apples too.", &["It has pears etc.", "Apples too."]),
        ("Take No. 5 now.", &["Take No. 5 now."]),
        ("No. That is wrong.", &["No.", "That is wrong."]),
        (
            "Us vs. them on St. James St. in approx. five.",
            &["Us vs. them on St. James St. in approx. five."],
        ),
        ("It opens at 9 a.m. on Monday.", &["It opens at 9 a.m. on Monday."]),
        ("It opens at 9 p.m. Come early.", &["It opens at 9 p.m.", "Come early."]),
        (
            "The U.S. Army, J. K. Rowling and J.R.R. Tolkien.",
            &["The U.S. Army,", "J. K. Rowling and J.R.R. Tolkien."],
        ),
        (
            "Mit Obst, z. B. Äpfeln, usw. und Dr. Ed.",
            &["Mit Obst, z. B. Äpfeln,", "usw. und Dr. Ed."],
        ),
        ("So say I. And you.", &["So say I.", "And you."]),
        ("She has a Ph.D. in it.", &["She has a Ph.D. in it."]),
    ]);
}

#[test]
fn numbers_addresses_and_names_of_files_are_whole() {
    check(&[
        ("It is $3.50 or 1,000.5 or 12.5%. Yes.", &["It is $3.50 or 1,000.5 or 12.5%.", "Yes."]),
        ("It is at 10:30. Yes.", &["It is at 10:30.", "Yes."]),
        ("Take version 1.2.3. Yes.", &["Take version 1.2.3.", "Yes."]),
        ("There are 42. Yes.", &["There are 42.", "Yes."]),
        ("Am 3. und 4. sind wir zu.", &["Am 3. und 4. sind wir zu."]),
        ("1. First thing. Yes.", &["1. First thing.", "Yes."]),
        ("1. One\n2. Two\n", &["1. One", "2. Two"]),
        ("10) Ten\n(2) Two", &["10) Ten", "(2) Two"]),
        (
            "See https://a.example/b_c/?d=e,f;g:h!i#j. Then go.",
            &["See https://a.example/b_c/?d=e,f;g:h!i#j.", "Then go."],
        ),
        ("Write to a.b_c@d.example. Then go.", &["Write to a.b_c@d.example.", "Then go."]),
        ("Open main.rs or .gitignore, please.", &["Open main.rs or .gitignore,", "please."]),
        ("Ask example.com? Yes.", &["Ask example.com?", "Yes."]),
    ]);
}

#[test]
fn marks_in_a_row_and_what_closes_behind_them_stay_together() {
    check(&[
        ("What?! No.", &["What?!", "No."]),
        ("Well... I see.", &["Well...", "I see."]),
        ("Well... maybe not.", &["Well... maybe not."]),
        ("That is it… or is it?", &["That is it…", "or is it?"]),
        ("She said \"Go.\" Then he left.", &["She said \"Go.\"", "Then he left."]),
        ("“Go!” she said.", &["“Go!” she said."]),
        ("„Los.“ Dann ging er.", &["„Los.“", "Dann ging er."]),
        ("He said 'no.' and left.", &["He said 'no.' and left."]),
        ("(It is so.) Yes.", &["(It is so.)", "Yes."]),
        ("« Ça va ? » Oui.", &["« Ça va ?", "» Oui."]),
        ("Quoi ! Non.", &["Quoi !", "Non."]),
        ("Hello . World", &["Hello .", "World"]),
    ]);
}

#[test]
fn a_line_ends_a_phrase() {
    check(&[
        ("Title\n\nText", &["Title", "Text"]),
        ("One\r\nTwo\u{2028}Three", &["One", "Two", "Three"]),
        ("One \t  two\u{a0}three", &["One two three"]),
        ("Dr.\nWho", &["Dr.", "Who"]),
    ]);
}

#[test]
fn other_scripts_have_their_own_marks() {
    check(&[
        ("你好。我是小明。", &["你好。", "我是小明。"]),
        ("好的，我来。", &["好的，我来。"]),
        ("今天天气，很好。", &["今天天气，", "很好。"]),
        ("他说：“今天好。”然后走了。", &["他说：“今天好。”", "然后走了。"]),
        ("好。“你好。”", &["好。", "“你好。”"]),
        ("要3.5个，还是1，000个？", &["要3.5个，还是1，000个？"]),
        ("价格是3．5元。好", &["价格是3．5元。", "好"]),
        ("嗯……我想是的。", &["嗯……我想是的。"]),
        ("はい！そうですね、行きます。", &["はい！", "そうですね、行きます。"]),
        ("네. 알겠습니다.", &["네.", "알겠습니다."]),
        ("नमस्ते। आप कैसे हैं?", &["नमस्ते।", "आप कैसे हैं?"]),
        ("كيف حالك؟ أنا بخير.", &["كيف حالك؟", "أنا بخير."]),
        ("في هذا اليوم، نبدأ.", &["في هذا اليوم،", "نبدأ."]),
        ("یہ ہے۔ وہ", &["یہ ہے۔", "وہ"]),
        ("สวัสดีครับ ยินดีต้อนรับ", &["สวัสดีครับ ยินดีต้อนรับ"]),
        ("สวัสดีครับทุกคน ยินดีต้อนรับ", &["สวัสดีครับทุกคน", "ยินดีต้อนรับ"]),
        ("ราคาทั้งหมดคือ 50 บาท", &["ราคาทั้งหมดคือ 50 บาท"]),
        ("สวัสดีครับทุกคนต่าง ๆ กัน", &["สวัสดีครับทุกคนต่าง ๆ", "กัน"]),
        ("Привет, т.е. здравствуйте. Как дела?", &["Привет, т.е. здравствуйте.", "Как дела?"]),
        ("¿Qué tal? ¡Bien!", &["¿Qué tal?", "¡Bien!"]),
    ]);
    let thai = "สวัสดีครับ ".repeat(30);
    assert!(whole(&thai).iter().all(|phrase| phrase.chars().count() < 200), "{:?}", whole(&thai));
}

#[test]
fn no_sign_is_torn_apart() {
    // Each sign is put across the limit in turn.
    for sign in ["e\u{301}", "क्षि", "กำ", "เก", "각", "न\u{200d}य", "x\u{301}\u{302}\u{303}"]
    {
        let count = sign.chars().count();
        for before in SENTENCE_CHARS_MAX - count..=SENTENCE_CHARS_MAX {
            let text = "x".repeat(before) + sign + "xxx";
            let phrases = whole(&text);
            assert_eq!(phrases.concat(), text);
            let first = phrases[0].chars().count();
            assert!(first <= before || first >= before + count, "{sign:?}: cut at {first}");
        }
    }
    // Of a sign that is longer than a phrase, nothing is lost.
    let endless = "x".to_owned() + &"\u{301}".repeat(3 * SENTENCE_CHARS_MAX) + "y";
    assert_eq!(letters(&whole(&endless).concat()), "xy");
}
