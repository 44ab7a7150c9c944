//! Metrics of the host as a whole.

super::metrics! { Host, "host", "HOST";
    CPU_USER = 0, "cpu_user_seconds", Counter, Nanoseconds, ProcStat, "2.6.0", "Time all CPUs spent in user code, guests included.";
    CPU_STEAL = 1, "cpu_steal_seconds", Counter, Nanoseconds, ProcStat, "2.6.11", "Time a hypervisor below this host ran something else.";
    PROCESSES_RUNNING = 2, "processes_running", Gauge, Count, ProcStat, "2.6.0", "Threads that run or could run now.";
    MEMORY_TOTAL = 3, "memory_total_bytes", Gauge, Bytes, Meminfo, "2.6.0", "Usable memory of the host.";
    MEMORY_AVAILABLE = 4, "memory_available_bytes", Gauge, Bytes, Meminfo, "3.14", "Memory that can be had without swapping, as the kernel estimates it.";
}
