"""The proof that a stack works: the scoped principal makes, writes, reads and drops a table, and asks every endpoint.

It comes in two parts. What has to be imported and loaded for it takes longer than the proof itself and needs nothing of
the stack, so a start does that while the containers are still starting.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from floe_dev.config.credentials import SERVICE_PRINCIPAL, load_or_create_secrets
from floe_dev.config.project import load_project
from floe_dev.errors import Code, FloeError
from floe_dev.supervisor.provisioning import object_storage, principal_connection

if TYPE_CHECKING:
    import duckdb


def load_proof(root: Path) -> Callable[[], str]:
    """Import and load everything; what is returned proves the stack then. Raises FloeError 6004.

    It returns the time of each step, and how many endpoints answered, and raises FloeError 3004, 2326 or 2324.
    """
    from floe_dev.compute.duckdb import fresh

    begun = time.perf_counter()
    database = fresh()
    if object_storage(load_project(root)) is not None:
        import docker  # noqa: F401 - the endpoints' table needs both
        import minio.signer  # noqa: F401
    return partial(_prove, root, database, time.perf_counter() - begun)


def _prove(root: Path, database: duckdb.DuckDBPyConnection, loaded_seconds: float) -> str:
    from floe_dev.catalogs.readiness import check_readiness

    # Loaded again: its catalog's address and the principal's credential are only known by now.
    project = load_project(root)
    credential = load_or_create_secrets(project.layout).principals.get(SERVICE_PRINCIPAL)
    if credential is None:
        raise FloeError(
            Code.STEP_FAILED,
            f"the principal `{SERVICE_PRINCIPAL}` has no credential",
            why="provisioning did not finish",
            fix="floe down && floe up",
        )
    connection = principal_connection(project, project.catalog().uri, credential)
    loaded = f"loaded in {loaded_seconds * 1000:.0f} ms before"
    if object_storage(project) is None:
        return f"{check_readiness(connection, database).summary()}; {loaded}"
    from floe_dev.supervisor.endpoints import SHORT, demand, endpoint_table

    with ThreadPoolExecutor(1, thread_name_prefix="endpoints") as pool:
        # Both wait for answers most of the time.
        asking = pool.submit(endpoint_table, root, SHORT)
        try:
            summary = check_readiness(connection, database).summary()
        except FloeError:
            # Where an endpoint is wrong, the table says which; DuckDB only that a file cannot be had.
            demand(asking.result())
            raise
        return f"{summary}; {demand(asking.result())}; {loaded}"
