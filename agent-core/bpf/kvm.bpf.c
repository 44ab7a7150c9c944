/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Reads KVM's counters of every vCPU of every watched VM from where KVM keeps them, in one run a tick: whatever the VMM,
 * without a descriptor, without asking anybody, and without holding a VM that ends.
 *
 * A vCPU is reached through its descriptor in the VMM's table. Nothing is locked, so any step may lead to what is gone.
 * What was copied counts only if afterwards the table still holds the same file: then the file, and the vCPU and the VM
 * that it holds, were there all the while.
 *
 * The layouts are those of agent-core/src/sampling/vm/bpf/kvm.rs, which reads them.
 */
#include "kernel.h"
#include "slot.h"

enum {
	FIRST_BYTES = 64, /* Of the vCPU's counters, what stands before KVM's histograms, */
	SECOND_BYTES = 304, /* and what stands behind them. */
	VM_BYTES = 128,
};

struct target {
	/* Written by the caller. */
	u32 pid; /* In the first PID namespace; 0 when the target is nobody. */
	u32 first; /* Its first vCPU. */
	u32 count; /* How many vCPUs. */
	u32 recent; /* Runs for which it is still read although no thread of it moves. */
	u64 operations; /* What the file of a vCPU has as its operations. */
	u64 start_ns; /* When the process started, since boot. */
	/* Written by a run. */
	u32 run; /* The run that wrote what follows, by its number. */
	u32 failed; /* How many vCPUs could not be read. */
	u64 spare[3];
	u64 data[VM_BYTES / 8];
};

struct vcpu {
	u32 fd; /* Written by the caller. */
	u32 run; /* Written by a run, once what follows is whole. */
	u64 spare;
	u64 first[FIRST_BYTES / 8];
	u64 second[SECOND_BYTES / 8];
};

_Static_assert(sizeof(struct target) == 192, "three cache lines");
_Static_assert(sizeof(struct vcpu) == 384, "six cache lines");

struct run {
	u32 number;
	u32 targets;
	u32 every;
	u32 full_every;
	/* Where the counters are in a vCPU and in a VM, and how many bytes of them. */
	u32 first_at, first_bytes;
	u32 second_at, second_bytes;
	u32 vm_at, vm_bytes;
};

u8 slots SEC(".maps");
u8 targets SEC(".maps");
u8 vcpus SEC(".maps");

enum { RUNS_AFTER_MOTION = 2 };

/* What stands in a table of files; nothing when that cannot be read. */
ALWAYS_INLINE struct file *file_at(struct file **table, u32 fd)
{
	struct file *file = 0;
	bpf_probe_read_kernel(&file, sizeof(file), &table[fd]);
	return file;
}

ALWAYS_INLINE int read_vcpu(struct run *run, struct target *target, struct vcpu *vcpu, struct file **table, u32 files,
			    int with_vm)
{
	const void *operations = 0;
	void *object = 0;
	void *kvm = 0;
	u32 fd = vcpu->fd;
	u32 first_bytes = run->first_bytes, second_bytes = run->second_bytes, vm_bytes = run->vm_bytes;
	if (fd >= files || first_bytes > FIRST_BYTES || second_bytes > SECOND_BYTES || vm_bytes > VM_BYTES)
		return 0;
	struct file *file = file_at(table, fd);
	if (!file || read_field(operations, file, f_op) || (u64)operations != target->operations)
		return 0;
	if (read_field(object, file, private_data) || !object)
		return 0;
	vcpu->run = 0;
	if (bpf_probe_read_kernel(vcpu->first, first_bytes, object + run->first_at) ||
	    bpf_probe_read_kernel(vcpu->second, second_bytes, object + run->second_at))
		return 0;
	if (with_vm && (read_field(kvm, (struct kvm_vcpu *)object, kvm) || !kvm ||
			bpf_probe_read_kernel(target->data, vm_bytes, kvm + run->vm_at)))
		return 0;
	if (file_at(table, fd) != file)
		return 0;
	vcpu->run = run->number;
	return 1;
}

