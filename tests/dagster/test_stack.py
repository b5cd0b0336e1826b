"""The sample project on a real stack: graph, runs, failures, hot reload, secrets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from pyiceberg.catalog import load_catalog

from floe_dev.config.connection import connection_from_platform
from floe_dev.config.credentials import load_secrets
from floe_dev.config.project import load_project
from floe_dev.drivers import forkserver
from floe_dev.model.layout import Layout
from floe_dev.orchestrators.dagster import instigators
from floe_dev.orchestrators.dagster.launcher import PID_TAG
from floe_dev.orchestrators.dagster.watch import report_file
from tests.dagster.all_told import RESOURCES, SNAPSHOTS
from tests.dagster.conftest import TABLES, VIEWS, Stack, keys, wait_until

pytestmark = pytest.mark.stack


def test_every_table_is_an_asset_and_was_made(stack: Stack) -> None:
    assets = {asset.key: asset for asset in stack.dagster.assets()}
    assert set(assets) == TABLES | VIEWS
    assert all(asset.materialized_at for asset in assets.values())
    assert assets["silver/orders"].group == "marts"
    assert assets["gold/metrics"].owners == ("sales@example.com",)
    assert assets["silver/orders"].tags["classification"] == "internal"
    assert set(assets["silver/orders"].kinds) == {"dbt", "duckdb", "iceberg"}
    assert "bronze/raw_orders" in assets["silver/stg_orders"].depends_on


@pytest.mark.skipif(
    not forkserver.supported(), reason="without a fork server Dagster opens its files as it always does"
)
def test_events_do_not_wait_for_the_disk(stack: Stack) -> None:
    assert list(Layout(stack.root).dagster_home.rglob("index.db-wal"))


def test_rows_agree_between_engines(stack: Stack) -> None:
    query = "select count(*) as n, count(distinct order_id) as d from silver.orders"
    done = stack.floe("sql", query, "--format", "json")
    assert done.returncode == 0, done.stderr
    assert '"n":500' in done.stdout.replace(" ", "")
    project = load_project(stack.root, {})
    secrets = load_secrets(project.layout)
    assert secrets is not None
    credential = secrets.principals["reader"]
    environment = {
        "POLARIS_CLIENT_ID": credential.client_id,
        "POLARIS_CLIENT_SECRET": credential.client_secret.get_secret_value(),
    }
    catalog = load_catalog("test", **connection_from_platform(project, environment).pyiceberg_properties())
    assert catalog.load_table("silver.orders").scan().count() == 500


def test_a_snapshot_carries_the_run(stack: Stack) -> None:
    runs = {asset.key: asset.last_run for asset in stack.dagster.assets()}
    metadata = "\n".join(file.read_text() for file in (stack.root / ".floe" / "warehouse").rglob("*.metadata.json"))
    for key in ("silver/orders", "bronze/raw_orders", "gold/customer_segments"):
        assert f'"floe.run-id":"{runs[key]}"' in metadata.replace('": "', '":"'), key


def test_a_run_of_a_selection(stack: Stack) -> None:
    before = {asset.key: asset.materialized_at for asset in stack.dagster.assets()}
    done = stack.floe("run", "gold.metrics", "--progress", "plain")
    assert done.returncode == 0, done.stderr
    after = {asset.key: asset.materialized_at for asset in stack.dagster.assets()}
    assert {key for key in after if after[key] != before[key]} == {"gold/metrics"}


def test_what_the_schedules_start_goes_well(stack: Stack) -> None:
    for automation in instigators.automations(stack.dagster):
        if automation.kind == "schedule":
            evaluation = instigators.evaluate(stack.dagster, automation)
            assert (len(evaluation.requests), evaluation.error) == (1, ""), automation.name
            (run_id,) = instigators.launch_requests(stack.dagster, evaluation.requests)
            assert _end_of(stack, run_id) == "SUCCESS", automation.name


def _end_of(stack: Stack, run_id: str) -> str:
    wait_until(lambda: stack.dagster.run_status(run_id) in ("SUCCESS", "FAILURE"), 60)
    return stack.dagster.run_status(run_id)


def test_incremental_runs_add_nothing_twice(stack: Stack) -> None:
    assert stack.floe("run", "silver/events").returncode == 0
    done = stack.floe(
        "sql", "select count(*) as n, count(distinct event_id) as d from silver.events", "--format", "json"
    )
    assert '"n":1000,"d":1000' in done.stdout.replace(" ", ""), done.stdout + done.stderr


def test_a_failing_model_is_named_with_its_reason_and_changes_nothing(
    stack: Stack, edited: Callable[[str, str], Path]
) -> None:
    edited("dbt/models/marts/hot.sql", "{{ config(schema='gold') }}\nselect nowhere from {{ ref('metrics') }}\n")
    wait_until(lambda: "gold/hot" in keys(stack))
    done = stack.floe("run", "gold/hot")
    assert done.returncode not in (0, 1, 2), done.stderr
    told = done.stdout + done.stderr
    assert "gold/hot" in told
    assert "nowhere" in told
    assert stack.floe("sql", "select count(*) from gold.metrics").returncode == 0


def test_a_failing_test_is_told_once_under_its_asset(stack: Stack, edited: Callable[[str, str], Path]) -> None:
    edited("dbt/tests/always_wrong.sql", "select 1 as wrong from {{ ref('customer_lifetime') }} limit 1\n")
    wait_until(lambda: "always_wrong" in stack.dagster_checks())
    done = stack.floe("run", "gold/customer_lifetime", "--json")
    assert done.returncode == 7, done.stderr
    failed = json.loads(done.stdout)["failed"]
    assert [failure["asset"] for failure in failed] == ["gold/customer_lifetime: check always_wrong"]
    assert "Got 1 result" in failed[0]["why"]
    assert Path(failed[0]["log"]).is_file()


def test_a_change_of_python_is_live_and_a_broken_save_keeps_the_last_good_graph(
    stack: Stack, edited: Callable[[str, str], Path]
) -> None:
    module = (stack.root / "shop" / "assets.py").read_text()
    asset = '\n\n@dg.asset(key=["gold", "fresh"])\ndef fresh() -> pa.Table:\n    return pa.table({"a": [1]})\n'
    edited("shop/assets.py", module + asset)
    wait_until(lambda: "gold/fresh" in keys(stack))
    assert stack.floe("run", "gold/fresh").returncode == 0
    edited("shop/assets.py", module + "\nthis is no Python\n")
    wait_until(report_file(stack.root).exists)
    told = json.loads(report_file(stack.root).read_text())
    assert "SyntaxError" in told["why"]
    assert told["where"]["file"].endswith("assets.py")
    assert told["where"]["line"] == len(module.splitlines()) + 2
    assert "gold/fresh" in keys(stack)
    shown = stack.floe("status")
    assert shown.returncode == 0
    assert "SyntaxError" in shown.stdout


def test_a_model_that_does_not_parse_is_told_with_its_file(stack: Stack, edited: Callable[[str, str], Path]) -> None:
    edited("dbt/models/marts/hot.sql", "{{ config(schema='gold') }}\nselect * from {{ ref('nothing_of_that_name') }}\n")
    wait_until(report_file(stack.root).exists)
    told = json.loads(report_file(stack.root).read_text())
    assert told["code"] == "FLOE4001"
    assert "nothing_of_that_name" in told["why"]
    assert told["where"]["file"].endswith("hot.sql")
    assert keys(stack) == TABLES | VIEWS


def test_definitions_yaml_files_and_floe_yaml_are_followed(stack: Stack, edited: Callable[[str, str], Path]) -> None:
    def descriptions() -> str:
        return json.dumps(stack.dagster.query("{ assetNodes { description } }"))

    definitions = (stack.root / "definitions.py").read_text()
    more = (
        'import dagster as dg\n\ndefs = dg.Definitions.merge(defs, dg.Definitions([dg.AssetSpec(["gold", "told"])]))\n'
    )
    edited("definitions.py", f"{definitions}\n{more}")
    wait_until(lambda: "gold/told" in {asset.key for asset in stack.dagster.assets()})
    edited("definitions.py", "defs = nowhere\n")
    wait_until(report_file(stack.root).exists)
    told = json.loads(report_file(stack.root).read_text())
    assert "nowhere" in told["what"]
    assert "gold/told" in keys(stack), "the last good graph"
    edited("definitions.py", definitions)
    wait_until(lambda: not report_file(stack.root).exists())

    marts = (stack.root / "dbt" / "models" / "marts" / "marts.yml").read_text()
    edited("dbt/models/marts/marts.yml", marts.replace("The shop, day by day.", "Told anew."))
    wait_until(lambda: "Told anew." in descriptions())

    floe_yaml = (stack.root / "floe.yaml").read_text()
    edited("floe.yaml", floe_yaml.replace("catalog: default", "catalog: defualt"))
    wait_until(report_file(stack.root).exists)
    told = json.loads(report_file(stack.root).read_text())
    assert told["code"] == "FLOE1204"
    line = floe_yaml.splitlines().index("catalog: default") + 1
    assert (Path(told["where"]["file"]).name, told["where"]["line"]) == ("floe.yaml", line)
    assert "Told anew." in descriptions()


FRESHNESS = """
{ assetNodes { assetKey { path } assetChecksOrError { ... on AssetChecks { checks {
  name description executionForLatestMaterialization { status evaluation { severity success
    metadataEntries { label ... on TextMetadataEntry { text } } } } } } } } }
