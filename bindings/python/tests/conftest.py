"""Real agents, and real VMs for them to look at."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bartizan import Agent, Vm

LONG_S = 60.0

# Small enough to be made a hundred times, quick, and never slowed down or held back by what else runs on the host.
# Opening and closing the kernel's tracepoints takes it a second or two: the README's programs and the examples do it.
SMALL: dict[str, Any] = {
    "limits": {"vms": 256, "vcpus": 1024, "alerts": 4096, "history_ticks": 60},
    "sampling": {"interval_ms": 50, "perf_events": False},
    "budget": {"cpu_permille": 0},
    "alerts": {"per_rule_per_minute_max": 10000},
}

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def skip(reason: str) -> None:
    """Skips loudly: `make test` counts the lines of this log."""
    log = os.environ.get("BARTIZAN_SKIP_LOG")
    if log:
        test = os.environ.get("PYTEST_CURRENT_TEST", "").split(" ")[0]
        with open(log, "a", encoding="utf-8") as lines:
            lines.write(f"skipped: {reason} (python, {test})\n")
    pytest.skip(reason)


def wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LONG_S
    while not holds():
        assert time.monotonic() < deadline, f"not within {LONG_S} s: {what}"
        time.sleep(0.01)


@dataclass
class MiniVm:
    """A process that holds a real KVM VM."""

    pid: int
    name: str
    uuid: uuid.UUID

    def of(self, agent: Agent) -> Vm | None:
        return next((vm for vm in agent.vms() if vm.uuid == self.uuid), None)

    def seen_by(self, agent: Agent) -> Vm:
        wait_until(lambda: self.of(agent) is not None, f"{self.name} among the VMs")
        vm = self.of(agent)
        assert vm is not None
        return vm

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


@pytest.fixture
def start_vm() -> Iterator[Callable[..., MiniVm]]:
    """Starts VMs that end with the test, or with the tester."""
    if not os.path.exists("/dev/kvm"):
        skip("/dev/kvm is missing: no VM can be started")
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        skip("/dev/kvm may not be opened by this user: no VM can be started")
    folder = os.environ.get("BARTIZAN_TESTKIT_BIN")
    assert folder, "BARTIZAN_TESTKIT_BIN must name the folder with bartizan-minivmm; tools/test-python sets it"
    with contextlib.ExitStack() as running:

        def start(*options: str) -> MiniVm:
            identity = uuid.uuid4()
            name = f"py-{identity.hex[:12]}"
            program = [str(Path(folder) / "bartizan-minivmm"), "--name", name, "--uuid", str(identity), *options]
            process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True, preexec_fn=_end_with_parent)
            running.callback(_end, process)
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.strip().isdigit(), f"{' '.join(program)} said {line!r}"
            return MiniVm(int(line), name, identity)

        yield start


def _end_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait(LONG_S)
    assert process.stdout is not None
    process.stdout.close()


@pytest.fixture(scope="session")
def shipped() -> list[str]:
    """The names of the rules that the library brings."""
    agent = Agent(SMALL, threads=False)
    names = [rule.name for rule in agent.rules() if rule.shipped]
    agent.close()
    assert len(names) > 10
    return names


@pytest.fixture
def talkative(shipped: list[str]) -> Callable[[int], dict[str, Any]]:
    """A configuration with so many rules, each of which fires in the first tick, and no others."""
    words = ["total", "available", "free", "cached", "active"]

    def configuration(rules: int) -> dict[str, Any]:
        made = [
            {"name": f"test-{word}", "summary": word, "metric": f"host_memory_{word}_bytes", "above": 1}
            for word in words[:rules]
        ]
        return {**SMALL, "rules_off": shipped, "rules": made}

    return configuration


@pytest.fixture
def agent() -> Iterator[Agent]:
    """One that runs on its own threads."""
    with Agent(SMALL) as running:
        yield running


def open_fds() -> list[str]:
    """What this process's descriptors are."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.append(os.readlink(f"/proc/self/fd/{name}"))
    return sorted(what for what in found if not what.startswith("/proc/"))


def threads() -> int:
    return len(os.listdir("/proc/self/task"))
