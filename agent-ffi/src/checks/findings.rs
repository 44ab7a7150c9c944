//! What the checks found.

use super::rules::no_such_rule;
use super::{BTZ_CHECK_SCOPE_HOST, BTZ_CHECK_SCOPE_VM};
use crate::agent::btz_agent;
use crate::entities::{btz_entity, encode};
use crate::entry::{self, on_agent};
use crate::failure::Failure;
use crate::size::{self, Rows};
use crate::status::{BTZ_ERR_NOT_FOUND, btz_status};
use crate::text;
use bartizan_core::checks::declared::rule::Facet;
use bartizan_core::checks::report::json;
use bartizan_core::checks::{Finding, RuleSet, VmId};
use bartizan_core::sampling::frame::Entity;
use std::collections::HashMap;
use std::ffi::c_char;
use std::sync::Arc;

/// In btz_finding.flags: somebody answers for it; the verdict stays what it is. Since: 0.2
pub const BTZ_FINDING_WAIVED: u32 = 1;
/// In btz_finding.flags: somebody should act: it fails or is broken, and nobody answers for it. Since: 0.2
pub const BTZ_FINDING_OPEN: u32 = 2;
/// In btz_finding.flags: a text was longer than its field; btz_agent_finding() has it whole. Since: 0.2
pub const BTZ_FINDING_TRUNCATED: u32 = 4;

/// What a rule found on the host or on one VM. Texts are UTF-8, NUL-terminated, cut to fit, and empty when there is
/// none. Since: 0.2
#[repr(C)]
#[derive(Clone, Copy)]
pub struct btz_finding {
    /// sizeof(btz_finding).
    pub struct_size: u32,
    /// BTZ_VERDICT_*: the worst of its facets.
    pub verdict: u32,
    /// BTZ_CHECK_SEVERITY_*: how bad it is when it fails.
    pub severity: u32,
    /// BTZ_CHECK_SCOPE_*: what its rule looks at.
    pub scope: u32,
    /// BTZ_FINDING_*, added up.
    pub flags: u32,
    /// BTZ_CHANGE_*: what happened to it; 0 in a list of what there is.
    pub change: u32,
    /// Counts all changes, from 1; a gap is a loss, and is in the accounts. 0 in a list of what there is.
    pub sequence: u64,
    /// The VM, by which its values are read, or BTZ_ENTITY_HOST; 0 when the VM is not sampled, or no longer.
    pub entity: btz_entity,
    /// The VMM's process; 0 for the host.
    pub pid: i32,
    /// How often its verdict has changed.
    pub flaps: u32,
    /// When the VMM's process started, in clock ticks since boot; 0 for the host.
    pub start_ticks: u64,
    /// When it was first seen, CLOCK_REALTIME nanoseconds since the epoch.
    pub first_seen_wall_ns: i64,
    /// When its verdict or what it stands on last changed, CLOCK_REALTIME nanoseconds since the epoch.
    pub changed_wall_ns: i64,
    /// BTZ_VERDICT_* of what the running kernel or process does; 0 when the rule does not judge that here.
    pub runtime: u8,
    /// BTZ_VERDICT_* of what will be after the next boot or start; 0 when the rule does not judge that here.
    pub persisted: u8,
    /// BTZ_VERDICT_* before the last change; 0 when it never changed.
    pub before: u8,
    /// 0.
    pub reserved: [u8; 5],
    /// The VM's UUID; zero when it tells none, and for the host.
    pub uuid: [u8; 16],
    /// The rule.
    pub rule: [c_char; 56],
    /// The VM's name; empty for the host.
    pub subject: [c_char; 128],
    /// The VM's tenant, by the configured rules.
    pub tenant: [c_char; 64],
    /// Who answers for it; empty when it is not waived.
    pub owner: [c_char; 64],
    /// Until when, YYYY-MM-DD.
    pub expires: [c_char; 16],
    /// Why, in a few words with the values.
    pub reason: [c_char; 256],
}

size::sized!(btz_finding = 680);

/// The same as BTZ_FINDING_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
/// Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_finding_init(finding: *mut btz_finding, struct_size: u32) -> btz_status {
    // SAFETY: the contract: NULL, or `struct_size` writable bytes.
    entry::plain(std::ptr::null_mut(), || unsafe { size::init(finding, struct_size) })
}

