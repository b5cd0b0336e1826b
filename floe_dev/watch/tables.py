"""Tables in the list, and one table in detail, from the catalog's metadata."""

from __future__ import annotations

from typing import Any

from floe_dev.catalogs.inspect import type_text
from floe_dev.model.details import ColumnView, SnapshotView, TableDetail
from floe_dev.model.state import TableView
from floe_dev.model.tables import Snapshot, TableInfo

_RUN, _TRACE, _NODE = "floe.run-id", "floe.trace-id", "floe.dbt-node"
#: Who wrote a snapshot, by what tells most: dbt's node, the asset, the engine, else the principal's id.
_WRITERS = (_NODE, "floe.asset", "engine-name", "floe.principal")


def table_view(info: TableInfo) -> TableView:
    """The list's line about one table or view."""
    current = info.current
    summary = current.summary if current else {}
    return TableView(
        identifier=info.identifier,
        kind=info.kind,
        rows=info.rows,
        bytes=info.bytes,
        files=info.files,
        snapshots=len(info.snapshots),
        snapshot_id=current.snapshot_id if current else None,
        operation=current.operation if current else "",
        updated_at=info.updated_ms / 1000 if info.updated_ms else None,
        run_id=summary.get(_RUN),
        trace_id=summary.get(_TRACE),
        writer=next((summary[key] for key in _WRITERS if summary.get(key)), ""),
    )


def table_detail(info: TableInfo) -> TableDetail:
    """Everything of one table that needs no manifest."""
    metadata = info.metadata
    current = info.current
    properties = metadata.get("properties") or {}
    return TableDetail(
        identifier=info.identifier,
        kind=info.kind,
        location=info.location,
        uuid=info.uuid,
        format_version=info.format_version,
        columns=_columns(info.schema()),
        schema_history=_history(metadata.get("schemas") or ()),
        snapshots=tuple(
            _snapshot(info, snapshot, current=current is not None and snapshot.snapshot_id == current.snapshot_id)
            for snapshot in reversed(info.snapshots)
        ),
        properties=tuple(sorted((str(key), str(value)) for key, value in properties.items())),
        sql=_view_sql(metadata) if info.kind == "view" else "",
    )


def _columns(schema: dict[str, Any]) -> tuple[ColumnView, ...]:
    return tuple(
        ColumnView(field["name"], type_text(field["type"]), field.get("required", False), field.get("doc") or "")
        for field in schema.get("fields") or ()
    )


def _snapshot(info: TableInfo, snapshot: Snapshot, *, current: bool) -> SnapshotView:
    schema = info.schema(snapshot.schema_id)
    return SnapshotView(
        snapshot_id=snapshot.snapshot_id,
        number=snapshot.number,
        at=snapshot.timestamp_ms / 1000,
        operation=snapshot.operation,
        current=current,
        rows=snapshot.rows,
        added_rows=snapshot.count("added-records"),
        deleted_rows=snapshot.rows_removed,
        added_files=snapshot.count("added-data-files"),
        deleted_files=snapshot.count("deleted-data-files"),
        run_id=snapshot.summary.get(_RUN),
        trace_id=snapshot.summary.get(_TRACE),
        node=snapshot.summary.get(_NODE),
        columns=tuple(f"{field['name']} {type_text(field['type'])}" for field in schema.get("fields") or ()),
        summary=dict(snapshot.summary),
        parent_id=snapshot.parent_id,
    )


def _history(schemas: Any) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """What each schema changed against the one before it; columns are the same by field id."""
    found = []
    before: dict[int, str] = {}
    for schema in sorted(schemas, key=lambda item: int(item.get("schema-id", 0))):
        now = {field["id"]: f"{field['name']} {type_text(field['type'])}" for field in schema.get("fields") or ()}
        changes = [f"+ {text}" for key, text in now.items() if key not in before]
        changes += [f"- {text}" for key, text in before.items() if key not in now]
        changes += [f"~ {before[key]} → {now[key]}" for key in now if key in before and before[key] != now[key]]
        found.append((int(schema.get("schema-id", 0)), tuple(changes)))
        before = now
    return tuple(found)


def _view_sql(metadata: dict[str, Any]) -> str:
    wanted = metadata.get("current-version-id")
    for version in metadata.get("versions") or ():
        if version.get("version-id") == wanted:
            return "\n".join(str(one.get("sql", "")) for one in version.get("representations") or ())
    return ""
