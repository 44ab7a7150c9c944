//! Numbers, times and names for people.

pub use bartizan_core::sampling::discovery::identify::uuid_text as uuid;
use bartizan_core::sampling::metrics::Unit;
use unicode_width::UnicodeWidthChar;

/// What stands for a value there is none of.
pub const NONE: &str = "-";

/// Bytes with three digits and a binary prefix: `1.5G`.
#[must_use]
pub fn bytes(value: f64) -> String {
    scaled(value, 1024.0, &["B", "K", "M", "G", "T", "P", "E"])
}

/// A number with three digits and a decimal prefix: `12.3k`.
#[must_use]
pub fn count(value: f64) -> String {
    scaled(value, 1000.0, &["", "k", "M", "G", "T", "P", "E"])
}

/// A share as a percentage: `12.5%`.
#[must_use]
pub fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    if percent >= 99.95 { format!("{percent:.0}%") } else { format!("{percent:.1}%") }
}

/// Seconds in the unit that fits: `120µs`, `1.5s`, `3h20m`.
#[must_use]
pub fn seconds(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 {
        "0s".to_owned()
    } else if magnitude < 1e-3 {
        format!("{:.0}µs", value * 1e6)
    } else if magnitude < 1.0 {
        format!("{:.1}ms", value * 1e3)
    } else if magnitude < 60.0 {
        format!("{value:.1}s")
    } else if magnitude < 3600.0 {
        format!("{:.0}m{:02.0}s", (value / 60.0).trunc(), (magnitude % 60.0).trunc())
    } else if magnitude < 86_400.0 {
        format!("{:.0}h{:02.0}m", (value / 3600.0).trunc(), (magnitude % 3600.0 / 60.0).trunc())
    } else {
        format!("{:.0}d{:02.0}h", (value / 86_400.0).trunc(), (magnitude % 86_400.0 / 3600.0).trunc())
    }
}

/// A value in its exported unit.
#[must_use]
pub fn value(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Count => count(value),
        Unit::State => format!("{value:.0}"),
        Unit::Bytes => bytes(value),
        Unit::Nanoseconds => seconds(value),
        Unit::PartsPerMillion => percent(value),
        Unit::MilliCelsius => format!("{value:.1}°C"),
        Unit::MicroJoules => format!("{}J", count(value)),
        Unit::Hertz => format!("{}Hz", count(value)),
    }
}

/// A value that may be missing.
#[must_use]
pub fn optional(value: Option<f64>, format: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| NONE.to_owned(), format)
}

fn scaled(value: f64, step: f64, prefixes: &[&str]) -> String {
    let mut magnitude = value.abs();
    let mut index = 0;
    while magnitude >= step - 0.5 && index + 1 < prefixes.len() {
        magnitude /= step;
        index += 1;
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let places = if index == 0 && magnitude.fract() == 0.0 || magnitude >= 99.95 {
        0
    } else if magnitude >= 9.995 {
        1
    } else {
        2
    };
    format!("{sign}{magnitude:.places$}{}", prefixes[index])
}

/// `CLOCK_REALTIME` nanoseconds as RFC 3339 in UTC, with milliseconds.
#[must_use]
pub fn rfc3339(wall_ns: i64) -> String {
    let since_epoch = std::time::Duration::from_nanos(u64::try_from(wall_ns).unwrap_or(0));
    humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + since_epoch).to_string()
}

/// The time of day of such a time, to the second.
#[must_use]
pub fn time_of_day(wall_ns: i64) -> String {
    rfc3339(wall_ns).get(11..19).unwrap_or(NONE).to_owned()
}

/// A name from outside made safe to print: a VM's owner chooses its name, and must not control our terminal.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_invisible(c) { '\u{fffd}' } else { c }).collect()
}

/// Characters that turn the direction of text or take no room: names that only look alike are made of them.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// As much of a text as fits into so many columns, padded to them; `…` says that something is missing.
#[must_use]
pub fn fit(text: &str, columns: usize) -> String {
    let width = |c: char| c.width().unwrap_or(0);
    let total: usize = text.chars().map(width).sum();
    if total <= columns {
        return format!("{text}{}", " ".repeat(columns - total));
    }
    let mut out = String::new();
    let mut used = 0;
    for character in text.chars() {
        if used + width(character) + 1 > columns {
            break;
        }
        used += width(character);
        out.push(character);
    }
    if columns > 0 {
        out.push('…');
        used += 1;
    }
    out + &" ".repeat(columns.saturating_sub(used))
}

/// A text in lines of at most so many columns, broken between words where that is possible.
#[must_use]
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        let width: usize = word.trim_end().chars().map(|c| c.width().unwrap_or(0)).sum();
        if used > 0 && used + width > columns {
            lines.push(String::new());
            used = 0;
        }
        for character in word.chars() {
            let width = character.width().unwrap_or(0);
            if used + width > columns {
                if character == ' ' {
                    continue;
                }
                lines.push(String::new());
                used = 0;
            }
            used += width;
            if let Some(line) = lines.last_mut() {
                line.push(character);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_counts_keep_three_digits() {
        assert_eq!(bytes(0.0), "0B");
        assert_eq!(bytes(1023.0), "1023B");
        assert_eq!(bytes(1024.0), "1.00K");
        assert_eq!(bytes(1.5 * 1024.0 * 1024.0 * 1024.0), "1.50G");
        assert_eq!(bytes(123.4 * 1024.0), "123K");
        assert_eq!(bytes(-2048.0), "-2.00K");
        assert_eq!(count(999.0), "999");
        assert_eq!(count(12_345.0), "12.3k");
        assert_eq!(count(0.25), "0.25");
    }

    #[test]
    fn times_fit_their_unit() {
        assert_eq!(seconds(0.0), "0s");
        assert_eq!(seconds(0.000_12), "120µs");
        assert_eq!(seconds(0.25), "250.0ms");
        assert_eq!(seconds(59.0), "59.0s");
        assert_eq!(seconds(3_725.0), "1h02m");
        assert_eq!(seconds(90_000.0), "1d01h");
        assert_eq!(rfc3339(1_700_000_000_123_456_789), "2023-11-14T22:13:20.123Z");
        assert_eq!(time_of_day(1_700_000_000_123_456_789), "22:13:20");
    }

    #[test]
    fn a_name_cannot_control_the_terminal() {
        assert_eq!(printable("web\u{1b}[2J\n\u{202e}x"), "web\u{fffd}[2J\u{fffd}\u{fffd}x");
    }

    #[test]
    fn text_fits_its_columns_whatever_its_script() {
        assert_eq!(fit("abc", 5), "abc  ");
        assert_eq!(fit("abcdef", 4), "abc…");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日… ");
        assert_eq!(fit("abc", 0), "");
    }

    #[test]
    fn long_text_wraps_between_words_and_loses_none() {
        assert_eq!(wrap("needs CAP_SYS_PTRACE to read", 16), ["needs ", "CAP_SYS_PTRACE ", "to read"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("", 10), [""]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
    }

    #[test]
    fn a_uuid_has_its_dashes() {
        let bytes: [u8; 16] = std::array::from_fn(|index| u8::try_from(index).unwrap());
        assert_eq!(uuid(&bytes), "00010203-0405-0607-0809-0a0b0c0d0e0f");
    }
}