/// What is found now, the host's first and then VM by VM; what passes, too. after: NULL to begin, or the last finding of
/// the call before: VMs may come and go in between, and none is left out or told twice. It may lie in out. out: capacity
/// elements, each stride bytes after the one before; stride: sizeof(btz_finding). count: receives how many were written;
/// fewer than capacity is the end. total: receives how many there are in all, or NULL. Errors: BTZ_ERR_NULL,
/// BTZ_ERR_SIZE. Threads: any. Blocking: no; allocates. Since: 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_findings(
    agent: *const btz_agent,
    after: *const btz_finding,
    out: *mut btz_finding,
    stride: usize,
    capacity: usize,
    count: *mut usize,
    total: *mut usize,
) -> btz_status {
    let read = |agent: &btz_agent| {
        if count.is_null() {
            return Err(Failure::null("count is NULL"));
        }
        // SAFETY: the contract: `capacity` elements of `stride` bytes.
        let mut rows = unsafe { Rows::new(out, stride, capacity)? };
        // SAFETY: the contract: NULL, or a struct of the size it says; copied before anything is written.
        let after = if after.is_null() { None } else { Some(unsafe { size::read_in(after)? }) };
        let findings = agent.reader.checks().findings();
        let start = after.map_or(0, |after| place_after(&findings, &after));
        let seen = Seen::by(agent);
        for finding in &findings[start..] {
            if !rows.has_room() {
                break;
            }
            rows.push(seen.view(finding));
        }
        // SAFETY: the contract: writable.
        unsafe { count.write(rows.written()) };
        if !total.is_null() {
            // SAFETY: the contract: writable.
            unsafe { total.write(findings.len()) };
        }
        Ok(())
    };
    // SAFETY: the contract.
    unsafe { on_agent(agent, std::ptr::null_mut(), read) }
}

/// One finding in full as a JSON object: every facet with its verdict and what is expected, the evidence (where it was
/// read, what was read, when), who waived it, and what it was before. The keys are those of `bartizan check --json`.
/// rule: its name, length in bytes, no NUL needed. pid, start_ticks: of the VM as in btz_finding; pid 0 is the host, and
/// start_ticks 0 whatever process has the PID now. buffer: capacity bytes, or NULL with capacity 0 to ask how many are
/// needed. needed: receives that number, the NUL included; it may be another one in the next call. Errors:
/// BTZ_ERR_NOT_FOUND: there is no such finding, or no longer; BTZ_ERR_BUFFER, BTZ_ERR_NULL, BTZ_ERR_ARGUMENT.
/// Threads: any. Blocking: no; allocates. Since: 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_finding(
    agent: *const btz_agent,
    rule: *const c_char,
    length: usize,
    pid: i32,
    start_ticks: u64,
    buffer: *mut c_char,
    capacity: usize,
    needed: *mut usize,
) -> btz_status {
    let read = |agent: &btz_agent| {
        // SAFETY: the contract: `length` readable bytes.
        let rule = unsafe { text::given(rule, length)? };
        let board = agent.reader.checks();
        let rules = board.rules();
        let findings = board.findings();
        let about = |id: Option<VmId>| match id {
            None => pid == 0,
            Some(id) => id.pid == pid && (start_ticks == 0 || id.start_ticks == start_ticks),
        };
        let found = findings.iter().find(|finding| *finding.rule == *rule && about(vm_of(finding)));
        let Some(finding) = found else {
            return Err(if rules.find(rule).is_none() {
                no_such_rule()
            } else {
                Failure::new(BTZ_ERR_NOT_FOUND, "this rule has found nothing about that")
            });
        };
        let told = json::finding(finding, rules.find(rule).map(|(_, rule)| rule)).to_string();
        // SAFETY: the contract: `capacity` writable bytes.
        unsafe { text::give(&told, buffer, capacity, needed) }
    };
    // SAFETY: the contract.
    unsafe { on_agent(agent, std::ptr::null_mut(), read) }
}

/// What is needed to tell findings: their rules, and which VMs have values.
pub(super) struct Seen {
    rules: Arc<RuleSet>,
    entities: HashMap<VmId, btz_entity>,
}

