//! Waivers: somebody answers for a finding, for a value that was observed, until a day. The verdict stays what it is.
//!
//! ```toml
//! [[waiver]]
//! rule = "cpu.smt-policy"            # a rule's name; * stands for anything
//! subject = "host"                   # or a VM's name or UUID; * stands for anything
//! observed = "smt:active=1"          # as the finding shows it; another value and the waiver holds no more
//! owner = "ops@example.com"
//! reason = "single-tenant host until the March refit"
//! expires = "2027-03-31"             # the last day, UTC
//! ```

use super::finding::{Finding, Subject, Waived};
use super::pattern::like;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Bytes of a waiver file.
pub const FILE_BYTES_MAX: usize = 1 << 20;
const NS_PER_DAY: i64 = 86_400 * 1_000_000_000;

/// One waiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// Which rules: a name, in which `*` stands for anything.
    pub rule: String,
    /// Which subjects: `host`, or a VM's name or UUID, in which `*` stands for anything.
    pub subject: String,
    /// What was observed when it was given, as [`Finding::observed`] shows it.
    pub observed: String,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The last day it holds, `YYYY-MM-DD`, UTC.
    pub expires: String,
    /// Where it was decided.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ticket: String,
}

/// The waivers in force, and what was wrong with the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waivers {
    list: Vec<Waiver>,
    /// What is wrong with the file: none of its waivers is used then.
    pub problem: Option<String>,
}

/// A waiver that cannot be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaiverError(String);

impl fmt::Display for WaiverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WaiverError {}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    waiver: Vec<Waiver>,
}

impl Waivers {
    /// Reads a file's text. With a mistake in it none of its waivers holds: a broken waiver must not let more pass
    /// than was meant.
    ///
    /// # Errors
    /// What is wrong, with its line.
    pub fn parse(text: &str) -> Result<Self, WaiverError> {
        let document: Document = toml::from_str(text).map_err(|error| {
            let line =
                error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            WaiverError(format!("line {line}: {}", error.message()))
        })?;
        for waiver in &document.waiver {
            waiver.check()?;
        }
        Ok(Self { list: document.waiver, problem: None })
    }

    /// Waivers that cannot be read: none holds.
    #[must_use]
    pub fn broken(problem: String) -> Self {
        Self { list: Vec::new(), problem: Some(problem) }
    }

    /// Every waiver, those that have expired too.
    #[must_use]
    pub fn list(&self) -> &[Waiver] {
        &self.list
    }

    /// Adds one.
    ///
    /// # Errors
    /// When it has no owner, no reason, no value or no valid last day.
    pub fn add(&mut self, waiver: Waiver) -> Result<(), WaiverError> {
        waiver.check()?;
        self.list.push(waiver);
        Ok(())
    }

    /// The waiver that holds for a finding now, if one does.
    #[must_use]
    pub fn of(&self, finding: &Finding, now_ns: i64) -> Option<Box<Waived>> {
        if self.list.is_empty() {
            return None;
        }
        let observed = finding.observed();
        let holds = |waiver: &&Waiver| {
            like(&waiver.rule, &finding.rule)
                && waiver.covers(&finding.subject)
                && waiver.observed == observed
                && waiver.lasts_ns() > now_ns
        };
        self.list.iter().find(holds).map(|waiver| {
            Box::new(Waived {
                owner: waiver.owner.clone(),
                reason: waiver.reason.clone(),
                expires: waiver.expires.clone(),
            })
        })
    }

    /// The waivers as a file's text.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(&Document { waiver: self.list.clone() }).unwrap_or_default()
    }
}

impl Waiver {
    /// Whether its last day has passed.
    #[must_use]
    pub fn expired(&self, now_ns: i64) -> bool {
        self.lasts_ns() <= now_ns
    }

