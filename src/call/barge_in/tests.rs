use super::*;
use crate::call::event::EchoEvidence;

/// One character per frame: `v` voice, `.` silence, `l` voice that may be echo, `s` the same while the echo is
/// still searched for, `e` certain echo, `c` concealed voice, `q` low voice, `p` voice while the reply may not be interrupted.
fn step(judge: &mut BargeIn, kind: char, index: usize) -> Finding {
    let echo = match kind {
        'l' | 's' => EchoVerdict::Likely,
        'e' => EchoVerdict::Certain,
        _ => EchoVerdict::Clear,
    };
    judge.step(&frame(kind, index), echo, kind != 'p')
}

fn frame(kind: char, index: usize) -> FrameFeatures {
    FrameFeatures {
        at: SessionTime::from_millis(20 * (index as u64 + 1)),
        voice: if kind == '.' { 0.0 } else { 0.9 },
        level_dbfs: if kind == 'q' { -35.0 } else { -20.0 },
        pitch_hz: None,
        echo: EchoEvidence {
            canceller: if kind == 's' { Canceller::Searching } else { Canceller::Off },
            delay: (kind != 's').then_some(Duration::from_millis(200)),
            ..EchoEvidence::NONE
        },
        concealed: kind == 'c',
    }
}

/// `v12.5` is twelve voiced frames and five silent ones.
fn expand(pattern: &str) -> String {
    let mut frames = String::new();
    let mut chars = pattern.chars().peekable();
    while let Some(kind) = chars.next() {
        let mut count = String::new();
        while let Some(digit) = chars.next_if(char::is_ascii_digit) {
            count.push(digit);
        }
        frames.extend(std::iter::repeat_n(kind, count.parse().unwrap_or(1)));
    }
    frames
}

/// A turn of the user, 400 ms long.
fn turn(judge: &mut BargeIn, kind: char) {
    for index in 0..20 {
        judge.note_turn_frame(&frame(kind, index));
    }
    judge.learn_level();
}

/// The findings, each with the number of frames heard until then, to the first commit.
fn findings(judge: &mut BargeIn, pattern: &str) -> String {
    let mut found = Vec::new();
    for (index, kind) in expand(pattern).chars().enumerate() {
        let frames = index + 1;
        match step(judge, kind, index) {
            Finding::Nothing => {}
            Finding::Suspect { first } => {
                found.push(format!("suspect@{frames} from {}", first.as_millis() / 20));
            }
            Finding::Confirm => found.push(format!("confirm@{frames}")),
            Finding::Commit => {
                found.push(format!("commit@{frames}"));
                break;
            }
            Finding::Dismiss => found.push(format!("dismiss@{frames}")),
        }
    }
    found.join(", ")
}

/// The tables count in frames: 400 ms of voice are 20 of them.
fn judge(settings: InterruptionSettings) -> BargeIn {
    let settings = InterruptionSettings { commit: Duration::from_millis(400), ..settings };
    BargeIn::new(settings, SpeechSettings::default())
}

#[test]
fn the_stages_follow_the_voice_as_the_table_says() {
    for (pattern, expected, why) in [
        (".50", "", "silence"),
        ("..v30", "suspect@3 from 2, confirm@8, commit@22", "an interruption"),
        ("v1.9", "suspect@1 from 0, dismiss@6", "a click"),
        ("v4.9", "suspect@1 from 0, dismiss@9", "a cough"),
        ("v15.9.1", "suspect@1 from 0, confirm@6, dismiss@25", "a backchannel: the agent plays on"),
        (
            "v10.5v12",
            "suspect@1 from 0, confirm@6, commit@25",
            "a pause within speech counts as nothing",
        ),
        (
            "v10.9v10",
            "suspect@1 from 0, confirm@6, commit@29",
            "so does a longer one below the limit",
        ),
        ("l4.9", "", "a little that may be echo is not suspected"),
        ("l8.9", "suspect@5 from 0, dismiss@13", "more of it is"),
        ("l11v15", "suspect@5 from 0, confirm@12, commit@26", "it counts half"),
        ("s50", "", "not while it is being found out whether there is an echo"),
        ("s16v10", "suspect@17 from 0, confirm@18, commit@20", "but it was the user all the time"),
        ("e50", "", "the agent's own voice is never suspected"),
        ("v2e50", "suspect@1 from 0, dismiss@12", "nor does it carry an attempt on"),
        ("v10e15v10", "suspect@1 from 0, confirm@6, commit@35", "and a pause under it counts half"),
        ("c50", "", "concealment is not suspected"),
        ("p10v30", "suspect@11 from 0, confirm@12, commit@20", "what was protected is remembered"),
    ] {
        assert_eq!(
            findings(&mut judge(InterruptionSettings::default()), pattern),
            expected,
            "{why}"
        );
    }
}

