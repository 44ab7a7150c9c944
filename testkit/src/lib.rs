//! Real VMs for tests.