    fn covers(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Host => like(&self.subject, "host"),
            Subject::Vm(vm) => {
                like(&self.subject, &vm.name) || (!vm.uuid.is_empty() && like(&self.subject, &vm.uuid))
            }
        }
    }

    /// The first instant at which it no longer holds.
    fn lasts_ns(&self) -> i64 {
        end_of_day_ns(&self.expires).unwrap_or(i64::MIN)
    }

    fn check(&self) -> Result<(), WaiverError> {
        let refuse = |what: &str| Err(WaiverError(format!("waiver of {:?}: {what}", self.rule)));
        for (key, text) in [
            ("rule", &self.rule),
            ("subject", &self.subject),
            ("observed", &self.observed),
            ("owner", &self.owner),
            ("reason", &self.reason),
        ] {
            if text.trim().is_empty() {
                return refuse(&format!("`{key}` is empty"));
            }
        }
        match end_of_day_ns(&self.expires) {
            Some(_) => Ok(()),
            None => refuse(&format!("`expires` is {:?}, not a day such as \"2027-03-31\"", self.expires)),
        }
    }
}

/// The first instant after a day written `YYYY-MM-DD`, in nanoseconds since the epoch.
fn end_of_day_ns(day: &str) -> Option<i64> {
    let start = humantime::parse_rfc3339(&format!("{day}T00:00:00Z")).ok()?;
    let since_epoch = start.duration_since(std::time::UNIX_EPOCH).ok()?;
    // Days beyond 2262 do not fit, and are as good as never.
    Some(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX).saturating_add(NS_PER_DAY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::declared::{RuleSet, Severity};
    use crate::checks::fact::Found;
    use crate::checks::facts::{FactId, Facts};
    use crate::checks::judge::judge;
    use std::path::Path;

    fn finding(value: i64) -> Finding {
        let mut rules = RuleSet::default();
        let text = r#"
            [[rule]]
            id = "a.b"
            title = "t"
            severity = "low"
            runtime = { fact = "k", eq = 1 }
            rationale = "r"
            remediation = "r"
        "#;
        rules.add(Path::new("t"), text, &|_| false);
        let facts =
            Facts::fixed([(FactId { vm: None, key: "k".into() }, Found::value(value, "here"))], Vec::new());
        judge(&rules.rules()[0], &facts, &Subject::Host, 0).finding
    }

    fn waiver() -> Waiver {
        Waiver {
            rule: "a.*".into(),
            subject: "host".into(),
            observed: "k=0".into(),
            owner: "o".into(),
            reason: "r".into(),
            expires: "1970-01-02".into(),
            ticket: String::new(),
        }
    }

    #[test]
    fn a_waiver_holds_for_its_value_and_until_its_day_is_over() {
        let mut waivers = Waivers::default();
        waivers.add(waiver()).expect("a waiver");
        assert_eq!(finding(0).severity, Severity::Low);
        assert!(waivers.of(&finding(0), 2 * NS_PER_DAY - 1).is_some());
        assert!(waivers.of(&finding(0), 2 * NS_PER_DAY).is_none(), "expired");
        assert!(waivers.of(&finding(5), 0).is_none(), "another value");
        assert_eq!(Waivers::parse(&waivers.to_toml()), Ok(waivers));
    }

    #[test]
    fn a_waiver_without_owner_reason_or_day_is_refused() {
        for change in [
            |w: &mut Waiver| w.owner.clear(),
            |w: &mut Waiver| w.reason = " ".into(),
            |w: &mut Waiver| w.observed.clear(),
            |w: &mut Waiver| w.expires = "2027-02-29".into(),
            |w: &mut Waiver| w.expires = "tomorrow".into(),
        ] {
            let mut bad = waiver();
            change(&mut bad);
            assert!(Waivers::default().add(bad).is_err());
        }
        let error = Waivers::parse("[[waiver]]\nrule = \"x\"\nowmer = \"y\"\n").expect_err("a mistake");
        assert!(error.to_string().starts_with("line 3: unknown field"), "{error}");
    }

    #[test]
    fn days_are_days() {
        assert_eq!(end_of_day_ns("1970-01-01"), Some(NS_PER_DAY));
        assert_eq!(end_of_day_ns("2026-11-26"), Some(20_784 * NS_PER_DAY));
        assert_eq!(end_of_day_ns("9999-12-31"), Some(i64::MAX));
        for wrong in ["2026-13-01", "2026-04-31", "1900-02-29", "26-01-01", "2026-1-1", "2026-01-01-1", ""] {
            assert_eq!(end_of_day_ns(wrong), None, "{wrong}");
        }
    }
}
