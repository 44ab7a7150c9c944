//! Checks of isolation and configuration: the rules, what they found, what changed, and who answers for it.

pub mod changes;
pub mod findings;
pub mod rules;
pub mod waive;
pub mod work;

use bartizan_core::checks::declared::rule::{Facet, Scope, Severity};
use bartizan_core::checks::{ChangeKind, Verdict};

/// The rule makes no sense for this host or VM. Since: 0.2
pub const BTZ_VERDICT_NOT_APPLICABLE: u32 = 1;
/// It is as it should be. Since: 0.2
pub const BTZ_VERDICT_PASS: u32 = 2;
/// It could not be read, which is never a pass; the reason says why. Since: 0.2
pub const BTZ_VERDICT_UNKNOWN: u32 = 3;
/// The rule itself is broken. Since: 0.2
pub const BTZ_VERDICT_ERROR: u32 = 4;
/// It is not as it should be. Since: 0.2
pub const BTZ_VERDICT_FAIL: u32 = 5;

/// Worth knowing. Since: 0.2
pub const BTZ_CHECK_SEVERITY_INFO: u32 = 1;
/// One barrier of several is thinner than it should be. Since: 0.2
pub const BTZ_CHECK_SEVERITY_LOW: u32 = 2;
/// A barrier is missing that others still back up. Since: 0.2
pub const BTZ_CHECK_SEVERITY_MEDIUM: u32 = 3;
/// A guest or a user is one flaw away from the host or from another guest. Since: 0.2
pub const BTZ_CHECK_SEVERITY_HIGH: u32 = 4;
/// The isolation that was promised is not there. Since: 0.2
pub const BTZ_CHECK_SEVERITY_CRITICAL: u32 = 5;

/// The host, once. Since: 0.2
pub const BTZ_CHECK_SCOPE_HOST: u32 = 1;
/// Each VM by itself. Since: 0.2
pub const BTZ_CHECK_SCOPE_VM: u32 = 2;
/// Each VM beside all others: what two of them must not share. Since: 0.2
pub const BTZ_CHECK_SCOPE_VMS: u32 = 3;

/// In btz_check.facets: what the running kernel or process does. Since: 0.2
pub const BTZ_FACET_RUNTIME: u32 = 1;
/// In btz_check.facets: what will be after the next boot or start. Since: 0.2
pub const BTZ_FACET_PERSISTED: u32 = 2;

/// First seen, and something to act on. Since: 0.2
pub const BTZ_CHANGE_NEW: u32 = 1;
/// Its verdict changed. Since: 0.2
pub const BTZ_CHANGE_VERDICT: u32 = 2;
/// What it stands on changed, and the verdict did not. Since: 0.2
pub const BTZ_CHANGE_VALUE: u32 = 3;
/// A waiver began or ceased to hold. Since: 0.2
pub const BTZ_CHANGE_WAIVER: u32 = 4;
/// Its VM ended, or its rule was taken away, while it was something to act on. Since: 0.2
pub const BTZ_CHANGE_GONE: u32 = 5;

// The numbers of the ABI are those of the core.
const _: () = {
    assert!(BTZ_VERDICT_NOT_APPLICABLE == Verdict::NotApplicable as u32);
    assert!(BTZ_VERDICT_PASS == Verdict::Pass as u32 && BTZ_VERDICT_UNKNOWN == Verdict::Unknown as u32);
    assert!(BTZ_VERDICT_ERROR == Verdict::Error as u32 && BTZ_VERDICT_FAIL == Verdict::Fail as u32);
    assert!(BTZ_CHECK_SEVERITY_INFO == Severity::Info as u32);
    assert!(BTZ_CHECK_SEVERITY_LOW == Severity::Low as u32);
    assert!(BTZ_CHECK_SEVERITY_MEDIUM == Severity::Medium as u32);
    assert!(BTZ_CHECK_SEVERITY_HIGH == Severity::High as u32);
    assert!(BTZ_CHECK_SEVERITY_CRITICAL == Severity::Critical as u32);
    assert!(BTZ_CHECK_SCOPE_HOST == Scope::Host as u32 && BTZ_CHECK_SCOPE_VM == Scope::Vm as u32);
    assert!(BTZ_CHECK_SCOPE_VMS == Scope::Vms as u32);
    assert!(BTZ_FACET_RUNTIME == 1 << Facet::Runtime as u32);
    assert!(BTZ_FACET_PERSISTED == 1 << Facet::Persisted as u32);
    assert!(BTZ_CHANGE_NEW == ChangeKind::New as u32 && BTZ_CHANGE_VERDICT == ChangeKind::Verdict as u32);
    assert!(BTZ_CHANGE_VALUE == ChangeKind::Value as u32 && BTZ_CHANGE_WAIVER == ChangeKind::Waiver as u32);
    assert!(BTZ_CHANGE_GONE == ChangeKind::Gone as u32);
};
