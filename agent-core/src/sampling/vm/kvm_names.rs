//! KVM's names for its counters, and the metrics they become.
//!
//! Names: `arch/x86/kvm/x86.c` and `virt/kvm/kvm_main.c`, the same in the binary statistics and in debugfs. A name
//! that this kernel lacks leaves its metric `unsupported`; a name that is not listed here is not read.

use crate::sampling::metrics::{MetricId, Scope, vcpu, vm};

/// One counter that KVM keeps per vCPU.
pub(super) struct VcpuCounter {
    /// KVM's name.
    pub(super) name: &'static str,
    /// The metric of one vCPU.
    pub(super) vcpu: MetricId,
    /// The metric of the VM: the sum over its vCPUs.
    pub(super) vm: MetricId,
}

/// One counter that KVM keeps per VM.
pub(super) struct VmCounter {
    /// KVM's name.
    pub(super) name: &'static str,
    /// The metric of the VM.
    pub(super) vm: MetricId,
}

const fn per_vcpu(name: &'static str, vcpu: MetricId, vm: MetricId) -> VcpuCounter {
    VcpuCounter { name, vcpu, vm }
}

const fn per_vm(name: &'static str, vm: MetricId) -> VmCounter {
    VmCounter { name, vm }
}

/// The metric that KVM's counter of this name fills in a row of this scope, wherever it was read.
pub(crate) fn metric(scope: Scope, name: &str) -> Option<MetricId> {
    match scope {
        Scope::Vcpu => VCPU_COUNTERS.iter().find(|counter| counter.name == name).map(|counter| counter.vcpu),
        Scope::Vm => VM_COUNTERS.iter().find(|counter| counter.name == name).map(|counter| counter.vm),
        _ => None,
    }
}

/// The metrics of the VM that are the sums of its vCPUs' counters: vCPU's metric and VM's.
pub(crate) fn sums() -> impl Iterator<Item = (MetricId, MetricId)> {
    VCPU_COUNTERS.iter().map(|counter| (counter.vcpu, counter.vm))
}

