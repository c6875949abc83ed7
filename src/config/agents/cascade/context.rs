//! `cascade.context`: what a language model is told of the conversation.

use crate::backend::cascade::{ContextSettings, MemorySettings, Overflow, Reminder, Window};
use crate::config::agents::phrases;
use crate::limits::{
    CONTEXT_CHARS_MAX, CONTEXT_FACT_CHARS_MAX, CONTEXT_FACTS_MAX, CONTEXT_TURNS_MAX,
};
use crate::yaml::Fields;

/// Less would not hold a question and its answer.
const CHARS_MIN: u32 = 1_000;
/// The longest reminder, in characters, and the most turns between two.
const REMINDER_CHARS_MAX: usize = 2_000;
const REMINDER_TURNS_MAX: u32 = 1_000;

/// Decodes the section; the defaults if there is none.
pub(super) fn memory(fields: &mut Fields<'_, '_>) -> MemorySettings {
    let mut memory = MemorySettings::default();
    let known = ["turns_max", "chars_max", "overflow", "reminder", "facts"];
    let Some(mut fields) = fields.fields("context", &known) else { return memory };
    let ContextSettings { window, overflow, reminder: told } = &mut memory.context;
    let Window { turns_max, chars_max } = window;
    let turns = 1..=CONTEXT_TURNS_MAX as u32;
    *turns_max = fields.u32_in("turns_max", turns, *turns_max as u32) as usize;
    let chars = CHARS_MIN..=CONTEXT_CHARS_MAX as u32;
    *chars_max = fields.u32_in("chars_max", chars, *chars_max as u32) as usize;
    let overflows = [("drop", Overflow::Drop), ("summarise", Overflow::Summarise)];
    *overflow = fields.choice("overflow", &overflows, *overflow);
    if let Some(reminder) = reminder(&mut fields) {
        *told = reminder;
    }
    memory.facts = phrases(&mut fields, "facts", CONTEXT_FACTS_MAX, CONTEXT_FACT_CHARS_MAX);
    memory
}

fn reminder(fields: &mut Fields<'_, '_>) -> Option<Reminder> {
    let mut fields = fields.fields("reminder", &["every_turns", "text"])?;
    let every_turns = fields.required("every_turns");
    let every_turns =
        every_turns.and_then(|place| place.u32_in(fields.errors(), 1..=REMINDER_TURNS_MAX));
    fields.required("text");
    let text = fields.string_max("text", REMINDER_CHARS_MAX);
    Some(Reminder { every_turns: every_turns?, text: text? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::agents::BackendConfig;
    use crate::config::{Config, Environment};

    fn decoded(context: &str) -> Result<MemorySettings, String> {
        let stages = format!("{{llm: {{url: http://llm, model: m}}, context: {context}}}");
        let text = format!("agents: {{a: {{backend: cascade, cascade: {stages}}}}}");
        let config = Config::parse(&text, None, &Environment::of(&[]));
        let config = config.map_err(|errors| errors[0].to_string())?;
        match &config.agents["a"].backend {
            BackendConfig::Cascade(settings) => Ok(settings.memory.clone()),
            other => panic!("{}", other.name()),
        }
    }

    #[test]
    fn what_is_kept_is_what_the_file_says() {
        assert_eq!(decoded("{}"), Ok(MemorySettings::default()));
        let expected = MemorySettings {
            context: ContextSettings {
                window: Window { turns_max: 6, chars_max: 5_000 },
                overflow: Overflow::Summarise,
                reminder: Reminder { every_turns: 4, text: "Be brief.".to_owned() },
            },
            facts: vec!["The shop opens at nine.".to_owned()],
        };
        let text = "{turns_max: 6, chars_max: 5000, overflow: summarise, facts: [The shop opens at nine.], \
                    reminder: {every_turns: 4, text: Be brief.}}";
        assert_eq!(decoded(text), Ok(expected));
    }

    #[test]
    fn mistakes_are_told_where_they_are() {
        let long = format!("{{facts: ['{}']}}", "x".repeat(CONTEXT_FACT_CHARS_MAX + 1));
        let rows = [
            ("{turns_max: 0}", "context.turns_max"),
            ("{chars_max: 10}", "context.chars_max"),
            ("{overflow: forget}", "context.overflow"),
            ("{reminder: {text: a}}", "every_turns"),
            ("{reminder: {every_turns: 2}}", "text"),
            ("{turns: 1}", "turns"),
            (&long, "context.facts[0]"),
        ];
        for (text, expected) in rows {
            let problem = decoded(text).expect_err(expected);
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
