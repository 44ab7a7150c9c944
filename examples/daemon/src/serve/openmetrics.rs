//! Values as text: `OpenMetrics` 1.0 and Prometheus' text format 0.0.4.
//!
//! What has no value is left out, never 0, and counted in `bartizan_unavailable{source,reason}`. The text is made
//! chunk by chunk while it is sent.

use super::http::{CHUNK_BYTES, Stream};
use super::labels::Labels;
use bartizan_core::engine::Reader;
use bartizan_core::sampling::availability::Availability;
use bartizan_core::sampling::frame::Reading;
use bartizan_core::sampling::metrics::{Kind, Metric, Scope, Source, Unit};
use std::fmt::Write as _;

/// The two formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `OpenMetrics` 1.0.
    OpenMetrics,
    /// Prometheus' text format 0.0.4, for whoever does not name the other.
    Text,
}

impl Format {
    /// The one that an `Accept` field prefers.
    #[must_use]
    pub fn negotiate(accept: &str) -> Self {
        let (mut openmetrics, mut text) = (0.0_f32, 0.0_f32);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or("");
            let quality = parts
                .find_map(|parameter| parameter.strip_prefix("q="))
                .map_or(1.0, |q| q.parse::<f32>().ok().filter(|q| (0.0..=1.0).contains(q)).unwrap_or(0.0));
            match media.to_ascii_lowercase().as_str() {
                "application/openmetrics-text" => openmetrics = openmetrics.max(quality),
                "text/plain" => text = text.max(quality),
                _ => {}
            }
        }
        if openmetrics > 0.0 && openmetrics >= text { Self::OpenMetrics } else { Self::Text }
    }

    /// Its media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// What kind of family it is, as the formats name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FamilyKind {
    /// Only goes up.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Says something in its labels; the value is 1.
    Info,
}

/// Writes the three lines above a family's samples, and returns the name its samples carry.
pub fn write_family(
    out: &mut String,
    format: Format,
    name: &str,
    kind: FamilyKind,
    unit: &str,
    help: &str,
) -> String {
    let sample_name = match kind {
        FamilyKind::Counter => format!("{name}_total"),
        FamilyKind::Gauge => name.to_owned(),
        FamilyKind::Info => format!("{name}_info"),
    };
    let (family, kind) = match (format, kind) {
        (Format::OpenMetrics, FamilyKind::Counter) => (name, "counter"),
        (Format::OpenMetrics, FamilyKind::Info) => (name, "info"),
        (Format::Text, FamilyKind::Counter) => (sample_name.as_str(), "counter"),
        // The older format knows no info.
        (_, FamilyKind::Gauge) | (Format::Text, FamilyKind::Info) => (sample_name.as_str(), "gauge"),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(out, "# TYPE {family} {kind}");
    if format == Format::OpenMetrics && !unit.is_empty() {
        let _ = writeln!(out, "# UNIT {family} {unit}");
    }
    out.push_str("# HELP ");
    out.push_str(family);
    out.push(' ');
    escape_help(out, help, format);
    out.push('\n');
    sample_name
}

/// Appends a label's value: backslash, quote and line feed escaped, as both formats ask.
pub fn escape_label(out: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

fn escape_help(out: &mut String, help: &str, format: Format) {
    for character in help.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if format == Format::OpenMetrics => out.push_str("\\\""),
            other => out.push(other),
        }
    }
}

/// Decimal places between the stored and the exported unit.
const fn decimals(unit: Unit) -> usize {
    match unit {
        Unit::Count | Unit::Bytes | Unit::Hertz | Unit::State => 0,
        Unit::MilliCelsius => 3,
        Unit::PartsPerMillion | Unit::MicroJoules => 6,
        Unit::Nanoseconds => 9,
    }
}

/// Appends a stored value in its exported unit, exactly: no floating point on the way.
pub fn write_value(out: &mut String, value: i64, unit: Unit) {
    let places = decimals(unit);
    if places == 0 {
        let _ = write!(out, "{value}");
        return;
    }
    let divisor = 10_u64.pow(u32::try_from(places).unwrap_or(0));
    let magnitude = value.unsigned_abs();
    if value < 0 {
        out.push('-');
    }
    let _ = write!(out, "{}", magnitude / divisor);
    let fraction = magnitude % divisor;
    if fraction > 0 {
        let text = format!("{fraction:0places$}");
        out.push('.');
        out.push_str(text.trim_end_matches('0'));
    }
}

/// Everything the agent knows, on its way out.
pub struct Exposition {
    reader: Reader,
    format: Format,
    labels: Labels,
    scopes: Vec<Scope>,
    /// Written after the metrics: what the daemon says of itself.
    tail: String,
    scope: usize,
    metric: usize,
    entity: usize,
    /// The name under which the family at hand writes its samples; empty until its first sample.
    sample_name: String,
    unavailable: Vec<[u64; Availability::ALL.len()]>,
    text: String,
}

impl Exposition {
    /// Begins an exposition of these scopes, which ends with `tail`.
    #[must_use]
    pub fn new(reader: Reader, format: Format, scopes: Vec<Scope>, tail: String) -> Self {
        Self {
            labels: Labels::of(&reader, &scopes),
            reader,
            format,
            scopes,
            tail,
            scope: 0,
            metric: 0,
            entity: 0,
            sample_name: String::new(),
            unavailable: vec![[0; Availability::ALL.len()]; Source::COUNT],
            text: String::with_capacity(CHUNK_BYTES + 4096),
        }
    }

