# Made by generate_abi.py from include/bartizan.h; not edited by hand.
"""The C ABI as ctypes sees it: constants, structs, prototypes."""

from __future__ import annotations

from ctypes import (
    CDLL,
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_double,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
)
from enum import IntEnum


class OpenEnum(IntEnum):
    """An enumeration that a newer library may have added to: numbers unknown here become UNKNOWN_<number>."""

    @classmethod
    def _missing_(cls, value: object) -> OpenEnum | None:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        return member


class Status(OpenEnum):
    """What a call returns."""

    OK = 0  # Done.
    NULL = -1  # A pointer that must not be NULL is NULL.
    ARGUMENT = -2  # An argument has a value that it must not have.
    SIZE = -3  # A struct_size or stride is smaller than the smallest this library knows, or what lies beyond ...
    ABI = -4  # The caller was compiled against an ABI that this library does not serve.
    HANDLE = -5  # Not a handle, or one that was freed.
    BUSY = -6  # Another thread is in a call that excludes this one.
    FORKED = -7  # This process is a child of the one that made the handle.
    FAULTED = -8  # A part of the agent failed beyond repair, in this call or earlier.
    INTERNAL = -9  # The library failed in a call that belongs to no agent.
    CONFIG = -10  # The configuration cannot be used; the error's text names file, line, mistake and cure.
    MEMORY = -11  # The memory that the declared limits need cannot be had.
    SYSTEM = -12  # The kernel refused a descriptor or a thread.
    STATE = -13  # Not in this state: for instance a step while the agent runs on its own threads.
    TIMEOUT = -14  # It took longer than allowed.
    NOT_FOUND = -15  # There is no such thing.
    BUFFER = -16  # The buffer is too small; *needed says how large it must be.
    REENTRY = -17  # Called from within the log hook.
    RESTART = -18  # This part of a configuration is fixed when an agent is made; make a new one.
    DAMAGED = -19  # A ledger's files were changed, lost, or written by something else; the error's text names ...
    FULL = -20  # Too much waits already: the record was refused, and is counted.
    DISK = -21  # The disk refused.
    LOCKED = -22  # Another process, or another handle, has this ledger open.


class AgentState(OpenEnum):
    """What an agent is doing."""

    IDLE = 0  # It has no threads: the host drives it, or it was stopped.
    RUNNING = 1  # Its own threads run.
    FAULTED = 2  # A part of it failed; what it shows is what was last known.


class Scope(OpenEnum):
    """What kind of thing has a value."""

    HOST = 1  # The host as a whole.
    CPU = 2  # One logical CPU of the host.
    NODE = 3  # One NUMA node.
    BLOCK = 4  # One block device of the host.
    NET = 5  # One network device of the host.
    VM = 6  # One virtual machine.
    VCPU = 7  # One virtual CPU.
    VMNET = 8  # One network interface of a VM, seen from the host.
    VMDISK = 9  # One disk of a VM.
    AGENT = 10  # The agent itself.


class Kind(OpenEnum):
    """How a metric moves."""

    COUNTER = 1  # Only grows, until whatever counts it starts anew.
    GAUGE = 2  # Goes up and down.


class Unit(OpenEnum):
    """The unit of raw values."""

    COUNT = 1  # A plain number of things.
    BYTES = 2  # Bytes.
    NANOSECONDS = 3  # Nanoseconds; scaled to seconds.
    PARTS_PER_MILLION = 4  # Parts per million; scaled to a ratio.
    MILLICELSIUS = 5  # Thousandths of a degree; scaled to degrees Celsius.
    MICROJOULES = 6  # Millionths of a joule; scaled to joules.
    HERTZ = 7  # Hertz.
    STATE = 8  # 0 or 1, or the number of a state that the help text lists.


class Availability(OpenEnum):
    """Whether there is a value, and if not, why."""

    PENDING = 0  # Not read yet.
    OK = 1  # Good.
    STALE = 2  # The last value there was; its source has not answered for more than three of its periods.
    UNSUPPORTED = 3  # This kernel, machine or VMM does not have it.
    DENIED = 4  # It exists, but this process may not read it.
    GONE = 5  # What it described no longer exists.
    ERROR = 6  # The read failed, or what was read made no sense.


class Vmm(OpenEnum):
    """What runs a VM."""

    OTHER = 0  # Some process that holds a KVM VM.
    QEMU = 1  # QEMU.
    FIRECRACKER = 2  # Firecracker.
    CLOUD_HYPERVISOR = 3  # Cloud Hypervisor.
    CROSVM = 4  # crosvm.


class AlertState(OpenEnum):
    """Whether a condition began or ended."""

    FIRING = 1  # The condition holds.
    RESOLVED = 2  # The condition of an earlier alert with the same id no longer holds.


class Severity(OpenEnum):
    """How much an alert matters."""

    INFO = 1  # Worth knowing.
    WARNING = 2  # Worth looking at today.
    CRITICAL = 3  # Worth waking somebody.


