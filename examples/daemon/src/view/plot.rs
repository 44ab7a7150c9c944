//! A series with the band that was expected, as a plot for a terminal or for a page.

use super::paint::Paint;
use super::units;
use std::fmt::Write as _;

/// One point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Wall-clock time, nanoseconds since 1970.
    pub at_ns: i64,
    /// What was seen.
    pub value: f64,
    /// The lower end of what was expected; not finite where there is none.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// A series of points in the order of time.
#[derive(Clone, Debug, Default)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// The points.
    pub points: Vec<Point>,
    /// The moment that is marked.
    pub mark_ns: i64,
}

/// Dots of a braille character, by column and row.
const DOTS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
const SVG_WIDTH: f64 = 880.0;
const SVG_HEIGHT: f64 = 220.0;

/// How numbers become places: the ranges of time and of values.
struct Scale {
    from_ns: i64,
    to_ns: i64,
    low: f64,
    high: f64,
}

impl Scale {
    fn of(points: &[Point]) -> Option<Self> {
        let (first, last) = (points.first()?, points.last()?);
        // The band counts as far as it lies within three times what was seen: one wild bound must not flatten the rest.
        let seen = points.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), point| {
            (low.min(point.value), high.max(point.value))
        });
        let reach = 3.0 * (seen.1 - seen.0).max(seen.1.abs() * 0.01).max(f64::MIN_POSITIVE);
        let near = |bound: &f64| bound.is_finite() && *bound > seen.0 - reach && *bound < seen.1 + reach;
        let bounds = points.iter().flat_map(|point| [point.low, point.high]).filter(near);
        let (low, high) = bounds.fold(seen, |(low, high), bound| (low.min(bound), high.max(bound)));
        let high = if high > low { high } else { low + 1.0 };
        Some(Self { from_ns: first.at_ns, to_ns: last.at_ns.max(first.at_ns + 1), low, high })
    }

    /// From 0 at the left to 1 at the right.
    #[expect(clippy::cast_precision_loss, reason = "a place on a screen")]
    fn x(&self, at_ns: i64) -> f64 {
        ((at_ns - self.from_ns) as f64 / (self.to_ns - self.from_ns) as f64).clamp(0.0, 1.0)
    }

    /// From 0 at the bottom to 1 at the top.
    fn y(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to a number of columns")]
fn place(part: f64, places: usize) -> usize {
    let last = f64::from(u16::try_from(places.saturating_sub(1)).unwrap_or(u16::MAX));
    (part * last).round() as usize
}

impl Plot {
    /// Lines of text: what was seen in dots, what was expected as a shade, and the moment below. `show` writes a value.
    #[must_use]
    pub fn text(
        &self,
        columns: usize,
        rows: usize,
        paint: Paint,
        show: impl Fn(f64) -> String,
    ) -> Vec<String> {
        let Some(scale) = Scale::of(&self.points) else { return vec![format!("{}: no values", self.title)] };
        let mut dots = vec![vec![0u8; columns]; rows];
        let mut outside = vec![vec![false; columns]; rows];
        let mut band = vec![(usize::MAX, 0usize); columns];
        for point in &self.points {
            let (x, y) = (place(scale.x(point.at_ns), columns * 2), place(scale.y(point.value), rows * 4));
            let (row, dot) = (rows - 1 - y / 4, 3 - y % 4);
            dots[row][x / 2] |= DOTS[x % 2][dot];
            outside[row][x / 2] |= point.value < point.low || point.value > point.high;
            let bound =
                |bound: f64, otherwise: f64| if bound.is_finite() { scale.y(bound) } else { otherwise };
            let (low, high) = (place(bound(point.low, 0.0), rows), place(bound(point.high, 1.0), rows));
            let column = &mut band[x / 2];
            *column = (column.0.min(rows - 1 - high), column.1.max(rows - 1 - low));
        }
        let (top, bottom) = (show(scale.high), show(scale.low));
        let margin = top.chars().count().max(bottom.chars().count());
        let mut lines = vec![paint.bold(&units::printable(&self.title))];
        for row in 0..rows {
            let label = if row == 0 {
                &top
            } else if row + 1 == rows {
                &bottom
            } else {
                ""
            };
            let mut line = format!("{label:>margin$} ┤");
            for column in 0..columns {
                let shaded = (band[column].0..=band[column].1).contains(&row);
                if dots[row][column] > 0 {
                    let dot =
                        char::from_u32(0x2800 + u32::from(dots[row][column])).unwrap_or('?').to_string();
                    line += &if outside[row][column] { paint.bad(&dot) } else { dot };
                } else if shaded {
                    line += &paint.dim("░");
                } else {
                    line.push(' ');
                }
            }
            line.truncate(line.trim_end().len());
            lines.push(line);
        }
        let mark = place(scale.x(self.mark_ns), columns);
        lines.push(format!("{:margin$}  {}{}", "", " ".repeat(mark), paint.bad("▲")));
        let (from, to) = (units::time_of_day(scale.from_ns), units::time_of_day(scale.to_ns));
        let between = columns.saturating_sub(from.chars().count() + to.chars().count());
        lines.push(paint.dim(&format!("{:margin$}  {from}{}{to}", "", " ".repeat(between))));
        lines
    }

    /// One SVG element that needs nothing else. `show` writes a value.
    #[must_use]
    pub fn svg(&self, show: impl Fn(f64) -> String) -> String {
        let Some(scale) = Scale::of(&self.points) else { return String::new() };
        let x = |at_ns: i64| scale.x(at_ns) * SVG_WIDTH;
        let y = |value: f64| (1.0 - scale.y(value)) * SVG_HEIGHT;
        let place = |at_ns, value| format!("{:.1},{:.1} ", x(at_ns), y(value));
        let line: String = self.points.iter().map(|point| place(point.at_ns, point.value)).collect();
        let bound = |bound: f64, otherwise: f64| if bound.is_finite() { bound } else { otherwise };
        let high = self.points.iter().map(|point| place(point.at_ns, bound(point.high, scale.high)));
        let low = self.points.iter().rev().map(|point| place(point.at_ns, bound(point.low, scale.low)));
        let band: String = high.chain(low).collect();
        let mark = x(self.mark_ns);
        let mut svg = format!(
            "<svg viewBox=\"-90 -24 {:.0} {:.0}\" role=\"img\"><title>{}</title>",
            SVG_WIDTH + 100.0,
            SVG_HEIGHT + 50.0,
            escaped(&self.title)
        );
        let _ = write!(
            svg,
            "<polygon class=\"band\" points=\"{band}\"/><line class=\"mark\" x1=\"{mark:.1}\" x2=\"{mark:.1}\" y1=\"0\" \
             y2=\"{SVG_HEIGHT}\"/><polyline class=\"seen\" points=\"{line}\"/>"
        );
        let texts = [
            (-6.0, 10.0, "end", show(scale.high)),
            (-6.0, SVG_HEIGHT, "end", show(scale.low)),
            (0.0, SVG_HEIGHT + 18.0, "start", units::time_of_day(scale.from_ns)),
            (SVG_WIDTH, SVG_HEIGHT + 18.0, "end", units::time_of_day(scale.to_ns)),
        ];
        for (x, y, anchor, text) in texts {
            let _ =
                write!(svg, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{}</text>", escaped(&text));
        }
        svg + "</svg>"
    }
}

/// A text within HTML.
#[must_use]
pub fn escaped(text: &str) -> String {
    units::printable(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ColorWhen;

    fn step() -> Plot {
        let point = |index: i64| {
            let value = if index < 30 { 1.0 } else { 9.0 };
            Point { at_ns: index * 1_000_000_000, value, low: 0.0, high: 2.0 }
        };
        Plot { title: "a <step>".into(), points: (0..40).map(point).collect(), mark_ns: 31_000_000_000 }
    }

    #[test]
    fn a_step_is_seen_above_its_band_and_marked() {
        let lines = step().text(40, 8, Paint::new(ColorWhen::Never), |value| format!("{value:.0}"));
        assert_eq!(lines.len(), 11);
        assert!(lines[1].starts_with("9 ┤") && lines[1].ends_with('⠈'), "{lines:#?}");
        assert!(lines[8].starts_with("0 ┤") && lines[8].contains('░'), "{lines:#?}");
        assert_eq!(lines[9].chars().position(|c| c == '▲'), Some(3 + 31), "{lines:#?}");
        assert!(lines.iter().all(|line| !line.contains('\x1b')));
        let coloured = step().text(40, 8, Paint::new(ColorWhen::Always), |value| format!("{value:.0}"));
        assert!(coloured[1].contains('\x1b'));
    }

    #[test]
    fn a_page_holds_the_band_the_line_and_the_moment_and_no_markup_of_others() {
        let svg = step().svg(|value| format!("{value}"));
        assert!(
            svg.contains("class=\"band\"")
                && svg.contains("class=\"seen\"")
                && svg.contains("class=\"mark\"")
        );
        assert!(svg.contains("a &lt;step&gt;") && !svg.contains("<step>"));
    }

    #[test]
    fn nothing_one_point_and_wild_bounds_are_no_trouble() {
        let show = |value: f64| format!("{value}");
        assert_eq!(Plot::default().text(10, 4, Paint::new(ColorWhen::Never), show).len(), 1);
        let wild = Point { at_ns: 5, value: 0.0, low: f64::NEG_INFINITY, high: 1e300 };
        let plot = Plot { points: vec![wild], ..Plot::default() };
        assert_eq!(plot.text(10, 4, Paint::new(ColorWhen::Never), show).len(), 7);
        assert!(!plot.svg(show).contains("NaN"));
    }
}
