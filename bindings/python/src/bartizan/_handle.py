"""Who is inside an agent: a handle that is never used after it was freed, whatever the threads do."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import c_void_p

from bartizan._abi import Status
from bartizan._errors import BusyError, ClosedError, ForkedError
from bartizan._library import LIBRARY, check

_CLOSE_WAIT_S = 5.0
# After these the library has let go of the handle.
_FREED = (Status.OK, Status.FAULTED, Status.HANDLE)


class Handle:
    """The library's handle of an agent or a ledger, with a count of the calls that are inside.

    Waiting for alerts does not count as a call: who waits holds duplicates of the descriptors, and is woken by a close.
    """

    def __init__(
        self, raw: c_void_p, free: Callable[[c_void_p], int] = LIBRARY.btz_agent_free, what: str = "agent"
    ) -> None:
        """Takes the handle over."""
        self._raw, self._free, self._what = raw, free, what
        self._pid = os.getpid()
        self._inside = 0
        self._closed = False
        # Reentrant: a signal handler may run between any two lines of Python, and may call the agent too.
        self._changed = threading.Condition(threading.RLock())
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    @property
    def closed(self) -> bool:
        """Whether close() has begun."""
        return self._closed

    @property
    def inherited(self) -> bool:
        """Whether this is a child of the process that made it. Its locks may then be held by threads it lacks."""
        return os.getpid() != self._pid

    @contextmanager
    def entered(self) -> Iterator[c_void_p]:
        """The handle for one call."""
        self._enter()
        try:
            yield self._raw
        finally:
            self._leave()

    def _enter(self) -> None:
        if self.inherited:
            message = f"the {self._what} belongs to the parent process; make a new one after a fork"
            raise ForkedError(message, Status.FORKED)
        with self._changed:
            if self._closed:
                raise ClosedError(f"the {self._what} was closed", Status.HANDLE)
            self._inside += 1

    def _leave(self) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    @contextmanager
    def awaited(self, descriptor: Callable[[c_void_p], int]) -> Iterator[tuple[int, int]]:
        """Two descriptors to wait for: the library's for what is awaited, and one for when the agent is closed."""
        with self.entered() as raw:
            fd = descriptor(raw)
            check(fd)
            awaited = os.dup(fd)
            try:
                bell = os.dup(self._bell)
            except OSError:
                os.close(awaited)
                raise
        try:
            yield awaited, bell
        finally:
            os.close(awaited)
            os.close(bell)

    def close(self) -> None:
        """Frees it, once. What fails leaves it open, to be closed again."""
        if self.inherited:
            if not self._closed:
                self._closed = True
                os.close(self._bell)
            return
        with self._changed:
            if self._closed:
                return
            self._closed = True
            os.eventfd_write(self._bell, 1)
            if not self._changed.wait_for(lambda: self._inside == 0, _CLOSE_WAIT_S):
                self._reopen()
                raise BusyError(f"another thread is in a call on this {self._what}; close it again", Status.BUSY)
        status = self._free(self._raw)
        if status in _FREED:
            os.close(self._bell)
        else:
            with self._changed:
                self._reopen()
        check(status)

    def _reopen(self) -> None:
        os.eventfd_read(self._bell)
        self._closed = False