impl Seen {
    pub(super) fn by(agent: &btz_agent) -> Self {
        let id = |pid, start_ticks| VmId { pid, start_ticks };
        let vms = agent.reader.vms();
        Self {
            rules: agent.reader.checks().rules(),
            entities: vms.iter().map(|vm| (id(vm.pid, vm.start_ticks), encode(vm.entity))).collect(),
        }
    }

    pub(super) fn rules(&self) -> &RuleSet {
        &self.rules
    }

    pub(super) fn view(&self, finding: &Finding) -> btz_finding {
        let vm = finding.subject.vm();
        let (name, tenant) = vm.map_or(("", ""), |vm| (vm.name.as_str(), vm.tenant.as_str()));
        let waived = finding.waived.as_ref();
        let (owner, expires) = waived.map_or(("", ""), |waived| (&waived.owner, &waived.expires));
        let reason = finding.reason();
        let cut = name.len() >= 128 || tenant.len() >= 64 || owner.len() >= 64 || reason.len() >= 256;
        let facet = |facet: Facet| {
            finding
                .outcomes
                .iter()
                .find(|outcome| outcome.facet == facet)
                .map_or(0, |outcome| outcome.verdict as u8)
        };
        let declared = self.rules.find(&finding.rule).map(|(_, rule)| rule.scope as u32);
        btz_finding {
            struct_size: 0,
            verdict: finding.verdict as u32,
            severity: finding.severity as u32,
            scope: declared.unwrap_or(if vm.is_some() { BTZ_CHECK_SCOPE_VM } else { BTZ_CHECK_SCOPE_HOST }),
            flags: flag(waived.is_some(), BTZ_FINDING_WAIVED)
                | flag(finding.is_open(), BTZ_FINDING_OPEN)
                | flag(cut, BTZ_FINDING_TRUNCATED),
            change: 0,
            sequence: 0,
            entity: vm.map_or(encode(Entity::HOST), |vm| self.entities.get(&vm.id).copied().unwrap_or(0)),
            pid: vm.map_or(0, |vm| vm.id.pid),
            flaps: finding.flaps,
            start_ticks: vm.map_or(0, |vm| vm.id.start_ticks),
            first_seen_wall_ns: finding.first_seen_ns,
            changed_wall_ns: finding.changed_at_ns,
            runtime: facet(Facet::Runtime),
            persisted: facet(Facet::Persisted),
            before: finding.changed_from.as_deref().map_or(0, |(verdict, _)| *verdict as u8),
            reserved: [0; 5],
            uuid: vm.map_or([0; 16], |vm| uuid(&vm.uuid)),
            rule: text::array(&finding.rule),
            subject: text::array(name),
            tenant: text::array(tenant),
            owner: text::array(owner),
            expires: text::array(expires),
            reason: text::array(&reason),
        }
    }
}

fn flag(holds: bool, flag: u32) -> u32 {
    if holds { flag } else { 0 }
}

fn vm_of(finding: &Finding) -> Option<VmId> {
    finding.subject.vm().map(|vm| vm.id)
}

/// Where the list goes on. A finding that is no longer there was of a VM that ended: the next VM follows.
fn place_after(findings: &[Arc<Finding>], after: &btz_finding) -> usize {
    let vm = (after.pid != 0).then_some(VmId { pid: after.pid, start_ticks: after.start_ticks });
    let told = |finding: &Finding| vm_of(finding) == vm && text::array(&finding.rule) == after.rule;
    match findings.iter().position(|finding| told(finding)) {
        Some(place) => place + 1,
        None => findings.partition_point(|finding| vm_of(finding) <= vm),
    }
}

/// The bytes of a UUID in its usual form; zero for what is none.
fn uuid(text: &str) -> [u8; 16] {
    let mut digits = text.bytes().filter(u8::is_ascii_hexdigit).map(|digit| char::from(digit).to_digit(16));
    let mut bytes = [0; 16];
    for byte in &mut bytes {
        let (Some(Some(high)), Some(Some(low))) = (digits.next(), digits.next()) else { return [0; 16] };
        *byte = u8::try_from(high << 4 | low).unwrap_or(0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_its_bytes() {
        let bytes = uuid("00112233-4455-6677-8899-aabbccddeeff");
        assert_eq!(bytes[..3], [0, 0x11, 0x22]);
        assert_eq!(bytes[15], 0xff);
        assert_eq!(uuid(""), [0; 16]);
        assert_eq!(uuid("0011"), [0; 16]);
    }
}
