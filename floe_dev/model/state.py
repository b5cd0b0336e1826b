"""The dashboard's picture of a stack: one frozen `State`, a slice for each source, each with the time it was true.

Small on purpose: spans, log lines and rows of tables are fetched when somebody looks at them, never kept here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from floe_dev.errors import FloeError
from floe_dev.model.status import ServiceStatus, StepStatus
from floe_dev.model.traces import TraceSummary

T = TypeVar("T")
#: The statuses of a run of which nothing can change any more.
ENDED = ("success", "failure", "canceled")


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """What one source said last; times are seconds since the epoch."""

    items: tuple[T, ...] = ()
    #: When the source answered last; None before its first answer.
    as_of: float | None = None
    #: Since when it does not answer, and why; None while it does.
    stale_since: float | None = None
    reason: str | None = None
    #: Grows whenever `items` change.
    revision: int = 0

    @property
    def loading(self) -> bool:
        """Nothing was heard of the source yet, good or bad."""
        return self.as_of is None and self.stale_since is None


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A service and what it uses; `memory` in bytes, `cpu` in percent of one processor."""

    status: ServiceStatus
    memory: int | None = None
    cpu: float | None = None


@dataclass(frozen=True, slots=True)
class AssetView:
    """An asset in the list; `state` is fresh, stale, missing, running, failed or source (nothing here makes it)."""

    key: str
    group: str
    state: str
    kinds: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    materialized_at: float | None = None
    last_run: str | None = None
    seconds: float | None = None
    checks_passed: int = 0
    checks_total: int = 0
    partitions_done: int = 0
    partitions_total: int = 0
    partitioned: bool = False


@dataclass(frozen=True, slots=True)
class RunView:
    """A run in the list; `status` in lower case as Dagster says it (success, failure, started, canceled …)."""

    run_id: str
    job: str
    status: str
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    assets: tuple[str, ...] = ()
    started_by: str = ""
    parent: str | None = None

    @property
    def over(self) -> bool:
        """Whether nothing of it can change any more."""
        return self.status in ENDED

    def seconds(self, now: float) -> float | None:
        """How long it took, or takes until `now`; None before it began."""
        return None if self.started_at is None else max(0.0, (self.ended_at or now) - self.started_at)


@dataclass(frozen=True, slots=True)
class TableView:
    """A table in the list; None where the metadata does not say."""

    identifier: str
    kind: str
    rows: int | None = None
    bytes: int | None = None
    files: int | None = None
    snapshots: int = 0
    snapshot_id: int | None = None
    operation: str = ""
    updated_at: float | None = None
    run_id: str | None = None
    trace_id: str | None = None
    writer: str = ""


@dataclass(frozen=True, slots=True)
class AutomationView:
    """A schedule, a sensor or a backfill; times in seconds since the epoch."""

    name: str
    kind: str
    state: str
    #: Cron expression, interval or number of partitions.
    when: str = ""
    target: str = ""
    last_at: float | None = None
    next_at: float | None = None
    error: str | None = None
    #: What Dagster wants to hear to stop it.
    selector: str = ""


@dataclass(frozen=True, slots=True)
class StackView:
    """The stack as a whole; `phase` is connecting, down, starting, ready, degraded, stopping or failed."""

    project: str = ""
    stack: str = ""
    phase: str = "connecting"
    started_at: float | None = None
    steps: tuple[StepStatus, ...] = ()
    notices: tuple[str, ...] = ()
    urls: dict[str, str] = field(default_factory=dict)
    error: FloeError | None = None
    #: Why the last saved code does not load, while the one before runs on.
    reload_error: str | None = None


@dataclass(frozen=True, slots=True)
class State:
    """Everything the dashboard shows; `version` grows with every change."""

    version: int = 0
    stack: StackView = StackView()
    services: Slice[ServiceView] = Slice()
    assets: Slice[AssetView] = Slice()
    runs: Slice[RunView] = Slice()
    tables: Slice[TableView] = Slice()
    traces: Slice[TraceSummary] = Slice()
    automations: Slice[AutomationView] = Slice()

    @property
    def loaded(self) -> bool:
        """Every source has answered, good or bad."""
        slices: tuple[Slice[Any], ...] = tuple(getattr(self, name) for name in SLICES)
        return not any(one.loading for one in slices)


#: The names of the slices.
SLICES = ("services", "assets", "runs", "tables", "traces", "automations")
