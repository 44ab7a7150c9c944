/*
 * Bartizan: an embedded host security agent. Watches a hypervisor host and its virtual machines, and says what is wrong.
 *
 * This header is the authoritative documentation of the C ABI. It is generated from agent-ffi; do not edit it.
 *
 *     btz_agent *agent = NULL;
 *     btz_error error = BTZ_ERROR_INIT;
 *     if (btz_agent_new(BTZ_ABI_VERSION, NULL, &agent, &error) != BTZ_OK) { ... error.message ... }
 *     btz_agent_start(agent, &error);
 *     ... poll btz_agent_alert_fd(agent), then btz_agent_alerts(); read values when wanted ...
 *     ... poll btz_agent_check_fd(agent), then btz_agent_check_changes(): is each VM isolated, is the host as promised ...
 *     btz_agent_free(agent);
 *
 * What holds for everything here, unless an item says otherwise:
 *
 * Status.     Functions return BTZ_OK or a negative BTZ_ERR_*. Results are written only on success. A call that can be
 *             refused for many reasons takes a btz_error, which belongs to the caller and may be NULL. Any call may
 *             return BTZ_ERR_NULL, BTZ_ERR_HANDLE, BTZ_ERR_REENTRY, BTZ_ERR_INTERNAL and, on an agent, BTZ_ERR_FORKED
 *             and BTZ_ERR_FAULTED; "Errors" lists the others.
 * Pointers.   Must point to what the call says, aligned, for the duration of the call. NULL is allowed only where it is
 *             mentioned; elsewhere it is BTZ_ERR_NULL. Nothing that is passed in is kept.
 * Structs.    Begin with struct_size, which the caller sets to sizeof by the BTZ_*_INIT macro or the init function; in
 *             arrays, `stride` takes its place. The rules are those of openat2(2): a shorter struct than the library's is
 *             from an older caller, and is served; a longer one is from a newer caller, and is served if what the
 *             library does not know is zero (on the way out, the library makes it zero). No struct has padding.
 * Texts.      In: pointer and length, UTF-8. Out: arrays inside structs, or (buffer, capacity, *needed), always
 *             NUL-terminated and cut between characters. Static texts are never freed. The library never returns memory
 *             that the caller must free; handles are ended by their own functions.
 * Threads.    "any": from any thread, several at the same time. "one at a time": a call beside another returns
 *             BTZ_ERR_BUSY and does nothing.
 * Fork.       In a child process every call on the parent's agent returns BTZ_ERR_FORKED. Descriptors are CLOEXEC.
 * Faults.     A call that fails inside (a bug) returns an error, and the agent is faulted: only btz_agent_free() works.
 *             The library never aborts, exits, prints, or sets a signal handler, and its threads block all signals.
 * Unloading.  Do not dlclose() the library while an agent or a log hook lives.
 * Versions.   "Since" says in which version of the ABI an item appeared. Within a major version items are only added.
 */

#ifndef BARTIZAN_H
#define BARTIZAN_H

#include <stddef.h>
#include <stdint.h>
#include "bartizan_metrics.h"

/* The major version of the ABI that this header describes: the number in the library's SONAME. Since: 0.1 */
#define BTZ_ABI_MAJOR 0

/* The minor version of the ABI that this header describes: grows with every addition. Since: 0.1 */
#define BTZ_ABI_MINOR 3

/*
 * What to pass as `abi`: major * 65536 + minor. A library serves callers of the same major version and of no higher
 * minor version than its own. Since: 0.1
 */
#define BTZ_ABI_VERSION 3

/* In a field of btz_options: zero, none, off. (0 there means: leave as it is.) Since: 0.1 */
#define BTZ_ZERO 4294967295

/* In btz_options: on. Since: 0.1 */
#define BTZ_ON 1

/* The cheapest way that works. Since: 0.1 */
#define BTZ_THREAD_TIER_AUTO 1

/* A kept descriptor per thread. Since: 0.1 */
#define BTZ_THREAD_TIER_KEPT_FD 2

/* Open, read, close. Since: 0.1 */
#define BTZ_THREAD_TIER_OPEN_EACH 3

/* A program in the kernel that reads all threads of all VMs in one run. Since: 0.1 */
#define BTZ_THREAD_TIER_BPF 4

/* The cheapest way that works. Since: 0.1 */
#define BTZ_KVM_TIER_AUTO 1

/* KVM's binary statistics, from descriptors duplicated out of the VMM. Since: 0.1 */
#define BTZ_KVM_TIER_STATS_FD 2

/* The text files in debugfs. Since: 0.1 */
#define BTZ_KVM_TIER_DEBUGFS 3

/* QMP query-stats. Since: 0.1 */
#define BTZ_KVM_TIER_QMP 4

/* Not at all. Since: 0.1 */
#define BTZ_KVM_TIER_OFF 5

/* A program in the kernel that reads the counters of all VMs in one run. Since: 0.1 */
#define BTZ_KVM_TIER_BPF 6

/* It has no threads: the host drives it, or it was stopped. Since: 0.1 */
#define BTZ_STATE_IDLE 0

/* Its own threads run. Since: 0.1 */
#define BTZ_STATE_RUNNING 1

/* A part of it failed; what it shows is what was last known. Since: 0.1 */
#define BTZ_STATE_FAULTED 2

/* How long btz_agent_free() waits for the agent's own threads, in milliseconds. Since: 0.1 */
#define BTZ_FREE_TIMEOUT_MS 5000

/* The host as a whole. Since: 0.1 */
#define BTZ_SCOPE_HOST 1

/* One logical CPU of the host. Since: 0.1 */
#define BTZ_SCOPE_CPU 2

/* One NUMA node. Since: 0.1 */
#define BTZ_SCOPE_NODE 3

/* One block device of the host. Since: 0.1 */
#define BTZ_SCOPE_BLOCK 4

/* One network device of the host. Since: 0.1 */
#define BTZ_SCOPE_NET 5

/* One virtual machine. Since: 0.1 */
#define BTZ_SCOPE_VM 6

/* One virtual CPU. Since: 0.1 */
#define BTZ_SCOPE_VCPU 7

/* One network interface of a VM, seen from the host. Since: 0.1 */
#define BTZ_SCOPE_VMNET 8

/* One disk of a VM. Since: 0.1 */
#define BTZ_SCOPE_VMDISK 9

/* The agent itself. Since: 0.1 */
#define BTZ_SCOPE_AGENT 10

/* Some process that holds a KVM VM. Since: 0.1 */
#define BTZ_VMM_OTHER 0

/* QEMU. Since: 0.1 */
#define BTZ_VMM_QEMU 1

/* Firecracker. Since: 0.1 */
#define BTZ_VMM_FIRECRACKER 2

/* Cloud Hypervisor. Since: 0.1 */
#define BTZ_VMM_CLOUD_HYPERVISOR 3

/* crosvm. Since: 0.1 */
#define BTZ_VMM_CROSVM 4

/* In btz_vm.flags: libvirt manages it. Since: 0.1 */
#define BTZ_VM_LIBVIRT 1

/* In btz_vm.flags: a text was longer than its field. Since: 0.1 */
#define BTZ_VM_TRUNCATED 2

/* Not read yet. Since: 0.1 */
#define BTZ_AVAILABILITY_PENDING 0

/* Good. Since: 0.1 */
#define BTZ_AVAILABILITY_OK 1

/* The last value there was; its source has not answered for more than three of its periods. Since: 0.1 */
#define BTZ_AVAILABILITY_STALE 2

/* This kernel, machine or VMM does not have it. Since: 0.1 */
#define BTZ_AVAILABILITY_UNSUPPORTED 3

/* It exists, but this process may not read it. Since: 0.1 */
#define BTZ_AVAILABILITY_DENIED 4

/* What it described no longer exists. Since: 0.1 */
#define BTZ_AVAILABILITY_GONE 5

/* The read failed, or what was read made no sense. Since: 0.1 */
#define BTZ_AVAILABILITY_ERROR 6

/* Only grows, until whatever counts it starts anew. Since: 0.1 */
#define BTZ_KIND_COUNTER 1

/* Goes up and down. Since: 0.1 */
#define BTZ_KIND_GAUGE 2

/* A plain number of things. Since: 0.1 */
#define BTZ_UNIT_COUNT 1

/* Bytes. Since: 0.1 */
#define BTZ_UNIT_BYTES 2

/* Nanoseconds; scaled to seconds. Since: 0.1 */
#define BTZ_UNIT_NANOSECONDS 3

/* Parts per million; scaled to a ratio. Since: 0.1 */
#define BTZ_UNIT_PARTS_PER_MILLION 4

/* Thousandths of a degree; scaled to degrees Celsius. Since: 0.1 */
#define BTZ_UNIT_MILLICELSIUS 5

/* Millionths of a joule; scaled to joules. Since: 0.1 */
#define BTZ_UNIT_MICROJOULES 6

/* Hertz. Since: 0.1 */
#define BTZ_UNIT_HERTZ 7

/* 0 or 1, or the number of a state that the help text lists. Since: 0.1 */
#define BTZ_UNIT_STATE 8

/* The condition holds. Since: 0.1 */
#define BTZ_ALERT_FIRING 1

/* The condition of an earlier alert with the same id no longer holds. Since: 0.1 */
#define BTZ_ALERT_RESOLVED 2

/* Worth knowing. Since: 0.1 */
#define BTZ_SEVERITY_INFO 1

/* Worth looking at today. Since: 0.1 */
#define BTZ_SEVERITY_WARNING 2

/* Worth waking somebody. Since: 0.1 */
#define BTZ_SEVERITY_CRITICAL 3

/* A level is passed. Since: 0.1 */
#define BTZ_RULE_THRESHOLD 1

/* The value changes by so much within a window. Since: 0.1 */
#define BTZ_RULE_CHANGE 2

/* What moved moves no more, or what was read can be read no more. Since: 0.1 */
#define BTZ_RULE_ABSENCE 3

/* The value is, or is not, one of some. Since: 0.1 */
#define BTZ_RULE_STATE 4

/* The value is far from what is usual for this very row. Since: 0.1 */
#define BTZ_RULE_BASELINE 5

/* A VM's process is gone. Since: 0.1 */
#define BTZ_RULE_GONE 6

/* What is unusual for this very row: a sign that is told together with others. Since: 0.3 */
#define BTZ_RULE_UNUSUAL 7

/* The signs about one VM, or about the host, taken together. Since: 0.3 */
#define BTZ_RULE_UNUSUAL_TOGETHER 8

/* A resource will be used up. Since: 0.3 */
#define BTZ_RULE_EXHAUSTION 9

/* A counter that should move has stopped. Since: 0.3 */
#define BTZ_RULE_STANDSTILL 10

/* The rule makes no sense for this host or VM. Since: 0.2 */
#define BTZ_VERDICT_NOT_APPLICABLE 1

/* It is as it should be. Since: 0.2 */
#define BTZ_VERDICT_PASS 2

/* It could not be read, which is never a pass; the reason says why. Since: 0.2 */
#define BTZ_VERDICT_UNKNOWN 3

/* The rule itself is broken. Since: 0.2 */
#define BTZ_VERDICT_ERROR 4

/* It is not as it should be. Since: 0.2 */
#define BTZ_VERDICT_FAIL 5

/* Worth knowing. Since: 0.2 */
#define BTZ_CHECK_SEVERITY_INFO 1

/* One barrier of several is thinner than it should be. Since: 0.2 */
#define BTZ_CHECK_SEVERITY_LOW 2

/* A barrier is missing that others still back up. Since: 0.2 */
#define BTZ_CHECK_SEVERITY_MEDIUM 3

/* A guest or a user is one flaw away from the host or from another guest. Since: 0.2 */
#define BTZ_CHECK_SEVERITY_HIGH 4

/* The isolation that was promised is not there. Since: 0.2 */
#define BTZ_CHECK_SEVERITY_CRITICAL 5

/* The host, once. Since: 0.2 */
#define BTZ_CHECK_SCOPE_HOST 1

/* Each VM by itself. Since: 0.2 */
#define BTZ_CHECK_SCOPE_VM 2

/* Each VM beside all others: what two of them must not share. Since: 0.2 */
#define BTZ_CHECK_SCOPE_VMS 3

/* In btz_check.facets: what the running kernel or process does. Since: 0.2 */
#define BTZ_FACET_RUNTIME 1

