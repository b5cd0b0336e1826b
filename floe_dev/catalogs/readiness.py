"""Readiness is a real table: the scoped principal creates, writes, reads and drops one before the stack is ready."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from floe_dev.compute.duckdb import attach, fresh
from floe_dev.errors import Code, FloeError
from floe_dev.model.connection import CatalogConnection

if TYPE_CHECKING:
    import duckdb

#: The namespace of the check's table; it is made and dropped with it.
NAMESPACE_PREFIX = "floe_readiness_"


@dataclass(frozen=True)
class Readiness:
    """Seconds that each step took, in order."""

    seconds: tuple[tuple[str, float], ...]

    def summary(self) -> str:
        """`attach 12 ms, create 8 ms, …`."""
        return ", ".join(f"{name} {seconds * 1000:.0f} ms" for name, seconds in self.seconds)


def check_readiness(connection: CatalogConnection, database: duckdb.DuckDBPyConnection | None = None) -> Readiness:
    """Attach, create, write, read and drop through DuckDB; raises FloeError 3004 naming the step that failed.

    `database` is a fresh DuckDB that was loaded before; it is closed.
    """
    name = f"{NAMESPACE_PREFIX}{uuid.uuid4().hex[:12]}"
    namespace = f'"{connection.alias}"."{name}"'
    steps = (
        ("create", f"CREATE SCHEMA {namespace}; CREATE TABLE {namespace}.probe (n BIGINT)"),
        ("write", f"INSERT INTO {namespace}.probe SELECT range FROM range(3)"),  # noqa: S608 - names made here
        ("read", f"SELECT count(*), sum(n) FROM {namespace}.probe"),  # noqa: S608 - names made here
        ("drop", f"DROP TABLE {namespace}.probe; DROP SCHEMA {namespace}"),
    )
    taken: list[tuple[str, float]] = []
    begun = time.perf_counter()
    step = "attach"
    try:
        with attach(database or fresh(), connection) as database:
            taken.append((step, time.perf_counter() - begun))
            for step, sql in steps:
                begun = time.perf_counter()
                answer = database.execute(sql).fetchone()
                if step == "read" and answer != (3, 3):
                    raise ValueError(f"wrote the rows 0, 1, 2 and read back {answer}")
                taken.append((step, time.perf_counter() - begun))
    except FloeError:
        raise
    except Exception as error:
        raise FloeError(
            Code.NOT_READY,
            f"the scoped principal cannot {step} a table",
            why=str(error).strip(),
            fix="floe logs catalog",
        ) from error
    return Readiness(tuple(taken))
