"""Assertions on tables, whose messages say what differs instead of printing two tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from floe_dev.testing.inputs import as_arrow

Row = Mapping[str, Any]
_SHOWN = 10


def assert_table(table: Any) -> TableAssertion:
    """Begin an assertion on a PyIceberg or Arrow table, a DuckDB relation, a data frame, or a list of rows.

    Raises TypeError for anything else.
    """
    return TableAssertion(table)


class TableAssertion:
    """What a table is to be; every method raises AssertionError or returns itself for the next."""

    def __init__(self, table: Any) -> None:
        """The table is read here, once."""
        self._table = as_arrow(table)

    def has_rows(self, number: int) -> TableAssertion:
        """It has exactly `number` rows."""
        __tracebackhide__ = True
        found = self._table.num_rows
        if found != number:
            raise AssertionError(
                f"expected {number} rows, found {found}{_listed('the first', self._table.slice(0, _SHOWN).to_pylist())}"
            )
        return self

    def equals(self, rows: Any, *, key: str | Sequence[str] | None = None) -> TableAssertion:
        """It has these rows, in any order; with `key` the message says which columns of which row differ."""
        __tracebackhide__ = True
        expected, found = as_arrow(rows).to_pylist(), self._table.to_pylist()
        problems = _by_key(expected, found, [key] if isinstance(key, str) else list(key)) if key else []
        if not key:
            missing, extra = _difference(expected, found), _difference(found, expected)
            problems = [f"missing: {row}" for row in missing] + [f"unexpected: {row}" for row in extra]
        if problems:
            more = f"\n  … and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
            raise AssertionError(
                f"the tables differ (expected {len(expected)} rows, found {len(found)}):"
                + "".join(f"\n  {problem}" for problem in problems[:_SHOWN])
                + more
            )
        return self

    def matches(self, schema: Any) -> TableAssertion:
        """Its columns and types are those of an Arrow schema, or of a mapping from column to Arrow type name."""
        __tracebackhide__ = True
        found = {column.name: _type(column.type) for column in self._table.schema}
        pairs = schema.items() if isinstance(schema, Mapping) else ((column.name, column.type) for column in schema)
        expected = {name: _type(kind) for name, kind in pairs}
        problems = [f"no column `{name}` ({kind})" for name, kind in expected.items() if name not in found]
        problems += [f"unexpected column `{name}` ({kind})" for name, kind in found.items() if name not in expected]
        problems += [
            f"column `{name}`: expected {kind}, found {found[name]}"
            for name, kind in expected.items()
            if name in found and found[name] != kind
        ]
        if problems:
            raise AssertionError("the schema differs:" + "".join(f"\n  {problem}" for problem in problems))
        return self


def _type(kind: Any) -> str:
    # Which of the two a reader chooses is an accident of its buffers, not of the table.
    return str(kind).replace("large_", "")


def _difference(these: list[Row], those: list[Row]) -> list[Row]:
    """Rows of `these` that `those` has not, or has fewer times."""
    left = Counter(_identity(row) for row in those)
    found = []
    for row in these:
        if left[_identity(row)]:
            left[_identity(row)] -= 1
        else:
            found.append(row)
    return found


def _by_key(expected: list[Row], found: list[Row], key: list[str]) -> list[str]:
    wanted, had = _indexed(expected, key, "expected"), _indexed(found, key, "found")
    problems = [f"missing: {row}" for identity, row in wanted.items() if identity not in had]
    problems += [f"unexpected: {row}" for identity, row in had.items() if identity not in wanted]
    for identity, row in wanted.items():
        if identity in had:
            label = ", ".join(f"{name}={row[name]!r}" for name in key)
            other = had[identity]
            problems += [
                f"{label}: `{name}` expected {row.get(name)!r}, found {other.get(name)!r}"
                for name in dict.fromkeys((*row, *other))
                if repr(row.get(name)) != repr(other.get(name)) and row.get(name) != other.get(name)
            ]
    return problems


def _indexed(rows: list[Row], key: list[str], which: str) -> dict[str, Row]:
    __tracebackhide__ = True
    index: dict[str, Row] = {}
    for row in rows:
        if absent := [name for name in key if name not in row]:
            raise AssertionError(f"the {which} rows have no column `{absent[0]}` (the key)")
        identity = repr([row[name] for name in key])
        if identity in index:
            raise AssertionError(f"the key {', '.join(key)} is not unique in the {which} rows: {row}")
        index[identity] = row
    return index


def _identity(row: Row) -> str:
    return repr(sorted(row.items(), key=lambda item: item[0]))


def _listed(title: str, rows: list[Row]) -> str:
    return f"; {title}:" + "".join(f"\n  {row}" for row in rows) if rows else ""