class RuleKind(OpenEnum):
    """What a rule looks for."""

    THRESHOLD = 1  # A level is passed.
    CHANGE = 2  # The value changes by so much within a window.
    ABSENCE = 3  # What moved moves no more, or what was read can be read no more.
    STATE = 4  # The value is, or is not, one of some.
    BASELINE = 5  # The value is far from what is usual for this very row.
    GONE = 6  # A VM's process is gone.
    UNUSUAL = 7  # What is unusual for this very row: a sign that is told together with others.
    UNUSUAL_TOGETHER = 8  # The signs about one VM, or about the host, taken together.
    EXHAUSTION = 9  # A resource will be used up.
    STANDSTILL = 10  # A counter that should move has stopped.


class LogLevel(OpenEnum):
    """How much a line of the library's log matters."""

    ERROR = 1  # Something is broken.
    WARN = 2  # Something is odd.
    INFO = 3  # Something noteworthy happened.
    DEBUG = 4  # For who looks into a problem.
    TRACE = 5  # Everything.


class ThreadTier(OpenEnum):
    """How the threads of VMs are read."""

    AUTO = 1  # The cheapest way that works.
    KEPT_FD = 2  # A kept descriptor per thread.
    OPEN_EACH = 3  # Open, read, close.
    BPF = 4  # A program in the kernel that reads all threads of all VMs in one run.


class KvmTier(OpenEnum):
    """How KVM's counters are read."""

    AUTO = 1  # The cheapest way that works.
    STATS_FD = 2  # KVM's binary statistics, from descriptors duplicated out of the VMM.
    DEBUGFS = 3  # The text files in debugfs.
    QMP = 4  # QMP query-stats.
    OFF = 5  # Not at all.
    BPF = 6  # A program in the kernel that reads the counters of all VMs in one run.


class Verdict(OpenEnum):
    """What a rule of the checks came to."""

    NOT_APPLICABLE = 1  # The rule makes no sense for this host or VM.
    PASS = 2  # It is as it should be.
    UNKNOWN = 3  # It could not be read, which is never a pass; the reason says why.
    ERROR = 4  # The rule itself is broken.
    FAIL = 5  # It is not as it should be.


class CheckSeverity(OpenEnum):
    """How bad it is when a rule of the checks fails."""

    INFO = 1  # Worth knowing.
    LOW = 2  # One barrier of several is thinner than it should be.
    MEDIUM = 3  # A barrier is missing that others still back up.
    HIGH = 4  # A guest or a user is one flaw away from the host or from another guest.
    CRITICAL = 5  # The isolation that was promised is not there.


class CheckScope(OpenEnum):
    """What a rule of the checks looks at."""

    HOST = 1  # The host, once.
    VM = 2  # Each VM by itself.
    VMS = 3  # Each VM beside all others: what two of them must not share.


class CheckText(OpenEnum):
    """A text about a rule of the checks."""

    TITLE = 1  # What is right, in a few words.
    WHEN = 2  # What it applies to; empty: to all of its scope.
    EXPECTED_RUNTIME = 3  # What is expected of the running kernel or process; empty: nothing.
    EXPECTED_PERSISTED = 4  # What is expected after the next boot or start; empty: nothing.
    RATIONALE = 5  # Why it matters.
    REMEDIATION = 6  # How it is put right.
    REFERENCES = 7  # Where it comes from: standards, benchmarks, manuals; one a line.
    JSON = 8  # Everything as one JSON object, as `bartizan explain --json` prints it.


class ChangeKind(OpenEnum):
    """What happened to a finding."""

    NEW = 1  # First seen, and something to act on.
    VERDICT = 2  # Its verdict changed.
    VALUE = 3  # What it stands on changed, and the verdict did not.
    WAIVER = 4  # A waiver began or ceased to hold.
    GONE = 5  # Its VM ended, or its rule was taken away, while it was something to act on.


class DiskHealth(OpenEnum):
    """How the disk of a ledger is."""

    GOOD = 0  # How the disk of a ledger is: records become durable.
    FULL = 1  # How the disk of a ledger is: full; what was set aside may still take records.
    READ_ONLY = 2  # How the disk of a ledger is: mounted anew for reading alone, as the kernel does after errors.
    FAILING = 3  # How the disk of a ledger is: it fails otherwise.


class LastRun(OpenEnum):
    """How the run before ended."""

    NONE = 0  # How the run before ended: there was none.
    CLEAN = 1  # How the run before ended: in order.
    CUT = 2  # How the run before ended: by a crash, a kill or a loss of power.


