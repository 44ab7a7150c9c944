//! One rule, one subject, the facts: one finding. A rule that panics is broken, and says so; the others go on.

use super::case::Case;
use super::declared::rule::{Facet, Rule};
use super::declared::{Condition, Truth};
use super::fact::Fact;
use super::facts::{Facts, Place};
use super::finding::{Finding, Outcome, Subject, Verdict, unknown};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A finding, and every fact that went into it: when one of them changes, the rule is to look again.
pub struct Judgement {
    /// What was found.
    pub finding: Finding,
    /// What it depends on.
    pub depends_on: Vec<Place>,
}

/// Judges one rule for one subject.
#[must_use]
pub fn judge(rule: &Rule, facts: &Facts, subject: &Subject, now_ns: i64) -> Judgement {
    let mut finding = Finding {
        rule: Arc::clone(&rule.id),
        severity: rule.severity,
        subject: subject.clone(),
        outcomes: Box::default(),
        note: Box::default(),
        verdict: Verdict::NotApplicable,
        waived: None,
        first_seen_ns: now_ns,
        changed_at_ns: now_ns,
        changed_from: None,
        flaps: 0,
    };
    let mut depends_on = Vec::new();
    if let Some(when) = &rule.when {
        let (truth, _) = guarded(when, facts, subject, &mut depends_on);
        let apart = match truth {
            Ok(Truth::Holds) => None,
            Ok(Truth::Fails(why) | Truth::NotApplicable(why)) => Some((Verdict::NotApplicable, why)),
            Ok(Truth::Unknown(key, why)) => {
                let note = format!("whether it applies is not known: {}", unknown(&key, &why));
                Some((Verdict::Unknown, note))
            }
            Err(panic) => Some((Verdict::Error, panic)),
        };
        if let Some((verdict, note)) = apart {
            finding.verdict = verdict;
            finding.note = note.into();
            return Judgement { finding, depends_on };
        }
    }
    let outcomes = rule.facets().map(|(facet, condition)| {
        let (truth, seen) = guarded(condition, facts, subject, &mut depends_on);
        outcome(facet, truth, seen)
    });
    finding.outcomes = outcomes.collect();
    finding.verdict = finding.outcomes.iter().map(|o| o.verdict).max().unwrap_or(Verdict::NotApplicable);
    depends_on.sort_unstable();
    depends_on.dedup();
    Judgement { finding, depends_on }
}

/// Judges a condition; returns the facts it saw, and adds what it depends on.
fn guarded(
    condition: &Condition,
    facts: &Facts,
    subject: &Subject,
    depends_on: &mut Vec<Place>,
) -> (Result<Truth, String>, Vec<Arc<Fact>>) {
    let case = Case::new(facts, subject.vm());
    let truth = catch_unwind(AssertUnwindSafe(|| condition.judge(&case)));
    let truth = truth.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        format!("the rule is broken: {text}")
    });
    let (seen, each) = case.into_seen();
    depends_on.extend(each);
    let (ids, evidence): (Vec<Place>, Vec<Arc<Fact>>) = seen.into_iter().unzip();
    depends_on.extend(ids);
    (truth, evidence)
}

fn outcome(facet: Facet, truth: Result<Truth, String>, evidence: Vec<Arc<Fact>>) -> Outcome {
    let (verdict, reason, unknown_why) = match truth {
        Ok(Truth::Holds) => (Verdict::Pass, String::new(), ""),
        Ok(Truth::Fails(why)) => (Verdict::Fail, why, ""),
        Ok(Truth::NotApplicable(why)) => (Verdict::NotApplicable, why, ""),
        Ok(Truth::Unknown(key, why)) => (Verdict::Unknown, unknown(&key, &why), why.name()),
        Err(panic) => (Verdict::Error, panic, ""),
    };
    Outcome { facet, verdict, reason: reason.into(), unknown_why, evidence: evidence.into() }
}
