//! The parts of the page below its summary.

use super::escape::Text;
use super::{Report, plot, weight};
use crate::checks::declared::rule::{Rule, Severity};
use crate::checks::fact::Fact;
use crate::checks::finding::{Finding, Outcome, Verdict};
use crate::checks::report::json::rfc3339;
use std::fmt::{self, Write};

/// Findings that are told in full; those beyond are in the table of everything. With more than that the page is too
/// heavy for a browser, and nobody reads on.
const ARTICLES_MAX: usize = 1_000;
/// Facts that are shown of one finding: one that compares all VMs stands on a fact of each.
const FACTS_MAX: usize = 16;
/// Characters of a reason in a table.
const REASON_CHARS_MAX: usize = 400;

/// Every subject in one row: how many findings need action, by severity, and what all of them are.
pub(super) fn subjects(out: &mut String, report: &Report<'_>) -> fmt::Result {
    out.write_str(
        "<section aria-labelledby=\"subjects\">\n<h2 id=\"subjects\">Subjects</h2>\n<div class=\"wide\">\n<table \
         class=\"subjects\">\n<caption>Findings that need action, the worst subject first</caption>\n<thead><tr>\
         <th scope=\"col\">Subject</th><th scope=\"col\">Tenant</th>",
    )?;
    for severity in Severity::ALL.iter().rev() {
        write!(out, "<th scope=\"col\">{}</th>", severity.name())?;
    }
    out.write_str("<th scope=\"col\">All findings</th></tr></thead>\n<tbody>\n")?;
    for (place, findings) in report.subjects.iter().enumerate() {
        let counts = weight(findings);
        let name = Text(&name(findings)).to_string();
        let name = if counts == [0; 5] { name } else { format!("<a href=\"#s{place}\">{name}</a>") };
        let tenant = findings[0].subject.vm().map_or("", |vm| vm.tenant.as_str());
        write!(out, "<tr><th scope=\"row\">{name}</th><td>{}</td>", Text(tenant))?;
        for (severity, count) in Severity::ALL.iter().rev().zip(counts) {
            match count {
                0 => out.write_str("<td class=\"none\">0</td>")?,
                _ => write!(out, "<td class=\"sev-{}\">{count}</td>", severity.name())?,
            }
        }
        out.write_str("<td>")?;
        plot::small(out, &plot::count(findings.iter().copied()))?;
        out.write_str("</td></tr>\n")?;
    }
    out.write_str("</tbody>\n</table>\n</div>\n</section>\n")
}

/// Subject by subject, what needs action.
pub(super) fn wrong(out: &mut String, report: &Report<'_>) -> fmt::Result {
    if report.open().next().is_none() {
        return Ok(());
    }
    out.write_str("<section aria-labelledby=\"wrong\">\n<h2 id=\"wrong\">What is wrong</h2>\n")?;
    let mut room = ARTICLES_MAX;
    for (place, findings) in report.subjects.iter().enumerate() {
        if weight(findings) == [0; 5] {
            continue;
        }
        writeln!(
            out,
            "<section class=\"subject\" aria-labelledby=\"s{place}\">\n<h3 id=\"s{place}\">{}</h3>",
            Text(&name(findings))
        )?;
        if let Some(vm) = findings[0].subject.vm() {
            let parts = [
                ("process", vm.id.pid.to_string()),
                ("run by", vm.vmm.name().to_owned()),
                ("UUID", vm.uuid.clone()),
                ("tenant", vm.tenant.clone()),
                ("cgroup", vm.cgroup.clone()),
            ];
            out.write_str("<dl class=\"facts\">")?;
            for (word, value) in parts.iter().filter(|(_, value)| !value.is_empty()) {
                write!(out, "<div><dt>{word}</dt><dd>{}</dd></div>", Text(value))?;
            }
            out.write_str("</dl>\n")?;
        }
        for finding in findings.iter().filter(|finding| finding.is_open()).take(room) {
            article(out, report, finding)?;
        }
        let open: usize = weight(findings).iter().sum();
        if open > room {
            writeln!(
                out,
                "<p class=\"more\">{} more: see <a href=\"#all\">everything</a>.</p>",
                open - room
            )?;
        }
        room = room.saturating_sub(open);
        out.write_str("</section>\n")?;
    }
    out.write_str("</section>\n")
}

