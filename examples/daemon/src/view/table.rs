//! Columns as wide as what they hold.

use super::paint::Paint;
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// Rows of cells; a heading that begins with `>` is right-aligned.
pub struct Table {
    headings: Vec<(String, bool)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(headings: &[&str]) -> Self {
        let heading = |text: &&str| match text.strip_prefix('>') {
            Some(text) => (text.to_owned(), true),
            None => ((*text).to_owned(), false),
        };
        Self { headings: headings.iter().map(heading).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Writes it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, out: &mut impl Write, paint: Paint) -> io::Result<()> {
        let cell = |row: &Vec<String>, index: usize| row.get(index).map_or(0, |text| width(text));
        let widths: Vec<usize> = self
            .headings
            .iter()
            .enumerate()
            .map(|(index, (heading, _))| {
                let widest = self.rows.iter().map(|row| cell(row, index)).max().unwrap_or(0);
                widest.max(width(heading))
            })
            .collect();
        let headings: Vec<_> = self.headings.iter().map(|(text, _)| text.clone()).collect();
        writeln!(out, "{}", paint.bold(&self.line(&headings, &widths)))?;
        for row in &self.rows {
            writeln!(out, "{}", self.line(row, &widths))?;
        }
        Ok(())
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((text, columns), (_, right)) in cells.iter().zip(widths).zip(&self.headings) {
            if !line.is_empty() {
                line.push_str("  ");
            }
            let space = " ".repeat(columns.saturating_sub(width(text)));
            if *right {
                line.push_str(&space);
                line.push_str(text);
            } else {
                line.push_str(text);
                line.push_str(&space);
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// Columns a text takes on a terminal; colours take none.
fn width(text: &str) -> usize {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\x1b' {
            characters.by_ref().find(|c| *c == 'm');
        } else {
            plain.push(character);
        }
    }
    plain.width()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ColorWhen;

    #[test]
    fn columns_line_up_whatever_is_in_them() {
        let mut table = Table::new(&["NAME", ">CPU"]);
        table.row(vec!["日本".to_owned(), "5".to_owned()]);
        table.row(vec![Paint::new(ColorWhen::Always).bad("web-front"), "100".to_owned()]);
        let mut out = Vec::new();
        table.write(&mut out, Paint::new(ColorWhen::Never)).unwrap();
        let text = String::from_utf8(out).unwrap();
        let widths: Vec<_> = text.lines().map(width).collect();
        assert_eq!(widths, [14, 14, 14], "{text}");
    }
}
