//! Numbers and durations for people, written without allocating.

use crate::sampling::metrics::Unit;
use std::fmt::{self, Display, Formatter, Write};

/// What a rule's number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    /// A number of things.
    Count,
    /// Things per second.
    PerSecond,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Seconds.
    Seconds,
    /// Seconds per second.
    ShareOfTime,
    /// A part of a whole.
    Share,
    /// Degrees Celsius.
    Celsius,
    /// Joules.
    Joules,
    /// Joules per second.
    Watts,
    /// Hertz.
    Hertz,
    /// The number of a state that the metric's help names.
    State,
}

impl Quantity {
    /// What a metric's value, or its rate, means.
    pub(super) const fn of(unit: Unit, rate: bool) -> Self {
        match (unit, rate) {
            (Unit::Count | Unit::Hertz | Unit::State, true) => Self::PerSecond,
            (Unit::Count, false) => Self::Count,
            (Unit::Bytes, true) => Self::BytesPerSecond,
            (Unit::Bytes, false) => Self::Bytes,
            (Unit::Nanoseconds, true) => Self::ShareOfTime,
            (Unit::Nanoseconds, false) => Self::Seconds,
            (Unit::PartsPerMillion, _) => Self::Share,
            (Unit::MilliCelsius, _) => Self::Celsius,
            (Unit::MicroJoules, true) => Self::Watts,
            (Unit::MicroJoules, false) => Self::Joules,
            (Unit::Hertz, false) => Self::Hertz,
            (Unit::State, false) => Self::State,
        }
    }

    /// What one quantity divided by another means.
    pub(super) fn over(self, other: Self) -> Self {
        match (self, other) {
            (Self::ShareOfTime, Self::PerSecond) => Self::Seconds,
            (Self::ShareOfTime, Self::Count) => Self::ShareOfTime,
            (Self::BytesPerSecond, Self::PerSecond) | (Self::Bytes, Self::Count) => Self::Bytes,
            (Self::PerSecond, Self::Count) => Self::PerSecond,
            (a, b) if a == b => Self::Share,
            _ => Self::Count,
        }
    }
}

/// A value with its unit.
pub(super) struct Shown {
    pub(super) value: f64,
    pub(super) quantity: Quantity,
    /// The metric's help text, for the names of states.
    pub(super) help: &'static str,
}

impl Display for Shown {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const BINARY: &[&str] = &["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
        let value = self.value;
        match self.quantity {
            Quantity::Count => scaled(f, value, 1_000.0, &["", "k", "M", "G", "T"]),
            Quantity::PerSecond => scaled(f, value, 1_000.0, &["/s", "k/s", "M/s", "G/s"]),
            Quantity::Bytes => scaled(f, value, 1_024.0, BINARY),
            Quantity::BytesPerSecond => scaled(f, value, 1_024.0, BINARY).and_then(|()| f.write_str("/s")),
            Quantity::Seconds => span(f, value),
            Quantity::ShareOfTime => percent(f, value).and_then(|()| f.write_str(" of the time")),
            Quantity::Share => percent(f, value),
            Quantity::Celsius => number(f, value).and_then(|()| f.write_str(" °C")),
            Quantity::Joules => scaled(f, value, 1_000.0, &["J", "kJ", "MJ", "GJ"]),
            Quantity::Watts => scaled(f, value, 1_000.0, &["W", "kW", "MW"]),
            Quantity::Hertz => scaled(f, value, 1_000.0, &["Hz", "kHz", "MHz", "GHz"]),
            Quantity::State => match state_word(self.help, value) {
                Some(word) => f.write_str(word),
                None => number(f, value),
            },
        }
    }
}

/// A duration in nanoseconds.
pub(super) struct Duration(pub(super) u64);

impl Display for Duration {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        span(f, super::table::nanoseconds(self.0) * 1e-9)
    }
}

