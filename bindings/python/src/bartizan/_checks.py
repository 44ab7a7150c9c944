"""The checks of an agent: is each VM really isolated, and is this host really configured as promised?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from ctypes import byref, c_size_t, c_uint32, c_void_p, sizeof
from datetime import date
from typing import Any

from bartizan import _convert, _findings
from bartizan._abi import (
    CheckText,
    btz_accounting,
    btz_check,
    btz_check_state,
    btz_finding,
    btz_waiver,
)
from bartizan._calls import Calls, sized
from bartizan._errors import ArgumentError
from bartizan._findings import Change, CheckRule, CheckState, Finding
from bartizan._library import LIBRARY, check
from bartizan._stream import Changes, ChangeStream, Queue
from bartizan._types import Accounting

_BATCH = 256
_SLICE_S = 0.005


def fetch_changes(raw: c_void_p, count_max: int) -> list[Change]:
    """A batch of changes; they are the caller's from then on."""
    batch, count = (btz_finding * count_max)(), c_size_t()
    check(LIBRARY.btz_agent_check_changes(raw, batch, sizeof(btz_finding), count_max, byref(count)))
    return [_findings.change(batch[place]) for place in range(count.value)]


class Checking(Calls):
    """What an agent's checks can be asked."""

    _changes: Queue[Change]

    def checks(self) -> Iterator[Finding]:
        """Everything that is found now, what passes too: the host's findings first, then VM by VM.

        Fetched in batches. VMs may come and go meanwhile; of those that stay, none is left out or told twice. Before
        the first full run it is not complete: see ``check_state().sweeps``.
        """
        after, count = None, c_size_t()
        while True:
            batch = (btz_finding * _BATCH)()
            with self._handle.entered() as raw:
                call = LIBRARY.btz_agent_findings
                check(call(raw, after, batch, sizeof(btz_finding), _BATCH, byref(count), None))
            for place in range(count.value):
                yield _findings.finding(batch[place])
            if count.value < _BATCH:
                return
            after = byref(batch[count.value - 1])

    def evidence(self, finding: Finding) -> dict[str, Any]:
        """A finding in full, as ``bartizan check --json`` prints it: every facet with its evidence.

        NotFoundError when it is gone.
        """
        rule, pid, start = finding.rule.encode(), finding.pid or 0, finding.start_ticks or 0
        found: dict[str, Any] = json.loads(self._text(LIBRARY.btz_agent_finding, rule, len(rule), pid, start))
        return found

    def check_rules(self) -> list[CheckRule]:
        """The rules that the checks judge by."""
        return [_findings.rule(c) for c in self._list(LIBRARY.btz_agent_checks, btz_check)]

    def explain(self, rule: str) -> dict[str, Any]:
        """A rule in full: what it expects and why, how it is put right, where it comes from.

        NotFoundError when no rule is called so.
        """
        name = rule.encode()
        text = self._text(LIBRARY.btz_agent_check_text, name, len(name), CheckText.JSON)
        told: dict[str, Any] = json.loads(text)
        return told

    # What changes

    def check_fileno(self) -> int:
        """A descriptor that is readable while changes wait: then call ``take_changes()``. Never read or close it."""
        return self._descriptor(LIBRARY.btz_agent_check_fd)

    def take_changes(self) -> list[Change]:
        """All changes that wait now, oldest first. Never waits."""
        taken: list[Change] = []
        while (change := self._changes.next()) is not None:
            taken.append(change)
        return taken

    def check_changes(self, timeout: float | None = None) -> Changes:
        """Changes of findings, one by one, waiting for each.

        timeout: the loop ends when none came for so many seconds; 0 ends it as soon as none waits, None never. It also
        ends when the agent is closed. Several threads may loop; each change goes to one of them.
        """
        return Changes(self, self._changes, timeout)

    def check_stream(self, timeout: float | None = None) -> ChangeStream:
        """The same for asyncio: ``async for change in agent.check_stream():``."""
        return ChangeStream(self, self._changes, timeout)

    def check_accounting(self) -> Accounting:
        """What became of all changes since the agent was made; none is ever suppressed."""
        return _convert.accounting(self._fill(LIBRARY.btz_agent_check_accounting, btz_accounting))

    # Having them run

    def check_state(self) -> CheckState:
        """How far the checks have come, and how many findings there are of each verdict."""
        return _findings.state(self._fill(LIBRARY.btz_agent_check_state, btz_check_state))

    def sweep_checks(self) -> None:
        """Asks for a full run of all checks, soon. What changed is noticed without one."""
        with self._handle.entered() as raw:
            check(LIBRARY.btz_agent_check_sweep(raw))

    def check(self, budget: float = _SLICE_S) -> bool:
        """Works on the checks for about so many seconds, on this thread; whether there is more to do at once.

        Only for programs that drive the agent: every second or so. StateError while the agent's own threads run.
        """
        if not 0 <= budget < float("inf"):
            raise ArgumentError(f"budget must be at least 0 seconds, not {budget!r}")
        more = c_uint32()
        self._do(LIBRARY.btz_agent_check, min(int(budget * 1e9), 2**63), byref(more))
        return bool(more.value)

    def waive(
        self,
        what: Finding | str,
        *,
        owner: str,
        reason: str,
        expires: date | str,
        subject: str | None = None,
        observed: str | None = None,
        ticket: str = "",
    ) -> None:
        """Lets a finding pass: for the value it has, by somebody, until a day. The verdict stays what it is.

        what: a finding, or a rule's name (in which ``*`` stands for anything).
        subject: "host", or a VM's name or UUID; by default that of the finding, or the host.
        expires: the last day it holds.
        observed: the value it is pinned to, as ``evidence(finding)["observed"]``; by default what is found now.

        It holds while this agent lives; one that is to last is written to the waivers' file. ArgumentError when it
        lacks something, NotFoundError when nothing is found there.
        """
        rule = what if isinstance(what, str) else what.rule
        if subject is None:
            subject = "host" if isinstance(what, str) or what.vm is None else str(what.uuid or what.vm)
        texts = {
            "rule": rule,
            "subject": subject,
            "observed": observed,
            "owner": owner,
            "reason": reason,
            "expires": expires if isinstance(expires, str) else expires.isoformat(),
            "ticket": ticket,
        }
        waiver = sized(btz_waiver)
        for name, text in texts.items():
            if text is not None:
                encoded = text.encode()
                setattr(waiver, name, encoded)
                setattr(waiver, f"{name}_length", len(encoded))
        self._do(LIBRARY.btz_agent_waive, byref(waiver))