/* In btz_check.facets: what will be after the next boot or start. Since: 0.2 */
#define BTZ_FACET_PERSISTED 2

/* First seen, and something to act on. Since: 0.2 */
#define BTZ_CHANGE_NEW 1

/* Its verdict changed. Since: 0.2 */
#define BTZ_CHANGE_VERDICT 2

/* What it stands on changed, and the verdict did not. Since: 0.2 */
#define BTZ_CHANGE_VALUE 3

/* A waiver began or ceased to hold. Since: 0.2 */
#define BTZ_CHANGE_WAIVER 4

/* Its VM ended, or its rule was taken away, while it was something to act on. Since: 0.2 */
#define BTZ_CHANGE_GONE 5

/* In btz_finding.flags: somebody answers for it; the verdict stays what it is. Since: 0.2 */
#define BTZ_FINDING_WAIVED 1

/* In btz_finding.flags: somebody should act: it fails or is broken, and nobody answers for it. Since: 0.2 */
#define BTZ_FINDING_OPEN 2

/* In btz_finding.flags: a text was longer than its field; btz_agent_finding() has it whole. Since: 0.2 */
#define BTZ_FINDING_TRUNCATED 4

/* What is right, in a few words. Since: 0.2 */
#define BTZ_CHECK_TEXT_TITLE 1

/* What it applies to; empty: to all of its scope. Since: 0.2 */
#define BTZ_CHECK_TEXT_WHEN 2

/* What is expected of the running kernel or process; empty: nothing. Since: 0.2 */
#define BTZ_CHECK_TEXT_EXPECTED_RUNTIME 3

/* What is expected after the next boot or start; empty: nothing. Since: 0.2 */
#define BTZ_CHECK_TEXT_EXPECTED_PERSISTED 4

/* Why it matters. Since: 0.2 */
#define BTZ_CHECK_TEXT_RATIONALE 5

/* How it is put right. Since: 0.2 */
#define BTZ_CHECK_TEXT_REMEDIATION 6

/* Where it comes from: standards, benchmarks, manuals; one a line. Since: 0.2 */
#define BTZ_CHECK_TEXT_REFERENCES 7

/* Everything as one JSON object, as `bartizan explain --json` prints it. Since: 0.2 */
#define BTZ_CHECK_TEXT_JSON 8

/* How long btz_ledger_free() waits for the ledger's own thread, in milliseconds. Since: 0.3 */
#define BTZ_LEDGER_FREE_TIMEOUT_MS 5000

/* Kind of a record: a run began. Since: 0.3 */
#define BTZ_RECORD_START 1

/* Kind of a record: a run ended in order. Since: 0.3 */
#define BTZ_RECORD_STOP 2

/* Kind of a record: an alert, as a JSON object. Since: 0.3 */
#define BTZ_RECORD_ALERT 3

/* Kind of a record: a finding of a check changed, as a JSON object. Since: 0.3 */
#define BTZ_RECORD_FINDING 4

/* Kind of a record: an incident changed its state. Since: 0.3 */
#define BTZ_RECORD_INCIDENT 5

/* Kind of a record: a decision between proposals. Since: 0.3 */
#define BTZ_RECORD_DECISION 6

/* Kind of a record: an action, before it is taken, and how it ended. Since: 0.3 */
#define BTZ_RECORD_ACTION 7

/* Kind of a record: the configuration changed. Since: 0.3 */
#define BTZ_RECORD_CONFIG 8

/* Kind of a record: a notice to a customer or a partner. Since: 0.3 */
#define BTZ_RECORD_NOTICE 9

/* Kind of a record: records were refused. Since: 0.3 */
#define BTZ_RECORD_LOSS 10

/* Kind of a record: the state of the disk changed. Since: 0.3 */
#define BTZ_RECORD_DISK 11

/* Kind of a record: where every tenant's log stands. Since: 0.3 */
#define BTZ_RECORD_HEADS 12

/* Kind of a record: another key signs from here on. Since: 0.3 */
#define BTZ_RECORD_HAND_OVER 13

/* Kind of a record: old records were removed. Since: 0.3 */
#define BTZ_RECORD_PRUNED 14

/* Kind of a record: a tenant's log begins. Since: 0.3 */
#define BTZ_RECORD_LOG 15

/* Kind of a record: a damaged trail was set aside, and this one begins behind it. Since: 0.3 */
#define BTZ_RECORD_SET_ASIDE 16

/* The least kind that belongs to the host: it may append those from here to BTZ_RECORD_HOST_MAX. Since: 0.3 */
#define BTZ_RECORD_HOST 32768

/* The last kind that belongs to the host. Since: 0.3 */
#define BTZ_RECORD_HOST_MAX 65535

/* The longest payload of a record, in bytes. Since: 0.3 */
#define BTZ_PAYLOAD_BYTES_MAX 61440

/* How the disk of a ledger is: records become durable. Since: 0.3 */
#define BTZ_DISK_GOOD 0

/* How the disk of a ledger is: full; what was set aside may still take records. Since: 0.3 */
#define BTZ_DISK_FULL 1

/* How the disk of a ledger is: mounted anew for reading alone, as the kernel does after errors. Since: 0.3 */
#define BTZ_DISK_READ_ONLY 2

/* How the disk of a ledger is: it fails otherwise. Since: 0.3 */
#define BTZ_DISK_FAILING 3

/* How the run before ended: there was none. Since: 0.3 */
#define BTZ_LAST_RUN_NONE 0

/* How the run before ended: in order. Since: 0.3 */
#define BTZ_LAST_RUN_CLEAN 1

/* How the run before ended: by a crash, a kill or a loss of power. Since: 0.3 */
#define BTZ_LAST_RUN_CUT 2

/* A ledger is verified: every record is as it was signed, by the key that is trusted. Since: 0.3 */
#define BTZ_VERIFIED_PROVEN 0

/* A ledger is verified: something was changed, or is missing. Since: 0.3 */
#define BTZ_VERIFIED_CHANGED 1

/* A ledger is verified: all fits together, but not all is proven. Since: 0.3 */
#define BTZ_VERIFIED_UNPROVEN 2

/* The longest hold_ms. Since: 0.3 */
#define BTZ_HOLD_MS_MAX 10000

/* Something is broken. Since: 0.1 */
#define BTZ_LOG_ERROR 1

/* Something is odd. Since: 0.1 */
#define BTZ_LOG_WARN 2

/* Something noteworthy happened. Since: 0.1 */
#define BTZ_LOG_INFO 3

/* For who looks into a problem. Since: 0.1 */
#define BTZ_LOG_DEBUG 4

/* Everything. Since: 0.1 */
#define BTZ_LOG_TRACE 5

/*
 * An agent. Made by btz_agent_new(), ended by btz_agent_free(). All calls may be made from any thread and at the same
 * time, unless a call says otherwise; those that exclude each other return BTZ_ERR_BUSY and never wait. Since: 0.1
 */
typedef struct btz_agent btz_agent;

/*
 * A configuration. Made by btz_config_new(), btz_config_from_toml() or btz_config_from_file(), ended by
 * btz_config_free(). Belongs to one thread at a time. Agents copy it. Since: 0.1
 */
typedef struct btz_config btz_config;

/*
 * A ledger. Made by btz_ledger_open(), ended in order by btz_ledger_close(), freed by btz_ledger_free(). All calls may
 * be made from any thread and at the same time. Since: 0.3
 */
typedef struct btz_ledger btz_ledger;

/*
 * A place in a trail. Made by btz_ledger_cursor_new(), ended by btz_ledger_cursor_free(). Belongs to one thread at a
 * time. Since: 0.3
 */
typedef struct btz_ledger_cursor btz_ledger_cursor;

/* What a call returns: BTZ_OK, or a negative BTZ_ERR_* constant. Since: 0.1 */
typedef int32_t btz_status;

/*
 * Room for an error's text, which the caller owns and hands in where a call has an `error` parameter; NULL is allowed
 * there. Set struct_size with BTZ_ERROR_INIT or btz_error_init(). Written only when the call fails. A struct_size that
 * is too small is left alone: the status still says what happened. Since: 0.1
 */
typedef struct btz_error {
    /* sizeof(btz_error). */
    uint32_t struct_size;
    /* The same as the status returned. */
    btz_status code;
    /* What is wrong and the cure, for people; UTF-8, NUL-terminated, cut to fit. May have several lines. */
    char message[1016];
} btz_error;

/*
 * Numbers of a configuration. In every field 0 means "leave as it is", and BTZ_ZERO means 0 (none, off, automatic).
 * What the numbers do, and their ranges, is described in docs/configuration.md under the same names. Since: 0.1
 */
typedef struct btz_options {
    /* sizeof(btz_options). */
    uint32_t struct_size;
    /* limits.vms: virtual machines that can be watched. */
    uint32_t vms;
    /* limits.vcpus: virtual CPUs of all VMs. */
    uint32_t vcpus;
    /* limits.vm_nics: network interfaces of all VMs. */
    uint32_t vm_nics;
    /* limits.vm_disks: disks of all VMs. */
    uint32_t vm_disks;
    /* limits.cpus: logical CPUs of the host. */
    uint32_t cpus;
    /* limits.nodes: NUMA nodes of the host. */
    uint32_t nodes;
    /* limits.block_devices: block devices of the host. */
    uint32_t block_devices;
    /* limits.net_devices: network devices of the host. */
    uint32_t net_devices;
    /* limits.alerts: alerts that can wait. */
    uint32_t alerts;
    /* limits.history_ticks: ticks kept in the flight recorder. */
    uint32_t history_ticks;
    /* sampling.interval_ms: time between two ticks. */
    uint32_t interval_ms;
    /* sampling.slow_every_ticks: period of the dear sources. */
    uint32_t slow_every_ticks;
    /* sampling.monitor_every_ticks: period of questions to monitors; BTZ_ZERO is never. */
    uint32_t monitor_every_ticks;
    /* sampling.descriptors_max: descriptors the sampler may keep; BTZ_ZERO is what the soft limit leaves. */
    uint32_t descriptors_max;
    /* sampling.perf_events: BTZ_ON or BTZ_ZERO. */
    uint32_t perf_events;
    /* sampling.thread_tier: BTZ_THREAD_TIER_*. */
    uint32_t thread_tier;
    /* sampling.kvm_tier: BTZ_KVM_TIER_*. */
    uint32_t kvm_tier;
    /* discovery.full_scan_s: seconds between two full scans. */
    uint32_t full_scan_s;
    /* discovery.without_kvm: also watch emulated guests; BTZ_ON or BTZ_ZERO. */
    uint32_t without_kvm;
    /* budget.cpu_permille: thousandths of one core; BTZ_ZERO is no budget. */
    uint32_t cpu_permille;
    /* alerts.per_rule_per_minute_max: more alerts than that are suppressed, and counted. */
    uint32_t alerts_per_rule_per_minute_max;
    /* checks.enabled: whether isolation and configuration are checked; BTZ_ON or BTZ_ZERO. Since: 0.2 */
    uint32_t checks;
    /* checks.sweep_s: seconds between two full runs of the checks. Since: 0.2 */
    uint32_t checks_sweep_s;
    /* checks.slice_ms: checks work so long at a time, and pause for nine times as long. Since: 0.2 */
    uint32_t checks_slice_ms;
    /* limits.series: series of `unusual` rules that have a detector; BTZ_ZERO is none. Since: 0.3 */
    uint32_t series;
    /* detection.false_alarms_per_host_week, in thousandths: 1000 is one a week. Since: 0.3 */
    uint32_t false_alarms_per_host_week_permille;
} btz_options;

/*
 * Names one thing that has values: the host, a VM, a vCPU, a disk, the agent. A number to be passed on and compared,
 * never computed with; 0 is none. A thing that comes back after it was gone has another number. Since: 0.1
 */
typedef uint64_t btz_entity;