/// One finding: what, why it matters, how it is put right, and what it stands on.
fn article(out: &mut String, report: &Report<'_>, finding: &Finding) -> fmt::Result {
    let rule = report.rules.find(&finding.rule).map(|(_, rule)| rule);
    writeln!(
        out,
        "<article class=\"edge-{severity}\">\n<h4><span class=\"badge sev-{severity}\">{severity}</span> {title}</h4>\n\
         <p class=\"id\"><code>{id}</code></p>\n<p class=\"reason\">{reason}</p>",
        severity = finding.severity.name(),
        title = Text(report.title(finding)),
        id = Text(&finding.rule),
        reason = Text(&finding.reason()),
    )?;
    if let Some(rule) = rule {
        writeln!(
            out,
            "<dl class=\"texts\">\n<div><dt>Why it matters</dt><dd>{}</dd></div>\n<div><dt>How to put it right</dt>\
             <dd class=\"cure\">{}</dd></div>\n</dl>",
            Text(rule.rationale.trim()),
            Text(rule.remediation.trim()),
        )?;
    }
    if !finding.outcomes.is_empty() {
        out.write_str("<details open=\"open\">\n<summary>Evidence</summary>\n")?;
        for outcome in &finding.outcomes {
            evidence(out, outcome, rule)?;
        }
        out.write_str("</details>\n")?;
    }
    out.write_str("<p class=\"life\">")?;
    if let Some((verdict, observed)) = finding.changed_from.as_deref() {
        write!(
            out,
            "Changed {} from {}: {}. ",
            rfc3339(finding.changed_at_ns),
            verdict.name(),
            Text(observed)
        )?;
    }
    if let Some(rule) = rule.filter(|rule| !rule.references.is_empty()) {
        write!(out, "References: {}", Text(&rule.references.join(" · ")))?;
    }
    out.write_str("</p>\n</article>\n")
}

fn evidence(out: &mut String, outcome: &Outcome, rule: Option<&Rule>) -> fmt::Result {
    let expected = rule.map(|rule| rule.expectation(outcome.facet)).unwrap_or_default();
    writeln!(
        out,
        "<p class=\"facet\"><strong class=\"v-{verdict}\">{verdict}</strong> {facet}; expected: <code>{expected}</code></p>",
        verdict = outcome.verdict.name(),
        facet = match outcome.facet.name() {
            "runtime" => "now, while it runs",
            _ => "after the next start",
        },
        expected = Text(&expected),
    )?;
    if outcome.evidence.is_empty() {
        return Ok(());
    }
    out.write_str(
        "<div class=\"wide\">\n<table class=\"evidence\">\n<thead><tr><th scope=\"col\">Fact</th><th scope=\"col\">Observed\
         </th><th scope=\"col\">Where</th><th scope=\"col\">Read at</th></tr></thead>\n<tbody>\n",
    )?;
    for fact in outcome.evidence.iter().take(FACTS_MAX) {
        fact_row(out, fact)?;
    }
    out.write_str("</tbody>\n</table>\n</div>\n")?;
    match outcome.evidence.len().saturating_sub(FACTS_MAX) {
        0 => Ok(()),
        more => writeln!(out, "<p class=\"more\">{more} more facts: see the report as JSON.</p>"),
    }
}

fn fact_row(out: &mut String, fact: &Fact) -> fmt::Result {
    write!(out, "<tr><th scope=\"row\"><code>{}</code></th><td>", Text(&fact.key))?;
    match &fact.value {
        Ok(_) => write!(out, "<code>{}</code>", Text(&fact.shown()))?,
        Err(why) => write!(out, "<em>{}</em>", Text(&why.to_string()))?,
    }
    // What says no more than the value is left out.
    if !fact.raw.is_empty() && *fact.raw != *fact.shown() {
        write!(out, "<pre>{}</pre>", Text(&fact.raw))?;
    }
    writeln!(
        out,
        "</td><td>{}</td><td class=\"at\">{}</td></tr>",
        Text(&fact.source),
        rfc3339(fact.read_at_ns)
    )
}

