//! `interruption`: what it takes to interrupt the agent.

use super::phrases;
use crate::call::settings::{InterruptionPolicy, InterruptionSettings};
use crate::yaml::Fields;

/// See [`InterruptionSettings::protected`] and [`InterruptionSettings::backchannels`].
const PROTECTED_MAX: usize = 50;
const PROTECTED_CHARS_MAX: usize = 200;
const BACKCHANNELS_MAX: usize = 200;
const BACKCHANNEL_CHARS_MAX: usize = 50;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Staged,
    Immediate,
    Words,
    Never,
}

pub(super) fn interruption(fields: &mut Fields<'_, '_>, settings: &mut InterruptionSettings) {
    let known = [
        "policy",
        "words",
        "confirm_ms",
        "commit_ms",
        "dismiss_ms",
        "first_words",
        "protected",
        "backchannels",
    ];
    let Some(mut fields) = fields.fields("interruption", &known) else { return };
    policy(&mut fields, settings);
    settings.confirm = fields.duration_ms("confirm_ms", 40..=1_000, settings.confirm);
    settings.commit = fields.duration_ms("commit_ms", 100..=3_000, settings.commit);
    settings.dismiss = fields.duration_ms("dismiss_ms", 60..=1_000, settings.dismiss);
    settings.first_words = fields.u32_in("first_words", 0..=20, settings.first_words);
    if fields.place("protected").is_some() {
        settings.protected = phrases(&mut fields, "protected", PROTECTED_MAX, PROTECTED_CHARS_MAX);
    }
    if fields.place("backchannels").is_some() {
        settings.backchannels =
            phrases(&mut fields, "backchannels", BACKCHANNELS_MAX, BACKCHANNEL_CHARS_MAX);
    }
    if settings.confirm > settings.commit {
        let problem = format!(
            "expected at most commit_ms ({}), received {}",
            settings.commit.as_millis(),
            settings.confirm.as_millis()
        );
        fields.refuse("confirm_ms", problem);
    }
}

fn policy(fields: &mut Fields<'_, '_>, settings: &mut InterruptionSettings) {
    let kinds = [
        ("staged", Kind::Staged),
        ("immediate", Kind::Immediate),
        ("words", Kind::Words),
        ("never", Kind::Never),
    ];
    let current = match settings.policy {
        InterruptionPolicy::Staged => Kind::Staged,
        InterruptionPolicy::Immediate => Kind::Immediate,
        InterruptionPolicy::Words(_) => Kind::Words,
        InterruptionPolicy::Never => Kind::Never,
    };
    let kind = fields.choice("policy", &kinds, current);
    if kind != Kind::Words && fields.place("words").is_some() {
        fields.refuse("words", "goes with `policy: words`");
    }
    settings.policy = match kind {
        Kind::Staged => InterruptionPolicy::Staged,
        Kind::Immediate => InterruptionPolicy::Immediate,
        Kind::Never => InterruptionPolicy::Never,
        Kind::Words => {
            let current = match settings.policy {
                InterruptionPolicy::Words(words) if fields.place("words").is_none() => Some(words),
                _ => fields.required("words").and_then(|it| it.u32_in(fields.errors(), 1..=20)),
            };
            InterruptionPolicy::Words(current.unwrap_or(1))
        }
    };
}
