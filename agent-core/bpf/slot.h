/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* One VM's slot: threads.bpf.c writes it, kvm.bpf.c looks at it. */
#pragma once

#include "kernel.h"

struct slot {
	/* Written by the caller. */
	u32 pid; /* In the first PID namespace; 0 when the slot is for nobody. */
	u32 first; /* Its first record. */
	u32 capacity; /* How many records are its own. */
	u32 unused;
	/* Written by a run. */
	u32 run; /* The run that wrote what follows, by its number. */
	u32 found; /* Whether there is such a process. */
	u32 threads; /* How many threads it has; those beyond the capacity have no record. */
	u32 moved; /* How many of them ran since the run before, or were not in their place then. */
	u64 start_ns; /* When the process started, since boot. */
	u64 spare[3];
};

_Static_assert(sizeof(struct slot) == 64, "one cache line");
