"""What an agent tells, as immutable values.

Times of day are aware datetimes in UTC. Fields that end in ``_mono_s`` are on the clock of ``time.monotonic()``. What
could not be read is None, with the reason beside it; it is never 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NewType
from uuid import UUID

from bartizan._abi import (
    BTZ_ENTITY_AGENT,
    BTZ_ENTITY_HOST,
    AlertState,
    Availability,
    Kind,
    RuleKind,
    Scope,
    Severity,
    Unit,
    Vmm,
)
from bartizan._metrics import Metric, Source

Entity = NewType("Entity", int)
"""Names one thing that has values. To be passed on and compared; a thing that comes back has another number."""

HOST = Entity(BTZ_ENTITY_HOST)
"""The host as a whole."""

AGENT = Entity(BTZ_ENTITY_AGENT)
"""The agent itself."""


@dataclass(frozen=True, slots=True)
class Value:
    """The latest value of a metric. ``value`` and ``raw`` are None unless ``availability`` is OK or STALE."""

    metric: Metric
    availability: Availability
    value: float | None
    """In the exported unit: seconds, bytes, ratios, degrees Celsius, joules."""
    raw: int | None
    """Exact, in ``unit``."""
    kind: Kind
    unit: Unit
    source: Source
    read_mono_s: float | None
    """When its source was last read; None when it never was."""
    age_s: float | None
    """How long ago that was."""


@dataclass(frozen=True, slots=True)
class Point:
    """One value of the past. ``value`` and ``raw`` are None unless ``availability`` is OK."""

    tick: int
    at: datetime
    mono_s: float
    availability: Availability
    value: float | None
    raw: int | None


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick that was completed; they count from 1."""

    number: int
    at: datetime
    mono_s: float


@dataclass(frozen=True, slots=True)
class Vm:
    """A virtual machine that is watched. Texts are None when unknown."""

    entity: Entity
    vmm: Vmm
    pid: int
    start_ticks: int
    """When the process started, in clock ticks since boot: with the PID it names one process for ever."""
    name: str
    uuid: UUID | None
    tenant: str | None
    cgroup: str | None
    """Below the cgroup root."""
    monitor: str | None
    """The socket that its monitor listens on."""
    vcpus: int
    nics: int
    disks: int
    other_threads: int
    libvirt: bool
    """libvirt manages it."""
    truncated: bool
    """A text was longer than the ABI has room for."""


@dataclass(frozen=True, slots=True)
class Part:
    """A vCPU, network interface or disk of a VM; or a CPU, NUMA node or device of the host."""

    entity: Entity
    scope: Scope
    index: int | None
    """vCPU: its number in the VM. CPU, node: its number on the host. Others: None."""
    tid: int | None
    """vCPU: its thread. Others: None."""
    name: str | None
    """Network interface: the tap. Disk: the VMM's name for it. Device of the host: its name. Others: None."""
    path: str | None
    """Disk: the image or device behind it."""


@dataclass(frozen=True, slots=True)
class SourceReport:
    """How a source is read, and why not better."""

    source: Source
    name: str
    availability: Availability
    tier: str
    reason: str
    """Why this tier and no better one; where something is closed, which capability or permission opens it."""


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """A metric's description."""

    metric: Metric
    name: str
    """In OpenMetrics style, without ``bartizan_`` and ``_total``."""
    scope: Scope
    kind: Kind
    unit: Unit
    """The unit of raw values."""
    exported_unit: str | None
    """The unit of values, such as "seconds"; None when it has none."""
    scale: float
    """What a raw value is multiplied with to get the exported one."""
    source: Source
    since: str
    """The first kernel, or where it says so the first VMM, that has it."""
    help: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of detection."""

    name: str
    kind: RuleKind
    severity: Severity
    scope: Scope
    """What it watches."""
    metric: Metric | None
    """The metric it looks at; None when it looks at none."""
    enabled: bool
    shipped: bool
    """It came with the library; else it was configured."""
    description: str
    """Why it is there, and where its levels come from."""


@dataclass(frozen=True, slots=True)
class Alert:
    """A condition began to hold, or no longer holds."""

    id: int
    """The same for the firing and the resolving of one condition."""
    state: AlertState
    severity: Severity
    rule: str
    message: str
    """One sentence for people."""
    at: datetime
    since_mono_s: float
    """When the condition began."""
    sequence: int
    """Counts all alerts produced, from 1; a gap is a loss or a suppression, and is in the accounts."""
    tick: int
    entity: Entity
    metric: Metric | None
    """The metric that was looked at."""
    subject: str | None
    """The VM, or the device or CPU of the host; None for the host as a whole."""
    uuid: UUID | None
    """The VM's UUID."""
    tenant: str | None
    observed: float | None
    """What was seen, in the exported unit; a rate is per second. None where the rule is not about a number."""
    expected_min: float | None
    expected_max: float | None
    tail_probability: float
    """How likely what was seen is in quiet time; 1 where the rule has learnt nothing of that."""
    signs: int
    """How many series speak for it; 1 for rules that look at one thing."""


@dataclass(frozen=True, slots=True)
class Accounting:
    """What became of the alerts, or of the changes: always produced = delivered + suppressed + dropped + in_flight."""

    produced: int
    delivered: int
    """Handed out by the library."""
    suppressed: int
    """Held back on purpose: a rate limit."""
    dropped: int
    """Lost because the ring was full."""
    in_flight: int
    """Waiting in the ring."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What the agent costs, and what it had to leave out."""

    ticks: int
    ticks_missed: int
    sampler_cpu_s: float
    """CPU time spent in ticks."""
    planner_cpu_s: float
    """CPU time spent on what may block."""
    checks_cpu_s: float
    """CPU time spent on checks."""
    cpu_ratio: float
    """All three, over the last minute, in cores: 0.01 is one percent of one core."""
    memory_reserved_bytes: int
    descriptors: int
    vms_refused: int
    """VMs seen but not watched because a declared limit was reached."""
    degradation: int
    """The step of degradation in force to keep the CPU budget; 0 is none."""


Readable = Vm | Part | Entity
"""What has values: a VM, a part, or the entity of either; HOST; AGENT."""


def entity_of(what: Readable) -> int:
    """The number that goes over the ABI."""
    return what.entity if isinstance(what, (Vm, Part)) else what
