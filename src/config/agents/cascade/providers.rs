//! The providers of one stage: one, or a list of them in the order in which they are asked.

use std::time::Duration;

use super::PATIENCE_MS;
use crate::backend::cascade::Ranked;
use crate::cascade::failover::{Hedge, ProviderSettings};
use crate::limits::PROVIDERS_MAX;
use crate::yaml::{Fields, Value};

/// Keys that any provider may have beside its own.
const OF_ALL: [&str; 2] = ["budget_ms", "hedge_ms"];

/// However fast a provider usually is, another one is not asked sooner.
const HEDGE_AT_LEAST: Duration = Duration::from_millis(50);

/// The providers under `key`, each of which may have the keys `known`; none if the key is absent.
pub(super) fn providers<S>(
    fields: &mut Fields<'_, '_>,
    key: &str,
    known: &[&str],
    mut decode: impl FnMut(&mut Fields<'_, '_>) -> S,
) -> Vec<Ranked<S>> {
    let Some(place) = fields.place(key) else { return Vec::new() };
    let known = [known, &OF_ALL].concat();
    let is_list = matches!(place.node.value, Value::List(_));
    let errors = fields.errors();
    let places =
        if is_list { place.list(errors, PROVIDERS_MAX) } else { Some(vec![place.clone()]) };
    let places = places.unwrap_or_default();
    let mut found = Vec::new();
    for place in &places {
        if let Some(mut fields) = place.fields(errors, &known) {
            let settings = decode(&mut fields);
            found.push(Ranked { settings, usage: usage(&mut fields) });
        }
    }
    if is_list && places.is_empty() {
        fields.refuse(key, format!("expected 1 to {PROVIDERS_MAX} providers, received none"));
    }
    found
}

fn usage(fields: &mut Fields<'_, '_>) -> ProviderSettings {
    let standard = ProviderSettings::default();
    let budget = fields.duration_ms("budget_ms", PATIENCE_MS, standard.budget);
    let hedge = match fields.place("hedge_ms") {
        None => Hedge::Off,
        Some(_) => Hedge::P95 {
            until_known: fields.duration_ms("hedge_ms", PATIENCE_MS, budget),
            at_least: HEDGE_AT_LEAST,
        },
    };
    ProviderSettings { budget, hedge, ..standard }
}
