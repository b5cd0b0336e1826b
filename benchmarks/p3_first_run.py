"""P3: a clean project to all assets green: `floe up`, against `dagster dev` plus a materialize-everything call.

The peer gets a running, provisioned, empty catalog for free; ours starts and provisions its own. Both run the very same
project, with the same definitions. Run as `python -m benchmarks.p3_first_run`.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.stacks import copy_sample, dagster_dev, floe, seconds_of
from floe_dev.catalogs.provision import provision
from floe_dev.config.credentials import SERVICE_PRINCIPAL, load_or_create_secrets
from floe_dev.config.project import load_project
from floe_dev.dbt.profile import write_profile
from floe_dev.model.connection import CatalogConnection
from floe_dev.orchestrators.dagster.client import DagsterClient
from floe_dev.orchestrators.dagster.partition_runs import plan_runs
from tests.catalog.server import catalog_server


def run(rounds: int = 3) -> dict[str, Any]:
    """Medians over interleaved rounds, in seconds, and their ratio (goal 0.6)."""
    ours: list[float] = []
    peer: list[float] = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            root = copy_sample(Path(folder) / f"shop{number}")
            try:
                ours.append(seconds_of(root, "up"))
            finally:
                floe(root, "down")
            peer.append(_peer(Path(folder)))
    return {
        "floe up, everything green (s)": round(statistics.median(ours), 1),
        "dagster dev + materialize (s)": round(statistics.median(peer), 1),
        "ratio": round(statistics.median(ours) / statistics.median(peer), 2),
        "goal": "<= 0.6",
        "rounds": rounds,
    }


def _peer(folder: Path) -> float:
    root = copy_sample(folder / "peer_shop")
    with catalog_server(folder / "catalog") as server:
        project = load_project(root)
        project.layout.state_dir.mkdir()
        admin = CatalogConnection(
            uri=f"{server.url}/api/catalog", warehouse=project.catalog().warehouse, credential=server.root
        )
        location = server.location(admin.warehouse)
        provision(admin, location=location, namespaces=project.namespaces(), layout=project.layout)
        write_profile(project)
        scoped = load_or_create_secrets(project.layout).principals[SERVICE_PRINCIPAL]
        connection = admin.model_copy(update={"credential": scoped})
        environment = {**project.layout.environment(), **connection.environment()}
        started = time.perf_counter()
        with dagster_dev(root, folder / "home", environment) as dev:
            dev.wait_for_assets()
            client = DagsterClient(f"http://127.0.0.1:{dev.port}")
            assets = client.assets()
            keys = [asset.key for asset in assets if asset.materializable]
            (run,) = plan_runs(keys, assets, None, client.partition_keys)
            run_id = client.launch(run.keys, run.tags)
            while (status := client.run_status(run_id)) not in ("SUCCESS", "FAILURE", "CANCELED"):
                time.sleep(0.1)
            taken = time.perf_counter() - started
    if status != "SUCCESS":
        raise RuntimeError(f"the peer's run ended with {status}")
    return taken


if __name__ == "__main__":
    print(run())
