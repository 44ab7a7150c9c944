//! From a rule in TOML to one the hot side can use: every name looked up, every key checked against the kind.

use super::baseline::Tolerance;
use super::forecast::{Outlook, Record};
use super::predict::{self, Prospect};
use super::program::{Expression, Guard, GuardPlace, Memory, Recurrence, Rule, STATES_MAX, TERMS_MAX, Test};
use super::recurrence::TIMES_MAX;
use super::rule::{About, Direction, GuardConfig, Of, RuleConfig, RuleError, RuleKind};
use super::series::Patience;
use super::unusual::Habit;
use super::window::Span;
use super::wording::Quantity;
use crate::config::{Config, nearest};
use crate::sampling::metrics::{Kind, MetricId, Scope, Source, all, host, vm};
use crate::sys::zeroed::Zeroed;
use arrayvec::{ArrayString, ArrayVec};

/// Bytes of a rule's name.
const NAME_BYTES_MAX: usize = 48;
/// Durations are at most a week.
const SECONDS_MAX: f64 = 604_800.0;
/// Two samples follow each other when they are at most this many of the source's periods apart.
pub(super) const GAP_PERIODS: u64 = 3;

/// What is wrong: the key, and the words.
type Wrong = (Option<&'static str>, String);

/// The metrics that the rules of a scope want, in the order of their places in a row.
pub(super) type Wanted = [Vec<MetricId>; Scope::ALL.len()];

/// Checks and compiles one rule; what it looks at is added to `wanted`.
pub(super) fn compile(rule: &RuleConfig, config: &Config, wanted: &mut Wanted) -> Result<Rule, RuleError> {
    compiled(rule, config, wanted).map_err(|(key, message)| RuleError {
        rule: rule.name.clone(),
        key,
        off: false,
        message,
    })
}

fn compiled(rule: &RuleConfig, config: &Config, wanted: &mut Wanted) -> Result<Rule, Wrong> {
    check_name(&rule.name)?;
    check_keys(rule)?;
    let scope = scope_of(rule)?;
    let test = test(rule)?;
    let metric = match (rule.kind, rule.about) {
        (RuleKind::UnusualTogether, Some(About::Host)) => host::CPU_USER,
        (RuleKind::Gone | RuleKind::UnusualTogether, _) => vm::STATE,
        _ => known("metric", &rule.metric)?,
    };
    let (expression, quantity) = expression(rule, metric, wanted)?;
    let guard = rule.only_if.as_ref().map(|guard| self::guard(guard, scope, wanted)).transpose()?;
    let summary = if rule.summary.is_empty() { &rule.metric } else { &rule.summary };
    let sources = rule_metrics(rule).filter_map(MetricId::by_name).map(|metric| metric.metric().source);
    let sources: Vec<Source> = sources.collect();
    let period_ticks = sources.iter().map(|source| config.sampling.period_ticks(*source)).max().unwrap_or(1);
    let interval_ns = u64::from(config.sampling.interval_ms) * 1_000_000;
    Ok(Rule {
        name: text("name", &rule.name)?,
        summary: text("summary", summary)?,
        kind: rule.kind,
        severity: rule.severity,
        scope,
        metric,
        quantity,
        expression,
        test,
        guard,
        patience: Patience {
            fire_ns: duration("for_s", rule.for_s, 0.0)?,
            clear_ns: duration("clear_for_s", rule.clear_for_s, default_clear_s(rule.kind))?,
            gap_max_ns: u64::from(period_ticks) * interval_ns * GAP_PERIODS,
        },
        sources: sources.iter().fold(0, |set, source| set | 1 << *source as u64),
        identity: identity(rule, config),
        series: Zeroed::default(),
        memory: Memory::None,
        limiter: super::program::Limiter::default(),
        record: Record::default(),
    })
}

fn check_name(name: &str) -> Result<(), Wrong> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(fits) {
        let message = format!("a name is 1 to {NAME_BYTES_MAX} lower-case letters, digits and dashes");
        return Err((Some("name"), message));
    }
    Ok(())
}

