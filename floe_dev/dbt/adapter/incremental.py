"""Incremental runs as copy-on-write: which rows are replaced, which files hold them, what is written instead.

No delete files are left: the files that hold a replaced row are written anew without it, together with the new rows,
in one snapshot. What matched is asked of the very snapshot the commit is based on (`AT (VERSION => …)`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dbt_common.exceptions import DbtRuntimeError
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.table.update.schema import UpdateSchema

from floe_dev.compute.views import identifier
from floe_dev.dbt.adapter.schema import can_widen, same_type
from floe_dev.dbt.adapter.table import Content
from floe_dev.dbt.adapter.types import Column

#: dbt's names for the two sides in incremental_predicates.
_DEST, _SOURCE = "DBT_INTERNAL_DEST", "DBT_INTERNAL_SOURCE"


@dataclass(frozen=True)
class Plan:
    """What an incremental model asks for."""

    strategy: str
    keys: tuple[str, ...] = ()
    predicates: tuple[str, ...] = ()
    #: Columns a merge updates on a match; None: all.
    update: tuple[str, ...] | None = None
    keep: tuple[str, ...] = ()
    #: Microbatch: the event-time column and the batch's bounds, start included, end not.
    event_time: str | None = None
    start: str | None = None
    end: str | None = None

    @property
    def needs_stage(self) -> bool:
        """Whether the query's rows are read more than once."""
        return self.strategy != "append"


def plan(model: Any) -> Plan:
    """Read the model's configuration; raises DbtRuntimeError for what cannot be done."""
    config = model["config"]
    keys = _strings(config.get("unique_key"))
    strategy = config.get("incremental_strategy") or ("delete+insert" if keys else "append")
    predicates = _strings(config.get("incremental_predicates") or config.get("predicates"))
    if strategy in ("delete_insert", "insert_overwrite"):
        raise DbtRuntimeError(
            f"FLOE4007: the incremental strategy {strategy!r} is not known here: "
            "append, delete+insert, merge, microbatch"
        )
    if strategy == "microbatch":
        batch = model.get("batch") or {}
        start, end = batch.get("event_time_start"), batch.get("event_time_end")
        if keys or not config.get("event_time") or not start or not end:
            raise DbtRuntimeError("FLOE4007: microbatch needs `event_time` and a batch, and takes no `unique_key`")
        return Plan(strategy, predicates=predicates, event_time=config["event_time"], start=str(start), end=str(end))
    if strategy in ("merge", "delete+insert") and not keys:
        if strategy == "delete+insert":
            raise DbtRuntimeError("FLOE4007: delete+insert needs a `unique_key`: what it deletes by")
        return Plan("append")
    if config.get("merge_clauses") or config.get("merge_on_using_columns"):
        raise DbtRuntimeError(
            "FLOE4007: merge_clauses are not supported: use merge_update_columns or merge_exclude_columns"
        )
    return Plan(
        strategy,
        keys=keys,
        predicates=predicates,
        update=_strings(config.get("merge_update_columns")) or None,
        keep=_strings(config.get("merge_exclude_columns")),
    )


def columns_of_table(table: Table) -> list[Column]:
    """The table's columns, in its order, as they are written."""
    return [Column(field.name, field.field_type, None) for field in table.schema().fields]


def reconcile(
    table: Table, incoming: Sequence[Column], on_schema_change: str
) -> tuple[list[Column], list[Column], Callable[[UpdateSchema], None] | None]:
    """The columns to write, those to add, and a schema change to commit first, by dbt's `on_schema_change`.

    Raises DbtRuntimeError for `fail`, and for a type that cannot be kept.
    """
    known = {field.name: field for field in table.schema().fields}
    by_name = {column.name: column for column in incoming}
    added = [column for column in incoming if column.name not in known]
    missing = [name for name in known if name not in by_name]
    retyped = [
        column
        for column in incoming
        if column.name in known and not same_type(known[column.name].field_type, column.type)
    ]
    if on_schema_change == "fail" and (added or missing):
        raise DbtRuntimeError(
            "FLOE4008: the model's columns changed and on_schema_change is 'fail': "
            f"new {[c.name for c in added]}, gone {missing}"
        )
    change: Callable[[UpdateSchema], None] | None = None
    widened = [column for column in retyped if can_widen(known[column.name].field_type, column.type)]
    if on_schema_change == "sync_all_columns" and (missing or widened):

        def change(update: UpdateSchema) -> None:
            for name in missing:
                update.delete_column((name,))
            for column in widened:
                update.update_column((column.name,), field_type=column.type)

        known = {name: field for name, field in known.items() if name in by_name}
    if on_schema_change in ("ignore", "fail"):
        added = []
    kept = [
        by_name[name]
        if name in by_name
        and (same_type(field.field_type, by_name[name].type) or (change and by_name[name] in widened))
        else Column(name, field.field_type, _duckdb_type(field.field_type))
        for name, field in known.items()
    ]
    return [*kept, *added], added, change


