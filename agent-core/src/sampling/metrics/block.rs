//! Metrics of one block device of the host.

super::metrics! { Block, "block", "BLOCK";
    READS = 0, "reads", Counter, Count, Diskstats, "2.6.0", "Reads completed.";
}
