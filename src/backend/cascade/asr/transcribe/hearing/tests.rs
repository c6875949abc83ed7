use super::*;
use crate::limits::TRANSCRIPTS_AWAITED_MAX;

const TURN: TurnId = TurnId(1);
const GENERATION: Generation = Generation(1);

struct Bench {
    hearing: Hearing,
    now: SessionTime,
}

impl Bench {
    fn new() -> Self {
        let patience = Patience { answer: Duration::from_secs(3), idle: Duration::from_secs(10) };
        Self { hearing: Hearing::new(patience), now: SessionTime::ZERO }
    }

    fn ask(&mut self, ask: Ask) -> Vec<HearingAct> {
        self.hearing.handle_ask(self.now, ask);
        self.acts()
    }

    fn stream(&mut self, event: StreamEvent) -> Vec<HearingAct> {
        self.hearing.handle_stream(self.now, event);
        self.acts()
    }

    fn acts(&mut self) -> Vec<HearingAct> {
        std::iter::from_fn(|| self.hearing.poll_act()).collect()
    }

    /// A turn that begins, on a stream that opens.
    fn start(&mut self, n: u32) -> Vec<HearingAct> {
        let acts = self.ask(Ask::Start(TurnId(n)));
        self.stream(StreamEvent::Opened);
        acts
    }

    fn say(&mut self, frames: usize) -> usize {
        let frame = || Ask::Frame(Box::new(PcmFrame([1_000; WIDEBAND_FRAME])));
        (0..frames).map(|_| sent(&self.ask(frame()))).sum()
    }

    fn end(&mut self, n: u32) -> Vec<HearingAct> {
        self.ask(Ask::End { turn: TurnId(n), generation: Generation(n) })
    }

    /// Lets time pass until the next thing is to be done.
    fn wait(&mut self) -> Vec<HearingAct> {
        self.now = self.now.max(self.hearing.poll_timeout().expect("something is waited for"));
        self.hearing.handle_timeout(self.now);
        self.acts()
    }

    /// Lets time pass until something is told.
    fn wait_for_report(&mut self) -> (AsrReport, usize) {
        let mut samples = 0;
        for _ in 0..1_000 {
            let acts = self.wait();
            samples += sent(&acts);
            if let Some(report) = reports(&acts).pop() {
                return (report, samples);
            }
        }
        panic!("nothing was told: {:?}", self.hearing);
    }
}

fn sent(acts: &[HearingAct]) -> usize {
    let samples = |act: &HearingAct| if let HearingAct::Send(pcm) = act { pcm.len() } else { 0 };
    acts.iter().map(samples).sum()
}

fn reports(acts: &[HearingAct]) -> Vec<AsrReport> {
    let report = |act: &HearingAct| match act {
        HearingAct::Report(report) => Some(report.clone()),
        _ => None,
    };
    acts.iter().filter_map(report).collect()
}

fn heard(results: &[(&str, u64, u64, &str, bool)]) -> StreamEvent {
    let segment = |&(id, start_ms, end_ms, text, is_final): &(&str, u64, u64, &str, bool)| {
        Segment { id: id.to_owned(), start_ms, end_ms, text: text.to_owned(), is_final }
    };
    StreamEvent::Heard(results.iter().map(segment).collect())
}

fn lost(kind: FailureKind) -> StreamEvent {
    StreamEvent::Lost(StageError::new(kind, "it was lost"))
}

fn final_of(n: u32, text: &str) -> AsrReport {
    let (turn, generation) = (TurnId(n), Generation(n));
    AsrReport::Final { turn, generation, text: text.to_owned() }
}

#[test]
fn audio_goes_up_in_chunks_before_the_stream_is_open() {
    let mut bench = Bench::new();
    assert_eq!(bench.ask(Ask::Start(TURN)), [HearingAct::Open]);
    assert_eq!(bench.say(4), 0);
    assert_eq!(bench.say(1), CHUNK);
    assert_eq!(bench.say(7), CHUNK);
    // The rest with the end.
    assert_eq!(sent(&bench.end(1)), 2 * WIDEBAND_FRAME);
}

#[test]
fn results_replace_each_other_and_each_change_is_told() {
    let mut bench = Bench::new();
    bench.start(1);
    bench.say(50);
    let partial = |text: &str| vec![AsrReport::Partial { turn: TURN, text: text.to_owned() }];
    let acts = bench.stream(heard(&[("a", 0, 300, "what", false)]));
    assert_eq!(reports(&acts), partial("what"));
    let acts = bench.stream(heard(&[("a", 0, 500, "what", false)]));
    assert_eq!(reports(&acts), [], "it did not change");
    let acts =
        bench.stream(heard(&[("a", 0, 600, "What time", true), ("b", 700, 900, "is", false)]));
    assert_eq!(reports(&acts), partial("What time is"));
    let acts = bench.ask(Ask::Peek { turn: TURN, generation: GENERATION });
    let text = "What time is".to_owned();
    assert_eq!(reports(&acts), [AsrReport::Likely { turn: TURN, generation: GENERATION, text }]);
}

