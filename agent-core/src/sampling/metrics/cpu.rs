//! Metrics of one logical CPU of the host.

super::metrics! { Cpu, "cpu", "CPU";
    USER = 0, "user_seconds", Counter, Nanoseconds, ProcStat, "2.6.0", "Time this CPU spent in user code, guests included.";
}
