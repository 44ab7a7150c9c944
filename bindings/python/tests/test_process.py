"""A guest in someone's process: forks, leaks."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from bartizan import HOST, Agent, AgentState, ForkedError, Metric, _library
from bartizan._errors import failure
from conftest import SMALL, open_fds, threads
from test_agent import USES


def in_child(run: Callable[[], str]) -> str:
    """What a forked child says."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = run()
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writable, said.encode())
        os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as pipe:
        said = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    return said


def test_a_child_is_refused_and_the_parent_goes_on(agent: Agent) -> None:
    def use_all() -> str:
        refused = 0
        for use in USES:
            with pytest.raises(ForkedError):
                use(agent)
            refused += 1
        agent.close()
        agent.close()
        return str(refused)

    assert in_child(use_all) == str(len(USES))
    assert agent.state is AgentState.RUNNING
    agent.read(HOST, Metric.HOST_FORKS)


def test_the_library_itself_refuses_a_child_too(agent: Agent) -> None:
    def ask_c() -> str:
        error = _library.ErrorText()
        status = _library.LIBRARY.btz_agent_step(agent._handle._raw, error.pointer)
        with pytest.raises(ForkedError, match="parent"):
            error.check(status)
        return type(failure(status)).__name__

    assert in_child(ask_c) == "ForkedError"


def test_a_child_may_make_its_own(agent: Agent) -> None:
    def own() -> str:
        with Agent(SMALL, threads=False) as mine:
            mine.maintain()
            mine.step()
            return str(mine.read(HOST, Metric.HOST_MEMORY_TOTAL).availability.name)

    assert in_child(own) == "OK"


def test_an_iterator_that_was_forked_ends_in_an_error(agent: Agent) -> None:
    alerts = agent.alerts(timeout=0.1)
    said = in_child(lambda: str(next(alerts)))
    assert said.startswith("ForkedError")


CYCLES = """
import gc, json, os, sys
sys.path.insert(0, sys.argv[1])
from bartizan import HOST, Agent, Metric
from conftest import SMALL, open_fds, threads

def resident_kib():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))

def cycle(number):
    # Every so often with tracepoints, which take long.
    sampling = {**SMALL["sampling"], "perf_events": number % 25 == 0}
    with Agent({**SMALL, "sampling": sampling}) as agent:
        agent.read(HOST, Metric.HOST_MEMORY_TOTAL)
        agent.vms()
        list(agent.alerts(timeout=0.002))

def measure():
    gc.collect()
    return {"fds": open_fds(), "threads": threads(), "kib": resident_kib()}

for number in range(30):
    cycle(number)
before = measure()
for number in range(100):
    cycle(number)
print(json.dumps([before, measure()]))
"""


def test_a_hundred_agents_leave_nothing_behind() -> None:
    folder = os.path.dirname(__file__)
    done = subprocess.run([sys.executable, "-c", CYCLES, folder], capture_output=True, text=True, check=True)
    before, after = json.loads(done.stdout)
    assert after["fds"] == before["fds"]
    assert after["threads"] == before["threads"] == 1
    # A leak of one agent of a hundred would be more than that.
    assert after["kib"] - before["kib"] < 2048, (before["kib"], after["kib"])


def test_failed_constructions_leave_nothing_behind() -> None:
    def fail(source: Any) -> None:
        with pytest.raises(Exception):  # noqa: B017 - each fails in its own way
            Agent(source)

    gc.collect()
    before = open_fds(), threads()
    for source in ("[nonsense]", "/a/path", {"limits": {"vms": 0}}, {"rules": [{"name": "incomplete"}]}):
        fail(source)
    assert (open_fds(), threads()) == before
