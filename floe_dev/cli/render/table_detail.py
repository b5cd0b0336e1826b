"""One table in detail, and the difference between two of its snapshots, as text."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from floe_dev.cli.output import Output
from floe_dev.cli.render.style import count_text, paint
from floe_dev.cli.render.tables import table
from floe_dev.model.units import size

if TYPE_CHECKING:
    from floe_dev.catalogs.inspect import File, TableDiff
    from floe_dev.model.tables import TableInfo


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


def detail_text(info: TableInfo, files: tuple[File, ...], output: Output) -> str:
    """One table for people: what it is, its columns, snapshots, partitions, files and properties."""
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
            f"{size(info.bytes or 0)}, format v{info.format_version}"
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
                [(p.value or "(none)", p.rows, p.files, size(p.size)) for p in partitions[:40]],
            )
        )
        if len(partitions) > 40:
            parts.append(f"  … and {len(partitions) - 40} more (--json has all)")
    if files:
        parts.append(head("files"))
        parts.append(
            grid(
                ("file", "content", "rows", "size"),
                [(relative(f.path, info.location), f.content, f.rows, size(f.size)) for f in files[:20]],
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
        added, removed = snapshot.count("added-records"), snapshot.rows_removed
        change = " ".join(text for text in (f"+{added}" if added else "", f"-{removed}" if removed else "") if text)
        mark = "*" if info.current and snapshot.snapshot_id == info.current.snapshot_id else ""
        rows.append(
            (
                f"{snapshot.number}{mark}",
                str(snapshot.snapshot_id),
                when(snapshot.timestamp_ms),
                snapshot.operation,
                change,
                snapshot.rows,
            )
        )
    return ("no", "snapshot", "made", "operation", "rows changed", "rows"), rows


def difference_text(found: TableDiff, output: Output) -> str:
    """Two snapshots compared, for people."""

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
            f"+{len(found.files_added)} ({size(added)})  -{len(found.files_removed)} ({size(removed)})  "
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
