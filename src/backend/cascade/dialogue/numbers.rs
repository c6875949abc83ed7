//! Numbers and sums, in words as a recogniser writes them and in digits as people type them.

use std::fmt;

/// A sum of two numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sum {
    left: f64,
    operation: Operation,
    right: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Plus,
    Minus,
    Times,
    Over,
}

impl Sum {
    /// The result, if there is one.
    pub(super) fn value(self) -> Option<f64> {
        let value = match self.operation {
            Operation::Plus => self.left + self.right,
            Operation::Minus => self.left - self.right,
            Operation::Times => self.left * self.right,
            Operation::Over => self.left / self.right,
        };
        value.is_finite().then_some(value)
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operation = match self.operation {
            Operation::Plus => "plus",
            Operation::Minus => "minus",
            Operation::Times => "times",
            Operation::Over => "divided by",
        };
        write!(formatter, "{} {operation} {}", written(self.left), written(self.right))
    }
}

/// The first sum among these words.
pub(super) fn sum(words: &[&str]) -> Option<Sum> {
    // Typed sums come without spaces too.
    let spaced: Vec<String> = words.iter().map(|word| space_out(word)).collect();
    let words: Vec<&str> = spaced.iter().flat_map(|word| word.split(' ')).collect();
    (0..words.len()).find_map(|start| {
        let (left, used) = number(&words[start..])?;
        let rest = &words[start + used..];
        let (operation, used) = operation(rest)?;
        let (right, _) = number(&rest[used..])?;
        Some(Sum { left, operation, right })
    })
}

fn space_out(word: &str) -> String {
    let has_digits = word.starts_with(|c: char| c.is_ascii_digit());
    let parts = word.replace('+', " + ").replace('*', " * ").replace('/', " / ");
    let parts = if has_digits { parts.replace('-', " - ").replace('x', " x ") } else { parts };
    parts.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn operation(words: &[&str]) -> Option<(Operation, usize)> {
    let by = usize::from(words.get(1).is_some_and(|word| *word == "by"));
    let found = match *words.first()? {
        "plus" | "and" | "+" => Operation::Plus,
        "minus" | "less" | "-" => Operation::Minus,
        "times" | "time" | "multiplied" | "x" | "*" => Operation::Times,
        "divided" | "over" | "/" => Operation::Over,
        _ => return None,
    };
    Some((found, 1 + by))
}

/// The number that these words begin with and how many of them it takes, up to 999 999.
pub(super) fn number(words: &[&str]) -> Option<(f64, usize)> {
    if let Some(value) = words.first().and_then(|word| digits(word)) {
        return Some((value, 1));
    }
    if words.first() == Some(&"minus") {
        return number(&words[1..]).map(|(value, used)| (-value, used + 1));
    }
    let (whole, used) = whole(words)?;
    let decimals: Vec<u32> = match words.get(used) {
        Some(&"point") => words[used + 1..].iter().map_while(|word| digit(word)).collect(),
        _ => Vec::new(),
    };
    if decimals.is_empty() {
        return Some((f64::from(whole), used));
    }
    let text: String = decimals.iter().map(u32::to_string).collect();
    let value = format!("{whole}.{text}").parse().ok()?;
    Some((value, used + 1 + decimals.len()))
}

fn digits(word: &str) -> Option<f64> {
    const LENGTH_MAX: usize = 15;
    let is_number = word.len() <= LENGTH_MAX
        && word.starts_with(|c: char| c.is_ascii_digit())
        && word.chars().all(|c| c.is_ascii_digit() || c == '.');
    is_number.then(|| word.parse().ok()).flatten()
}

/// `three hundred and five thousand twenty one`.
fn whole(words: &[&str]) -> Option<(u32, usize)> {
    let (mut used, mut thousands) = (0, 0);
    let (mut below, taken) = below_thousand(words)?;
    used += taken;
    if words.get(used) == Some(&"thousand") {
        used += 1;
        thousands = below;
        (below, used) = match below_thousand(after_and(words, used)) {
            Some((below, taken)) => (below, words.len() - after_and(words, used).len() + taken),
            None => (0, used),
        };
    }
    Some((thousands * 1_000 + below, used))
}

fn below_thousand(words: &[&str]) -> Option<(u32, usize)> {
    let says_a = words.first() == Some(&"a");
    let (first, used) = if says_a { (1, 1) } else { below_hundred(words)? };
    if words.get(used) == Some(&"hundred") && first < 10 {
        let rest = after_and(words, used + 1);
        return Some(match below_hundred(rest) {
            Some((below, taken)) => (first * 100 + below, words.len() - rest.len() + taken),
            None => (first * 100, used + 1),
        });
    }
    if says_a {
        return (words.get(1) == Some(&"thousand")).then_some((1, 1));
    }
    Some((first, used))
}

/// The words from `at` on, without an `and` that joins the parts of one number.
fn after_and<'a, 't>(words: &'a [&'t str], at: usize) -> &'a [&'t str] {
    let rest = words.get(at..).unwrap_or_default();
    match rest {
        ["and", rest @ ..] => rest,
        _ => rest,
    }
}