class RecordKind(OpenEnum):
    """What a record is about."""

    START = 1  # Kind of a record: a run began.
    STOP = 2  # Kind of a record: a run ended in order.
    ALERT = 3  # Kind of a record: an alert, as a JSON object.
    FINDING = 4  # Kind of a record: a finding of a check changed, as a JSON object.
    INCIDENT = 5  # Kind of a record: an incident changed its state.
    DECISION = 6  # Kind of a record: a decision between proposals.
    ACTION = 7  # Kind of a record: an action, before it is taken, and how it ended.
    CONFIG = 8  # Kind of a record: the configuration changed.
    NOTICE = 9  # Kind of a record: a notice to a customer or a partner.
    LOSS = 10  # Kind of a record: records were refused.
    DISK = 11  # Kind of a record: the state of the disk changed.
    HEADS = 12  # Kind of a record: where every tenant's log stands.
    HAND_OVER = 13  # Kind of a record: another key signs from here on.
    PRUNED = 14  # Kind of a record: old records were removed.
    LOG = 15  # Kind of a record: a tenant's log begins.
    SET_ASIDE = 16  # Kind of a record: a damaged trail was set aside, and this one begins behind it.
    HOST = 32768  # The least kind that belongs to the host: it may append those from here to BTZ_RECORD_HOST_MAX.
    HOST_MAX = 65535  # The last kind that belongs to the host.


class Verified(OpenEnum):
    """What came out of verifying a ledger."""

    PROVEN = 0  # A ledger is verified: every record is as it was signed, by the key that is trusted.
    CHANGED = 1  # A ledger is verified: something was changed, or is missing.
    UNPROVEN = 2  # A ledger is verified: all fits together, but not all is proven.


BTZ_ABI_MAJOR = 0
BTZ_ABI_MINOR = 3
BTZ_ABI_VERSION = 3
BTZ_ZERO = 4294967295
BTZ_ON = 1
BTZ_FREE_TIMEOUT_MS = 5000
BTZ_VM_LIBVIRT = 1
BTZ_VM_TRUNCATED = 2
BTZ_FACET_RUNTIME = 1
BTZ_FACET_PERSISTED = 2
BTZ_FINDING_WAIVED = 1
BTZ_FINDING_OPEN = 2
BTZ_FINDING_TRUNCATED = 4
BTZ_LEDGER_FREE_TIMEOUT_MS = 5000
BTZ_PAYLOAD_BYTES_MAX = 61440
BTZ_HOLD_MS_MAX = 10000
BTZ_ENTITY_HOST = 72057594037927937
BTZ_ENTITY_AGENT = 720575940379279361
BTZ_NO_VALUE = -9223372036854775808


class btz_error(Structure):
    """Room for an error's text, which the caller owns and hands in where a call has an `error` ..."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("code", c_int32),
        ("message", c_char * 1016),
    )


class btz_options(Structure):
    """Numbers of a configuration."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("vms", c_uint32),
        ("vcpus", c_uint32),
        ("vm_nics", c_uint32),
        ("vm_disks", c_uint32),
        ("cpus", c_uint32),
        ("nodes", c_uint32),
        ("block_devices", c_uint32),
        ("net_devices", c_uint32),
        ("alerts", c_uint32),
        ("history_ticks", c_uint32),
        ("interval_ms", c_uint32),
        ("slow_every_ticks", c_uint32),
        ("monitor_every_ticks", c_uint32),
        ("descriptors_max", c_uint32),
        ("perf_events", c_uint32),
        ("thread_tier", c_uint32),
        ("kvm_tier", c_uint32),
        ("full_scan_s", c_uint32),
        ("without_kvm", c_uint32),
        ("cpu_permille", c_uint32),
        ("alerts_per_rule_per_minute_max", c_uint32),
        ("checks", c_uint32),
        ("checks_sweep_s", c_uint32),
        ("checks_slice_ms", c_uint32),
        ("series", c_uint32),
        ("false_alarms_per_host_week_permille", c_uint32),
    )


class btz_vm(Structure):
    """One virtual machine."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("vmm", c_uint32),
        ("entity", c_uint64),
        ("pid", c_int32),
        ("flags", c_uint32),
        ("start_ticks", c_uint64),
        ("vcpus", c_uint32),
        ("nics", c_uint32),
        ("disks", c_uint32),
        ("other_threads", c_uint32),
        ("uuid", c_uint8 * 16),
        ("name", c_char * 128),
        ("tenant", c_char * 64),
        ("cgroup", c_char * 256),
        ("monitor", c_char * 128),
    )


class btz_part(Structure):
    """A part of a VM or of the host."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("scope", c_uint32),
        ("entity", c_uint64),
        ("index", c_uint32),
        ("tid", c_int32),
        ("name", c_char * 64),
        ("path", c_char * 256),
    )


