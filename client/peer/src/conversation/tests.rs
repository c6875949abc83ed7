use super::*;

const FRAME: Duration = Duration::from_millis(20);
const MANNERS: Manners = Manners {
    sound_dbfs: -50.0,
    greeting_wait: Duration::from_millis(500),
    turn_gap: Duration::from_millis(700),
    reply_timeout: Duration::from_millis(2_000),
    interrupt_after: None,
    listen: Duration::ZERO,
};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A clip of `frames` frames, of which `speech` are speech. A frame has one sample here.
fn clip(frames: usize, speech: Option<std::ops::Range<usize>>) -> Utterance {
    Utterance::Clip(Clip { name: "a.wav".into(), samples: vec![7; frames], speech })
}

/// Runs a conversation in which the agent is audible in `sounds` (ms from, ms to). Returns it and
/// the end of the run.
fn run(
    manners: Manners,
    utterances: Vec<Utterance>,
    sounds: &[(u64, u64)],
) -> (Conversation, Duration) {
    let mut conversation = Conversation::new(manners, 1, utterances, Duration::ZERO);
    let mut now = Duration::ZERO;
    while !conversation.is_done() {
        assert!(now < ms(60_000), "no end: {:?}", conversation.phase);
        let loud = sounds.iter().any(|&(from, to)| (ms(from)..ms(to)).contains(&now));
        conversation.handle_heard(&Heard {
            arrived: now,
            position: now,
            length: FRAME,
            samples: 960,
            energy: if loud { 9.6 } else { 0.0 },
        });
        conversation.next_frame(now);
        now += FRAME;
    }
    (conversation, now)
}

/// `(first sound, last sound)` of a reply, in milliseconds.
fn ends(reply: Option<&Reply>) -> Option<(u64, u64)> {
    reply.map(|r| (r.first_sound_at.as_millis() as u64, r.last_sound_at.as_millis() as u64))
}

#[test]
fn a_turn_is_measured_from_speech_to_sound() {
    // Said at 500 ms: 10 frames, of which 2..8 are speech, the last of them sent at 640 ms.
    let (conversation, end) = run(MANNERS, vec![clip(10, Some(2..8))], &[(900, 1_900)]);
    let turn = &conversation.turns()[0];
    assert_eq!(turn.began_at, Some(ms(500)));
    assert_eq!(turn.speech_began_at, Some(ms(540)));
    assert_eq!(turn.speech_ended_at, Some(ms(640)));
    assert_eq!(ends(turn.reply.as_ref()), Some((900, 1_880)));
    assert_eq!(conversation.unprompted(), []);
    // Over 700 ms after the last sound, plus the frames in which that is noticed.
    assert!((ms(2_580)..=ms(2_640)).contains(&end), "{end:?}");
}

#[test]
fn the_greeting_is_waited_for_and_each_turn_waits_for_the_reply_before() {
    let (conversation, _) = run(
        MANNERS,
        vec![clip(10, Some(0..10)), clip(10, Some(0..10))],
        &[(300, 1_000), (2_100, 2_600), (3_900, 4_400)],
    );
    assert_eq!(ends(conversation.unprompted().first()), Some((300, 980)));
    let [first, second] = conversation.turns() else { panic!("two turns") };
    assert_eq!(first.began_at, Some(ms(1_680)));
    assert_eq!(ends(first.reply.as_ref()), Some((2_100, 2_580)));
    assert_eq!(second.began_at, Some(ms(3_280)));
    assert_eq!(ends(second.reply.as_ref()), Some((3_900, 4_380)));
}

#[test]
fn without_a_reply_the_next_turn_begins_after_the_timeout() {
    let (conversation, end) = run(MANNERS, vec![clip(5, Some(0..5)), clip(5, None)], &[]);
    assert_eq!(conversation.turns()[0].reply, None);
    assert_eq!(conversation.turns()[1].began_at, Some(ms(2_580)));
    assert_eq!(conversation.turns()[1].speech_ended_at, None);
    assert!(end > ms(4_660));
}

#[test]
fn an_interruption_is_spoken_over_the_reply_and_ends_it() {
    let manners = Manners { interrupt_after: Some(ms(400)), ..MANNERS };
    for (name, sounds, interrupted, answer) in [
        ("yields", &[(900, 1_500), (2_100, 2_500)][..], (900, 1_480), Some((2_100, 2_480))),
        ("a quick answer", &[(900, 1_500), (1_860, 2_500)], (900, 1_480), Some((1_860, 2_480))),
        ("a pause before it yields", &[(900, 1_320), (1_380, 1_440)], (900, 1_420), None),
        ("does not yield", &[(900, 3_500)], (900, 3_480), None),
    ] {
        let utterances = vec![clip(10, Some(0..10)), clip(10, Some(1..10))];
        let (conversation, _) = run(manners, utterances, sounds);
        let [first, second] = conversation.turns() else { panic!("two turns") };
        assert_eq!(first.interrupted_by, Some(1), "{name}");
        assert_eq!(second.speech_began_at, Some(ms(1_300)), "{name}");
        assert_eq!(ends(first.reply.as_ref()), Some(interrupted), "{name}");
        assert_eq!(ends(second.reply.as_ref()), answer, "{name}");
    }
}