/// The word that a metric's help gives to a state: `... : 1 running, 2 stopped (SIGSTOP), ...`.
pub(super) fn state_word(help: &'static str, value: f64) -> Option<&'static str> {
    let (_, list) = help.split_once(": ")?;
    list.split([',', ';', '.', '(', ')']).find_map(|item| {
        let (number, word) = item.trim().split_once(' ')?;
        // States are small whole numbers.
        (f64::from(number.parse::<i32>().ok()?) - value).abs().lt(&0.5).then_some(word)
    })
}

fn percent(f: &mut Formatter<'_>, value: f64) -> fmt::Result {
    number(f, value * 100.0)?;
    f.write_str(" %")
}

/// Two digits after the point below ten, one below a hundred, none above, and none that are zero.
fn number(f: &mut Formatter<'_>, value: f64) -> fmt::Result {
    let size = value.abs();
    let (digits, unit) = match size {
        _ if size >= 100.0 => (0, 1.0),
        _ if size >= 10.0 => (1, 10.0),
        _ => (2, 100.0),
    };
    let rounded = (value * unit).round() / unit;
    if rounded.fract() == 0.0 && (rounded != 0.0 || value == 0.0) {
        write!(f, "{rounded:.0}")
    } else if size >= 0.01 {
        write!(f, "{value:.digits$}")
    } else {
        write!(f, "{value:.1e}")
    }
}

fn scaled(f: &mut Formatter<'_>, value: f64, base: f64, units: &[&str]) -> fmt::Result {
    let mut value = value;
    let mut unit = 0;
    while value.abs() >= base && unit + 1 < units.len() {
        value /= base;
        unit += 1;
    }
    number(f, value)?;
    let unit = units[unit];
    if unit.starts_with(|first: char| first.is_ascii_uppercase()) && !matches!(unit, "M" | "G" | "T") {
        f.write_char(' ')?;
    }
    f.write_str(unit)
}

fn span(f: &mut Formatter<'_>, seconds: f64) -> fmt::Result {
    let size = seconds.abs();
    let (value, unit) = match size {
        0.0 => (0.0, "s"),
        _ if size < 1e-6 => (seconds * 1e9, "ns"),
        _ if size < 1e-3 => (seconds * 1e6, "µs"),
        _ if size < 1.0 => (seconds * 1e3, "ms"),
        _ if size < 120.0 => (seconds, "s"),
        _ if size < 7_200.0 => (seconds / 60.0, "min"),
        _ if size < 172_800.0 => (seconds / 3_600.0, "h"),
        _ => (seconds / 86_400.0, "days"),
    };
    // Whole seconds say enough of anything longer than ten.
    let value = if size >= 10.0 { value.round() } else { value };
    number(f, value)?;
    write!(f, " {unit}")
}

/// A text of fixed size that is cut, between characters, when it is full.
pub(super) struct Bounded<const N: usize> {
    text: arrayvec::ArrayString<N>,
    full: bool,
}

impl<const N: usize> Bounded<N> {
    pub(super) const fn new() -> Self {
        Self { text: arrayvec::ArrayString::new_const(), full: false }
    }

    pub(super) fn into_inner(self) -> arrayvec::ArrayString<N> {
        self.text
    }
}

impl<const N: usize> Write for Bounded<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.full {
            return Ok(());
        }
        let mut end = text.len().min(self.text.remaining_capacity());
        self.full = end < text.len();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.text.push_str(&text[..end]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::metrics::vm;

    fn shown(value: f64, quantity: Quantity) -> String {
        Shown { value, quantity, help: vm::STATE.metric().help }.to_string()
    }

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(shown(0.431, Quantity::ShareOfTime), "43.1 % of the time");
        assert_eq!(shown(0.2, Quantity::Share), "20 %");
        assert_eq!(shown(1.5 * 1024.0 * 1024.0, Quantity::Bytes), "1.50 MiB");
        assert_eq!(shown(2_048.0, Quantity::BytesPerSecond), "2 KiB/s");
        assert_eq!(shown(81_234.0, Quantity::PerSecond), "81.2k/s");
        assert_eq!(shown(999.0, Quantity::Count), "999");
        assert_eq!(shown(12_345_678.0, Quantity::Count), "12.3M");
        assert_eq!(shown(0.0, Quantity::Seconds), "0 s");
        assert_eq!(shown(0.0123, Quantity::Seconds), "12.3 ms");
        assert_eq!(shown(12.3, Quantity::Seconds), "12 s");
        assert_eq!(shown(300.0, Quantity::Seconds), "5 min");
        assert_eq!(shown(71.5, Quantity::Celsius), "71.5 °C");
        assert_eq!(shown(250.0, Quantity::Watts), "250 W");
        assert_eq!(Duration(90_000_000_000).to_string(), "90 s");
        assert_eq!(Duration(7_200_000_000_000).to_string(), "2 h");
    }

    #[test]
    fn states_have_the_words_of_the_metrics_help() {
        assert_eq!(shown(1.0, Quantity::State), "running");
        assert_eq!(shown(2.0, Quantity::State), "stopped");
        assert_eq!(shown(5.0, Quantity::State), "uninterruptible");
        assert_eq!(shown(77.0, Quantity::State), "77");
    }

    #[test]
    fn a_full_text_is_cut_between_characters() {
        let mut text = Bounded::<8>::new();
        write!(text, "abc").expect("room");
        write!(text, "défgh").expect("cut");
        write!(text, "zz").expect("ignored");
        assert_eq!(text.into_inner().as_str(), "abcdéfg");
        let mut text = Bounded::<5>::new();
        write!(text, "abcdé").expect("cut");
        assert_eq!(text.into_inner().as_str(), "abcd");
    }
}
