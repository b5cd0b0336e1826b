"""A platform that is not this machine's own: a lakehouse of the test's own plays it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from floe_dev.catalogs.client import CatalogClient
from floe_dev.model.connection import CatalogConnection
from floe_dev.orchestrators.dagster.client import DagsterClient
from floe_dev.testing.lakehouse import Lakehouse
from tests.cli.tiny import DEFINITIONS, FLOE_YAML, PLATFORM_YAML, make_tiny
from tests.dagster.all_told import RESOURCES, SNAPSHOTS
from tests.drivers.helpers import free_port

AUTOMATED = """\
orchestration:
  jobs: {all: {select: "*"}}
  schedules: {nightly: {job: all, cron: "0 3 * * *", enabled: true}}
  sensors: {dropped: {type: file, path: inbox, job: all, enabled: true}}
"""
BUILT = """\
from floe_dev.orchestrators.dagster import build_definitions

defs = dg.Definitions.merge(build_definitions(ROOT), dg.Definitions([raw, other, clean, last]))
"""


@dataclass
class Remote:
    """The project, the platform's catalog as its own engineers see it, and the variables with its secrets."""

    root: Path
    connection: CatalogConnection

    def floe(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        clean = {
            key: value for key, value in os.environ.items() if not key.startswith(("FLOE_", "POLARIS_", "DAGSTER"))
        }
        credential = self.connection.credential
        secrets = {
            "POLARIS_CLIENT_ID": credential.client_id,
            "POLARIS_CLIENT_SECRET": credential.client_secret.get_secret_value(),
        }
        return subprocess.run(
            [sys.executable, "-m", "floe_dev.cli", *arguments],
            cwd=self.root,
            env={**clean, **secrets, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def namespaces(self) -> list[tuple[str, ...]]:
        with CatalogClient(self.connection) as client:
            return sorted(client.namespaces())

    def tables(self) -> list[str]:
        with CatalogClient(self.connection) as client:
            return [table.identifier for table in client.tables()]


@pytest.fixture
def remote(tmp_path: Path, lakehouse: Lakehouse) -> Iterator[Remote]:
    root = make_tiny(tmp_path / "project")
    (root / "floe.yaml").write_text(FLOE_YAML + AUTOMATED)
    (root / "definitions.py").write_text(DEFINITIONS.partition("defs =")[0] + BUILT)
    for namespace in ("bronze", "silver"):
        lakehouse.iceberg().create_namespace(namespace)
    folder = root / "platform" / "production"
    folder.mkdir(parents=True)
    theirs = PLATFORM_YAML.replace("http://127.0.0.1:8181/api/catalog", lakehouse.url)
    (folder / "platform.yaml").write_text(theirs.replace("tiny_catalog", lakehouse.catalog))
    made = Remote(root, lakehouse.connection)
    yield made
    made.floe("down")


AUTOMATIONS = """
{ schedulesOrError(repositorySelector: {repositoryName: "__repository__", repositoryLocationName: "floe"}) {
    ... on Schedules { results { name scheduleState { status } } } }
  sensorsOrError(repositorySelector: {repositoryName: "__repository__", repositoryLocationName: "floe"}) {
    ... on Sensors { results { name sensorState { status } } } } }
"""


@pytest.mark.stack
def test_what_is_missing_there_is_made_only_when_asked_and_shown_first(remote: Remote) -> None:
    text = (remote.root / "platform" / "production" / "platform.yaml").read_text()
    layer = "  gold: {storage_ref: files, catalog_ref: default, namespace: gold.daily}\n"
    (remote.root / "platform" / "production" / "platform.yaml").write_text(
        text.replace("catalogs:\n", layer + "catalogs:\n", 1)
    )
    before = remote.namespaces()
    shown = remote.floe("up", "--platform", "production", "--provision")
    assert "FLOE1310" in shown.stderr
    assert "--provision --allow-writes" in shown.stderr
    assert "namespace gold\n" in shown.stderr
    assert "namespace gold.daily\n" in shown.stderr
    assert "namespace bronze" not in shown.stderr
    assert remote.namespaces() == before
    assert remote.floe("status").returncode != 0, "nothing was started"

    made = remote.floe("up", "--provision", "--allow-writes", "--port", str(free_port()), "--progress", "plain")
    assert made.returncode == 0, made.stdout + made.stderr
    assert remote.namespaces() == sorted([*before, ("gold",), ("gold", "daily")])
    assert remote.tables() == []


@pytest.mark.stack
def test_up_only_looks_and_the_first_write_has_to_be_allowed(remote: Remote) -> None:
    up = remote.floe("up", "--platform", "production", "--port", str(free_port()), "--progress", "plain")
    assert up.returncode == 0, up.stdout + up.stderr
    assert remote.tables() == []
    assert '"stack": "external"' in remote.floe("status", "--json").stdout

    dagster = DagsterClient(json.loads(remote.floe("status", "--json").stdout)["urls"]["dagster"])
    automations = dagster.query(AUTOMATIONS)
    states = [
        each["scheduleState" if "scheduleState" in each else "sensorState"]["status"]
        for each in (*automations["schedulesOrError"]["results"], *automations["sensorsOrError"]["results"])
    ]
    assert states == ["STOPPED", "STOPPED"], "though floe.yaml enables both"

    refused = remote.floe("run", "bronze/raw")
    assert refused.returncode != 0
    assert "--allow-writes" in refused.stdout + refused.stderr
    typed = remote.floe("sql", "create table bronze.mine as select 1 as id")
    assert "FLOE1310" in typed.stderr
    assert "--allow-writes" in typed.stderr
    assert remote.tables() == []

    allowed = remote.floe("run", "bronze/raw", "--allow-writes")
    assert allowed.returncode == 0, allowed.stdout + allowed.stderr
    assert remote.tables() == ["bronze.raw"]
    typed = remote.floe("sql", "create table bronze.mine as select 1 as id")
    assert typed.returncode == 0, typed.stderr
    assert remote.tables() == ["bronze.mine", "bronze.raw"]
    assert remote.floe("sql", "--format", "csv", "select count(*) from bronze.raw").stdout.split()[-1] == "10"

    secret = remote.connection.credential.client_secret.get_secret_value()
    snapshots = subprocess.run(
        [sys.executable, "-c", SNAPSHOTS],
        cwd=remote.root,
        env={**os.environ, **json.loads(remote.floe("env", "--format", "json").stdout)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert snapshots.returncode == 0, snapshots.stderr
    assert int(snapshots.stdout.rpartition("runs ")[2]) > 0
    answer = json.dumps(dagster.query(RESOURCES))
    for told in (snapshots.stdout, answer):
        assert "POLARIS_CLIENT_SECRET" in told, "the reference is there"
        assert secret not in told
    places = [path for path in (remote.root / ".floe").rglob("*") if path.is_file()]
    assert any(path.parent.name == "logs" for path in places)
    assert not [path for path in places if secret.encode() in path.read_bytes()]


def test_a_platform_that_has_no_file_is_refused(tmp_path: Path) -> None:
    root = make_tiny(tmp_path / "project")
    refused = subprocess.run(
        [sys.executable, "-m", "floe_dev.cli", "up", "--platform", "prod"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "FLOE1204" in refused.stderr
    assert "local" in refused.stderr
