//! One page that needs nothing else: no script, no font, no picture from anywhere, and a policy in its head that has the
//! browser refuse them. It reads in the dark, prints, and says everything its plots say in words, too.
//!
//! ```text
//! what is wrong, counted and drawn ▸ subjects ▸ per subject: what, why, evidence, cure ▸ waived ▸ not judged ▸ all
//! ```
//! Names come from the owners of guests: whatever is not markup of this module goes through [`escape::Text`].

mod escape;
mod plot;
mod sections;
#[cfg(test)]
mod tests;

use super::json::rfc3339;
use crate::checks::board::Tally;
use crate::checks::declared::RuleSet;
use crate::checks::finding::{Finding, Verdict};
use escape::Text;
use std::fmt::{self, Write};
use std::sync::Arc;

const STYLE: &str = include_str!("style.css");

/// What a report is about.
#[derive(Clone, Debug, Default)]
pub struct About<'a> {
    /// The host's name; empty when it is not known.
    pub host: &'a str,
    /// When the run ended, in nanoseconds since the epoch.
    pub finished_ns: i64,
}

/// The findings as a page.
#[must_use]
pub fn page(findings: &[Arc<Finding>], rules: &RuleSet, about: &About<'_>) -> String {
    let mut out = String::with_capacity(64 * 1024 + findings.len() * 1024);
    // Writing to a String cannot fail.
    let _ = write(&mut out, findings, rules, about);
    out
}

fn write(out: &mut String, findings: &[Arc<Finding>], rules: &RuleSet, about: &About<'_>) -> fmt::Result {
    let report = Report::of(findings, rules);
    head(out, about)?;
    summary(out, &report)?;
    sections::subjects(out, &report)?;
    sections::wrong(out, &report)?;
    sections::waived(out, &report)?;
    sections::unknown(out, &report)?;
    sections::everything(out, &report)?;
    out.write_str(
        "</main>\n<footer><p>A verdict is never open: what could not be read is <em>unknown</em>, with the reason, and \
         never a pass. A waiver holds for the value that was observed and until its day; it never changes a \
         verdict.</p></footer>\n</body>\n</html>\n",
    )
}

/// The findings, sorted for reading.
struct Report<'a> {
    findings: &'a [Arc<Finding>],
    rules: &'a RuleSet,
    tally: Tally,
    /// Every subject with its findings: those with the worst findings first.
    subjects: Vec<Vec<&'a Finding>>,
}

impl<'a> Report<'a> {
    fn of(findings: &'a [Arc<Finding>], rules: &'a RuleSet) -> Self {
        let mut tally = Tally::default();
        let mut sorted: Vec<&Finding> = findings.iter().map(Arc::as_ref).collect();
        for finding in &sorted {
            tally.count(finding);
        }
        sorted.sort_by_key(|finding| {
            (finding.subject.vm().map(|vm| vm.id), !finding.is_open(), std::cmp::Reverse(finding.severity))
        });
        let of_one =
            |a: &&Finding, b: &&Finding| a.subject.vm().map(|vm| vm.id) == b.subject.vm().map(|vm| vm.id);
        let mut subjects: Vec<Vec<&Finding>> = sorted.chunk_by(of_one).map(<[_]>::to_vec).collect();
        subjects.sort_by_cached_key(|findings| std::cmp::Reverse(weight(findings)));
        Self { findings, rules, tally, subjects }
    }

    fn open(&self) -> impl Iterator<Item = &'a Finding> {
        self.findings.iter().map(Arc::as_ref).filter(|finding| finding.is_open())
    }

    fn title(&self, finding: &Finding) -> &'a str {
        self.rules.find(&finding.rule).map_or("A rule or waiver is broken", |(_, rule)| &*rule.title)
    }
}

/// How much there is to act on, the worst severity first.
fn weight(findings: &[&Finding]) -> [usize; 5] {
    let mut counts = [0; 5];
    for finding in findings.iter().filter(|finding| finding.is_open()) {
        counts[5 - finding.severity as usize] += 1;
    }
    counts
}

fn head(out: &mut String, about: &About<'_>) -> fmt::Result {
    let host = if about.host.is_empty() { "this host" } else { about.host };
    writeln!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"/>\n<meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <title>Isolation and configuration of {host}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n\
         <p class=\"kind\">Bartizan report</p>\n<h1>Isolation and configuration of <span class=\"host\">{host}</span></h1>\n\
         <p class=\"when\">{when} · bartizan {version}</p>\n</header>\n<main>",
        host = Text(host),
        when = rfc3339(about.finished_ns),
        version = env!("CARGO_PKG_VERSION"),
    )
}

/// The one sentence, the numbers, and the plot.
fn summary(out: &mut String, report: &Report<'_>) -> fmt::Result {
    let open = report.open().count();
    let bad = report.subjects.iter().filter(|findings| weight(findings) != [0; 5]).count();
    out.write_str("<section aria-labelledby=\"summary\">\n<h2 id=\"summary\">Summary</h2>\n")?;
    let subjects = report.subjects.len();
    match open {
        0 => out.write_str("<p class=\"lead good\">Nothing found that needs action.")?,
        1 => out.write_str("<p class=\"lead bad\">One finding needs action.")?,
        _ if subjects == 1 => write!(out, "<p class=\"lead bad\">{open} findings need action.")?,
        _ => write!(
            out,
            "<p class=\"lead bad\">{open} findings need action, on {bad} of {subjects} subjects."
        )?,
    }
    match report.tally.of(Verdict::Unknown) {
        0 => {}
        1 => out.write_str(" One could not be judged.")?,
        unknown => write!(out, " {unknown} could not be judged.")?,
    }
    out.write_str("</p>\n<dl class=\"counts\">\n")?;
    let waived = report.tally.waived;
    let counts = [
        ("fail", "open", open as u64),
        ("waived", "waived", waived),
        ("unknown", "unknown", report.tally.of(Verdict::Unknown)),
        ("pass", "pass", report.tally.of(Verdict::Pass)),
        ("na", "do not apply", report.tally.of(Verdict::NotApplicable)),
    ];
    for (class, word, count) in counts {
        writeln!(out, "<div class=\"{class}\"><dt>{word}</dt><dd>{count}</dd></div>")?;
    }
    out.write_str("</dl>\n")?;
    plot::by_severity(out, report.findings)?;
    out.write_str("</section>\n")
}
