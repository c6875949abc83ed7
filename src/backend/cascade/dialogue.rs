//! The small dialogue of the offline default: what is answered to what was understood.
//!
//! Pure: told the time since the call began and the date and time on the wall. It knows a few things
//! to do, says which, and takes words for what they sound like, since a recogniser mishears.

mod numbers;
mod words;

use std::collections::VecDeque;
use std::time::Duration;

use jiff::civil::DateTime;

use self::numbers::{Sum, number, sum};
use self::words::Words;
use crate::call::event::{Heard, TurnMetrics};
use crate::limits::USER_TIMERS_MAX;
use crate::time::SessionTime;

/// What to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The words; empty to say nothing.
    pub text: String,
    /// End the call once they were played.
    pub hang_up: bool,
}

/// One call's dialogue.
#[derive(Clone, Debug)]
pub struct Dialogue {
    greeting: String,
    /// Relative to the configured pace, 0.5 to 2.
    pace: f32,
    timers: Vec<Timer>,
    rung: VecDeque<Timer>,
    measured: Option<TurnMetrics>,
    last_said: String,
    last_heard: Option<Heard>,
    last_understood: String,
    /// The next stop of the guided tour; `None` while there is none.
    tour: Option<usize>,
    misunderstood: usize,
}

#[derive(Clone, Debug)]
struct Timer {
    due: SessionTime,
    length: Duration,
}

const GREETING: &str = "Hello, I am Antiphon. Ask me for the time, a sum, or a tour.";
const PACE_STEP: f32 = 1.25;
const PACE_RANGE: std::ops::RangeInclusive<f32> = 0.5..=2.0;
const TIMER_MAX: Duration = Duration::from_secs(24 * 3_600);
/// The stops of the guided tour.
const TOUR: [&str; 5] = [
    "Welcome to the tour. First, I can repeat what you say. Try: say good morning. Then say next.",
    "Second, you can interrupt me. Say: tell me a story, and then just speak while I speak. I stop \
     at once.",
    "Third, you can change my pace. Say: speak faster, or: speak slower.",
    "Fourth, I can work for you. Try: set a timer for ten seconds, or: what is twelve plus thirty.",
    "Last, ask me: how fast was that, and I tell you how long my last answer took. That was the \
     tour.",
];
const STORY: &str = "Once upon a time there was a river that wanted to see the sea. It ran past \
    fields and under bridges, and it asked everyone the way. The miller said, go down. The heron \
    said, go slowly. The children said, go fast. So the river went down, slowly where it was wide, \
    and fast where it was narrow, and one evening it was there. The sea asked, what took you so \
    long? And the river said, I stopped to listen. You can stop me too. Just speak.";
const HINTS: [&str; 4] = [
    "You could ask: what time is it?",
    "You could say: set a timer for ten seconds.",
    "You could ask: what is twelve plus thirty?",
    "Say: give me a tour, and I show you what I can do.",
];

impl Dialogue {
    /// A dialogue that begins with `greeting`, or with its own.
    pub fn new(greeting: Option<String>) -> Self {
        Self {
            greeting: greeting.unwrap_or_else(|| GREETING.to_owned()),
            pace: 1.0,
            timers: Vec::new(),
            rung: VecDeque::new(),
            measured: None,
            last_said: String::new(),
            last_heard: None,
            last_understood: String::new(),
            tour: None,
            misunderstood: 0,
        }
    }

    /// The first words.
    pub fn greet(&mut self) -> Answer {
        self.say(self.greeting.clone())
    }

    /// How fast to speak, relative to the configured pace: 0.5 to 2.
    pub fn pace(&self) -> f32 {
        self.pace
    }