def content(
    plan: Plan, cursor: Any, target: str, query: str, columns: Sequence[Column], added: Sequence[Column]
) -> Content:
    """What to write and what it replaces, for one incremental run."""
    if plan.strategy == "append":
        # By name over none of the target's rows: a column the model no longer has becomes null.
        filled = f"SELECT * FROM {target} WHERE false UNION ALL BY NAME SELECT * FROM ({query})"
        return lambda _table: (_select(columns, filled), [])

    def now(table: Table | None) -> tuple[str, Sequence[DataFile]]:
        if table is None:
            return _select(columns, query), []
        dest = _at(target, table)
        matches = _matches(plan, query)
        if plan.strategy == "merge":
            _refuse_duplicates(plan, cursor, query)
        files, held = _holding(cursor, dest, matches, table)
        old_names = [column.name for column in columns if column not in added]
        kept = f"SELECT {_names(old_names)} FROM {dest} AS {_DEST} WHERE {held} AND NOT ({matches})"
        if plan.strategy == "merge" and (plan.update is not None or plan.keep):
            merged = _merged(plan, dest, query, columns, added)
            unmatched = f"NOT EXISTS (SELECT 1 FROM {dest} AS {_DEST} WHERE {_on(plan)})"
            fresh = f"SELECT * FROM ({query}) AS {_SOURCE} WHERE {unmatched}"
            sql = f"{kept} UNION ALL BY NAME {merged} UNION ALL BY NAME {fresh}"
        else:
            sql = f"{kept} UNION ALL BY NAME SELECT * FROM ({query})"
        if plan.strategy == "microbatch":
            window = _window(plan, "")
            sql = f"{kept} UNION ALL BY NAME SELECT * FROM ({query}) WHERE {window}"
        return _select(columns, sql), files

    return now


def snapshot_content(
    cursor: Any, target: str, source: str, names: Sequence[str], keys: Any, current: Any, columns: Sequence[Column]
) -> Content:
    """A dbt snapshot's merge: matched open rows get the new end of validity, inserts are added."""
    valid_to, scd_id = identifier(keys["dbt_valid_to"]), identifier(keys["dbt_scd_id"])
    is_open = f"{_DEST}.{valid_to} IS NULL"
    if current:
        is_open = f"({is_open} OR {_DEST}.{valid_to} = {current})"
    closes = (
        f"{is_open} AND EXISTS (SELECT 1 FROM {source} AS {_SOURCE} WHERE {_SOURCE}.{scd_id} = {_DEST}.{scd_id} "
        f"AND {_SOURCE}.dbt_change_type IN ('update', 'delete'))"
    )

    def now(table: Table | None) -> tuple[str, Sequence[DataFile]]:
        if table is None:
            raise DbtRuntimeError("FLOE4005: the snapshot table is gone")
        dest = _at(target, table)
        files, held = _holding(cursor, dest, closes, table)
        all_names = _names([column.name for column in columns])
        others = ", ".join(
            f"{_DEST}.{identifier(c.name)}" for c in columns if identifier(c.name).lower() != valid_to.lower()
        )
        sql = (
            f"SELECT {all_names} FROM {dest} AS {_DEST} WHERE {held} AND NOT ({closes}) "
            f"UNION ALL BY NAME SELECT {others}, {_SOURCE}.{valid_to} FROM {dest} AS {_DEST} "
            f"JOIN {source} AS {_SOURCE} ON {_SOURCE}.{scd_id} = {_DEST}.{scd_id} "
            f"AND {_SOURCE}.dbt_change_type IN ('update', 'delete') WHERE {is_open} "
            f"UNION ALL BY NAME SELECT {', '.join(names)} FROM {source} WHERE dbt_change_type = 'insert'"
        )
        return _select(columns, sql), files

    return now


