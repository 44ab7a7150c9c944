//! What calls return. Numbers are part of the ABI: they are appended, never moved and never used again.

/// What a call returns: BTZ_OK, or a negative BTZ_ERR_* constant. Since: 0.1
pub type btz_status = i32;

/// Done. Since: 0.1
pub const BTZ_OK: btz_status = 0;
/// A pointer that must not be NULL is NULL. Since: 0.1
pub const BTZ_ERR_NULL: btz_status = -1;
/// An argument has a value that it must not have. Since: 0.1
pub const BTZ_ERR_ARGUMENT: btz_status = -2;
/// A struct_size or stride is smaller than the smallest this library knows, or what lies beyond the size it knows is
/// not zero: the caller asks for something this library cannot do. Since: 0.1
pub const BTZ_ERR_SIZE: btz_status = -3;
/// The caller was compiled against an ABI that this library does not serve. Since: 0.1
pub const BTZ_ERR_ABI: btz_status = -4;
/// Not a handle, or one that was freed. Seen on a best-effort base only: using a freed handle remains undefined. Since: 0.1
pub const BTZ_ERR_HANDLE: btz_status = -5;
/// Another thread is in a call that excludes this one. Nothing was done; call again. Since: 0.1
pub const BTZ_ERR_BUSY: btz_status = -6;
/// This process is a child of the one that made the handle. Since: 0.1
pub const BTZ_ERR_FORKED: btz_status = -7;
/// A part of the agent failed beyond repair, in this call or earlier. Only btz_agent_free() works. Since: 0.1
pub const BTZ_ERR_FAULTED: btz_status = -8;
/// The library failed in a call that belongs to no agent. Please report it. Since: 0.1
pub const BTZ_ERR_INTERNAL: btz_status = -9;
/// The configuration cannot be used; the error's text names file, line, mistake and cure. Since: 0.1
pub const BTZ_ERR_CONFIG: btz_status = -10;
/// The memory that the declared limits need cannot be had. Since: 0.1
pub const BTZ_ERR_MEMORY: btz_status = -11;
/// The kernel refused a descriptor or a thread. Since: 0.1
pub const BTZ_ERR_SYSTEM: btz_status = -12;
/// Not in this state: for instance a step while the agent runs on its own threads. Since: 0.1
pub const BTZ_ERR_STATE: btz_status = -13;
/// It took longer than allowed. The call can be made again. Since: 0.1
pub const BTZ_ERR_TIMEOUT: btz_status = -14;
/// There is no such thing. Since: 0.1
pub const BTZ_ERR_NOT_FOUND: btz_status = -15;
/// The buffer is too small; *needed says how large it must be. Since: 0.1
pub const BTZ_ERR_BUFFER: btz_status = -16;
/// Called from within the log hook. Since: 0.1
pub const BTZ_ERR_REENTRY: btz_status = -17;
/// This part of a configuration is fixed when an agent is made; make a new one. Since: 0.1
pub const BTZ_ERR_RESTART: btz_status = -18;
/// A ledger's files were changed, lost, or written by something else; the error's text names the place. Since: 0.3
pub const BTZ_ERR_DAMAGED: btz_status = -19;
/// Too much waits already: the record was refused, and is counted. Since: 0.3
pub const BTZ_ERR_FULL: btz_status = -20;
/// The disk refused. What was appended stays queued, and is written when the disk is back. Since: 0.3
pub const BTZ_ERR_DISK: btz_status = -21;
/// Another process, or another handle, has this ledger open. Since: 0.3
pub const BTZ_ERR_LOCKED: btz_status = -22;

/// Every status with its name, for btz_status_name() and the tests.
pub(crate) const NAMES: &[(btz_status, &std::ffi::CStr)] = &[
    (BTZ_OK, c"BTZ_OK"),
    (BTZ_ERR_NULL, c"BTZ_ERR_NULL"),
    (BTZ_ERR_ARGUMENT, c"BTZ_ERR_ARGUMENT"),
    (BTZ_ERR_SIZE, c"BTZ_ERR_SIZE"),
    (BTZ_ERR_ABI, c"BTZ_ERR_ABI"),
    (BTZ_ERR_HANDLE, c"BTZ_ERR_HANDLE"),
    (BTZ_ERR_BUSY, c"BTZ_ERR_BUSY"),
    (BTZ_ERR_FORKED, c"BTZ_ERR_FORKED"),
    (BTZ_ERR_FAULTED, c"BTZ_ERR_FAULTED"),
    (BTZ_ERR_INTERNAL, c"BTZ_ERR_INTERNAL"),
    (BTZ_ERR_CONFIG, c"BTZ_ERR_CONFIG"),
    (BTZ_ERR_MEMORY, c"BTZ_ERR_MEMORY"),
    (BTZ_ERR_SYSTEM, c"BTZ_ERR_SYSTEM"),
    (BTZ_ERR_STATE, c"BTZ_ERR_STATE"),
    (BTZ_ERR_TIMEOUT, c"BTZ_ERR_TIMEOUT"),
    (BTZ_ERR_NOT_FOUND, c"BTZ_ERR_NOT_FOUND"),
    (BTZ_ERR_BUFFER, c"BTZ_ERR_BUFFER"),
    (BTZ_ERR_REENTRY, c"BTZ_ERR_REENTRY"),
    (BTZ_ERR_RESTART, c"BTZ_ERR_RESTART"),
    (BTZ_ERR_DAMAGED, c"BTZ_ERR_DAMAGED"),
    (BTZ_ERR_FULL, c"BTZ_ERR_FULL"),
    (BTZ_ERR_DISK, c"BTZ_ERR_DISK"),
    (BTZ_ERR_LOCKED, c"BTZ_ERR_LOCKED"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_dense_and_negative_and_in_order() {
        for (place, (status, name)) in (0..).zip(NAMES) {
            assert_eq!(*status, -place, "{name:?}");
        }
    }
}
