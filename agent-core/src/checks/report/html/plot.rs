//! The plots: SVG inside the page, drawn with the page's own colours.

use crate::checks::declared::Severity;
use crate::checks::finding::{Finding, Verdict};
use std::fmt::{self, Write};
use std::sync::Arc;

/// What a bar is made of: a class of the style sheet, and the word in the legend.
const PARTS: [(&str, &str); 6] = [
    ("fail", "fail"),
    ("error", "broken"),
    ("waived", "waived"),
    ("unknown", "unknown"),
    ("pass", "pass"),
    ("na", "does not apply"),
];

const WIDTH: usize = 720;
const LEFT: usize = 84;
const RIGHT: usize = 56;
const ROW: usize = 36;
const BAR: usize = 24;

/// Findings of one kind, in the order of [`PARTS`].
pub(super) type Counts = [usize; PARTS.len()];

/// Where a finding belongs in [`PARTS`].
fn part(finding: &Finding) -> usize {
    match finding.verdict {
        Verdict::Fail | Verdict::Error if finding.waived.is_some() => 2,
        Verdict::Fail => 0,
        Verdict::Error => 1,
        Verdict::Unknown => 3,
        Verdict::Pass => 4,
        Verdict::NotApplicable => 5,
    }
}

/// How many findings there are of each kind.
pub(super) fn count<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Counts {
    let mut counts = Counts::default();
    for finding in findings {
        counts[part(finding)] += 1;
    }
    counts
}

/// A stacked bar for each severity, the worst on top; and the same as a table, for those who cannot see it.
pub(super) fn by_severity(out: &mut String, findings: &[Arc<Finding>]) -> fmt::Result {
    let rows: Vec<(&str, Counts)> = Severity::ALL
        .into_iter()
        .rev()
        .map(|severity| {
            let of = findings.iter().filter(|finding| finding.severity == severity);
            (severity.name(), count(of.map(Arc::as_ref)))
        })
        .collect();
    let most = rows.iter().map(|(_, counts)| counts.iter().sum::<usize>()).max().unwrap_or(0).max(1);
    let height = rows.len() * ROW + 8;
    writeln!(
        out,
        "<figure>\n<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"plot-title plot-text\">\n\
         <title id=\"plot-title\">Findings by severity and verdict</title>\n<desc id=\"plot-text\">One bar for each \
         severity, made of its findings by verdict. The table below has the numbers.</desc>"
    )?;
    for (place, (name, counts)) in rows.iter().enumerate() {
        let y = place * ROW + 8;
        let middle = y + BAR / 2 + 5;
        writeln!(
            out,
            "<text class=\"label\" x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{name}</text>",
            LEFT - 12
        )?;
        let length = WIDTH - LEFT - RIGHT;
        bar(out, counts, most, (LEFT, y), length, BAR)?;
        let total: usize = counts.iter().sum();
        let end = LEFT + length * total / most;
        writeln!(out, "<text class=\"total\" x=\"{}\" y=\"{middle}\">{total}</text>", end + 8)?;
    }
    out.write_str("</svg>\n<figcaption>\n<ul class=\"legend\">\n")?;
    for (class, word) in PARTS {
        writeln!(out, "<li><span class=\"swatch {class}\"></span>{word}</li>")?;
    }
    out.write_str("</ul>\n<details>\n<summary>The same in numbers</summary>\n")?;
    table(out, &rows)?;
    out.write_str("</details>\n</figcaption>\n</figure>\n")
}

/// A small stacked bar: what one subject's findings are.
pub(super) fn small(out: &mut String, counts: &Counts) -> fmt::Result {
    let words: Vec<String> = (PARTS.iter().zip(counts))
        .filter(|(_, count)| **count > 0)
        .map(|((_, word), count)| format!("{count} {word}"))
        .collect();
    write!(
        out,
        "<svg class=\"small\" viewBox=\"0 0 160 12\" role=\"img\" aria-label=\"{}\">",
        words.join(", ")
    )?;
    let total: usize = counts.iter().sum();
    bar(out, counts, total.max(1), (0, 0), 160, 12)?;
    out.write_str("</svg>")
}

/// Segments one after the other. Their ends are rounded down together, so that they meet without a gap and the whole is
/// as long as its count says; the number is written where there is room for it.
fn bar(
    out: &mut String,
    counts: &Counts,
    most: usize,
    (x, y): (usize, usize),
    length: usize,
    height: usize,
) -> fmt::Result {
    let mut sum = 0;
    for ((class, word), count) in PARTS.iter().zip(counts) {
        let from = length * sum / most;
        sum += count;
        let width = length * sum / most - from;
        if *count == 0 {
            continue;
        }
        // A finding is never too small to be seen.
        let shown = width.max(2);
        write!(out, "<g><title>{count} {word}</title>")?;
        write!(
            out,
            "<rect class=\"{class}\" x=\"{}\" y=\"{y}\" width=\"{shown}\" height=\"{height}\"/>",
            x + from
        )?;
        if height == BAR && width >= 14 + 8 * count.to_string().len() {
            let (x, y) = (x + from + width / 2, y + height / 2 + 5);
            write!(
                out,
                "<text class=\"in {class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{count}</text>"
            )?;
        }
        out.write_str("</g>\n")?;
    }
    Ok(())
}

fn table(out: &mut String, rows: &[(&str, Counts)]) -> fmt::Result {
    out.write_str("<table class=\"numbers\">\n<thead><tr><th scope=\"col\">Severity</th>")?;
    for (_, word) in PARTS {
        write!(out, "<th scope=\"col\">{word}</th>")?;
    }
    out.write_str("</tr></thead>\n<tbody>\n")?;
    for (name, counts) in rows {
        write!(out, "<tr><th scope=\"row\">{name}</th>")?;
        for count in counts {
            write!(out, "<td>{count}</td>")?;
        }
        out.write_str("</tr>\n")?;
    }
    out.write_str("</tbody>\n</table>\n")
}