class btz_source(Structure):
    """How a source is read, and why not better."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("source", c_uint32),
        ("availability", c_uint32),
        ("reserved", c_uint32),
        ("name", c_char * 32),
        ("tier", c_char * 32),
        ("reason", c_char * 512),
    )


class btz_value(Structure):
    """One value."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("availability", c_uint8),
        ("kind", c_uint8),
        ("unit", c_uint8),
        ("source", c_uint8),
        ("raw", c_int64),
        ("scaled", c_double),
        ("read_at_ns", c_uint64),
        ("age_ns", c_uint64),
    )


class btz_tick(Structure):
    """A tick."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("number", c_uint64),
        ("mono_ns", c_uint64),
        ("wall_ns", c_int64),
    )


class btz_query(Structure):
    """What to read: a metric of an entity."""

    _fields_ = (
        ("entity", c_uint64),
        ("metric", c_uint32),
        ("reserved", c_uint32),
    )


class btz_point(Structure):
    """One value of the past."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("availability", c_uint32),
        ("tick", c_uint64),
        ("mono_ns", c_uint64),
        ("wall_ns", c_int64),
        ("raw", c_int64),
        ("scaled", c_double),
    )


class btz_metric(Structure):
    """A metric's description."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("id", c_uint32),
        ("scope", c_uint8),
        ("kind", c_uint8),
        ("unit", c_uint8),
        ("source", c_uint8),
        ("reserved", c_uint32),
        ("scale", c_double),
        ("name", c_char * 96),
        ("exported_unit", c_char * 16),
        ("since", c_char * 64),
        ("help", c_char * 384),
    )


class btz_accounting(Structure):
    """What became of the alerts that were produced: at every instant, produced = delivered + ..."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("produced", c_uint64),
        ("delivered", c_uint64),
        ("suppressed", c_uint64),
        ("dropped", c_uint64),
        ("in_flight", c_uint64),
    )


class btz_cost(Structure):
    """What the agent costs, and what it had to leave out."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("degradation", c_uint32),
        ("ticks", c_uint64),
        ("ticks_missed", c_uint64),
        ("sampler_cpu_ns", c_uint64),
        ("planner_cpu_ns", c_uint64),
        ("cpu_ppm", c_uint64),
        ("memory_reserved_bytes", c_uint64),
        ("descriptors", c_uint64),
        ("vms_refused", c_uint64),
        ("checks_cpu_ns", c_uint64),
    )


class btz_alert(Structure):
    """One alert."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("state", c_uint32),
        ("severity", c_uint32),
        ("metric", c_uint32),
        ("id", c_uint64),
        ("sequence", c_uint64),
        ("tick", c_uint64),
        ("entity", c_uint64),
        ("since_mono_ns", c_uint64),
        ("at_wall_ns", c_int64),
        ("observed", c_double),
        ("expected_min", c_double),
        ("expected_max", c_double),
        ("uuid", c_uint8 * 16),
        ("rule", c_char * 56),
        ("subject", c_char * 72),
        ("tenant", c_char * 40),
        ("message", c_char * 264),
        ("tail_probability", c_double),
        ("signs", c_uint32),
        ("reserved", c_uint32),
    )


class btz_rule(Structure):
    """A rule of detection."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("kind", c_uint32),
        ("severity", c_uint32),
        ("scope", c_uint32),
        ("metric", c_uint32),
        ("enabled", c_uint8),
        ("shipped", c_uint8),
        ("reserved", c_uint8 * 2),
        ("name", c_char * 56),
        ("description", c_char * 512),
    )


class btz_finding(Structure):
    """What a rule found on the host or on one VM."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("verdict", c_uint32),
        ("severity", c_uint32),
        ("scope", c_uint32),
        ("flags", c_uint32),
        ("change", c_uint32),
        ("sequence", c_uint64),
        ("entity", c_uint64),
        ("pid", c_int32),
        ("flaps", c_uint32),
        ("start_ticks", c_uint64),
        ("first_seen_wall_ns", c_int64),
        ("changed_wall_ns", c_int64),
        ("runtime", c_uint8),
        ("persisted", c_uint8),
        ("before", c_uint8),
        ("reserved", c_uint8 * 5),
        ("uuid", c_uint8 * 16),
        ("rule", c_char * 56),
        ("subject", c_char * 128),
        ("tenant", c_char * 64),
        ("owner", c_char * 64),
        ("expires", c_char * 16),
        ("reason", c_char * 256),
    )


class btz_check(Structure):
    """A rule of the checks of isolation and configuration."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("severity", c_uint32),
        ("scope", c_uint32),
        ("facets", c_uint32),
        ("id", c_char * 56),
        ("group", c_char * 56),
        ("title", c_char * 128),
    )


class btz_waiver(Structure):
    """Somebody answers for a finding, for the value it has and until a day; the verdict stays what ..."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("rule", c_char_p),
        ("rule_length", c_size_t),
        ("subject", c_char_p),
        ("subject_length", c_size_t),
        ("observed", c_char_p),
        ("observed_length", c_size_t),
        ("owner", c_char_p),
        ("owner_length", c_size_t),
        ("reason", c_char_p),
        ("reason_length", c_size_t),
        ("expires", c_char_p),
        ("expires_length", c_size_t),
        ("ticket", c_char_p),
        ("ticket_length", c_size_t),
    )