/* One virtual machine. Texts are UTF-8, NUL-terminated, cut to fit, and empty when unknown. Since: 0.1 */
typedef struct btz_vm {
    /* sizeof(btz_vm), set by the library. */
    uint32_t struct_size;
    /* BTZ_VMM_*: what runs it. */
    uint32_t vmm;
    /* By which its values are read. */
    btz_entity entity;
    /* The VMM's process. */
    int32_t pid;
    /* BTZ_VM_*. */
    uint32_t flags;
    /* When the process started, in clock ticks since boot: with the PID it names one process for ever. */
    uint64_t start_ticks;
    /* How many virtual CPUs it has. */
    uint32_t vcpus;
    /* How many network interfaces. */
    uint32_t nics;
    /* How many disks. */
    uint32_t disks;
    /* How many other threads its VMM has. */
    uint32_t other_threads;
    /* Its UUID; zero when it tells none. */
    uint8_t uuid[16];
    /* Its name; "vm-<pid>" when it tells none. */
    char name[128];
    /* Its tenant, by the configured rules. */
    char tenant[64];
    /* The path of its cgroup below the cgroup root. */
    char cgroup[256];
    /* The path of the socket its monitor listens on. */
    char monitor[128];
} btz_vm;

/* A part of a VM or of the host. Since: 0.1 */
typedef struct btz_part {
    /* sizeof(btz_part), set by the library. */
    uint32_t struct_size;
    /* BTZ_SCOPE_*. */
    uint32_t scope;
    /* By which its values are read. */
    btz_entity entity;
    /* vCPU: its number in the VM. CPU, node: its number on the host. Others: 0. */
    uint32_t index;
    /* vCPU: its thread. Others: 0. */
    int32_t tid;
    /* Network interface: the tap. Disk: the VMM's name for it. Device of the host: its name. NUL-terminated. */
    char name[64];
    /* Disk: the image or device behind it. NUL-terminated, cut to fit. */
    char path[256];
} btz_part;

/* How a source is read, and why not better. Since: 0.1 */
typedef struct btz_source {
    /* sizeof(btz_source), set by the library. */
    uint32_t struct_size;
    /* BTZ_SOURCE_*. */
    uint32_t source;
    /* BTZ_AVAILABILITY_*: whether it works. */
    uint32_t availability;
    /* 0. */
    uint32_t reserved;
    /* Its name, such as "kvm". */
    char name[32];
    /* The tier in use: "bpf", "kept-fd", "stats-fd", "debugfs", "qmp", "none", ... */
    char tier[32];
    /* Why this tier and no better one; where something is closed, which capability or permission opens it. */
    char reason[512];
} btz_source;

/*
 * One value. Unavailable is never 0: unless availability is OK or STALE, raw is INT64_MIN and scaled is not a number.
 * Since: 0.1
 */
typedef struct btz_value {
    /* sizeof(btz_value). */
    uint32_t struct_size;
    /* BTZ_AVAILABILITY_*. */
    uint8_t availability;
    /* BTZ_KIND_*. */
    uint8_t kind;
    /* BTZ_UNIT_*: the unit of raw. */
    uint8_t unit;
    /* BTZ_SOURCE_*: where it is read. */
    uint8_t source;
    /* In the small unit: exact. */
    int64_t raw;
    /* In the base unit that is exported: seconds, bytes, ratios, degrees, joules. */
    double scaled;
    /* When its source was last read, CLOCK_MONOTONIC nanoseconds; 0 when it never was. */
    uint64_t read_at_ns;
    /* How long ago that was, in nanoseconds; UINT64_MAX when it never was. */
    uint64_t age_ns;
} btz_value;

/* A tick. Since: 0.1 */
typedef struct btz_tick {
    /* sizeof(btz_tick). */
    uint32_t struct_size;
    /* 0. */
    uint32_t reserved;
    /* Counts from 1; 0 is "before the first tick". */
    uint64_t number;
    /* CLOCK_MONOTONIC, in nanoseconds. */
    uint64_t mono_ns;
    /* CLOCK_REALTIME, in nanoseconds since the epoch. */
    int64_t wall_ns;
} btz_tick;

/* What to read: a metric of an entity. Since: 0.1 */
typedef struct btz_query {
    /* Of what. */
    btz_entity entity;
    /* BTZ_* of bartizan_metrics.h; must be a metric of the entity's scope. */
    uint32_t metric;
    /* 0. */
    uint32_t reserved;
} btz_query;

/* One value of the past. Unless availability is OK, raw is INT64_MIN and scaled is not a number. Since: 0.1 */
typedef struct btz_point {
    /* sizeof(btz_point), set by the library. */
    uint32_t struct_size;
    /* BTZ_AVAILABILITY_*. */
    uint32_t availability;
    /* The number of its tick. */
    uint64_t tick;
    /* When the tick was, CLOCK_MONOTONIC nanoseconds. */
    uint64_t mono_ns;
    /* When the tick was, CLOCK_REALTIME nanoseconds since the epoch. */
    int64_t wall_ns;
    /* In the small unit: exact. */
    int64_t raw;
    /* In the base unit that is exported. */
    double scaled;
} btz_point;

/* A metric's description. Texts are NUL-terminated and never cut. Since: 0.1 */
typedef struct btz_metric {
    /* sizeof(btz_metric). */
    uint32_t struct_size;
    /* BTZ_* of bartizan_metrics.h. */
    uint32_t id;
    /* BTZ_SCOPE_*. */
    uint8_t scope;
    /* BTZ_KIND_*. */
    uint8_t kind;
    /* BTZ_UNIT_*: the unit of raw values. */
    uint8_t unit;
    /* BTZ_SOURCE_*: where it is read. */
    uint8_t source;
    /* 0. */
    uint32_t reserved;
    /* What a raw value is multiplied with to get the exported one. */
    double scale;
    /* Its name in OpenMetrics style, without "bartizan_" and "_total". */
    char name[96];
    /* The unit of scaled values, such as "seconds"; empty when it has none. */
    char exported_unit[16];
    /* The first kernel (or VMM, where it says so) that has it. */
    char since[64];
    /* One sentence for people. */
    char help[384];
} btz_metric;

/*
 * What became of the alerts that were produced: at every instant,
 * produced = delivered + suppressed + dropped + in_flight. Since: 0.1
 */
typedef struct btz_accounting {
    /* sizeof(btz_accounting). */
    uint32_t struct_size;
    /* 0. */
    uint32_t reserved;
    /* Made by detection. */
    uint64_t produced;
    /* Handed to a caller of btz_agent_alerts(). */
    uint64_t delivered;
    /* Held back on purpose: a rate limit. */
    uint64_t suppressed;
    /* Lost because the ring was full. */
    uint64_t dropped;
    /* Waiting in the ring. */
    uint64_t in_flight;
} btz_accounting;

/* What the agent costs, and what it had to leave out. More of the same is in the metrics BTZ_AGENT_*. Since: 0.1 */
typedef struct btz_cost {
    /* sizeof(btz_cost). */
    uint32_t struct_size;
    /* The step of degradation in force to keep the CPU budget; 0 is none. */
    uint32_t degradation;
    /* Ticks completed. */
    uint64_t ticks;
    /* Ticks whose deadline had passed by a whole period when the sampler came round. */
    uint64_t ticks_missed;
    /* CPU time spent in ticks, in nanoseconds. */
    uint64_t sampler_cpu_ns;
    /* CPU time spent on what may block, in nanoseconds. */
    uint64_t planner_cpu_ns;
    /* These two and the checks, over the last minute, in millionths of one core. */
    uint64_t cpu_ppm;
    /* Memory set aside when the agent was made, in bytes. */
    uint64_t memory_reserved_bytes;
    /* Descriptors held for sampling. */
    uint64_t descriptors;
    /* VMs that were seen but not watched because a declared limit was reached, since the start. */
    uint64_t vms_refused;
    /* CPU time spent on checks, in nanoseconds. Since: 0.2 */
    uint64_t checks_cpu_ns;
} btz_cost;

/* One alert. Texts are UTF-8, NUL-terminated. Since: 0.1 */
typedef struct btz_alert {
    /* sizeof(btz_alert), set by the library. */
    uint32_t struct_size;
    /* BTZ_ALERT_FIRING or BTZ_ALERT_RESOLVED. */
    uint32_t state;
    /* BTZ_SEVERITY_*. */
    uint32_t severity;
    /* The metric that was looked at: BTZ_* of bartizan_metrics.h. */
    uint32_t metric;
    /* The same for the firing and the resolving of one condition. */
    uint64_t id;
    /* Counts all alerts produced, from 1; a gap is a loss or a suppression, and is in the accounts. */
    uint64_t sequence;
    /* The number of the tick that made it. */
    uint64_t tick;
    /* What it is about. */
    btz_entity entity;
    /* When the condition began, CLOCK_MONOTONIC nanoseconds. */
    uint64_t since_mono_ns;
    /* When the alert was made, CLOCK_REALTIME nanoseconds since the epoch. */
    int64_t at_wall_ns;
    /* What was seen, in the exported unit; a rate is per second. */
    double observed;
    /* Lower end of what was expected; negative infinity when there is none. */
    double expected_min;
    /* Upper end of what was expected; infinity when there is none. */
    double expected_max;
    /* The VM's UUID; zero when there is none. */
    uint8_t uuid[16];
    /* The rule that spoke. */
    char rule[56];
    /* The VM it is about, or the device or CPU of the host; empty for the host as a whole. */
    char subject[72];
    /* The VM's tenant; empty when unknown. */
    char tenant[40];
    /* One sentence for people. */
    char message[264];
    /*
     * How likely what was seen is in quiet time, by what was learnt of that; 1 where the rule has learnt nothing.
     * Since: 0.3
     */
    double tail_probability;
    /* How many series speak for it; 1 for rules that look at one thing. Since: 0.3 */
    uint32_t signs;
    /* 0. */
    uint32_t reserved;
} btz_alert;

/* A rule of detection. Texts are UTF-8, NUL-terminated, cut to fit. Since: 0.1 */
typedef struct btz_rule {
    /* sizeof(btz_rule), set by the library. */
    uint32_t struct_size;
    /* BTZ_RULE_*: how it judges. */
    uint32_t kind;
    /* BTZ_SEVERITY_*: how bad it is when it fires. */
    uint32_t severity;
    /* BTZ_SCOPE_*: what it watches. */
    uint32_t scope;
    /* The metric it looks at, BTZ_METRIC_*; 0 when it looks at none. */
    uint32_t metric;
    /* 1 when it is in force, 0 when it is switched off. */
    uint8_t enabled;
    /* 1 when it is shipped, 0 when it is configured. */
    uint8_t shipped;
    /* 0. */
    uint8_t reserved[2];
    /* Its name. */
    char name[56];
    /* Why it is there, and where its levels come from. */
    char description[512];
} btz_rule;

/*
 * What a rule found on the host or on one VM. Texts are UTF-8, NUL-terminated, cut to fit, and empty when there is
 * none. Since: 0.2
 */
typedef struct btz_finding {
    /* sizeof(btz_finding). */
    uint32_t struct_size;
    /* BTZ_VERDICT_*: the worst of its facets. */
    uint32_t verdict;
    /* BTZ_CHECK_SEVERITY_*: how bad it is when it fails. */
    uint32_t severity;
    /* BTZ_CHECK_SCOPE_*: what its rule looks at. */
    uint32_t scope;
    /* BTZ_FINDING_*, added up. */
    uint32_t flags;
    /* BTZ_CHANGE_*: what happened to it; 0 in a list of what there is. */
    uint32_t change;
    /* Counts all changes, from 1; a gap is a loss, and is in the accounts. 0 in a list of what there is. */
    uint64_t sequence;
    /* The VM, by which its values are read, or BTZ_ENTITY_HOST; 0 when the VM is not sampled, or no longer. */
    btz_entity entity;
    /* The VMM's process; 0 for the host. */
    int32_t pid;
    /* How often its verdict has changed. */
    uint32_t flaps;
    /* When the VMM's process started, in clock ticks since boot; 0 for the host. */
    uint64_t start_ticks;
    /* When it was first seen, CLOCK_REALTIME nanoseconds since the epoch. */
    int64_t first_seen_wall_ns;
    /* When its verdict or what it stands on last changed, CLOCK_REALTIME nanoseconds since the epoch. */
    int64_t changed_wall_ns;
    /* BTZ_VERDICT_* of what the running kernel or process does; 0 when the rule does not judge that here. */
    uint8_t runtime;
    /* BTZ_VERDICT_* of what will be after the next boot or start; 0 when the rule does not judge that here. */
    uint8_t persisted;
    /* BTZ_VERDICT_* before the last change; 0 when it never changed. */
    uint8_t before;
    /* 0. */
    uint8_t reserved[5];
    /* The VM's UUID; zero when it tells none, and for the host. */
    uint8_t uuid[16];
    /* The rule. */
    char rule[56];
    /* The VM's name; empty for the host. */
    char subject[128];
    /* The VM's tenant, by the configured rules. */
    char tenant[64];
    /* Who answers for it; empty when it is not waived. */
    char owner[64];
    /* Until when, YYYY-MM-DD. */
    char expires[16];
    /* Why, in a few words with the values. */
    char reason[256];
} btz_finding;

