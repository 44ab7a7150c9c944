#!/usr/bin/env python3
"""The same with asyncio: alerts are handled beside whatever else the program does.

Usage: watch_async.py [CONFIG.toml]
"""

import asyncio
import signal
import sys
from pathlib import Path

from bartizan import Agent, ConfigError

EVERY_S = 5.0


async def alerts(agent: Agent) -> None:
    """Until the agent is closed."""
    async for alert in agent.stream():
        print(f"{alert.at:%H:%M:%S} {alert.severity.name:8} {alert.state.name:8} {alert.message}", flush=True)


async def accounts(agent: Agent) -> None:
    """Nothing is lost unnoticed: says so, and what watching costs."""
    while True:
        await asyncio.sleep(EVERY_S)
        told, cost = agent.accounting(), agent.cost()
        print(
            f"-- {len(agent.vms())} VMs; alerts: {told.produced} produced = {told.delivered} delivered + "
            f"{told.suppressed} suppressed + {told.dropped} dropped + {told.in_flight} in flight; "
            f"{cost.cpu_ratio:.2%} of a core",
            flush=True,
        )


async def main() -> None:
    """Until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with Agent(Path(sys.argv[1]) if len(sys.argv) > 1 else None) as agent:
        tasks = [asyncio.create_task(work) for work in (alerts(agent), accounts(agent), until(stop))]
        done, running = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for task in done:
            task.result()


async def until(stop: asyncio.Event) -> None:
    """Until somebody sets it."""
    await stop.wait()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except ConfigError as error:
        sys.exit(str(error))
