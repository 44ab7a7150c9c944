/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Reads the scheduler's account of every thread of every watched VM, in one run a tick.
 *
 * The caller writes which process a slot is for and which records are its own; a run writes the rest. Both maps are
 * mapped into the caller's memory, so nothing is copied and nothing is parsed. The program waits for nothing: it looks
 * processes up and walks their threads under RCU.
 *
 * The layouts are those of agent-core/src/sampling/vm/sweep, which reads them.
 */
#include "kernel.h"
#include "slot.h"

struct record {
	u32 tid;
	u32 cpu;
	u64 run_ns;
	u64 wait_ns;
	u64 timeslices;
	u64 start_ns;
	u32 state; /* `__state` and `exit_state`, as the kernel has them. */
	u32 policy;
	u64 utime_ns;
	u64 stime_ns;
	u64 gtime_ns;
	u64 switches_voluntary;
	u64 switches_involuntary;
	u64 faults_minor;
	u64 faults_major;
	u64 io_read_bytes;
	u64 io_write_bytes;
	int static_priority;
	u32 realtime_priority;
};

_Static_assert(sizeof(struct record) == 128, "two cache lines");

struct run {
	u32 number; /* Counts the runs. */
	u32 slots; /* Slots from here on are for nobody. */
	u32 every; /* Each slot has its turn in every so many runs, */
	u32 full_every; /* and fields that move without the thread running are read in every so many. */
};

u8 slots SEC(".maps");
u8 records SEC(".maps");

ALWAYS_INLINE void read_thread(struct slot *slot, struct task_struct *task, int full)
{
	/* Counted in the map, where the verifier does not follow it: a loop that counts in a register is unrolled. */
	u32 index = slot->threads++;
	if (index >= slot->capacity)
		return;
	u32 key = slot->first + index;
	struct record *record = bpf_map_lookup_elem(&records, &key);
	if (!record)
		return;
	u64 run_ns = task->se.sum_exec_runtime;
	u64 wait_ns = task->sched_info.run_delay;
	u64 timeslices = task->sched_info.pcount;
	u64 start_ns = task->start_boottime;
	u32 tid = task->pid;
	int moved = record->run_ns != run_ns || record->wait_ns != wait_ns || record->timeslices != timeslices ||
		    record->tid != tid || record->start_ns != start_ns;
	if (!moved && !full)
		return;
	if (moved) {
		slot->moved++;
		record->tid = tid;
		record->run_ns = run_ns;
		record->wait_ns = wait_ns;
		record->timeslices = timeslices;
		record->start_ns = start_ns;
	}
	record->cpu = task->thread_info.cpu;
	record->state = task->__state | task->exit_state;
	record->policy = task->policy;
	record->utime_ns = task->utime;
	record->stime_ns = task->stime;
	record->gtime_ns = task->gtime;
	record->switches_voluntary = task->nvcsw;
	record->switches_involuntary = task->nivcsw;
	record->faults_minor = task->min_flt;
	record->faults_major = task->maj_flt;
	if (has_field(task->ioac.read_bytes)) {
		record->io_read_bytes = task->ioac.read_bytes;
		record->io_write_bytes = task->ioac.write_bytes;
	}
	record->static_priority = task->static_prio;
	record->realtime_priority = task->rt_priority;
}

ALWAYS_INLINE void read_process(struct slot *slot, int full)
{
	struct bpf_iter_task threads;
	struct task_struct *leader = bpf_task_from_pid(slot->pid);
	if (!leader)
		return;
	slot->found = 1;
	slot->start_ns = leader->start_boottime;
	bpf_rcu_read_lock();
	bpf_iter_task_new(&threads, leader, BPF_TASK_ITER_PROC_THREADS);
	struct task_struct *task;
	while ((task = bpf_iter_task_next(&threads)))
		read_thread(slot, task, full);
	bpf_iter_task_destroy(&threads);
	bpf_rcu_read_unlock();
	bpf_task_release(leader);
}

SEC("syscall/threads")
int read_threads(struct run *run)
{
	struct bpf_iter_num rows;
	int *at;
	u32 every = run->every, full_every = run->full_every;
	bpf_iter_num_new(&rows, 0, run->slots);
	while ((at = bpf_iter_num_next(&rows))) {
		u32 row = *at;
		struct slot *slot = bpf_map_lookup_elem(&slots, &row);
		if (!slot)
			break;
		u32 turn = run->number + row;
		if (!slot->pid || (every > 1 && turn % every))
			continue;
		slot->run = run->number;
		slot->found = 0;
		slot->threads = 0;
		slot->moved = 0;
		read_process(slot, full_every <= 1 || turn % full_every == 0);
	}
	bpf_iter_num_destroy(&rows);
	return 0;
}

/* The kernel lets programs call its functions that say they may be distributed under the GPL. */
char licence[] SEC("license") = "Dual MIT/GPL";