/// Refuses keys that the rule's kind does not have.
fn check_keys(rule: &RuleConfig) -> Result<(), Wrong> {
    use RuleKind::{
        Absence, Baseline, Change, Exhaustion, Gone, Standstill, State, Threshold, Unusual, UnusualTogether,
    };
    let patient: &[RuleKind] = &[Threshold, Change, Absence, State, Baseline, Exhaustion, Standstill];
    let of_metric: &[RuleKind] =
        &[Threshold, Change, Absence, State, Baseline, Unusual, Exhaustion, Standstill];
    let used: [(&'static str, bool, &[RuleKind]); 26] = [
        ("metric", !rule.metric.is_empty(), of_metric),
        (
            "plus",
            !rule.plus.is_empty(),
            &[Threshold, Change, Absence, Baseline, Unusual, Exhaustion, Standstill],
        ),
        ("over", !rule.over.is_empty(), &[Threshold, Change, Baseline, Unusual, Exhaustion]),
        ("of", rule.of.is_some(), &[Threshold, Change, Baseline, Unusual, Exhaustion]),
        ("above", rule.above.is_some(), &[Threshold, Change, Exhaustion]),
        ("below", rule.below.is_some(), &[Threshold, Change, Exhaustion]),
        ("clear", rule.clear.is_some(), &[Threshold]),
        ("is", !rule.is.is_empty(), &[State]),
        ("is_not", !rule.is_not.is_empty(), &[State]),
        ("missing", rule.missing.is_some(), &[Absence]),
        ("within_s", rule.within_s.is_some(), &[Change, Gone]),
        ("relative", rule.relative, &[Change]),
        ("direction", rule.direction.is_some(), &[Baseline, Unusual]),
        ("sigmas", rule.sigmas.is_some(), &[Baseline]),
        ("min_change", rule.min_change.is_some(), &[Baseline, Unusual]),
        ("min_ratio", rule.min_ratio.is_some(), &[Baseline]),
        ("warm_up_s", rule.warm_up_s.is_some(), &[Baseline]),
        ("half_life_s", rule.half_life_s.is_some(), &[Baseline]),
        ("window_s", rule.window_s.is_some(), &[Exhaustion]),
        ("horizon_s", rule.horizon_s.is_some(), &[Exhaustion, Standstill]),
        ("suspicion", rule.suspicion.is_some(), &[Standstill]),
        ("times", rule.times.is_some(), &[Gone]),
        ("every_s", rule.every_s.is_some(), &[Unusual]),
        ("about", rule.about.is_some(), &[UnusualTogether]),
        ("for_s", rule.for_s.is_some(), patient),
        ("only_if", rule.only_if.is_some(), of_metric),
    ];
    for (key, is_used, kinds) in used {
        if is_used && !kinds.contains(&rule.kind) {
            let kinds: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
            let message =
                format!("`{key}` is for rules of kind {}, not {}", kinds.join(", "), rule.kind.name());
            return Err((Some(key), message));
        }
    }
    if rule.about.is_none() && rule.kind == UnusualTogether {
        return Err((None, "`about` is missing: \"vm\" or \"host\"".to_owned()));
    }
    if rule.metric.is_empty() && !matches!(rule.kind, Gone | UnusualTogether) {
        return Err((None, "`metric` is missing: the name of what it looks at".to_owned()));
    }
    Ok(())
}

fn scope_of(rule: &RuleConfig) -> Result<Scope, Wrong> {
    match (rule.kind, rule.about) {
        (RuleKind::UnusualTogether, Some(About::Host)) => return Ok(Scope::Host),
        (RuleKind::Gone | RuleKind::UnusualTogether, _) => return Ok(Scope::Vm),
        _ => {}
    }
    let scope = known("metric", &rule.metric)?.scope();
    for (key, names) in [("plus", &rule.plus), ("over", &rule.over)] {
        for name in names {
            let other = known(key, name)?.scope();
            if other != scope {
                let message = format!(
                    "`{key}`: {name} is of scope {}, {} of scope {}; a rule looks at one scope",
                    other.name(),
                    rule.metric,
                    scope.name()
                );
                return Err((Some(key), message));
            }
        }
    }
    Ok(scope)
}

fn known(key: &'static str, name: &str) -> Result<MetricId, Wrong> {
    MetricId::by_name(name).ok_or_else(|| {
        let like = nearest(name, all().map(|metric| metric.name));
        let cure = like.map_or_else(
            || "`bartizan metrics` lists them".to_owned(),
            |like| format!("did you mean {like:?}?"),
        );
        (Some(key), format!("`{key}`: there is no metric {name:?}; {cure}"))
    })
}

fn rule_metrics(rule: &RuleConfig) -> impl Iterator<Item = &str> {
    let guard = rule.only_if.iter().map(|guard| &guard.metric);
    std::iter::once(&rule.metric).chain(&rule.plus).chain(&rule.over).chain(guard).map(String::as_str)
}

/// The place of a metric in its scope's rows.
fn place(metric: MetricId, wanted: &mut Wanted) -> u16 {
    let wanted = &mut wanted[metric.scope().index()];
    let place = wanted.iter().position(|other| *other == metric).unwrap_or_else(|| {
        wanted.push(metric);
        wanted.len() - 1
    });
    // A scope holds at most 1,000 metrics.
    u16::try_from(place).unwrap_or(u16::MAX)
}

fn expression(
    rule: &RuleConfig,
    metric: MetricId,
    wanted: &mut Wanted,
) -> Result<(Expression, Quantity), Wrong> {
    let counter = metric.metric().kind == Kind::Counter;
    let rate = match (rule.kind, rule.of) {
        (RuleKind::Absence | RuleKind::State | RuleKind::Standstill, _) | (_, Some(Of::Value)) => false,
        (_, Some(Of::Rate)) if !counter => {
            let message = format!("`of`: {} is a gauge; only a counter has a rate", rule.metric);
            return Err((Some("of"), message));
        }
        (_, Some(Of::Rate)) => true,
        (_, None) => counter,
    };
    let mut expression = Expression { rate, ..Expression::default() };
    if matches!(rule.kind, RuleKind::Gone | RuleKind::UnusualTogether) {
        return Ok((expression, Quantity::State));
    }
    expression.sum = places("plus", [&rule.metric].into_iter().chain(&rule.plus), counter, wanted)?;
    let mut quantity = Quantity::of(metric.metric().unit, rate);
    if let Some(first) = rule.over.first() {
        let first = known("over", first)?.metric();
        let over_counter = first.kind == Kind::Counter;
        expression.over_rate = over_counter && rate;
        expression.over = places("over", rule.over.iter(), over_counter, wanted)?;
        quantity = quantity.over(Quantity::of(first.unit, expression.over_rate));
    }
    Ok((expression, quantity))
}

fn places<'r>(
    key: &'static str,
    names: impl Iterator<Item = &'r String>,
    counter: bool,
    wanted: &mut Wanted,
) -> Result<ArrayVec<u16, TERMS_MAX>, Wrong> {
    let mut places = ArrayVec::new();
    for name in names {
        let metric = known(key, name)?;
        if (metric.metric().kind == Kind::Counter) != counter {
            return Err((Some(key), format!("`{key}`: a counter and a gauge cannot be added: {name}")));
        }
        if places.try_push(place(metric, wanted)).is_err() {
            return Err((Some(key), format!("`{key}`: at most {TERMS_MAX} metrics can be added")));
        }
    }
    Ok(places)
}

