"""Every table of the catalog has metadata, a snapshot and the columns that the project says it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from floe_dev.validate.manifest import asset_key, selected
from floe_dev.validate.result import Findings, SkipCheckError, Subject, failed, ok

if TYPE_CHECKING:
    from floe_dev.catalogs.client import TableInfo


def check(name: str, subject: Subject) -> Findings:
    """One finding for each thing that a table lacks."""
    tables = subject.tables
    expected = _described_columns(subject)
    wrong = [(table, fault) for table in tables for fault in faults(table, expected.get(table.identifier, ()))]
    for table, fault in wrong:
        asset = table.identifier.replace(".", "/")
        yield failed(name, f"{table.identifier}: {fault}", f"floe run {asset}")
    if not wrong:
        yield ok(name, f"{len(tables)} tables and views have metadata, a snapshot and the columns described")


def faults(table: TableInfo, columns: tuple[str, ...]) -> list[str]:
    """What is wrong with one table; names are compared as SQL does, whatever their case."""
    found = []
    if table.kind == "table":
        if not table.metadata_location:
            found.append("the catalog names no metadata file")
        if table.current is None:
            found.append("it has no snapshot: nothing was ever written to it")
    present = {field["name"].lower() for field in table.schema().get("fields", ())}
    missing = [column for column in columns if column.lower() not in present]
    if missing:
        found.append(f"columns are described that it does not have: {', '.join(missing)}")
    return found


def _described_columns(subject: Subject) -> dict[str, tuple[str, ...]]:
    """The columns that dbt's YAML files describe, by `namespace.name`; none where the project has no dbt."""
    try:
        manifest: Mapping[str, Any] = subject.manifest
    except SkipCheckError:
        return {}
    nodes = selected(subject.session.project, manifest)
    return {asset_key(node).replace("/", "."): tuple(node.get("columns") or ()) for node in nodes}
