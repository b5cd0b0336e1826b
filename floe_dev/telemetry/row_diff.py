"""The rows in which two snapshots of one table differ, found by DuckDB: tables larger than the memory too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from floe_dev.compute.views import identifier
from floe_dev.errors import Code, FloeError

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class RowChange:
    """One row that is not the same in both: `before` and `after` are the columns that differ, or all of them."""

    #: added | removed | changed
    kind: str
    key: dict[str, Any]
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RowDiff:
    """How many rows differ, and the first of them; without a key a changed row is one removed and one added."""

    key: tuple[str, ...]
    added: int
    removed: int
    changed: int
    rows: tuple[RowChange, ...]


def row_diff(
    connection: duckdb.DuckDBPyConnection,
    table: Sequence[str],
    snapshots: tuple[int | None, int],
    key: Sequence[str] = (),
    limit: int = 50,
) -> RowDiff:
    """Compare `table` (its name in parts) at two snapshots, rows being the same where `key` is; None is an empty table.

    Without a key rows that are there several times count as often, and columns that only one snapshot has are left out.
    `rows` are at most `limit`, without a key some of either kind.

    Raises:
        FloeError: FLOE7104 if a key column is in neither or only one snapshot, or is not unique there, 6001 if DuckDB
            cannot read or compare them.
    """
    import duckdb

    try:
        return _row_diff(connection, table, snapshots, key, limit)
    except duckdb.Error as error:
        what = f"the snapshots of {'.'.join(table)} cannot be compared"
        raise FloeError(Code.SQL_FAILED, what, why=str(error).strip()) from error


def _row_diff(
    connection: duckdb.DuckDBPyConnection,
    table: Sequence[str],
    snapshots: tuple[int | None, int],
    key: Sequence[str],
    limit: int,
) -> RowDiff:
    name = ".".join(identifier(part) for part in table)
    after = f"(SELECT * FROM {name} AT (VERSION => {snapshots[1]}))"  # noqa: S608 - quoted above
    before = f"(SELECT * FROM {name} AT (VERSION => {snapshots[0]}))"  # noqa: S608
    if snapshots[0] is None:
        before = f"(SELECT * FROM {after} WHERE false)"  # noqa: S608
    old, new = _columns(connection, before), _columns(connection, after)
    for side, columns, snapshot in ((before, old, snapshots[0]), (after, new, snapshots[1])):
        _check_key(connection, side, columns, key, snapshot)
    if not key:
        shared = [column for column in new if column in old]
        if not shared:
            raise FloeError(Code.SQL_FAILED, "the snapshots cannot be compared", why="they have no column in common")
        return _without_key(connection, before, after, shared, limit)
    others = [column for column in dict.fromkeys([*old, *new]) if column not in key]
    same = " AND ".join(f"a.{identifier(c)} IS NOT DISTINCT FROM b.{identifier(c)}" for c in key)
    both = [column for column in others if column in old and column in new]
    differs = " OR ".join(f"a.{identifier(c)} IS DISTINCT FROM b.{identifier(c)}" for c in both) or "false"
    shown = [f"coalesce(a.{identifier(c)}, b.{identifier(c)})" for c in key]
    shown += [f"a.{identifier(c)}" if c in old else "NULL" for c in others]
    shown += [f"b.{identifier(c)}" if c in new else "NULL" for c in others]
    kind = "CASE WHEN a.floe_here IS NULL THEN 'added' WHEN b.floe_here IS NULL THEN 'removed' ELSE 'changed' END"
    joined = (
        f"FROM (SELECT *, 1 AS floe_here FROM {before}) a FULL JOIN (SELECT *, 1 AS floe_here FROM {after}) b "  # noqa: S608
        f"ON {same} WHERE a.floe_here IS NULL OR b.floe_here IS NULL OR {differs}"
    )
    counts = dict(connection.execute(f"SELECT {kind} AS kind, count(*) {joined} GROUP BY 1").fetchall())
    order = ", ".join(str(number + 2) for number in range(len(key)))
    found = connection.execute(f"SELECT {kind}, {', '.join(shown)} {joined} ORDER BY {order} LIMIT {limit}").fetchall()
    rows = tuple(_change(row, list(key), others, set(both)) for row in found)
    return RowDiff(tuple(key), counts.get("added", 0), counts.get("removed", 0), counts.get("changed", 0), rows)


def _change(row: tuple[Any, ...], key: list[str], others: list[str], both: set[str]) -> RowChange:
    values = row[1 + len(key) :]
    before = dict(zip(others, values[: len(others)], strict=True))
    after = dict(zip(others, values[len(others) :], strict=True))
    if row[0] == "changed":
        changed = {column for column in both if before[column] != after[column]}
        before, after = ({c: v for c, v in side.items() if c in changed} for side in (before, after))
    named = dict(zip(key, row[1 : 1 + len(key)], strict=True))
    return RowChange(row[0], named, before if row[0] != "added" else {}, after if row[0] != "removed" else {})


def _without_key(
    connection: duckdb.DuckDBPyConnection, before: str, after: str, columns: list[str], limit: int
) -> RowDiff:
    picked = ", ".join(identifier(column) for column in columns)
    first: dict[str, list[tuple[Any, ...]]] = {}
    counts: dict[str, int] = {}
    for kind, one, other in (("removed", before, after), ("added", after, before)):
        only = f"(SELECT {picked} FROM {one} EXCEPT ALL SELECT {picked} FROM {other})"  # noqa: S608 - quoted above
        rows = first[kind] = connection.execute(f"FROM {only} LIMIT {limit + 1}").fetchall()
        # To count is to compare once more.
        more = len(rows) > limit
        counts[kind] = connection.execute(f"SELECT count(*) FROM {only}").fetchall()[0][0] if more else len(rows)  # noqa: S608
    # What one kind does not need of its half the other one has.
    removed = first["removed"][: max(limit - counts["added"], limit // 2)]
    added = first["added"][: limit - len(removed)]
    changes = [RowChange("removed", {}, before=dict(zip(columns, row, strict=True))) for row in removed]
    changes += [RowChange("added", {}, after=dict(zip(columns, row, strict=True))) for row in added]
    return RowDiff((), counts["added"], counts["removed"], 0, tuple(changes))


def _columns(connection: duckdb.DuckDBPyConnection, side: str) -> list[str]:
    return [str(item[0]) for item in connection.execute(f"SELECT * FROM {side} LIMIT 0").description or ()]  # noqa: S608


def _check_key(
    connection: duckdb.DuckDBPyConnection, side: str, columns: list[str], key: Sequence[str], snapshot: int | None
) -> None:
    for column in key:
        if column not in columns:
            raise FloeError(
                Code.NO_SUCH_ROW,
                f"snapshot {snapshot} has no column {column!r}",
                fix=f"columns are: {', '.join(columns)}",
            )
    if key:
        named = ", ".join(identifier(column) for column in key)
        text = f"SELECT {named} FROM {side} GROUP BY {named} HAVING count(*) > 1 LIMIT 1"  # noqa: S608
        twice = connection.execute(text).fetchone()
        if twice is not None:
            shown = ", ".join(f"{column}={value}" for column, value in zip(key, twice, strict=True))
            raise FloeError(
                Code.NO_SUCH_ROW,
                f"several rows have {shown}",
                why=f"in snapshot {snapshot}, so rows cannot be told apart by it",
                fix="name more columns: --key a --key b",
            )
