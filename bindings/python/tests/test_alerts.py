"""Alerts through the sync iterator, through asyncio, and through a poll of one's own."""

from __future__ import annotations

import asyncio
import contextlib
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bartizan import Agent, AgentState, Alert, AlertState, FaultedError, Metric, Severity, _stream
from conftest import LONG_S, open_fds, wait_until

Talkative = Callable[[int], dict[str, Any]]


def names(alerts: list[Alert]) -> list[str]:
    return sorted(alert.rule for alert in alerts)


def test_an_alert_has_all_it_should(talkative: Talkative) -> None:
    with Agent(talkative(1)) as agent:
        alert = next(agent.alerts(timeout=LONG_S))
        total = agent.read(alert.entity, Metric.HOST_MEMORY_TOTAL)
    assert (alert.rule, alert.state, alert.severity) == ("test-total", AlertState.FIRING, Severity.WARNING)
    assert (alert.metric, alert.observed, alert.expected_max) == (Metric.HOST_MEMORY_TOTAL, total.value, 1.0)
    assert (alert.expected_min, alert.uuid, alert.tenant, alert.subject) == (None, None, None, None)
    assert "total" in alert.message and alert.sequence == 1 and alert.tick >= 1
    assert abs(alert.at.timestamp() - time.time()) < LONG_S and 0 <= time.monotonic() - alert.since_mono_s < LONG_S
    with pytest.raises(AttributeError):
        alert.rule = "other"  # type: ignore[misc]


def test_the_loop_ends_when_none_came_in_time(talkative: Talkative) -> None:
    with Agent(talkative(3), threads=False) as agent:
        assert list(agent.alerts(timeout=0)) == []
        assert list(agent.alerts(timeout=0.05)) == []
        agent.maintain()
        agent.step()
        assert names(list(agent.alerts(timeout=0))) == ["test-available", "test-free", "test-total"]
        agent.step()
        assert list(agent.alerts(timeout=0)) == []
        for wrong in (-1, float("nan")):
            with pytest.raises(ValueError):
                agent.alerts(timeout=wrong)


def test_leaving_a_loop_loses_nothing(talkative: Talkative) -> None:
    with Agent(talkative(5), threads=False) as agent:
        agent.maintain()
        agent.step()
        first = next(agent.alerts(timeout=0))
        second = next(agent.alerts(timeout=0))
        rest = agent.take()
        assert len({first.sequence, second.sequence, *(alert.sequence for alert in rest)}) == 5
        accounts = agent.accounting()
        assert (accounts.produced, accounts.delivered, accounts.in_flight) == (5, 5, 0)
        assert accounts.dropped == accounts.suppressed == 0


def test_the_descriptor_is_readable_while_alerts_wait(talkative: Talkative) -> None:
    with Agent(talkative(2), threads=False) as agent:
        poll = select.poll()
        poll.register(agent, select.POLLIN)
        assert poll.poll(0) == []
        agent.maintain()
        agent.step()
        assert poll.poll(0) == [(agent.fileno(), select.POLLIN)]
        assert len(agent.take()) == 2
        assert poll.poll(0) == []


def test_the_gil_is_released_while_waiting(talkative: Talkative, monkeypatch: pytest.MonkeyPatch) -> None:
    # One single wait, which ends when another thread has done a hundred things and causes an alert.
    monkeypatch.setattr(_stream, "_LOOK_S", LONG_S)
    waiting, done, seen = threading.Event(), 0, []
    polled = _stream.Queue.awaited

    @contextlib.contextmanager
    def awaited(queue: _stream.Queue[Alert]) -> Iterator[tuple[int, int]]:
        with polled(queue) as descriptors:
            waiting.set()
            yield descriptors
            seen.append(done)

    monkeypatch.setattr(_stream.Queue, "awaited", awaited)
    with Agent(talkative(1), threads=False) as agent:
        agent.maintain()

        def make_progress() -> None:
            nonlocal done
            waiting.wait(LONG_S)
            for _ in range(100):
                done += 1
                time.sleep(0.001)
            agent.step()

        other = threading.Thread(target=make_progress)
        other.start()
        alert = next(agent.alerts(timeout=LONG_S))
        other.join()
    assert alert.rule == "test-total"
    assert seen == [100]


def test_closing_wakes_who_waits(talkative: Talkative, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_stream, "_LOOK_S", 10 * LONG_S)
    agent = Agent(talkative(1), threads=False)
    ended = threading.Event()

    def wait() -> None:
        assert list(agent.alerts()) == []
        ended.set()

    waiter = threading.Thread(target=wait, daemon=True)
    waiter.start()
    time.sleep(0.1)
    agent.close()
    assert ended.wait(LONG_S)
    waiter.join()