"""


def freshness(stack: Stack) -> dict[str, dict[str, Any]]:
    """The outcome of dbt's source freshness by asset."""
    return {
        "/".join(node["assetKey"]["path"]): check
        for node in stack.dagster.query(FRESHNESS)["assetNodes"]
        for check in node["assetChecksOrError"].get("checks") or ()
        if check["name"] == "source_freshness"
    }


def test_source_freshness_is_a_check_that_asks_the_catalog_unless_dbt_names_a_column(
    stack: Stack, edited: Callable[[str, str], Path]
) -> None:
    found = freshness(stack)
    assert set(found) == {f"bronze/raw_{name}" for name in ("customers", "events", "orders", "payments")}
    for check in found.values():
        assert check["executionForLatestMaterialization"]["status"] == "SUCCEEDED"
        assert check["description"] == "older than 7 days is a warning; older than 30 days is an error"
    sources = (stack.root / "dbt" / "models" / "staging" / "sources.yml").read_text()
    # The shop's last order is long past.
    column = "      - name: raw_orders\n        config: {loaded_at_field: ordered_at}\n"
    edited("dbt/models/staging/sources.yml", sources.replace("      - name: raw_orders\n", column))
    manifest = stack.root / ".floe" / "dbt" / "target" / "manifest.json"
    wait_until(lambda: '"loaded_at_field": "ordered_at"' in manifest.read_text())
    done = stack.floe("run", "bronze/raw_orders", "--json")
    assert done.returncode == 7, done.stdout + done.stderr
    failed = json.loads(done.stdout)["failed"]
    assert [failure["asset"] for failure in failed] == ["bronze/raw_orders: check source_freshness"]
    evaluation = freshness(stack)["bronze/raw_orders"]["executionForLatestMaterialization"]["evaluation"]
    assert (evaluation["success"], evaluation["severity"]) == (False, "ERROR")
    texts = {entry["label"]: entry.get("text") for entry in evaluation["metadataEntries"]}
    assert texts["max_loaded_at"].startswith("2025-01-")