    /// When [`Dialogue::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<SessionTime> {
        self.timers.iter().map(|timer| timer.due).min()
    }

    /// Rings the timers that are due. True if there is now something to say.
    pub fn handle_timeout(&mut self, now: SessionTime) -> bool {
        let (due, running) = self.timers.drain(..).partition(|timer| timer.due <= now);
        self.timers = running;
        let due: Vec<Timer> = due;
        let rang = !due.is_empty();
        self.rung.extend(due);
        rang
    }

    /// What is to be said without being asked; empty if nothing is.
    pub fn speak(&mut self) -> Answer {
        let rung: Vec<String> = self
            .rung
            .drain(..)
            .map(|timer| format!("Your timer for {} is done.", spoken_length(timer.length)))
            .collect();
        if rung.is_empty() {
            return Answer::default();
        }
        self.say(format!("Ding dong. {}", rung.join(" ")))
    }

    /// What of the last reply was heard.
    pub fn handle_heard(&mut self, heard: Heard) {
        self.last_heard = Some(heard);
    }

    /// What the last turn took.
    pub fn handle_measured(&mut self, metrics: TurnMetrics) {
        self.measured = Some(metrics);
    }

    /// Answers what was understood.
    pub fn answer(&mut self, now: SessionTime, wall: DateTime, understood: &str) -> Answer {
        let words = Words::new(understood);
        let previous = std::mem::replace(&mut self.last_understood, understood.to_owned());
        if let Some(text) = self.conversation(&words, &previous) {
            let hang_up = words.has(&["goodbye"]) || words.is(&["bye"]);
            return Answer { hang_up, ..self.say(text) };
        }
        let text = self
            .timer(now, &words)
            .or_else(|| sum(&words.plain).map(spoken_sum))
            .or_else(|| clock(wall, &words))
            .or_else(|| self.latency(&words))
            .or_else(|| self.change_pace(&words))
            .or_else(|| self.guide(&words));
        match text {
            Some(text) => self.say(text),
            None => self.misunderstand(&words),
        }
    }

    /// How likely what was understood so far is all that will be said: 0.1 where it ends in a word that
    /// wants another, 0.9 where it is something to do, 0.5 where that is not known.
    pub fn completeness(&self, understood: &str) -> f32 {
        const OPEN_ENDED: [&str; 3] = ["say", "repeat", "please repeat"];
        let words = Words::new(understood);
        if dangles(understood) {
            return 0.1;
        }
        if words.starts_with_any(&OPEN_ENDED) || words.count() == 0 {
            return 0.5;
        }
        let mut trial = self.clone();
        let misunderstood = trial.misunderstood;
        // What the time is does not matter for whether it was understood.
        let answer = trial.answer(SessionTime::ZERO, DateTime::ZERO, understood);
        let is_question_back =
            answer.text.ends_with('?') || answer.text.starts_with("For how long?");
        if trial.misunderstood > misunderstood || is_question_back { 0.5 } else { 0.9 }
    }

    fn say(&mut self, text: String) -> Answer {
        self.last_said.clone_from(&text);
        self.last_heard = None;
        Answer { text, hang_up: false }
    }

    /// Repeating, manners, and talk about the talk.
    fn conversation(&mut self, words: &Words, previous: &str) -> Option<String> {
        if words.is_any(&["say it again", "say that again", "repeat that", "what did you say"]) {
            return Some(match self.last_said.as_str() {
                "" => "I have not said anything yet.".to_owned(),
                said => said.to_owned(),
            });
        }
        if words.is_any(&["what did i say"]) {
            return Some(match previous {
                "" => "I have not understood anything yet.".to_owned(),
                said => format!("I understood: {said}."),
            });
        }
        if words.is_any(&["what did i hear"]) {
            let heard = self.last_heard.as_ref().map(|heard| heard.text.as_str());
            return Some(match heard.filter(|text| !text.is_empty()) {
                None => "I do not know what you heard.".to_owned(),
                Some(text) => format!("Of my last answer you heard: {text}"),
            });
        }
        if let Some(rest) = words.after_any(&["repeat after me", "please repeat", "repeat", "say"])
        {
            return Some(match rest.is_empty() {
                true => "What shall I say?".to_owned(),
                false => format!("{rest}."),
            });
        }
        let said = |text: &str| Some(text.to_owned());
        match () {
            () if words.has(&["goodbye"]) || words.is(&["bye"]) => said("Goodbye."),
            () if words.has(&["thank", "you"]) || words.is(&["thanks"]) => said("You are welcome."),
            () if words.is_any(&["stop", "no", "be quiet"]) => said("All right."),
            () if words.is_any(&["who are you", "what are you", "what is your name"]) => said(
                "I am Antiphon, a small voice agent that runs on this machine, without any cloud.",
            ),
            () if words.has(&["how", "are", "you"]) && words.count() == 3 => {
                said("I am fine, and I am all ears.")
            }
            () if words.starts_with_any(&[
                "hello",
                "hi",
                "hey",
                "good morning",
                "good afternoon",
            ]) || words.is(&["good", "evening"]) =>
            {
                said("Hello. What can I do for you?")
            }
            () => None,
        }
    }

    fn timer(&mut self, now: SessionTime, words: &Words) -> Option<String> {
        let asks_for_one = words.has(&["timer"])
            || words.starts_with_any(&["wake me in", "remind me in"])
            || (words.has(&["how", "left"]) && !self.timers.is_empty());
        if !asks_for_one {
            return None;
        }
        if words.has(&["cancel"]) || words.has(&["stop"]) {
            let count = self.timers.len();
            self.timers.clear();
            return Some(match count {
                0 => "There is no timer running.".to_owned(),
                1 => "The timer is cancelled.".to_owned(),
                _ => format!("All {count} timers are cancelled."),
            });
        }
        if words.has(&["left"]) || words.has(&["how", "long"]) {
            let next = self.poll_timeout().map(|due| due.since(now));
            return Some(match next {
                None => "There is no timer running.".to_owned(),
                Some(left) => format!("{} left.", spoken_length(left)),
            });
        }
        let Some(length) = length(&words.plain) else {
            return Some("For how long? Say, for example: set a timer for ten seconds.".to_owned());
        };
        if length.is_zero() || length > TIMER_MAX {
            return Some("I can set a timer for one second up to one day.".to_owned());
        }
        if self.timers.len() >= USER_TIMERS_MAX {
            return Some(format!("There are already {USER_TIMERS_MAX} timers. Cancel them first."));
        }
        self.timers.push(Timer { due: now + length, length });
        Some(format!("Your timer for {} is running.", spoken_length(length)))
    }

    fn latency(&self, words: &Words) -> Option<String> {
        let asked = words.has(&["latency"])
            || words.has(&["how", "fast"])
            || words.has(&["how", "long", "take"]);
        if !asked {
            return None;
        }
        let metrics = self.measured.as_ref();
        let total = metrics.and_then(|metrics| metrics.first_packet.or(metrics.first_audio));
        let (Some(metrics), Some(total)) = (metrics, total) else {
            return Some("I have not measured a turn yet. Ask me again after this one.".to_owned());
        };
        let ms = |step: Duration| step.as_millis();
        let mut text =
            format!("My last answer began {} milliseconds after you stopped speaking.", ms(total));
        if let Some(endpoint) = metrics.endpoint {
            let own = total.saturating_sub(endpoint);
            text += &format!(
                " For {} of them I waited to be sure that you had finished, and {} were my own.",
                ms(endpoint),
                ms(own)
            );
        }
        Some(text)
    }

    fn change_pace(&mut self, words: &Words) -> Option<String> {
        let (slower, faster) = (
            words.has_any(&["slower", "slowly", "slow"]),
            words.has_any(&["faster", "quicker", "quickly", "speed up"]),
        );
        let wanted = match () {
            () if slower => self.pace / PACE_STEP,
            () if faster => self.pace * PACE_STEP,
            () if words.has_any(&["normally", "normal"]) => 1.0,
            () => return None,
        };
        let allowed = wanted.clamp(*PACE_RANGE.start(), *PACE_RANGE.end());
        let is_at_limit = allowed == self.pace && wanted != self.pace;
        self.pace = allowed;
        Some(match () {
            () if is_at_limit && slower => "I cannot speak any slower.".to_owned(),
            () if is_at_limit => "I cannot speak any faster.".to_owned(),
            () if slower => "I speak slower now.".to_owned(),
            () if faster => "I speak faster now.".to_owned(),
            () => "I speak at my normal pace again.".to_owned(),
        })
    }

    fn guide(&mut self, words: &Words) -> Option<String> {
        let help = ["what can i", "what can you do", "help"];
        if words.has(&["tour"]) {
            self.tour = Some(1);
            return Some(TOUR[0].to_owned());
        }
        if words.starts_with_any(&["next", "continue", "go on", "yes"]) {
            let stop = self.tour.and_then(|stop| TOUR.get(stop));
            self.tour = self.tour.map(|stop| stop + 1).filter(|stop| *stop < TOUR.len());
            return Some(stop.copied().unwrap_or(HINTS[3]).to_owned());
        }
        if words.starts_with_any(&help) {
            return Some(
                "I can tell the time and the date, do sums, set timers, repeat after you, tell a \
                 story, and give you a tour."
                    .to_owned(),
            );
        }
        (words.has(&["story"]) || words.has(&["interrupt"])).then(|| STORY.to_owned())
    }

    fn misunderstand(&mut self, words: &Words) -> Answer {
        let hint = HINTS[self.misunderstood % HINTS.len()];
        self.misunderstood += 1;
        match words.count() {
            0 => self.say(format!("I did not catch that. {hint}")),
            _ => self.say(format!("I did not understand. {hint}")),
        }
    }
}

