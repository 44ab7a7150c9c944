//! The table that a benchmark prints, and the same as JSON.

use serde_json::{Value, json};
use std::path::PathBuf;

/// What a ratio should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// Only shown.
    None,
    /// Not more than this.
    AtMost(f64),
    /// Not less than this.
    AtLeast(f64),
}

impl Goal {
    /// Whether a ratio reaches the goal; nothing is said about what has none.
    #[must_use]
    pub fn is_met(self, ratio: f64) -> Option<bool> {
        match self {
            Self::None => None,
            Self::AtMost(limit) => Some(ratio <= limit),
            Self::AtLeast(limit) => Some(ratio >= limit),
        }
    }

    fn text(self) -> String {
        match self {
            Self::None => String::new(),
            Self::AtMost(limit) => format!("<= {limit}"),
            Self::AtLeast(limit) => format!(">= {limit}"),
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// `hot`, `cold`, or what else tells lines of one name apart.
    pub mode: String,
    /// The figure, and its unit.
    pub value: f64,
    /// Such as `us`.
    pub unit: &'static str,
    /// The ratio that counts, and what it is a ratio of.
    pub ratio: Option<(f64, &'static str)>,
    /// What it should be.
    pub goal: Goal,
}

/// All lines of a benchmark.
#[derive(Debug, Default)]
pub struct Report {
    subject: String,
    rows: Vec<Row>,
    remarks: Vec<String>,
}

impl Report {
    /// An empty report.
    #[must_use]
    pub fn new(subject: &str) -> Self {
        Self { subject: subject.to_owned(), ..Self::default() }
    }

    /// Adds a line.
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Says something that no figure says: a peer that was not there, what a figure includes.
    pub fn remark(&mut self, remark: impl Into<String>) {
        self.remarks.push(remark.into());
    }

    /// The figure of the first line of this name; not a number when there is none.
    #[must_use]
    pub fn value_of(&self, name: &str) -> f64 {
        self.rows.iter().find(|row| row.name == name).map_or(f64::NAN, |row| row.value)
    }

    /// The table.
    #[must_use]
    pub fn text(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!("\n{}\n", self.subject);
        for row in &self.rows {
            let ratio = row.ratio.map_or(String::new(), |(ratio, of)| format!("{ratio:.2}x {of}"));
            let verdict = match row.ratio.and_then(|(ratio, _)| row.goal.is_met(ratio)) {
                Some(true) => "met",
                Some(false) => "MISSED",
                None => "",
            };
            let _ = writeln!(
                text,
                "  {:<44} {:<5} {:>12.2} {:<6} {:<32} {:<8} {verdict}",
                row.name,
                row.mode,
                row.value,
                row.unit,
                ratio,
                row.goal.text()
            );
        }
        for remark in &self.remarks {
            let _ = writeln!(text, "  note: {remark}");
        }
        text
    }

    /// The same, for machines.
    #[must_use]
    pub fn json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "name": row.name, "mode": row.mode, "value": row.value, "unit": row.unit,
                    "ratio": row.ratio.map(|(ratio, _)| ratio), "of": row.ratio.map(|(_, of)| of),
                    "goal": row.goal.text(),
                    "met": row.ratio.and_then(|(ratio, _)| row.goal.is_met(ratio)),
                })
            })
            .collect();
        json!({ "subject": self.subject, "rows": rows, "remarks": self.remarks })
    }

    /// Prints the table, writes `target/bench/NAME.json`, and ends the process with 1 when a goal was missed and
    /// `BARTIZAN_BENCH_STRICT` is set.
    pub fn finish(&self, name: &str) {
        print!("{}", self.text());
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from);
        let folder = target.join("bench");
        let written = std::fs::create_dir_all(&folder).and_then(|()| {
            std::fs::write(folder.join(format!("{name}.json")), format!("{:#}\n", self.json()))
        });
        if let Err(error) = written {
            eprintln!("{}: {error}", folder.display());
        }
        let missed = self
            .rows
            .iter()
            .any(|row| row.ratio.and_then(|(ratio, _)| row.goal.is_met(ratio)) == Some(false));
        if missed && std::env::var_os("BARTIZAN_BENCH_STRICT").is_some() {
            std::process::exit(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_judged() {
        assert_eq!(Goal::AtMost(1.15).is_met(1.1), Some(true));
        assert_eq!(Goal::AtMost(1.15).is_met(1.2), Some(false));
        assert_eq!(Goal::AtLeast(5.0).is_met(4.9), Some(false));
        assert_eq!(Goal::None.is_met(1.0), None);
        let mut report = Report::new("subject");
        report.push(Row {
            name: "ours".into(),
            mode: "hot".into(),
            value: 20.0,
            unit: "us",
            ratio: Some((1.2, "bare pread")),
            goal: Goal::AtMost(1.15),
        });
        assert!(report.text().contains("MISSED"));
        assert_eq!(report.json()["rows"][0]["met"], false);
    }
}
