//! Metrics of one virtual machine, seen from the host.

super::metrics! { Vm, "vm", "VM";
    STATE = 0, "state", Gauge, State, TaskStat, "2.6.0", "State of the VMM process: 1 running, 2 stopped (SIGSTOP or traced), 3 frozen (cgroup freezer), 4 zombie, 5 uninterruptible.";
    CPU_USER = 1, "cpu_user_seconds", Counter, Nanoseconds, TaskStat, "2.6.0", "Time the VMM process spent in user code, guest time included.";
    CPU_SYSTEM = 2, "cpu_system_seconds", Counter, Nanoseconds, TaskStat, "2.6.0", "Time the VMM process spent in the kernel.";
    THREADS = 3, "threads", Gauge, Count, TaskStat, "2.6.0", "Threads of the VMM process.";
    MEMORY_RESIDENT = 4, "memory_resident_bytes", Gauge, Bytes, TaskStat, "2.6.0", "Resident memory of the VMM process, guest memory included.";
    KVM_EXITS = 5, "kvm_exits", Counter, Count, Kvm, "2.6.20", "VM exits of all vCPUs.";
}
