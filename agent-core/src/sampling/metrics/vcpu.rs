//! Metrics of one virtual CPU.

super::metrics! { Vcpu, "vcpu", "VCPU";
    RUN = 0, "run_seconds", Counter, Nanoseconds, Schedule, "2.6.9", "Time the vCPU thread ran on a CPU.";
    WAIT = 1, "wait_seconds", Counter, Nanoseconds, Schedule, "2.6.9", "Time the vCPU thread was runnable but waited for a CPU: the steal its guest sees.";
    TIMESLICES = 2, "timeslices", Counter, Count, Schedule, "2.6.9", "Times the vCPU thread was put on a CPU.";
    EXITS = 3, "kvm_exits", Counter, Count, Kvm, "2.6.20", "VM exits of this vCPU.";
}
