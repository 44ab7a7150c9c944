//! Metrics of one block device of the host. Partitions are part of their disk.

super::metrics! { Block, "block", "BLOCK";
    READS = 0, "reads", Counter, Count, Diskstats, "2.6.0", "Reads completed.";
    READS_MERGED = 1, "reads_merged", Counter, Count, Diskstats, "2.6.0", "Reads merged with a neighbour before they were queued.";
    READ = 2, "read_bytes", Counter, Bytes, Diskstats, "2.6.0", "Bytes read.";
    READ_TIME = 3, "read_time_seconds", Counter, Nanoseconds, Diskstats, "2.6.0", "Time all reads took together, waiting included.";
    WRITES = 4, "writes", Counter, Count, Diskstats, "2.6.0", "Writes completed.";
    WRITES_MERGED = 5, "writes_merged", Counter, Count, Diskstats, "2.6.0", "Writes merged with a neighbour before they were queued.";
    WRITTEN = 6, "written_bytes", Counter, Bytes, Diskstats, "2.6.0", "Bytes written.";
    WRITE_TIME = 7, "write_time_seconds", Counter, Nanoseconds, Diskstats, "2.6.0", "Time all writes took together, waiting included.";
    IN_FLIGHT = 8, "in_flight", Gauge, Count, Diskstats, "2.6.0", "Requests given to the device and not completed yet.";
    IO_TIME = 9, "io_time_seconds", Counter, Nanoseconds, Diskstats, "2.6.0", "Time in which at least one request was under way.";
    IO_WEIGHTED_TIME = 10, "io_weighted_time_seconds", Counter, Nanoseconds, Diskstats, "2.6.0", "Time of all requests under way, added up: its rate is the mean queue length.";
    DISCARDS = 11, "discards", Counter, Count, Diskstats, "4.18", "Discards completed.";
    DISCARDS_MERGED = 12, "discards_merged", Counter, Count, Diskstats, "4.18", "Discards merged with a neighbour.";
    DISCARDED = 13, "discarded_bytes", Counter, Bytes, Diskstats, "4.18", "Bytes discarded.";
    DISCARD_TIME = 14, "discard_time_seconds", Counter, Nanoseconds, Diskstats, "4.18", "Time all discards took together.";
    FLUSHES = 15, "flushes", Counter, Count, Diskstats, "5.5", "Flushes completed; not counted for partitions.";
    FLUSH_TIME = 16, "flush_time_seconds", Counter, Nanoseconds, Diskstats, "5.5", "Time all flushes took together.";
}