    fn write_sample(&mut self, metric: &Metric, reading: Reading, scope: Scope) {
        if reading.availability != Availability::Ok {
            self.unavailable[metric.source as usize][reading.availability as usize] += 1;
            return;
        }
        if self.sample_name.is_empty() {
            let kind = match metric.kind {
                Kind::Counter => FamilyKind::Counter,
                Kind::Gauge => FamilyKind::Gauge,
            };
            let name = format!("bartizan_{}", metric.name);
            self.sample_name =
                write_family(&mut self.text, self.format, &name, kind, metric.unit.suffix(), metric.help);
        }
        self.text.push_str(&self.sample_name);
        self.text.push_str(self.labels.text(scope, self.entity));
        self.text.push(' ');
        write_value(&mut self.text, reading.value, metric.unit);
        self.text.push('\n');
    }

    fn write_end(&mut self) {
        self.labels.write_infos(&mut self.text, self.format);
        let name = write_family(
            &mut self.text,
            self.format,
            "bartizan_unavailable",
            FamilyKind::Gauge,
            "",
            "Values left out of this exposition, by source and reason.",
        );
        for source in Source::ALL {
            for availability in Availability::ALL {
                let count = self.unavailable[source as usize][availability as usize];
                if count > 0 {
                    let _ = writeln!(
                        self.text,
                        "{name}{{source=\"{}\",reason=\"{}\"}} {count}",
                        source.name(),
                        availability.name()
                    );
                }
            }
        }
        self.text.push_str(&self.tail);
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
    }
}

impl Stream for Exposition {
    fn fill(&mut self, out: &mut Vec<u8>) -> bool {
        self.text.clear();
        let mut more = true;
        while self.text.len() < CHUNK_BYTES {
            let Some(scope) = self.scopes.get(self.scope).copied() else {
                self.write_end();
                more = false;
                break;
            };
            let Some(metric) = scope.metrics().get(self.metric) else {
                self.scope += 1;
                self.metric = 0;
                continue;
            };
            let Some(entity) = self.labels.entity(scope, self.entity) else {
                self.metric += 1;
                self.entity = 0;
                self.sample_name.clear();
                continue;
            };
            let reading = self.reader.read(entity, metric.id);
            self.write_sample(metric, reading, scope);
            self.entity += 1;
        }
        out.extend_from_slice(self.text.as_bytes());
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_exact_in_the_exported_unit() {
        let text = |value, unit| {
            let mut out = String::new();
            write_value(&mut out, value, unit);
            out
        };
        assert_eq!(text(1_500_000_000, Unit::Nanoseconds), "1.5");
        assert_eq!(text(1, Unit::Nanoseconds), "0.000000001");
        assert_eq!(text(-45_500, Unit::MilliCelsius), "-45.5");
        assert_eq!(text(i64::MIN, Unit::Nanoseconds), "-9223372036.854775808");
        assert_eq!(text(i64::MAX, Unit::Bytes), "9223372036854775807");
        assert_eq!(text(0, Unit::PartsPerMillion), "0");
    }

    #[test]
    fn the_format_is_what_the_client_prefers() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(Format::negotiate(prometheus), Format::OpenMetrics);
        assert_eq!(Format::negotiate("text/plain;version=0.0.4"), Format::Text);
        assert_eq!(Format::negotiate("text/plain, application/openmetrics-text;q=0.1"), Format::Text);
        assert_eq!(Format::negotiate("application/openmetrics-text;q=0"), Format::Text);
        assert_eq!(Format::negotiate(""), Format::Text);
        assert_eq!(Format::negotiate("*/*"), Format::Text);
    }

    #[test]
    fn a_counter_is_named_as_each_format_asks() {
        let mut out = String::new();
        let open =
            write_family(&mut out, Format::OpenMetrics, "b_x_seconds", FamilyKind::Counter, "seconds", "H.");
        assert_eq!(open, "b_x_seconds_total");
        assert_eq!(out, "# TYPE b_x_seconds counter\n# UNIT b_x_seconds seconds\n# HELP b_x_seconds H.\n");
        out.clear();
        write_family(&mut out, Format::Text, "b_x_seconds", FamilyKind::Counter, "seconds", "H.");
        assert_eq!(out, "# TYPE b_x_seconds_total counter\n# HELP b_x_seconds_total H.\n");
    }

    fn unescape(text: &str) -> String {
        let mut out = String::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match (character, character == '\\') {
                (_, true) => match characters.next() {
                    Some('n') => out.push('\n'),
                    Some(other) => out.push(other),
                    None => panic!("a lone backslash at the end of {text:?}"),
                },
                (other, false) => out.push(other),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn a_label_survives_and_never_breaks_its_line(value in any::<String>()) {
            let mut escaped = String::new();
            escape_label(&mut escaped, &value);
            prop_assert!(!escaped.contains('\n'));
            let bare_quotes = escaped.replace("\\\\", "").replace("\\\"", "").contains('"');
            prop_assert!(!bare_quotes);
            prop_assert_eq!(unescape(&escaped), value);
        }

        #[test]
        fn a_value_reads_back(value in any::<i64>()) {
            let mut out = String::new();
            write_value(&mut out, value, Unit::Nanoseconds);
            let (whole, fraction) = out.split_once('.').unwrap_or((&out, ""));
            let digits = format!("{whole}{fraction:0<9}");
            prop_assert_eq!(digits.parse::<i128>().unwrap(), i128::from(value));
        }
    }
}
