"""A real VM: it appears, its counters move, and what happens to it is told."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import pytest

from bartizan import Agent, Alert, AlertState, Availability, Metric, NotFoundError, Scope, Severity, Vmm
from conftest import LONG_S, SMALL, MiniVm, wait_until

StartVm = Callable[..., MiniVm]


def of_vm(alert: Alert, vm: MiniVm, rule: str) -> bool:
    return alert.uuid == vm.uuid and alert.rule == rule


def test_a_vm_appears_as_what_it_is(agent: Agent, start_vm: StartVm) -> None:
    mini = start_vm("--vcpus", "2", "--shape", "qemu-system-x86_64")
    vm = mini.seen_by(agent)
    assert (vm.pid, vm.name, vm.uuid, vm.vmm) == (mini.pid, mini.name, mini.uuid, Vmm.QEMU)
    assert not vm.libvirt and not vm.truncated
    wait_until(lambda: len(agent.parts(vm)) >= 2, "two vCPUs")
    vcpus = [part for part in agent.parts(vm) if part.scope is Scope.VCPU]
    assert [vcpu.index for vcpu in vcpus] == [0, 1]
    assert {str(vcpu.tid) for vcpu in vcpus} <= set(os.listdir(f"/proc/{mini.pid}/task"))
    sources = agent.sources(vm)
    assert any(source.availability is Availability.OK for source in sources)
    assert all(source.reason for source in sources if source.availability is not Availability.OK)


def test_a_vm_s_counters_move(agent: Agent, start_vm: StartVm) -> None:
    vm = start_vm("--guest", "spin").seen_by(agent)
    wait_until(lambda: agent.read(vm, Metric.VM_STATE).availability is Availability.OK, "its state")
    wait_until(lambda: bool(agent.parts(vm)), "its vCPU")
    vcpu = agent.parts(vm)[0]

    def run_s() -> float:
        return agent.read(vcpu, "vcpu_run_seconds").value or 0.0

    wait_until(lambda: run_s() > 0, "its vCPU ran")
    before = run_s()
    wait_until(lambda: run_s() > before, "its vCPU runs on")
    wait_until(lambda: (agent.read(vm, "vm_memory_resident_bytes").value or 0) > 0, "its memory")
    wait_until(lambda: len({p.raw for p in agent.history(vcpu, "vcpu_run_seconds")} - {None}) > 2, "its past")


def test_a_killed_vm_is_told_to_a_thread(agent: Agent, start_vm: StartVm) -> None:
    mini = start_vm()
    vm = mini.seen_by(agent)
    mini.kill()
    gone = next(alert for alert in agent.alerts(timeout=LONG_S) if of_vm(alert, mini, "vm-gone"))
    assert gone.state is AlertState.FIRING and gone.severity >= Severity.WARNING
    assert str(mini.pid) in gone.message and gone.subject == mini.name
    assert gone.observed is None or gone.observed == gone.observed
    wait_until(lambda: mini.of(agent) is None, "it left the list")
    value = agent.read(vm, Metric.VM_STATE)
    assert value.value is None and value.availability is Availability.GONE
    with pytest.raises(NotFoundError):
        agent.parts(vm)


def test_a_killed_vm_is_told_to_asyncio(start_vm: StartVm) -> None:
    async def run() -> Alert:
        with Agent(SMALL) as agent:
            mini = start_vm()
            await asyncio.to_thread(mini.seen_by, agent)
            mini.kill()
            async for alert in agent.stream(timeout=LONG_S):
                if of_vm(alert, mini, "vm-gone"):
                    assert str(mini.pid) in alert.message
                    return alert
            raise AssertionError("not told")

    assert asyncio.run(run()).state is AlertState.FIRING


def test_a_stopped_vm_is_told_and_so_is_its_going_on(agent: Agent, start_vm: StartVm) -> None:
    mini = start_vm()
    mini.seen_by(agent)
    os.kill(mini.pid, signal.SIGSTOP)
    alerts = agent.alerts(timeout=LONG_S)
    stopped = next(alert for alert in alerts if of_vm(alert, mini, "vm-stopped"))
    assert (stopped.state, stopped.severity) == (AlertState.FIRING, Severity.CRITICAL)
    os.kill(mini.pid, signal.SIGCONT)
    over = next(alert for alert in alerts if of_vm(alert, mini, "vm-stopped"))
    assert (over.state, over.id) == (AlertState.RESOLVED, stopped.id)


def test_a_driven_agent_sees_vms_too(start_vm: StartVm) -> None:
    mini = start_vm()
    with Agent(SMALL, threads=False) as agent:

        def seen() -> bool:
            agent.maintain()
            agent.step()
            return mini.of(agent) is not None

        wait_until(seen, "the VM")
        mini.kill()
        told: list[Alert] = []

        def gone() -> bool:
            agent.step()
            told.extend(alert for alert in agent.take() if of_vm(alert, mini, "vm-gone"))
            return bool(told)

        wait_until(gone, "the alert")
