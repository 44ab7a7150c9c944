"""On a host that is kept busy, values lie between what psutil says just before and just after.

Both read the kernel's own figures, so a counter needs no tolerance beyond the rounding of its unit. Gauges that may
go either way between two readings have one, stated where they are compared.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator

import psutil
import pytest

from bartizan import HOST, Agent, Readable, Scope
from conftest import SMALL, MiniVm, wait_until

# Seconds are floating-point numbers on both sides.
ROUNDING = 1e-6
# What a busy build on the same host moves between two readings.
MEMORY_BYTES = 256 << 20
# psutil reads `statm`, which newer kernels add up exactly; `stat` leaves out what each CPU has not yet handed in of the
# three kinds of resident pages: fewer than max(32, twice the CPUs) pages each.
CPUS = os.cpu_count() or 1
RESIDENT_BYTES = 3 * max(32, 2 * CPUS) * CPUS * os.sysconf("SC_PAGE_SIZE")
ROUNDS = 20

Numbers = dict[str, float]


@pytest.fixture
def load() -> Iterator[None]:
    """Datagrams over loopback without pause."""
    over = threading.Event()

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, receiver.dup() as sender:
            receiver.bind(("127.0.0.1", 0))
            while not over.is_set():
                sender.sendto(bytes(1000), receiver.getsockname())
                receiver.recv(2000)

    thread = threading.Thread(target=send)
    thread.start()
    yield
    over.set()
    thread.join()


def compare(agent: Agent, of: Readable, said: Callable[[], Numbers], tolerances: Numbers) -> None:
    """Samples again and again, until something has moved; each value must lie between psutil's before and after it."""
    moved = False
    rounds = 0

    def sample() -> bool:
        nonlocal moved, rounds
        before = said()
        agent.step()
        after = said()
        for metric, first in before.items():
            reading = agent.read(of, metric)
            assert reading.value is not None, f"{metric}: {reading.availability.name}"
            tolerance = tolerances.get(metric, ROUNDING)
            low, high = min(first, after[metric]) - tolerance, max(first, after[metric]) + tolerance
            assert low <= reading.value <= high, f"{metric}: {low} <= {reading.value} <= {high}"
            moved = moved or first != after[metric]
        rounds += 1
        return moved and rounds >= ROUNDS

    wait_until(sample, "what is watched moves")


def of_host() -> Numbers:
    times, stats = psutil.cpu_times(), psutil.cpu_stats()
    memory, load = psutil.virtual_memory(), psutil.getloadavg()
    return {
        "host_cpu_user_seconds": times.user,
        "host_cpu_system_seconds": times.system,
        "host_cpu_softirq_seconds": times.softirq,
        "host_cpu_steal_seconds": times.steal,
        "host_context_switches": stats.ctx_switches,
        "host_interrupts": stats.interrupts,
        "host_softirqs": stats.soft_interrupts,
        "host_memory_total_bytes": memory.total,
        "host_memory_available_bytes": memory.available,
        "host_swap_total_bytes": psutil.swap_memory().total,
        "host_load_1m_ratio": load[0],
    }


def test_the_host_s_values_are_psutil_s(load: None) -> None:
    with Agent(SMALL, threads=False) as agent:
        agent.maintain()
        # Loads are rounded to hundredths by the kernel.
        compare(agent, HOST, of_host, {"host_memory_available_bytes": MEMORY_BYTES, "host_load_1m_ratio": 0.01})


def test_loopback_s_counters_are_psutil_s(load: None) -> None:
    def of_loopback() -> Numbers:
        counters = psutil.net_io_counters(pernic=True, nowrap=False)["lo"]
        return {
            "net_receive_bytes": counters.bytes_recv,
            "net_transmit_bytes": counters.bytes_sent,
            "net_receive_packets": counters.packets_recv,
            "net_receive_drops": counters.dropin,
        }

    with Agent(SMALL, threads=False) as agent:
        agent.maintain()
        agent.step()
        loopback = next(part for part in agent.parts() if part.scope is Scope.NET and part.name == "lo")
        compare(agent, loopback, of_loopback, {})


def test_a_vm_s_values_are_psutil_s(start_vm: Callable[..., MiniVm]) -> None:
    mini = start_vm("--guest", "exit_storm")
    process = psutil.Process(mini.pid)

    def of_process() -> Numbers:
        with process.oneshot():
            times, memory, io = process.cpu_times(), process.memory_info(), process.io_counters()
            return {
                "vm_cpu_user_seconds": times.user,
                "vm_cpu_system_seconds": times.system,
                "vm_threads": process.num_threads(),
                "vm_memory_resident_bytes": memory.rss,
                "vm_memory_virtual_bytes": memory.vms,
                "vm_io_read_calls": io.read_count,
                "vm_io_storage_read_bytes": io.read_bytes,
                "vm_io_chars_written_bytes": io.write_chars,
            }

    with Agent(SMALL, threads=False) as agent:

        def seen() -> bool:
            agent.maintain()
            agent.step()
            return mini.of(agent) is not None

        wait_until(seen, "the VM")
        vm = mini.of(agent)
        assert vm is not None
        compare(agent, vm, of_process, {"vm_memory_resident_bytes": RESIDENT_BYTES})