/* A rule of the checks of isolation and configuration. Texts are UTF-8, NUL-terminated, cut to fit. Since: 0.2 */
typedef struct btz_check {
    /* sizeof(btz_check), set by the library. */
    uint32_t struct_size;
    /* BTZ_CHECK_SEVERITY_*: how bad it is when it fails. */
    uint32_t severity;
    /* BTZ_CHECK_SCOPE_*: what it looks at. */
    uint32_t scope;
    /* BTZ_FACET_*, added up: what it judges. */
    uint32_t facets;
    /* Its name, such as "vmm.seccomp-all-threads". */
    char id[56];
    /* The part of the name before the dot. */
    char group[56];
    /* What is right, in a few words. */
    char title[128];
} btz_check;

/*
 * Somebody answers for a finding, for the value it has and until a day; the verdict stays what it is. Texts are UTF-8,
 * given by pointer and length in bytes; none is kept. Since: 0.2
 */
typedef struct btz_waiver {
    /* sizeof(btz_waiver). */
    uint32_t struct_size;
    /* 0. */
    uint32_t reserved;
    /* Which rule: a name, in which * stands for anything. */
    const char *rule;
    /* Its length. */
    size_t rule_length;
    /* On what: "host", or a VM's name or UUID, in which * stands for anything. NULL: the host. */
    const char *subject;
    /* Its length. */
    size_t subject_length;
    /*
     * What was observed, as "observed" in btz_agent_finding()'s JSON shows it: with another value the waiver holds no
     * more. NULL: what is found now, by a rule and a subject without *.
     */
    const char *observed;
    /* Its length. */
    size_t observed_length;
    /* Who answers for it. */
    const char *owner;
    /* Its length. */
    size_t owner_length;
    /* Why. */
    const char *reason;
    /* Its length. */
    size_t reason_length;
    /* The last day it holds, YYYY-MM-DD, UTC. */
    const char *expires;
    /* Its length. */
    size_t expires_length;
    /* Where it was decided; may be NULL. */
    const char *ticket;
    /* Its length. */
    size_t ticket_length;
} btz_waiver;

/*
 * How far the checks have come, and how many findings there are of each verdict. Those that are waived are counted by
 * their verdict too. Since: 0.2
 */
typedef struct btz_check_state {
    /* sizeof(btz_check_state). */
    uint32_t struct_size;
    /* 1 when checks are on, 0 when the configuration switches them off. */
    uint32_t enabled;
    /* Full runs that were completed; before the first, what is found is not complete. */
    uint64_t sweeps;
    /* When the last one was completed, CLOCK_REALTIME nanoseconds since the epoch; 0 is never. */
    int64_t swept_wall_ns;
    /* CPU time spent on checks, in nanoseconds. */
    uint64_t cpu_ns;
    /* Facts that are kept. */
    uint64_t facts;
    /* Paths that are watched for changes; what is not watched is found by the next full run. */
    uint64_t watched;
    /* Findings: as it should be. */
    uint64_t passed;
    /* Findings: not as it should be. */
    uint64_t failed;
    /* Findings: could not be read. */
    uint64_t unknown;
    /* Findings: the rule is broken. */
    uint64_t errors;
    /* Findings: the rule makes no sense here. */
    uint64_t not_applicable;
    /* Findings that fail or are broken, and that somebody answers for. */
    uint64_t waived;
} btz_check_state;

/*
 * How a ledger is opened. In every number 0 means the default. Texts are UTF-8, given by pointer and length in bytes;
 * none is kept. Since: 0.3
 */
typedef struct btz_ledger_options {
    /* sizeof(btz_ledger_options). */
    uint32_t struct_size;
    /*
     * 0: the ledger has a thread of its own, which blocks all signals. BTZ_ON: it has none, and the host calls
     * btz_ledger_maintain().
     */
    uint32_t driven;
    /*
     * What names the ledger for good, such as "bartizan/host-17.example": one line without spaces or +, at most 200
     * bytes. Required.
     */
    const char *origin;
    /* Its length. */
    size_t origin_length;
    /*
     * Public keys of witnesses, "name+id+base64", one a line; NULL is none. Where there are any, only records are removed
     * that all of them have cosigned: see btz_ledger_cosigned().
     */
    const char *witnesses;
    /* Its length. */
    size_t witnesses_length;
    /* The oldest records go while all of them take more bytes; 0 keeps them. */
    uint64_t bytes_max;
    /* Records that are older go, in seconds; 0 keeps them. */
    uint64_t age_s_max;
    /* Everything is signed this often, also when nothing happens, in milliseconds: 100 to 86,400,000; default 60,000. */
    uint32_t checkpoint_interval_ms;
    /* The length of the trail's files: 4,096 to 134,217,728; default 4 MiB. */
    uint32_t segment_bytes;
    /* So much may wait for the disk, and what comes on top is refused: 65,536 to 67,108,864; default 1 MiB. */
    uint32_t queue_bytes;
    /*
     * Set aside on the disk, and given back when it is full so that this can be recorded: at most 67,108,864; default 256
     * KiB; BTZ_ZERO is none.
     */
    uint32_t reserve_bytes;
} btz_ledger_options;

/* How a ledger is. Counts begin with the run, numbers of records with the trail. Since: 0.3 */
typedef struct btz_ledger_status {
    /* sizeof(btz_ledger_status). */
    uint32_t struct_size;
    /* BTZ_DISK_*: how the disk is. */
    uint32_t disk;
    /* The system's number of its last error; 0 when the disk is good. */
    int32_t disk_error;
    /* The number of this run, from 1. */
    uint32_t run;
    /* BTZ_LAST_RUN_*: how the run before ended. */
    uint32_t last_run;
    /* 1 when it was closed. */
    uint32_t closed;
    /* Bytes that the run before had written and not made durable, and that were cut off. */
    uint64_t torn_bytes;
    /* Records that got a number, and */
    uint64_t appended;
    /* those that were refused because too much waits for the disk. */
    uint64_t refused;
    /* Alerts and findings that left the agent before they were durable, because the disk took too long. */
    uint64_t left_early;
    /* The number of the next record. */
    uint64_t next;
    /* Every record below this number is durable. */
    uint64_t durable;
    /* Attempts to write that failed. */
    uint64_t failures;
    /* Bytes that wait for the disk. */
    uint64_t queued_bytes;
    /* The number of the first record that is still there. */
    uint64_t first;
    /* Bytes of the trail's files. */
    uint64_t bytes;
    /* Leaves of the host's log. */
    uint64_t tree_size;
    /* Every record below this number is covered by a signed checkpoint of this run. */
    uint64_t covered;
    /* Every record below this number is covered by a checkpoint that the witnesses cosigned. */
    uint64_t cosigned;
    /* Checkpoints that were signed and written. */
    uint64_t checkpoints;
    /* When the last one was, CLOCK_REALTIME nanoseconds since the epoch; 0 is never. */
    int64_t checkpoint_wall_ns;
    /* Records that were removed because they were too old. */
    uint64_t pruned;
} btz_ledger_status;

/* One record. Since: 0.3 */
typedef struct btz_record {
    /* sizeof(btz_record), set by the library. */
    uint32_t struct_size;
    /* BTZ_RECORD_*, or a kind of the host's. */
    uint32_t kind;
    /* Its number in the trail, from 0, without gaps. */
    uint64_t sequence;
    /* CLOCK_REALTIME nanoseconds since the epoch; may jump. */
    int64_t wall_ns;
    /* CLOCK_MONOTONIC nanoseconds; grows strictly within a run. */
    uint64_t mono_ns;
    /* Which run appended it, from 1. */
    uint32_t run;
    /* 0. */
    uint32_t reserved;
    /* Where its payload begins in the buffer that was given for payloads. */
    uint64_t payload_offset;
    /* Its length in bytes. */
    uint64_t payload_length;
    /* Whose it is; empty for the host's own. UTF-8, NUL-terminated. */
    char tenant[256];
} btz_record;

/* What a verifier has to say of a ledger. Texts are UTF-8, NUL-terminated, cut to fit. Since: 0.3 */
typedef struct btz_ledger_report {
    /* sizeof(btz_ledger_report). */
    uint32_t struct_size;
    /* BTZ_VERIFIED_*: the exit code of "bartizan verify". */
    uint32_t outcome;
    /* The number of the first record that is there. */
    uint64_t first;
    /* The number of the record after the last. */
    uint64_t next;
    /* Records at the end that no checkpoint covers yet: they could still be changed unnoticed. */
    uint64_t unsigned_records;
    /* Bytes at the end that are no whole record: a run was cut off, and no later one has opened the ledger. */
    uint64_t torn_bytes;
    /* Logs: the host's, and one for each tenant. */
    uint64_t logs;
    /* Leaves of the log that was asked for: the tenant's, or the host's. */
    uint64_t leaves;
    /* How many of these are signed. */
    uint64_t signed_leaves;
    /* The number of the first bad record; UINT64_MAX where none can be named. */
    uint64_t bad_sequence;
    /* Where that is in its file, in bytes. */
    uint64_t bad_offset;
    /* The ledger's origin. */
    char origin[208];
    /* The public key that signs now, "origin+id+base64". */
    char key[288];
    /* The file that is not as it was, below the ledger's folder; empty when there is none. */
    char bad_path[128];
    /* What is wrong with it, or what could not be proven; empty when all is proven. */
    char what[512];
} btz_ledger_report;

/*
 * Receives one line of the library's log: user as given to btz_log_set(); level, BTZ_LOG_*; target, the part of the
 * library that speaks; message, NUL-terminated UTF-8 of length bytes, at most 1023, cut to fit. Both texts are valid
 * during the call only.
 *
 * Threads: called from whatever thread is inside a btz_ call, and from the agent's own threads ("btz-planner",
 * "btz-sampler"); several at the same time: it must be thread-safe. It must return soon, must not unwind (no C++
 * exception, no longjmp), and must not call any btz_ function: such a call returns BTZ_ERR_REENTRY. Since: 0.1
 */
typedef void (*btz_log_fn)(void *user, uint32_t level, const char *target, const char *message, size_t length);

/* Done. Since: 0.1 */
#define BTZ_OK 0

/* A pointer that must not be NULL is NULL. Since: 0.1 */
#define BTZ_ERR_NULL -1

/* An argument has a value that it must not have. Since: 0.1 */
#define BTZ_ERR_ARGUMENT -2

/*
 * A struct_size or stride is smaller than the smallest this library knows, or what lies beyond the size it knows is
 * not zero: the caller asks for something this library cannot do. Since: 0.1
 */
#define BTZ_ERR_SIZE -3

/* The caller was compiled against an ABI that this library does not serve. Since: 0.1 */
#define BTZ_ERR_ABI -4

/* Not a handle, or one that was freed. Seen on a best-effort base only: using a freed handle remains undefined. Since: 0.1 */
#define BTZ_ERR_HANDLE -5

/* Another thread is in a call that excludes this one. Nothing was done; call again. Since: 0.1 */
#define BTZ_ERR_BUSY -6

/* This process is a child of the one that made the handle. Since: 0.1 */
#define BTZ_ERR_FORKED -7

/* A part of the agent failed beyond repair, in this call or earlier. Only btz_agent_free() works. Since: 0.1 */
#define BTZ_ERR_FAULTED -8

/* The library failed in a call that belongs to no agent. Please report it. Since: 0.1 */
#define BTZ_ERR_INTERNAL -9

/* The configuration cannot be used; the error's text names file, line, mistake and cure. Since: 0.1 */
#define BTZ_ERR_CONFIG -10

/* The memory that the declared limits need cannot be had. Since: 0.1 */
#define BTZ_ERR_MEMORY -11

/* The kernel refused a descriptor or a thread. Since: 0.1 */
#define BTZ_ERR_SYSTEM -12

/* Not in this state: for instance a step while the agent runs on its own threads. Since: 0.1 */
#define BTZ_ERR_STATE -13

