"""The server's side of a trace: a span for each commit, and for what else takes time in a traced request."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from floe_dev.catalogs.rest.errors import ApiError
from floe_dev.catalogs.rest.http import Call, Handler, Reply
from floe_dev.model.summary import count, rows_removed
from floe_dev.tracing.context import SpanContext, new_span_id, new_trace_id, parse
from floe_dev.tracing.record import record
from floe_dev.tracing.spool import spool

#: Namespaces that the readiness check makes and drops.
PROBE_PREFIX = "floe_readiness_"
_NUMBERS = (
    ("added-records", "floe.rows"),
    ("added-files-size", "floe.bytes"),
    ("added-data-files", "floe.files"),
    ("deleted-data-files", "floe.files_removed"),
)
#: Reads that are quicker (nanoseconds) get no span: a dbt run makes hundreds of them, of a tenth of a millisecond each.
_SLOW_READ_NS = 5_000_000


def traced(handler: Handler, route: str, principal_of: Callable[[str], str | None] = lambda _token: None) -> Handler:
    """`handler` with a span for its requests; as it is where nothing is recorded.

    `principal_of` gives the name of the principal behind a token.
    """

    def serve(call: Call) -> Reply:
        parent = parse(call.headers.get("traceparent"))
        commits = _commits(call, route) if spool() is not None else ()
        if parent is None and any(commit["table"].startswith(PROBE_PREFIX) for commit in commits):
            return handler(call)  # floe's own check at every start
        if spool() is None or (parent is None and not commits):
            return handler(call)
        started, clock = time.time_ns(), time.perf_counter_ns()
        status = 500
        try:
            reply = handler(call)
            status = reply.status
            return reply
        except ApiError as refused:
            status = refused.status
            raise
        finally:
            took = time.perf_counter_ns() - clock
            if call.method not in ("GET", "HEAD") or took >= _SLOW_READ_NS or status >= 500:
                context = SpanContext(parent.trace_id if parent else new_trace_id(), new_span_id())
                token = call.headers.get("authorization", "").partition(" ")[2].strip()
                who = principal_of(token) if token else None
                _record(call, route, context, parent, (started, started + took), status, commits, who)

    return serve


def _record(
    call: Call,
    route: str,
    context: SpanContext,
    parent: SpanContext | None,
    times: tuple[int, int],
    status: int,
    commits: tuple[dict[str, Any], ...],
    principal: str | None,
) -> None:
    attributes: dict[str, Any] = {
        "floe.principal": principal,
        "http.request.method": call.method,
        "http.route": route,
        "http.response.status_code": status,
    }
    name = _name(call, route)
    if commits:
        tables = [commit["table"] for commit in commits]
        name = f"commit {', '.join(tables[:3])}"
        attributes |= {key: value for key, value in commits[0].items() if key != "table"}
        attributes["floe.table"] = tables[0]
        if len(tables) > 1:
            attributes["floe.tables"] = tables
    elif "table" in call.path:
        attributes["floe.catalog.table"] = _dotted(call.path.get("namespace", ""), call.path["table"])
    error = f"the catalog answered {status}" if status >= 500 or (commits and status >= 400) else None
    record(
        name,
        context,
        parent_id=parent.span_id if parent else None,
        start_ns=times[0],
        end_ns=times[1],
        attributes=attributes,
        error=error,
        kind="server",
    )


def _name(call: Call, route: str) -> str:
    """Such as `create table silver.orders`; what has no words of its own is named as HTTP's conventions want it."""
    for kind in ("table", "view"):
        if call.method == "POST" and route.endswith(f"/{kind}s"):
            try:
                return f"create {kind} {_dotted(call.path.get('namespace', ''), json.loads(call.body)['name'])}"
            except (ValueError, KeyError, TypeError):
                break
        verb = {"DELETE": "drop", "GET": "load", "POST": "change"}.get(call.method)
        if verb and route.endswith(f"/{kind}s/{{{kind}}}"):
            return f"{verb} {kind} {_dotted(call.path.get('namespace', ''), call.path[kind])}"
    return f"{call.method} {route.rpartition('/v1/')[2] or route}"


def _commits(call: Call, route: str) -> tuple[dict[str, Any], ...]:
    """Table and snapshot of each change of a commit; empty for any other request, and for one that does not parse."""
    if call.method != "POST":
        return ()
    try:
        if route.endswith("/transactions/commit"):
            changes = json.loads(call.body).get("table-changes", [])
            return tuple(
                _change(change, ".".join([*change["identifier"]["namespace"], change["identifier"]["name"]]))
                for change in changes
            )
        if route.endswith("/tables/{table}"):
            return (_change(json.loads(call.body), _dotted(call.path.get("namespace", ""), call.path["table"])),)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()
    return ()


def _change(change: Mapping[str, Any], table: str) -> dict[str, Any]:
    found: dict[str, Any] = {"table": table}
    for update in change.get("updates", ()):
        if update.get("action") == "add-snapshot":
            snapshot = update["snapshot"]
            summary = snapshot.get("summary", {})
            found["floe.snapshot"] = str(snapshot["snapshot-id"])
            found["floe.operation"] = summary.get("operation")
            for key, name in _NUMBERS:
                found[name] = count(summary, key)
            found["floe.rows_removed"] = rows_removed(summary)
    return found


def _dotted(namespace: str, name: str) -> str:
    return ".".join([*namespace.split("\x1f"), name])