/// Counters per vCPU.
pub(super) const VCPU_COUNTERS: &[VcpuCounter] = &[
    per_vcpu("exits", vcpu::EXITS, vm::KVM_EXITS),
    per_vcpu("io_exits", vcpu::KVM_IO_EXITS, vm::KVM_IO_EXITS),
    per_vcpu("mmio_exits", vcpu::KVM_MMIO_EXITS, vm::KVM_MMIO_EXITS),
    per_vcpu("halt_exits", vcpu::KVM_HALT_EXITS, vm::KVM_HALT_EXITS),
    per_vcpu("irq_exits", vcpu::KVM_IRQ_EXITS, vm::KVM_IRQ_EXITS),
    per_vcpu("irq_window_exits", vcpu::KVM_IRQ_WINDOW_EXITS, vm::KVM_IRQ_WINDOW_EXITS),
    per_vcpu("nmi_window_exits", vcpu::KVM_NMI_WINDOW_EXITS, vm::KVM_NMI_WINDOW_EXITS),
    per_vcpu("request_irq_exits", vcpu::KVM_REQUEST_IRQ_EXITS, vm::KVM_REQUEST_IRQ_EXITS),
    per_vcpu("signal_exits", vcpu::KVM_SIGNAL_EXITS, vm::KVM_SIGNAL_EXITS),
    per_vcpu("notify_window_exits", vcpu::KVM_NOTIFY_WINDOW_EXITS, vm::KVM_NOTIFY_WINDOW_EXITS),
    per_vcpu("halt_attempted_poll", vcpu::KVM_HALT_POLLS_ATTEMPTED, vm::KVM_HALT_POLLS_ATTEMPTED),
    per_vcpu("halt_successful_poll", vcpu::KVM_HALT_POLLS_SUCCESSFUL, vm::KVM_HALT_POLLS_SUCCESSFUL),
    per_vcpu("halt_poll_invalid", vcpu::KVM_HALT_POLLS_INVALID, vm::KVM_HALT_POLLS_INVALID),
    per_vcpu("halt_wakeup", vcpu::KVM_HALT_WAKEUPS, vm::KVM_HALT_WAKEUPS),
    per_vcpu("halt_poll_success_ns", vcpu::KVM_HALT_POLL_SUCCESS, vm::KVM_HALT_POLL_SUCCESS),
    per_vcpu("halt_poll_fail_ns", vcpu::KVM_HALT_POLL_FAIL, vm::KVM_HALT_POLL_FAIL),
    per_vcpu("halt_wait_ns", vcpu::KVM_HALT_WAIT, vm::KVM_HALT_WAIT),
    per_vcpu("blocking", vcpu::KVM_BLOCKING, vm::KVM_BLOCKING),
    per_vcpu("irq_injections", vcpu::KVM_IRQ_INJECTIONS, vm::KVM_IRQ_INJECTIONS),
    per_vcpu("nmi_injections", vcpu::KVM_NMI_INJECTIONS, vm::KVM_NMI_INJECTIONS),
    per_vcpu("req_event", vcpu::KVM_REQUEST_EVENTS, vm::KVM_REQUEST_EVENTS),
    per_vcpu("insn_emulation", vcpu::KVM_EMULATIONS, vm::KVM_EMULATIONS),
    per_vcpu("insn_emulation_fail", vcpu::KVM_EMULATIONS_FAILED, vm::KVM_EMULATIONS_FAILED),
    per_vcpu("pf_taken", vcpu::KVM_PAGE_FAULTS, vm::KVM_PAGE_FAULTS),
    per_vcpu("pf_fixed", vcpu::KVM_PAGE_FAULTS_FIXED, vm::KVM_PAGE_FAULTS_FIXED),
    per_vcpu("pf_emulate", vcpu::KVM_PAGE_FAULTS_EMULATED, vm::KVM_PAGE_FAULTS_EMULATED),
    per_vcpu("pf_spurious", vcpu::KVM_PAGE_FAULTS_SPURIOUS, vm::KVM_PAGE_FAULTS_SPURIOUS),
    per_vcpu("pf_fast", vcpu::KVM_PAGE_FAULTS_FAST, vm::KVM_PAGE_FAULTS_FAST),
    per_vcpu("pf_mmio_spte_created", vcpu::KVM_PAGE_FAULTS_MMIO, vm::KVM_PAGE_FAULTS_MMIO),
    per_vcpu("pf_guest", vcpu::KVM_PAGE_FAULTS_GUEST, vm::KVM_PAGE_FAULTS_GUEST),
    per_vcpu("tlb_flush", vcpu::KVM_TLB_FLUSHES, vm::KVM_TLB_FLUSHES),
    per_vcpu("invlpg", vcpu::KVM_INVLPG, vm::KVM_INVLPG),
    per_vcpu("l1d_flush", vcpu::KVM_L1D_FLUSHES, vm::KVM_L1D_FLUSHES),
    per_vcpu("host_state_reload", vcpu::KVM_HOST_STATE_RELOADS, vm::KVM_HOST_STATE_RELOADS),
    per_vcpu("fpu_reload", vcpu::KVM_FPU_RELOADS, vm::KVM_FPU_RELOADS),
    per_vcpu("hypercalls", vcpu::KVM_HYPERCALLS, vm::KVM_HYPERCALLS),
    per_vcpu("nested_run", vcpu::KVM_NESTED_RUNS, vm::KVM_NESTED_RUNS),
    per_vcpu(
        "directed_yield_attempted",
        vcpu::KVM_DIRECTED_YIELDS_ATTEMPTED,
        vm::KVM_DIRECTED_YIELDS_ATTEMPTED,
    ),
    per_vcpu(
        "directed_yield_successful",
        vcpu::KVM_DIRECTED_YIELDS_SUCCESSFUL,
        vm::KVM_DIRECTED_YIELDS_SUCCESSFUL,
    ),
    per_vcpu("preemption_reported", vcpu::KVM_PREEMPTIONS_REPORTED, vm::KVM_PREEMPTIONS_REPORTED),
    per_vcpu("preemption_other", vcpu::KVM_PREEMPTIONS_OTHER, vm::KVM_PREEMPTIONS_OTHER),
    per_vcpu("guest_mode", vcpu::KVM_GUEST_MODE, vm::KVM_GUEST_MODE),
];

/// Counters per VM.
pub(super) const VM_COUNTERS: &[VmCounter] = &[
    per_vm("remote_tlb_flush", vm::KVM_REMOTE_TLB_FLUSHES),
    per_vm("remote_tlb_flush_requests", vm::KVM_REMOTE_TLB_FLUSH_REQUESTS),
    per_vm("mmu_shadow_zapped", vm::KVM_MMU_ZAPPED),
    per_vm("mmu_pte_write", vm::KVM_MMU_PTE_WRITES),
    per_vm("mmu_pde_zapped", vm::KVM_MMU_PDE_ZAPPED),
    per_vm("mmu_flooded", vm::KVM_MMU_FLOODED),
    per_vm("mmu_recycled", vm::KVM_MMU_RECYCLED),
    per_vm("mmu_cache_miss", vm::KVM_MMU_CACHE_MISSES),
    per_vm("mmu_unsync", vm::KVM_MMU_UNSYNC),
    per_vm("pages_4k", vm::KVM_PAGES_4K),
    per_vm("pages_2m", vm::KVM_PAGES_2M),
    per_vm("pages_1g", vm::KVM_PAGES_1G),
    per_vm("nx_lpage_splits", vm::KVM_NX_HUGE_PAGE_SPLITS),
    per_vm("max_mmu_page_hash_collisions", vm::KVM_MMU_HASH_COLLISIONS_MAX),
    per_vm("max_mmu_rmap_size", vm::KVM_MMU_RMAP_SIZE_MAX),
];