ALWAYS_INLINE void read_vm(struct run *run, struct target *target)
{
	struct bpf_iter_num numbers;
	int *at;
	u32 complete = 0;
	struct task_struct *task = bpf_task_from_pid(target->pid);
	if (!task)
		return;
	if (task->start_boottime != target->start_ns)
		goto release;
	bpf_rcu_read_lock();
	struct files_struct *files = task->files;
	struct fdtable *fdt = files ? files->fdt : 0;
	if (fdt) {
		struct file **table = fdt->fd;
		u32 length = fdt->max_fds;
		target->failed = 0;
		bpf_iter_num_new(&numbers, 0, target->count);
		while ((at = bpf_iter_num_next(&numbers))) {
			u32 key = target->first + *at;
			struct vcpu *vcpu = bpf_map_lookup_elem(&vcpus, &key);
			if (!vcpu)
				break;
			/* The VM's own counters come with its first vCPU. */
			if (!read_vcpu(run, target, vcpu, table, length, *at == 0))
				target->failed++;
		}
		bpf_iter_num_destroy(&numbers);
		complete = 1;
	}
	bpf_rcu_read_unlock();
	if (complete)
		target->run = run->number;
release:
	bpf_task_release(task);
}

SEC("syscall/read")
int read_kvm(struct run *run)
{
	struct bpf_iter_num rows;
	int *at;
	u32 every = run->every, full_every = run->full_every;
	bpf_iter_num_new(&rows, 0, run->targets);
	while ((at = bpf_iter_num_next(&rows))) {
		u32 row = *at;
		struct target *target = bpf_map_lookup_elem(&targets, &row);
		struct slot *slot = bpf_map_lookup_elem(&slots, &row);
		if (!target || !slot)
			break;
		u32 turn = run->number + row;
		if (!target->pid || (every > 1 && turn % every))
			continue;
		/* Counters of vCPUs that do not run do not move. */
		int known = slot->pid == target->pid && slot->run == run->number && slot->found;
		if (!known || slot->moved)
			target->recent = RUNS_AFTER_MOTION;
		else if (target->recent)
			target->recent--;
		else if (full_every > 1 && turn % full_every)
			continue;
		read_vm(run, target);
	}
	bpf_iter_num_destroy(&rows);
	return 0;
}

/* What the caller should know of a process's descriptor before it watches it. */
struct question {
	u32 pid;
	u32 fd;
	/* Written by a run. */
	u64 start_ns;
	u64 operations; /* 0 when this is no descriptor of a vCPU. */
	u64 magic; /* Of the file system it is in, */
	char name[16]; /* and its name there. */
};

SEC("syscall/ask")
int ask_kvm(struct question *question)
{
	struct task_struct *task = bpf_task_from_pid(question->pid);
	if (!task)
		return 0;
	question->start_ns = task->start_boottime;
	bpf_rcu_read_lock();
	struct files_struct *files = task->files;
	struct fdtable *fdt = files ? files->fdt : 0;
	if (fdt && question->fd < fdt->max_fds) {
		struct file **table = fdt->fd;
		struct file *file = file_at(table, question->fd);
		const void *operations = 0;
		struct inode *inode = 0;
		struct super_block *block = 0;
		struct dentry *dentry = 0;
		const unsigned char *name = 0;
		unsigned long magic = 0;
		char text[16] = {};
		if (file && !read_field(operations, file, f_op) && !read_field(inode, file, f_inode) &&
		    !read_field(block, inode, i_sb) && !read_field(magic, block, s_magic) &&
		    !read_field(dentry, file, f_path.dentry) && !read_field(name, dentry, d_name.name) &&
		    !bpf_probe_read_kernel(text, sizeof(text), name) && file_at(table, question->fd) == file) {
			question->operations = (u64)operations;
			question->magic = magic;
			__builtin_memcpy(question->name, text, sizeof(text));
		}
	}
	bpf_rcu_read_unlock();
	bpf_task_release(task);
	return 0;
}

/* The kernel lets programs call its functions that say they may be distributed under the GPL. */
char licence[] SEC("license") = "Dual MIT/GPL";
