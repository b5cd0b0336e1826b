"""Partitions: declared in floe.yaml, aligned with dbt, each run replaces exactly its own rows."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from floe_dev.errors import Code, FloeError
from floe_dev.model.project import Partitions
from floe_dev.model.runs import AssetStatus
from floe_dev.orchestrators.dagster.alignment import misalignment
from floe_dev.orchestrators.dagster.freshness import sla_window
from floe_dev.orchestrators.dagster.partition_runs import plan_runs
from floe_dev.orchestrators.dagster.watch import report_file
from tests.dagster.conftest import Stack, keys, wait_until

DAILY = Partitions(type="daily", start="2025-01-01")


#: A source as the manifest has it, with the column that dbt cuts batches by.
TIMED = {"resource_type": "source", "name": "events", "config": {"event_time": "occurred_at"}}
UNTIMED = {"resource_type": "model", "name": "customers", "config": {"materialized": "table"}}


def model(raw_code: str = "", **config: Any) -> dict[str, Any]:
    return {
        "resource_type": "model",
        "name": "m",
        "raw_code": raw_code,
        "config": {"materialized": "incremental", **config},
    }


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
    assert misalignment(model(**config), [TIMED], DAILY) is None


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
    assert reason in (misalignment(model(**config), [TIMED], DAILY) or "")


def test_microbatches_of_a_day_need_partitions_in_utc_and_by_time() -> None:
    batch = model(incremental_strategy="microbatch", batch_size="day")
    elsewhere = Partitions(type="daily", start="2025-01-01", timezone="Asia/Tokyo")
    assert "in UTC" in (misalignment(batch, [TIMED], elsewhere) or "")
    assert "cut by time" in (misalignment(batch, [TIMED], Partitions(type="static", keys=("a",))) or "")


def test_a_microbatch_that_reads_nothing_with_an_event_time_is_refused_unless_it_cuts_its_rows_itself() -> None:
    batch = {"incremental_strategy": "microbatch", "batch_size": "day"}
    assert misalignment(model(**batch), [UNTIMED, TIMED], DAILY) is None
    assert "rows of all" in (misalignment(model(**batch), [UNTIMED], DAILY) or "")
    assert "rows of all" in (misalignment(model(**batch), [], DAILY) or "")
    own = model("select * from events where day = '{{ model.batch.event_time_start }}'", **batch)
    assert misalignment(own, [UNTIMED], DAILY) is None


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


@pytest.mark.parametrize("partition", ["2025-01-01..2025-01-02", "2025-01-01...2025-01-02"])
def test_a_range_is_written_with_two_dots_or_as_dagster_writes_it(partition: str) -> None:
    (run,) = plan_runs(["b"], [asset("b", partitions="daily")], partition, keys_of)
    assert sorted(run.tags.values()) == ["2025-01-01", "2025-01-02"]


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


#: Rows that daily_sessions has too many, rows that it lacks, and its days, by what the events say of each day.
ROW_BY_ROW = """
    with expected as (
        select date_trunc('day', occurred_at) as day, customer_id, count(*) as events,
            bool_or(event_type = 'checkout') as checked_out
        from silver.events group by all
    ),
    made as (select day, customer_id, events, checked_out from silver.daily_sessions)
    select
        (select count(*) from (from made except all from expected)) as too_many,
        (select count(*) from (from expected except all from made)) as too_few,
        (select count(distinct day) from made) as days
"""
BACKFILL = """
mutation Backfill($keys: [AssetKeyInput!]!, $partitions: [String!]!) {
  launchPartitionBackfill(backfillParams: {assetSelection: $keys, partitionNames: $partitions}) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }
"""
RUNS = """
query Runs($id: String!) { runsOrError(filter: {tags: [{key: "dagster/backfill", value: $id}]}) {
  ... on Runs { results { id status assetSelection { path } tags { key value } } } } }
"""


@pytest.mark.stack
def test_dagsters_own_backfill_of_thirty_days_is_one_run(stack: Stack) -> None:
    days = [f"2025-01-{day:02}" for day in range(1, 31)]
    assets = [["silver", "daily_sessions"], ["gold", "daily_traffic"]]
    made = stack.dagster.query(BACKFILL, keys=[{"path": path} for path in assets], partitions=days)
    backfill = made["launchPartitionBackfill"].get("backfillId")
    assert backfill, made

    def runs() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = stack.dagster.query(RUNS, id=backfill)["runsOrError"]["results"]
        return found

    wait_until(lambda: any(run["status"] in ("SUCCESS", "FAILURE") for run in runs()), 240)
    (run,) = runs()
    assert run["status"] == "SUCCESS"
    assert sorted(each["path"] for each in run["assetSelection"]) == sorted(assets)
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    assert tags["dagster/asset_partition_range_start"] == days[0]
    assert tags["dagster/asset_partition_range_end"] == days[-1]
    rows = stack.floe("sql", "--format", "csv", ROW_BY_ROW)
    assert rows.stdout.split()[-1] == "0,0,30", rows.stdout + rows.stderr


MICROBATCH = """\
{{ config(schema='gold', materialized='incremental', incremental_strategy='microbatch',
          event_time='occurred_at', batch_size='day', begin='2025-01-01') }}
select event_id, event_type, occurred_at from {{ ref('events') }}
"""


@pytest.mark.stack
def test_a_microbatch_is_built_by_partition_and_refused_where_it_does_not_fit(
    stack: Stack, edited: Callable[[str, str], Path]
) -> None:
    events = (stack.root / "dbt/models/marts/events.sql").read_text()
    edited("dbt/models/marts/events.sql", events.replace("unique_key=", "event_time='occurred_at',\n    unique_key="))
    edited("dbt/models/marts/log.sql", MICROBATCH)
    floe_yaml = (stack.root / "floe.yaml").read_text()
    more = "      - {select: log, partitions: days}\n  assets:\n"
    # A job that a schedule starts selects nothing partitioned.
    others = floe_yaml.replace('key:"gold/daily_traffic")', 'key:"gold/daily_traffic" or key:"gold/log")')
    edited("floe.yaml", others.replace("  assets:\n", more, 1))
    wait_until(lambda: "gold/log" in keys(stack))

    wrong = """
        with expected as (select event_id, event_type, occurred_at from silver.events
            where occurred_at >= timestamp '2025-01-03' and occurred_at < timestamp '2025-01-06')
        select (select count(*) from (from gold.log except all from expected)),
            (select count(*) from (from expected except all from gold.log)), (select count(*) > 50 from gold.log)
    """
    for partition in ("2025-01-03..2025-01-05", "2025-01-04"):
        done = stack.floe("run", "gold/log", "--partition", partition)
        assert done.returncode == 0, done.stdout + done.stderr
        rows = stack.floe("sql", "--format", "csv", wrong)
        assert rows.stdout.split()[-1] == "0,0,true", rows.stdout + rows.stderr

    edited("dbt/models/marts/log.sql", MICROBATCH.replace("'day'", "'month'"))
    wait_until(report_file(stack.root).exists)
    told = json.loads(report_file(stack.root).read_text())
    assert told["code"] == "FLOE1306"
    assert "longer than a partition" in told["why"]
    assert told["where"]["file"].endswith("log.sql")

    edited("dbt/models/marts/log.sql", MICROBATCH)
    edited("dbt/models/marts/events.sql", events)
    report = report_file(stack.root)
    wait_until(lambda: report.exists() and "the rows of all" in report.read_text())


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
    rows = stack.floe("sql", "--format", "csv", ROW_BY_ROW)
    assert rows.stdout.split()[-1] == "0,0,30", rows.stdout + rows.stderr
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
