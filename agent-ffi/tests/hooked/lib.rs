//! libbartizan with `btz_test_panic`.

/// Panics inside a call on an agent.
///
/// # Safety
/// As any call of the C ABI.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_test_panic(
    agent: *const bartizan::agent::btz_agent,
) -> bartizan::status::btz_status {
    // SAFETY: the caller's contract is this function's.
    unsafe { bartizan::panic_inside_a_call(agent) }
}