#[test]
fn after_the_end_silence_follows_until_all_is_final() {
    let mut bench = Bench::new();
    bench.start(1);
    bench.say(50);
    bench.stream(heard(&[("a", 0, 900, "What time", false)]));
    assert_eq!(reports(&bench.end(1)), []);
    assert_eq!((sent(&bench.wait()), sent(&bench.wait())), (CHUNK, CHUNK));
    assert!(bench.now.as_millis() < 100, "faster than time");
    let acts = bench.stream(heard(&[("a", 0, 990, "What time is it?", true)]));
    assert_eq!(reports(&acts), [final_of(1, "What time is it?")]);
    // The stream is kept for the next turn, and then closed.
    assert_eq!(bench.wait(), [HearingAct::Close]);
    assert_eq!(bench.now.as_millis() / 1_000, 10);
}

#[test]
fn a_final_result_of_the_first_half_is_not_the_end() {
    let mut bench = Bench::new();
    bench.start(1);
    bench.say(100);
    bench.stream(heard(&[("a", 0, 700, "Hello.", true)]));
    assert_eq!(reports(&bench.end(1)), []);
    let acts = bench.stream(heard(&[("b", 1_200, 1_900, "How are you?", true)]));
    assert_eq!(reports(&acts), [final_of(1, "Hello. How are you?")]);
}

#[test]
fn a_turn_without_words_is_over_when_nothing_more_comes() {
    let mut bench = Bench::new();
    bench.start(1);
    bench.say(20);
    bench.end(1);
    let (report, samples) = bench.wait_for_report();
    assert_eq!(report, final_of(1, ""));
    assert!(samples >= 10 * CHUNK, "{samples}");
    assert_eq!(bench.now.as_millis(), 1_000);
}

#[test]
fn what_is_known_when_time_is_up_counts() {
    let mut bench = Bench::new();
    bench.start(1);
    bench.say(50);
    bench.stream(heard(&[("a", 0, 900, "What time", false)]));
    bench.end(1);
    assert_eq!(bench.wait_for_report().0, final_of(1, "What time"));
    assert_eq!(bench.now.as_millis(), 3_000);
    // Its last result is still to come: the next turn has another stream.
    assert_eq!(bench.start(2), [HearingAct::Open]);
}

#[test]
fn results_of_the_turn_before_are_not_heard_again() {
    let mut bench = Bench::new();
    bench.start(1);
    bench.say(50);
    bench.end(1);
    bench.stream(heard(&[("a", 0, 990, "Yes.", true)]));
    assert_eq!(bench.ask(Ask::Start(TurnId(2))), [], "the stream is still there");
    assert_eq!(bench.stream(heard(&[("a", 0, 990, "Yes.", true)])), []);
    bench.say(50);
    bench.end(2);
    let acts = bench.stream(heard(&[("b", 1_100, 1_990, "No.", true)]));
    assert_eq!(reports(&acts), [final_of(2, "No.")]);
}

#[test]
fn a_lost_stream_is_replaced_and_hears_the_turn_from_its_beginning() {
    let mut bench = Bench::new();
    bench.start(1);
    bench.say(52);
    let acts = bench.stream(lost(FailureKind::Broken));
    assert_eq!(acts[..2], [HearingAct::Close, HearingAct::Open]);
    assert_eq!(sent(&acts), 10 * CHUNK);
    assert_eq!(sent(&bench.end(1)), 2 * WIDEBAND_FRAME);
    bench.stream(StreamEvent::Opened);
    let acts = bench.stream(heard(&[("a", 0, 990, "Hello.", true)]));
    assert_eq!(reports(&acts), [final_of(1, "Hello.")]);
}

#[test]
fn a_service_that_always_fails_is_told_once_the_turn_is_over() {
    for (kind, streams) in [(FailureKind::Broken, 3), (FailureKind::Unauthorized, 1)] {
        let mut bench = Bench::new();
        bench.ask(Ask::Start(TURN));
        bench.say(50);
        let mut opened = 1;
        while bench.stream(lost(kind)).contains(&HearingAct::Open) {
            opened += 1;
        }
        assert_eq!(opened, streams, "{kind:?}");
        let error = StageError::new(kind, "it was lost");
        let missed = AsrReport::Missed { turn: TURN, generation: GENERATION, error };
        assert_eq!(reports(&bench.end(1)), [missed]);
        assert_eq!(bench.start(2), [HearingAct::Open], "the next turn tries again");
    }
}

#[test]
fn what_lost_streams_had_heard_counts() {
    let mut bench = Bench::new();
    bench.start(1);
    bench.say(50);
    bench.stream(heard(&[("a", 0, 900, "What time", false)]));
    for _ in 0..3 {
        bench.stream(lost(FailureKind::Broken));
    }
    assert_eq!(reports(&bench.end(1)), [final_of(1, "What time")]);
}

