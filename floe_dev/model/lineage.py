"""What was made from what, and the join: asset, run, trace and snapshot, each found from any other."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from floe_dev.model.base import Model


class LineageEvent(Model):
    """One OpenLineage event as it was received; `body` is the whole document."""

    time: float
    #: START | RUNNING | COMPLETE | ABORT | FAIL | OTHER
    event_type: str
    run_id: str
    job: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    body: dict[str, Any] = Field(default_factory=dict)


class LineageEdge(Model):
    """`source` was read to make `target`; both are `namespace.name` of the catalog."""

    source: str
    target: str
    job: str = ""
    #: Seconds since the epoch when this was last seen to happen.
    seen_at: float = 0.0


class ColumnEdge(Model):
    """A column that another one is made from, where a producer told so (floe itself never parses SQL)."""

    source: str
    source_column: str
    target: str
    target_column: str


class LineageGraph(Model):
    """The datasets around one, `focus`, with the edges between them."""

    focus: str
    datasets: tuple[str, ...]
    edges: tuple[LineageEdge, ...]
    columns: tuple[ColumnEdge, ...] = ()


class RunLink(Model):
    """One Dagster run in the join; times are seconds since the epoch."""

    run_id: str
    trace_id: str | None = None
    #: success | failure | canceled | running | unknown
    status: str = "unknown"
    started_at: float | None = None
    ended_at: float | None = None
    assets: tuple[str, ...] = ()
    #: False where only the trace or a snapshot's stamp remembers it; None where Dagster could not be asked.
    in_dagster: bool | None = None


class SnapshotLink(Model):
    """One Iceberg snapshot in the join: what it changed, and the stamp that says who made it."""

    table: str
    snapshot_id: int
    #: Its place in the table's history, from 1; None once it has expired.
    number: int | None = None
    #: Milliseconds since the epoch.
    committed_ms: int
    operation: str = ""
    rows_added: int | None = None
    rows_removed: int | None = None
    files_added: int | None = None
    files_removed: int | None = None
    bytes_added: int | None = None
    bytes_removed: int | None = None
    schema_changed: bool = False
    run_id: str | None = None
    trace_id: str | None = None
    asset: str | None = None
    dbt_node: str | None = None
    dbt_checksum: str | None = None
    principal: str | None = None
    git_commit: str | None = None
    git_dirty: bool | None = None
    #: The run was concluded from commit time and table, since the snapshot carries no stamp.
    inferred: bool = False
    #: Gone from the table's metadata; known from the trace alone.
    expired: bool = False


class Links(Model):
    """Everything that hangs together with one asset, run, trace or snapshot; newest first."""

    assets: tuple[str, ...] = ()
    runs: tuple[RunLink, ...] = ()
    traces: tuple[str, ...] = ()
    snapshots: tuple[SnapshotLink, ...] = ()


class BlamedColumn(Model):
    """One column's value in one row, and the snapshot that last changed it."""

    column: str
    value: Any = None
    snapshot: SnapshotLink | None = None
    #: True where the value is as old as the oldest snapshot that is kept: it may be older.
    oldest_known: bool = False
