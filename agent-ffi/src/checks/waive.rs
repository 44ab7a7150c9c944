//! Waivers: somebody answers for a finding.

use crate::agent::btz_agent;
use crate::entry::{self, on_agent};
use crate::error::btz_error;
use crate::failure::Failure;
use crate::size;
use crate::status::{BTZ_ERR_NOT_FOUND, btz_status};
use crate::text;
use bartizan_core::checks::waiver::Waiver;
use bartizan_core::checks::{Finding, Subject};
use std::ffi::c_char;

/// Somebody answers for a finding, for the value it has and until a day; the verdict stays what it is. Texts are UTF-8,
/// given by pointer and length in bytes; none is kept. Since: 0.2
#[repr(C)]
#[derive(Clone, Copy)]
pub struct btz_waiver {
    /// sizeof(btz_waiver).
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Which rule: a name, in which * stands for anything.
    pub rule: *const c_char,
    /// Its length.
    pub rule_length: usize,
    /// On what: "host", or a VM's name or UUID, in which * stands for anything. NULL: the host.
    pub subject: *const c_char,
    /// Its length.
    pub subject_length: usize,
    /// What was observed, as "observed" in btz_agent_finding()'s JSON shows it: with another value the waiver holds no
    /// more. NULL: what is found now, by a rule and a subject without *.
    pub observed: *const c_char,
    /// Its length.
    pub observed_length: usize,
    /// Who answers for it.
    pub owner: *const c_char,
    /// Its length.
    pub owner_length: usize,
    /// Why.
    pub reason: *const c_char,
    /// Its length.
    pub reason_length: usize,
    /// The last day it holds, YYYY-MM-DD, UTC.
    pub expires: *const c_char,
    /// Its length.
    pub expires_length: usize,
    /// Where it was decided; may be NULL.
    pub ticket: *const c_char,
    /// Its length.
    pub ticket_length: usize,
}

size::sized!(btz_waiver = 120);

/// The same as BTZ_WAIVER_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
/// Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_waiver_init(waiver: *mut btz_waiver, struct_size: u32) -> btz_status {
    // SAFETY: the contract: NULL, or `struct_size` writable bytes.
    entry::plain(std::ptr::null_mut(), || unsafe { size::init(waiver, struct_size) })
}

/// Lets a finding pass: for a value, by somebody, until a day. It is taken up within a moment (when the host drives the
/// agent: in the next btz_agent_check()), is told as BTZ_CHANGE_WAIVER, and holds while this agent lives; one that is to
/// last is written to the waivers' file. waiver: set struct_size first. Errors: BTZ_ERR_ARGUMENT: it lacks an owner, a
/// reason, a value or a last day; BTZ_ERR_NOT_FOUND: observed is NULL, and nothing was found there; BTZ_ERR_NULL,
/// BTZ_ERR_SIZE. Threads: any. Blocking: no; allocates. Since: 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_waive(
    agent: *const btz_agent,
    waiver: *const btz_waiver,
    error: *mut btz_error,
) -> btz_status {
    let waive = |agent: &btz_agent| {
        // SAFETY: the contract: NULL, or a struct of the size it says.
        let given = unsafe { size::read_in(waiver)? };
        // SAFETY: the contract: each text is NULL or has as many readable bytes as its length says.
        let text = |text, length| unsafe { given_text(text, length) };
        let required =
            |text: Result<Option<String>, Failure>, missing| text?.ok_or_else(|| Failure::null(missing));
        let rule = required(text(given.rule, given.rule_length), "rule is NULL")?;
        let subject = text(given.subject, given.subject_length)?.unwrap_or_else(|| "host".to_owned());
        let observed = match text(given.observed, given.observed_length)? {
            Some(observed) => observed,
            None => observed_now(agent, &rule, &subject)?,
        };
        let waiver = Waiver {
            rule,
            subject,
            observed,
            owner: required(text(given.owner, given.owner_length), "owner is NULL")?,
            reason: required(text(given.reason, given.reason_length), "reason is NULL")?,
            expires: required(text(given.expires, given.expires_length), "expires is NULL")?,
            ticket: text(given.ticket, given.ticket_length)?.unwrap_or_default(),
        };
        agent.reader.waive(waiver).map_err(|error| Failure::argument(error.to_string()))
    };
    // SAFETY: the contract.
    unsafe { on_agent(agent, error, waive) }
}

unsafe fn given_text(text: *const c_char, length: usize) -> Result<Option<String>, Failure> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's contract is this function's.
    Ok(Some(unsafe { text::given(text, length)? }.to_owned()))
}

fn observed_now(agent: &btz_agent, rule: &str, subject: &str) -> Result<String, Failure> {
    let about = |finding: &Finding| match &finding.subject {
        Subject::Host => subject == "host",
        Subject::Vm(vm) => vm.name == subject || (!vm.uuid.is_empty() && vm.uuid == subject),
    };
    let findings = agent.reader.checks().findings();
    let found = findings.iter().find(|finding| *finding.rule == *rule && about(finding));
    found.map(|finding| finding.observed()).ok_or_else(|| {
        Failure::new(BTZ_ERR_NOT_FOUND, format!("rule {rule:?} has found nothing about {subject:?}"))
    })
}