#[test]
fn low_speech_has_to_last_longer() {
    let mut low = judge(InterruptionSettings::default());
    assert_eq!(
        findings(&mut low, "q30"),
        "suspect@1 from 0, confirm@6, commit@20",
        "not known yet"
    );
    turn(&mut low, 'v');
    assert_eq!(findings(&mut low, "q40"), "suspect@1 from 0, confirm@6, commit@35");
    for _ in 0..10 {
        turn(&mut low, 'q');
    }
    assert_eq!(findings(&mut low, "q30"), "suspect@1 from 0, confirm@6, commit@20", "it is usual");
}

#[test]
fn words_decide_before_length_does() {
    let heard = |policy, text: &str| {
        let mut judge = judge(InterruptionSettings { policy, ..InterruptionSettings::default() });
        findings(&mut judge, "v8");
        (judge.transcribed(text, true), findings(&mut judge, "v22"))
    };
    let staged = InterruptionPolicy::Staged;
    assert_eq!(heard(staged, "stop").0, Finding::Commit);
    assert_eq!(
        heard(staged, "Yeah, right."),
        (Finding::Nothing, String::new()),
        "not by 600 ms of it"
    );
    assert_eq!(heard(staged, "Yeah, but").0, Finding::Commit);
    assert_eq!(heard(staged, " "), (Finding::Nothing, "commit@12".to_owned()));
    let words = InterruptionPolicy::Words(2);
    assert_eq!(heard(words, "stop"), (Finding::Nothing, String::new()));
    assert_eq!(heard(words, "stop it").0, Finding::Commit);
}

#[test]
fn a_word_that_may_be_revised_counts_when_it_stays() {
    let heard = |texts: [&str; 2]| {
        let mut judge = judge(InterruptionSettings::default());
        findings(&mut judge, "v8");
        texts.map(|text| judge.transcribed(text, false))
    };
    assert_eq!(heard(["stop", "stop"]), [Finding::Nothing, Finding::Commit]);
    assert_eq!(heard(["but", "mhm"]), [Finding::Nothing; 2]);
    assert_eq!(heard(["I meant", ""])[0], Finding::Commit, "two are not made of one sound");
    let commits = |policy, after: &str| {
        let mut judge = judge(InterruptionSettings { policy, ..InterruptionSettings::default() });
        findings(&mut judge, "v10");
        assert_eq!(judge.transcribed("stop", false), Finding::Nothing);
        findings(&mut judge, after)
    };
    assert_eq!(commits(InterruptionPolicy::Staged, ".20"), "commit@20", "nobody took it back");
    assert_eq!(commits(InterruptionPolicy::Staged, "v20"), "commit@6");
    assert!(commits(InterruptionPolicy::Words(1), ".60").starts_with("commit@"));
}

#[test]
fn where_only_words_commit_they_are_waited_for() {
    let policy = InterruptionPolicy::Words(1);
    let mut judge = judge(InterruptionSettings { policy, ..InterruptionSettings::default() });
    assert_eq!(findings(&mut judge, "v50.39"), "suspect@1 from 0, confirm@6");
    assert_eq!(judge.transcribed("no", true), Finding::Commit);
    assert_eq!(findings(&mut judge, "v50.41"), "suspect@1 from 0, confirm@6, dismiss@90");
}

#[test]
fn the_rest_of_a_turn_that_was_cut_is_no_backchannel() {
    let mut judge = judge(InterruptionSettings::default());
    judge.expect_more();
    assert_eq!(findings(&mut judge, "v9.9"), "suspect@1 from 0, confirm@2, commit@3");
    judge.expect_more();
    assert_eq!(findings(&mut judge, "..v9.10"), "suspect@3 from 2, confirm@8, dismiss@21");
}

#[test]
fn the_immediate_policy_commits_at_believed_speech() {
    let policy = InterruptionPolicy::Immediate;
    let mut judge = judge(InterruptionSettings { policy, ..InterruptionSettings::default() });
    assert_eq!(findings(&mut judge, "..v2.9v5"), "commit@16");
}

#[test]
fn a_decision_made_elsewhere_ends_the_attempt() {
    let mut judge = judge(InterruptionSettings::default());
    findings(&mut judge, "v8");
    assert!(judge.is_listening());
    judge.reset();
    assert!(!judge.is_listening());
    assert_eq!(findings(&mut judge, "v1"), "suspect@1 from 0");
}
