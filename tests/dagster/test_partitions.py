"""Partitions: declared in floe.yaml, aligned with dbt, each run replaces exactly its own rows."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from floe_dev.errors import Code, FloeError
from floe_dev.model.project import Partitions
from floe_dev.model.runs import AssetStatus
from floe_dev.orchestrators.dagster.alignment import misalignment
from floe_dev.orchestrators.dagster.freshness import sla_window
from floe_dev.orchestrators.dagster.partition_runs import plan_runs
from tests.dagster.conftest import Stack

DAILY = Partitions(type="daily", start="2025-01-01")


def model(**config: Any) -> dict[str, Any]:
    return {"resource_type": "model", "name": "m", "config": {"materialized": "incremental", **config}}


@pytest.mark.parametrize(
    "config",
    [
        {"incremental_strategy": "microbatch", "batch_size": "day"},
        {"incremental_strategy": "microbatch", "batch_size": "hour"},
        {"incremental_strategy": "delete+insert", "unique_key": "day", "event_time": "DAY"},
        {"incremental_strategy": "delete+insert", "unique_key": ["day"], "event_time": "day"},
        {"materialized": "view"},
    ],
)
def test_models_whose_runs_replace_just_their_partition_are_taken(config: dict[str, Any]) -> None:
    assert misalignment(model(**config), DAILY) is None


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"materialized": "table"}, "replace all the others' rows"),
        ({"incremental_strategy": "append"}, "again each time"),
        ({}, "again each time"),
        ({"incremental_strategy": "merge", "unique_key": "id"}, "has lost meanwhile"),
        ({"incremental_strategy": "delete+insert", "unique_key": "id"}, "no `event_time`"),
        ({"incremental_strategy": "delete+insert", "unique_key": "id", "event_time": "day"}, "unique_key is id"),
        ({"incremental_strategy": "microbatch", "batch_size": "month"}, "longer than a partition"),
    ],
)
def test_others_are_refused_with_the_reason(config: dict[str, Any], reason: str) -> None:
    assert reason in (misalignment(model(**config), DAILY) or "")


def test_microbatches_of_a_day_need_partitions_in_utc_and_by_time() -> None:
    batch = model(incremental_strategy="microbatch", batch_size="day")
    assert "in UTC" in (misalignment(batch, Partitions(type="daily", start="2025-01-01", timezone="Asia/Tokyo")) or "")
    assert "cut by time" in (misalignment(batch, Partitions(type="static", keys=("a",))) or "")


@pytest.mark.parametrize(
    ("sla", "window"),
    [
        ("24h", dt.timedelta(hours=24)),
        ("30 minutes", dt.timedelta(minutes=30)),
        ("daily", dt.timedelta(days=1)),
        ("7d", dt.timedelta(days=7)),
        ("soon", None),
        ("0h", None),
        (None, None),
    ],
)
def test_an_sla_is_a_span_of_time(sla: str | None, window: dt.timedelta | None) -> None:
    assert sla_window(sla) == window


def asset(key: str, *needs: str, partitions: str | None = None) -> AssetStatus:
    return AssetStatus(key=key, depends_on=needs, partitions=partitions)


def keys_of(_asset: str) -> list[str]:
    return ["2025-01-01", "2025-01-02", "2025-01-03"]


def test_one_run_makes_all_that_shares_one_partitions_definition() -> None:
    assets = [asset("a"), asset("b", "a", partitions="daily"), asset("c", "b")]
    (run,) = plan_runs(["a", "b", "c"], assets, None, keys_of)
    assert run.keys == ("a", "b", "c")
    assert run.tags == {
        "dagster/asset_partition_range_start": "2025-01-01",
        "dagster/asset_partition_range_end": "2025-01-03",
    }


def test_each_partitions_definition_needs_a_run_in_the_order_of_dependencies() -> None:
    assets = [asset("d", "c"), asset("b", partitions="daily"), asset("c", "b", partitions="hourly")]
    runs = plan_runs(["b", "c", "d"], assets, "2025-01-02", keys_of)
    assert [run.keys for run in runs] == [("b",), ("c", "d")]
    assert all(run.tags == {"dagster/partition": "2025-01-02"} for run in runs)


@pytest.mark.parametrize("partition", ["1999-01-01", "2025-01-02..2026-01-01", ".."])
def test_a_partition_out_of_range_is_refused_with_the_range(partition: str) -> None:
    with pytest.raises(FloeError) as refused:
        plan_runs(["b"], [asset("b", partitions="daily")], partition, keys_of)
    assert refused.value.code is Code.NO_SUCH_PARTITION
    assert "2025-01-01 to 2025-01-03" in str(refused.value)


def test_a_partition_of_assets_without_any_is_refused() -> None:
    with pytest.raises(FloeError) as refused:
        plan_runs(["a"], [asset("a")], "2025-01-01", keys_of)
    assert refused.value.code is Code.NO_SUCH_PARTITION


@pytest.mark.stack
def test_a_backfill_of_thirty_days_has_exactly_each_days_rows_however_often_it_runs(stack: Stack) -> None:
    compare = """
        with expected as (
            select date_trunc('day', occurred_at) as day, count(distinct customer_id) as visitors, count(*) as events
            from silver.events group by 1
        )
        select count(*), count(*) filter (where t.visitors = e.visitors and t.events = e.events)
        from expected e full join gold.daily_traffic t using (day)
    """
    checks = stack.dagster.query(
        """{ assetNodes { assetKey { path } assetChecksOrError { ... on AssetChecks { checks {
            name executionForLatestMaterialization { status } } } } } }"""
    )["assetNodes"]
    outcomes = {
        "/".join(node["assetKey"]["path"]): [
            check["executionForLatestMaterialization"] for check in node["assetChecksOrError"].get("checks") or ()
        ]
        for node in checks
    }
    # A test on the source that a Python asset makes from models is run once that asset is made.
    assert [check and check["status"] for check in outcomes["silver/daily_sessions"]] == ["SUCCEEDED"]
    days = stack.floe("sql", "--format", "csv", compare)
    assert days.stdout.split()[-1] == "30,30", days.stdout + days.stderr
    before = stack.floe("sql", "--format", "csv", "select * from gold.daily_traffic order by day")

    again = stack.floe("run", "silver/daily_sessions", "gold/daily_traffic", "--partition", "2025-01-05..2025-01-09")
    assert again.returncode == 0, again.stdout + again.stderr
    once = stack.floe("run", "gold/daily_traffic", "--partition", "2025-01-07")
    assert once.returncode == 0, once.stdout + once.stderr
    after = stack.floe("sql", "--format", "csv", "select * from gold.daily_traffic order by day")
    assert after.stdout == before.stdout

    refused = stack.floe("run", "gold/daily_traffic", "--partition", "2024-12-31")
    assert "FLOE5101" in refused.stderr
    assert "2025-01-01 to 2025-01-30" in refused.stderr
    floe_yaml = (stack.root / "floe.yaml").read_text().splitlines()
    assert f"floe.yaml:{floe_yaml.index('  partitions:') + 1}" in refused.stderr