fn test(rule: &RuleConfig) -> Result<Test, Wrong> {
    let above = level("above", rule.above)?.unwrap_or(f64::INFINITY);
    let below = level("below", rule.below)?.unwrap_or(f64::NEG_INFINITY);
    Ok(match rule.kind {
        RuleKind::Threshold => threshold(rule, above, below)?,
        RuleKind::Change => {
            if rule.above.is_none() && rule.below.is_none() {
                return Err((None, "`above` or `below` is missing: how much is too much".to_owned()));
            }
            if above < 0.0 || below > 0.0 {
                let message = "a rise is above 0 and a fall below 0: `above` is positive, `below` negative";
                return Err((Some(if above < 0.0 { "above" } else { "below" }), message.to_owned()));
            }
            let within_s = positive("within_s", rule.within_s, None)?;
            let counter =
                MetricId::by_name(&rule.metric).is_some_and(|metric| metric.metric().kind == Kind::Counter);
            let counter = counter && rule.of == Some(Of::Value) && rule.over.is_empty();
            let window_ns = duration("within_s", Some(within_s), 0.0)?;
            Test::Change {
                above,
                below,
                span: Span { within_ns: window_ns, relative: rule.relative, counter },
            }
        }
        RuleKind::Absence => Test::Absence(rule.missing.unwrap_or_default()),
        RuleKind::State => {
            if rule.is.is_empty() == rule.is_not.is_empty() {
                return Err((
                    None,
                    "a state has either `is` or `is_not`: the values it fires on, or not".to_owned(),
                ));
            }
            let good = rule.is.is_empty();
            let (key, values) = if good { ("is_not", &rule.is_not) } else { ("is", &rule.is) };
            Test::State { values: states(key, values)?, good }
        }
        RuleKind::Baseline => {
            let direction = rule.direction.unwrap_or_default();
            Test::Baseline(Tolerance {
                above: direction != Direction::Below,
                below: direction != Direction::Above,
                sigmas: positive("sigmas", rule.sigmas, Some(6.0))?,
                min_change: positive("min_change", rule.min_change, None)?,
                min_ratio: at_least_zero("min_ratio", rule.min_ratio, 0.0)?,
                warm_up_ns: duration("warm_up_s", rule.warm_up_s, 600.0)?,
                half_life_s: positive("half_life_s", rule.half_life_s, Some(900.0))?,
            })
        }
        RuleKind::Exhaustion => Test::Exhaustion(prospect(rule)?),
        RuleKind::Standstill => {
            let counter =
                MetricId::by_name(&rule.metric).is_some_and(|metric| metric.metric().kind == Kind::Counter);
            if !counter {
                let message = format!("`metric`: {} is a gauge; only a counter has to move", rule.metric);
                return Err((Some("metric"), message));
            }
            Test::Standstill(predict::Patience {
                suspicion: positive("suspicion", rule.suspicion, Some(8.0))?,
                horizon_ns: duration("horizon_s", rule.horizon_s, 60.0)?,
            })
        }
        RuleKind::Gone => Test::Gone(recurrence(rule)?),
        RuleKind::Unusual => {
            let direction = rule.direction.unwrap_or(Direction::Both);
            Test::Unusual(Habit {
                above: direction != Direction::Below,
                below: direction != Direction::Above,
                min_change: at_least_zero("min_change", rule.min_change, 0.0)?,
                every_ns: duration("every_s", Some(positive("every_s", rule.every_s, Some(10.0))?), 0.0)?,
            })
        }
        RuleKind::UnusualTogether => Test::UnusualTogether,
    })
}

