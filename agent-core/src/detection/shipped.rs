//! The rules that come with the agent, and how configured ones are laid over them.

use super::compile::{Wanted, compile};
use super::program::Rule;
use super::rule::{RuleConfig, RuleError, RuleInfo, RuleKind};
use crate::config::{Config, nearest};
use crate::sampling::metrics::{MetricId, Scope};
use serde::Deserialize;

/// The shipped rules' text.
pub const SHIPPED_TOML: &str = include_str!("rules.toml");

/// A file of rules.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rules: Vec<RuleConfig>,
}

/// The shipped rules.
///
/// # Errors
/// Never in a build whose tests passed: they parse the text.
pub fn shipped() -> Result<Vec<RuleConfig>, RuleError> {
    toml::from_str::<File>(SHIPPED_TOML).map(|file| file.rules).map_err(|error| RuleError {
        rule: "shipped".to_owned(),
        key: None,
        off: false,
        message: error.to_string(),
    })
}

/// One rule, and where it comes from.
struct Chosen<'c> {
    rule: std::borrow::Cow<'c, RuleConfig>,
    shipped: bool,
    enabled: bool,
}

/// The shipped rules that no configured one replaces, then the configured ones.
fn chosen(config: &Config) -> Result<Vec<Chosen<'_>>, RuleError> {
    let enabled = |name: &str| !config.rules_off.iter().any(|off| off == name);
    let shipped = shipped()?
        .into_iter()
        .filter(|rule| !config.rules.iter().any(|own| own.name == rule.name))
        .map(|rule| Chosen {
            enabled: enabled(&rule.name),
            rule: std::borrow::Cow::Owned(rule),
            shipped: true,
        });
    let own = config.rules.iter().map(|rule| Chosen {
        rule: std::borrow::Cow::Borrowed(rule),
        shipped: false,
        enabled: enabled(&rule.name),
    });
    Ok(shipped.chain(own).collect())
}

/// Everything that is wrong with the rules of a configuration: rules that make no sense, names used twice, and names
/// in `rules_off` that no rule has.
#[must_use]
pub fn mistakes(config: &Config) -> Vec<RuleError> {
    match chosen(config) {
        Ok(chosen) => {
            let mut wanted = Wanted::default();
            let compiled =
                chosen.iter().filter_map(|chosen| compile(&chosen.rule, config, &mut wanted).err());
            compiled.chain(names_used_twice(&chosen)).chain(unknown_off(config, &chosen)).collect()
        }
        Err(error) => vec![error],
    }
}

/// Every rule, those that are switched off too, for people: sorted by scope and name.
///
/// # Errors
/// When a rule makes no sense.
pub fn list(config: &Config) -> Result<Vec<RuleInfo>, RuleError> {
    let mut infos = Vec::new();
    for chosen in chosen(config)? {
        let scope = compile(&chosen.rule, config, &mut Wanted::default())?.scope;
        infos.push(RuleInfo {
            name: chosen.rule.name.clone(),
            severity: chosen.rule.severity,
            scope,
            kind: chosen.rule.kind,
            metric: chosen.rule.metric.clone(),
            description: chosen.rule.description.clone(),
            enabled: chosen.enabled,
            shipped: chosen.shipped,
        });
    }
    infos.sort_by(|a, b| (a.scope, &a.name).cmp(&(b.scope, &b.name)));
    Ok(infos)
}

/// The rules in force, without memory yet: scope by scope, those without rows last; and the metrics they want.
pub(super) fn in_force(config: &Config) -> Result<(Vec<Rule>, [Vec<MetricId>; Scope::ALL.len()]), RuleError> {
    let chosen = chosen(config)?;
    if let Some(error) = names_used_twice(&chosen).chain(unknown_off(config, &chosen)).next() {
        return Err(error);
    }
    let mut wanted = Wanted::default();
    let mut rules = Vec::new();
    for chosen in chosen.iter().filter(|chosen| chosen.enabled) {
        rules.push(compile(&chosen.rule, config, &mut wanted)?);
    }
    rules.sort_by_key(|rule| (rule.kind == RuleKind::Gone, rule.scope));
    Ok((rules, wanted))
}

fn names_used_twice<'c>(chosen: &'c [Chosen<'_>]) -> impl Iterator<Item = RuleError> + 'c {
    let twice =
        |index: usize| chosen[..index].iter().any(|earlier| earlier.rule.name == chosen[index].rule.name);
    (0..chosen.len()).filter(move |index| twice(*index)).map(|index| RuleError {
        rule: chosen[index].rule.name.clone(),
        key: Some("name"),
        off: false,
        message: "another rule has this name".to_owned(),
    })
}

fn unknown_off<'c>(config: &'c Config, chosen: &'c [Chosen<'_>]) -> impl Iterator<Item = RuleError> + 'c {
    let names = || chosen.iter().map(|chosen| chosen.rule.name.as_str());
    config.rules_off.iter().filter(move |off| names().all(|name| name != off.as_str())).map(move |off| {
        let cure = nearest(off, names())
            .map_or_else(|| "docs/rules.md lists them".to_owned(), |like| format!("did you mean {like:?}?"));
        RuleError {
            rule: off.clone(),
            key: None,
            off: true,
            message: format!("there is no such rule; {cure}"),
        }
    })
}
