"""Alerts as they come: for threads, and for asyncio.

Nothing is called back from the library's threads; both forms wait for a descriptor and then fetch a batch. What a batch
brought and nobody has taken stays with the agent, so that leaving a loop loses nothing.
"""

from __future__ import annotations

import asyncio
import select
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from ctypes import byref, c_size_t, sizeof
from typing import Protocol

from bartizan import _convert
from bartizan._abi import AgentState, btz_alert
from bartizan._errors import ClosedError, FaultedError
from bartizan._handle import Handle
from bartizan._library import LIBRARY, check
from bartizan._types import Alert

_BATCH = 64
# How often who waits looks whether the agent has failed: a failed one never rings.
_LOOK_S = 1.0


class Queue:
    """What was fetched and not yet taken; any thread may take."""

    def __init__(self, handle: Handle) -> None:
        """Empty."""
        self._handle = handle
        self._waiting: deque[Alert] = deque()

    @property
    def closed(self) -> bool:
        """Whether the agent was closed."""
        return self._handle.closed

    def next(self) -> Alert | None:
        """The oldest alert, None when none waits. After a close, what was fetched before it comes first."""
        try:
            return self._waiting.popleft()
        except IndexError:
            pass
        self._fetch()
        try:
            return self._waiting.popleft()
        except IndexError:
            return None

    def _fetch(self) -> None:
        batch, count = (btz_alert * _BATCH)(), c_size_t()
        with self._handle.entered() as raw:
            check(LIBRARY.btz_agent_alerts(raw, batch, sizeof(btz_alert), _BATCH, byref(count)))
        self._waiting.extend(_convert.alert(batch[place]) for place in range(count.value))

    @contextmanager
    def awaited(self) -> Iterator[tuple[int, int]]:
        """Two descriptors of which one becomes readable when next() is worth another try."""
        with self._handle.awaited() as pair:
            yield pair


class Watched(Protocol):
    """What the iterators need of an agent."""

    @property
    def state(self) -> AgentState:
        """What it is doing."""


class _Patience:
    """How long to wait for the next alert, in slices."""

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
        raise FaultedError("the agent has failed: no alert will come; close it and make a new one")


class Alerts(Iterator[Alert]):
    """Alerts, one by one, for a thread that may wait. Ends when none came for ``timeout``, or the agent is closed."""

    def __init__(self, agent: Watched, queue: Queue, timeout: float | None) -> None:
        """See ``Agent.alerts``."""
        self._agent, self._queue = agent, queue
        self._patience = _Patience(timeout)

    def __next__(self) -> Alert:
        """Waits for the next alert. The GIL is released meanwhile."""
        self._patience.restart()
        while True:
            try:
                alert = self._queue.next()
                if alert is not None:
                    return alert
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


class AlertStream(AsyncIterator[Alert]):
    """Alerts, one by one, for asyncio. Ends when none came for ``timeout``, or the agent is closed.

    Between two alerts nothing is registered with the event loop: it can be left or cancelled at any point.
    """

    def __init__(self, agent: Watched, queue: Queue, timeout: float | None) -> None:
        """See ``Agent.stream``."""
        self._agent, self._queue = agent, queue
        self._patience = _Patience(timeout)

    async def __anext__(self) -> Alert:
        """Waits for the next alert without holding up the event loop."""
        self._patience.restart()
        while True:
            try:
                alert = self._queue.next()
                if alert is not None:
                    return alert
                slice_s = self._patience.slice_s()
                if slice_s == 0:
                    raise StopAsyncIteration
                _refuse_faulted(self._agent)
                with self._queue.awaited() as descriptors:
                    await _readable(descriptors, slice_s)
            except ClosedError:
                raise StopAsyncIteration from None


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
