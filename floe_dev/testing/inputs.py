"""What tests write into tables, as Arrow: rows, data frames, files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_READERS = {".parquet": "read_parquet", ".csv": "read_csv", ".json": "read_json", ".jsonl": "read_json"}


def as_arrow(table: Any) -> Any:
    """An Arrow table of a PyIceberg table, an Arrow stream (DuckDB, pandas, polars), rows, or a file's path.

    Raises TypeError for anything else, ValueError for a file of another kind.
    """
    import pyarrow as pa

    if isinstance(table, pa.Table):
        return table
    if isinstance(table, str | os.PathLike):
        return _file(Path(table))
    if hasattr(table, "scan"):
        return table.scan().to_arrow()
    # Anything that speaks the Arrow stream protocol: DuckDB relations, pandas and polars data frames.
    if hasattr(table, "__arrow_c_stream__"):
        return pa.table(table)
    if isinstance(table, Iterable) and not isinstance(table, bytes | Mapping):
        rows = list(table)
        if all(isinstance(row, Mapping) for row in rows):
            return pa.Table.from_pylist(rows)
    raise TypeError(f"not a table: {type(table).__name__}")


def _file(path: Path) -> Any:
    import duckdb

    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f"{path}: a table is read from {', '.join(sorted(_READERS))}")
    with duckdb.connect(":memory:") as database:
        return getattr(database, reader)(str(path)).to_arrow_table()
