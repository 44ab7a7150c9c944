//! The two bounded channels between the hot and the cold side.

use crate::detection::{self, Detector};
use crate::sampling::frame::Entity;
use crate::sampling::host::HostPlan;
use crate::sampling::vm::{Delivery, VmPlan};
use crossbeam_channel::{Receiver, Sender, bounded};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::sync::Arc;

/// What the planner asks of the sampler. Boxes, so that a swap moves a pointer.
pub(super) enum ToHot {
    /// Use this plan for the host from now on.
    Host(Box<HostPlan>),
    /// Watch this VM, or watch it by this newer plan.
    Vm(Box<VmPlan>),
    /// Watch this VM no longer.
    Retire(Entity),
    /// Put these readings into the frame.
    Deliver(Box<Delivery>),
    /// Tick this often from now on, in nanoseconds.
    Interval(u64),
    /// Use these rules from now on.
    Rules(Box<Detector>),
    /// Copy what is known into this, a few rows a tick.
    Copy(Box<detection::Copy>),
}

/// What the sampler hands back, or noticed.
pub(super) enum ToCold {
    /// No longer needed: free it.
    Host(Box<HostPlan>),
    /// No longer needed: close it and free it.
    Vm(Box<VmPlan>),
    /// No longer needed: free it, or fill it again.
    Delivery(Box<Delivery>),
    /// No longer needed: free it.
    Rules(Box<Detector>),
    /// No longer needed: free it.
    Recall(Box<detection::Recall>),
    /// It is complete.
    Copied(Box<detection::Copy>),
    /// The VM's process exited; its plan comes back in a `Vm` of its own.
    Exited(Entity),
    /// The VM has other threads than its plan knows.
    ThreadsChanged(Entity),
    /// A file of the host has changed its shape.
    HostChanged,
    /// The kernel has given out this PID since the last time.
    LastPid(u32),
}

/// The sampler's ends.
pub(super) struct Hot {
    pub(super) requests: Receiver<ToHot>,
    pub(super) answers: Sender<ToCold>,
    wake: Arc<EventFd>,
}

/// The planner's ends.
pub(super) struct Cold {
    pub(super) requests: Sender<ToHot>,
    pub(super) answers: Receiver<ToCold>,
    pub(super) wake: Arc<EventFd>,
}

impl Hot {
    /// Sends to the planner; `Err` gives the message back when the planner is far behind.
    pub(super) fn send(&self, message: ToCold) -> Result<(), ToCold> {
        self.answers.try_send(message).map_err(crossbeam_channel::TrySendError::into_inner)?;
        // Fails only when the count is at its maximum, and then the planner is awake anyway.
        let _ = self.wake.write(1);
        Ok(())
    }

    /// Whether at least `count` messages can be sent. Only the sampler sends, so the room cannot shrink meanwhile.
    pub(super) fn has_room(&self, count: usize) -> bool {
        self.answers.capacity().is_none_or(|capacity| capacity - self.answers.len() >= count)
    }
}

/// Makes the channels for so many VMs.
pub(super) fn connect(vms: usize) -> nix::Result<(Hot, Cold)> {
    let (to_hot, requests) = bounded(2 * vms + 64);
    let (to_cold, answers) = bounded(4 * vms + 64);
    let wake = Arc::new(EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
    Ok((
        Hot { requests, answers: to_cold, wake: Arc::clone(&wake) },
        Cold { requests: to_hot, answers, wake },
    ))
}
