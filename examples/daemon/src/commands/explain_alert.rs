//! `bartizan explain-alert`: what a rule saw before and after it spoke, as a plot. The trace is replayed twice: once to
//! find the alert, once to look closely.

use super::replay::failed;
use crate::cli::{Common, ExplainAlertArgs};
use crate::exit::{Code, Failure};
use crate::view::live::alert_line;
use crate::view::paint::Paint;
use crate::view::plot::{Plot, Point, escaped};
use crate::view::{json, units};
use crate::watch::configure;
use bartizan_core::alerts::{Alert, AlertState};
use bartizan_core::config::Config;
use bartizan_core::detection::Look;
use bartizan_core::trace::Replay;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::Path;

const COLUMNS: usize = 72;
const ROWS: usize = 10;
/// Signs that are drawn; all are listed.
const DRAWN_MAX: usize = 4;
const DRAWN_IN_HTML_MAX: usize = 12;

/// One sign about what an alert is about.
struct Sign {
    look: Look,
    points: Vec<(Point, f32)>,
}

/// What was seen around an alert.
struct Story {
    alert: Alert,
    /// The weightiest first.
    signs: Vec<Sign>,
    /// Strength and threshold.
    evidence: Vec<Point>,
}

pub(super) fn run(common: &Common, args: &ExplainAlertArgs) -> Result<(), Failure> {
    let config = common.config.is_some().then(|| configure(common)).transpose()?;
    let alerts = alerts(&args.trace, config.as_ref())?;
    let paint = Paint::new(common.color);
    let mut out = io::BufWriter::new(io::stdout().lock());
    let Some(number) = args.alert else {
        list(&mut out, &alerts, args.json, paint)?;
        return Ok(out.flush()?);
    };
    let Some(alert) = number.checked_sub(1).and_then(|index| alerts.get(index)) else {
        let message = format!("there is no alert {number}: the trace has {}, counted from 1", alerts.len());
        return Err(Failure::new(Code::Usage, message));
    };
    // What ended is explained by how it began.
    let began = alerts.iter().rev().find(|began| began.id == alert.id && began.state == AlertState::Firing);
    let story = story(
        &args.trace,
        config.as_ref(),
        began.unwrap_or(alert),
        i64::try_from(args.window.as_nanos()).unwrap_or(i64::MAX),
    )?;
    if args.json {
        writeln!(out, "{}", story.json())?;
    } else if args.html {
        write!(out, "{}", story.html())?;
    } else {
        story.text(&mut out, paint)?;
    }
    out.flush()?;
    Ok(())
}

fn open(trace: &Path, config: Option<&Config>) -> Result<Replay<BufReader<File>>, Failure> {
    let file = File::open(trace).map_err(|error| Failure::input(trace, &error))?;
    Replay::new(BufReader::new(file), config).map_err(|error| failed(trace, &error))
}

fn alerts(trace: &Path, config: Option<&Config>) -> Result<Vec<Alert>, Failure> {
    let mut replay = open(trace, config)?;
    let mut alerts = Vec::new();
    while replay.next_tick().map_err(|error| failed(trace, &error))?.is_some() {
        alerts.extend(std::iter::from_fn(|| replay.alerts().next()));
    }
    Ok(alerts)
}

fn list(out: &mut impl Write, alerts: &[Alert], as_json: bool, paint: Paint) -> io::Result<()> {
    for (number, alert) in (1..).zip(alerts) {
        if as_json {
            writeln!(out, "{}", json!({ "number": number, "alert": json::alert(alert) }))?;
        } else {
            writeln!(out, "{number:>5}  {}", alert_line(alert, paint))?;
        }
    }
    if !as_json {
        let how = if alerts.is_empty() { "the rules said nothing" } else { "--alert N explains one of them" };
        writeln!(out, "{how}")?;
    }
    Ok(())
}

fn story(trace: &Path, config: Option<&Config>, alert: &Alert, window_ns: i64) -> Result<Story, Failure> {
    let mut replay = open(trace, config)?;
    replay.detector_mut().look_at(&alert.rule, alert.entity);
    let mut story = Story { alert: *alert, signs: Vec::new(), evidence: Vec::new() };
    let (from_ns, to_ns) =
        (alert.at_wall_ns.saturating_sub(window_ns), alert.at_wall_ns.saturating_add(window_ns / 4));
    while let Some(tick) = replay.next_tick().map_err(|error| failed(trace, &error))? {
        while replay.alerts().next().is_some() {}
        if tick.wall_ns < from_ns || tick.wall_ns > to_ns {
            continue;
        }
        let Some(probe) = replay.detector_mut().probe() else { continue };
        for look in &probe.looks {
            let point = Point {
                at_ns: tick.wall_ns,
                value: look.observed,
                low: look.expected_min,
                high: look.expected_max,
            };
            let known = |sign: &&mut Sign| sign.look.rule == look.rule && sign.look.part == look.part;
            match story.signs.iter_mut().find(known) {
                Some(sign) => {
                    sign.points.push((point, look.weight));
                    if tick.wall_ns <= alert.at_wall_ns {
                        sign.look = *look;
                    }
                }
                None => story.signs.push(Sign { look: *look, points: vec![(point, look.weight)] }),
            }
        }
        if let Some((strength, threshold)) = probe.evidence {
            let (value, high) = (f64::from(strength), f64::from(threshold));
            story.evidence.push(Point { at_ns: tick.wall_ns, value, low: f64::NEG_INFINITY, high });
        }
    }
    story.signs.sort_by(|a, b| b.look.weight.total_cmp(&a.look.weight));
    Ok(story)
}

