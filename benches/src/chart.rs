//! Bars, as an SVG.

use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const NAME_WIDTH: f64 = 250.0;
const FIGURE_WIDTH: f64 = 90.0;
const BAR_HEIGHT: f64 = 16.0;
const ROW_HEIGHT: f64 = 24.0;
const GROUP_HEIGHT: f64 = 34.0;
const TOP: f64 = 44.0;

/// One bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// What it is of.
    pub name: String,
    /// How long it is.
    pub value: f64,
    /// Whether it is ours.
    pub ours: bool,
}

/// Draws groups of bars to one linear scale: bars that look short are.
#[must_use]
pub fn bars(title: &str, unit: &str, groups: &[(String, Vec<Bar>)]) -> String {
    let all = || groups.iter().flat_map(|(_, bars)| bars);
    let longest = all().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    let rows = all().fold(0.0, |rows, _| rows + 1.0);
    let heads = groups.iter().fold(0.0, |heads, _| heads + 1.0);
    let height = TOP + rows * ROW_HEIGHT + heads * GROUP_HEIGHT + 10.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\" role=\"img\">\n<title>{title}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"26\" font-size=\"15\" font-weight=\"bold\" fill=\"#1b1f24\">{title}</text>\n",
        title = escaped(title),
    );
    let mut y = TOP;
    for (head, bars) in groups {
        y += GROUP_HEIGHT;
        let _ = writeln!(
            svg,
            "<text x=\"12\" y=\"{:.0}\" font-weight=\"bold\" fill=\"#1b1f24\">{}</text>",
            y - 10.0,
            escaped(head)
        );
        for bar in bars {
            let length = (bar.value / longest * (WIDTH - NAME_WIDTH - FIGURE_WIDTH)).max(1.0);
            let colour = if bar.ours { "#0b7a5c" } else { "#8a94a0" };
            let base = y + BAR_HEIGHT - 3.0;
            let _ = writeln!(
                svg,
                "<text x=\"{:.0}\" y=\"{base:.0}\" text-anchor=\"end\" fill=\"#1b1f24\">{}</text>\
                 <rect x=\"{NAME_WIDTH:.0}\" y=\"{y:.0}\" width=\"{length:.1}\" height=\"{BAR_HEIGHT:.0}\" fill=\"{colour}\"/>\
                 <text x=\"{:.1}\" y=\"{base:.0}\" fill=\"#1b1f24\">{:.1} {}</text>",
                NAME_WIDTH - 8.0,
                escaped(&bar.name),
                NAME_WIDTH + length + 6.0,
                bar.value,
                escaped(unit)
            );
            y += ROW_HEIGHT;
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bar_is_drawn_to_scale() {
        let bar = |name: &str, value, ours| Bar { name: name.into(), value, ours };
        let groups =
            [("a <group>".to_owned(), vec![bar("ours", 10.0, true), bar("theirs & co", 100.0, false)])];
        let svg = bars("title", "ms/s", &groups);
        let full = WIDTH - NAME_WIDTH - FIGURE_WIDTH;
        assert!(
            svg.contains(&format!("width=\"{full:.1}\""))
                && svg.contains(&format!("width=\"{:.1}\"", full / 10.0))
        );
        assert!(
            svg.contains("a &lt;group&gt;") && svg.contains("theirs &amp; co") && svg.ends_with("</svg>\n")
        );
    }
}
