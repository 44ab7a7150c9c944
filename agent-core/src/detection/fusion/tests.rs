//! That the rate of alarms is what was asked for, and that faults are found all the same.
