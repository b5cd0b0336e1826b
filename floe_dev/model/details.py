"""What a detail screen of the dashboard shows: fetched when it is opened, thrown away when it is left."""

from __future__ import annotations

from dataclasses import dataclass, field

from floe_dev.model.commands import RunRequest
from floe_dev.model.state import ENDED


@dataclass(frozen=True, slots=True)
class Materialization:
    """One materialization of an asset, or a run that was to make it; `at` in seconds since the epoch."""

    run_id: str
    at: float
    partition: str | None = None
    #: `done`, or what the run came to that did not make it: failure, canceled, or that of a run that goes on.
    state: str = "done"


@dataclass(frozen=True, slots=True)
class CheckView:
    """A check of an asset and its last outcome: pass, fail, warning, running or missing."""

    name: str
    state: str
    description: str = ""
    at: float | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class ColumnView:
    """A column of a table or an asset."""

    name: str
    type: str
    required: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class AssetDetail:
    """One asset as Dagster knows it."""

    key: str
    description: str = ""
    group: str = ""
    kinds: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()
    downstream: tuple[str, ...] = ()
    checks: tuple[CheckView, ...] = ()
    history: tuple[Materialization, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    columns: tuple[ColumnView, ...] = ()
    partitions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SnapshotView:
    """One snapshot; counts of its summary, None where the writer left them out; `at` in seconds since the epoch.

    `parent_id` is the one it was written on: after a roll back not the one with the number before.
    """

    snapshot_id: int
    number: int
    at: float
    operation: str
    current: bool = False
    rows: int | None = None
    added_rows: int | None = None
    deleted_rows: int | None = None
    added_files: int | None = None
    deleted_files: int | None = None
    run_id: str | None = None
    trace_id: str | None = None
    node: str | None = None
    columns: tuple[str, ...] = ()
    summary: dict[str, str] = field(default_factory=dict)
    parent_id: int | None = None


@dataclass(frozen=True, slots=True)
class FileView:
    """A file of the current snapshot; `size` in bytes."""

    path: str
    content: str
    rows: int
    size: int
    partition: str = ""


@dataclass(frozen=True, slots=True)
class PartitionView:
    """The files of one partition value together; `size` in bytes."""

    value: str
    files: int
    rows: int
    size: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What a container uses: bytes of memory, percent of one processor."""

    memory: int
    cpu: float


@dataclass(frozen=True, slots=True)
class TableDetail:
    """One table or view from its metadata."""

    identifier: str
    kind: str
    location: str
    uuid: str
    format_version: int
    columns: tuple[ColumnView, ...] = ()
    #: (schema id, what changed against the one before), oldest first.
    schema_history: tuple[tuple[int, tuple[str, ...]], ...] = ()
    snapshots: tuple[SnapshotView, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    sql: str = ""


@dataclass(frozen=True, slots=True)
class TableFiles:
    """What the manifests of a table's current snapshot say."""

    files: tuple[FileView, ...] = ()
    partitions: tuple[PartitionView, ...] = ()


@dataclass(frozen=True, slots=True)
class StepView:
    """A step or asset of a run: waiting, running, done, failed, skipped or canceled; `started_at` since the epoch."""

    name: str
    state: str
    started_at: float | None = None
    seconds: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a run's or a trace's log; `at` in seconds since the epoch."""

    at: float
    level: str
    text: str
    step: str = ""


@dataclass(frozen=True, slots=True)
class RunDetail:
    """One run with its steps and its events."""

    run_id: str
    status: str
    job: str
    started_at: float | None
    ended_at: float | None
    steps: tuple[StepView, ...] = ()
    log: tuple[LogLine, ...] = ()
    #: (asset or check, why it failed, file with the whole log).
    failures: tuple[tuple[str, str, str], ...] = ()
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def over(self) -> bool:
        """Whether nothing of it can change any more."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True)
class TickView:
    """One look of a schedule or a sensor: done (it asked for runs), skipped or failed; `told` says why."""

    at: float
    state: str
    run_ids: tuple[str, ...] = ()
    told: str = ""


@dataclass(frozen=True, slots=True)
class BackfillPartition:
    """One partition of a backfill with its run's state; `run_id` empty before it has one."""

    partition: str
    state: str
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class AutomationDetail:
    """A schedule's or a sensor's latest ticks, or a backfill's partitions; newest first."""

    description: str = ""
    ticks: tuple[TickView, ...] = ()
    partitions: tuple[BackfillPartition, ...] = ()
    #: The runs of a backfill: (id, state, began at).
    runs: tuple[tuple[str, str, float | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a schedule or a sensor would start now; nothing was started."""

    requests: tuple[RunRequest, ...] = ()
    skipped: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """The answer to a query: every value as text, cut at a length that a screen can hold."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    seconds: float
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Lines of a log file; `position` is where the next request goes on, in bytes."""

    lines: tuple[str, ...]
    position: int
    #: The file was replaced or shortened: what was shown before belongs to an older one.
    restarted: bool = False
