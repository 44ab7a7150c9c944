"""A ledger: recorded, read, proven, verified, tampered with, on a full disk; and an agent that records first."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import warnings
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from bartizan import (
    Agent,
    Alert,
    ArgumentError,
    ClosedError,
    DamagedError,
    DiskError,
    DiskHealth,
    ForkedError,
    LastRun,
    Ledger,
    LedgerFullError,
    LockedError,
    NotFoundError,
    RecordKind,
    StateError,
    Verified,
    read_ledger,
    verify_ledger,
)
from conftest import SMALL, skip, wait_until

ORIGIN = "bartizan/python-host"


def test_what_is_recorded_is_durable_read_back_proven_and_verified(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    with Ledger(folder, ORIGIN) as ledger:
        first = ledger.append("door opened")
        last = ledger.append(b"\x00\xff", kind=RecordKind.HOST + 3, tenant="acme")
        ledger.wait(last)
        status = ledger.status()
        assert status.durable > last and status.disk == DiskHealth.GOOD and status.last_run == LastRun.NONE
        assert status.appended == last + 1 and status.queued_bytes == 0 and status.left_early == 0
        ledger.sign()
        assert select.select([ledger], [], [], 10)[0], "a checkpoint is told"
        status = ledger.status()
        assert status.covered > last and status.checkpoint_at is not None
        assert abs(datetime.now(timezone.utc) - status.checkpoint_at) < timedelta(minutes=5)
        key, kept = ledger.key, ledger.checkpoint()
        assert key.startswith(ORIGIN + "+") and kept.startswith(ORIGIN + "\n")
        assert ledger.checkpoint("acme").startswith(ORIGIN + "/tenant/")
        assert ledger.prove(last).startswith("c2sp.org/tlog-proof@v1\nindex 1\n")
        with pytest.raises(NotFoundError):
            ledger.checkpoint("nobody")
        with pytest.raises(NotFoundError):
            ledger.prove(10_000)
        with pytest.raises(ArgumentError):
            ledger.cosigned(kept)
        records = list(ledger.records(first))
        assert [r.payload for r in records if r.kind >= RecordKind.HOST] == [b"door opened", b"\x00\xff"]
        assert [r.sequence for r in records] == list(range(first, first + len(records)))
        assert records[-1].run == 1 and any(r.tenant == "acme" for r in records)
        assert next(iter(ledger)).kind == RecordKind.START
        ledger.rotate_key()
    with pytest.raises(ClosedError, match="the ledger was closed"):
        ledger.append("late")
    report = verify_ledger(folder, key, tenant="acme", checkpoint=kept)
    assert report.outcome == Verified.PROVEN and report.what == "" and report.leaves == report.signed_leaves == 2
    assert report.origin == ORIGIN and report.key != key and report.bad_sequence is None
    assert verify_ledger(folder).outcome == Verified.UNPROVEN
    with Ledger(folder, ORIGIN) as again:
        assert again.status().last_run == LastRun.CLEAN and again.status().run == 2


def test_many_batches_are_read_to_the_end(tmp_path: Path) -> None:
    with Ledger(tmp_path, ORIGIN, segment_bytes=65_536) as ledger:
        numbers = [ledger.append(str(number)) for number in range(2_000)]
        ledger.wait(numbers[-1], 60)
        read = [r for r in read_ledger(tmp_path) if r.kind == RecordKind.HOST]
        assert [int(r.payload) for r in read] == list(range(2_000))
        assert [r.sequence for r in read] == numbers


def test_a_changed_byte_is_named_and_the_ledger_does_not_open(tmp_path: Path) -> None:
    with Ledger(tmp_path, ORIGIN) as ledger:
        ledger.wait(ledger.append("payload"))
    segment = tmp_path / "segments" / "0000000000000000.btzl"
    data = segment.read_bytes()
    at = data.index(b"payload")
    segment.write_bytes(data[:at] + b"P" + data[at + 1 :])
    report = verify_ledger(tmp_path)
    assert report.outcome == Verified.CHANGED and report.bad_sequence == 1 and report.bad_offset == at - 48
    assert report.bad_path == "segments/0000000000000000.btzl"
    with pytest.raises(DamagedError, match="is damaged at byte"):
        Ledger(tmp_path, ORIGIN)
    seen = []
    with pytest.raises(DamagedError):
        for record in read_ledger(tmp_path):
            seen.append(record.kind)
    assert seen == [RecordKind.START]


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    refused: list[dict[str, Any]] = [
        {"origin": "two words"},
        {"witnesses": ["no key"]},
        {"segment_bytes": 3},
        {"queue_bytes": 1},
        {"checkpoint_interval": 0.001},
        {"checkpoint_interval": -1},
    ]
    for more in refused:
        with pytest.raises(ArgumentError):
            Ledger(tmp_path, **{"origin": ORIGIN, **more})
    with Ledger(tmp_path, ORIGIN) as ledger:
        with pytest.raises(LockedError):
            Ledger(tmp_path, ORIGIN)
        for kind in (RecordKind.ALERT, 0x1_0000):
            with pytest.raises(ArgumentError):
                ledger.append("x", kind=kind)
        with pytest.raises(ArgumentError):
            ledger.append(b"x" * 70_000)
        with pytest.raises(ArgumentError):
            ledger.append("x", tenant="x" * 256)
        with pytest.raises(ArgumentError):
            ledger.wait(4_711)
        with pytest.raises(StateError):
            ledger.maintain()
    with pytest.raises(NotFoundError):
        verify_ledger("/no/such/folder")
    with pytest.raises(ArgumentError):
        verify_ledger(tmp_path, "no key")
    with pytest.raises(ArgumentError):
        verify_ledger(tmp_path, tenant="nobody")
    with pytest.raises(DiskError):
        Ledger("/dev/null/ledger", ORIGIN)
    assert list(read_ledger("/no/such/folder")) == []


def test_without_threads_the_program_does_the_work(tmp_path: Path) -> None:
    with Ledger(tmp_path, ORIGIN, threads=False) as ledger:
        sequence = ledger.append("by hand")
        ledger.maintain()
        assert ledger.status().durable > sequence
    del ledger


def test_an_agent_records_before_it_tells(tmp_path: Path) -> None:
    rule = {"name": "now", "summary": "memory", "metric": "host_memory_total_bytes", "above": 1.0, "for_s": 0.0}
    with Ledger(tmp_path, ORIGIN) as ledger:
        agent = Agent({**SMALL, "rules": [rule]}, threads=False)
        with agent:
            agent.record(ledger)
            agent.maintain()
            alerts: list[Alert] = []
            while not alerts:
                agent.step()
                alerts = agent.take()
            told = [json.loads(r.payload) for r in ledger if r.kind == RecordKind.ALERT]
            assert [alert.sequence for alert in alerts] == [one["sequence"] for one in told]
            assert ledger.status().left_early == 0
            with pytest.raises(StateError):
                ledger.close()
            for wrong in (-1.0, 11.0):
                with pytest.raises(ArgumentError):
                    agent.record(ledger, wrong)
            agent.record(None)


def test_a_full_disk_is_told_and_left_behind(tmp_path: Path) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], capture_output=True).returncode:
        skip("no file system can be mounted here")
        return
    try:
        with Ledger(tmp_path / "ledger", ORIGIN, reserve_bytes=16_384, queue_bytes=65_536) as ledger:
            ballast = tmp_path / "ballast"
            with ballast.open("wb", buffering=0) as file, pytest.raises(OSError):
                while True:
                    file.write(b"\0" * 4096)
            while ledger.status().disk == DiskHealth.GOOD:
                with contextlib.suppress(LedgerFullError):
                    ledger.append(b"x" * 1000)
            before = ledger.status().refused
            with pytest.raises(LedgerFullError):
                while True:
                    ledger.append(b"x" * 1000)
            assert ledger.status().disk == DiskHealth.FULL and ledger.status().refused == before + 1
            ballast.unlink()
            wait_until(lambda: ledger.status().disk == DiskHealth.GOOD, "the disk is used again")
            wait_until(lambda: ledger.status().queued_bytes == 0, "all is durable")
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_child_is_refused_and_one_that_is_left_open_is_told(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, ORIGIN)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            ledger.append("x")
        except ForkedError:
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert "open" in repr(ledger)
    with pytest.warns(ResourceWarning, match="unclosed"):
        ledger.__del__()
    ledger.close()
    ledger.close()
    assert "closed" in repr(ledger)


def test_a_hundred_leave_no_descriptor_behind(tmp_path: Path) -> None:
    def once() -> None:
        with Ledger(tmp_path, ORIGIN) as ledger:
            ledger.append("again")

    once()
    before = len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))
    for _ in range(100):
        once()
    assert (len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))) == before
