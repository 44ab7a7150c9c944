"""From C structs to values."""

from __future__ import annotations

import math
from ctypes import Array, c_uint8
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from bartizan._abi import (
    BTZ_VM_LIBVIRT,
    BTZ_VM_TRUNCATED,
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
from bartizan._types import (
    Accounting,
    Alert,
    Cost,
    Entity,
    MetricInfo,
    Part,
    Point,
    Rule,
    SourceReport,
    Tick,
    Value,
    Vm,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_AGE_NEVER = 2**64 - 1
_NUMBERED = (Scope.VCPU, Scope.CPU, Scope.NODE)


def text(array: bytes) -> str:
    """A NUL-terminated array; the library cuts between characters, but names come from outside."""
    return array.decode("utf-8", "replace")


def text_or_none(array: bytes) -> str | None:
    """The same, None when empty."""
    return text(array) or None


def uuid_or_none(array: Array[c_uint8]) -> UUID | None:
    """Sixteen bytes; None when all are zero."""
    raw = bytes(array)
    return UUID(bytes=raw) if any(raw) else None


def wall(nanoseconds: int) -> datetime:
    """Exact to the microsecond, which a float would not be."""
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def seconds(nanoseconds: int) -> float:
    """On the clock of time.monotonic()."""
    return nanoseconds / 1e9


def finite(number: float) -> float | None:
    """None for "there is none"."""
    return number if math.isfinite(number) else None


def value(metric: int, c: Any) -> Value:
    """btz_value."""
    availability = Availability(c.availability)
    usable = availability in (Availability.OK, Availability.STALE)
    return Value(
        metric=Metric(metric),
        availability=availability,
        value=c.scaled if usable else None,
        raw=c.raw if usable else None,
        kind=Kind(c.kind),
        unit=Unit(c.unit),
        source=Source(c.source),
        read_mono_s=seconds(c.read_at_ns) if c.read_at_ns else None,
        age_s=None if c.age_ns == _AGE_NEVER else seconds(c.age_ns),
    )


def point(c: Any) -> Point:
    """btz_point."""
    availability = Availability(c.availability)
    usable = availability == Availability.OK
    return Point(
        tick=c.tick,
        at=wall(c.wall_ns),
        mono_s=seconds(c.mono_ns),
        availability=availability,
        value=c.scaled if usable else None,
        raw=c.raw if usable else None,
    )


def tick(c: Any) -> Tick | None:
    """btz_tick; None before the first."""
    return Tick(number=c.number, at=wall(c.wall_ns), mono_s=seconds(c.mono_ns)) if c.number else None


def vm(c: Any) -> Vm:
    """btz_vm."""
    return Vm(
        entity=Entity(c.entity),
        vmm=Vmm(c.vmm),
        pid=c.pid,
        start_ticks=c.start_ticks,
        name=text(c.name),
        uuid=uuid_or_none(c.uuid),
        tenant=text_or_none(c.tenant),
        cgroup=text_or_none(c.cgroup),
        monitor=text_or_none(c.monitor),
        vcpus=c.vcpus,
        nics=c.nics,
        disks=c.disks,
        other_threads=c.other_threads,
        libvirt=bool(c.flags & BTZ_VM_LIBVIRT),
        truncated=bool(c.flags & BTZ_VM_TRUNCATED),
    )


def part(c: Any) -> Part:
    """btz_part."""
    scope = Scope(c.scope)
    return Part(
        entity=Entity(c.entity),
        scope=scope,
        index=c.index if scope in _NUMBERED else None,
        tid=c.tid if scope == Scope.VCPU else None,
        name=text_or_none(c.name),
        path=text_or_none(c.path),
    )


def source(c: Any) -> SourceReport:
    """btz_source."""
    return SourceReport(
        source=Source(c.source),
        name=text(c.name),
        availability=Availability(c.availability),
        tier=text(c.tier),
        reason=text(c.reason),
    )


def metric(c: Any) -> MetricInfo:
    """btz_metric."""
    return MetricInfo(
        metric=Metric(c.id),
        name=text(c.name),
        scope=Scope(c.scope),
        kind=Kind(c.kind),
        unit=Unit(c.unit),
        exported_unit=text_or_none(c.exported_unit),
        scale=c.scale,
        source=Source(c.source),
        since=text(c.since),
        help=text(c.help),
    )


def rule(c: Any) -> Rule:
    """btz_rule."""
    return Rule(
        name=text(c.name),
        kind=RuleKind(c.kind),
        severity=Severity(c.severity),
        scope=Scope(c.scope),
        metric=Metric(c.metric) if c.metric else None,
        enabled=bool(c.enabled),
        shipped=bool(c.shipped),
        description=text(c.description),
    )


def alert(c: Any) -> Alert:
    """btz_alert."""
    return Alert(
        id=c.id,
        state=AlertState(c.state),
        severity=Severity(c.severity),
        rule=text(c.rule),
        message=text(c.message),
        at=wall(c.at_wall_ns),
        since_mono_s=seconds(c.since_mono_ns),
        sequence=c.sequence,
        tick=c.tick,
        entity=Entity(c.entity),
        metric=Metric(c.metric) if c.metric else None,
        subject=text_or_none(c.subject),
        uuid=uuid_or_none(c.uuid),
        tenant=text_or_none(c.tenant),
        observed=finite(c.observed),
        expected_min=finite(c.expected_min),
        expected_max=finite(c.expected_max),
        tail_probability=c.tail_probability,
        signs=c.signs,
    )


def accounting(c: Any) -> Accounting:
    """btz_accounting."""
    return Accounting(c.produced, c.delivered, c.suppressed, c.dropped, c.in_flight)


def cost(c: Any) -> Cost:
    """btz_cost."""
    return Cost(
        ticks=c.ticks,
        ticks_missed=c.ticks_missed,
        sampler_cpu_s=seconds(c.sampler_cpu_ns),
        planner_cpu_s=seconds(c.planner_cpu_ns),
        checks_cpu_s=seconds(c.checks_cpu_ns),
        cpu_ratio=c.cpu_ppm / 1e6,
        memory_reserved_bytes=c.memory_reserved_bytes,
        descriptors=c.descriptors,
        vms_refused=c.vms_refused,
        degradation=c.degradation,
    )
