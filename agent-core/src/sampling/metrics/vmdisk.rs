//! Metrics of one disk of a VM, as its VMM counts them: what the guest asked for, before the host's page cache.

super::metrics! { VmDisk, "vmdisk", "VMDISK";
    READ = 0, "read_bytes", Counter, Bytes, MonitorDisk, "QEMU 0.14", "Bytes the guest read.";
    WRITTEN = 1, "written_bytes", Counter, Bytes, MonitorDisk, "QEMU 0.14", "Bytes the guest wrote.";
    READS = 2, "reads", Counter, Count, MonitorDisk, "QEMU 0.14", "Reads completed.";
    WRITES = 3, "writes", Counter, Count, MonitorDisk, "QEMU 0.14", "Writes completed.";
    FLUSHES = 4, "flushes", Counter, Count, MonitorDisk, "QEMU 0.15", "Cache flushes completed.";
    UNMAPS = 5, "unmaps", Counter, Count, MonitorDisk, "QEMU 4.2", "Discards completed.";
    UNMAPPED = 6, "unmapped_bytes", Counter, Bytes, MonitorDisk, "QEMU 4.2", "Bytes the guest discarded.";
    READ_TIME = 7, "read_time_seconds", Counter, Nanoseconds, MonitorDisk, "QEMU 0.15", "Time spent in reads, summed over reads that ran side by side.";
    WRITE_TIME = 8, "write_time_seconds", Counter, Nanoseconds, MonitorDisk, "QEMU 0.15", "Time spent in writes, summed over writes that ran side by side.";
    FLUSH_TIME = 9, "flush_time_seconds", Counter, Nanoseconds, MonitorDisk, "QEMU 0.15", "Time spent in flushes, summed over flushes that ran side by side.";
    UNMAP_TIME = 10, "unmap_time_seconds", Counter, Nanoseconds, MonitorDisk, "QEMU 4.2", "Time spent in discards, summed over discards that ran side by side.";
    READS_MERGED = 11, "reads_merged", Counter, Count, MonitorDisk, "QEMU 2.3", "Reads merged into another one.";
    WRITES_MERGED = 12, "writes_merged", Counter, Count, MonitorDisk, "QEMU 2.3", "Writes merged into another one.";
    READS_FAILED = 13, "reads_failed", Counter, Count, MonitorDisk, "QEMU 2.5", "Reads that failed on the host.";
    WRITES_FAILED = 14, "writes_failed", Counter, Count, MonitorDisk, "QEMU 2.5", "Writes that failed on the host.";
    FLUSHES_FAILED = 15, "flushes_failed", Counter, Count, MonitorDisk, "QEMU 2.5", "Flushes that failed on the host.";
    UNMAPS_FAILED = 16, "unmaps_failed", Counter, Count, MonitorDisk, "QEMU 4.2", "Discards that failed on the host.";
    READS_INVALID = 17, "reads_invalid", Counter, Count, MonitorDisk, "QEMU 2.5", "Reads refused because the guest asked for something impossible.";
    WRITES_INVALID = 18, "writes_invalid", Counter, Count, MonitorDisk, "QEMU 2.5", "Writes refused because the guest asked for something impossible.";
    FLUSHES_INVALID = 19, "flushes_invalid", Counter, Count, MonitorDisk, "QEMU 2.5", "Flushes refused because the guest asked for something impossible.";
    UNMAPS_INVALID = 20, "unmaps_invalid", Counter, Count, MonitorDisk, "QEMU 4.2", "Discards refused because the guest asked for something impossible.";
    IDLE_TIME = 21, "idle_seconds", Gauge, Nanoseconds, MonitorDisk, "QEMU 2.5", "Time since the last request completed.";
    HIGHEST_OFFSET = 22, "highest_write_offset_bytes", Gauge, Bytes, MonitorDisk, "QEMU 0.14", "End of the furthest write into the image: how far a thin image has filled.";
    REQUESTS_FAILED = 23, "requests_failed", Counter, Count, MonitorDisk, "QEMU 2.5, Firecracker 0.10", "Requests of any kind that failed on the host.";
    REQUESTS_INVALID = 24, "requests_invalid", Counter, Count, MonitorDisk, "QEMU 2.5, Firecracker 0.10", "Requests of any kind the guest put together wrongly.";
    THROTTLED = 25, "throttled", Counter, Count, MonitorDisk, "Firecracker 0.21", "Times the disk's rate limiter held requests back.";
    ENGINE_THROTTLED = 26, "engine_throttled", Counter, Count, MonitorDisk, "Firecracker 1.0", "Times the asynchronous I/O engine had no room for a request.";
    QUEUE_EVENTS = 27, "queue_events", Counter, Count, MonitorDisk, "Firecracker 0.21", "Times the guest notified the disk's queue.";
    QUEUE_EMPTY = 28, "queue_empty", Counter, Count, MonitorDisk, "Firecracker 0.21", "Times the disk's queue held nothing when it was looked at.";
    READ_LATENCY = 29, "read_latency_seconds", Gauge, Nanoseconds, MonitorDisk, "Cloud Hypervisor 31", "Mean time of a read since the VM began.";
    READ_LATENCY_MAX = 30, "read_latency_max_seconds", Gauge, Nanoseconds, MonitorDisk, "Cloud Hypervisor 31, Firecracker 1.6", "Longest read since the VM began.";
    WRITE_LATENCY = 31, "write_latency_seconds", Gauge, Nanoseconds, MonitorDisk, "Cloud Hypervisor 31", "Mean time of a write since the VM began.";
    WRITE_LATENCY_MAX = 32, "write_latency_max_seconds", Gauge, Nanoseconds, MonitorDisk, "Cloud Hypervisor 31, Firecracker 1.6", "Longest write since the VM began.";
    FILESYSTEM = 33, "filesystem_bytes", Gauge, Bytes, Filesystem, "any", "Size of the file system that holds the disk's image, where that is a local one.";
    FILESYSTEM_AVAILABLE = 34, "filesystem_available_bytes", Gauge, Bytes, Filesystem, "any", "Room left in that file system for whoever is not root: a thin image cannot grow beyond it.";
}
