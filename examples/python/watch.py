#!/usr/bin/env python3
"""Prints the alerts of this host and its virtual machines, and every few seconds what there is and what checks say.

Usage: watch.py [CONFIG.toml]
"""

import sys
import time
from pathlib import Path

from bartizan import HOST, Agent, Alert, ConfigError, Value

EVERY_S = 5.0
SHOWN_MAX = 20


def show(alert: Alert) -> None:
    """One line."""
    print(f"{alert.at:%H:%M:%S} {alert.severity.name:8} {alert.state.name:8} {alert.rule}: {alert.message}", flush=True)


def told(value: Value) -> str:
    """What cannot be read is no 0: it says why."""
    return f"{value.value:.0f}" if value.value is not None else value.availability.name.lower()


def summary(agent: Agent) -> None:
    """One line for the host, one per VM, as far as a screen goes."""
    vms = agent.vms()
    for change in agent.take_changes():
        finding = change.finding
        print("CHECK", finding.verdict.name, finding.rule, finding.vm or "host", finding.reason)
    print(
        "-- memory available",
        told(agent.read(HOST, "host_memory_available_bytes")),
        "bytes;",
        len(vms),
        "VMs",
        flush=True,
    )
    for vm in vms[:SHOWN_MAX]:
        exits, memory = agent.read_many([(vm, "vm_kvm_exits"), (vm, "vm_memory_resident_bytes")])
        print(f"   {vm.name} ({vm.vmm.name.lower()}, pid {vm.pid}): exits {told(exits)}, bytes resident {told(memory)}")


def main() -> None:
    """Until Ctrl-C."""
    with Agent(Path(sys.argv[1]) if len(sys.argv) > 1 else None) as agent:
        while True:
            due = time.monotonic() + EVERY_S
            # Ends when it is quiet for so long, or is left when it is not: what waits then is not lost.
            for alert in agent.alerts(timeout=EVERY_S):
                show(alert)
                if time.monotonic() >= due:
                    break
            summary(agent)


if __name__ == "__main__":
    try:
        main()
    except ConfigError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass
