"""The platform's own code, as its handbook has it: each block runs on the sample with the variables of `floe env`.

The blocks in tests/fixtures/platform_blocks are verbatim. What each of them leaves open (whose project it is, which
catalog) is filled in here.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from floe_dev.session import Session
from tests.dagster.conftest import Stack, copy_sample
from tests.drivers.helpers import free_port

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]
BLOCKS = Path(__file__).parents[1] / "fixtures" / "platform_blocks"
BIN = Path(sys.executable).parent


def block(name: str) -> str:
    return (BLOCKS / name).read_text()


@pytest.fixture(scope="module")
def variables(stack: Stack) -> dict[str, str]:
    """This process's environment with what `floe env` prints, and the environment's programs on PATH."""
    found: dict[str, str] = json.loads(stack.floe("env", "--format", "json").stdout)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("FLOE_", "POLARIS_", "DAGSTER"))}
    return {**clean, **found, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "FLOE_SAMPLE_ORDERS": "500"}


@pytest.fixture(scope="module")
def folder(stack: Stack, variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the blocks are typed: a copy of the project, its dbt project with a profile, and packaged as well."""
    root = copy_sample(tmp_path_factory.mktemp("blocks"))
    profile = stack.floe("env", "--for", "dbt")
    assert profile.returncode == 0, profile.stderr
    (root / "dbt" / "profiles.yml").write_text(profile.stdout)
    shutil.copytree(root / "dbt", root / "dbt-project")
    parse = ["dbt", "parse", "--quiet", "--target-path", "target"]
    subprocess.run(parse, cwd=root / "dbt-project", env=variables, check=True)
    return root


