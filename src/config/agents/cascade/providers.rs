//! The providers of one stage: one, or a list of them in the order in which they are asked.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::PATIENCE_MS;
use crate::backend::cascade::Ranked;
use crate::cascade::failover::{Hedge, ProviderSettings};
use crate::cascade::price::Prices;
use crate::limits::PROVIDERS_MAX;
use crate::yaml::{Fields, Value};

/// Keys that any provider may have beside its own.
const OF_ALL: [&str; 4] = ["kind", "budget_ms", "hedge_ms", "check_every_s"];
/// The key of those that want to be paid.
pub(super) const PRICES: &str = "prices";

const PRICE_RANGE: RangeInclusive<f64> = 0.0..=100.0;

/// However fast a provider usually is, another one is not asked sooner.
const HEDGE_AT_LEAST: Duration = Duration::from_millis(50);

/// Seconds between two checks of one provider; 0: it is not checked.
const CHECK_EVERY_S: RangeInclusive<u64> = 0..=600;

/// A kind of provider: its name, and the keys that it has beside those of all, in groups.
pub(super) type ProviderKind<K> = (&'static str, K, &'static [&'static [&'static str]]);

/// Something that a stage's providers are paid for: its name, and where its price stands.
pub(super) type Priced = (&'static str, fn(&mut Prices, f64));

/// The providers under `key`, each of one of these kinds, with the keys of its kind; none if the key is
/// absent.
pub(super) fn providers<K: Copy + PartialEq, S>(
    fields: &mut Fields<'_, '_>,
    key: &str,
    kinds: &[ProviderKind<K>],
    standard: K,
    priced: &[Priced],
    mut decode: impl FnMut(K, &mut Fields<'_, '_>) -> S,
) -> Vec<Ranked<S>> {
    let Some(place) = fields.place(key) else { return Vec::new() };
    let mut known: Vec<&str> = OF_ALL.to_vec();
    known.extend(kinds.iter().flat_map(|(_, _, keys)| keys.concat()));
    let is_list = matches!(place.node.value, Value::List(_));
    let errors = fields.errors();
    let places =
        if is_list { place.list(errors, PROVIDERS_MAX) } else { Some(vec![place.clone()]) };
    let places = places.unwrap_or_default();
    let mut found = Vec::new();
    for place in &places {
        if let Some(mut fields) = place.fields(errors, &known) {
            let kind = kind(&mut fields, kinds, standard);
            let settings = decode(kind, &mut fields);
            let (usage, prices) =
                (usage(&mut fields, places.len() == 1), prices(&mut fields, priced));
            found.push(Ranked { settings, usage, prices });
        }
    }
    if is_list && places.is_empty() {
        fields.refuse(key, format!("expected 1 to {PROVIDERS_MAX} providers, received none"));
    }
    found
}

/// `prices`: what its work costs.
fn prices(fields: &mut Fields<'_, '_>, priced: &[Priced]) -> Prices {
    let mut prices = Prices::default();
    let names: Vec<_> = priced.iter().map(|(name, _)| *name).collect();
    if let Some(mut fields) = fields.fields(PRICES, &names) {
        for (name, set) in priced {
            if fields.place(name).is_some() {
                set(&mut prices, fields.f64_in(name, PRICE_RANGE, 0.0));
            }
        }
    }
    prices
}

/// The kind of one provider. Keys of the other kinds mean nothing to it.
fn kind<K: Copy + PartialEq>(
    fields: &mut Fields<'_, '_>,
    kinds: &[ProviderKind<K>],
    standard: K,
) -> K {
    let names: Vec<_> = kinds.iter().map(|(name, kind, _)| (*name, *kind)).collect();
    let chosen = fields.choice("kind", &names, standard);
    let Some((name, _, own)) = kinds.iter().find(|(_, kind, _)| *kind == chosen) else {
        return chosen;
    };
    let own = [own.concat(), OF_ALL.to_vec()].concat();
    let is_foreign = |key: &&str| !own.contains(key);
    let foreign: Vec<_> = fields.keys().filter(is_foreign).collect();
    for key in foreign {
        if kinds.iter().any(|(_, _, keys)| keys.concat().contains(&key)) {
            fields.refuse(key, format!("a stage of the kind `{name}` has no such key"));
        }
    }
    chosen
}

/// `is_alone`: nobody can stand in for it.
fn usage(fields: &mut Fields<'_, '_>, is_alone: bool) -> ProviderSettings {
    let standard = ProviderSettings::default();
    let budget = fields.duration_ms("budget_ms", PATIENCE_MS, standard.budget);
    let hedge = match fields.place("hedge_ms") {
        None => Hedge::Off,
        Some(_) => Hedge::P95 {
            until_known: fields.duration_ms("hedge_ms", PATIENCE_MS, budget),
            at_least: HEDGE_AT_LEAST,
        },
    };
    for key in ["budget_ms", "hedge_ms"] {
        if is_alone && fields.place(key).is_some() {
            fields.refuse(
                key,
                "the stage has no other provider to go to; list another, or leave it out",
            );
        }
    }
    if let Hedge::P95 { until_known, .. } = hedge
        && until_known >= budget
        && !is_alone
    {
        let (received, budget) = (until_known.as_millis(), budget.as_millis());
        fields.refuse(
            "hedge_ms",
            format!("expected less than budget_ms, {budget}, received {received}"),
        );
    }
    let check_every_s = standard.check_every.map_or(0, |every| every.as_secs());
    let check_every_s = fields.u64_in("check_every_s", CHECK_EVERY_S, check_every_s);
    let check_every = (check_every_s > 0).then(|| Duration::from_secs(check_every_s));
    ProviderSettings { budget, hedge, check_every, ..standard }
}
