//! What is printed, and what the process says of itself.

use std::time::Duration;

use antiphon::nova::settings::NovaSettings;
use antiphon_nova_sim::count;
use antiphon_nova_tests::caller::Exchange;
use antiphon_nova_tests::real_call::Moments;

use crate::MANNERS;

/// Prints one line: how many there are, and some of their percentiles.
pub(crate) fn print(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| {
        // The nearest rank: the smallest that so many are not above.
        let rank = (times.len() * percent).div_ceil(100).max(1);
        times.get(rank - 1).map_or(f64::NAN, |time| time.as_secs_f64() * 1_000.0)
    };
    let (count, p50, p95, p99, max) = (times.len(), at(50), at(95), at(99), at(100));
    println!(
        "{what:46} n={count:<5} p50 {p50:8.2}  p95 {p95:8.2}  p99 {p99:8.2}  max {max:8.2} ms"
    );
}

/// From the end of each question to the first packet of its answer.
pub(crate) fn latencies(moments: &[Moments]) -> Vec<Duration> {
    let latency = |moment: &Moments| Some(moment.answered?.duration_since(moment.asked));
    moments.iter().filter_map(latency).collect()
}

/// Words of exchanges: those that did not come, and those that came and should not have.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Words {
    pub(crate) expected: usize,
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    /// Exchanges that were not word for word.
    pub(crate) exchanges_wrong: usize,
}

impl Words {
    pub(crate) fn of(exchanges: &[Exchange]) -> Self {
        let mut words = Self::default();
        for exchange in exchanges {
            let expected = count::answer(exchange.number, MANNERS.answer_words);
            let found = |word| exchange.words.iter().filter(|heard| **heard == word).count();
            let came = expected.iter().filter(|word| found(**word) > 0).count();
            words.expected += expected.len();
            words.lost += expected.len() - came;
            words.doubled += exchange.words.len() - came.min(exchange.words.len());
            words.exchanges_wrong += usize::from(exchange.words != expected);
        }
        words
    }
}

/// Settings under which connections are renewed well before `limit`.
pub(crate) fn renewing_within(limit: Duration) -> NovaSettings {
    let mut settings = NovaSettings::default();
    settings.renewal.after = limit * 2 / 3;
    settings.renewal.jitter = limit / 12;
    settings.renewal.at_latest = limit * 11 / 12;
    settings
}

/// Memory of this process now, in MiB.
pub(crate) fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1_024.0
}

/// CPU time of this process so far.
pub(crate) fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("this is Linux");
    let after_name = stat.rsplit_once(") ").expect("the name is in brackets").1;
    let ticks = |index: usize| -> Option<u64> {
        after_name.split(' ').nth(index).and_then(|field| field.parse().ok())
    };
    // User and system time in ticks of 10 ms (proc(5), fields 14 and 15; the state is field 3).
    Duration::from_millis((ticks(11).unwrap_or(0) + ticks(12).unwrap_or(0)) * 10)
}
