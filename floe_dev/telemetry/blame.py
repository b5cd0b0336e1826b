"""Who last changed each column of one row: the row is looked up in snapshot after snapshot, back in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from floe_dev.errors import Code, FloeError
from floe_dev.model.lineage import BlamedColumn, SnapshotLink

if TYPE_CHECKING:
    from pyiceberg.expressions import BooleanExpression
    from pyiceberg.table import Table

_MISSING = object()


def blame(table: Table, key: Mapping[str, str], history: Sequence[SnapshotLink]) -> list[BlamedColumn]:
    """For each column of the row that `key` names: the snapshot in which its value became what it is.

    `history` is newest first. Only ancestors of the current snapshot count, and only their files that can hold the row
    are read.

    Raises:
        FloeError: FLOE7104 if a key column is unknown, or no row or several rows have the key.
    """
    condition = _condition(table, key)
    current = table.current_snapshot()
    links = {link.snapshot_id: link for link in history}
    row = _row(table, condition, current.snapshot_id, key) if current is not None else None
    if row is None or current is None:
        raise FloeError(
            Code.NO_SUCH_ROW,
            f"no row has {_text(key)}",
            why="the table is as its current snapshot has it",
            fix=f"floe sql 'from {'.'.join(table.name()[-2:])} limit 5'",
        )
    changed: dict[str, int] = {}
    snapshot, newer = current, row
    oldest_known = False
    while len(changed) < len(row):
        parent = table.snapshot_by_id(snapshot.parent_snapshot_id) if snapshot.parent_snapshot_id else None
        if parent is None:
            # The table's first snapshot, or the ones before it have expired.
            oldest_known = snapshot.parent_snapshot_id is not None
            break
        older = _row(table, condition, parent.snapshot_id, key) or {}
        for column, value in newer.items():
            if column not in changed and not _same(older.get(column, _MISSING), value):
                changed[column] = snapshot.snapshot_id
        snapshot = parent
        newer = {column: older.get(column, value) for column, value in newer.items()}
    return [
        BlamedColumn(
            column=column,
            value=value,
            snapshot=links.get(changed.get(column, snapshot.snapshot_id)),
            oldest_known=column not in changed and oldest_known,
        )
        for column, value in row.items()
    ]


def _condition(table: Table, key: Mapping[str, str]) -> BooleanExpression:
    from pyiceberg.expressions import AlwaysTrue, And, EqualTo
    from pyiceberg.expressions.literals import literal

    condition: BooleanExpression = AlwaysTrue()
    for column, text in key.items():
        try:
            field = table.schema().find_field(column)
            value = literal(text).to(field.field_type)
        except (ValueError, TypeError) as error:
            raise FloeError(
                Code.NO_SUCH_ROW,
                f"{column}={text} names no row",
                why=str(error).splitlines()[0],
                fix=f"columns are: {', '.join(table.schema().column_names)}",
            ) from error
        # PyIceberg's classes take column and value by place, which their pydantic signature hides.
        equal: Any = EqualTo
        condition = And(condition, equal(column, value))
    return condition


def _row(table: Table, condition: BooleanExpression, snapshot_id: int, key: Mapping[str, str]) -> dict[str, Any] | None:
    schema = table.schemas()[table.snapshot_by_id(snapshot_id).schema_id or 0]  # type: ignore[union-attr]
    if any(column not in schema.column_names for column in key):
        return None  # the key did not exist then
    found: list[dict[str, Any]] = (
        table.scan(row_filter=condition, snapshot_id=snapshot_id, limit=2).to_arrow().to_pylist()
    )
    if len(found) > 1:
        raise FloeError(
            Code.NO_SUCH_ROW,
            f"several rows have {_text(key)}",
            why=f"in snapshot {snapshot_id}",
            fix="name more columns: --key a=1 --key b=2",
        )
    return found[0] if found else None


def _same(one: Any, other: Any) -> bool:
    return bool(one is not _MISSING and (one == other or (one != one and other != other)))


def _text(key: Mapping[str, str]) -> str:
    return ", ".join(f"{column}={value}" for column, value in key.items())
