//! The rules of the checks, and each of them explained.

use super::BTZ_FACET_RUNTIME;
use crate::agent::btz_agent;
use crate::entities::list;
use crate::entry::on_agent;
use crate::failure::Failure;
use crate::size;
use crate::status::{BTZ_ERR_NOT_FOUND, btz_status};
use crate::text;
use bartizan_core::checks::declared::rule::Facet;
use bartizan_core::checks::report::json;
use bartizan_core::checks::{Rule, RuleSet, rules};
use std::ffi::c_char;
use std::sync::Arc;

/// What is right, in a few words. Since: 0.2
pub const BTZ_CHECK_TEXT_TITLE: u32 = 1;
/// What it applies to; empty: to all of its scope. Since: 0.2
pub const BTZ_CHECK_TEXT_WHEN: u32 = 2;
/// What is expected of the running kernel or process; empty: nothing. Since: 0.2
pub const BTZ_CHECK_TEXT_EXPECTED_RUNTIME: u32 = 3;
/// What is expected after the next boot or start; empty: nothing. Since: 0.2
pub const BTZ_CHECK_TEXT_EXPECTED_PERSISTED: u32 = 4;
/// Why it matters. Since: 0.2
pub const BTZ_CHECK_TEXT_RATIONALE: u32 = 5;
/// How it is put right. Since: 0.2
pub const BTZ_CHECK_TEXT_REMEDIATION: u32 = 6;
/// Where it comes from: standards, benchmarks, manuals; one a line. Since: 0.2
pub const BTZ_CHECK_TEXT_REFERENCES: u32 = 7;
/// Everything as one JSON object, as `bartizan explain --json` prints it. Since: 0.2
pub const BTZ_CHECK_TEXT_JSON: u32 = 8;

/// A rule of the checks of isolation and configuration. Texts are UTF-8, NUL-terminated, cut to fit. Since: 0.2
#[repr(C)]
#[derive(Clone, Copy)]
pub struct btz_check {
    /// sizeof(btz_check), set by the library.
    pub struct_size: u32,
    /// BTZ_CHECK_SEVERITY_*: how bad it is when it fails.
    pub severity: u32,
    /// BTZ_CHECK_SCOPE_*: what it looks at.
    pub scope: u32,
    /// BTZ_FACET_*, added up: what it judges.
    pub facets: u32,
    /// Its name, such as "vmm.seccomp-all-threads".
    pub id: [c_char; 56],
    /// The part of the name before the dot.
    pub group: [c_char; 56],
    /// What is right, in a few words.
    pub title: [c_char; 128],
}

size::sized!(btz_check = 256);

/// The rules that the checks judge by: those of the library, and those of the configured folder, less those that are
/// switched off. out, stride, capacity, total: as in btz_agent_vms(); stride: sizeof(btz_check). Errors: BTZ_ERR_NULL,
/// BTZ_ERR_SIZE. Threads: any. Blocking: no; allocates; before the first check, reads the rule files. Since: 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_checks(
    agent: *const btz_agent,
    out: *mut btz_check,
    stride: usize,
    capacity: usize,
    total: *mut usize,
) -> btz_status {
    let read = |agent: &btz_agent| {
        let rules = in_force(agent);
        // SAFETY: the contract.
        unsafe { list(out, stride, capacity, total, |rows| Ok(rows.fill(rules.rules().iter().map(view)))) }
    };
    // SAFETY: the contract.
    unsafe { on_agent(agent, std::ptr::null_mut(), read) }
}

