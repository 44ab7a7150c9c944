"""One exception per family of statuses, each with the library's own message."""

from __future__ import annotations

from bartizan._abi import Status


class BartizanError(Exception):
    """Any failure of the library. ``status`` is what the call returned."""

    status: Status

    def __init__(self, message: str, status: Status = Status.INTERNAL) -> None:
        """Keeps the status beside the message."""
        super().__init__(message)
        self.status = status


class LibraryError(BartizanError, ImportError):
    """libbartizan.so was not found, or is not one this package can use."""


class ConfigError(BartizanError, ValueError):
    """A configuration cannot be used: file, line, mistake and cure, one line per mistake.

    ``toml`` is the text that the lines count in, when it did not come from a file.
    """

    toml: str | None = None


class RestartRequiredError(ConfigError):
    """This part of a configuration is fixed when an agent is made; make a new one."""


class ArgumentError(BartizanError, ValueError):
    """An argument has a value that it must not have."""


class NotFoundError(BartizanError, LookupError):
    """There is no such metric, or the VM is no longer there."""


class ClosedError(BartizanError):
    """The agent or the ledger was closed."""


class ForkedError(BartizanError):
    """The agent belongs to the parent process; make a new one after a fork."""


class FaultedError(BartizanError):
    """The library failed inside. Of this agent only ``close()`` works. Please report it."""


class StateError(BartizanError):
    """Not in this state, for instance a step while the agent runs on its own threads."""


class BusyError(StateError):
    """Another thread is in a call that excludes this one. Nothing was done; call again."""


class LockedError(BusyError):
    """Another process, or another Ledger, has this ledger open."""


class DamagedError(BartizanError):
    """A ledger's files were changed, lost, or written by something else."""


class LedgerFullError(BartizanError):
    """Too much waits for the disk already: the record was refused, and is counted."""


class DiskError(BartizanError, OSError):
    """The disk refused. What was appended stays queued, and is written when the disk is back."""


class StopTimeoutError(BartizanError, TimeoutError):
    """It took longer than allowed: threads that were told to end, a record that is not durable yet. Call again."""


class OutOfMemoryError(BartizanError, MemoryError):
    """The memory that the declared limits need cannot be had."""


class ResourceError(BartizanError, OSError):
    """The kernel refused a descriptor or a thread."""


_FAMILIES: dict[Status, type[BartizanError]] = {
    Status.NULL: ArgumentError,
    Status.ARGUMENT: ArgumentError,
    Status.SIZE: LibraryError,
    Status.ABI: LibraryError,
    Status.HANDLE: ClosedError,
    Status.BUSY: BusyError,
    Status.FORKED: ForkedError,
    Status.FAULTED: FaultedError,
    Status.INTERNAL: FaultedError,
    Status.CONFIG: ConfigError,
    Status.MEMORY: OutOfMemoryError,
    Status.SYSTEM: ResourceError,
    Status.STATE: StateError,
    Status.TIMEOUT: StopTimeoutError,
    Status.NOT_FOUND: NotFoundError,
    Status.BUFFER: ArgumentError,
    Status.REENTRY: StateError,
    Status.RESTART: RestartRequiredError,
    Status.DAMAGED: DamagedError,
    Status.FULL: LedgerFullError,
    Status.DISK: DiskError,
    Status.LOCKED: LockedError,
}


def failure(status: int, message: str = "") -> BartizanError:
    """The exception for a negative status; without a message, the one of its family."""
    known = Status(status)
    family = _FAMILIES.get(known, BartizanError)
    text = message or (family.__doc__ or "").split("\n", 1)[0] or f"the call returned {known.name}"
    return family(text, known)
