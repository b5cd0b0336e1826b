"""P6: a 10-million-row table rebuilt through the dbt adapter's writer, against DuckDB's plain Parquet COPY of one file.

Both run the same query in the same process with the same threads; ours also reads the catalog, describes the files and
commits a snapshot. Then the bytes on disk after 20 rebuilds of a smaller table: all of it is history until snapshots
are expired. Run as `python -m benchmarks.p6_write`.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
from pyiceberg.catalog.rest import RestCatalog

from floe_dev.compute.duckdb import connect
from floe_dev.dbt.adapter.layout import TableLayout
from floe_dev.dbt.adapter.table import Change, IcebergTable, data_files
from floe_dev.dbt.adapter.types import columns_of
from tests.catalog.server import catalog_server

_QUERY = (
    "SELECT range AS id, range % 1000 AS customer_id, (hash(range) % 100000) / 100.0 AS amount, "
    "TIMESTAMP '2024-01-01' + INTERVAL (range % 31536000) SECOND AS ordered_at, "
    "'order ' || (range % 5000) AS note FROM range({rows})"
)


def run(rows: int = 10_000_000, rounds: int = 3, rebuilds: int = 20) -> dict[str, Any]:
    """Medians in seconds, their ratio (goal 1.0 plus 100 ms), and megabytes after the rebuilds."""
    ours: list[float] = []
    peer: list[float] = []
    with tempfile.TemporaryDirectory() as folder, catalog_server(Path(folder) / "catalog") as server:
        server.add_catalog("bench")
        connection = server.connection("bench", server.add_principal("writer", "bench", "CATALOG_MANAGE_CONTENT"))
        catalog = RestCatalog("bench", **connection.pyiceberg_properties())
        catalog.create_namespace("silver")
        with connect(connection) as database:
            big = _Rebuild(database, catalog, "big", _QUERY.format(rows=rows))
            for number in range(rounds + 1):
                target = Path(folder) / f"peer{number}.parquet"
                peer.append(_timed(lambda path=target: _copy(database, _QUERY.format(rows=rows), path)))
                target.unlink()
                ours.append(_timed(big))
                if number == 0:
                    peer.clear()
                    ours.clear()
            small = _Rebuild(database, catalog, "small", _QUERY.format(rows=rows // 100))
            small()
            once = _size(server.warehouse / "bench" / "silver" / "small")
            for _ in range(rebuilds - 1):
                small()
            all_of_it = _size(server.warehouse / "bench" / "silver" / "small")
            live = sum(file.file_size_in_bytes for file in data_files(small.table.load()))
    ratio = statistics.median(ours) / statistics.median(peer)
    return {
        "rebuild (s)": round(statistics.median(ours), 2),
        "plain COPY (s)": round(statistics.median(peer), 2),
        "ratio": round(ratio, 2),
        "goal": "<= 1.0 + 100 ms",
        f"small table built once (MB, {rows // 100:,} rows)": round(once / 1e6, 2),
        f"after {rebuilds} rebuilds (MB)": round(all_of_it / 1e6, 2),
        "of that live (MB)": round(live / 1e6, 2),
        "rows": rows,
        "rounds": rounds,
    }


class _Rebuild:
    """One table, made anew at each call."""

    def __init__(self, database: duckdb.DuckDBPyConnection, catalog: RestCatalog, name: str, query: str) -> None:
        self.table = IcebergTable(catalog, ("silver", name))
        self._database = database
        described = database.execute(f"SELECT * FROM ({query}) LIMIT 0").description or []
        self._change = Change(
            content=lambda now: (query, data_files(now)),
            columns=columns_of([item[0] for item in described], [item[1] for item in described]),
            layout=TableLayout(),
            summary={},
            rebuild=True,
        )

    def __call__(self) -> None:
        self.table.apply(self._database, self._change)


def _copy(database: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    database.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")


def _timed(action: Any) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    print(run())
