//! Claims that are declared in a file, before anybody asks for anything.
//!
//! ```toml
//! [[claim]]
//! party = "soc"             # who
//! role = "csp"              # csp, csc or csn
//! tenant = "acme"           # for csc always, for csn where it is one tenant's
//! mechanism = "playbook"
//! path = "vm/6f1c.../net"   # see the paths of bartizan claims --help
//! mode = "forbid"           # require, forbid, exclusive, shared, hold; or instead of mode:
//! action = "restart"        # an action, whose effects are then the claim
//! value = "open"
//! priority = 10
//! reason = "contract 12, section 3"
//! ```

use super::claim::{Claim, Mode, Part};
use super::effects::Action;
use super::error::ClaimError;
use super::party::{Party, Role};
use super::path::ResourcePath;
use serde::Deserialize;
use std::fmt;
use toml::Spanned;

/// The longest file, in bytes.
pub const FILE_BYTES_MAX: usize = 4 << 20;
/// The most claims in one file.
pub const CLAIMS_MAX: usize = 16_384;

/// Why a file is refused, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there, and what would be right.
    pub why: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.why)
    }
}

impl std::error::Error for PolicyError {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    claim: Vec<Spanned<Declared>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    party: String,
    role: String,
    tenant: Option<String>,
    #[serde(default = "declared")]
    mechanism: String,
    path: String,
    mode: Option<String>,
    action: Option<String>,
    value: Option<String>,
    #[serde(default)]
    priority: i16,
    reason: String,
}

fn declared() -> String {
    "policy".to_owned()
}

/// Reads a file of claims. Either all of them are good, or none is taken.
///
/// # Errors
/// With the line of the first mistake.
pub fn parse(text: &str) -> Result<Vec<Claim>, PolicyError> {
    let at = |offset: usize, why: String| {
        let before = text.get(..offset).unwrap_or(text);
        PolicyError { line: before.matches('\n').count() + 1, why }
    };
    if text.len() > FILE_BYTES_MAX {
        return Err(at(0, format!("it is longer than {FILE_BYTES_MAX} bytes")));
    }
    let document: Document = toml::from_str(text)
        .map_err(|error| at(error.span().map_or(0, |span| span.start), error.message().to_owned()))?;
    if document.claim.len() > CLAIMS_MAX {
        return Err(at(0, format!("it holds more than {CLAIMS_MAX} claims")));
    }
    let claims = document.claim.into_iter().map(|declared| {
        let start = declared.span().start;
        claim(declared.into_inner()).map_err(|error| at(start, error.to_string()))
    });
    claims.collect()
}

fn claim(declared: Declared) -> Result<Claim, ClaimError> {
    let wrong = |why: String| ClaimError::Malformed(why);
    let role = Role::from_name(&declared.role)
        .ok_or_else(|| wrong(format!("there is no role {:?}; it is csp, csc or csn", declared.role)))?;
    let party = Party { name: declared.party, role, tenant: declared.tenant };
    let path = ResourcePath::parse(&declared.path)?;
    let value = declared.value.as_deref();
    let claim = match (&declared.mode, &declared.action) {
        (Some(word), None) => {
            let mode = Mode::from_name(word).ok_or_else(|| {
                let known: Vec<_> = Mode::ALL.iter().map(|mode| mode.name()).collect();
                wrong(format!("there is no mode {word:?}; it is one of {}", known.join(", ")))
            })?;
            Claim::new(party, &declared.mechanism, Part::new(path, mode, value), &declared.reason)
        }
        (None, Some(name)) => {
            let action = Action::named(name).ok_or_else(|| {
                let known: Vec<_> = super::effects::ACTIONS.iter().map(|action| action.name).collect();
                wrong(format!("there is no action {name:?}; it is one of {}", known.join(", ")))
            })?;
            action.claim(party, &declared.mechanism, &path, value, &declared.reason)?
        }
        _ => return Err(wrong("a claim has either a mode or an action".to_owned())),
    };
    let claim = claim.with_priority(declared.priority);
    claim.validate()?;
    Ok(claim)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[[claim]]\nparty = 'soc'\nrole = 'csp'\npath = 'vm/u'\naction = 'throttle'\nvalue = '50'\nreason = 'r'\n";

    #[test]
    fn a_file_is_taken_whole_or_not_at_all() {
        let text = format!(
            "{GOOD}\n[[claim]]\nparty = 'app'\nrole = 'CSC'\ntenant = 'acme'\npath = 'vm/u/net'\nmode = 'require'\nvalue = 'open'\nreason = 'r'\n"
        );
        let claims = parse(&text).expect("good");
        assert_eq!(claims.len(), 2);
        assert_eq!(claims[0].parts[0].to_string(), "shared vm/u/cpu/quota = 50");
        assert_eq!(claims[1].party.to_string(), "csc/acme/app");
        let bad = [
            ("'vm/u/net'", "'vm/u/nett'", 9, "it has confinement"),
            ("'require'", "'demand'", 9, "it is one of require"),
            ("'CSC'", "'root'", 9, "csp, csc or csn"),
            ("mode =", "mood =", 14, "unknown field `mood`"),
            ("value = 'open'\n", "", 9, "needs a value"),
            ("tenant = 'acme'\n", "", 9, "names no tenant"),
            ("mode = 'require'\n", "", 9, "either a mode or an action"),
        ];
        for (from, to, line, why) in bad {
            let error = parse(&text.replacen(from, to, 1)).expect_err(from);
            assert_eq!(error.line, line, "{error}");
            assert!(error.why.contains(why), "{error}");
        }
    }
}
