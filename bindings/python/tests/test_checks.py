"""What the checks find: listed, changing, waived; about the host and about real VMs."""

from __future__ import annotations

import asyncio
import itertools
import select
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bartizan import (
    HOST,
    Agent,
    ArgumentError,
    Change,
    ChangeKind,
    CheckScope,
    CheckSeverity,
    ClosedError,
    Finding,
    NotFoundError,
    StateError,
    Verdict,
)
from conftest import LONG_S, SMALL, MiniVm, wait_until

StartVm = Callable[..., MiniVm]
RULES = """
[[rule]]
id = "own.file"
title = "Others may not read the file"
severity = "high"
runtime = {{ fact = "path.others:{file}", eq = 0 }}
rationale = "A test."
remediation = "chmod o= file"

[[rule]]
id = "own.vm"
title = "No VM passes"
severity = "low"
scope = "vm"
runtime = {{ fact = "vms.count", eq = 0 }}
rationale = "A test."
remediation = "None."
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "file"
    file.write_text("x", encoding="utf-8")
    file.chmod(0o600)
    return file


@pytest.fixture
def own(file: Path) -> dict[str, Any]:
    """A configuration with two rules more."""
    folder = file.parent / "rules"
    folder.mkdir()
    (folder / "own.toml").write_text(RULES.format(file=file), encoding="utf-8")
    return {**SMALL, "checks": {"folder": str(folder), "waivers": str(file.parent / "waivers")}}


@pytest.fixture
def driven(own: dict[str, Any]) -> Iterator[Agent]:
    """An agent whose checks this program drives, after its first full run."""
    with Agent(own, threads=False) as agent:
        work(agent)
        agent.take_changes()
        yield agent


def work(agent: Agent) -> None:
    while agent.check():
        pass


def found(agent: Agent, rule: str) -> Finding:
    return next(finding for finding in agent.checks() if finding.rule == rule)


def changed(agent: Agent, rule: str) -> Change:
    """The next change of this rule, whatever else changes on this host."""
    told: list[Change] = []

    def look() -> bool:
        work(agent)
        told.extend(change for change in agent.take_changes() if change.finding.rule == rule)
        return bool(told)

    wait_until(look, f"a change of {rule}")
    return told[0]


def test_a_finding_has_all_it_should(driven: Agent, file: Path) -> None:
    finding = found(driven, "own.file")
    assert (finding.verdict, finding.runtime, finding.persisted) == (Verdict.PASS, Verdict.PASS, None)
    assert (finding.severity, finding.scope) == (CheckSeverity.HIGH, CheckScope.HOST)
    assert (finding.vm, finding.pid, finding.uuid, finding.entity) == (None, None, None, HOST)
    assert (finding.open, finding.waived, finding.before, finding.flaps) == (False, None, None, 0)
    evidence = driven.evidence(finding)
    assert evidence["check_id"] == "own.file" and evidence["observed"] == f"path.others:{file}=0"
    assert evidence["facets"][0]["evidence"][0]["source"]
    with pytest.raises(AttributeError):
        finding.rule = "other"  # type: ignore[misc]
    assert len(list(driven.checks())) == len({(f.rule, f.pid) for f in driven.checks()})


def test_rules_are_listed_and_explained(own: dict[str, Any]) -> None:
    with Agent(own, threads=False) as agent:
        # Before any check, too.
        assert list(agent.checks()) == []
        rules = {rule.id: rule for rule in agent.check_rules()}
        mine = rules["own.vm"]
        assert (mine.group, mine.scope, mine.severity) == ("own", CheckScope.VM, CheckSeverity.LOW)
        assert (mine.runtime, mine.persisted) == (True, False)
        told = agent.explain("own.file")
        assert told["remediation"] == "chmod o= file" and told["scope"] == "host"
        assert all(agent.explain(rule)["rationale"] for rule in rules)
        with pytest.raises(NotFoundError):
            agent.explain("own.nothing")


def test_a_chmod_is_a_change_and_a_waiver_never_hides_it(driven: Agent, file: Path) -> None:
    file.chmod(0o604)
    change = changed(driven, "own.file")
    assert (change.kind, change.finding.verdict) == (ChangeKind.VERDICT, Verdict.FAIL)
    assert change.finding.open and change.finding.before is Verdict.PASS and change.finding.flaps == 1
    assert change.finding.changed_at >= change.finding.first_seen
    driven.waive(change.finding, owner="ops@example.com", reason="until the move", expires=date(2999, 12, 31))
    change = changed(driven, "own.file")
    assert (change.kind, change.finding.verdict, change.finding.open) == (ChangeKind.WAIVER, Verdict.FAIL, False)
    assert change.finding.waived is not None
    assert (change.finding.waived.owner, change.finding.waived.expires) == ("ops@example.com", date(2999, 12, 31))
    # Another value is not what was answered for.
    file.chmod(0o606)
    change = changed(driven, "own.file")
    assert (change.kind, change.finding.waived) == (ChangeKind.VALUE, None)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"owner": " "}, ArgumentError),
        ({"expires": "soon"}, ArgumentError),
        ({"subject": "nobody"}, NotFoundError),
        ({"what": "own.nothing"}, NotFoundError),
        ({"observed": ""}, ArgumentError),
    ],
)
def test_a_waiver_that_lacks_something_is_refused(driven: Agent, wrong: dict[str, str], error: type[Exception]) -> None:
    given: dict[str, Any] = {"what": "own.file", "owner": "o", "reason": "r", "expires": "2999-12-31", **wrong}
    with pytest.raises(error):
        driven.waive(given.pop("what"), **given)


def test_accounts_are_exact_and_the_state_counts(driven: Agent, file: Path) -> None:
    for mode in (0o604, 0o600, 0o606):
        file.chmod(mode)
        changed(driven, "own.file")
    accounts = driven.check_accounting()
    assert accounts.produced == accounts.delivered + accounts.dropped + accounts.in_flight
    assert accounts.suppressed == 0 and accounts.delivered >= 3
    state = driven.check_state()
    assert state.enabled and state.sweeps == 1 and state.swept_at is not None and state.facts > 0
    assert state.failed >= 1 and driven.cost().checks_cpu_s > 0
    driven.sweep_checks()
    work(driven)
    assert driven.check_state().sweeps == 2
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ArgumentError):
            driven.check(wrong)


def test_the_loop_ends_when_none_came_in_time_and_when_closed(driven: Agent, file: Path) -> None:
    assert list(driven.check_changes(timeout=0)) == []
    file.chmod(0o604)
    wait_until(lambda: driven.check() or bool(select.select([driven.check_fileno()], [], [], 0)[0]), "a change")
    assert "own.file" in [change.finding.rule for change in driven.check_changes(timeout=0)]
    driven.close()
    for call in (driven.check_changes, driven.check_stream, driven.check_fileno, driven.check_state):
        with pytest.raises(ClosedError):
            call()


def test_a_vm_is_found_and_its_end_told_to_a_thread(own: dict[str, Any], start_vm: StartVm) -> None:
    with Agent(own) as agent:
        with pytest.raises(StateError):
            agent.check()
        mini = start_vm()
        changes = (change for change in agent.check_changes(timeout=LONG_S) if change.finding.vm == mini.name)
        new = next(change for change in changes if change.finding.rule == "own.vm")
        assert (new.kind, new.finding.verdict, new.finding.open) == (ChangeKind.NEW, Verdict.FAIL, True)
        assert (new.finding.pid, new.finding.uuid) == (mini.pid, mini.uuid)
        vm = mini.seen_by(agent)
        finding = next(f for f in agent.checks() if f.rule == "own.vm" and f.pid == mini.pid)
        assert finding.entity == vm.entity and finding.start_ticks == vm.start_ticks
        assert agent.evidence(finding)["subject"]["name"] == mini.name
        # Rules of the library look at it too, and those that compare it with other VMs.
        scopes = {f.scope for f in agent.checks() if f.pid == mini.pid}
        assert CheckScope.VM in scopes and CheckScope.HOST not in scopes
        mini.kill()
        gone = next(c for c in changes if c.finding.rule == "own.vm" and c.kind is ChangeKind.GONE)
        assert gone.finding.pid == mini.pid and gone.sequence > new.sequence
        wait_until(lambda: all(f.pid != mini.pid for f in agent.checks()), "no more findings about it")
        with pytest.raises(NotFoundError):
            agent.evidence(finding)


def test_a_chmod_is_told_to_asyncio(own: dict[str, Any], file: Path) -> None:
    async def run() -> list[Change]:
        with Agent(own) as agent:
            while agent.check_state().sweeps == 0:
                await asyncio.sleep(0.01)
            file.chmod(0o604)
            told: list[Change] = []
            async for change in agent.check_stream(timeout=LONG_S):
                if change.finding.rule == "own.file":
                    told.append(change)
                    if len(told) == 2:
                        break
                    file.chmod(0o600)
            return told

    told = asyncio.run(run())
    assert [change.finding.verdict for change in told] == [Verdict.FAIL, Verdict.PASS]
    assert all(a.sequence < b.sequence for a, b in itertools.pairwise(told))
