"""A durable, signed trail of what happened: records of a program's own, and what an agent tells, before it is told."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from ctypes import byref, c_size_t, c_uint8, c_uint64, c_void_p, create_string_buffer, sizeof
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from bartizan import _convert
from bartizan._abi import (
    BTZ_ABI_VERSION,
    BTZ_ON,
    BTZ_PAYLOAD_BYTES_MAX,
    BTZ_ZERO,
    DiskHealth,
    LastRun,
    RecordKind,
    Status,
    Verified,
    btz_ledger_options,
    btz_ledger_report,
    btz_ledger_status,
    btz_record,
)
from bartizan._calls import sized
from bartizan._errors import ArgumentError
from bartizan._handle import Handle
from bartizan._library import LIBRARY, ErrorText, check
from bartizan._records import LedgerReport, LedgerStatus, Record

_TIMEOUT_S = 5.0
_BATCH = 256
_UINT64_MAX = 2**64 - 1

Folder = str | os.PathLike[str]


def _milliseconds(seconds: float, what: str) -> int:
    if not seconds >= 0:
        raise ArgumentError(f"{what} must be at least 0 seconds, not {seconds!r}")
    return min(int(seconds * 1000), 2**32 - 1)


def _path(folder: Folder) -> bytes:
    return os.fsencode(Path(folder))


def _seconds(age: timedelta | None) -> int:
    return 0 if age is None else max(1, int(age.total_seconds()))


@contextmanager
def _cursor(folder: Folder, start: int) -> Iterator[c_void_p]:
    path, raw, error = _path(folder), c_void_p(), ErrorText()
    create = LIBRARY.btz_ledger_cursor_new
    error.check(create(BTZ_ABI_VERSION, path, len(path), start, byref(raw), error.pointer))
    try:
        yield raw
    finally:
        check(LIBRARY.btz_ledger_cursor_free(raw))


def read_ledger(folder: Folder, start: int = 0) -> Iterator[Record]:
    """The records of a ledger from a number on, oldest first, until there are no more.

    Only files are read: of a ledger that is being written, by this program or another, or of a copy. A number that does
    not follow on the one before: records in between were removed for their age. DamagedError at the first that is bad.
    """
    rows, count = (btz_record * _BATCH)(), c_size_t()
    payloads = (c_uint8 * (4 * BTZ_PAYLOAD_BYTES_MAX))()
    with _cursor(folder, start) as raw:
        while True:
            error = ErrorText()
            following = LIBRARY.btz_ledger_cursor_next
            room = (sizeof(btz_record), _BATCH, payloads, sizeof(payloads))
            error.check(following(raw, rows, *room, byref(count), None, error.pointer))
            if count.value == 0:
                return
            for row in rows[: count.value]:
                yield _record(row, bytes(memoryview(payloads)[row.payload_offset :][: row.payload_length]))


def verify_ledger(
    folder: Folder, key: str | None = None, *, tenant: str = "", checkpoint: str | None = None
) -> LedgerReport:
    """Verifies a ledger by its files and a public key alone, as ``bartizan verify`` does.

    key: as ``Ledger.key`` gives it. Without one, what comes out is UNPROVEN at best.
    tenant: whose log the report counts; all are verified. The host's by default.
    checkpoint: a signed checkpoint that was kept elsewhere: the ledger must go on from it.

    NotFoundError when the folder cannot be read, ArgumentError when the key is none or the tenant has no record.
    """
    report, error, path = sized(btz_ledger_report), ErrorText(), _path(folder)
    texts: list[Any] = []
    for text in (key, tenant or None, checkpoint):
        encoded = None if text is None else text.encode()
        texts += [encoded, len(encoded or b"")]
    status = LIBRARY.btz_ledger_verify(BTZ_ABI_VERSION, path, len(path), *texts, byref(report), error.pointer)
    error.check(status)
    return _report(report)


class Ledger:
    """A ledger that is open, and records.

    ``with Ledger(folder, "bartizan/host-17.example") as ledger:`` ends the run in order at the end; the next run tells
    how this one ended. All methods may be called from any thread.
    """

    def __init__(
        self,
        folder: Folder,
        origin: str,
        *,
        witnesses: Iterable[str] = (),
        bytes_max: int | None = None,
        age_max: timedelta | None = None,
        checkpoint_interval: float = 60.0,
        segment_bytes: int | None = None,
        queue_bytes: int | None = None,
        reserve_bytes: int | None = None,
        threads: bool = True,
    ) -> None:
        """Opens the ledger in a folder, or begins it.

        origin: names it for good; one line without spaces or +.
        witnesses: public keys; where there are any, only records are removed that all of them have cosigned.
        bytes_max, age_max: older records are removed; None keeps them.
        checkpoint_interval: everything is signed this often, also when nothing happens.
        threads: False: there is no thread, and ``maintain()`` is called.

        DamagedError, LockedError, DiskError, ArgumentError.
        """
        options, texts = sized(btz_ledger_options), (origin.encode(), "\n".join(witnesses).encode())
        options.origin, options.origin_length = texts[0], len(texts[0])
        options.witnesses, options.witnesses_length = texts[1], len(texts[1])
        options.driven = 0 if threads else BTZ_ON
        options.bytes_max = bytes_max or 0
        options.age_s_max = _seconds(age_max)
        options.checkpoint_interval_ms = _milliseconds(checkpoint_interval, "checkpoint_interval")
        options.segment_bytes, options.queue_bytes = segment_bytes or 0, queue_bytes or 0
        options.reserve_bytes = BTZ_ZERO if reserve_bytes == 0 else reserve_bytes or 0
        raw, error, path = c_void_p(), ErrorText(), _path(folder)
        status = LIBRARY.btz_ledger_open(BTZ_ABI_VERSION, path, len(path), byref(options), byref(raw), error.pointer)
        error.check(status)
        self.folder = Path(folder)
        self._handle = Handle(raw, LIBRARY.btz_ledger_free, "ledger")

    def __enter__(self) -> Ledger:
        """It is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it."""
        self.close()

    def __del__(self) -> None:
        """Only warns: closing waits for the disk, which the garbage collector must not."""
        handle = getattr(self, "_handle", None)
        if handle is not None and not handle.closed and not handle.inherited:
            warnings.warn(f"unclosed {self!r}: use 'with' or close()", ResourceWarning, stacklevel=2, source=self)

    def __repr__(self) -> str:
        """Open or closed."""
        return f"<bartizan.Ledger {str(self.folder)!r} {'closed' if self._handle.closed else 'open'}>"

    def __iter__(self) -> Iterator[Record]:
        """All records that are there now."""
        return read_ledger(self.folder)

    def records(self, start: int = 0) -> Iterator[Record]:
        """The records from a number on, until there are no more: see ``read_ledger``."""
        return read_ledger(self.folder, start)

    # Recording

    def append(self, payload: bytes | str, *, kind: int = RecordKind.HOST, tenant: str = "") -> int:
        """Records an event of this program's, and returns its number. A moment later it is durable: see ``wait()``.

        kind: from RecordKind.HOST to RecordKind.HOST_MAX. tenant: whose event it is; the host's own by default.
        LedgerFullError when too much waits for the disk: it was refused, which is counted and recorded.
        """
        data = payload.encode() if isinstance(payload, str) else bytes(payload)
        sequence, owner = c_uint64(), tenant.encode()
        buffer = (c_uint8 * max(1, len(data))).from_buffer_copy(data or b"\0")
        about = (owner or None, len(owner), buffer, len(data))
        self._do(LIBRARY.btz_ledger_append, kind, *about, byref(sequence))
        return sequence.value

    def wait(self, sequence: int, timeout: float = _TIMEOUT_S) -> None:
        """Waits until that record, and all before it, would survive a loss of power.

        StopTimeoutError: not yet. DiskError: the disk has refused it; it stays queued, and is written later.
        """
        self._do(LIBRARY.btz_ledger_wait, sequence, _milliseconds(timeout, "timeout"))

    def maintain(self) -> None:
        """Does what is due, on this thread: only for a ledger without threads, every second or so."""
        self._do(LIBRARY.btz_ledger_maintain)

    def close(self, timeout: float = _TIMEOUT_S) -> None:
        """Ends the run in order, signed to its last record, and frees the ledger.

        StopTimeoutError: the disk holds it up; call again. BusyError: it is attached to an agent that is open.
        """
        if self._handle.closed:
            return
        if not self._handle.inherited:
            self._do(LIBRARY.btz_ledger_close, _milliseconds(timeout, "timeout"))
        self._handle.close()

    # What is told about it

    def fileno(self) -> int:
        """A descriptor that is readable once records became durable, a checkpoint was made, or the disk has changed.

        Until ``status()`` is called. Never read or close it.
        """
        with self._handle.entered() as raw:
            descriptor: int = LIBRARY.btz_ledger_fd(raw)
        check(descriptor)
        return descriptor

    def status(self) -> LedgerStatus:
        """How it is. Never waits for the disk."""
        out = sized(btz_ledger_status)
        with self._handle.entered() as raw:
            check(LIBRARY.btz_ledger_state(raw, byref(out)))
        return _status(out)

    # What is signed

    @property
    def key(self) -> str:
        """The public key that signs, ``origin+id+base64``: what whoever verifies is given once, by another way."""
        return self._text(lambda raw, error, *room: LIBRARY.btz_ledger_key(raw, *room))

    def sign(self) -> None:
        """Makes a checkpoint now; by itself that is done every ``checkpoint_interval``."""
        self._do(LIBRARY.btz_ledger_sign)

    def rotate_key(self) -> None:
        """Makes another key, which signs from here on. The hand-over is recorded; verifiers follow it."""
        self._do(LIBRARY.btz_ledger_rotate_key)

    def checkpoint(self, tenant: str = "") -> str:
        """The last signed checkpoint of a tenant's log, or of the host's. Keep it elsewhere.

        NotFoundError when nothing of this log is signed yet.
        """
        owner = tenant.encode()
        call = LIBRARY.btz_ledger_checkpoint
        return self._text(lambda raw, error, *room: call(raw, owner or None, len(owner), *room, error))

    def prove(self, sequence: int) -> str:
        """The proof that a record is in its log, with the signed checkpoint (C2SP tlog-proof).

        NotFoundError when there is no such record, or it is not signed yet: see ``sign()``.
        """
        return self._text(lambda raw, error, *room: LIBRARY.btz_ledger_prove(raw, sequence, *room, error))

    def cosigned(self, note: str) -> None:
        """Takes a checkpoint of the host's log back from the witnesses; what it covers may be removed when old."""
        text = note.encode()
        self._do(LIBRARY.btz_ledger_cosigned, text, len(text))

    def entered(self) -> AbstractContextManager[c_void_p]:
        """The library's handle for one call; for this package."""
        return self._handle.entered()

    def _do(self, call: Any, *arguments: Any) -> None:
        error = ErrorText()
        with self._handle.entered() as raw:
            error.check(call(raw, *arguments, error.pointer))

    def _text(self, call: Any) -> str:
        """Asks until there is room: the text may grow between two calls."""
        room, needed = 4096, c_size_t()
        while True:
            buffer, error = create_string_buffer(room), ErrorText()
            with self._handle.entered() as raw:
                status = call(raw, error.pointer, buffer, room, byref(needed))
            if status != Status.BUFFER:
                if status < 0 and not error.told:
                    check(status)
                error.check(status)
                return buffer.value.decode()
            room = needed.value + needed.value // 4


