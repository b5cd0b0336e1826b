"""The in-memory side of views, without a catalog."""

from __future__ import annotations

import threading

import duckdb

from floe_dev.compute.views import create_memory_schema


def test_threads_that_make_one_schema_at_once_do_not_conflict() -> None:
    for _ in range(20):
        with duckdb.connect() as connection:
            together = threading.Barrier(4)
            errors: list[duckdb.Error] = []

            def make(cursor: duckdb.DuckDBPyConnection, wait: threading.Barrier, caught: list[duckdb.Error]) -> None:
                wait.wait()
                try:
                    create_memory_schema(cursor, "silver")
                except duckdb.Error as error:
                    caught.append(error)

            threads = [threading.Thread(target=make, args=(connection.cursor(), together, errors)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert errors == []