def python(folder: Path, variables: dict[str, str], *parts: str) -> str:
    """The parts as one program in the project's folder; its output."""
    file = folder / "typed.py"
    file.write_text("\n\n".join(parts))
    done = subprocess.run(
        [sys.executable, str(file)], cwd=folder, env=variables, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


MATERIALIZE = """
from dagster import AssetSelection, DagsterInstance, materialize

def make(definition, name, resources, **options):
    with DagsterInstance.ephemeral() as instance:
        selection = AssetSelection.assets(*[key for key in definition.keys if key.path[-1] == name])
        result = materialize([definition], selection=selection, resources=resources, instance=instance, **options)
        found = [event.asset_key.to_user_string() for event in result.get_asset_materialization_events()]
        print("made", result.success, *found)
"""


@pytest.mark.parametrize("dev", [True, False], ids=["dagster dev", "packaged"])
def test_dbt_assets_from_the_manifest(folder: Path, variables: dict[str, str], stack: Stack, dev: bool) -> None:
    def snapshots() -> int:
        return len(json.loads(stack.floe("tables", "show", "gold.metrics", "--json").stdout)["snapshotLog"])

    before = snapshots()
    told = python(
        folder,
        # What `dagster dev` tells the processes it starts.
        {**variables, **({"DAGSTER_IS_DEV_CLI": "1"} if dev else {})},
        block("dbt_assets.py"),
        MATERIALIZE,
        'make(my_dbt_assets, "metrics", {"dbt": DbtCliResource(project_dir=dbt_project)})',
    )
    assert "made True" in told
    assert "metrics" in told.rpartition("made")[2]
    assert snapshots() == before + 1


def test_the_translator_names_assets_as_floes_own_does(folder: Path, variables: dict[str, str]) -> None:
    told = python(
        folder,
        variables,
        block("dbt_assets.py"),
        block("translator.py"),
        """
from floe_dev.orchestrators.dagster import FloeDbTranslator as Own

def graph(translator):
    @dbt_assets(manifest=dbt_project.manifest_path, project=dbt_project, dagster_dbt_translator=translator)
    def assets(context, dbt: DbtCliResource): ...
    return {spec.key: spec for spec in assets.specs}, set(assets.check_keys)

theirs, their_checks = graph(FloeDbTranslator())
ours, our_checks = graph(Own())
assert theirs.keys() == ours.keys(), theirs.keys() ^ ours.keys()
assert their_checks == our_checks
for key, spec in theirs.items():
    assert {dep.asset_key for dep in spec.deps} == {dep.asset_key for dep in ours[key].deps}
    for name in ("classification", "owner", "sla"):
        assert spec.metadata.get(name) == ours[key].metadata.get(name), (key, name)
    assert "dagster/code_references" in spec.metadata
print("same", len(theirs))
""",
    )
    assert re.search(r"same 1\d", told)


def test_partitioned_dbt_assets(folder: Path, variables: dict[str, str]) -> None:
    told = python(
        folder,
        variables,
        block("dbt_assets.py"),
        block("partitioned.py"),
        MATERIALIZE,
        'make(partitioned_dbt_assets, "metrics", {"dbt": DbtCliResource(project_dir=dbt_project)}, '
        'partition_key="2024-03-01")',
    )
    assert "made True" in told


def test_duckdb_attaches_the_catalog(folder: Path, variables: dict[str, str]) -> None:
    statement = re.sub(r'\{\{ env_var\("(\w+)"\) \}\}', lambda match: variables[match[1]], block("attach.sql"))
    told = python(
        folder,
        variables,
        f"""
import duckdb
from floe_dev.compute.duckdb import load_extensions

database = duckdb.connect()
load_extensions(database)
database.execute({statement!r})
print(database.execute("select count(*) from polaris_catalog.silver.orders").fetchone())
database.execute("create table polaris_catalog.gold.typed as select 42 as n")
print(database.execute("select n from polaris_catalog.gold.typed").fetchone())
database.execute("drop table polaris_catalog.gold.typed")
""",
    )
    assert told.split() == ["(500,)", "(42,)"]


def io_manager(variables: dict[str, str]) -> str:
    """Where the catalog is, and the scope: PyIceberg asks for `catalog` without one, which Polaris refuses, too."""
    named = block("io_manager.py").replace("http://polaris:8181/api/catalog", variables["POLARIS_URI"])
    named = named.replace('"type": "rest",', '"type": "rest", "scope": "PRINCIPAL_ROLE:ALL",')
    return (
        "import os\nclient_id, client_secret = os.environ['POLARIS_CLIENT_ID'], os.environ['POLARIS_CLIENT_SECRET']\n"
        + named
    )


def test_the_iceberg_io_manager_writes_and_reads(folder: Path, variables: dict[str, str], stack: Stack) -> None:
    catalog = Session(stack.root).catalog()
    # dagster-iceberg writes into a namespace that is there.
    catalog.create_namespace("default")
    told = python(
        folder,
        variables,
        io_manager(variables),
        """
import pyarrow as pa
from dagster import DagsterInstance, asset, materialize

@asset
def typed() -> pa.Table:
    return pa.table({"n": [1, 2, 3]})

@asset
def counted(typed: pa.Table) -> pa.Table:
    return pa.table({"rows": [typed.num_rows]})

with DagsterInstance.ephemeral() as instance:
    result = materialize([typed, counted], resources={"io_manager": iceberg_io_manager}, instance=instance)
    print("made", result.success)
""",
    )
    assert "made True" in told
    found = catalog.load_table("default.counted").scan().to_arrow().to_pydict()
    for name in ("typed", "counted"):
        catalog.drop_table(f"default.{name}")
    catalog.drop_namespace("default")
    assert found == {"rows": [3]}


@pytest.mark.parametrize("deployment", ["local", "production"])
def test_resources_are_switched_by_the_deployment(folder: Path, variables: dict[str, str], deployment: str) -> None:
    told = python(
        folder,
        {**variables, "DAGSTER_DEPLOYMENT": deployment},
        block("dbt_assets.py"),
        io_manager(variables),
        "def local_iceberg_io(): return ('local', iceberg_io_manager)",
        "def prod_iceberg_io(): return ('production', iceberg_io_manager)",
        block("switching.py"),
        "print(*get_resources_for_env(), get_resources_for_env()['io_manager'][0])",
    )
    assert told.split() == ["dbt", "io_manager", deployment]


@pytest.mark.parametrize("command", block("checklist.sh").splitlines())
def test_each_command_of_the_checklist_runs(command: str, stack: Stack, variables: dict[str, str]) -> None:
    if command.startswith("rg ") and shutil.which("rg") is None:
        # What ripgrep does, in the words of a program that is everywhere.
        pattern = command.split('"')[1]
        command = f"grep -rE --include='*.py' '{pattern}' ."
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=stack.root,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if command.startswith(("rg ", "grep ")):
        # To find no match is an answer: the sample declares in floe.yaml what others write in Python.
        assert done.returncode in (0, 1), done.stderr
        return
    assert done.returncode == 0, done.stderr
    assert (done.stdout + done.stderr).strip()


@contextlib.contextmanager
def dagster_dev(root: Path, variables: dict[str, str], log: Path) -> Iterator[int]:
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["dagster", "dev", "-f", "definitions.py", "-h", "127.0.0.1", "-p", str(port)],
            cwd=root,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield port
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_dagster_dev_typed_by_hand_shows_the_same_assets(
    stack: Stack, variables: dict[str, str], tmp_path: Path
) -> None:
    query = json.dumps({"query": "{ assetNodes { assetKey { path } } }"}).encode()
    found: set[str] = set()
    with dagster_dev(stack.root, variables, tmp_path / "dev.log") as port:
        end = time.monotonic() + 120
        while not found:
            assert time.monotonic() < end, (tmp_path / "dev.log").read_text()[-3000:]
            time.sleep(0.3)
            with contextlib.suppress(OSError, ValueError):
                request = urllib.request.Request(
                    f"http://127.0.0.1:{port}/graphql", query, {"Content-Type": "application/json"}
                )
                with urllib.request.urlopen(request, timeout=30) as answer:
                    nodes = json.load(answer)["data"]["assetNodes"]
                found = {"/".join(node["assetKey"]["path"]) for node in nodes}
    assert found == {asset.key for asset in stack.dagster.assets()}
