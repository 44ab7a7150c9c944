"""Bartizan: an embedded host security agent for hypervisor hosts.

    from bartizan import Agent, Metric

    with Agent() as agent:
        for alert in agent.alerts():
            print(alert.at, alert.severity.name, alert.message)

        for finding in agent.checks():
            if finding.open:
                print(finding.vm or "host", finding.rule, finding.reason)

Everything that public functions take and return is importable from here. The names of the module mean the same as in
``bartizan.h``, which says more about each.
"""

from bartizan._abi import (
    AgentState,
    AlertState,
    Availability,
    ChangeKind,
    CheckScope,
    CheckSeverity,
    DiskHealth,
    Kind,
    LastRun,
    RecordKind,
    RuleKind,
    Scope,
    Severity,
    Status,
    Unit,
    Verdict,
    Verified,
    Vmm,
)
from bartizan._client import Agent
from bartizan._config import Config, ConfigSource
from bartizan._errors import (
    ArgumentError,
    BartizanError,
    BusyError,
    ClosedError,
    ConfigError,
    DamagedError,
    DiskError,
    FaultedError,
    ForkedError,
    LedgerFullError,
    LibraryError,
    LockedError,
    NotFoundError,
    OutOfMemoryError,
    ResourceError,
    RestartRequiredError,
    StateError,
    StopTimeoutError,
)
from bartizan._findings import Change, CheckRule, CheckState, Finding, Waived
from bartizan._ledger import Ledger, read_ledger, verify_ledger
from bartizan._library import library_version
from bartizan._metrics import Metric, Source
from bartizan._records import LedgerReport, LedgerStatus, Record
from bartizan._stream import Alerts, AlertStream, Changes, ChangeStream
from bartizan._types import (
    AGENT,
    HOST,
    Accounting,
    Alert,
    Cost,
    Entity,
    MetricInfo,
    Part,
    Point,
    Readable,
    Rule,
    SourceReport,
    Tick,
    Value,
    Vm,
)

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "Config",
    "ConfigSource",
    "Metric",
    "HOST",
    "AGENT",
    "Alert",
    "Alerts",
    "AlertStream",
    "Change",
    "Changes",
    "ChangeStream",
    "CheckRule",
    "CheckState",
    "Finding",
    "Waived",
    "Ledger",
    "LedgerReport",
    "LedgerStatus",
    "Record",
    "read_ledger",
    "verify_ledger",
    "Accounting",
    "Cost",
    "Entity",
    "MetricInfo",
    "Part",
    "Point",
    "Readable",
    "Rule",
    "SourceReport",
    "Tick",
    "Value",
    "Vm",
    "AgentState",
    "AlertState",
    "Availability",
    "ChangeKind",
    "CheckScope",
    "CheckSeverity",
    "DiskHealth",
    "Kind",
    "LastRun",
    "RecordKind",
    "RuleKind",
    "Scope",
    "Severity",
    "Source",
    "Status",
    "Unit",
    "Verdict",
    "Verified",
    "Vmm",
    "BartizanError",
    "ArgumentError",
    "BusyError",
    "ClosedError",
    "ConfigError",
    "DamagedError",
    "DiskError",
    "FaultedError",
    "ForkedError",
    "LedgerFullError",
    "LibraryError",
    "LockedError",
    "NotFoundError",
    "OutOfMemoryError",
    "ResourceError",
    "RestartRequiredError",
    "StateError",
    "StopTimeoutError",
    "library_version",
    "__version__",
]