/* It took longer than allowed. The call can be made again. Since: 0.1 */
#define BTZ_ERR_TIMEOUT -14

/* There is no such thing. Since: 0.1 */
#define BTZ_ERR_NOT_FOUND -15

/* The buffer is too small; *needed says how large it must be. Since: 0.1 */
#define BTZ_ERR_BUFFER -16

/* Called from within the log hook. Since: 0.1 */
#define BTZ_ERR_REENTRY -17

/* This part of a configuration is fixed when an agent is made; make a new one. Since: 0.1 */
#define BTZ_ERR_RESTART -18

/* A ledger's files were changed, lost, or written by something else; the error's text names the place. Since: 0.3 */
#define BTZ_ERR_DAMAGED -19

/* Too much waits already: the record was refused, and is counted. Since: 0.3 */
#define BTZ_ERR_FULL -20

/* The disk refused. What was appended stays queued, and is written when the disk is back. Since: 0.3 */
#define BTZ_ERR_DISK -21

/* Another process, or another handle, has this ledger open. Since: 0.3 */
#define BTZ_ERR_LOCKED -22

#ifdef __cplusplus
extern "C" {
#endif /* __cplusplus */

/* The BTZ_ABI_VERSION that the loaded library serves. Never fails. Threads: any. Blocking: no. Since: 0.1 */
uint32_t btz_abi_version(void);

/*
 * The library's own version, such as "0.1.0". Static text: never freed. Never fails. Threads: any. Blocking: no.
 * Since: 0.1
 */
const char *btz_version(void);

/*
 * The same as BTZ_ERROR_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
 * Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.1
 */
btz_status btz_error_init(struct btz_error *error, uint32_t struct_size);

/*
 * The name of a status, such as "BTZ_ERR_BUSY"; "unknown" for what is none. Static text: never freed. Never fails.
 * Threads: any. Blocking: no. Since: 0.1
 */
const char *btz_status_name(btz_status status);

/*
 * The word for a BTZ_SCOPE_*, such as "vcpu"; "unknown" for what is none. Static text. Never fails. Threads: any.
 * Blocking: no. Since: 0.1
 */
const char *btz_scope_name(uint32_t scope);

/*
 * The word for a BTZ_AVAILABILITY_*, such as "denied"; "unknown" for what is none. Static text. Never fails.
 * Threads: any. Blocking: no. Since: 0.1
 */
const char *btz_availability_name(uint32_t availability);

/*
 * The word for a BTZ_SOURCE_*, such as "cgroup-cpu"; "unknown" for what is none. Static text. Never fails.
 * Threads: any. Blocking: no. Since: 0.1
 */
const char *btz_source_name(uint32_t source);

/*
 * The word for a BTZ_SEVERITY_*, such as "critical"; "unknown" for what is none. Static text. Never fails.
 * Threads: any. Blocking: no. Since: 0.1
 */
const char *btz_severity_name(uint32_t severity);

/*
 * The word for a BTZ_VMM_*, such as "qemu"; "unknown" for what is none. Static text. Never fails. Threads: any.
 * Blocking: no. Since: 0.1
 */
const char *btz_vmm_name(uint32_t vmm);

/*
 * The word for a BTZ_VERDICT_*, such as "not-applicable"; "unknown" for what is none. Static text. Never fails.
 * Threads: any. Blocking: no. Since: 0.2
 */
const char *btz_verdict_name(uint32_t verdict);

/*
 * The word for a BTZ_CHECK_SEVERITY_*, such as "high"; "unknown" for what is none. Static text. Never fails.
 * Threads: any. Blocking: no. Since: 0.2
 */
const char *btz_check_severity_name(uint32_t severity);

/*
 * The word for a BTZ_CHECK_SCOPE_*, such as "vms"; "unknown" for what is none. Static text. Never fails.
 * Threads: any. Blocking: no. Since: 0.2
 */
const char *btz_check_scope_name(uint32_t scope);

/*
 * The word for a BTZ_CHANGE_*, such as "verdict"; "unknown" for what is none. Static text. Never fails.
 * Threads: any. Blocking: no. Since: 0.2
 */
const char *btz_change_name(uint32_t change);

/*
 * The defaults, which watch this host. abi: BTZ_ABI_VERSION. out: receives the handle, which the caller owns; written
 * only on success. Errors: BTZ_ERR_ABI. Threads: any. Blocking: no. Since: 0.1
 */
btz_status btz_config_new(uint32_t abi, struct btz_config **out, struct btz_error *error);

/*
 * A configuration from a TOML text (docs/configuration.md). An empty text gives the defaults. text: UTF-8, length in
 * bytes, no NUL needed, not kept. Errors: BTZ_ERR_ABI; BTZ_ERR_CONFIG, with one line per mistake in the error's text.
 * Threads: any. Blocking: no. Since: 0.1
 */
btz_status btz_config_from_toml(uint32_t abi,
                                const char *text,
                                size_t length,
                                struct btz_config **out,
                                struct btz_error *error);

/*
 * A configuration from a file and its drop-ins, "<path>.d/" and "*.toml" in it, in the byte order of their names.
 * path: UTF-8, length in bytes, no NUL needed, not kept. Errors: BTZ_ERR_ABI; BTZ_ERR_CONFIG, with one line per
 * mistake in the error's text, also when a file cannot be read. Threads: any. Blocking: on the files. Since: 0.1
 */
btz_status btz_config_from_file(uint32_t abi,
                                const char *path,
                                size_t length,
                                struct btz_config **out,
                                struct btz_error *error);

/*
 * Lays options over a configuration: fields that are 0 leave it as it is, BTZ_ZERO sets 0. options: read only, size
 * rules as for every struct. Errors: BTZ_ERR_SIZE; BTZ_ERR_ARGUMENT or BTZ_ERR_CONFIG when a number is out of its
 * range: the configuration is then unchanged. Threads: one at a time per config. Blocking: no. Since: 0.1
 */
btz_status btz_config_apply(struct btz_config *config, const struct btz_options *options, struct btz_error *error);

/*
 * The numbers of a configuration, as options that would set them again. out: set struct_size first. Errors:
 * BTZ_ERR_SIZE. Threads: one at a time per config. Blocking: no. Since: 0.1
 */
btz_status btz_config_options(const struct btz_config *config, struct btz_options *out);

/*
 * Looks at a recorded host below a folder (with proc, sys and run in it) instead of this one. path: UTF-8, absolute,
 * length in bytes, not kept; length 0 looks at this host again. Errors: BTZ_ERR_ARGUMENT, BTZ_ERR_CONFIG: the
 * configuration is then unchanged. Threads: one at a time per config. Blocking: no. Since: 0.1
 */
btz_status btz_config_set_root(struct btz_config *config, const char *path, size_t length, struct btz_error *error);

/*
 * The memory that an agent with this configuration sets aside when it is made, in bytes: declared limits decide it, and
 * ticks never ask for more. Pages of rows that nothing ever uses cost address space, not memory. What is opened per VM
 * comes on top (SPECIFICATION.md). Errors: BTZ_ERR_NULL, BTZ_ERR_HANDLE. Threads: one at a time per config.
 * Blocking: no. Since: 0.1
 */
btz_status btz_config_memory(const struct btz_config *config, uint64_t *out_bytes);

/*
 * The whole configuration as TOML, every default written out, NUL-terminated. buffer: NULL with capacity 0 to ask only
 * for the size. needed: always receives the bytes needed, with the NUL. Errors: BTZ_ERR_BUFFER. Threads: one at a time
 * per config. Blocking: no. Since: 0.1
 */
btz_status btz_config_to_toml(const struct btz_config *config, char *buffer, size_t capacity, size_t *needed);

/*
 * The SHA-256 of the configuration, by which alerts and reports can say what was in force: equal configurations have
 * equal fingerprints. out: 32 bytes. Errors: BTZ_ERR_NULL, BTZ_ERR_HANDLE. Threads: one at a time per config.
 * Blocking: no. Since: 0.1
 */
btz_status btz_config_fingerprint(const struct btz_config *config, uint8_t *out);

/*
 * Frees a configuration. NULL: nothing, BTZ_OK. A second free is undefined, and answered with BTZ_ERR_HANDLE as long as
 * the memory has not been given to somebody else. Threads: one at a time per config. Blocking: no. Since: 0.1
 */
btz_status btz_config_free(struct btz_config *config);

/*
 * The same as BTZ_OPTIONS_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
 * Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.1
 */
btz_status btz_options_init(struct btz_options *options, uint32_t struct_size);

/*
 * Makes an agent that does nothing yet: everything it will need to sample is allocated here, and a failing allocation
 * is BTZ_ERR_MEMORY, not an abort. Then either btz_agent_start(), or btz_agent_step() and btz_agent_maintain().
 *
 * abi: BTZ_ABI_VERSION. config: copied, and may be freed right after; NULL watches this host with the defaults.
 * out: receives the handle, which the caller owns; written only on success. error: NULL or a btz_error.
 * Errors: BTZ_ERR_ABI, BTZ_ERR_CONFIG, BTZ_ERR_MEMORY, BTZ_ERR_SYSTEM.
 * Threads: any. Blocking: for the allocation only. Since: 0.1
 */
btz_status btz_agent_new(uint32_t abi,
                         const struct btz_config *config,
                         struct btz_agent **out,
                         struct btz_error *error);

/*
 * Starts three threads of the agent's own: one samples, one does what may block, one checks. They block all signals and
 * their names begin with "btz-". From then on there is nothing to drive: poll btz_agent_alert_fd(), and
 * btz_agent_check_fd() for what the checks find.
 * Errors: BTZ_ERR_STATE when they run already, BTZ_ERR_BUSY, BTZ_ERR_SYSTEM.
 * Threads: any. Blocking: no. Since: 0.1
 */
btz_status btz_agent_start(struct btz_agent *agent, struct btz_error *error);

/*
 * Ends the agent's own threads, waiting at most timeout_ms. What it knows can still be read; it can be started again,
 * or driven by the host. An agent without threads is stopped already: BTZ_OK.
 * Errors: BTZ_ERR_TIMEOUT: they have been told to end and will, call again. BTZ_ERR_BUSY.
 * Threads: any. Blocking: up to timeout_ms. Since: 0.1
 */
btz_status btz_agent_stop(struct btz_agent *agent, uint32_t timeout_ms, struct btz_error *error);

/*
 * Runs one tick now, on this thread, whatever the deadline says: reads what is due, judges it, publishes it.
 * Allocates nothing, frees nothing, takes no lock that another thread holds for long, makes no system call that
 * blocks. Call it when btz_agent_deadline() has come.
 * Errors: BTZ_ERR_STATE while the agent's own threads run; BTZ_ERR_BUSY while another thread is in this call.
 * Threads: any, one at a time. Blocking: no. Since: 0.1
 */
btz_status btz_agent_step(struct btz_agent *agent, struct btz_error *error);

/*
 * Does what is due and may block, on this thread: finds VMs, opens their files, asks monitors, frees what the last
 * ticks no longer need. Call it once before the first step and whenever btz_agent_maintenance_fd() is readable; it may
 * run beside btz_agent_step() on another thread.
 * Errors: BTZ_ERR_STATE while the agent's own threads run; BTZ_ERR_BUSY while another thread is in this call.
 * Threads: any, one at a time. Blocking: as long as the kernel needs to open files. Since: 0.1
 */
btz_status btz_agent_maintain(struct btz_agent *agent, struct btz_error *error);

/*
 * When btz_agent_step() is due: absolute, CLOCK_MONOTONIC nanoseconds. In the past when it is overdue.
 * Errors: BTZ_ERR_BUSY while another thread is in a tick.
 * Threads: any. Blocking: no. Since: 0.1
 */
btz_status btz_agent_deadline(const struct btz_agent *agent, uint64_t *out_mono_ns);

/*
 * A descriptor that is readable while alerts wait for btz_agent_alerts(). Poll it (level-triggered); never read, write
 * or close it. Valid until btz_agent_free(). CLOEXEC. Errors: a negative BTZ_ERR_* in place of the descriptor.
 * Threads: any. Blocking: no. Since: 0.1
 */
int32_t btz_agent_alert_fd(const struct btz_agent *agent);

/*
 * A descriptor that is readable when btz_agent_maintain() has something to do; only for hosts that drive the agent.
 * Poll it; never read, write or close it. Valid until btz_agent_free(). CLOEXEC. Errors: a negative BTZ_ERR_* in place
 * of the descriptor. Threads: any. Blocking: no. Since: 0.1
 */
int32_t btz_agent_maintenance_fd(const struct btz_agent *agent);

/*
 * What the agent is doing: BTZ_STATE_*. Works on a faulted agent too. Errors: BTZ_ERR_NULL, BTZ_ERR_HANDLE,
 * BTZ_ERR_FORKED. Threads: any. Blocking: no. Since: 0.1
 */
btz_status btz_agent_state(const struct btz_agent *agent, uint32_t *out);

/*
 * Puts a new configuration into force: rules, intervals, tiers, budget, tenants. The agent takes it up within a moment
 * (when driven by the host: in the next btz_agent_maintain() and btz_agent_step()). config: copied.
 * Errors: BTZ_ERR_RESTART when it differs in what is fixed when an agent is made (limits, roots); BTZ_ERR_CONFIG. The
 * old configuration then stays in force, whole.
 * Threads: any. Blocking: no. Since: 0.1
 */
btz_status btz_agent_reload(struct btz_agent *agent, const struct btz_config *config, struct btz_error *error);

/*
 * Stops the agent, waiting at most BTZ_FREE_TIMEOUT_MS, closes all its descriptors and frees all its memory. The
 * handle and the descriptors must not be used afterwards; a second free is undefined, and answered with BTZ_ERR_HANDLE
 * as long as the memory has not been given to somebody else. NULL: nothing, BTZ_OK. Works on a faulted agent.
 * Errors: nothing was freed, and the handle is still good after BTZ_ERR_BUSY (another thread is in a call on this
 * agent), BTZ_ERR_TIMEOUT (the kernel holds one of its threads; call again), BTZ_ERR_REENTRY, and in a child process
 * (BTZ_ERR_FORKED: the memory there goes with the process).
 * Threads: any, and no other may use the handle any more. Blocking: up to BTZ_FREE_TIMEOUT_MS. Since: 0.1
 */
btz_status btz_agent_free(struct btz_agent *agent);

/* The scope of an entity, BTZ_SCOPE_*; 0 for what is none. Never fails. Threads: any. Blocking: no. Since: 0.1 */
uint32_t btz_entity_scope(btz_entity entity);

/*
 * The VMs that are watched now, by row. out: capacity elements (NULL with capacity 0 to ask for the number), each
 * stride bytes after the one before; stride: sizeof(btz_vm). total: receives how many there are, which may be more
 * than capacity: then call again with more room. Errors: BTZ_ERR_NULL, BTZ_ERR_SIZE.
 * Threads: any. Blocking: no; allocates. Since: 0.1
 */
btz_status btz_agent_vms(const struct btz_agent *agent,
                         struct btz_vm *out,
                         size_t stride,
                         size_t capacity,
                         size_t *total);

/*
 * The parts of a VM (vCPUs, network interfaces, disks) or of the host (CPUs, nodes, block and network devices). whole:
 * a VM's entity or BTZ_ENTITY_HOST. out, stride, capacity, total: as in btz_agent_vms(). Errors: BTZ_ERR_NOT_FOUND when
 * the VM is gone; BTZ_ERR_ARGUMENT, BTZ_ERR_NULL, BTZ_ERR_SIZE. Threads: any. Blocking: no; allocates. Since: 0.1
 */
btz_status btz_agent_parts(const struct btz_agent *agent,
                           btz_entity whole,
                           struct btz_part *out,
                           size_t stride,
                           size_t capacity,
                           size_t *total);

/*
 * How each source of the host or of a VM is read, at which tier, and why not better. whole: a VM's entity or
 * BTZ_ENTITY_HOST. out, stride, capacity, total: as in btz_agent_vms(). Errors: BTZ_ERR_NOT_FOUND when the VM is gone;
 * BTZ_ERR_ARGUMENT, BTZ_ERR_NULL, BTZ_ERR_SIZE. Threads: any. Blocking: no; allocates. Since: 0.1
 */
btz_status btz_agent_sources(const struct btz_agent *agent,
                             btz_entity whole,
                             struct btz_source *out,
                             size_t stride,
                             size_t capacity,
                             size_t *total);

/*
 * The same as BTZ_VALUE_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
 * Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.1
 */
btz_status btz_value_init(struct btz_value *value, uint32_t struct_size);

/*
 * The same as BTZ_TICK_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
 * Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.1
 */
btz_status btz_tick_init(struct btz_tick *tick, uint32_t struct_size);

/*
 * The last tick that was completed; number 0 before the first. out: set struct_size first. Errors: BTZ_ERR_SIZE.
 * Threads: any. Blocking: no; no lock, no allocation. Since: 0.1
 */
btz_status btz_agent_tick(const struct btz_agent *agent, struct btz_tick *out);

/*
 * The latest value of one metric of one entity. An entity that no longer exists reads as GONE, a metric of another
 * scope as UNSUPPORTED. out: set struct_size first. Errors: BTZ_ERR_NOT_FOUND: no such metric; BTZ_ERR_ARGUMENT: not an
 * entity; BTZ_ERR_SIZE. Threads: any. Blocking: no; no lock, no allocation. Since: 0.1
 */
btz_status btz_agent_read(const struct btz_agent *agent, btz_entity entity, uint32_t metric, struct btz_value *out);

/*
 * The latest values of many metrics, in the order of the queries. Values of one entity that stand one after the other
 * in the queries are of one instant (up to 64 of them). out: count elements, each stride bytes after the one before;
 * stride: sizeof(btz_value). Errors: as btz_agent_read(), at the first query that is wrong; what was before it is
 * written. Threads: any. Blocking: no; no lock, no allocation. Since: 0.1
 */
btz_status btz_agent_read_many(const struct btz_agent *agent,
                               const struct btz_query *queries,
                               size_t count,
                               struct btz_value *out,
                               size_t stride);

/*
 * The latest values of one metric of one entity, oldest first: at most capacity of those that the flight recorder
 * still holds. Kept are all metrics of host and agent, and the most telling ones of VMs and their parts, for
 * limits.history_ticks; what died stays readable for that long. out: capacity elements, each stride bytes after the one
 * before; stride: sizeof(btz_point). count: receives how many were written; 0 when the metric is not kept or nothing
 * is left. Errors: BTZ_ERR_NOT_FOUND, BTZ_ERR_ARGUMENT, BTZ_ERR_SIZE, BTZ_ERR_NULL.
 * Threads: any. Blocking: no; allocates. Since: 0.1
 */
btz_status btz_agent_history(const struct btz_agent *agent,
                             btz_entity entity,
                             uint32_t metric,
                             struct btz_point *out,
                             size_t stride,
                             size_t capacity,
                             size_t *count);

/*
 * The same as BTZ_METRIC_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
 * Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.1
 */
btz_status btz_metric_init(struct btz_metric *metric, uint32_t struct_size);

/* How many metrics there are. Never fails. Threads: any. Blocking: no. Since: 0.1 */
size_t btz_metric_count(void);

/*
 * The metric at a place from 0 to btz_metric_count() - 1. Places move between versions; ids and names do not. out: set
 * struct_size first. Errors: BTZ_ERR_NOT_FOUND, BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.1
 */
btz_status btz_metric_at(size_t place, struct btz_metric *out);

/*
 * The metric of an id. out: set struct_size first. Errors: BTZ_ERR_NOT_FOUND, BTZ_ERR_SIZE. Threads: any.
 * Blocking: no. Since: 0.1
 */
btz_status btz_metric_by_id(uint32_t id, struct btz_metric *out);

/*
 * The metric of a name, such as "vm_cpu_user_seconds". name: length in bytes, no NUL needed. out: set struct_size
 * first. Errors: BTZ_ERR_NOT_FOUND, BTZ_ERR_SIZE, BTZ_ERR_ARGUMENT. Threads: any. Blocking: no. Since: 0.1
 */
btz_status btz_metric_by_name(const char *name, size_t length, struct btz_metric *out);

/*
 * The same as BTZ_ACCOUNTING_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
 * Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.1
 */
btz_status btz_accounting_init(struct btz_accounting *accounting, uint32_t struct_size);

/*
 * The same as BTZ_COST_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
 * Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.1
 */
btz_status btz_cost_init(struct btz_cost *cost, uint32_t struct_size);

/*
 * Takes the oldest alerts that wait, at most capacity: they are the caller's from then on and counted as delivered.
 * When fewer than capacity came, none waits any more, and btz_agent_alert_fd() is no longer readable. out: capacity
 * elements, each stride bytes after the one before; stride: sizeof(btz_alert). count: receives how many were written;
 * 0 is no error. Errors: BTZ_ERR_NULL, BTZ_ERR_SIZE: no alert was taken.
 * Threads: any; each alert goes to one caller. Blocking: no; no allocation; with a ledger as btz_agent_record() says.
 * Since: 0.1
 */
btz_status btz_agent_alerts(const struct btz_agent *agent,
                            struct btz_alert *out,
                            size_t stride,
                            size_t capacity,
                            size_t *count);

/*
 * The accounts of all alerts since the agent was made. out: set struct_size first. Errors: BTZ_ERR_SIZE.
 * Threads: any. Blocking: no; no allocation. Since: 0.1
 */
btz_status btz_agent_accounting(const struct btz_agent *agent, struct btz_accounting *out);

/* What the agent costs. out: set struct_size first. Errors: BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.1 */
btz_status btz_agent_cost(const struct btz_agent *agent, struct btz_cost *out);

/*
 * The rules an agent works by, and those that are switched off. out, stride, capacity, total: as in btz_agent_vms();
 * stride: sizeof(btz_rule). Errors: BTZ_ERR_NULL, BTZ_ERR_SIZE. Threads: any. Blocking: no; allocates. Since: 0.1
 */
btz_status btz_agent_rules(const struct btz_agent *agent,
                           struct btz_rule *out,
                           size_t stride,
                           size_t capacity,
                           size_t *total);

/*
 * The rules an agent with this configuration would work by. Otherwise as btz_agent_rules(). Errors: BTZ_ERR_CONFIG when
 * a rule makes no sense. Threads: one at a time per config. Blocking: no. Since: 0.1
 */
btz_status btz_config_rules(const struct btz_config *config,
                            struct btz_rule *out,
                            size_t stride,
                            size_t capacity,
                            size_t *total,
                            struct btz_error *error);

/*
 * A descriptor that is readable while changes wait for btz_agent_check_changes(). Poll it (level-triggered); never
 * read, write or close it. Valid until btz_agent_free(). CLOEXEC. Errors: a negative BTZ_ERR_* in place of the
 * descriptor. Threads: any. Blocking: no. Since: 0.2
 */
int32_t btz_agent_check_fd(const struct btz_agent *agent);

/*
 * Takes the oldest changes that wait, at most capacity: each is the finding as it is after the change (or, of one
 * that is gone, as it was), with change and sequence set. They are the caller's from then on and counted as delivered. When
 * fewer than capacity came, none waits any more. What does not fit into the queue is dropped, the oldest first: after a
 * gap in sequence, btz_agent_findings() has what is true now. out: capacity elements, each stride bytes after the one
 * before; stride: sizeof(btz_finding). count: receives how many were written; 0 is no error. Errors: BTZ_ERR_NULL,
 * BTZ_ERR_SIZE: no change was taken. Threads: any; each change goes to one caller. Blocking: no; allocates; with a
 * ledger as btz_agent_record() says. Since: 0.2
 */
btz_status btz_agent_check_changes(const struct btz_agent *agent,
                                   struct btz_finding *out,
                                   size_t stride,
                                   size_t capacity,
                                   size_t *count);

/*
 * The accounts of all changes since the agent was made; none is ever suppressed. out: set struct_size first. Errors:
 * BTZ_ERR_SIZE. Threads: any. Blocking: no; no allocation. Since: 0.2
 */
btz_status btz_agent_check_accounting(const struct btz_agent *agent, struct btz_accounting *out);

/*
 * The same as BTZ_FINDING_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
 * Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.2
 */
btz_status btz_finding_init(struct btz_finding *finding, uint32_t struct_size);

/*
 * What is found now, the host's first and then VM by VM; what passes, too. after: NULL to begin, or the last finding of
 * the call before: VMs may come and go in between, and none is left out or told twice. It may lie in out. out: capacity
 * elements, each stride bytes after the one before; stride: sizeof(btz_finding). count: receives how many were written;
 * fewer than capacity is the end. total: receives how many there are in all, or NULL. Errors: BTZ_ERR_NULL,
 * BTZ_ERR_SIZE. Threads: any. Blocking: no; allocates. Since: 0.2
 */
btz_status btz_agent_findings(const struct btz_agent *agent,
                              const struct btz_finding *after,
                              struct btz_finding *out,
                              size_t stride,
                              size_t capacity,
                              size_t *count,
                              size_t *total);

/*
 * One finding in full as a JSON object: every facet with its verdict and what is expected, the evidence (where it was
 * read, what was read, when), who waived it, and what it was before. The keys are those of `bartizan check --json`.
 * rule: its name, length in bytes, no NUL needed. pid, start_ticks: of the VM as in btz_finding; pid 0 is the host, and
 * start_ticks 0 whatever process has the PID now. buffer: capacity bytes, or NULL with capacity 0 to ask how many are
 * needed. needed: receives that number, the NUL included; it may be another one in the next call. Errors:
 * BTZ_ERR_NOT_FOUND: there is no such finding, or no longer; BTZ_ERR_BUFFER, BTZ_ERR_NULL, BTZ_ERR_ARGUMENT.
 * Threads: any. Blocking: no; allocates. Since: 0.2
 */
btz_status btz_agent_finding(const struct btz_agent *agent,
                             const char *rule,
                             size_t length,
                             int32_t pid,
                             uint64_t start_ticks,
                             char *buffer,
                             size_t capacity,
                             size_t *needed);

/*
 * The rules that the checks judge by: those of the library, and those of the configured folder, less those that are
 * switched off. out, stride, capacity, total: as in btz_agent_vms(); stride: sizeof(btz_check). Errors: BTZ_ERR_NULL,
 * BTZ_ERR_SIZE. Threads: any. Blocking: no; allocates; before the first check, reads the rule files. Since: 0.2
 */
btz_status btz_agent_checks(const struct btz_agent *agent,
                            struct btz_check *out,
                            size_t stride,
                            size_t capacity,
                            size_t *total);

/*
 * One text about a rule. id: its name, length in bytes, no NUL needed. part: BTZ_CHECK_TEXT_*. buffer: capacity bytes,
 * or NULL with capacity 0 to ask how many are needed. needed: receives that number, the NUL included. Errors:
 * BTZ_ERR_NOT_FOUND: no rule is called so; BTZ_ERR_ARGUMENT, BTZ_ERR_BUFFER, BTZ_ERR_NULL.
 * Threads: any. Blocking: no; allocates; before the first check, reads the rule files. Since: 0.2
 */
btz_status btz_agent_check_text(const struct btz_agent *agent,
                                const char *id,
                                size_t length,
                                uint32_t part,
                                char *buffer,
                                size_t capacity,
                                size_t *needed);

/*
 * The same as BTZ_WAIVER_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
 * Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.2
 */
btz_status btz_waiver_init(struct btz_waiver *waiver, uint32_t struct_size);

/*
 * Lets a finding pass: for a value, by somebody, until a day. It is taken up within a moment (when the host drives the
 * agent: in the next btz_agent_check()), is told as BTZ_CHANGE_WAIVER, and holds while this agent lives; one that is to
 * last is written to the waivers' file. waiver: set struct_size first. Errors: BTZ_ERR_ARGUMENT: it lacks an owner, a
 * reason, a value or a last day; BTZ_ERR_NOT_FOUND: observed is NULL, and nothing was found there; BTZ_ERR_NULL,
 * BTZ_ERR_SIZE. Threads: any. Blocking: no; allocates. Since: 0.2
 */
btz_status btz_agent_waive(const struct btz_agent *agent, const struct btz_waiver *waiver, struct btz_error *error);

/*
 * The same as BTZ_CHECK_STATE_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
 * Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.2
 */
btz_status btz_check_state_init(struct btz_check_state *state, uint32_t struct_size);

/*
 * Works on the checks for about so many nanoseconds, on this thread: first a full run, then what has changed. Only for
 * hosts that drive the agent: VMs come to the checks by btz_agent_maintain(). Call it every second or so, which costs
 * next to nothing while nothing changes, and again when *more is 1; it may run beside btz_agent_step() and
 * btz_agent_maintain() on other threads. budget_ns: one step that the kernel holds up is not cut short. more: receives
 * 1 when there is more to do at once, else 0; may be NULL.
 * Errors: BTZ_ERR_STATE while the agent's own threads run; BTZ_ERR_BUSY while another thread is in this call.
 * Threads: any, one at a time. Blocking: as long as the kernel needs to read files. Since: 0.2
 */
btz_status btz_agent_check(struct btz_agent *agent, uint64_t budget_ns, uint32_t *more, struct btz_error *error);

/*
 * Asks for a full run of all checks, soon; btz_check_state.sweeps grows when one is done. Full runs come by themselves
 * every checks.sweep_s, and what changed in between is noticed without one. When the host drives the agent,
 * btz_agent_check() does the work. Errors: none of its own. Threads: any. Blocking: no. Since: 0.2
 */
btz_status btz_agent_check_sweep(const struct btz_agent *agent);

/*
 * How far the checks have come. out: set struct_size first. Errors: BTZ_ERR_SIZE. Threads: any. Blocking: no.
 * Since: 0.2
 */
btz_status btz_agent_check_state(const struct btz_agent *agent, struct btz_check_state *out);

/*
 * The same as BTZ_LEDGER_OPTIONS_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
 * Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.3
 */
btz_status btz_ledger_options_init(struct btz_ledger_options *options, uint32_t struct_size);

/*
 * Opens the ledger in a folder, or begins it (the folder is made, for its owner alone), and records that a run began and
 * how the one before ended. abi: BTZ_ABI_VERSION. folder: UTF-8, length in bytes, no NUL needed, not kept. options: set
 * struct_size and origin first. out: receives the handle, which the caller owns; written only on success.
 * Errors: BTZ_ERR_DAMAGED: the error's text names the place; what is damaged stays as it is, as evidence.
 * BTZ_ERR_LOCKED, BTZ_ERR_DISK, BTZ_ERR_ARGUMENT (also: the ledger there has another origin), BTZ_ERR_ABI, BTZ_ERR_SIZE,
 * BTZ_ERR_NULL, BTZ_ERR_SYSTEM. Threads: any. Blocking: on the disk. Since: 0.3
 */
btz_status btz_ledger_open(uint32_t abi,
                           const char *path,
                           size_t length,
                           const struct btz_ledger_options *options,
                           struct btz_ledger **out,
                           struct btz_error *error);

/*
 * Does what is due: makes durable what waits, signs when it is time, removes what is too old, tries a disk again that
 * was full. Only for ledgers that were opened with driven; call it every second or so, and to make records durable.
 * Errors: BTZ_ERR_DISK: what could not be done is done by a later call; BTZ_ERR_BUSY while another thread is in this
 * call; BTZ_ERR_STATE: the ledger has a thread of its own, or was closed.
 * Threads: any, one at a time. Blocking: on the disk. Since: 0.3
 */
btz_status btz_ledger_maintain(struct btz_ledger *ledger, struct btz_error *error);

/*
 * Ends the run in order, waiting at most timeout_ms (a driven ledger: for as long as the disk takes): what waits and a
 * record of the end become durable and signed, and nothing more is taken. It can still be read and asked; the next run
 * will tell that this one ended in order. A ledger that is closed already: BTZ_OK.
 * Errors: BTZ_ERR_TIMEOUT: the disk holds it up; it was told to, call again. BTZ_ERR_DISK: the run counts as cut off.
 * Threads: any. Blocking: up to timeout_ms. Since: 0.3
 */
btz_status btz_ledger_close(struct btz_ledger *ledger, uint32_t timeout_ms, struct btz_error *error);

/*
 * Frees the ledger, waiting at most BTZ_LEDGER_FREE_TIMEOUT_MS for its thread. One that was not closed counts as cut
 * off, and what was not durable is lost. The handle and its descriptor must not be used afterwards; a second free is
 * undefined, and answered with BTZ_ERR_HANDLE as long as the memory has not been given to somebody else. NULL: nothing,
 * BTZ_OK. Works on a faulted ledger. Errors: nothing was freed, and the handle is still good after BTZ_ERR_BUSY (another
 * thread is in a call on it, or it is attached to an agent), BTZ_ERR_TIMEOUT (the disk holds its thread; call again),
 * BTZ_ERR_REENTRY, and in a child process (BTZ_ERR_FORKED).
 * Threads: any, and no other may use the handle any more. Blocking: up to BTZ_LEDGER_FREE_TIMEOUT_MS. Since: 0.3
 */
btz_status btz_ledger_free(struct btz_ledger *ledger);

/*
 * Records an event of the host's. It has its number at once, and is durable a moment later: see btz_ledger_wait(),
 * btz_ledger_fd() and btz_ledger_status.durable. kind: BTZ_RECORD_HOST to BTZ_RECORD_HOST_MAX; what they mean is up to the
 * host. tenant: UTF-8, tenant_length bytes, at most 255: whose event it is; NULL for the host's own. payload: any bytes,
 * at most BTZ_PAYLOAD_BYTES_MAX; NULL only with length 0. sequence: receives the record's number; may be NULL.
 * Errors: BTZ_ERR_FULL: too much waits for the disk; the record was refused, which is counted, and recorded once the
 * disk is back. BTZ_ERR_STATE: the ledger was closed. BTZ_ERR_ARGUMENT, BTZ_ERR_NULL.
 * Threads: any. Blocking: not on the disk, unless a checkpoint is being made: then up to 250 ms. Since: 0.3
 */
btz_status btz_ledger_append(struct btz_ledger *ledger,
                             uint32_t kind,
                             const char *tenant,
                             size_t tenant_length,
                             const uint8_t *payload,
                             size_t payload_length,
                             uint64_t *sequence,
                             struct btz_error *error);

/*
 * Waits until the record of that number, and with it all before it, would survive a loss of power. A driven ledger makes
 * it durable here, on this thread, for as long as the disk takes.
 * Errors: BTZ_ERR_TIMEOUT: not yet. BTZ_ERR_DISK: the disk has refused it; it stays queued, and becomes durable by a
 * later attempt. BTZ_ERR_ARGUMENT: no record has that number yet.
 * Threads: any. Blocking: up to timeout_ms. Since: 0.3
 */
btz_status btz_ledger_wait(struct btz_ledger *ledger,
                           uint64_t sequence,
                           uint32_t timeout_ms,
                           struct btz_error *error);

/*
 * The same as BTZ_LEDGER_STATUS_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
 * Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.3
 */
btz_status btz_ledger_status_init(struct btz_ledger_status *state, uint32_t struct_size);

/*
 * A descriptor that is readable once records have become durable, a checkpoint was made, or the state of the disk has
 * changed, since btz_ledger_state() was called the last time. Poll it (level-triggered); never read, write or close it.
 * Valid until btz_ledger_free(). CLOEXEC. Errors: a negative BTZ_ERR_* in place of the descriptor. Threads: any.
 * Blocking: no. Since: 0.3
 */
int32_t btz_ledger_fd(const struct btz_ledger *ledger);

/*
 * How the ledger is; btz_ledger_fd() is not readable any more until something happens. out: set struct_size first.
 * Errors: BTZ_ERR_NULL, BTZ_ERR_SIZE. Threads: any. Blocking: no; no allocation. Since: 0.3
 */
btz_status btz_ledger_state(const struct btz_ledger *ledger, struct btz_ledger_status *out);

/*
 * A cursor before the record of a number, in the ledger of a folder, which may be one that is being written, by this
 * process or another, or a copy: only its files are read. Where older records were removed, the first that is there comes
 * first. abi: BTZ_ABI_VERSION. folder: UTF-8, length in bytes, no NUL needed, not kept. out: receives the cursor, which
 * the caller owns; written only on success. Errors: BTZ_ERR_ABI, BTZ_ERR_NULL, BTZ_ERR_ARGUMENT.
 * Threads: any. Blocking: no. Since: 0.3
 */
btz_status btz_ledger_cursor_new(uint32_t abi,
                                 const char *path,
                                 size_t length,
                                 uint64_t from,
                                 struct btz_ledger_cursor **out,
                                 struct btz_error *error);

/*
 * Copies out the next records, at most capacity and as many as the payloads of which fit, and goes behind them. 0 is no
 * error: there are none yet, and a later call may find some. A number that does not follow on the one before: records in
 * between were removed for their age. out: capacity elements, each stride bytes after the one before; stride:
 * sizeof(btz_record). payloads: payloads_capacity bytes, into which the payloads are copied one behind the other; with
 * BTZ_PAYLOAD_BYTES_MAX any record fits. count: receives how many records were written. needed: receives how many bytes
 * the next record's payload needs when it was left out for want of them, else 0; may be NULL.
 * Errors: BTZ_ERR_BUFFER: not even the first payload fits. BTZ_ERR_DAMAGED: the next record, with its place in the
 * error's text; those before it were handed out. BTZ_ERR_DISK, BTZ_ERR_NULL, BTZ_ERR_SIZE, BTZ_ERR_HANDLE.
 * Threads: one at a time. Blocking: on the files. Since: 0.3
 */
btz_status btz_ledger_cursor_next(struct btz_ledger_cursor *cursor,
                                  struct btz_record *out,
                                  size_t stride,
                                  size_t capacity,
                                  uint8_t *payloads,
                                  size_t payloads_capacity,
                                  size_t *count,
                                  size_t *needed,
                                  struct btz_error *error);

/* Frees a cursor. NULL: nothing, BTZ_OK. Errors: BTZ_ERR_HANDLE. Threads: one at a time. Blocking: no. Since: 0.3 */
btz_status btz_ledger_cursor_free(struct btz_ledger_cursor *cursor);

/*
 * The public key that signs, "origin+id+base64" (C2SP signed-note): what whoever verifies is given once, by another way
 * than the ledger itself. buffer: capacity bytes, or NULL with capacity 0 to ask how many are needed. needed: receives
 * that number, the NUL included. Errors: BTZ_ERR_BUFFER, BTZ_ERR_NULL. Threads: any. Blocking: while a batch is written.
 * Since: 0.3
 */
btz_status btz_ledger_key(const struct btz_ledger *ledger,
                          char *buffer,
                          size_t capacity,
                          size_t *needed);

/*
 * Makes a checkpoint now: what waits becomes durable, and where all logs stand is signed and written. By itself that is
 * done every checkpoint_interval_ms. Errors: BTZ_ERR_DISK; BTZ_ERR_STATE: it was closed, and is signed to its end.
 * Threads: any. Blocking: on the disk. Since: 0.3
 */
btz_status btz_ledger_sign(struct btz_ledger *ledger, struct btz_error *error);

/*
 * Makes another key, which signs from here on; the hand-over, signed by both, is recorded, and verifiers follow it from the
 * key they trust. Then a checkpoint is made. Errors: BTZ_ERR_DISK: it happens once the hand-over is durable, be it by a
 * later attempt; BTZ_ERR_STATE: it was closed. Threads: any. Blocking: on the disk. Since: 0.3
 */
btz_status btz_ledger_rotate_key(struct btz_ledger *ledger,
                                 struct btz_error *error);

/*
 * The last signed checkpoint of a log, as a note (C2SP tlog-checkpoint): keep it elsewhere, and nothing that it covers
 * can be taken back. tenant: UTF-8, tenant_length bytes: whose log; NULL for the host's. buffer: capacity bytes, or NULL
 * with capacity 0 to ask how many are needed. needed: receives that number, the NUL included; it may be another one in
 * the next call. Errors: BTZ_ERR_NOT_FOUND: nothing of this log is signed yet. BTZ_ERR_BUFFER, BTZ_ERR_NULL, BTZ_ERR_DISK,
 * BTZ_ERR_DAMAGED. Threads: any. Blocking: on the files. Since: 0.3
 */
btz_status btz_ledger_checkpoint(const struct btz_ledger *ledger,
                                 const char *tenant,
                                 size_t tenant_length,
                                 char *buffer,
                                 size_t capacity,
                                 size_t *needed,
                                 struct btz_error *error);

/*
 * The proof that a record is in its log as it was recorded: one text with the log's signed checkpoint (C2SP tlog-proof).
 * sequence: the record's number. buffer: capacity bytes, or NULL with capacity 0 to ask how many are needed. needed:
 * receives that number, the NUL included; it may be another one in the next call, when a checkpoint was made meanwhile.
 * Errors: BTZ_ERR_NOT_FOUND: there is no such record, or it is not signed yet: see btz_ledger_sign(). BTZ_ERR_BUFFER,
 * BTZ_ERR_NULL, BTZ_ERR_DISK, BTZ_ERR_DAMAGED. Threads: any. Blocking: on the files. Since: 0.3
 */
btz_status btz_ledger_prove(const struct btz_ledger *ledger,
                            uint64_t sequence,
                            char *buffer,
                            size_t capacity,
                            size_t *needed,
                            struct btz_error *error);

/*
 * Takes a checkpoint of the host's log back from the witnesses that the options named, all of which must have cosigned
 * it (C2SP cosignature/v1). It is kept, and what it covers may be removed when it is old. note: the checkpoint as
 * btz_ledger_checkpoint() gave it, with the witnesses' lines; length bytes, no NUL needed. Errors: BTZ_ERR_ARGUMENT: it
 * is not one of the last checkpoints of this run, a witness did not cosign it, or none was named. BTZ_ERR_DISK.
 * Threads: any. Blocking: on the disk. Since: 0.3
 */
btz_status btz_ledger_cosigned(struct btz_ledger *ledger, const char *note, size_t length, struct btz_error *error);

/*
 * The same as BTZ_LEDGER_REPORT_INIT, for languages without macros: zeroes struct_size bytes and sets the field.
 * Returns BTZ_OK, BTZ_ERR_NULL or BTZ_ERR_SIZE. Threads: any. Blocking: no. Since: 0.3
 */
btz_status btz_ledger_report_init(struct btz_ledger_report *report, uint32_t struct_size);

/*
 * Verifies the ledger in a folder by its files and a public key alone, as "bartizan verify" does. BTZ_OK says that it
 * could be verified; what came out is in the report. abi: BTZ_ABI_VERSION. folder: UTF-8, length in bytes. key:
 * key_length bytes, as btz_ledger_key() gives it; NULL: the key in the files is believed, and the outcome is
 * BTZ_VERIFIED_UNPROVEN at best. tenant: tenant_length bytes: whose log the report counts; all are verified; NULL for the
 * host's. checkpoint: checkpoint_length bytes of a signed checkpoint that was kept elsewhere: the ledger must go on from
 * it; may be NULL. report: set struct_size first.
 * Errors: BTZ_ERR_NOT_FOUND: the folder cannot be read. BTZ_ERR_ARGUMENT: the key is none, or the ledger has no record of
 * that tenant. BTZ_ERR_DISK: reading failed. BTZ_ERR_ABI, BTZ_ERR_SIZE, BTZ_ERR_NULL.
 * Threads: any. Blocking: on the files, all of which are read. Since: 0.3
 */
btz_status btz_ledger_verify(uint32_t abi,
                             const char *path,
                             size_t length,
                             const char *key,
                             size_t key_length,
                             const char *tenant,
                             size_t tenant_length,
                             const char *checkpoint,
                             size_t checkpoint_length,
                             struct btz_ledger_report *report,
                             struct btz_error *error);

/*
 * Attaches a ledger to an agent: from here on every alert that btz_agent_alerts() hands out, and every change that
 * btz_agent_check_changes() does, is appended first, to its tenant's log, and held back until it is durable, but no longer
 * than hold_ms: on a disk that hangs or is full what happened must still be told. What left that way is counted in
 * btz_ledger_status.left_early, stays queued, and becomes durable when the disk is back. Those two calls then allocate, and
 * wait up to hold_ms; ticks and checks never wait. One ledger may be attached to several agents.
 * ledger: with a thread of its own; not freed before it is detached, or the agent freed. NULL detaches. hold_ms: at most
 * BTZ_HOLD_MS_MAX; 0 appends and does not wait. Errors: BTZ_ERR_STATE: the ledger is driven by the host, or closed.
 * BTZ_ERR_ARGUMENT. Threads: any. Blocking: while another thread takes alerts. Since: 0.3
 */
btz_status btz_agent_record(struct btz_agent *agent,
                            struct btz_ledger *ledger,
                            uint32_t hold_ms,
                            struct btz_error *error);

/*
 * Receives the library's log from now on, in place of any hook before. There is none unless this is called, and the
 * library never writes to standard output or standard error. hook: NULL ends it. user: passed on, never looked at.
 * level: BTZ_LOG_*, the most talkative level wanted. When this returns BTZ_OK, the hook before is not running and will
 * not be called again.
 * Errors: BTZ_ERR_ARGUMENT; BTZ_ERR_STATE when the process, written in Rust, has a logger of its own already;
 * BTZ_ERR_TIMEOUT when a hook did not return within 5 s: nothing was changed.
 * Threads: any; the hook is one per process. Blocking: for hooks that run. Since: 0.1
 */
btz_status btz_log_set(btz_log_fn hook, void *user, uint32_t level, struct btz_error *error);

#ifdef __cplusplus
} /* extern "C" */
#endif /* __cplusplus */

