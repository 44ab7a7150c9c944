//! The life of an agent.

use crate::config::btz_config;
use crate::entry::{self, Handle, Words, on_agent};
use crate::error::btz_error;
use crate::failure::Failure;
use crate::ledger::attach::Attached;
use crate::quiet;
use crate::status::{BTZ_ERR_BUSY, BTZ_ERR_FORKED, BTZ_ERR_MEMORY, btz_status};
use crate::version::check_abi;
use bartizan_core::config::Config;
use bartizan_core::engine::{Agent, AgentState, Reader, memory_bytes};
use bartizan_core::sys::clock::Clock;
use parking_lot::RwLock;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::time::Duration;

/// In the first word of every live handle: "bartizan".
const ALIVE: u64 = u64::from_be_bytes(*b"bartizan");
/// In the first word of one that was freed.
const FREED: u64 = 0;

/// It has no threads: the host drives it, or it was stopped. Since: 0.1
pub const BTZ_STATE_IDLE: u32 = 0;
/// Its own threads run. Since: 0.1
pub const BTZ_STATE_RUNNING: u32 = 1;
/// A part of it failed; what it shows is what was last known. Since: 0.1
pub const BTZ_STATE_FAULTED: u32 = 2;

/// How long btz_agent_free() waits for the agent's own threads, in milliseconds. Since: 0.1
pub const BTZ_FREE_TIMEOUT_MS: u32 = 5000;

/// An agent. Made by btz_agent_new(), ended by btz_agent_free(). All calls may be made from any thread and at the same
/// time, unless a call says otherwise; those that exclude each other return BTZ_ERR_BUSY and never wait. Since: 0.1
pub struct btz_agent {
    magic: AtomicU64,
    /// Calls that are inside now.
    pub(crate) calls: AtomicU32,
    pub(crate) faulted: AtomicBool,
    /// Read by what the host drives, written by what changes the threads; only ever tried, never waited for.
    agent: RwLock<Option<Agent>>,
    pub(crate) reader: Reader,
    alert_fd: RawFd,
    pub(crate) check_fd: RawFd,
    maintenance_fd: RawFd,
    /// Where alerts and changes are recorded before they are handed out.
    pub(crate) attached: RwLock<Option<Attached>>,
}

impl Handle for btz_agent {
    const WORDS: Words = Words {
        null: "the agent is NULL",
        dead: "this is not an agent, or it was freed",
        forked: "the agent belongs to the parent process",
        failed: "the agent has failed; only btz_agent_free() works",
        fails: "the agent failed in this call; only btz_agent_free() works",
    };
    fn is_alive(&self) -> bool {
        self.magic.load(Acquire) == ALIVE
    }
    fn calls(&self) -> &AtomicU32 {
        &self.calls
    }
    fn forked(&self) -> bool {
        self.reader.forked()
    }
    fn has_failed(&self) -> bool {
        self.faulted.load(Acquire) || self.reader.state() == AgentState::Faulted
    }
    fn fault(&self) {
        self.faulted.store(true, Release);
    }
}

impl btz_agent {
    /// What the host drives: shared.
    pub(crate) fn driven(&self, run: impl FnOnce(&Agent) -> Result<(), Failure>) -> Result<(), Failure> {
        let agent = self.agent.try_read().ok_or_else(busy)?;
        agent.as_ref().map_or_else(|| Err(entry::dead::<btz_agent>()), run)
    }

    /// What changes the threads: alone.
    fn changed(&self, run: impl FnOnce(&mut Agent) -> Result<(), Failure>) -> Result<(), Failure> {
        let mut agent = self.agent.try_write().ok_or_else(busy)?;
        agent.as_mut().map_or_else(|| Err(entry::dead::<btz_agent>()), run)
    }
}

fn busy() -> Failure {
    Failure::new(BTZ_ERR_BUSY, "another thread is in a call on this agent that excludes this one")
}

/// What an agent allocates besides what its limits decide, per VM and at all: queues, tables of names, vectors of
/// descriptors. Generous; none of it is touched by asking.
const ROOM_PER_VM_BYTES: usize = 4 * 1024;
const ROOM_BYTES: usize = 4 * 1024 * 1024;