/// What somebody answers for.
pub(super) fn waived(out: &mut String, report: &Report<'_>) -> fmt::Result {
    let waived = report.findings.iter().filter_map(|finding| Some((finding, finding.waived.as_ref()?)));
    let mut rows = waived.peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    out.write_str(
        "<section aria-labelledby=\"waived\">\n<h2 id=\"waived\">Waived</h2>\n<div class=\"wide\">\n<table>\n<caption>Findings \
         that somebody answers for, for the value that was observed</caption>\n<thead><tr><th scope=\"col\">Check</th>\
         <th scope=\"col\">Subject</th><th scope=\"col\">Verdict</th><th scope=\"col\">Owner</th><th scope=\"col\">Reason</th>\
         <th scope=\"col\">Until</th></tr></thead>\n<tbody>\n",
    )?;
    for (finding, waived) in rows {
        writeln!(
            out,
            "<tr><th scope=\"row\"><code>{}</code></th><td>{}</td><td><span class=\"v-{verdict}\">{verdict}</span></td><td>{}</td>\
             <td>{}</td><td class=\"at\">{}</td></tr>",
            Text(&finding.rule),
            Text(&finding.subject.to_string()),
            Text(&waived.owner),
            Text(&waived.reason),
            Text(&waived.expires),
            verdict = finding.verdict.name(),
        )?;
    }
    out.write_str("</tbody>\n</table>\n</div>\n</section>\n")
}

/// What could not be judged, and why: often one permission opens many.
pub(super) fn unknown(out: &mut String, report: &Report<'_>) -> fmt::Result {
    let mut rows: Vec<(String, &Finding)> = (report.findings.iter())
        .filter(|finding| finding.verdict == Verdict::Unknown)
        .map(|finding| (finding.reason(), &**finding))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    rows.sort_by(|a, b| (&a.0, &a.1.rule).cmp(&(&b.0, &b.1.rule)));
    out.write_str(
        "<section aria-labelledby=\"unknown\">\n<h2 id=\"unknown\">Could not be judged</h2>\n<div class=\"wide\">\n<table>\n\
         <caption>What could not be read, which is never a pass</caption>\n<thead><tr><th scope=\"col\">Why</th>\
         <th scope=\"col\">Check</th><th scope=\"col\">Subject</th></tr></thead>\n<tbody>\n",
    )?;
    for (why, finding) in rows {
        writeln!(
            out,
            "<tr><td>{}</td><th scope=\"row\"><code>{}</code> {}</th><td>{}</td></tr>",
            Text(&shortened(&why)),
            Text(&finding.rule),
            Text(report.title(finding)),
            Text(&finding.subject.to_string()),
        )?;
    }
    out.write_str("</tbody>\n</table>\n</div>\n</section>\n")
}

/// Every finding in one row.
pub(super) fn everything(out: &mut String, report: &Report<'_>) -> fmt::Result {
    out.write_str(
        "<section aria-labelledby=\"all\">\n<h2 id=\"all\">Everything</h2>\n<details>\n<summary>All findings</summary>\n\
         <div class=\"wide\">\n<table>\n<thead><tr><th scope=\"col\">Verdict</th><th scope=\"col\">Severity</th>\
         <th scope=\"col\">Check</th><th scope=\"col\">Subject</th><th scope=\"col\">Reason</th></tr></thead>\n<tbody>\n",
    )?;
    for finding in report.subjects.iter().flatten() {
        writeln!(
            out,
            "<tr><td><span class=\"v-{verdict}\">{verdict}</span>{waived}</td><td>{}</td><th scope=\"row\"><code>{}</code> {}</th>\
             <td>{}</td><td>{}</td></tr>",
            finding.severity.name(),
            Text(&finding.rule),
            Text(report.title(finding)),
            Text(&finding.subject.to_string()),
            Text(&shortened(&finding.reason())),
            verdict = finding.verdict.name(),
            waived = if finding.waived.is_some() { " (waived)" } else { "" },
        )?;
    }
    out.write_str("</tbody>\n</table>\n</div>\n</details>\n</section>\n")
}

fn shortened(reason: &str) -> String {
    match reason.char_indices().nth(REASON_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &reason[..end]),
        None => reason.to_owned(),
    }
}

/// The subject's name, as a heading has it.
fn name(findings: &[&Finding]) -> String {
    findings[0].subject.vm().map_or_else(|| "The host".to_owned(), |vm| vm.name.clone())
}