/// One text about a rule. id: its name, length in bytes, no NUL needed. part: BTZ_CHECK_TEXT_*. buffer: capacity bytes,
/// or NULL with capacity 0 to ask how many are needed. needed: receives that number, the NUL included. Errors:
/// BTZ_ERR_NOT_FOUND: no rule is called so; BTZ_ERR_ARGUMENT, BTZ_ERR_BUFFER, BTZ_ERR_NULL.
/// Threads: any. Blocking: no; allocates; before the first check, reads the rule files. Since: 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_check_text(
    agent: *const btz_agent,
    id: *const c_char,
    length: usize,
    part: u32,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> btz_status {
    let read = |agent: &btz_agent| {
        // SAFETY: the contract: `length` readable bytes.
        let id = unsafe { text::given(id, length)? };
        let rules = in_force(agent);
        let (_, rule) = rules.find(id).ok_or_else(no_such_rule)?;
        let told = told(rule, part).ok_or_else(|| Failure::argument("part is no BTZ_CHECK_TEXT_*"))?;
        // SAFETY: the contract: `capacity` writable bytes.
        unsafe { text::give(&told, buffer, capacity, needed) }
    };
    // SAFETY: the contract.
    unsafe { on_agent(agent, std::ptr::null_mut(), read) }
}

/// The rules that the checks work by, or would if they had begun.
pub(super) fn in_force(agent: &btz_agent) -> Arc<RuleSet> {
    let known = agent.reader.checks().rules();
    if known.rules().is_empty() && known.problems().is_empty() {
        Arc::new(rules(&agent.reader.config()))
    } else {
        known
    }
}

pub(super) fn no_such_rule() -> Failure {
    Failure::new(BTZ_ERR_NOT_FOUND, "no check is called so")
}

fn told(rule: &Rule, part: u32) -> Option<String> {
    Some(match part {
        BTZ_CHECK_TEXT_TITLE => rule.title.to_string(),
        BTZ_CHECK_TEXT_WHEN => rule.when.as_ref().map(ToString::to_string).unwrap_or_default(),
        BTZ_CHECK_TEXT_EXPECTED_RUNTIME => rule.expectation(Facet::Runtime),
        BTZ_CHECK_TEXT_EXPECTED_PERSISTED => rule.expectation(Facet::Persisted),
        BTZ_CHECK_TEXT_RATIONALE => rule.rationale.trim().to_owned(),
        BTZ_CHECK_TEXT_REMEDIATION => rule.remediation.trim().to_owned(),
        BTZ_CHECK_TEXT_REFERENCES => rule.references.join("\n"),
        BTZ_CHECK_TEXT_JSON => json::rule(rule).to_string(),
        _ => return None,
    })
}

fn view(rule: &Rule) -> btz_check {
    btz_check {
        struct_size: 0,
        severity: rule.severity as u32,
        scope: rule.scope as u32,
        facets: rule.facets().map(|(facet, _)| BTZ_FACET_RUNTIME << facet as u32).sum(),
        id: text::array(&rule.id),
        group: text::array(rule.group()),
        title: text::array(&rule.title),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bartizan_core::checks::shipped;

    #[test]
    fn no_text_of_a_shipped_rule_is_cut_and_every_part_is_told() {
        let rules = shipped();
        assert!(!rules.rules().is_empty());
        for rule in rules.rules() {
            assert!(rule.id.len() < 56 && rule.title.len() < 128, "{}", rule.id);
            for part in [BTZ_CHECK_TEXT_TITLE, BTZ_CHECK_TEXT_RATIONALE, BTZ_CHECK_TEXT_REMEDIATION] {
                assert!(told(rule, part).is_some_and(|text| !text.is_empty()), "{} {part}", rule.id);
            }
            let expected = [BTZ_CHECK_TEXT_EXPECTED_RUNTIME, BTZ_CHECK_TEXT_EXPECTED_PERSISTED];
            let facets: u32 = (0..)
                .zip(expected)
                .map(|(bit, part)| u32::from(told(rule, part) != Some(String::new())) << bit)
                .sum();
            assert_eq!(facets, view(rule).facets, "{}", rule.id);
            assert!(told(rule, BTZ_CHECK_TEXT_JSON).is_some_and(|json| json.contains(&*rule.id)));
        }
        assert!(told(&rules.rules()[0], 0).is_none() && told(&rules.rules()[0], 9).is_none());
    }
}
