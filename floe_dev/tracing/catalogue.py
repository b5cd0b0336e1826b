"""Every span and attribute that floe records: the reference page is generated from it, a test holds runs to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class SpanKind:
    """One kind of span. In `name`, words in capitals stand for what differs from span to span."""

    services: tuple[str, ...]
    name: str
    meaning: str
    attributes: tuple[str, ...] = ()
    #: OpenTelemetry's span kind.
    kind: str = "internal"

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\b[A-Z]+\b", ".+", re.escape(self.name)))

    def covers(self, service: str, name: str) -> bool:
        """Whether a span of that name by that service is of this kind."""
        return service in self.services and self._pattern.fullmatch(name) is not None


#: Attributes by their key: what they hold. `db.*` and `http.*` are OpenTelemetry's semantic conventions.
ATTRIBUTES: dict[str, str] = {
    "db.collection.name": "table, `namespace.name`",
    "db.namespace": "namespace of the table",
    "db.operation.name": "`write`, `read`, or dbt's materialization",
    "db.system.name": "the engine: `duckdb`",
    "floe.asset": "asset key, such as `gold/metrics`; indexed",
    "floe.assets": "asset keys, of a step that makes several; indexed",
    "floe.bytes": "bytes written",
    "floe.catalog.table": "table a request or a client's part of a write is about",
    "floe.command": "the command's name; its arguments are never recorded",
    "floe.dbt.command": "dbt's command, such as `build`",
    "floe.dbt.compiled": "the node's compiled SQL file, below dbt's target folder",
    "floe.dbt.failures": "rows that failed a test",
    "floe.dbt.invocation_id": "dbt's invocation id",
    "floe.dbt.materialized": "the node's materialization",
    "floe.dbt.node": "the node's unique id, such as `model.shop.metrics`",
    "floe.dbt.resource_type": "model, seed, snapshot, test, unit_test, operation, exposure …",
    "floe.dbt.status": "dbt's status: success, error, skipped, pass, fail, warn, no-op",
    "floe.depends_on": "services and steps that had to be ready before",
    "floe.exit_code": "exit code of the command",
    "floe.files": "data files added",
    "floe.files_removed": "data files removed",
    "floe.instance": "the stack's instance",
    "floe.operation": "Iceberg's operation: append, overwrite, replace, delete",
    "floe.principal": "name of the principal that the catalog knew the request by; indexed",
    "floe.rows": "rows written or read",
    "floe.rows_removed": "rows removed",
    "floe.run.id": "Dagster's run id; indexed",
    "floe.run.job": "Dagster's job",
    "floe.run.outcome": "success, failure, canceled, killed; indexed",
    "floe.run.started_by": "what launched it: Dagster's tag `floe/started_by`",
    "floe.service": "service that was started",
    "floe.snapshot": "snapshot id, as text since it needs 64 bits; indexed",
    "floe.stack": "the stack's name",
    "floe.step": "step of the run, or of the start",
    "floe.step.outcome": "success, failure, skipped, up_for_retry, canceled",
    "floe.step.try": "number of the try, from the second",
    "floe.table": "table whose content changed, `namespace.name`; indexed",
    "floe.tables": "tables of a commit that changed several at once",
    "floe.write.conflicts": "commits that lost against another writer and were made again",
    "http.request.method": "method",
    "http.response.status_code": "status",
    "http.route": "route of the Iceberg REST specification",
}

#: Attributes of the process, on every span of it.
RESOURCE: dict[str, str] = {
    "service.name": "`dagster-run`, `dbt`, `catalog`, `supervisor`, `floe`",
    "process.pid": "process id",
    "floe.run.id": "Dagster's run id, in the processes of a run; indexed",
    "floe.stack": "the stack's name, in the supervisor",
}

_WRITTEN = ("floe.rows", "floe.bytes", "floe.files", "floe.snapshot")
_HTTP = ("http.request.method", "http.route", "http.response.status_code", "floe.principal", "floe.catalog.table")
_DBT_NODE = (
    *("floe.dbt.node", "floe.dbt.resource_type", "floe.dbt.materialized", "floe.dbt.status", "floe.dbt.failures"),
    *("floe.dbt.invocation_id", "floe.dbt.compiled", "floe.asset", "floe.table", *_WRITTEN),
    *("db.system.name", "db.namespace", "db.collection.name", "db.operation.name"),
)

SPANS: tuple[SpanKind, ...] = (
    SpanKind(
        ("dagster-run",),
        "run",
        "a Dagster run; of a job with a name `run JOB`",
        ("floe.run.id", "floe.run.job", "floe.run.outcome", "floe.run.started_by"),
    ),
    SpanKind(
        ("dagster-run",),
        "run JOB",
        "a run of that job",
        ("floe.run.id", "floe.run.job", "floe.run.outcome", "floe.run.started_by"),
    ),
    SpanKind(
        ("dagster-run",),
        "step KEY",
        "one try of a step, from STEP_START to its end",
        ("floe.step", "floe.step.outcome", "floe.step.try", "floe.asset", "floe.assets"),
    ),
    SpanKind(
        ("dagster-run", "dbt"),
        "write TABLE",
        "a table's new content, from the query to the commit",
        (
            *("floe.catalog.table", "db.system.name", "db.collection.name", "db.operation.name"),
            *("floe.table", *_WRITTEN, "floe.write.conflicts"),
        ),
        "client",
    ),
    SpanKind(("dagster-run", "dbt"), "write files", "the query, and its result as Parquet files"),
    SpanKind(("dagster-run", "dbt"), "commit", "the client's side of the commit"),
    SpanKind(
        ("dagster-run",),
        "read TABLE",
        "a table that the IO manager loaded",
        ("floe.catalog.table", "db.system.name", "db.collection.name", "db.operation.name", "floe.rows"),
        "client",
    ),
    SpanKind(("dbt",), "dbt COMMAND", "an invocation of dbt", ("floe.dbt.invocation_id", "floe.dbt.command")),
    *(
        SpanKind(("dbt",), f"{resource_type} NAME", meaning, _DBT_NODE)
        for resource_type, meaning in (
            ("model", "a model"),
            ("seed", "a seed"),
            ("snapshot", "a snapshot in dbt's sense"),
            ("test", "a test"),
            ("unit_test", "a unit test"),
            ("operation", "an operation, such as a hook"),
            ("exposure", "an exposure, which dbt only mentions"),
            ("saved_query", "a saved query, which dbt only mentions"),
        )
    ),
    SpanKind(
        ("catalog",),
        "commit TABLE",
        "the catalog's side of a commit; with its own trace where the client sent no context",
        (
            *(*_HTTP, "floe.table", "floe.tables", "floe.operation", "floe.rows_removed", "floe.files_removed"),
            *_WRITTEN,
        ),
        "server",
    ),
    *(
        SpanKind(("catalog",), f"{verb} {kind} NAME", f"the request to {verb} a {kind}", _HTTP, "server")
        for kind in ("table", "view")
        for verb in ("create", "drop", "change", "load")
    ),
    SpanKind(
        ("catalog",),
        "METHOD ROUTE",
        "any other request of a traced client that writes, takes 5 ms or longer, or fails",
        _HTTP,
        "server",
    ),
    SpanKind(("supervisor",), "floe up", "the start of the stack", ("floe.stack", "floe.instance")),
    SpanKind(
        ("supervisor",),
        "service NAME",
        "a service, from its start until it is ready",
        ("floe.service", "floe.depends_on"),
    ),
    SpanKind(("supervisor",), "step NAME", "a step of the start", ("floe.step", "floe.depends_on")),
    SpanKind(("floe",), "floe COMMAND", "one of floe's commands", ("floe.command", "floe.exit_code")),
)


def kind_of(service: str, name: str) -> SpanKind | None:
    """The kind of a span, one of exactly that name first; None for one that floe does not declare."""
    found = [kind for kind in SPANS if kind.covers(service, name)]
    return next((kind for kind in found if kind.name == name), found[0] if found else None)