/// Makes sure that there is memory before it is taken: not every queue and table can be allocated in a way that may
/// fail, and one that fails otherwise aborts the process. The large tables are allocated fallibly all the same.
fn room_for(config: &Config) -> Result<(), Failure> {
    let bytes = (config.limits.vms as usize)
        .saturating_mul(ROOM_PER_VM_BYTES)
        .saturating_add(memory_bytes(config))
        .saturating_add(ROOM_BYTES);
    let mut room = Vec::<u8>::new();
    let refused = || {
        let message = format!("the declared limits need {bytes} bytes, which cannot be had; lower [limits]");
        Failure::new(BTZ_ERR_MEMORY, message)
    };
    room.try_reserve_exact(bytes).map_err(|_| refused())?;
    // Lest the compiler find that nobody uses it.
    std::hint::black_box(room.as_ptr());
    Ok(())
}

/// Makes an agent that does nothing yet: everything it will need to sample is allocated here, and a failing allocation
/// is BTZ_ERR_MEMORY, not an abort. Then either btz_agent_start(), or btz_agent_step() and btz_agent_maintain().
///
/// abi: BTZ_ABI_VERSION. config: copied, and may be freed right after; NULL watches this host with the defaults.
/// out: receives the handle, which the caller owns; written only on success. error: NULL or a btz_error.
/// Errors: BTZ_ERR_ABI, BTZ_ERR_CONFIG, BTZ_ERR_MEMORY, BTZ_ERR_SYSTEM.
/// Threads: any. Blocking: for the allocation only. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_new(
    abi: u32,
    config: *const btz_config,
    out: *mut *mut btz_agent,
    error: *mut btz_error,
) -> btz_status {
    entry::plain(error, || {
        check_abi(abi)?;
        if out.is_null() {
            return Err(Failure::null("out is NULL"));
        }
        let config = if config.is_null() {
            Config::default()
        } else {
            // SAFETY: the contract: a live configuration.
            unsafe { btz_config::alive(config)? }.config.clone()
        };
        quiet::install_panic_hook();
        room_for(&config)?;
        let bytes = memory_bytes(&config);
        let agent = Agent::new(config, Clock::System)?;
        log::info!("an agent was made; its limits set aside {bytes} bytes");
        let reader = agent.reader().clone();
        let handle = Box::new(btz_agent {
            magic: AtomicU64::new(ALIVE),
            calls: AtomicU32::new(0),
            faulted: AtomicBool::new(false),
            alert_fd: reader.alerts().fd().as_raw_fd(),
            check_fd: reader.checks().fd().as_raw_fd(),
            maintenance_fd: agent.maintenance_fd().as_raw_fd(),
            agent: RwLock::new(Some(agent)),
            attached: RwLock::new(None),
            reader,
        });
        // SAFETY: the contract: `out` is writable.
        unsafe { out.write(Box::into_raw(handle)) };
        Ok(())
    })
}

/// Starts three threads of the agent's own: one samples, one does what may block, one checks. They block all signals and
/// their names begin with "btz-". From then on there is nothing to drive: poll btz_agent_alert_fd(), and
/// btz_agent_check_fd() for what the checks find.
/// Errors: BTZ_ERR_STATE when they run already, BTZ_ERR_BUSY, BTZ_ERR_SYSTEM.
/// Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_start(agent: *mut btz_agent, error: *mut btz_error) -> btz_status {
    // SAFETY: the contract.
    unsafe { on_agent(agent, error, |agent| agent.changed(|agent| Ok(agent.start()?))) }
}

/// Ends the agent's own threads, waiting at most timeout_ms. What it knows can still be read; it can be started again,
/// or driven by the host. An agent without threads is stopped already: BTZ_OK.
/// Errors: BTZ_ERR_TIMEOUT: they have been told to end and will, call again. BTZ_ERR_BUSY.
/// Threads: any. Blocking: up to timeout_ms. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_stop(
    agent: *mut btz_agent,
    timeout_ms: u32,
    error: *mut btz_error,
) -> btz_status {
    let timeout = Duration::from_millis(timeout_ms.into());
    // SAFETY: the contract.
    unsafe { on_agent(agent, error, |agent| agent.changed(|agent| Ok(agent.stop(timeout)?))) }
}