class btz_check_state(Structure):
    """How far the checks have come, and how many findings there are of each verdict."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("enabled", c_uint32),
        ("sweeps", c_uint64),
        ("swept_wall_ns", c_int64),
        ("cpu_ns", c_uint64),
        ("facts", c_uint64),
        ("watched", c_uint64),
        ("passed", c_uint64),
        ("failed", c_uint64),
        ("unknown", c_uint64),
        ("errors", c_uint64),
        ("not_applicable", c_uint64),
        ("waived", c_uint64),
    )


class btz_ledger_options(Structure):
    """How a ledger is opened."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("driven", c_uint32),
        ("origin", c_char_p),
        ("origin_length", c_size_t),
        ("witnesses", c_char_p),
        ("witnesses_length", c_size_t),
        ("bytes_max", c_uint64),
        ("age_s_max", c_uint64),
        ("checkpoint_interval_ms", c_uint32),
        ("segment_bytes", c_uint32),
        ("queue_bytes", c_uint32),
        ("reserve_bytes", c_uint32),
    )


class btz_ledger_status(Structure):
    """How a ledger is."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("disk", c_uint32),
        ("disk_error", c_int32),
        ("run", c_uint32),
        ("last_run", c_uint32),
        ("closed", c_uint32),
        ("torn_bytes", c_uint64),
        ("appended", c_uint64),
        ("refused", c_uint64),
        ("left_early", c_uint64),
        ("next", c_uint64),
        ("durable", c_uint64),
        ("failures", c_uint64),
        ("queued_bytes", c_uint64),
        ("first", c_uint64),
        ("bytes", c_uint64),
        ("tree_size", c_uint64),
        ("covered", c_uint64),
        ("cosigned", c_uint64),
        ("checkpoints", c_uint64),
        ("checkpoint_wall_ns", c_int64),
        ("pruned", c_uint64),
    )


class btz_record(Structure):
    """One record."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("kind", c_uint32),
        ("sequence", c_uint64),
        ("wall_ns", c_int64),
        ("mono_ns", c_uint64),
        ("run", c_uint32),
        ("reserved", c_uint32),
        ("payload_offset", c_uint64),
        ("payload_length", c_uint64),
        ("tenant", c_char * 256),
    )


