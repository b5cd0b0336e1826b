"""`floe tables`: the catalog's tables, one of them in detail, and what changed between two snapshots."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from floe_dev.cli.naming import floe_command
from floe_dev.cli.options import json_option, pass_output, project_option
from floe_dev.cli.output import Output
from floe_dev.cli.render.style import bytes_text, count_text, paint
from floe_dev.cli.render.tables import table

if TYPE_CHECKING:
    from floe_dev.catalogs.client import Snapshot, TableInfo
    from floe_dev.catalogs.inspect import File, TableDiff


@click.group(name="tables", invoke_without_command=True, short_help="List tables; show one; compare two snapshots.")
@click.option("--namespace", "-n", default=None, help="Only this namespace.")
@project_option
@json_option
@pass_output
@click.pass_context
def command(ctx: click.Context, output: Output, namespace: str | None, as_json: bool, root: Path) -> None:
    """List the catalog's tables; `show NAME` and `diff NAME A B` look into one.

    Rows, files and sizes are those of the current snapshot's summary: nothing is scanned.
    """
    if ctx.invoked_subcommand is not None:
        return
    from floe_dev.session import Session

    found = [info for info in Session(root).tables() if namespace is None or ".".join(info.namespace) == namespace]
    if as_json:
        output.document({"tables": [listed(info) for info in found]})
        return
    if not found:
        output.say("no tables yet")
        output.say(f"make them with: {floe_command('run', project=root)}")
        return
    rows = [
        (
            info.identifier,
            info.kind if info.kind == "view" else None,
            info.rows if info.kind == "table" else None,
            info.files,
            bytes_text(info.bytes),
            len(info.snapshots) if info.kind == "table" else None,
            when(info.updated_ms),
        )
        for info in found
    ]
    columns = ("table", "kind", "rows", "files", "size", "snapshots", "updated")
    kept = [i for i, name in enumerate(columns) if name != "kind" or any(row[i] for row in rows)]
    shown = [[row[i] for i in kept] for row in rows]
    output.data(table([columns[i] for i in kept], shown, width=output.width, color=output.color))


@command.command()
@click.argument("name")
@json_option
@pass_output
def show(output: Output, name: str, as_json: bool) -> None:
    """Show one table: schema, snapshots, files, partitions and properties."""
    from floe_dev.catalogs.inspect import files_of, open_table, partitions_of
    from floe_dev.session import Session

    assert output.project is not None
    session = Session(output.project)
    info = session.table(name)
    files = files_of(open_table(session.connection(), info)) if info.kind == "table" else ()
    partitions = partitions_of(files)
    if as_json:
        output.document(
            {
                **listed(info),
                "location": info.location,
                "metadataLocation": info.metadata_location,
                "formatVersion": info.format_version,
                "schema": info.schema(),
                "partitionSpec": partition_fields(info),
                "sortOrder": sort_fields(info),
                "properties": info.metadata.get("properties") or {},
                "snapshotLog": [snapshot_content(snapshot) for snapshot in info.snapshots],
                "partitions": [vars(p) for p in partitions],
                "dataFiles": [vars(file) for file in files],
            }
        )
        return
    output.data(_detail(info, files, output))


@command.command(name="diff")
@click.argument("name")
@click.argument("before", default="previous")
@click.argument("after", default="current")
@json_option
@pass_output
def diff_command(output: Output, name: str, before: str, after: str, as_json: bool) -> None:
    """Compare two snapshots of table NAME (default: the previous with the current one).

    A snapshot is its id, its number in `floe tables show`, or current, previous, first.
    """
    from floe_dev.catalogs.inspect import diff, find_snapshot, open_table
    from floe_dev.session import Session

    assert output.project is not None
    session = Session(output.project)
    info = session.table(name)
    found = diff(open_table(session.connection(), info), info, find_snapshot(info, before), find_snapshot(info, after))
    if as_json:
        output.document(
            {
                "table": found.identifier,
                "before": snapshot_content(found.before),
                "after": snapshot_content(found.after),
                "rows": {"before": found.rows_before, "after": found.rows_after},
                "files": {
                    "added": [vars(file) for file in found.files_added],
                    "removed": [vars(file) for file in found.files_removed],
                    "kept": found.files_kept,
                },
                "columns": {
                    "added": found.columns_added,
                    "removed": found.columns_removed,
                    "changed": found.columns_changed,
                },
            }
        )
        return
    output.data(_difference(found, output))


def listed(info: TableInfo) -> dict[str, Any]:
    """A table as the JSON list shows it."""
    return {
        "name": info.identifier,
        "kind": info.kind,
        "rows": info.rows,
        "files": info.files,
        "bytes": info.bytes,
        "snapshots": len(info.snapshots),
        "currentSnapshotId": info.current.snapshot_id if info.current else None,
        "updatedMs": info.updated_ms,
    }


def snapshot_content(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as JSON shows it; ids stay numbers, as in the metadata."""
    return {
        "number": snapshot.number,
        "snapshotId": snapshot.snapshot_id,
        "parentId": snapshot.parent_id,
        "timestampMs": snapshot.timestamp_ms,
        "operation": snapshot.operation,
        "summary": snapshot.summary,
    }


def when(milliseconds: int | None) -> str:
    """A point in time in the user's zone, to the second."""
    if milliseconds is None:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def partition_fields(info: TableInfo) -> list[str]:
    """The default partition spec as text: `day(ordered_at)`."""
    return _transforms(info, "partition-specs", "spec-id", "default-spec-id")


def sort_fields(info: TableInfo) -> list[str]:
    """The default sort order as text: `ordered_at asc`."""
    return _transforms(info, "sort-orders", "order-id", "default-sort-order-id")


