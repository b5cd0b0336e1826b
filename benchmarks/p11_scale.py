"""P11: a generated dbt project of many models: when the graph is visible, after a save too, and what it weighs.

The peer is `dagster dev` on a definitions file as dagster-dbt's documentation writes it, with the same profile and the
same catalog to parse against. Cold is without a manifest and without dbt's partial parse; warm has both, and bytecode.
Of a hundred models only what a save takes is measured, which has a goal of its own; it is asked about one asset, since
an answer with all of them would keep the web server from its work.
Run as `python -m benchmarks.p11_scale [--models 1000 5000]`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.stacks import DagsterDev, dagster_dev, floe, graphql, pss, stack_environment

#: Folders of models; each model needs two of the folder before.
LAYERS = 10
_ASSETS = "{ assetNodes { assetKey { path } } }"
_SAVED = '{ assetNodeOrError(assetKey: {path: ["silver", "saved_just_now"]}) { __typename } }'
#: Below this many models only the reload is measured.
_SMALL = 1000
#: From this many on one round is enough: each takes a minute or more.
_LARGE = 5000
#: What a start or a reload still does once its graph is there is over then: the daemon's turn, dbt imported for later.
_SETTLE_SECONDS = 3.0
_PEER = """\
from pathlib import Path

from dagster import AssetExecutionContext, Definitions
from dagster_dbt import DbtCliResource, DbtProject, dbt_assets

project = DbtProject(project_dir=Path(__file__).parent / "dbt")
project.prepare_if_dev()


@dbt_assets(manifest=project.manifest_path, project=project)
def models(context: AssetExecutionContext, dbt: DbtCliResource):
    yield from dbt.cli(["build"], context=context).stream()


defs = Definitions(assets=[models], resources={"dbt": DbtCliResource(project_dir=project)})
"""
_FLOE = 'name: scale\nversion: "1.0.0"\ncatalog: default\ntransforms: [{type: dbt, path: dbt}]\n'
_DBT = 'name: scale\nversion: "1.0.0"\nprofile: scale\nmodels: {+materialized: table}\n'
_PLATFORM = """\
storage: {files: {type: file}}
layers: {silver: {storage_ref: files, namespace: silver}}
catalogs:
  default:
    uri: http://127.0.0.1:8181/api/catalog
    warehouse: scale
    credentials: {client_id: {secret_ref: polaris-client-id}, client_secret: {secret_ref: polaris-client-secret}}
"""


def generate(root: Path, models: int) -> Path:
    """A project of `models` models in ten layers, each with a description, a column and a test for every fifth."""
    dbt = root / "dbt"
    dbt.mkdir(parents=True)
    (root / "floe.yaml").write_text(_FLOE)
    (root / "platform.yaml").write_text(_PLATFORM)
    (dbt / "dbt_project.yml").write_text(
        'name: scale\nversion: "1.0.0"\nprofile: scale\nmodels: {+materialized: table}\n'
    )
    width = max(2, models // LAYERS)
    for number in range(models):
        layer, place = divmod(number, width)
        folder = dbt / "models" / f"layer_{layer}"
        folder.mkdir(parents=True, exist_ok=True)
        needs = [f"m_{layer - 1}_{(place + step) % width}" for step in (0, 1)] if layer else []
        tables = " union all ".join(f"select id from {{{{ ref('{name}') }}}}" for name in needs) or "select 1 as id"
        (folder / f"m_{layer}_{place}.sql").write_text(f"{tables}\n")
        tests = "        data_tests: [not_null]\n" if place % 5 == 0 else ""
        with (folder / "models.yml").open("a") as file:
            if file.tell() == 0:
                file.write("version: 2\nmodels:\n")
            file.write(f"  - name: m_{layer}_{place}\n    description: Model {number}.\n")
            file.write(f"    columns:\n      - name: id\n        description: The key.\n{tests}")
    return root


def run(models: tuple[int, ...] = (100, 1000, 5000), rounds: int = 3) -> dict[str, Any]:
    """Seconds and megabytes for each size (goals: a save at most 2 s at 100; warm at most 3 s at 1,000, no parse)."""
    return {f"{size} models": _measure(size, 1 if size >= _LARGE else rounds) for size in models}


def _measure(models: int, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        root = generate(Path(folder) / "scale", models)
        try:
            if models < _SMALL:
                floe(root, "up", "--no-run", "--timeout", "280")
                return {"floe: after a new model (s)": _reload(root, _port(root), rounds)}
            ours = _ours(root, models, rounds)
            environment = stack_environment(root)
            floe(root, "down")
            peer = _peer(root, Path(folder), environment, models, rounds)
        finally:
            floe(root, "down")
    found = {f"floe: {name}": value for name, value in ours.items()}
    found |= {f"dagster dev: {name}": value for name, value in peer.items()}
    found |= {f"ratio: {name}": round(ours[name] / value, 2) for name, value in peer.items() if value and name in ours}
    return found


def _ours(root: Path, models: int, rounds: int) -> dict[str, Any]:
    def up() -> float:
        """From the command to the web server's answer with every model."""
        started = time.perf_counter()
        floe(root, "up", "--no-run", "--timeout", "280")
        _wait(_port(root), lambda names: len(names) >= models)
        return time.perf_counter() - started

    cold = up()
    manifest = root / ".floe" / "dbt" / "target" / "manifest.json"
    parsed_at = manifest.stat().st_mtime_ns
    warm = []
    for _ in range(rounds):
        floe(root, "down")
        warm.append(up())
    if manifest.stat().st_mtime_ns != parsed_at:
        raise RuntimeError("a warm start parsed the dbt project again")
    status = json.loads(floe(root, "status", "--json").stdout)
    code = next(service["pid"] for service in status["services"] if service["name"] == "dagster-code")
    port = _port(root)
    found = {
        "graph visible, cold (s)": round(cold, 2),
        "graph visible, warm (s)": round(statistics.median(warm), 2),
        "code server (MB)": round(pss(code) / 1e6),
        "after a new model (s)": _reload(root, port, rounds),
    }
    floe(root, "down")
    floe(root, "up", "--no-run", "--timeout", "280")
    return found