#[test]
fn a_pause_shorter_than_the_gap_does_not_end_a_reply() {
    let (conversation, _) =
        run(MANNERS, vec![clip(10, Some(0..10))], &[(900, 1_200), (1_800, 2_000)]);
    let reply = conversation.turns()[0].reply.as_ref();
    assert_eq!(ends(reply), Some((900, 1_980)));
    assert_eq!(reply.unwrap().hole_count, 1);
}

#[test]
fn an_answer_that_begins_before_the_clip_ends_still_belongs_to_it() {
    let (conversation, _) = run(MANNERS, vec![clip(50, Some(0..50))], &[(1_000, 2_000)]);
    assert_eq!(ends(conversation.turns()[0].reply.as_ref()), Some((1_000, 1_980)));
}

#[test]
fn an_answer_into_a_pause_of_the_caller_is_not_the_answer() {
    // Said from 500 ms, 100 frames: the last packet with speech leaves at 2 480 ms.
    for (name, sounds, premature, answer) in [
        ("long before the end", &[(1_000, 1_100), (2_700, 3_000)][..], 1, (2_700, 2_980)),
        ("shortly before the end", &[(2_200, 2_300), (2_700, 3_000)], 1, (2_700, 2_980)),
        ("twice", &[(1_000, 1_100), (1_900, 2_000), (2_700, 3_000)], 2, (2_700, 2_980)),
        ("late answer", &[(2_200, 2_300), (4_000, 4_300)], 1, (4_000, 4_280)),
    ] {
        let (conversation, _) = run(MANNERS, vec![clip(100, Some(0..100))], sounds);
        let turn = &conversation.turns()[0];
        assert_eq!(turn.premature.len(), premature, "{name}");
        assert_eq!(ends(turn.reply.as_ref()), Some(answer), "{name}");
        assert_eq!(conversation.unprompted(), [], "{name}");
    }
}

#[test]
fn an_answer_into_a_pause_of_an_interruption_is_not_the_interrupted_reply() {
    let manners = Manners { interrupt_after: Some(ms(400)), ..MANNERS };
    let utterances = vec![clip(10, Some(0..10)), clip(100, Some(0..100))];
    let sounds = [(900, 1_420), (1_800, 1_900), (3_600, 3_900)];
    let (conversation, _) = run(manners, utterances, &sounds);
    let [first, second] = conversation.turns() else { panic!("two turns") };
    assert_eq!(ends(first.reply.as_ref()), Some((900, 1_400)));
    assert_eq!(second.premature.len(), 1);
    assert_eq!(ends(second.reply.as_ref()), Some((3_600, 3_880)));
}

#[test]
fn an_answer_during_the_silence_at_the_end_of_a_clip_is_the_answer() {
    // The last packet with speech leaves at 680 ms, the clip goes on until 3 500 ms.
    let (conversation, end) = run(MANNERS, vec![clip(150, Some(0..10))], &[(900, 1_200)]);
    assert_eq!(ends(conversation.turns()[0].reply.as_ref()), Some((900, 1_180)));
    assert_eq!(conversation.turns()[0].premature, []);
    assert!((ms(3_480)..ms(3_600)).contains(&end), "{end:?}");
}

#[test]
fn a_text_is_sent_and_its_answer_measured_from_there() {
    let mut conversation =
        Conversation::new(MANNERS, 1, vec![Utterance::Text("hello".into())], ms(0));
    conversation.next_frame(ms(500));
    assert_eq!(conversation.poll_output(), Some(Output::Progress(Progress::Saying(0))));
    assert_eq!(conversation.poll_output(), Some(Output::SendText("hello".into())));
    assert_eq!(conversation.turns()[0].speech_ended_at, Some(ms(500)));
}

#[test]
fn with_nothing_to_say_it_only_listens() {
    let manners = Manners { greeting_wait: ms(0), listen: ms(3_000), ..MANNERS };
    let (conversation, end) = run(manners, vec![], &[(1_000, 1_500)]);
    assert_eq!(ends(conversation.unprompted().first()), Some((1_000, 1_480)));
    assert!((ms(3_000)..ms(3_100)).contains(&end), "{end:?}");
}

#[test]
fn ending_early_keeps_what_was_heard() {
    let mut conversation = Conversation::new(MANNERS, 1, vec![], ms(0));
    let heard = Heard { arrived: ms(5), position: ms(5), length: FRAME, samples: 960, energy: 9.6 };
    conversation.handle_heard(&heard);
    conversation.end(ms(25));
    assert!(conversation.is_done());
    assert_eq!(conversation.unprompted().len(), 1);
}
