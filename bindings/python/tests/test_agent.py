"""An agent's life, what it reads, and what happens when it is used wrongly."""

from __future__ import annotations

import itertools
import os
import select
import threading
import time
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from bartizan import (
    AGENT,
    HOST,
    Agent,
    AgentState,
    ArgumentError,
    Availability,
    ClosedError,
    Entity,
    Kind,
    Metric,
    NotFoundError,
    Scope,
    StateError,
    Unit,
)
from conftest import SMALL, threads, wait_until

USES: list[Callable[[Agent], Any]] = [
    lambda agent: agent.start(),
    lambda agent: agent.stop(),
    lambda agent: agent.step(),
    lambda agent: agent.maintain(),
    lambda agent: agent.deadline,
    lambda agent: agent.state,
    lambda agent: agent.fileno(),
    lambda agent: agent.maintenance_fileno(),
    lambda agent: agent.take(),
    lambda agent: agent.alerts(),
    lambda agent: agent.stream(),
    lambda agent: agent.vms(),
    lambda agent: agent.parts(),
    lambda agent: agent.sources(),
    lambda agent: agent.rules(),
    lambda agent: agent.read(HOST, Metric.HOST_MEMORY_TOTAL),
    lambda agent: agent.read_many([(HOST, Metric.HOST_MEMORY_TOTAL)]),
    lambda agent: agent.history(HOST, Metric.HOST_MEMORY_TOTAL),
    lambda agent: agent.tick(),
    lambda agent: agent.cost(),
    lambda agent: agent.accounting(),
    lambda agent: agent.reload(SMALL),
    lambda agent: agent.__enter__(),
]


def ticked(agent: Agent) -> None:
    """Waits until everything that can be read was read."""
    wait_until(lambda: agent.read(HOST, Metric.HOST_MEMORY_TOTAL).availability is Availability.OK, "a first tick")


def meminfo(key: str) -> int:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key + ":"))


def test_it_starts_stops_starts_again_and_closes_twice() -> None:
    before = threads()
    agent = Agent(SMALL)

    def state() -> AgentState:
        return agent.state

    assert state() is AgentState.IDLE and threads() == before
    agent.start()
    assert state() is AgentState.RUNNING and threads() == before + 3
    with pytest.raises(StateError):
        agent.start()
    with pytest.raises(StateError):
        agent.step()
    agent.stop()
    agent.stop()
    assert state() is AgentState.IDLE and threads() == before
    agent.start()
    ticked(agent)
    agent.close()
    agent.close()
    assert agent.closed and threads() == before


def test_with_closes_also_when_the_block_fails() -> None:
    with pytest.raises(KeyError), Agent(SMALL) as agent:
        assert agent.state is AgentState.RUNNING
        raise KeyError("the program's own")
    assert agent.closed


@pytest.mark.parametrize("use", USES)
def test_a_closed_agent_refuses_everything(use: Callable[[Agent], Any]) -> None:
    agent = Agent(SMALL)
    agent.close()
    with pytest.raises(ClosedError):
        use(agent)


def test_forgetting_to_close_warns_and_does_no_more() -> None:
    agent = Agent(SMALL)
    raw = agent._handle
    with pytest.warns(ResourceWarning, match="unclosed <bartizan.Agent open>"):
        del agent
    raw.close()
    closed = Agent(SMALL)
    closed.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del closed


def test_a_failed_construction_leaves_nothing_to_warn_about() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError):
            Agent("[nonsense]\n")


def test_the_program_can_drive_it() -> None:
    with Agent(SMALL, threads=False) as agent:
        assert agent.state is AgentState.IDLE
        assert agent.tick() is None
        value = agent.read(HOST, Metric.HOST_MEMORY_TOTAL)
        assert (value.value, value.raw, value.age_s, value.availability) == (None, None, None, Availability.PENDING)
        agent.maintain()
        for number in range(1, 4):
            delay = agent.deadline - time.monotonic()
            assert delay < 1.0
            time.sleep(max(0.0, delay))
            agent.step()
            tick = agent.tick()
            assert tick is not None and tick.number == number
            assert abs(tick.at - datetime.now(timezone.utc)) < timedelta(minutes=1)
            assert 0 <= time.monotonic() - tick.mono_s < 60
        # Only a poll: whether there is something to maintain is the host's business.
        select.select([agent.maintenance_fileno()], [], [], 0)
        agent.maintain()
        assert agent.cost().ticks == 3


def test_values_are_those_of_the_kernel(agent: Agent) -> None:
    ticked(agent)
    total = agent.read(HOST, Metric.HOST_MEMORY_TOTAL)
    assert total.raw == meminfo("MemTotal") and total.value == float(total.raw)
    assert (total.kind, total.unit, total.availability) == (Kind.GAUGE, Unit.BYTES, Availability.OK)
    assert total.age_s is not None and 0 <= total.age_s < 60
    assert agent.read(HOST, "host_memory_total_bytes").raw == total.raw
    # In seconds, with nanoseconds beside.
    cpu = agent.read(HOST, Metric.HOST_CPU_IDLE)
    assert cpu.raw is not None and cpu.value == pytest.approx(cpu.raw / 1e9)
    boot = agent.read(HOST, "host_boot_time_seconds").value
    assert boot is not None and 0 < boot < time.time()


def test_many_values_come_in_the_order_of_the_questions(agent: Agent) -> None:
    ticked(agent)
    host = [metric.metric for metric in agent.metrics() if metric.scope is Scope.HOST]
    queries = [(HOST, metric) for metric in host] + [(AGENT, Metric.AGENT_TICKS)] * 2
    values = agent.read_many(queries)
    assert [value.metric for value in values] == [metric for _, metric in queries]
    assert values[host.index(Metric.HOST_MEMORY_TOTAL)].raw == meminfo("MemTotal")
    assert agent.read_many([]) == []