SLOW = """

@dg.asset(key=["gold", "slow"])
def slow() -> pa.Table:
    import time

    time.sleep(120)
    return pa.table({"a": [1]})
"""


def begin_slow_run(stack: Stack, edit: Callable[[str, str], Path]) -> tuple[str, int]:
    edit("shop/assets.py", (stack.root / "shop" / "assets.py").read_text() + SLOW)
    wait_until(lambda: "gold/slow" in keys(stack))
    run_id = stack.dagster.launch(["gold/slow"])
    wait_until(lambda: stack.dagster.run_status(run_id) == "STARTED")
    question = "query Tags($id: ID!) { runOrError(runId: $id) { ... on Run { tags { key value } } } }"
    tags = {tag["key"]: tag["value"] for tag in stack.dagster.query(question, id=run_id)["runOrError"]["tags"]}
    return run_id, int(tags[PID_TAG])


@pytest.mark.skipif(not forkserver.supported(), reason="runs are forked on Linux only")
def test_a_killed_run_is_a_failed_run(stack: Stack, edited: Callable[[str, str], Path]) -> None:
    run_id, pid = begin_slow_run(stack, edited)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: stack.dagster.run_status(run_id) == "FAILURE", 20)


@pytest.mark.skipif(not forkserver.supported(), reason="runs are forked on Linux only")
def test_a_run_can_be_cancelled(stack: Stack, edited: Callable[[str, str], Path]) -> None:
    run_id, pid = begin_slow_run(stack, edited)
    stack.dagster.cancel(run_id)
    wait_until(lambda: stack.dagster.run_status(run_id) == "CANCELED", 20)
    wait_until(lambda: not psutil.pid_exists(pid), 20)


def secret_values(stack: Stack) -> list[str]:
    """Every value that `.floe/secrets.json` holds, client ids apart."""
    found = json.loads((stack.root / ".floe" / "secrets.json").read_text())

    def texts(value: object, name: str = "") -> Iterator[str]:
        if isinstance(value, dict):
            for key, item in value.items():
                yield from texts(item, key)
        elif isinstance(value, str) and name != "client_id":
            yield value

    return list(texts(found))


def test_dagster_never_has_a_secret(stack: Stack) -> None:
    values = secret_values(stack)
    assert len(values) >= 4, "root, two principals, signing key, telemetry token"

    environment = {**os.environ, **json.loads(stack.floe("env", "--format", "json").stdout)}
    snapshots = subprocess.run(
        [sys.executable, "-c", SNAPSHOTS], cwd=stack.root, env=environment, capture_output=True, text=True, check=False
    )
    assert snapshots.returncode == 0, snapshots.stderr
    assert int(snapshots.stdout.rpartition("runs ")[2]) > 0
    assert '"env": "POLARIS_CLIENT_SECRET"' in snapshots.stdout.replace("\\", ""), "the reference is there"

    answer = json.dumps(stack.dagster.query(RESOURCES))
    assert "POLARIS_CLIENT_SECRET" in answer

    files = [
        file
        for folder in ("dagster", "logs", "dbt", "telemetry")
        for file in (stack.root / ".floe" / folder).rglob("*")
        if file.is_file()
    ]
    assert len(files) > 10
    for value in values:
        assert value not in snapshots.stdout
        assert value not in answer
        assert [file for file in files if value.encode() in file.read_bytes()] == []