def test_a_signal_handler_may_close_what_the_main_thread_waits_for(talkative: Talkative) -> None:
    agent = Agent(talkative(1), threads=False)
    before = signal.signal(signal.SIGALRM, lambda *_: agent.close())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        assert list(agent.alerts()) == []
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert agent.closed


def test_several_threads_share_the_alerts(talkative: Talkative) -> None:
    agent, got = Agent(talkative(5), threads=False), list[int]()

    def take() -> None:
        got.extend(alert.sequence for alert in agent.alerts())

    takers = [threading.Thread(target=take, daemon=True) for _ in range(3)]
    for taker in takers:
        taker.start()
    agent.maintain()
    agent.step()
    wait_until(lambda: agent.accounting().delivered == 5, "all were fetched")
    agent.close()
    for taker in takers:
        taker.join(LONG_S)
    assert sorted(got) == [1, 2, 3, 4, 5]


def test_a_failed_agent_does_not_keep_anybody_waiting(talkative: Talkative, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_stream, "_LOOK_S", 0.05)
    with Agent(talkative(1), threads=False) as agent:
        iterator, stream = agent.alerts(), agent.stream()
        monkeypatch.setattr(Agent, "state", AgentState.FAULTED)
        with pytest.raises(FaultedError):
            next(iterator)

        async def wait() -> None:
            async for _ in stream:
                pass

        with pytest.raises(FaultedError):
            asyncio.run(wait())


def test_asyncio_gets_alerts_beside_other_work(talkative: Talkative) -> None:
    async def run() -> tuple[list[Alert], int]:
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                beats += 1
                await asyncio.sleep(0.01)

        with Agent(talkative(3), threads=False) as agent:
            agent.maintain()
            beating = asyncio.create_task(beat())
            asyncio.get_running_loop().call_later(0.2, agent.step)
            got = []
            async for alert in agent.stream(timeout=LONG_S):
                got.append(alert)
                if len(got) == 3:
                    break
            beating.cancel()
        return got, beats

    got, beats = asyncio.run(run())
    assert names(got) == ["test-available", "test-free", "test-total"]
    assert beats >= 2


def test_asyncio_ends_when_none_came_in_time(talkative: Talkative) -> None:
    async def run() -> list[Alert]:
        with Agent(talkative(3), threads=False) as agent:
            assert [alert async for alert in agent.stream(timeout=0.05)] == []
            agent.maintain()
            agent.step()
            return [alert async for alert in agent.stream(timeout=0)]

    assert len(asyncio.run(run())) == 3


def test_asyncio_can_be_cancelled_while_it_waits_and_leaves_nothing(
    talkative: Talkative, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_stream, "_LOOK_S", 10 * LONG_S)

    def registered() -> int:
        return len(asyncio.get_running_loop()._selector.get_map())  # type: ignore[attr-defined]

    async def run() -> None:
        with Agent(talkative(1), threads=False) as agent:
            before, registered_before = open_fds(), registered()

            async def consume() -> None:
                async for _ in agent.stream():
                    raise AssertionError("nothing was stepped")

            for _ in range(3):
                task = asyncio.create_task(consume())
                await asyncio.sleep(0.05)
                assert len(open_fds()) == len(before) + 2 and registered() == registered_before + 2
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert open_fds() == before and registered() == registered_before
            agent.maintain()
            asyncio.get_running_loop().call_later(0.1, agent.step)
            alert = await asyncio.wait_for(anext(agent.stream()), LONG_S)
            assert alert.rule == "test-total"

    asyncio.run(run())


def test_asyncio_streams_share_the_alerts_and_end_with_the_agent(talkative: Talkative) -> None:
    async def run() -> list[int]:
        agent = Agent(talkative(5), threads=False)
        got: list[int] = []

        async def consume() -> None:
            async for alert in agent.stream():
                got.append(alert.sequence)

        consumers = [asyncio.create_task(consume()) for _ in range(2)]
        await asyncio.sleep(0.05)
        agent.maintain()
        agent.step()
        while len(got) < 5:
            await asyncio.sleep(0.01)
        agent.close()
        await asyncio.wait_for(asyncio.gather(*consumers), LONG_S)
        return got

    assert sorted(asyncio.run(asyncio.wait_for(run(), LONG_S))) == [1, 2, 3, 4, 5]