def test_what_cannot_be_read_is_none_and_says_why(agent: Agent) -> None:
    ticked(agent)
    values = agent.read_many((HOST, m.metric) for m in agent.metrics() if m.scope is Scope.HOST)
    without = [v for v in values if v.availability not in (Availability.OK, Availability.STALE)]
    assert without, "on any host there is something that its kernel or machine lacks"
    assert all(value.value is None and value.raw is None for value in without)
    having = [value for value in values if value.availability is Availability.OK]
    assert len(having) > 100
    assert all(value.value is not None and value.raw is not None for value in having)


def test_history_grows_to_what_is_kept(agent: Agent) -> None:
    wait_until(lambda: len(agent.history(HOST, Metric.HOST_MEMORY_TOTAL)) >= 5, "five ticks")
    agent.stop()
    points = agent.history(HOST, Metric.HOST_MEMORY_TOTAL)
    assert all(point.raw == meminfo("MemTotal") for point in points if point.availability is Availability.OK)
    assert [point.tick for point in points] == sorted({point.tick for point in points})
    assert all(earlier.at <= later.at for earlier, later in itertools.pairwise(points))
    assert agent.history(HOST, Metric.HOST_MEMORY_TOTAL, ticks=2) == points[-2:]
    assert agent.history(HOST, Metric.HOST_MEMORY_TOTAL, ticks=10**9) == points
    assert agent.history(HOST, Metric.HOST_MEMORY_TOTAL, ticks=0) == []
    with pytest.raises(ArgumentError):
        agent.history(HOST, Metric.HOST_MEMORY_TOTAL, ticks=-1)


def test_every_metric_is_described_and_has_its_constant() -> None:
    metrics = Agent.metrics()
    assert {metric.metric for metric in metrics} == set(Metric)
    assert all(metric.help and metric.name.islower() and metric.metric.scope is metric.scope for metric in metrics)
    assert {metric.exported_unit for metric in metrics if metric.unit is Unit.NANOSECONDS} == {"seconds"}
    assert len({metric.name for metric in metrics}) == len(metrics)


def test_the_host_has_parts_sources_and_rules(agent: Agent) -> None:
    ticked(agent)
    wait_until(lambda: any(part.scope is Scope.CPU for part in agent.parts()), "the host's CPUs")
    cpus = [part for part in agent.parts() if part.scope is Scope.CPU]
    assert {part.index for part in cpus} >= os.sched_getaffinity(0)
    assert any(part.scope is Scope.NET and part.name == "lo" for part in agent.parts())
    idle = agent.read(cpus[0], "cpu_idle_seconds")
    assert idle.value is not None and idle.value > 0
    sources = {source.name: source for source in agent.sources()}
    assert sources["meminfo"].availability is Availability.OK and sources["meminfo"].tier
    rule = next(rule for rule in agent.rules() if rule.name == "vm-gone")
    assert rule.shipped and rule.enabled and rule.metric is None and "process" in rule.description


def test_it_tells_what_it_costs(agent: Agent) -> None:
    wait_until(lambda: agent.cost().ticks > 3, "four ticks")
    cost = agent.cost()
    assert cost.sampler_cpu_s > 0 and cost.memory_reserved_bytes > 0 and cost.descriptors > 0
    assert cost.degradation == 0 and 0 <= cost.cpu_ratio < os.cpu_count()  # type: ignore[operator]


def test_a_wrong_metric_is_refused(agent: Agent) -> None:
    with pytest.raises(NotFoundError, match="host_memroy"):
        agent.read(HOST, "host_memroy_total_bytes")
    with pytest.raises(ArgumentError, match="VM_STATE is a metric of VM, this is HOST"):
        agent.read(HOST, Metric.VM_STATE)
    with pytest.raises(NotFoundError):
        agent.read(HOST, Metric(1999))
    with pytest.raises(ArgumentError):
        agent.read_many([(HOST, Metric.HOST_FORKS), (AGENT, Metric.HOST_FORKS)])
    with pytest.raises(ArgumentError, match="no entity"):
        agent.read(Entity(0), Metric.HOST_FORKS)
    with pytest.raises(ArgumentError):
        agent.sources(AGENT)
    with pytest.raises(ArgumentError):
        agent.stop(timeout=-1)
    with pytest.raises(ArgumentError):
        agent.stop(timeout=float("nan"))


def test_a_vm_that_is_none_is_gone_and_has_no_parts(agent: Agent) -> None:
    never = Entity((int(Scope.VM) << 56) | (3 << 32) | 0xFFFF_FFFF)
    value = agent.read(never, Metric.VM_STATE)
    assert value.value is None and value.availability is Availability.GONE
    with pytest.raises(NotFoundError):
        agent.parts(never)


def test_threads_may_read_while_another_closes() -> None:
    for _ in range(20):
        agent = Agent(SMALL)
        agent.start()
        readers = [Reader(agent) for _ in range(4)]
        for reader in readers:
            reader.start()
        for reader in readers:
            wait_until(lambda reader=reader: reader.reads > 3, "every thread reads")  # type: ignore[misc]
        agent.close()
        for reader in readers:
            reader.join(60)
            assert not reader.is_alive()
            assert isinstance(reader.ended, ClosedError), repr(reader.ended)


class Reader(threading.Thread):
    """Reads until it is told that the agent was closed."""

    def __init__(self, agent: Agent) -> None:
        super().__init__(daemon=True)
        self.agent, self.reads = agent, 0
        self.ended: BaseException | None = None

    def run(self) -> None:
        try:
            while True:
                self.agent.read(HOST, Metric.HOST_FORKS)
                self.agent.vms()
                self.reads += 1
        except BaseException as error:
            self.ended = error