/// A trend says little about a time many times as long as itself.
const HORIZON_WINDOWS: f64 = 10.0;

fn prospect(rule: &RuleConfig) -> Result<Prospect, Wrong> {
    let (level, falls) = match (level("above", rule.above)?, level("below", rule.below)?) {
        (Some(above), None) => (above, false),
        (None, Some(below)) => (below, true),
        _ => return Err((None, "give `above` or `below`: the level at which it is used up".to_owned())),
    };
    let window_s = positive("window_s", rule.window_s, Some(300.0))?;
    let horizon_s = positive("horizon_s", rule.horizon_s, Some(window_s * HORIZON_WINDOWS))?;
    if horizon_s > window_s * HORIZON_WINDOWS {
        let message = format!(
            "`horizon_s` is {horizon_s}: a trend over {window_s} seconds says nothing about more than \
             {HORIZON_WINDOWS} times as long; make `window_s` longer"
        );
        return Err((Some("horizon_s"), message));
    }
    let outlook = Outlook::new(
        duration("window_s", Some(window_s), 0.0)?,
        duration("horizon_s", Some(horizon_s), 0.0)?,
    );
    Ok(Prospect { level, falls, outlook })
}

fn recurrence(rule: &RuleConfig) -> Result<Option<Recurrence>, Wrong> {
    let Some(times) = rule.times else {
        return match rule.within_s {
            Some(_) => Err((Some("within_s"), "`within_s` needs `times`: how often is too often".to_owned())),
            None => Ok(None),
        };
    };
    let within_ns = duration("within_s", Some(positive("within_s", rule.within_s, None)?), 0.0)?;
    match usize::try_from(times) {
        Ok(times) if (2..=TIMES_MAX).contains(&times) => Ok(Some(Recurrence { times, within_ns })),
        _ => Err((Some("times"), format!("`times` is {times}; allowed are 2 to {TIMES_MAX}"))),
    }
}

fn threshold(rule: &RuleConfig, above: f64, below: f64) -> Result<Test, Wrong> {
    if rule.above.is_none() && rule.below.is_none() {
        return Err((None, "`above` or `below` is missing: the level at which it fires".to_owned()));
    }
    if above < below {
        let message = format!("`above` ({above}) is less than `below` ({below}): it would always fire");
        return Err((Some("above"), message));
    }
    let (mut clear_above, mut clear_below) = (above, below);
    if let Some(clear) = level("clear", rule.clear)? {
        if rule.above.is_some() && rule.below.is_some() {
            return Err((Some("clear"), "`clear` needs one level; with two, use `clear_for_s`".to_owned()));
        }
        if clear > above || clear < below {
            let message = format!("`clear` ({clear}) is on the bad side of the level");
            return Err((Some("clear"), message));
        }
        if rule.above.is_some() { clear_above = clear } else { clear_below = clear }
    }
    Ok(Test::Threshold { above, below, clear_above, clear_below })
}