fn below_hundred(words: &[&str]) -> Option<(u32, usize)> {
    let word = words.first()?;
    if let Some(tens) = TENS.iter().position(|tens| tens == word) {
        let tens = (tens as u32 + 2) * 10;
        return Some(match words.get(1).and_then(|word| digit(word)).filter(|digit| *digit > 0) {
            Some(digit) => (tens + digit, 2),
            None => (tens, 1),
        });
    }
    let teen = TEENS.iter().position(|teen| teen == word).map(|teen| teen as u32 + 10);
    teen.or_else(|| digit(word)).map(|value| (value, 1))
}

fn digit(word: &str) -> Option<u32> {
    let heard = match word {
        "oh" => "zero",
        "to" | "too" => "two",
        "for" => "four",
        "ate" => "eight",
        word => word,
    };
    DIGITS.iter().position(|digit| *digit == heard).map(|digit| digit as u32)
}

const DIGITS: [&str; 10] =
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const TEENS: [&str; 10] = [
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 8] =
    ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// In digits, to three decimals, as the synthesiser reads them.
pub(super) fn written(value: f64) -> String {
    let rounded = format!("{:.3}", value.abs());
    let plain = rounded.trim_end_matches('0').trim_end_matches('.');
    if value < 0.0 && plain != "0" { format!("minus {plain}") } else { plain.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        text.split(' ').filter(|word| !word.is_empty()).collect()
    }

    #[test]
    fn numbers_are_read_as_far_as_they_go() {
        let rows = [
            ("", None),
            ("fox", None),
            ("zero", Some((0.0, 1))),
            ("seven eight", Some((7.0, 1))),
            ("nineteen", Some((19.0, 1))),
            ("forty two", Some((42.0, 2))),
            ("forty zero", Some((40.0, 1))),
            ("a", None),
            ("a hundred", Some((100.0, 2))),
            ("three hundred and five", Some((305.0, 4))),
            ("three hundred and fox", Some((300.0, 2))),
            ("a thousand", Some((1_000.0, 2))),
            ("twelve thousand three hundred forty five", Some((12_345.0, 6))),
            ("two thousand and twenty six", Some((2_026.0, 5))),
            ("three point one five", Some((3.15, 4))),
            ("three point fox", Some((3.0, 1))),
            ("minus two", Some((-2.0, 2))),
            ("17", Some((17.0, 1))),
            ("3.5", Some((3.5, 1))),
            ("1.2.3", None),
            ("9999999999999999", None),
        ];
        for (text, expected) in rows {
            assert_eq!(number(&split(text)), expected, "{text}");
        }
    }

    #[test]
    fn sums_are_found_and_done() {
        let rows = [
            ("what is twelve plus thirty", Some(42.0)),
            ("one is seven times eight", Some(56.0)),
            ("fifty minus nineteen please", Some(31.0)),
            ("one hundred divided by four", Some(25.0)),
            ("three point five plus two", Some(5.5)),
            ("six multiplied by seven", Some(42.0)),
            ("12+30", Some(42.0)),
            ("what is 7 x 8", Some(56.0)),
            ("7x8", Some(56.0)),
            ("10-4", Some(6.0)),
            ("10 / 4", Some(2.5)),
            ("one divided by zero", None),
            ("one two three", None),
            ("plus", None),
        ];
        for (text, expected) in rows {
            assert_eq!(sum(&split(text)).and_then(Sum::value), expected, "{text}");
        }
    }

    #[test]
    fn numbers_are_written_as_one_reads_them() {
        let rows =
            [(42.0, "42"), (-3.0, "minus 3"), (0.5, "0.5"), (1.0 / 3.0, "0.333"), (-0.0, "0")];
        for (value, expected) in rows {
            assert_eq!(written(value), expected);
        }
    }
}
