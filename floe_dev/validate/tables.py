"""Every table of the catalog has metadata, a snapshot and the columns that the project says it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from floe_dev.validate.manifest import asset_key, selected
from floe_dev.validate.result import Findings, SkipCheckError, Subject, failed, ok

if TYPE_CHECKING:
    from floe_dev.model.tables import TableInfo


def check(name: str, subject: Subject) -> Findings:
    """One finding for each thing that a table lacks."""
    tables = subject.tables
    expected = _described_columns(subject)
    wrong = [(table, fault) for table in tables for fault in faults(table, expected.get(table.identifier, {}))]
    for table, fault in wrong:
        asset = table.identifier.replace(".", "/")
        yield failed(name, f"{table.identifier}: {fault}", f"floe run {asset}")
    if not wrong:
        yield ok(name, f"{len(tables)} tables and views have metadata, a snapshot and the columns described")


def faults(table: TableInfo, columns: Mapping[str, str | None]) -> list[str]:
    """What is wrong with one table; names are compared as SQL does, whatever their case.

    `columns` are those that it should have, with the Iceberg type where a contract says which.
    """
    found = []
    if table.kind == "table":
        if not table.metadata_location:
            found.append("the catalog names no metadata file")
        if table.current is None:
            found.append("it has no snapshot: nothing was ever written to it")
    present = {field["name"].lower(): field["type"] for field in table.schema().get("fields", ())}
    missing = [column for column in columns if column.lower() not in present]
    if missing:
        found.append(f"columns are described that it does not have: {', '.join(missing)}")
    for column, wanted in columns.items():
        is_type = present.get(column.lower())
        if wanted is not None and isinstance(is_type, str) and is_type != wanted:
            found.append(f"its contract says that {column} is {wanted}; it is {is_type}")
    return found


def _described_columns(subject: Subject) -> dict[str, dict[str, str | None]]:
    """The columns that dbt's YAML files describe, by `namespace.name`; none where the project has no dbt."""
    try:
        manifest: Mapping[str, Any] = subject.manifest
    except SkipCheckError:
        return {}
    nodes = selected(subject.session.project, manifest)
    return {
        asset_key(node).replace("/", "."): {
            str(column["name"]): _iceberg(column.get("data_type")) if _contract(node) else None
            for column in (node.get("columns") or {}).values()
        }
        for node in nodes
    }


def _contract(node: Mapping[str, Any]) -> bool:
    return bool(((node.get("config") or {}).get("contract") or {}).get("enforced"))


def _iceberg(data_type: str | None) -> str | None:
    """The Iceberg type of a column that a contract declares, as table metadata writes it; None for a nested one."""
    if not data_type:
        return None
    import duckdb

    from floe_dev.dbt.adapter.types import columns_of

    try:
        found = columns_of(["column"], [duckdb.sqltype(data_type)])[0].type
    except (duckdb.Error, ValueError):
        return None  # dbt refuses it with the model's own line
    return str(found) if found.is_primitive else None
