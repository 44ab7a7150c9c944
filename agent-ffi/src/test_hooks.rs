//! What only tests need; not part of what is shipped.

use crate::agent::btz_agent;
use crate::entry::on_agent;
use crate::status::btz_status;

/// Panics inside a call on an agent, which must then be faulted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_test_panic(agent: *const btz_agent) -> btz_status {
    // SAFETY: the contract.
    unsafe { on_agent(agent, std::ptr::null_mut(), |_| panic!("provoked by a test")) }
}