def _peer(root: Path, folder: Path, environment: dict[str, str], models: int, rounds: int) -> dict[str, Any]:
    (root / "definitions.py").write_text(_PEER)
    shutil.copy(root / ".floe" / "dbt" / "profiles.yml", root / "dbt")
    # Its own target: nothing of floe's is used.
    variables = {key: value for key, value in environment.items() if key.startswith("POLARIS")}
    cold = 0.0
    warm: list[float] = []
    found: dict[str, Any] = {}
    for number in range(rounds + 1):
        with dagster_dev(root, folder / "peer", variables) as dev:
            started = time.perf_counter()
            _wait(dev.port, lambda names: len(names) >= models)
            taken = time.perf_counter() - started
            cold, warm = (taken, warm) if number == 0 else (cold, [*warm, taken])
            if number == rounds:
                found["code server (MB)"] = round(_code_server(dev) / 1e6)
    return {
        "graph visible, cold (s)": round(cold, 2),
        "graph visible, warm (s)": round(statistics.median(warm), 2),
        **found,
    }


def _code_server(dev: DagsterDev) -> int:
    """The largest of its processes that serve code (`dagster api grpc`, or `code-server start`)."""
    sizes = [
        pss(process.pid)
        for process in dev.family()
        if any(word in ("grpc", "code-server") for word in process.cmdline())
    ]
    return max(sizes, default=0)


def _reload(root: Path, port: int, rounds: int) -> float:
    """Seconds from the save of a new model to the answer that has it: the median of `rounds`."""
    file = root / "dbt" / "models" / "layer_0" / "saved_just_now.sql"
    found = []
    for _ in range(rounds):
        time.sleep(_SETTLE_SECONDS)
        started = time.perf_counter()
        file.write_text("select 1 as id\n")
        _wait_for_saved(port, "AssetNode")
        found.append(time.perf_counter() - started)
        time.sleep(_SETTLE_SECONDS)
        file.unlink()
        _wait_for_saved(port, "AssetNotFoundError")
    return round(statistics.median(found), 2)


def _wait_for_saved(port: int, answer: str, seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while (graphql(port, _SAVED).get("assetNodeOrError") or {}).get("__typename") != answer:
        if time.monotonic() > end:
            raise RuntimeError("the save did not show in time")
        time.sleep(0.05)


def _wait(port: int, done: Any, seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        nodes = graphql(port, _ASSETS).get("assetNodes") or []
        if done({node["assetKey"]["path"][-1] for node in nodes}):
            return
        time.sleep(0.1)
    raise RuntimeError("the graph did not show in time")


def _port(root: Path) -> int:
    url: str = json.loads(floe(root, "status", "--json").stdout)["urls"]["dagster"]
    return int(url.rpartition(":")[2])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(json.dumps(run(tuple(options.models), options.rounds), indent=1))