/// Runs one tick now, on this thread, whatever the deadline says: reads what is due, judges it, publishes it.
/// Allocates nothing, frees nothing, takes no lock that another thread holds for long, makes no system call that
/// blocks. Call it when btz_agent_deadline() has come.
/// Errors: BTZ_ERR_STATE while the agent's own threads run; BTZ_ERR_BUSY while another thread is in this call.
/// Threads: any, one at a time. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_step(agent: *mut btz_agent, error: *mut btz_error) -> btz_status {
    // SAFETY: the contract.
    unsafe { on_agent(agent, error, |agent| agent.driven(|agent| Ok(agent.step()?))) }
}

/// Does what is due and may block, on this thread: finds VMs, opens their files, asks monitors, frees what the last
/// ticks no longer need. Call it once before the first step and whenever btz_agent_maintenance_fd() is readable; it may
/// run beside btz_agent_step() on another thread.
/// Errors: BTZ_ERR_STATE while the agent's own threads run; BTZ_ERR_BUSY while another thread is in this call.
/// Threads: any, one at a time. Blocking: as long as the kernel needs to open files. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_maintain(agent: *mut btz_agent, error: *mut btz_error) -> btz_status {
    // SAFETY: the contract.
    unsafe { on_agent(agent, error, |agent| agent.driven(|agent| Ok(agent.maintain()?))) }
}

/// When btz_agent_step() is due: absolute, CLOCK_MONOTONIC nanoseconds. In the past when it is overdue.
/// Errors: BTZ_ERR_BUSY while another thread is in a tick.
/// Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_deadline(agent: *const btz_agent, out_mono_ns: *mut u64) -> btz_status {
    let read = |agent: &btz_agent| {
        if out_mono_ns.is_null() {
            return Err(Failure::null("out_mono_ns is NULL"));
        }
        agent.driven(|agent| {
            let deadline = agent.next_deadline_ns().ok_or_else(busy)?;
            // SAFETY: the contract: writable.
            unsafe { out_mono_ns.write(deadline) };
            Ok(())
        })
    };
    // SAFETY: the contract.
    unsafe { on_agent(agent, std::ptr::null_mut(), read) }
}

/// A descriptor that is readable while alerts wait for btz_agent_alerts(). Poll it (level-triggered); never read, write
/// or close it. Valid until btz_agent_free(). CLOEXEC. Errors: a negative BTZ_ERR_* in place of the descriptor.
/// Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_alert_fd(agent: *const btz_agent) -> i32 {
    // SAFETY: the contract.
    unsafe { descriptor(agent, |agent| agent.alert_fd) }
}

/// A descriptor that is readable when btz_agent_maintain() has something to do; only for hosts that drive the agent.
/// Poll it; never read, write or close it. Valid until btz_agent_free(). CLOEXEC. Errors: a negative BTZ_ERR_* in place
/// of the descriptor. Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_maintenance_fd(agent: *const btz_agent) -> i32 {
    // SAFETY: the contract.
    unsafe { descriptor(agent, |agent| agent.maintenance_fd) }
}

pub(crate) unsafe fn descriptor(agent: *const btz_agent, choose: impl FnOnce(&btz_agent) -> RawFd) -> i32 {
    let mut fd = -1;
    let choose = |agent: &btz_agent| {
        fd = choose(agent);
        Ok(())
    };
    // SAFETY: the caller's contract is this function's.
    let status = unsafe { on_agent(agent, std::ptr::null_mut(), choose) };
    if status < 0 { status } else { fd }
}