/// Whether the last word wants another: a conjunction, a preposition, an article, a filler.
pub fn dangles(text: &str) -> bool {
    const WANTS_MORE: [&str; 40] = [
        "and",
        "or",
        "but",
        "because",
        "so",
        "if",
        "that",
        "than",
        "to",
        "for",
        "from",
        "with",
        "of",
        "in",
        "on",
        "at",
        "by",
        "about",
        "into",
        "a",
        "an",
        "the",
        "my",
        "your",
        "is",
        "are",
        "was",
        "plus",
        "minus",
        "times",
        "divided",
        "multiplied",
        "point",
        "um",
        "uh",
        "er",
        "what",
        "set",
        "tell",
        "very",
    ];
    let last = text.split_whitespace().next_back().unwrap_or_default();
    WANTS_MORE.contains(&last.to_lowercase().as_str())
}

fn clock(wall: DateTime, words: &Words) -> Option<String> {
    if words.has(&["date"]) || words.has(&["what", "day"]) {
        let date = wall.strftime("%A, %B %-d, %Y");
        return Some(format!("Today is {date}."));
    }
    let asks_time = words.has(&["time"]) || words.is(&["what", "is", "it"]);
    asks_time.then(|| {
        let part = match wall.hour() {
            0..=11 => "in the morning",
            12..=17 => "in the afternoon",
            18.. | ..0 => "in the evening",
        };
        let minute = match wall.minute() {
            0 => "o'clock".to_owned(),
            minute @ 1..=9 => format!("oh {minute}"),
            minute => minute.to_string(),
        };
        format!("It is {} {minute} {part}.", (wall.hour() + 11) % 12 + 1)
    })
}