def _matches(plan: Plan, query: str) -> str:
    """The condition on the target's rows that are replaced; null keys match nothing, as in SQL."""
    if plan.strategy == "microbatch":
        return _window(plan, f"{_DEST}.", *plan.predicates)
    return f"EXISTS (SELECT 1 FROM ({query}) AS {_SOURCE} WHERE {_on(plan)})"


def _on(plan: Plan) -> str:
    pairs = [f"{_DEST}.{identifier(key)} = {_SOURCE}.{identifier(key)}" for key in plan.keys]
    return " AND ".join([*pairs, *(f"({predicate})" for predicate in plan.predicates)])


def _window(plan: Plan, prefix: str, *predicates: str) -> str:
    column = f"{prefix}{identifier(str(plan.event_time))}"
    bounds = [f"{column} >= '{plan.start}'", f"{column} < '{plan.end}'"]
    return " AND ".join([*bounds, *(f"({predicate})" for predicate in predicates)])


def _merged(plan: Plan, dest: str, query: str, columns: Sequence[Column], added: Sequence[Column]) -> str:
    """Matched rows with only the columns a merge may update taken from the new row."""
    new = {column.name for column in added}
    parts = []
    for column in columns:
        updated = column.name not in plan.keep and (plan.update is None or column.name in plan.update)
        side = _SOURCE if updated or column.name in new else _DEST
        parts.append(f"{side}.{identifier(column.name)}")
    return f"SELECT {', '.join(parts)} FROM {dest} AS {_DEST} JOIN ({query}) AS {_SOURCE} ON {_on(plan)}"


def _refuse_duplicates(plan: Plan, cursor: Any, query: str) -> None:
    keys = _names(list(plan.keys))
    row = cursor.execute(f"SELECT {keys}, count(*) FROM ({query}) GROUP BY ALL HAVING count(*) > 1 LIMIT 1").fetchone()
    if row is not None:
        shown = ", ".join(f"{key} = {value!r}" for key, value in zip(plan.keys, row, strict=False))
        raise DbtRuntimeError(
            f"FLOE4009: merge: {row[-1]} new rows have the same unique_key ({shown}); nothing was committed"
        )


def _at(target: str, table: Table) -> str:
    """The target as of the snapshot the commit will be based on, with the file each row is in."""
    snapshot = table.current_snapshot()
    version = f" AT (VERSION => {snapshot.snapshot_id})" if snapshot is not None else ""
    return f"(SELECT *, filename FROM {target}{version})"


def _holding(cursor: Any, dest: str, condition: str, table: Table) -> tuple[list[DataFile], str]:
    """The data files with a row that is replaced, and the condition that a row is in one of them.

    All files where another engine left delete files. The table is planned once: each plan reads every manifest.
    """
    tasks = list(table.scan().plan_files()) if table.current_snapshot() is not None else []
    files = [task.file for task in tasks]
    if not files:
        return [], "false"
    if any(task.delete_files for task in tasks):
        return files, "true"
    rows = cursor.execute(f"SELECT DISTINCT filename FROM {dest} AS {_DEST} WHERE {condition}").fetchall()
    names = {row[0].removeprefix("file://") for row in rows}
    held = [file for file in files if file.file_path.removeprefix("file://") in names]
    return held, "true" if len(held) == len(files) else _in_files(held)


def _in_files(files: Sequence[DataFile]) -> str:
    if not files:
        return "false"
    paths = {path for file in files for path in (file.file_path, file.file_path.removeprefix("file://"))}
    return "filename IN (" + ", ".join("'" + path.replace("'", "''") + "'" for path in sorted(paths)) + ")"


def _select(columns: Sequence[Column], query: str) -> str:
    return f"SELECT {_names([column.name for column in columns])} FROM (SELECT * FROM ({query}))"


def _names(names: Sequence[str]) -> str:
    return ", ".join(identifier(name) for name in names)


def _duckdb_type(kind: Any) -> str:
    """DuckDB's spelling of a primitive Iceberg type, to cast an incoming column that differs."""
    name = str(kind)
    simple = {
        "long": "BIGINT",
        "int": "INTEGER",
        "string": "VARCHAR",
        "timestamp": "TIMESTAMP",
        "timestamptz": "TIMESTAMPTZ",
        "binary": "BLOB",
    }
    return simple.get(name, name.upper())


def _strings(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)