def _transforms(info: TableInfo, many: str, key: str, default: str) -> list[str]:
    names = {field["id"]: field["name"] for field in info.schema().get("fields") or ()}
    chosen: dict[str, Any] = next(
        (s for s in info.metadata.get(many) or () if s[key] == info.metadata.get(default)), {"fields": []}
    )
    texts = []
    for field in chosen["fields"]:
        name = names.get(field["source-id"], f"#{field['source-id']}")
        text = name if field["transform"] == "identity" else f"{field['transform']}({name})"
        texts.append(f"{text} {field['direction']}" if "direction" in field else text)
    return texts


def _detail(info: TableInfo, files: tuple[File, ...], output: Output) -> str:
    from floe_dev.catalogs.inspect import partitions_of, type_text

    width = output.width

    def head(text: str) -> str:
        return "\n" + paint(text, "bold", color=output.color)

    def grid(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
        return table(columns, rows, width=width, color=output.color, indent="  ")

    parts = [paint(info.identifier, "bold", color=output.color)]
    if info.kind == "view":
        parts[0] += " (view)"
    else:
        parts.append(
            f"  {'?' if info.rows is None else count_text(info.rows, 'row')}, {count_text(info.files or 0, 'file')}, "
            f"{bytes_text(info.bytes or 0)}, format v{info.format_version}"
        )
    parts.append(f"  {info.location}")
    for label, fields in (("partitioned by", partition_fields(info)), ("sorted by", sort_fields(info))):
        if fields:
            parts.append(f"  {label} {', '.join(fields)}")
    parts.append(head("schema"))
    rows = [
        (
            field["id"],
            field["name"],
            type_text(field["type"]),
            "no" if field.get("required") else "yes",
            field.get("doc"),
        )
        for field in info.schema().get("fields") or ()
    ]
    columns: tuple[str, ...] = ("id", "column", "type", "null", "comment")
    count = len(columns) if any(row[-1] for row in rows) else len(columns) - 1
    parts.append(grid(columns[:count], [row[:count] for row in rows]))
    if info.kind == "view":
        for version in info.metadata["versions"]:
            if version["version-id"] == info.metadata["current-version-id"]:
                parts.append(head("query"))
                parts += [f"  {line}" for r in version["representations"] for line in r.get("sql", "").splitlines()]
        return "\n".join(parts)
    parts.append(head("snapshots"))
    parts.append(grid(*_snapshot_rows(info)) if info.snapshots else "  none: nobody wrote to it yet")
    partitions = partitions_of(files)
    if partition_fields(info) and partitions:
        parts.append(head("partitions"))
        parts.append(
            grid(
                ("partition", "rows", "files", "size"),
                [(p.value or "(none)", p.rows, p.files, bytes_text(p.size)) for p in partitions[:40]],
            )
        )
        if len(partitions) > 40:
            parts.append(f"  … and {len(partitions) - 40} more (--json has all)")
    if files:
        parts.append(head("files"))
        parts.append(
            grid(
                ("file", "content", "rows", "size"),
                [(relative(f.path, info.location), f.content, f.rows, bytes_text(f.size)) for f in files[:20]],
            )
        )
        if len(files) > 20:
            parts.append(f"  … and {len(files) - 20} more (--json has all)")
    properties = info.metadata.get("properties") or {}
    if properties:
        parts.append(head("properties"))
        parts.append(grid(("property", "value"), sorted(properties.items())))
    return "\n".join(parts)


def _snapshot_rows(info: TableInfo) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    rows = []
    for snapshot in info.snapshots[-15:]:
        added, removed = snapshot.count("added-records"), snapshot.count("deleted-records")
        change = " ".join(text for text in (f"+{added}" if added else "", f"-{removed}" if removed else "") if text)
        mark = "*" if info.current and snapshot.snapshot_id == info.current.snapshot_id else ""
        rows.append(
            (
                f"{snapshot.number}{mark}",
                str(snapshot.snapshot_id),
                when(snapshot.timestamp_ms),
                snapshot.operation,
                change,
                snapshot.count("total-records"),
            )
        )
    return ("no", "snapshot", "made", "operation", "rows changed", "rows"), rows


def _difference(found: TableDiff, output: Output) -> str:
    def line(label: str, text: str) -> str:
        return f"  {paint(label.ljust(8), 'dim', color=output.color)} {text}"

    parts = [
        paint(found.identifier, "bold", color=output.color),
        line("from", f"{found.before.number}  {found.before.snapshot_id}  {when(found.before.timestamp_ms)}"),
        line("to", f"{found.after.number}  {found.after.snapshot_id}  {when(found.after.timestamp_ms)}"),
    ]
    if found.rows_before is not None and found.rows_after is not None:
        change = found.rows_after - found.rows_before
        parts.append(line("rows", f"{found.rows_before} -> {found.rows_after} ({change:+d})"))
    added, removed = sum(f.size for f in found.files_added), sum(f.size for f in found.files_removed)
    parts.append(
        line(
            "files",
            f"+{len(found.files_added)} ({bytes_text(added)})  -{len(found.files_removed)} ({bytes_text(removed)})  "
            f"={found.files_kept} kept",
        )
    )
    for sign, style, columns in (
        ("+", "green", found.columns_added),
        ("-", "red", found.columns_removed),
        ("~", "yellow", found.columns_changed),
    ):
        parts += [line("column", paint(f"{sign} {text}", style, color=output.color)) for text in columns]
    if not (found.columns_added or found.columns_removed or found.columns_changed):
        parts.append(line("columns", "unchanged"))
    return "\n".join(parts)


def relative(path: str, location: str) -> str:
    """A file's path below the table's location."""
    return path.removeprefix(location).lstrip("/") or path
