"""Alerts and changes as they come: for threads, and for asyncio.

Nothing is called back from the library's threads; both forms wait for a descriptor and then fetch a batch. What a batch
brought and nobody has taken stays with the agent, so that leaving a loop loses nothing.
"""

from __future__ import annotations

import asyncio
import select
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from ctypes import c_void_p
from typing import Generic, Protocol, TypeVar

from bartizan._abi import AgentState
from bartizan._errors import ClosedError, FaultedError
from bartizan._findings import Change
from bartizan._handle import Handle
from bartizan._types import Alert

T = TypeVar("T")

_BATCH = 64
# How often who waits looks whether the agent has failed: a failed one never rings.
_LOOK_S = 1.0


class Queue(Generic[T]):
    """What was fetched and not yet taken; any thread may take."""

    def __init__(
        self,
        handle: Handle,
        descriptor: Callable[[c_void_p], int],
        fetch: Callable[[c_void_p, int], list[T]],
    ) -> None:
        """Empty. ``descriptor`` is readable while ``fetch`` has something, at most so many at a time."""
        self._handle, self._descriptor, self._fetch = handle, descriptor, fetch
        self._waiting: deque[T] = deque()

    @property
    def closed(self) -> bool:
        """Whether the agent was closed."""
        return self._handle.closed

    def next(self) -> T | None:
        """The oldest one, None when none waits. After a close, what was fetched before it comes first."""
        try:
            return self._waiting.popleft()
        except IndexError:
            pass
        with self._handle.entered() as raw:
            self._waiting.extend(self._fetch(raw, _BATCH))
        try:
            return self._waiting.popleft()
        except IndexError:
            return None

    @contextmanager
    def awaited(self) -> Iterator[tuple[int, int]]:
        """Two descriptors of which one becomes readable when next() is worth another try."""
        with self._handle.awaited(self._descriptor) as pair:
            yield pair


class Watched(Protocol):
    """What the iterators need of an agent."""

    @property
    def state(self) -> AgentState:
        """What it is doing."""


class _Patience:
    """How long to wait for the next one, in slices."""

    def __init__(self, timeout: float | None) -> None:
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"timeout must be None or at least 0 seconds, not {timeout!r}")
        self._timeout = timeout
        self.restart()

    def restart(self) -> None:
        self._deadline = None if self._timeout is None else time.monotonic() + self._timeout

    def slice_s(self) -> float:
        """How long to wait now; 0 when the time is up."""
        if self._deadline is None:
            return _LOOK_S
        return max(0.0, min(_LOOK_S, self._deadline - time.monotonic()))


def _refuse_faulted(agent: Watched) -> None:
    if agent.state == AgentState.FAULTED:
        raise FaultedError("the agent has failed: nothing will come; close it and make a new one")


class Waiting(Iterator[T]):
    """One by one, for a thread that may wait. Ends when none came for ``timeout``, or the agent is closed."""

    def __init__(self, agent: Watched, queue: Queue[T], timeout: float | None) -> None:
        """Refuses an agent that is closed."""
        _ = agent.state
        self._agent, self._queue = agent, queue
        self._patience = _Patience(timeout)

    def __next__(self) -> T:
        """Waits for the next one. The GIL is released meanwhile."""
        self._patience.restart()
        while True:
            try:
                item = self._queue.next()
                if item is not None:
                    return item
                slice_s = self._patience.slice_s()
                if slice_s == 0:
                    raise StopIteration
                _refuse_faulted(self._agent)
                with self._queue.awaited() as descriptors:
                    poll = select.poll()
                    for descriptor in descriptors:
                        poll.register(descriptor, select.POLLIN)
                    poll.poll(slice_s * 1000)
            except ClosedError:
                raise StopIteration from None


class Streaming(AsyncIterator[T]):
    """One by one, for asyncio. Ends when none came for ``timeout``, or the agent is closed.

    Between two of them nothing is registered with the event loop: it can be left or cancelled at any point.
    """

    def __init__(self, agent: Watched, queue: Queue[T], timeout: float | None) -> None:
        """Refuses an agent that is closed."""
        _ = agent.state
        self._agent, self._queue = agent, queue
        self._patience = _Patience(timeout)

    async def __anext__(self) -> T:
        """Waits for the next one without holding up the event loop."""
        self._patience.restart()
        while True:
            try:
                item = self._queue.next()
                if item is not None:
                    return item
                slice_s = self._patience.slice_s()
                if slice_s == 0:
                    raise StopAsyncIteration
                _refuse_faulted(self._agent)
                with self._queue.awaited() as descriptors:
                    await _readable(descriptors, slice_s)
            except ClosedError:
                raise StopAsyncIteration from None


class Alerts(Waiting[Alert]):
    """See ``Agent.alerts``."""


class AlertStream(Streaming[Alert]):
    """See ``Agent.stream``."""


class Changes(Waiting[Change]):
    """See ``Agent.check_changes``."""


class ChangeStream(Streaming[Change]):
    """See ``Agent.check_stream``."""


async def _readable(descriptors: tuple[int, ...], timeout: float) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def ring() -> None:
        if not ready.done():
            ready.set_result(None)

    try:
        for descriptor in descriptors:
            loop.add_reader(descriptor, ring)
        await asyncio.wait((ready,), timeout=timeout)
    finally:
        for descriptor in descriptors:
            loop.remove_reader(descriptor)
        ready.cancel()