/// What the agent is doing: BTZ_STATE_*. Works on a faulted agent too. Errors: BTZ_ERR_NULL, BTZ_ERR_HANDLE,
/// BTZ_ERR_FORKED. Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_state(agent: *const btz_agent, out: *mut u32) -> btz_status {
    entry::plain(std::ptr::null_mut(), || {
        // SAFETY: the contract.
        let agent = unsafe { entry::alive(agent)? };
        if agent.forked() {
            return Err(Failure::new(BTZ_ERR_FORKED, "the agent belongs to the parent process"));
        }
        if out.is_null() {
            return Err(Failure::null("out is NULL"));
        }
        let state = match agent.reader.state() {
            _ if agent.faulted.load(Acquire) => BTZ_STATE_FAULTED,
            AgentState::Idle => BTZ_STATE_IDLE,
            AgentState::Running => BTZ_STATE_RUNNING,
            AgentState::Faulted => BTZ_STATE_FAULTED,
        };
        // SAFETY: the contract: writable.
        unsafe { out.write(state) };
        Ok(())
    })
}

/// Puts a new configuration into force: rules, intervals, tiers, budget, tenants. The agent takes it up within a moment
/// (when driven by the host: in the next btz_agent_maintain() and btz_agent_step()). config: copied.
/// Errors: BTZ_ERR_RESTART when it differs in what is fixed when an agent is made (limits, roots); BTZ_ERR_CONFIG. The
/// old configuration then stays in force, whole.
/// Threads: any. Blocking: no. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_reload(
    agent: *mut btz_agent,
    config: *const btz_config,
    error: *mut btz_error,
) -> btz_status {
    let reload = |agent: &btz_agent| {
        // SAFETY: the contract: a live configuration.
        let config = unsafe { btz_config::alive(config)? }.config.clone();
        agent.driven(|agent| Ok(agent.reload(config)?))
    };
    // SAFETY: the contract.
    unsafe { on_agent(agent, error, reload) }
}

/// Stops the agent, waiting at most BTZ_FREE_TIMEOUT_MS, closes all its descriptors and frees all its memory. The
/// handle and the descriptors must not be used afterwards; a second free is undefined, and answered with BTZ_ERR_HANDLE
/// as long as the memory has not been given to somebody else. NULL: nothing, BTZ_OK. Works on a faulted agent.
/// Errors: nothing was freed, and the handle is still good after BTZ_ERR_BUSY (another thread is in a call on this
/// agent), BTZ_ERR_TIMEOUT (the kernel holds one of its threads; call again), BTZ_ERR_REENTRY, and in a child process
/// (BTZ_ERR_FORKED: the memory there goes with the process).
/// Threads: any, and no other may use the handle any more. Blocking: up to BTZ_FREE_TIMEOUT_MS. Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn btz_agent_free(agent: *mut btz_agent) -> btz_status {
    if agent.is_null() {
        return crate::status::BTZ_OK;
    }
    entry::plain(std::ptr::null_mut(), || {
        // SAFETY: the contract.
        let handle = unsafe { entry::alive(agent)? };
        if handle.forked() {
            return Err(Failure::new(BTZ_ERR_FORKED, "the agent belongs to the parent process"));
        }
        if handle.magic.compare_exchange(ALIVE, FREED, AcqRel, Acquire).is_err() {
            return Err(entry::dead::<btz_agent>());
        }
        // From here on, calls that begin are refused; one that is inside already keeps the handle alive.
        let keep = |failure| {
            handle.magic.store(ALIVE, Release);
            Err(failure)
        };
        let Some(mut guard) = handle.agent.try_write().filter(|_| handle.calls.load(Acquire) == 0) else {
            return keep(busy());
        };
        if let Some(inner) = guard.as_mut()
            && let Err(error) = inner.stop(Duration::from_millis(BTZ_FREE_TIMEOUT_MS.into()))
        {
            return keep(error.into());
        }
        let inner = guard.take();
        drop(guard);
        let dropped = entry::caught(|| drop(inner));
        // SAFETY: made by `Box::into_raw` in btz_agent_new(); nobody is inside, and nobody gets in.
        drop(unsafe { Box::from_raw(agent) });
        dropped.map_err(|()| {
            Failure::new(crate::status::BTZ_ERR_FAULTED, "freed, but something failed on the way")
        })
    })
}
