//! What the agent says of itself.

super::metrics! { Agent, "agent", "AGENT";
    TICKS = 0, "ticks", Counter, Count, Agent, "any", "Ticks completed.";
    TICKS_MISSED = 1, "ticks_missed", Counter, Count, Agent, "any", "Ticks whose deadline had passed by a whole period when the sampler came round.";
    TICK_CPU = 2, "tick_cpu_seconds", Counter, Nanoseconds, Agent, "any", "CPU time spent in ticks.";
    TICK_DURATION = 3, "tick_duration_seconds", Gauge, Nanoseconds, Agent, "any", "Wall time of the last tick.";
    PLANNER_CPU = 4, "planner_cpu_seconds", Counter, Nanoseconds, Agent, "any", "CPU time spent on the cold side: discovery, planning, monitors.";
    DEGRADATION = 5, "degradation", Gauge, State, Agent, "any", "Step of degradation in force to keep the CPU budget: 0 is none.";
    VMS = 6, "vms", Gauge, Count, Agent, "any", "VMs watched now.";
    VCPUS = 7, "vcpus", Gauge, Count, Agent, "any", "vCPUs watched now.";
    VMS_REFUSED = 8, "vms_refused", Counter, Count, Agent, "any", "VMs seen but not watched because a declared limit was reached.";
    DESCRIPTORS = 9, "descriptors", Gauge, Count, Agent, "any", "File descriptors the agent holds for sampling.";
    ALERTS_PRODUCED = 10, "alerts_produced", Counter, Count, Agent, "any", "Alerts detection produced.";
    ALERTS_DELIVERED = 11, "alerts_delivered", Counter, Count, Agent, "any", "Alerts handed to a consumer.";
    ALERTS_SUPPRESSED = 12, "alerts_suppressed", Counter, Count, Agent, "any", "Alerts held back by a rate limit or a duplicate.";
    ALERTS_DROPPED = 13, "alerts_dropped", Counter, Count, Agent, "any", "Alerts lost because the ring was full.";
    ALERTS_IN_FLIGHT = 14, "alerts_in_flight", Gauge, Count, Agent, "any", "Alerts waiting in the ring.";
    COUNTER_RESETS = 15, "resets_noticed", Counter, Count, Agent, "any", "Counters seen to go backwards; no rate was made of them.";
    DELIVERIES_DROPPED = 16, "deliveries_dropped", Counter, Count, Agent, "any", "Asynchronous readings dropped because the sampler had not taken earlier ones.";
    PLANS_SWAPPED = 17, "plans_swapped", Counter, Count, Agent, "any", "Plans the sampler took over from the planner.";
    MEMORY_RESERVED = 18, "memory_reserved_bytes", Gauge, Bytes, Agent, "any", "Memory set aside when the agent was created.";
    TICK_LATENESS = 19, "tick_lateness_seconds", Gauge, Nanoseconds, Agent, "any", "How long after its deadline the last tick began.";
    CPU = 20, "cpu_ratio", Gauge, PartsPerMillion, Agent, "any", "CPU time of sampler and planner over the last minute, as a part of one core.";
    UEVENTS = 21, "uevents", Counter, Count, Agent, "any", "VMs that the kernel announced as created or destroyed.";
    UEVENT_OVERRUNS = 22, "uevent_overruns", Counter, Count, Agent, "any", "Times the kernel lost announcements because they were not taken fast enough; each causes a full scan.";
    FULL_SCANS = 23, "full_scans", Counter, Count, Agent, "any", "Scans of all processes for VMs.";
    CHECKS_CPU = 24, "checks_cpu_seconds", Counter, Nanoseconds, Agent, "any", "CPU time spent on checks of isolation and configuration.";
    CHECKS_SWEEPS = 25, "checks_sweeps", Counter, Count, Agent, "any", "Full runs of all checks that were completed.";
    CHECKS_PASSED = 26, "checks_passed", Gauge, Count, Agent, "any", "Findings of checks that pass.";
    CHECKS_FAILED = 27, "checks_failed", Gauge, Count, Agent, "any", "Findings of checks that fail, those that are waived included.";
    CHECKS_UNKNOWN = 28, "checks_unknown", Gauge, Count, Agent, "any", "Findings of checks that could not be judged because something could not be read.";
    CHECKS_ERRORS = 29, "checks_errors", Gauge, Count, Agent, "any", "Checks that are broken: rule files with mistakes, rules that failed.";
    CHECKS_WAIVED = 30, "checks_waived", Gauge, Count, Agent, "any", "Findings that fail and that somebody answers for.";
    CHECKS_CHANGES_PRODUCED = 31, "checks_changes_produced", Counter, Count, Agent, "any", "Changes of findings.";
    CHECKS_CHANGES_DELIVERED = 32, "checks_changes_delivered", Counter, Count, Agent, "any", "Changes of findings handed to a consumer.";
    CHECKS_CHANGES_DROPPED = 33, "checks_changes_dropped", Counter, Count, Agent, "any", "Changes of findings lost because nobody took them.";
    CHECKS_CHANGES_IN_FLIGHT = 34, "checks_changes_in_flight", Gauge, Count, Agent, "any", "Changes of findings that wait to be taken.";
}