impl Sign {
    fn plot(&self, mark_ns: i64) -> Plot {
        let points = self.points.iter().map(|(point, _)| *point).collect();
        Plot { title: self.name(), points, mark_ns }
    }

    fn name(&self) -> String {
        let look = &self.look;
        let part = if look.part.is_empty() { String::new() } else { format!("{} ", look.part) };
        format!("{part}{} ({})", look.summary, look.rule)
    }

    fn usual(&self) -> String {
        let (low, high) = (self.look.expected_min, self.look.expected_max);
        match (low.is_finite(), high.is_finite()) {
            (true, true) => format!("{} to {}", self.look.show(low), self.look.show(high)),
            (true, false) => format!("at least {}", self.look.show(low)),
            (false, true) => format!("at most {}", self.look.show(high)),
            (false, false) => String::new(),
        }
    }
}

impl Story {
    fn evidence_plot(&self) -> Plot {
        let title = "strength of all signs together, and from where on it is told".to_owned();
        Plot { title, points: self.evidence.clone(), mark_ns: self.alert.at_wall_ns }
    }

    /// Whether it is told by the weight of signs, or by a rule's own limits.
    fn is_weighed(&self) -> bool {
        !self.evidence.is_empty()
    }

    fn likelihood(&self) -> String {
        let one_in = 1.0 / self.alert.tail_probability.max(1e-18);
        format!(
            "in quiet time once in {} looks, as far as that was learnt; {} signs speak for it",
            units::count(one_in),
            self.alert.signs
        )
    }

    fn text(&self, out: &mut impl Write, paint: Paint) -> io::Result<()> {
        writeln!(out, "{}", alert_line(&self.alert, paint))?;
        if self.is_weighed() {
            writeln!(out, "{}", self.likelihood())?;
        }
        if self.signs.is_empty() {
            return writeln!(out, "this rule looks at no numbers that could be drawn");
        }
        for sign in self.signs.iter().take(DRAWN_MAX) {
            writeln!(out)?;
            let plot = sign.plot(self.alert.at_wall_ns);
            for line in plot.text(COLUMNS, ROWS, paint, |value| sign.look.show(value)) {
                writeln!(out, "{line}")?;
            }
        }
        if !self.is_weighed() {
            return Ok(());
        }
        writeln!(out)?;
        for line in self.evidence_plot().text(COLUMNS, ROWS, paint, |value| format!("{value:.1}")) {
            writeln!(out, "{line}")?;
        }
        writeln!(out)?;
        let mut table = crate::view::table::Table::new(&["SIGN", ">SEEN", ">USUAL", ">WEIGHT"]);
        for sign in &self.signs {
            let seen = sign.look.show(sign.look.observed);
            table.row(vec![sign.name(), seen, sign.usual(), format!("{:.1}", sign.look.weight)]);
        }
        table.write(out, paint)
    }

    fn json(&self) -> Value {
        let finite = |value: f64| value.is_finite().then_some(value);
        let point = |(point, weight): &(Point, f32)| {
            json!({
                "time": units::rfc3339(point.at_ns),
                "observed": finite(point.value),
                "expected_min": finite(point.low),
                "expected_max": finite(point.high),
                "weight": weight,
            })
        };
        let sign = |sign: &Sign| {
            json!({
                "rule": sign.look.rule.as_str(),
                "summary": sign.look.summary.as_str(),
                "part": sign.look.part.as_str(),
                "metric": sign.look.metric.metric().name,
                "weight": sign.look.weight,
                "points": sign.points.iter().map(point).collect::<Vec<_>>(),
            })
        };
        let evidence = |point: &Point| json!({ "time": units::rfc3339(point.at_ns), "strength": point.value, "threshold": point.high });
        json!({
            "type": "explanation",
            "alert": json::alert(&self.alert),
            "signs": self.signs.iter().map(sign).collect::<Vec<_>>(),
            "evidence": self.evidence.iter().map(evidence).collect::<Vec<_>>(),
        })
    }

    fn html(&self) -> String {
        let mut page = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{}</title><style>{STYLE}</style><h1>{}</h1><p>{} \
             {}",
            escaped(&self.alert.rule),
            escaped(&self.alert.message),
            units::rfc3339(self.alert.at_wall_ns),
            escaped(&self.alert.rule)
        );
        if self.is_weighed() {
            let _ = write!(page, "; {}", escaped(&self.likelihood()));
        }
        for sign in self.signs.iter().take(DRAWN_IN_HTML_MAX) {
            let svg = sign.plot(self.alert.at_wall_ns).svg(|value| sign.look.show(value));
            let _ = write!(page, "<h2>{}</h2>{svg}", escaped(&sign.name()));
        }
        if self.is_weighed() {
            let plot = self.evidence_plot();
            let _ =
                write!(page, "<h2>{}</h2>{}", escaped(&plot.title), plot.svg(|value| format!("{value:.1}")));
            page += "<table><tr><th>sign<th>seen<th>usual<th>weight";
            for sign in &self.signs {
                let _ = write!(
                    page,
                    "<tr><td>{}<td>{}<td>{}<td>{:.1}",
                    escaped(&sign.name()),
                    escaped(&sign.look.show(sign.look.observed)),
                    escaped(&sign.usual()),
                    sign.look.weight
                );
            }
            page += "</table>";
        }
        page + "</html>\n"
    }
}

const STYLE: &str = "\
body{font:15px system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}\
h1{font-size:1.3rem}h2{font-size:1rem;margin-top:2rem}svg{width:100%}svg text{font-size:12px;fill:#555}\
.band{fill:#cfe3f5}.seen{fill:none;stroke:#154c79;stroke-width:1.5}.mark{stroke:#c0392b;stroke-dasharray:4}\
table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:left;border-bottom:1px solid #ddd}";
