"""The agent."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from ctypes import byref, c_size_t, c_uint64, c_void_p, sizeof
from types import TracebackType

from bartizan import _convert
from bartizan._abi import (
    BTZ_ABI_VERSION,
    BTZ_HOLD_MS_MAX,
    AgentState,
    Scope,
    btz_accounting,
    btz_alert,
    btz_cost,
    btz_metric,
    btz_part,
    btz_point,
    btz_query,
    btz_rule,
    btz_source,
    btz_tick,
    btz_value,
    btz_vm,
)
from bartizan._calls import sized
from bartizan._checks import Checking, fetch_changes
from bartizan._config import ConfigSource, history_ticks, open_config
from bartizan._errors import ArgumentError, NotFoundError
from bartizan._handle import Handle
from bartizan._ledger import Ledger
from bartizan._library import LIBRARY, ErrorText, check
from bartizan._metrics import Metric
from bartizan._stream import Alerts, AlertStream, Queue
from bartizan._types import (
    HOST,
    Accounting,
    Alert,
    Cost,
    MetricInfo,
    Part,
    Point,
    Readable,
    Rule,
    SourceReport,
    Tick,
    Value,
    Vm,
    entity_of,
)

_TIMEOUT_S = 5.0
_HOLD_S_MAX = BTZ_HOLD_MS_MAX / 1000


class Agent(Checking):
    """Watches this host and its virtual machines.

    ``with Agent() as agent:`` starts threads of the library's own (they run no Python) and closes the agent at the end.
    With ``threads=False`` nothing is started, and the program drives the agent: ``maintain()`` once, then
    ``step()`` at each ``deadline``, and ``maintain()`` again whenever ``maintenance_fileno()`` is readable.

    All methods may be called from any thread. Where one excludes another, BusyError is raised and nothing is done.
    """

    def __init__(self, config: ConfigSource = None, *, threads: bool = True) -> None:
        """Makes an agent that does nothing yet; all memory for sampling is set aside here.

        config: None for the defaults, TOML text, a path, a mapping as the TOML would parse, or a Config.
        threads: whether ``with`` starts the agent's own threads.
        """
        self._threads = threads
        raw, error = c_void_p(), ErrorText()
        with open_config(config) as handle:
            self._history_ticks = history_ticks(handle)
            error.check(LIBRARY.btz_agent_new(BTZ_ABI_VERSION, handle, byref(raw), error.pointer))
        self._handle = Handle(raw)
        self._queue = Queue(self._handle, LIBRARY.btz_agent_alert_fd, _fetch_alerts)
        self._changes = Queue(self._handle, LIBRARY.btz_agent_check_fd, fetch_changes)

    def __enter__(self) -> Agent:
        """Starts the agent's own threads, unless made with ``threads=False`` or started already."""
        if self._threads and self.state != AgentState.RUNNING:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the agent."""
        self.close()

    def __del__(self) -> None:
        """Only warns: freeing waits for threads, which the garbage collector must not."""
        handle = getattr(self, "_handle", None)
        if handle is not None and not handle.closed and not handle.inherited:
            warnings.warn(f"unclosed {self!r}: use 'with' or close()", ResourceWarning, stacklevel=2, source=self)

    def __repr__(self) -> str:
        """Open or closed."""
        return f"<bartizan.Agent {'closed' if self._handle.closed else 'open'}>"

    # Its life

    def record(self, ledger: Ledger | None, hold: float = 0.25) -> None:
        """Records every alert and change in a ledger before it is handed out.

        hold: each is held back until it is durable, but no longer than so many seconds, at most 10: on a disk that
        hangs what happened must still be told. What left that way is counted in ``ledger.status().left_early``.
        None detaches; the ledger can be closed only then, or when the agent is closed.
        """
        if not 0 <= hold <= _HOLD_S_MAX:
            raise ArgumentError(f"hold must be 0 to {_HOLD_S_MAX:.0f} seconds, not {hold!r}")
        if ledger is None:
            self._do(LIBRARY.btz_agent_record, None, 0)
            return
        with ledger.entered() as raw:
            self._do(LIBRARY.btz_agent_record, raw, int(hold * 1000))

    def start(self) -> None:
        """Starts the agent's own threads: one samples, one does what may block, one checks.

        StateError when they run already.
        """
        self._do(LIBRARY.btz_agent_start)

    def stop(self, timeout: float = _TIMEOUT_S) -> None:
        """Ends the agent's own threads. What it knows can still be read, and it can be started again.

        StopTimeoutError: the threads did not end within so many seconds; they will, call again.
        """
        if not timeout >= 0:
            raise ArgumentError(f"timeout must be at least 0 seconds, not {timeout!r}")
        self._do(LIBRARY.btz_agent_stop, min(int(timeout * 1000), 2**32 - 1))

    def close(self) -> None:
        """Ends the threads and frees everything. May be called again; nothing else may.

        Whoever waits in alerts(), stream(), check_changes() or check_stream() is woken and finds the end. In a child
        process only the child's own descriptors are closed.
        """
        self._handle.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._handle.closed

    def reload(self, config: ConfigSource) -> None:
        """Puts another configuration into force, or raises and keeps the old one, whole.

        RestartRequiredError when it differs in what is fixed when an agent is made: limits and roots.
        """
        with open_config(config) as handle:
            self._do(LIBRARY.btz_agent_reload, handle)

    # Driven by the program

    def step(self) -> None:
        """Runs one tick now, on this thread. StateError while the agent's own threads run."""
        self._do(LIBRARY.btz_agent_step)

    def maintain(self) -> None:
        """Does what is due and may block, on this thread: finds VMs, opens their files, asks monitors."""
        self._do(LIBRARY.btz_agent_maintain)

    @property
    def deadline(self) -> float:
        """When step() is due, on the clock of time.monotonic()."""
        deadline = c_uint64()
        with self._handle.entered() as raw:
            check(LIBRARY.btz_agent_deadline(raw, byref(deadline)))
        return deadline.value / 1e9

    def maintenance_fileno(self) -> int:
        """A descriptor that is readable when maintain() has something to do. Poll it; never read or close it."""
        return self._descriptor(LIBRARY.btz_agent_maintenance_fd)

    # Alerts

    def fileno(self) -> int:
        """A descriptor that is readable while alerts wait, for a loop of one's own: then call ``take()``.

        Poll it; never read or close it. alerts() and stream() fetch in batches: what they fetched and did not hand out
        is in take(), but no longer makes this readable.
        """
        return self._descriptor(LIBRARY.btz_agent_alert_fd)

    def take(self) -> list[Alert]:
        """All alerts that wait now, oldest first. Never waits."""
        taken: list[Alert] = []
        while (alert := self._queue.next()) is not None:
            taken.append(alert)
        return taken

    def alerts(self, timeout: float | None = None) -> Alerts:
        """Alerts, one by one, waiting for each.

        timeout: the loop ends when no alert came for so many seconds; 0 ends it as soon as none waits, None never. It
        also ends when the agent is closed. Several threads may loop; each alert goes to one of them.
        """
        return Alerts(self, self._queue, timeout)

    def stream(self, timeout: float | None = None) -> AlertStream:
        """The same for asyncio: ``async for alert in agent.stream():``."""
        return AlertStream(self, self._queue, timeout)

    def accounting(self) -> Accounting:
        """What became of all alerts since the agent was made."""
        return _convert.accounting(self._fill(LIBRARY.btz_agent_accounting, btz_accounting))

    # What there is

    def vms(self) -> list[Vm]:
        """The VMs that are watched now."""
        return [_convert.vm(c) for c in self._list(LIBRARY.btz_agent_vms, btz_vm)]

    def parts(self, whole: Readable = HOST) -> list[Part]:
        """The parts of a VM, or of the host. NotFoundError when the VM is gone."""
        return [_convert.part(c) for c in self._list(LIBRARY.btz_agent_parts, btz_part, entity_of(whole))]

    def sources(self, whole: Readable = HOST) -> list[SourceReport]:
        """How each source of a VM or of the host is read, at which tier, and why not better."""
        return [_convert.source(c) for c in self._list(LIBRARY.btz_agent_sources, btz_source, entity_of(whole))]

    def rules(self) -> list[Rule]:
        """The rules that alerts come from, and those that are switched off."""
        return [_convert.rule(c) for c in self._list(LIBRARY.btz_agent_rules, btz_rule)]

    @staticmethod
    def metrics() -> list[MetricInfo]:
        """All metrics there are."""
        found = []
        for place in range(LIBRARY.btz_metric_count()):
            described = sized(btz_metric)
            check(LIBRARY.btz_metric_at(place, byref(described)))
            found.append(_convert.metric(described))
        return found

    # Values

    def read(self, of: Readable, metric: Metric | str) -> Value:
        """The latest value of one metric of one thing.

        ArgumentError when the metric is of another kind of thing, NotFoundError when there is no such metric. What is
        gone, denied, unsupported or not yet read is no error but says so in ``availability``.
        """
        entity, number = entity_of(of), _metric_of(metric)
        _refuse_wrong_scope(entity, number)
        c = self._fill(LIBRARY.btz_agent_read, btz_value, entity, number)
        return _convert.value(number, c)

    def read_many(self, queries: Iterable[tuple[Readable, Metric | str]]) -> list[Value]:
        """Many values with one call, in the order of the queries. Neighbours of one thing are of one instant."""
        wanted = [(entity_of(of), _metric_of(metric)) for of, metric in queries]
        for entity, number in wanted:
            _refuse_wrong_scope(entity, number)
        asked = (btz_query * len(wanted))(*(btz_query(entity, number) for entity, number in wanted))
        values = (btz_value * len(wanted))()
        with self._handle.entered() as raw:
            check(LIBRARY.btz_agent_read_many(raw, asked, len(wanted), values, sizeof(btz_value)))
        return [_convert.value(number, c) for (_, number), c in zip(wanted, values, strict=True)]

    def history(self, of: Readable, metric: Metric | str, ticks: int | None = None) -> list[Point]:
        """The last values of one metric, oldest first: as many as the flight recorder holds, or ``ticks``.

        Empty when the metric is not kept. What died stays readable for as long as the recorder reaches back.
        """
        entity, number = entity_of(of), _metric_of(metric)
        _refuse_wrong_scope(entity, number)
        room = self._history_ticks if ticks is None else min(ticks, self._history_ticks)
        if room < 0:
            raise ArgumentError(f"ticks must not be negative, but is {ticks}")
        points, count = (btz_point * room)(), c_size_t()
        with self._handle.entered() as raw:
            call = LIBRARY.btz_agent_history
            check(call(raw, entity, number, points, sizeof(btz_point), room, byref(count)))
        return [_convert.point(points[place]) for place in range(count.value)]

    def tick(self) -> Tick | None:
        """The last tick that was completed; None before the first."""
        return _convert.tick(self._fill(LIBRARY.btz_agent_tick, btz_tick))

    def cost(self) -> Cost:
        """What the agent costs, and what it had to leave out."""
        return _convert.cost(self._fill(LIBRARY.btz_agent_cost, btz_cost))


def _fetch_alerts(raw: c_void_p, count_max: int) -> list[Alert]:
    batch, count = (btz_alert * count_max)(), c_size_t()
    check(LIBRARY.btz_agent_alerts(raw, batch, sizeof(btz_alert), count_max, byref(count)))
    return [_convert.alert(batch[place]) for place in range(count.value)]


def _metric_of(metric: Metric | str) -> int:
    if not isinstance(metric, str):
        return int(metric)
    name, described = metric.encode(), sized(btz_metric)
    status = LIBRARY.btz_metric_by_name(name, len(name), byref(described))
    if status < 0:
        raise NotFoundError(f"there is no metric {metric!r}; Agent.metrics() lists them")
    return int(described.id)


def _refuse_wrong_scope(entity: int, number: int) -> None:
    """The library reads such a thing as UNSUPPORTED; here it is a mistake of the program's, and told as one."""
    scope = LIBRARY.btz_entity_scope(entity)
    wanted = number // 1000
    if scope != wanted:
        known = Scope(scope).name if scope else "nothing: it is no entity"
        raise ArgumentError(f"{Metric(number).name} is a metric of {Scope(wanted).name}, this is {known}")
