//! What may be done about incidents, and how much of it.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const DAY_MINUTES: i64 = 1_440;
const MINUTE_NS: i64 = 60_000_000_000;

/// Responses. They stand on the ledger, as incidents do: where nothing is recorded nothing is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Response {
    /// Whether anything is done by itself; otherwise every response is only told (dry run).
    pub enabled: bool,
    /// The folder of playbooks, files that end in `.toml`.
    pub playbooks: PathBuf,
    /// VMs that are acted on at a time, at most: 1 to 1,024.
    pub vms_max: u32,
    /// The same as a share of all VMs here, in percent: 0 to 100; one VM is always allowed.
    pub vms_percent_max: u32,
    /// Responses begun in an hour, at most: 0 to 1,000.
    pub per_hour_max: u32,
    /// VMs that nothing is ever done to: patterns of names, UUIDs and tenants.
    pub protected: Vec<String>,
    /// Times at which nothing is begun.
    pub quiet: Vec<Window>,
    /// While this file exists nothing is begun.
    pub kill_switch: PathBuf,
}

impl Default for Response {
    fn default() -> Self {
        Self {
            enabled: false,
            playbooks: "/etc/bartizan/playbooks.d".into(),
            vms_max: 3,
            vms_percent_max: 10,
            per_hour_max: 12,
            protected: Vec::new(),
            quiet: Vec::new(),
            kill_switch: "/run/bartizan/stop-responding".into(),
        }
    }
}

/// A time of every week, in UTC. One that ends before it begins goes over midnight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Days on which it begins, `mon` to `sun`; empty is every day.
    #[serde(default)]
    pub days: Vec<Day>,
    /// `HH:MM`
    pub from: Minute,
    /// `HH:MM`, no longer in it.
    pub to: Minute,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "they are what they say")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A minute of the day, written `HH:MM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Minute(u16);

impl TryFrom<String> for Minute {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts = text.split_once(':').and_then(|(hour, minute)| {
            let two = |part: &str| (part.len() == 2).then(|| part.parse::<u16>().ok())?;
            Some((two(hour)?, two(minute)?))
        });
        match parts {
            Some((hour @ 0..24, minute @ 0..60)) => Ok(Self(hour * 60 + minute)),
            _ => Err(format!("`{text}` is no time of day; 00:00 to 23:59")),
        }
    }
}

impl From<Minute> for String {
    fn from(minute: Minute) -> Self {
        format!("{:02}:{:02}", minute.0 / 60, minute.0 % 60)
    }
}

impl Window {
    /// Whether a time, in `CLOCK_REALTIME` nanoseconds, is in it.
    #[must_use]
    pub fn holds(&self, now_ns: i64) -> bool {
        let minutes = now_ns.div_euclid(MINUTE_NS);
        let (day, minute) = (minutes.div_euclid(DAY_MINUTES), minutes.rem_euclid(DAY_MINUTES));
        let (from, to) = (i64::from(self.from.0), i64::from(self.to.0));
        let begins_on =
            |day: i64| self.days.is_empty() || self.days.iter().any(|wanted| *wanted as i64 == weekday(day));
        if from <= to {
            (from..to).contains(&minute) && begins_on(day)
        } else {
            (minute >= from && begins_on(day)) || (minute < to && begins_on(day - 1))
        }
    }
}

/// 0 is Monday. The first of January 1970 was a Thursday.
fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_go_over_midnight() {
        let window = |days: Vec<Day>, from: &str, to: &str| Window {
            days,
            from: Minute::try_from(from.to_owned()).unwrap(),
            to: Minute::try_from(to.to_owned()).unwrap(),
        };
        // Thursday, the first of January 1970.
        let at = |day: i64, hour: i64| (day * DAY_MINUTES + hour * 60) * MINUTE_NS;
        let night = window(vec![Day::Thu], "22:00", "06:00");
        assert!(night.holds(at(0, 23)) && night.holds(at(1, 5)));
        assert!(!night.holds(at(0, 5)) && !night.holds(at(1, 23)) && !night.holds(at(1, 6)));
        assert!(window(vec![], "01:00", "02:00").holds(at(5, 1)));
        assert!(
            Minute::try_from("24:00".to_owned()).is_err() && Minute::try_from("1:00".to_owned()).is_err()
        );
    }
}