/*
 * Initialisers, equal byte for byte to what the init functions write.
 * Since: 0.1
 */
#define BTZ_ERROR_INIT \
    { sizeof(btz_error), 0, { 0 } }
#define BTZ_OPTIONS_INIT \
    { sizeof(btz_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
#define BTZ_METRIC_INIT \
    { sizeof(btz_metric), 0, 0, 0, 0, 0, 0, 0, { 0 }, { 0 }, { 0 }, { 0 } }
#define BTZ_VM_INIT \
    { sizeof(btz_vm), 0, 0, 0, 0, 0, 0, 0, 0, 0, { 0 }, { 0 }, { 0 }, { 0 }, { 0 } }
#define BTZ_PART_INIT \
    { sizeof(btz_part), 0, 0, 0, 0, { 0 }, { 0 } }
#define BTZ_SOURCE_INIT \
    { sizeof(btz_source), 0, 0, 0, { 0 }, { 0 }, { 0 } }
#define BTZ_TICK_INIT \
    { sizeof(btz_tick), 0, 0, 0, 0 }
#define BTZ_VALUE_INIT \
    { sizeof(btz_value), 0, 0, 0, 0, 0, 0, 0, 0 }
#define BTZ_POINT_INIT \
    { sizeof(btz_point), 0, 0, 0, 0, 0, 0 }
#define BTZ_ALERT_INIT \
    { sizeof(btz_alert), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, { 0 }, { 0 }, { 0 }, { 0 }, { 0 }, 0, 0, 0 }
#define BTZ_ACCOUNTING_INIT \
    { sizeof(btz_accounting), 0, 0, 0, 0, 0, 0 }
#define BTZ_RULE_INIT \
    { sizeof(btz_rule), 0, 0, 0, 0, 0, 0, { 0 }, { 0 }, { 0 } }
#define BTZ_COST_INIT \
    { sizeof(btz_cost), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
#define BTZ_CHECK_INIT \
    { sizeof(btz_check), 0, 0, 0, { 0 }, { 0 }, { 0 } }
#define BTZ_FINDING_INIT \
    { sizeof(btz_finding), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, { 0 }, { 0 }, { 0 }, { 0 }, { 0 }, { 0 }, { 0 }, { 0 } }
#define BTZ_CHECK_STATE_INIT \
    { sizeof(btz_check_state), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
#define BTZ_WAIVER_INIT \
    { sizeof(btz_waiver), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
#define BTZ_LEDGER_OPTIONS_INIT \
    { sizeof(btz_ledger_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
#define BTZ_LEDGER_STATUS_INIT \
    { sizeof(btz_ledger_status), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
#define BTZ_RECORD_INIT \
    { sizeof(btz_record), 0, 0, 0, 0, 0, 0, 0, 0, { 0 } }
#define BTZ_LEDGER_REPORT_INIT \
    { sizeof(btz_ledger_report), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, { 0 }, { 0 }, { 0 }, { 0 } }

/*
 * The host, and the agent itself: entities that are always there. "No value" in a raw value.
 * Since: 0.1
 */
#define BTZ_ENTITY_HOST (((btz_entity)BTZ_SCOPE_HOST << 56) | 1u)
#define BTZ_ENTITY_AGENT (((btz_entity)BTZ_SCOPE_AGENT << 56) | 1u)
#define BTZ_NO_VALUE INT64_MIN

#endif  /* BARTIZAN_H */