#[test]
fn a_stream_that_never_opens_is_told() {
    let mut bench = Bench::new();
    bench.ask(Ask::Start(TURN));
    bench.say(50);
    bench.end(1);
    let (report, samples) = bench.wait_for_report();
    assert!(
        matches!(&report, AsrReport::Missed { error, .. } if error.kind == FailureKind::TimedOut),
        "{report:?}"
    );
    assert_eq!(samples, SILENCE_CHUNKS as usize * CHUNK, "silence has an end");
}

#[test]
fn a_turn_that_was_none_leaves_nothing_to_the_next() {
    let mut bench = Bench::new();
    bench.start(1);
    bench.say(50);
    assert_eq!(bench.ask(Ask::Forget), [HearingAct::Close]);
    assert_eq!(bench.start(2), [HearingAct::Open]);
}

#[test]
fn a_user_who_goes_on_takes_nothing_from_the_turn_before() {
    let mut bench = Bench::new();
    bench.start(1);
    bench.say(50);
    bench.stream(heard(&[("a", 0, 900, "What time", false)]));
    bench.end(1);
    assert_eq!(bench.start(2), [], "its last words are still to come");
    assert_eq!(bench.say(12), 0, "so the next turn waits");
    let generation = Generation(2);
    let acts = bench.ask(Ask::Peek { turn: TurnId(2), generation });
    let likely = AsrReport::Likely { turn: TurnId(2), generation, text: String::new() };
    assert_eq!(reports(&acts), [likely]);
    let acts = bench.stream(heard(&[("a", 0, 990, "What time is it?", true)]));
    assert_eq!(reports(&acts), [final_of(1, "What time is it?")]);
    assert_eq!((acts.len(), sent(&acts)), (3, 2 * CHUNK), "over the same stream");
    assert_eq!(sent(&bench.end(2)), 2 * WIDEBAND_FRAME);
    let acts = bench.stream(heard(&[("b", 1_000, 1_240, "Please.", true)]));
    assert_eq!(reports(&acts), [final_of(2, "Please.")]);
}

#[test]
fn a_cough_at_the_end_of_a_turn_leaves_it_alone() {
    let mut bench = Bench::new();
    bench.start(1);
    bench.say(50);
    bench.end(1);
    bench.start(2);
    bench.say(12);
    assert_eq!(bench.ask(Ask::Forget), []);
    assert_eq!(bench.say(12), 0, "it is nobody's");
    let acts = bench.stream(heard(&[("a", 0, 990, "Hello.", true)]));
    assert_eq!(acts, [HearingAct::Report(final_of(1, "Hello."))]);
    assert_eq!(bench.start(3), [], "the stream is still there");
}

#[test]
fn a_turn_that_waited_for_a_late_one_has_its_own_time() {
    let mut bench = Bench::new();
    bench.start(1);
    bench.say(50);
    bench.stream(heard(&[("a", 0, 900, "What time", false)]));
    bench.end(1);
    bench.start(2);
    bench.say(7);
    assert_eq!(reports(&bench.end(2)), []);
    let mut acts = Vec::new();
    while reports(&acts).is_empty() {
        acts = bench.wait();
    }
    assert_eq!(reports(&acts), [final_of(1, "What time")]);
    assert_eq!(bench.now.as_millis(), 3_000);
    assert_eq!(acts[1..3], [HearingAct::Close, HearingAct::Open]);
    assert_eq!(sent(&acts), 7 * WIDEBAND_FRAME, "the whole turn");
    bench.stream(StreamEvent::Opened);
    bench.stream(heard(&[("b", 0, 100, "Yes", false)]));
    assert_eq!(bench.wait_for_report().0, final_of(2, "Yes"));
    assert_eq!(bench.now.as_millis(), 6_000);
}

#[test]
fn of_too_many_turns_that_wait_the_oldest_is_what_is_known_of_it() {
    let mut bench = Bench::new();
    let most = TRANSCRIPTS_AWAITED_MAX as u32;
    let mut told = Vec::new();
    for n in 1..=most + 1 {
        told.extend(reports(&bench.start(n)));
        bench.say(5);
        if n == 1 {
            bench.stream(heard(&[("a", 0, 100, "One", false)]));
        }
        told.extend(reports(&bench.end(n)));
    }
    assert_eq!(told, [final_of(1, "One")]);
}

#[test]
fn more_than_a_turn_can_hold_is_refused() {
    let mut bench = Bench::new();
    bench.start(1);
    bench.say(50);
    let word = "x".repeat(TRANSCRIPT_BYTES_MAX);
    bench.stream(heard(&[("a", 0, 100, &word, true), ("b", 100, 200, "y", true)]));
    let told = reports(&bench.end(1));
    assert!(
        matches!(&told[..], [AsrReport::Missed { error, .. }] if error.kind == FailureKind::Malformed),
        "{told:?}"
    );
}
