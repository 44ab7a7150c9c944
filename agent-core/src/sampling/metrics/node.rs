//! Metrics of one NUMA node.

super::metrics! { Node, "node", "NODE";
    MEMORY_FREE = 0, "memory_free_bytes", Gauge, Bytes, Numa, "2.6.0", "Free memory of this node.";
}
