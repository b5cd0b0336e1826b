"""The sample project on a real stack: graph, runs, failures, hot reload, secrets."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from pyiceberg.catalog import load_catalog

from floe_dev.config.connection import connection_from_platform
from floe_dev.config.credentials import load_secrets
from floe_dev.config.project import load_project
from floe_dev.drivers import forkserver
from floe_dev.orchestrators.dagster.launcher import PID_TAG
from floe_dev.orchestrators.dagster.watch import report_file
from tests.dagster.conftest import Stack

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("dagster-stack")]
TABLES = {
    *("bronze/countries", "bronze/raw_customers", "bronze/raw_events", "bronze/raw_orders", "bronze/raw_payments"),
    *("silver/customers", "silver/daily_sessions", "silver/events", "silver/orders"),
    *("gold/customer_lifetime", "gold/customer_segments", "gold/daily_traffic", "gold/metrics"),
}
VIEWS = {f"silver/stg_{name}" for name in ("customers", "events", "orders", "payments")}


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def keys(stack: Stack) -> set[str]:
    return {asset.key for asset in stack.dagster.assets()}


@pytest.fixture
def edited(stack: Stack) -> Iterator[Callable[[str, str], Path]]:
    """Write a file of the project; afterwards everything is as before, and Dagster knows."""
    before: dict[Path, str | None] = {}

    def edit(name: str, text: str) -> Path:
        file = stack.root / name
        before.setdefault(file, file.read_text() if file.exists() else None)
        file.write_text(text)
        return file

    yield edit
    for file, text in before.items():
        if text is None:
            file.unlink()
        else:
            file.write_text(text)
    wait_until(lambda: keys(stack) == TABLES | VIEWS and not report_file(stack.root).exists())


def test_every_table_is_an_asset_and_was_made(stack: Stack) -> None:
    assets = {asset.key: asset for asset in stack.dagster.assets()}
    assert set(assets) == TABLES | VIEWS
    assert all(asset.materialized_at for asset in assets.values())
    assert assets["silver/orders"].group == "marts"
    assert assets["gold/metrics"].owners == ("sales@example.com",)
    assert assets["silver/orders"].tags["classification"] == "internal"
    assert set(assets["silver/orders"].kinds) == {"dbt", "duckdb", "iceberg"}
    assert "bronze/raw_orders" in assets["silver/stg_orders"].depends_on


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
    assert "SyntaxError" in json.loads(report_file(stack.root).read_text())["what"]
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
    stack.dagster.terminate(run_id)
    wait_until(lambda: stack.dagster.run_status(run_id) == "CANCELED", 20)
    wait_until(lambda: not psutil.pid_exists(pid), 20)


def test_dagster_never_has_the_secret(stack: Stack) -> None:
    from floe_dev.model.layout import Layout

    secrets = load_secrets(Layout(stack.root))
    assert secrets is not None
    values = [secrets.root, *secrets.principals.values()]
    for file in (*(stack.root / ".floe" / "dagster").rglob("*"), *(stack.root / ".floe" / "logs").rglob("*")):
        if file.is_file():
            content = file.read_bytes()
            for credential in values:
                assert credential.client_secret.get_secret_value().encode() not in content, file
