#!/usr/bin/env python3
"""Records an event of this program's own, and every alert before it is told; then verifies the whole.

Usage: record.py FOLDER [SECONDS]
"""

import socket
import sys

from bartizan import Agent, BartizanError, Ledger, verify_ledger


def main() -> None:
    """For a while."""
    folder, seconds = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
    with Ledger(folder, f"bartizan/{socket.gethostname()}") as ledger, Agent() as agent:
        key = ledger.key
        agent.record(ledger)  # from here on alerts and findings are durable before they are handed out
        ledger.wait(ledger.append("watching begins"))
        for alert in agent.alerts(timeout=seconds):
            print(alert.severity.name, alert.message)
        agent.record(None)
    report = verify_ledger(folder, key)
    print(f"{report.outcome.name}: records {report.first} to {report.next - 1} {report.what}")


if __name__ == "__main__":
    try:
        main()
    except BartizanError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        pass
