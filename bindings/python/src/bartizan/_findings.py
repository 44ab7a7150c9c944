"""What the checks of isolation and configuration tell, as immutable values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from bartizan import _convert
from bartizan._abi import (
    BTZ_FACET_PERSISTED,
    BTZ_FACET_RUNTIME,
    BTZ_FINDING_OPEN,
    BTZ_FINDING_TRUNCATED,
    BTZ_FINDING_WAIVED,
    ChangeKind,
    CheckScope,
    CheckSeverity,
    Verdict,
)
from bartizan._types import Entity


@dataclass(frozen=True, slots=True)
class CheckRule:
    """A rule of the checks. ``Agent.explain`` says more about it."""

    id: str
    group: str
    """The part of the id before the dot."""
    title: str
    """What is right, in a few words."""
    severity: CheckSeverity
    """How bad it is when it fails."""
    scope: CheckScope
    """What it looks at."""
    runtime: bool
    """It judges what the running kernel or process does."""
    persisted: bool
    """It judges what will be after the next boot or start."""


@dataclass(frozen=True, slots=True)
class Waived:
    """Somebody answers for a finding; the verdict stays what it is."""

    owner: str
    expires: date
    """The last day it holds, UTC."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found on the host or on one VM. ``Agent.evidence`` has all of it."""

    rule: str
    verdict: Verdict
    """The worst of its facets. What could not be read is UNKNOWN, never PASS."""
    severity: CheckSeverity
    scope: CheckScope
    reason: str
    """Why, in a few words with the values; empty when it passes."""
    open: bool
    """Somebody should act: it fails or is broken, and nobody answers for it."""
    waived: Waived | None
    runtime: Verdict | None
    """What the running kernel or process does; None when the rule does not judge that here."""
    persisted: Verdict | None
    """What will be after the next boot or start; None when the rule does not judge that here."""
    before: Verdict | None
    """The verdict before the last change; None when it never changed."""
    vm: str | None
    """The VM's name; None for the host."""
    pid: int | None
    """The VMM's process."""
    start_ticks: int | None
    """When that process started, in clock ticks since boot: with the PID it names one process for ever."""
    uuid: UUID | None
    tenant: str | None
    entity: Entity | None
    """By which its values are read; None when the VM is not sampled, or no longer."""
    first_seen: datetime
    changed_at: datetime
    """When the verdict or what it stands on last changed."""
    flaps: int
    """How often the verdict has changed."""
    truncated: bool
    """A text was longer than the ABI has room for; ``Agent.evidence`` has it whole."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something happened to a finding."""

    sequence: int
    """Counts all changes, from 1; a gap is a loss, and is in the accounts."""
    kind: ChangeKind
    finding: Finding
    """As it is after the change; of one that is gone, as it was."""


@dataclass(frozen=True, slots=True)
class CheckState:
    """How far the checks have come, and how many findings there are of each verdict."""

    enabled: bool
    sweeps: int
    """Full runs that were completed; before the first, what is found is not complete."""
    swept_at: datetime | None
    """When the last one was completed."""
    cpu_s: float
    facts: int
    """Facts that are kept."""
    watched: int
    """Paths that are watched for changes; what is not watched is found by the next full run."""
    passed: int
    failed: int
    unknown: int
    errors: int
    not_applicable: int
    waived: int
    """Findings that fail or are broken, and that somebody answers for."""


def rule(c: Any) -> CheckRule:
    """btz_check."""
    return CheckRule(
        id=_convert.text(c.id),
        group=_convert.text(c.group),
        title=_convert.text(c.title),
        severity=CheckSeverity(c.severity),
        scope=CheckScope(c.scope),
        runtime=bool(c.facets & BTZ_FACET_RUNTIME),
        persisted=bool(c.facets & BTZ_FACET_PERSISTED),
    )


def finding(c: Any) -> Finding:
    """btz_finding."""
    waived = None
    if c.flags & BTZ_FINDING_WAIVED:
        waived = Waived(_convert.text(c.owner), date.fromisoformat(_convert.text(c.expires)))
    return Finding(
        rule=_convert.text(c.rule),
        verdict=Verdict(c.verdict),
        severity=CheckSeverity(c.severity),
        scope=CheckScope(c.scope),
        reason=_convert.text(c.reason),
        open=bool(c.flags & BTZ_FINDING_OPEN),
        waived=waived,
        runtime=_verdict(c.runtime),
        persisted=_verdict(c.persisted),
        before=_verdict(c.before),
        vm=_convert.text_or_none(c.subject),
        pid=c.pid or None,
        start_ticks=c.start_ticks or None,
        uuid=_convert.uuid_or_none(c.uuid),
        tenant=_convert.text_or_none(c.tenant),
        entity=Entity(c.entity) if c.entity else None,
        first_seen=_convert.wall(c.first_seen_wall_ns),
        changed_at=_convert.wall(c.changed_wall_ns),
        flaps=c.flaps,
        truncated=bool(c.flags & BTZ_FINDING_TRUNCATED),
    )


def change(c: Any) -> Change:
    """btz_finding with what happened to it."""
    return Change(sequence=c.sequence, kind=ChangeKind(c.change), finding=finding(c))


def state(c: Any) -> CheckState:
    """btz_check_state."""
    return CheckState(
        enabled=bool(c.enabled),
        sweeps=c.sweeps,
        swept_at=_convert.wall(c.swept_wall_ns) if c.swept_wall_ns else None,
        cpu_s=_convert.seconds(c.cpu_ns),
        facts=c.facts,
        watched=c.watched,
        passed=c.passed,
        failed=c.failed,
        unknown=c.unknown,
        errors=c.errors,
        not_applicable=c.not_applicable,
        waived=c.waived,
    )


def _verdict(number: int) -> Verdict | None:
    return Verdict(number) if number else None