class btz_ledger_report(Structure):
    """What a verifier has to say of a ledger."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("outcome", c_uint32),
        ("first", c_uint64),
        ("next", c_uint64),
        ("unsigned_records", c_uint64),
        ("torn_bytes", c_uint64),
        ("logs", c_uint64),
        ("leaves", c_uint64),
        ("signed_leaves", c_uint64),
        ("bad_sequence", c_uint64),
        ("bad_offset", c_uint64),
        ("origin", c_char * 208),
        ("key", c_char * 288),
        ("bad_path", c_char * 128),
        ("what", c_char * 512),
    )


# What the C compiler makes of each; checked when the library is loaded.
SIZES: dict[type[Structure], int] = {
    btz_error: 1024,
    btz_options: 108,
    btz_vm: 640,
    btz_part: 344,
    btz_source: 592,
    btz_value: 40,
    btz_tick: 32,
    btz_query: 16,
    btz_point: 48,
    btz_metric: 584,
    btz_accounting: 48,
    btz_cost: 80,
    btz_alert: 552,
    btz_rule: 592,
    btz_finding: 680,
    btz_check: 256,
    btz_waiver: 120,
    btz_check_state: 96,
    btz_ledger_options: 72,
    btz_ledger_status: 152,
    btz_record: 312,
    btz_ledger_report: 1216,
}


def declare(library: CDLL) -> None:
    """Tells ctypes what every function takes and returns. AttributeError: the library lacks one."""
    library.btz_abi_version.argtypes = []
    library.btz_abi_version.restype = c_uint32
    library.btz_version.argtypes = []
    library.btz_version.restype = c_char_p
    library.btz_error_init.argtypes = [POINTER(btz_error), c_uint32]
    library.btz_error_init.restype = c_int32
    library.btz_status_name.argtypes = [c_int32]
    library.btz_status_name.restype = c_char_p
    library.btz_scope_name.argtypes = [c_uint32]
    library.btz_scope_name.restype = c_char_p
    library.btz_availability_name.argtypes = [c_uint32]
    library.btz_availability_name.restype = c_char_p
    library.btz_source_name.argtypes = [c_uint32]
    library.btz_source_name.restype = c_char_p
    library.btz_severity_name.argtypes = [c_uint32]
    library.btz_severity_name.restype = c_char_p
    library.btz_vmm_name.argtypes = [c_uint32]
    library.btz_vmm_name.restype = c_char_p
    library.btz_verdict_name.argtypes = [c_uint32]
    library.btz_verdict_name.restype = c_char_p
    library.btz_check_severity_name.argtypes = [c_uint32]
    library.btz_check_severity_name.restype = c_char_p
    library.btz_check_scope_name.argtypes = [c_uint32]
    library.btz_check_scope_name.restype = c_char_p
    library.btz_change_name.argtypes = [c_uint32]
    library.btz_change_name.restype = c_char_p
    library.btz_config_new.argtypes = [c_uint32, POINTER(c_void_p), POINTER(btz_error)]
    library.btz_config_new.restype = c_int32
    library.btz_config_from_toml.argtypes = [c_uint32, c_char_p, c_size_t, POINTER(c_void_p), POINTER(btz_error)]
    library.btz_config_from_toml.restype = c_int32
    library.btz_config_from_file.argtypes = [c_uint32, c_char_p, c_size_t, POINTER(c_void_p), POINTER(btz_error)]
    library.btz_config_from_file.restype = c_int32
    library.btz_config_apply.argtypes = [c_void_p, POINTER(btz_options), POINTER(btz_error)]
    library.btz_config_apply.restype = c_int32
    library.btz_config_options.argtypes = [c_void_p, POINTER(btz_options)]
    library.btz_config_options.restype = c_int32
    library.btz_config_set_root.argtypes = [c_void_p, c_char_p, c_size_t, POINTER(btz_error)]
    library.btz_config_set_root.restype = c_int32
    library.btz_config_memory.argtypes = [c_void_p, POINTER(c_uint64)]
    library.btz_config_memory.restype = c_int32
    library.btz_config_to_toml.argtypes = [c_void_p, POINTER(c_char), c_size_t, POINTER(c_size_t)]
    library.btz_config_to_toml.restype = c_int32
    library.btz_config_fingerprint.argtypes = [c_void_p, POINTER(c_uint8)]
    library.btz_config_fingerprint.restype = c_int32
    library.btz_config_free.argtypes = [c_void_p]
    library.btz_config_free.restype = c_int32
    library.btz_options_init.argtypes = [POINTER(btz_options), c_uint32]
    library.btz_options_init.restype = c_int32
    library.btz_agent_new.argtypes = [c_uint32, c_void_p, POINTER(c_void_p), POINTER(btz_error)]
    library.btz_agent_new.restype = c_int32
    library.btz_agent_start.argtypes = [c_void_p, POINTER(btz_error)]
    library.btz_agent_start.restype = c_int32
    library.btz_agent_stop.argtypes = [c_void_p, c_uint32, POINTER(btz_error)]
    library.btz_agent_stop.restype = c_int32
    library.btz_agent_step.argtypes = [c_void_p, POINTER(btz_error)]
    library.btz_agent_step.restype = c_int32
    library.btz_agent_maintain.argtypes = [c_void_p, POINTER(btz_error)]
    library.btz_agent_maintain.restype = c_int32
    library.btz_agent_deadline.argtypes = [c_void_p, POINTER(c_uint64)]
    library.btz_agent_deadline.restype = c_int32
    library.btz_agent_alert_fd.argtypes = [c_void_p]
    library.btz_agent_alert_fd.restype = c_int32
    library.btz_agent_maintenance_fd.argtypes = [c_void_p]
    library.btz_agent_maintenance_fd.restype = c_int32
    library.btz_agent_state.argtypes = [c_void_p, POINTER(c_uint32)]
    library.btz_agent_state.restype = c_int32
    library.btz_agent_reload.argtypes = [c_void_p, c_void_p, POINTER(btz_error)]
    library.btz_agent_reload.restype = c_int32
    library.btz_agent_free.argtypes = [c_void_p]
    library.btz_agent_free.restype = c_int32
    library.btz_entity_scope.argtypes = [c_uint64]
    library.btz_entity_scope.restype = c_uint32
    library.btz_agent_vms.argtypes = [c_void_p, POINTER(btz_vm), c_size_t, c_size_t, POINTER(c_size_t)]
    library.btz_agent_vms.restype = c_int32
    library.btz_agent_parts.argtypes = [c_void_p, c_uint64, POINTER(btz_part), c_size_t, c_size_t, POINTER(c_size_t)]
    library.btz_agent_parts.restype = c_int32
    library.btz_agent_sources.argtypes = [
        c_void_p,
        c_uint64,
        POINTER(btz_source),
        c_size_t,
        c_size_t,
        POINTER(c_size_t),
    ]
    library.btz_agent_sources.restype = c_int32
    library.btz_value_init.argtypes = [POINTER(btz_value), c_uint32]
    library.btz_value_init.restype = c_int32
    library.btz_tick_init.argtypes = [POINTER(btz_tick), c_uint32]
    library.btz_tick_init.restype = c_int32
    library.btz_agent_tick.argtypes = [c_void_p, POINTER(btz_tick)]
    library.btz_agent_tick.restype = c_int32
    library.btz_agent_read.argtypes = [c_void_p, c_uint64, c_uint32, POINTER(btz_value)]
    library.btz_agent_read.restype = c_int32
    library.btz_agent_read_many.argtypes = [c_void_p, POINTER(btz_query), c_size_t, POINTER(btz_value), c_size_t]
    library.btz_agent_read_many.restype = c_int32
    library.btz_agent_history.argtypes = [
        c_void_p,
        c_uint64,
        c_uint32,
        POINTER(btz_point),
        c_size_t,
        c_size_t,
        POINTER(c_size_t),
    ]
    library.btz_agent_history.restype = c_int32
    library.btz_metric_init.argtypes = [POINTER(btz_metric), c_uint32]
    library.btz_metric_init.restype = c_int32
    library.btz_metric_count.argtypes = []
    library.btz_metric_count.restype = c_size_t
    library.btz_metric_at.argtypes = [c_size_t, POINTER(btz_metric)]
    library.btz_metric_at.restype = c_int32
    library.btz_metric_by_id.argtypes = [c_uint32, POINTER(btz_metric)]
    library.btz_metric_by_id.restype = c_int32
    library.btz_metric_by_name.argtypes = [c_char_p, c_size_t, POINTER(btz_metric)]
    library.btz_metric_by_name.restype = c_int32
    library.btz_accounting_init.argtypes = [POINTER(btz_accounting), c_uint32]
    library.btz_accounting_init.restype = c_int32
    library.btz_cost_init.argtypes = [POINTER(btz_cost), c_uint32]
    library.btz_cost_init.restype = c_int32
    library.btz_agent_alerts.argtypes = [c_void_p, POINTER(btz_alert), c_size_t, c_size_t, POINTER(c_size_t)]
    library.btz_agent_alerts.restype = c_int32
    library.btz_agent_accounting.argtypes = [c_void_p, POINTER(btz_accounting)]
    library.btz_agent_accounting.restype = c_int32
    library.btz_agent_cost.argtypes = [c_void_p, POINTER(btz_cost)]
    library.btz_agent_cost.restype = c_int32
    library.btz_agent_rules.argtypes = [c_void_p, POINTER(btz_rule), c_size_t, c_size_t, POINTER(c_size_t)]
    library.btz_agent_rules.restype = c_int32
    library.btz_config_rules.argtypes = [
        c_void_p,
        POINTER(btz_rule),
        c_size_t,
        c_size_t,
        POINTER(c_size_t),
        POINTER(btz_error),
    ]
    library.btz_config_rules.restype = c_int32
    library.btz_agent_check_fd.argtypes = [c_void_p]
    library.btz_agent_check_fd.restype = c_int32
    library.btz_agent_check_changes.argtypes = [c_void_p, POINTER(btz_finding), c_size_t, c_size_t, POINTER(c_size_t)]
    library.btz_agent_check_changes.restype = c_int32
    library.btz_agent_check_accounting.argtypes = [c_void_p, POINTER(btz_accounting)]
    library.btz_agent_check_accounting.restype = c_int32
    library.btz_finding_init.argtypes = [POINTER(btz_finding), c_uint32]
    library.btz_finding_init.restype = c_int32
    library.btz_agent_findings.argtypes = [
        c_void_p,
        POINTER(btz_finding),
        POINTER(btz_finding),
        c_size_t,
        c_size_t,
        POINTER(c_size_t),
        POINTER(c_size_t),
    ]
    library.btz_agent_findings.restype = c_int32
    library.btz_agent_finding.argtypes = [
        c_void_p,
        c_char_p,
        c_size_t,
        c_int32,
        c_uint64,
        POINTER(c_char),
        c_size_t,
        POINTER(c_size_t),
    ]
    library.btz_agent_finding.restype = c_int32
    library.btz_agent_checks.argtypes = [c_void_p, POINTER(btz_check), c_size_t, c_size_t, POINTER(c_size_t)]
    library.btz_agent_checks.restype = c_int32
    library.btz_agent_check_text.argtypes = [
        c_void_p,
        c_char_p,
        c_size_t,
        c_uint32,
        POINTER(c_char),
        c_size_t,
        POINTER(c_size_t),
    ]
    library.btz_agent_check_text.restype = c_int32
    library.btz_waiver_init.argtypes = [POINTER(btz_waiver), c_uint32]
    library.btz_waiver_init.restype = c_int32
    library.btz_agent_waive.argtypes = [c_void_p, POINTER(btz_waiver), POINTER(btz_error)]
    library.btz_agent_waive.restype = c_int32
    library.btz_check_state_init.argtypes = [POINTER(btz_check_state), c_uint32]
    library.btz_check_state_init.restype = c_int32
    library.btz_agent_check.argtypes = [c_void_p, c_uint64, POINTER(c_uint32), POINTER(btz_error)]
    library.btz_agent_check.restype = c_int32
    library.btz_agent_check_sweep.argtypes = [c_void_p]
    library.btz_agent_check_sweep.restype = c_int32
    library.btz_agent_check_state.argtypes = [c_void_p, POINTER(btz_check_state)]
    library.btz_agent_check_state.restype = c_int32
    library.btz_ledger_options_init.argtypes = [POINTER(btz_ledger_options), c_uint32]
    library.btz_ledger_options_init.restype = c_int32
    library.btz_ledger_open.argtypes = [
        c_uint32,
        c_char_p,
        c_size_t,
        POINTER(btz_ledger_options),
        POINTER(c_void_p),
        POINTER(btz_error),
    ]
    library.btz_ledger_open.restype = c_int32
    library.btz_ledger_maintain.argtypes = [c_void_p, POINTER(btz_error)]
    library.btz_ledger_maintain.restype = c_int32
    library.btz_ledger_close.argtypes = [c_void_p, c_uint32, POINTER(btz_error)]
    library.btz_ledger_close.restype = c_int32
    library.btz_ledger_free.argtypes = [c_void_p]
    library.btz_ledger_free.restype = c_int32
    library.btz_ledger_append.argtypes = [
        c_void_p,
        c_uint32,
        c_char_p,
        c_size_t,
        POINTER(c_uint8),
        c_size_t,
        POINTER(c_uint64),
        POINTER(btz_error),
    ]
    library.btz_ledger_append.restype = c_int32
    library.btz_ledger_wait.argtypes = [c_void_p, c_uint64, c_uint32, POINTER(btz_error)]
    library.btz_ledger_wait.restype = c_int32
    library.btz_ledger_status_init.argtypes = [POINTER(btz_ledger_status), c_uint32]
    library.btz_ledger_status_init.restype = c_int32
    library.btz_ledger_fd.argtypes = [c_void_p]
    library.btz_ledger_fd.restype = c_int32
    library.btz_ledger_state.argtypes = [c_void_p, POINTER(btz_ledger_status)]
    library.btz_ledger_state.restype = c_int32
    library.btz_ledger_cursor_new.argtypes = [
        c_uint32,
        c_char_p,
        c_size_t,
        c_uint64,
        POINTER(c_void_p),
        POINTER(btz_error),
    ]
    library.btz_ledger_cursor_new.restype = c_int32
    library.btz_ledger_cursor_next.argtypes = [
        c_void_p,
        POINTER(btz_record),
        c_size_t,
        c_size_t,
        POINTER(c_uint8),
        c_size_t,
        POINTER(c_size_t),
        POINTER(c_size_t),
        POINTER(btz_error),
    ]
    library.btz_ledger_cursor_next.restype = c_int32
    library.btz_ledger_cursor_free.argtypes = [c_void_p]
    library.btz_ledger_cursor_free.restype = c_int32
    library.btz_ledger_key.argtypes = [c_void_p, POINTER(c_char), c_size_t, POINTER(c_size_t)]
    library.btz_ledger_key.restype = c_int32
    library.btz_ledger_sign.argtypes = [c_void_p, POINTER(btz_error)]
    library.btz_ledger_sign.restype = c_int32
    library.btz_ledger_rotate_key.argtypes = [c_void_p, POINTER(btz_error)]
    library.btz_ledger_rotate_key.restype = c_int32
    library.btz_ledger_checkpoint.argtypes = [
        c_void_p,
        c_char_p,
        c_size_t,
        POINTER(c_char),
        c_size_t,
        POINTER(c_size_t),
        POINTER(btz_error),
    ]
    library.btz_ledger_checkpoint.restype = c_int32
    library.btz_ledger_prove.argtypes = [
        c_void_p,
        c_uint64,
        POINTER(c_char),
        c_size_t,
        POINTER(c_size_t),
        POINTER(btz_error),
    ]
    library.btz_ledger_prove.restype = c_int32
    library.btz_ledger_cosigned.argtypes = [c_void_p, c_char_p, c_size_t, POINTER(btz_error)]
    library.btz_ledger_cosigned.restype = c_int32
    library.btz_ledger_report_init.argtypes = [POINTER(btz_ledger_report), c_uint32]
    library.btz_ledger_report_init.restype = c_int32
    library.btz_ledger_verify.argtypes = [
        c_uint32,
        c_char_p,
        c_size_t,
        c_char_p,
        c_size_t,
        c_char_p,
        c_size_t,
        c_char_p,
        c_size_t,
        POINTER(btz_ledger_report),
        POINTER(btz_error),
    ]
    library.btz_ledger_verify.restype = c_int32
    library.btz_agent_record.argtypes = [c_void_p, c_void_p, c_uint32, POINTER(btz_error)]
    library.btz_agent_record.restype = c_int32
    # btz_log_set takes a callback, which would be called on the library's threads.
