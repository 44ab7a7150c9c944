//! Findings for a person: what is wrong, on which VM, why it matters, how it is put right.

use super::paint::Paint;
use super::units::{printable, time_of_day};
use bartizan_core::checks::board::Tally;
use bartizan_core::checks::{Change, ChangeKind, Finding, RuleSet, Verdict};
use std::io::{self, Write};
use std::sync::Arc;

/// Reasons that are shown of what could not be judged, unless all is asked for.
const UNKNOWN_SHOWN_MAX: usize = 10;

/// Writes a report: the worst first, grouped by subject; what passes only when asked for.
///
/// # Errors
/// When it cannot be written.
pub fn write(
    out: &mut impl Write,
    findings: &[Arc<Finding>],
    rules: &RuleSet,
    all: bool,
    paint: Paint,
) -> io::Result<()> {
    let mut failing: Vec<&Arc<Finding>> =
        findings.iter().filter(|f| matches!(f.verdict, Verdict::Fail | Verdict::Error)).collect();
    failing.sort_by_key(|finding| {
        (finding.waived.is_some(), finding.subject.vm().map(|vm| vm.id), std::cmp::Reverse(finding.severity))
    });
    let mut subject = None;
    for finding in failing {
        let shown = finding.subject.to_string();
        if subject.as_ref() != Some(&shown) {
            writeln!(out, "{}", paint.bold(&printable(&shown)))?;
            subject = Some(shown);
        }
        failed(out, finding, rules, paint)?;
    }
    let unknown: Vec<_> = findings.iter().filter(|finding| finding.verdict == Verdict::Unknown).collect();
    if !unknown.is_empty() {
        writeln!(out, "{}", paint.bold("Could not be judged"))?;
        let shown = if all { unknown.len() } else { UNKNOWN_SHOWN_MAX };
        for finding in unknown.iter().take(shown) {
            one_line(out, finding, rules, paint)?;
        }
        if unknown.len() > shown {
            writeln!(out, "  and {} more (--all)", unknown.len() - shown)?;
        }
        writeln!(out)?;
    }
    if all {
        for verdict in [Verdict::Pass, Verdict::NotApplicable] {
            writeln!(
                out,
                "{}",
                paint.bold(if verdict == Verdict::Pass { "Passes" } else { "Does not apply" })
            )?;
            for finding in findings.iter().filter(|finding| finding.verdict == verdict) {
                one_line(out, finding, rules, paint)?;
            }
            writeln!(out)?;
        }
    }
    summary(out, findings, paint)
}

fn failed(out: &mut impl Write, finding: &Finding, rules: &RuleSet, paint: Paint) -> io::Result<()> {
    let rule = rules.find(&finding.rule).map(|(_, rule)| rule);
    let severity = paint.check_severity(finding.severity, &format!("{:8}", finding.severity.name()));
    let title = rule.map_or("a rule that cannot be used", |rule| &*rule.title);
    writeln!(out, "  {severity} {}  {}", paint.bold(&finding.rule), printable(title))?;
    for outcome in finding.outcomes.iter().filter(|outcome| outcome.verdict >= Verdict::Unknown) {
        let verdict = paint.verdict(outcome.verdict, outcome.verdict.name());
        writeln!(out, "           {} {verdict}: {}", outcome.facet.name(), printable(&outcome.reason))?;
        let mut sources: Vec<&str> = Vec::new();
        for fact in &outcome.evidence {
            if !sources.contains(&&*fact.source) {
                sources.push(&fact.source);
            }
        }
        writeln!(out, "{}", paint.dim(&format!("           read from {}", printable(&sources.join(", ")))))?;
    }
    if !finding.note.is_empty() {
        writeln!(out, "           {}", printable(&finding.note))?;
    }
    if let Some(rule) = rule {
        writeln!(out, "           why  {}", rule.rationale.trim())?;
        writeln!(out, "           cure {}", rule.remediation.trim())?;
    }
    if let Some(waived) = &finding.waived {
        let (owner, reason) = (printable(&waived.owner), printable(&waived.reason));
        writeln!(
            out,
            "           {}",
            paint.warn(&format!("waived by {owner} until {}: {reason}", waived.expires))
        )?;
    }
    writeln!(out)
}

fn one_line(out: &mut impl Write, finding: &Finding, rules: &RuleSet, paint: Paint) -> io::Result<()> {
    let title = rules.find(&finding.rule).map_or("", |(_, rule)| &*rule.title);
    let subject = finding.subject.vm().map_or_else(String::new, |vm| format!(" [{}]", printable(&vm.name)));
    let reason = match finding.reason() {
        reason if reason.is_empty() => title.to_owned(),
        reason => reason,
    };
    writeln!(out, "  {}{subject}  {}", finding.rule, paint.dim(&printable(&reason)))
}

fn summary(out: &mut impl Write, findings: &[Arc<Finding>], paint: Paint) -> io::Result<()> {
    writeln!(out, "{}", tally_line(findings, paint))
}

/// How many there are of each verdict, as one line.
#[must_use]
pub fn tally_line(findings: &[Arc<Finding>], paint: Paint) -> String {
    let mut tally = Tally::default();
    for finding in findings {
        tally.count(finding);
    }
    let count = |verdict: Verdict, word: &str| {
        let number = tally.of(verdict);
        let text = format!("{number} {word}");
        if number > 0 { paint.verdict(verdict, &text) } else { text }
    };
    let waived = if tally.waived > 0 { format!(" ({} waived)", tally.waived) } else { String::new() };
    format!(
        "{}{waived}, {}, {}, {}, {}",
        count(Verdict::Fail, "fail"),
        count(Verdict::Error, "broken"),
        count(Verdict::Unknown, "unknown"),
        count(Verdict::Pass, "pass"),
        count(Verdict::NotApplicable, "not applicable")
    )
}

/// One change as one line: when, what it is now, which check, about whom, and why.
#[must_use]
pub fn change_line(change: &Change, paint: Paint) -> String {
    let finding = &change.finding;
    let at = paint.dim(&time_of_day(finding.changed_at_ns));
    let now = match change.kind {
        ChangeKind::Gone => paint.dim("gone"),
        ChangeKind::Waiver if finding.waived.is_some() => paint.warn("waived"),
        _ => paint.verdict(finding.verdict, finding.verdict.name()),
    };
    let (rule, subject) = (paint.bold(&finding.rule), printable(&finding.subject.to_string()));
    let was =
        finding.changed_from.as_deref().map_or_else(String::new, |(was, _)| format!(" (was {})", was.name()));
    format!("{at} check {now}{was} {rule}, {subject}: {}", printable(&finding.reason()))
}
