"""Spans and lineage events of a dbt invocation and its nodes, from dbt's own structured events.

dbt fires NodeStart and NodeFinished in the thread that works on the node, so the node's span is also the context of
every request that thread sends to the catalog.
"""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from floe_dev.tracing.context import VARIABLE, SpanContext, current, enter, new_span_id, new_trace_id
from floe_dev.tracing.lineage import Output, node_event
from floe_dev.tracing.record import record, record_lineage, record_log
from floe_dev.tracing.spool import configure_from_environment, spool
from floe_dev.tracing.writes import take

_TABLES = ("model", "seed", "snapshot")
_GOOD = ("success", "pass", "warn", "no-op")
_LOGGED = {"warn": "WARNING", "error": "ERROR"}


class NodeSpans:
    """A callback of dbt's event manager, for one invocation."""

    def __init__(self, invocation_id: str, command: str) -> None:
        """The invocation's span begins now, as a child of what started this process."""
        run_id = os.environ.get("FLOE_RUN_ID")
        configure_from_environment("dbt", {"floe.run.id": run_id} if run_id else None)
        parent = current()
        self._parent = parent
        self._context = SpanContext(parent.trace_id if parent else new_trace_id(), new_span_id())
        if parent is None:
            # A dbt that nobody traces yet: its snapshots are stamped with this trace.
            os.environ[VARIABLE] = self._context.traceparent()
        self._run_id = run_id
        self._invocation = invocation_id
        self._command = command
        self._started_ns = time.time_ns()
        self._nodes: dict[str, tuple[SpanContext, int]] = {}
        self._manifest: dict[str, Any] | None = None
        self._lock = threading.Lock()

    def __call__(self, message: Any) -> None:
        """Take one event; what fails here is a gap in the trace, never dbt's problem."""
        try:
            self._take(message)
        except Exception as error:  # noqa: BLE001 - see above
            record_log(f"no span of {message.info.name}: {error!r}", "WARNING", self._context)

    def _take(self, message: Any) -> None:
        name = message.info.name
        if name == "NodeStart":
            self._begin(message.data.node_info)
        elif name == "NodeFinished":
            self._end(message.data.node_info, message.data.run_result)
        elif name == "CommandCompleted":
            self._complete(success=bool(message.data.success))
        elif message.info.level in _LOGGED:
            record_log(str(message.info.msg), _LOGGED[message.info.level], current() or self._context)

    def _begin(self, node: Any) -> None:
        context = SpanContext(self._context.trace_id, new_span_id())
        self._nodes[node.unique_id] = (context, time.time_ns())
        enter(context)
        if _makes_table(node):
            event = node_event(
                "START",
                node=node.unique_id,
                run_id=self._run_id,
                invocation=self._invocation,
                resource=node.resource_type.upper(),
                inputs=self._inputs(node.unique_id),
                outputs=[Output(_table(node))],
            )
            record_lineage(event)

    def _end(self, node: Any, result: Any) -> None:
        context, started_ns = self._nodes.pop(node.unique_id)
        enter(self._context)
        status, table = str(result.status), _table(node)
        good = status in _GOOD
        makes_table = _makes_table(node)
        written = take(table) if makes_table else None
        attributes = {
            "floe.dbt.node": node.unique_id,
            "floe.dbt.resource_type": node.resource_type,
            "floe.dbt.materialized": node.materialized,
            "floe.dbt.status": status,
            "floe.dbt.invocation_id": self._invocation,
            "floe.dbt.compiled": self._compiled(node.unique_id),
            "floe.dbt.failures": result.num_failures if node.resource_type == "test" else None,
            "floe.asset": table.replace(".", "/") if makes_table else None,
            "floe.table": table if makes_table and written else None,
            "floe.rows": written.rows if written else None,
            "floe.bytes": written.size if written else None,
            "floe.files": written.files if written else None,
            "floe.snapshot": str(written.snapshot_id) if written and written.snapshot_id else None,
            "db.system.name": "duckdb",
            "db.namespace": table.rpartition(".")[0] if makes_table else None,
            "db.collection.name": table if makes_table else None,
            "db.operation.name": node.materialized if makes_table else None,
        }
        error = None if good else str(result.message or status)
        record(
            f"{node.resource_type} {node.node_name}",
            context,
            parent_id=self._context.span_id,
            start_ns=started_ns,
            end_ns=time.time_ns(),
            attributes=attributes,
            error=error if status != "skipped" else None,
        )
        if makes_table and status != "skipped":
            event = node_event(
                "COMPLETE" if good else "FAIL",
                node=node.unique_id,
                run_id=self._run_id,
                invocation=self._invocation,
                resource=node.resource_type.upper(),
                inputs=self._inputs(node.unique_id),
                outputs=[written or Output(table)],
                error=error,
            )
            record_lineage(event)

    def _complete(self, *, success: bool) -> None:
        record(
            f"dbt {self._command}",
            self._context,
            parent_id=self._parent.span_id if self._parent else None,
            start_ns=self._started_ns,
            end_ns=time.time_ns(),
            attributes={"floe.dbt.invocation_id": self._invocation, "floe.dbt.command": self._command},
            error=None if success else "dbt tells of errors",
        )
        to = spool()
        if to is not None:
            to.flush()

    def _inputs(self, unique_id: str) -> list[str]:
        nodes = self._graph()
        found: dict[str, None] = {}
        waiting, seen = [unique_id], {unique_id}
        while waiting:
            for name in nodes.get(waiting.pop(), {}).get("depends_on", {}).get("nodes", []):
                node = nodes.get(name, {})
                if (node.get("config") or {}).get("materialized") == "ephemeral":
                    # There is no such table: what it is made from is read instead.
                    waiting += [name] if name not in seen else []
                    seen.add(name)
                elif node.get("schema"):
                    table = node.get("alias") or node.get("identifier") or node["name"]
                    found[f"{node['schema']}.{table}"] = None
        return list(found)

    def _compiled(self, unique_id: str) -> str | None:
        node = self._graph().get(unique_id, {})
        if node.get("resource_type") not in ("model", "test", "snapshot") or not node.get("path"):
            return None
        return f"compiled/{node.get('package_name')}/{node.get('original_file_path')}"

    def _graph(self) -> dict[str, Any]:
        """Nodes and sources of the manifest, which dbt has written before the first node starts; read once."""
        with self._lock:
            if self._manifest is None:
                self._manifest = {}
                file = Path(os.environ.get("DBT_TARGET_PATH") or "target") / "manifest.json"
                try:
                    content = json.loads(file.read_bytes())
                    self._manifest = {**content.get("sources", {}), **content.get("nodes", {})}
                except (OSError, ValueError):
                    pass  # parsed without writing it: spans have no compiled file, events no inputs
            return self._manifest


def trace_invocation(invocation_id: str) -> None:
    """Follow the invocation that is being set up; nothing where nothing is recorded."""
    if spool() is None:
        return
    from dbt.flags import get_flags
    from dbt_common.events.event_manager_client import get_event_manager

    manager = get_event_manager()
    if any(isinstance(callback, NodeSpans) for callback in manager.callbacks):
        return
    flags: Any = get_flags()  # type: ignore[no-untyped-call]
    manager.add_callback(NodeSpans(invocation_id, str(getattr(flags, "WHICH", "") or "dbt")))


def _makes_table(node: Any) -> bool:
    return node.resource_type in _TABLES and node.materialized != "ephemeral"


def _table(node: Any) -> str:
    relation = node.node_relation
    return f"{relation.schema}.{relation.alias}"