def _record(c: Any, payload: bytes) -> Record:
    """btz_record."""
    return Record(
        sequence=c.sequence,
        kind=RecordKind(c.kind),
        at=_convert.wall(c.wall_ns),
        mono_ns=c.mono_ns,
        run=c.run,
        tenant=_convert.text(c.tenant),
        payload=payload,
    )


def _status(c: Any) -> LedgerStatus:
    """btz_ledger_status."""
    return LedgerStatus(
        disk=DiskHealth(c.disk),
        disk_error=c.disk_error,
        run=c.run,
        last_run=LastRun(c.last_run),
        torn_bytes=c.torn_bytes,
        appended=c.appended,
        refused=c.refused,
        left_early=c.left_early,
        next=c.next,
        durable=c.durable,
        failures=c.failures,
        queued_bytes=c.queued_bytes,
        first=c.first,
        bytes=c.bytes,
        tree_size=c.tree_size,
        covered=c.covered,
        cosigned=c.cosigned,
        checkpoints=c.checkpoints,
        checkpoint_at=_convert.wall(c.checkpoint_wall_ns) if c.checkpoint_wall_ns else None,
        pruned=c.pruned,
    )


def _report(c: Any) -> LedgerReport:
    """btz_ledger_report."""
    outcome = Verified(c.outcome)
    changed = outcome == Verified.CHANGED
    return LedgerReport(
        outcome=outcome,
        first=c.first,
        next=c.next,
        unsigned=c.unsigned_records,
        torn_bytes=c.torn_bytes,
        logs=c.logs,
        leaves=c.leaves,
        signed_leaves=c.signed_leaves,
        origin=_convert.text(c.origin),
        key=_convert.text(c.key),
        what=_convert.text(c.what),
        bad_sequence=None if not changed or c.bad_sequence == _UINT64_MAX else c.bad_sequence,
        bad_path=_convert.text_or_none(c.bad_path),
        bad_offset=c.bad_offset if changed else None,
    )