fn spoken_sum(sum: Sum) -> String {
    match sum.value() {
        None => "That has no answer.".to_owned(),
        Some(value) => format!("{sum} is {}.", numbers::written(value)),
    }
}

/// `ten seconds`, `one and a half` is not understood.
fn length(words: &[&str]) -> Option<Duration> {
    let unit_at = |word: &str| match word {
        "second" | "seconds" => Some(1.0),
        "minute" | "minutes" => Some(60.0),
        "hour" | "hours" => Some(3_600.0),
        _ => None,
    };
    let (at, unit) = words.iter().enumerate().find_map(|(i, word)| Some((i, unit_at(word)?)))?;
    // The longest number that ends right before the unit.
    let count = (0..at).find_map(|start| {
        let (value, used) = number(&words[start..at])?;
        (start + used == at).then_some(value)
    });
    let count = count.or_else(|| words[..at].last().filter(|word| **word == "a").map(|_| 1.0))?;
    Duration::try_from_secs_f64(count * unit).ok()
}

fn spoken_length(length: Duration) -> String {
    let seconds = length.as_secs_f64().round() as u64;
    let part = |count: u64, unit: &str| match count {
        0 => None,
        1 => Some(format!("1 {unit}")),
        _ => Some(format!("{count} {unit}s")),
    };
    let parts = [
        part(seconds / 3_600, "hour"),
        part(seconds / 60 % 60, "minute"),
        part(seconds % 60, "second"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "less than a second".to_owned() } else { parts.join(" and ") }
}

#[cfg(test)]
mod tests;