fn guard(guard: &GuardConfig, scope: Scope, wanted: &mut Wanted) -> Result<Guard, Wrong> {
    const KEY: &str = "only_if";
    let wrong = |message: String| (Some(KEY), format!("`{KEY}`: {message}"));
    let metric = known(KEY, &guard.metric)?;
    let counter = metric.metric().kind == Kind::Counter;
    let of_vm = matches!(scope, Scope::Vcpu | Scope::VmNet | Scope::VmDisk);
    let place = match metric.scope() {
        same if same == scope => GuardPlace::Row(place(metric, wanted), counter),
        _ if counter => {
            return Err(wrong(format!(
                "{} is a counter of another scope; only a gauge can be used",
                guard.metric
            )));
        }
        Scope::Vm if of_vm => GuardPlace::Vm(metric),
        Scope::Host => GuardPlace::Host(metric),
        other => {
            let message =
                format!("{} is of scope {}; the rule's is {}", guard.metric, other.name(), scope.name());
            return Err(wrong(format!("{message}, and it may be host, or vm for what belongs to a VM")));
        }
    };
    let levels = guard.above.is_some() || guard.below.is_some();
    if levels != guard.is.is_empty() {
        return Err(wrong("give `is`, or `above` or `below`, and not both".to_owned()));
    }
    Ok(Guard {
        place,
        above: level(KEY, guard.above)?.unwrap_or(f64::INFINITY),
        below: level(KEY, guard.below)?.unwrap_or(f64::NEG_INFINITY),
        is: states(KEY, &guard.is)?,
    })
}

fn states(key: &'static str, values: &[i64]) -> Result<ArrayVec<i64, STATES_MAX>, Wrong> {
    ArrayVec::try_from(values).map_err(|_| (Some(key), format!("`{key}`: at most {STATES_MAX} values")))
}

fn level(key: &'static str, value: Option<f64>) -> Result<Option<f64>, Wrong> {
    match value {
        Some(value) if !value.is_finite() => {
            Err((Some(key), format!("`{key}` is {value}; a level is a number")))
        }
        value => Ok(value),
    }
}

fn at_least_zero(key: &'static str, value: Option<f64>, default: f64) -> Result<f64, Wrong> {
    let value = level(key, value)?.unwrap_or(default);
    if value < 0.0 {
        Err((Some(key), format!("`{key}` is {value}; it cannot be negative")))
    } else {
        Ok(value)
    }
}

fn positive(key: &'static str, value: Option<f64>, default: Option<f64>) -> Result<f64, Wrong> {
    let Some(value) = level(key, value)?.or(default) else {
        return Err((None, format!("`{key}` is missing")));
    };
    if value > 0.0 { Ok(value) } else { Err((Some(key), format!("`{key}` is {value}; it must be above 0"))) }
}

/// Seconds become nanoseconds.
fn duration(key: &'static str, value: Option<f64>, default: f64) -> Result<u64, Wrong> {
    let seconds = at_least_zero(key, value, default)?;
    if seconds > SECONDS_MAX {
        return Err((Some(key), format!("`{key}` is {seconds}; allowed are 0 to {SECONDS_MAX} seconds")));
    }
    // Finite, not negative, at most a week: always a `Duration`.
    let duration = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default();
    Ok(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

const fn default_clear_s(kind: RuleKind) -> f64 {
    match kind {
        RuleKind::Gone => 300.0,
        _ => 0.0,
    }
}

fn text<const N: usize>(key: &'static str, text: &str) -> Result<ArrayString<N>, Wrong> {
    ArrayString::from(text).map_err(|_| (Some(key), format!("`{key}` is longer than {N} bytes")))
}

/// FNV-1a over everything that decides how a rule judges.
fn identity(rule: &RuleConfig, config: &Config) -> u64 {
    let timing =
        [config.sampling.interval_ms, config.sampling.slow_every_ticks, config.sampling.monitor_every_ticks];
    let text = format!("{rule:?} {timing:?} {:?}", config.limits);
    super::speak::fnv1a(text.as_bytes(), super::speak::FNV_BASIS)
}
