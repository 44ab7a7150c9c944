"""What a ledger tells, as immutable values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bartizan._abi import DiskHealth, LastRun, RecordKind, Verified


@dataclass(frozen=True, slots=True)
class Record:
    """One record."""

    sequence: int
    """Its number in the trail, from 0, without gaps."""
    kind: RecordKind
    """What it is about; a number from RecordKind.HOST on is the host's."""
    at: datetime
    """By the wall clock, which may jump."""
    mono_ns: int
    """CLOCK_MONOTONIC nanoseconds; grows strictly within a run."""
    run: int
    """Which run appended it, from 1."""
    tenant: str
    """Whose it is; empty for the host's own."""
    payload: bytes


@dataclass(frozen=True, slots=True)
class LedgerStatus:
    """How a ledger is. Counts begin with the run, numbers of records with the trail."""

    disk: DiskHealth
    disk_error: int
    """The system's number of its last error; 0 when the disk is good."""
    run: int
    last_run: LastRun
    """How the run before ended."""
    torn_bytes: int
    """What the run before had written and not made durable, and was cut off."""
    appended: int
    refused: int
    """Records that were refused because too much waits for the disk."""
    left_early: int
    """Alerts and findings that left the agent before they were durable."""
    next: int
    durable: int
    """Every record below this number is durable."""
    failures: int
    queued_bytes: int
    first: int
    """The number of the first record that is still there."""
    bytes: int
    tree_size: int
    covered: int
    """Every record below this number is covered by a signed checkpoint of this run."""
    cosigned: int
    checkpoints: int
    checkpoint_at: datetime | None
    """When the last checkpoint was made; None: never in this run."""
    pruned: int
    """Records that were removed because they were too old."""


@dataclass(frozen=True, slots=True)
class LedgerReport:
    """What came out of verifying a ledger."""

    outcome: Verified
    first: int
    next: int
    unsigned: int
    """Records at the end that no checkpoint covers yet."""
    torn_bytes: int
    logs: int
    leaves: int
    """Of the log that was asked for."""
    signed_leaves: int
    origin: str
    key: str
    what: str
    """What is wrong, or what could not be proven; empty when all is proven."""
    bad_sequence: int | None
    """The first bad record; None where none can be named."""
    bad_path: str | None
    bad_offset: int | None
