/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the programs use of the kernel: the fields they read, by the kernel's own names, and its functions.
 *
 * Sizes and places of fields are those of no kernel. Each access is noted by the compiler (preserve_access_index) and
 * put right for the running kernel when the program is loaded, from the kernel's own description of its types (BTF).
 * A field that a kernel may lack is asked for with has_field() first.
 */
#pragma once

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define KERNEL_FUNCTION __attribute__((section(".ksyms")))
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* BPF_FIELD_EXISTS of enum bpf_core_relo_kind (include/uapi/linux/bpf.h). */
#define has_field(field) __builtin_preserve_field_info(field, 2)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct thread_info {
	u32 cpu;
};

struct sched_entity {
	u64 sum_exec_runtime;
};

/* With CONFIG_SCHED_INFO, which every distribution's kernel has. */
struct sched_info {
	unsigned long pcount;
	unsigned long long run_delay;
};

/* Its fields are there with CONFIG_TASK_IO_ACCOUNTING. */
struct task_io_accounting {
	u64 read_bytes;
	u64 write_bytes;
};

struct file_operations;

struct super_block {
	unsigned long s_magic;
};

struct inode {
	struct super_block *i_sb;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct file {
	const struct file_operations *f_op;
	void *private_data;
	struct inode *f_inode;
	struct path f_path;
};

struct fdtable {
	u32 max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct kvm;

struct kvm_vcpu {
	struct kvm *kvm;
};

struct task_struct {
	struct thread_info thread_info;
	u32 __state;
	int exit_state;
	int pid;
	int static_prio;
	u32 rt_priority;
	u32 policy;
	struct sched_entity se;
	struct sched_info sched_info;
	u64 utime;
	u64 stime;
	u64 gtime;
	unsigned long nvcsw;
	unsigned long nivcsw;
	u64 start_boottime;
	unsigned long min_flt;
	unsigned long maj_flt;
	struct task_io_accounting ioac;
	struct files_struct *files;
};

#pragma clang attribute pop

/* Iterators: opaque, of the size that the kernel's own have (include/uapi/linux/bpf.h, kernel/bpf/task_iter.c). */
struct bpf_iter_num {
	u64 opaque[1];
} __attribute__((aligned(8)));

struct bpf_iter_task {
	u64 opaque[3];
} __attribute__((aligned(8)));

enum { BPF_TASK_ITER_PROC_THREADS = 2 };

extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) KERNEL_FUNCTION;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) KERNEL_FUNCTION;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) KERNEL_FUNCTION;

extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task, u32 flags) KERNEL_FUNCTION;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) KERNEL_FUNCTION;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) KERNEL_FUNCTION;

extern struct task_struct *bpf_task_from_pid(int pid) KERNEL_FUNCTION;
extern void bpf_task_release(struct task_struct *task) KERNEL_FUNCTION;
extern void bpf_rcu_read_lock(void) KERNEL_FUNCTION;
extern void bpf_rcu_read_unlock(void) KERNEL_FUNCTION;

/* A field of an object that is known by its address alone; read with care, since it may be gone. */
#define read_field(to, object, field) bpf_probe_read_kernel(&(to), sizeof(to), &(object)->field)

/* Helpers, by their numbers (include/uapi/linux/bpf.h). */
static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*const bpf_probe_read_kernel)(void *to, u32 bytes, const void *from) = (void *)113;
