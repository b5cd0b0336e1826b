"""The telemetry tests' small project, with what the dashboard's screens need besides: partitions and automations."""

from __future__ import annotations

from pathlib import Path

from tests.telemetry import project

_ORCHESTRATION = """\
orchestration:
  asset_modules: [numbers_assets, more_assets]
  partitions:
    days: {type: daily, start: "2025-01-01", end: "2025-01-04"}
  assets:
    daily: {select: 'key:"bronze/daily"', partitions: days}
  jobs:
    numbers: {select: 'key:"bronze/numbers"'}
  schedules:
    every_morning: {job: numbers, cron: "0 6 * * *"}
  sensors:
    new_totals: {type: snapshot, table: silver.totals, job: numbers}
"""
_MORE = """\
import datetime
import os
import time

import dagster as dg
import pyarrow as pa


def wait():
    for _ in range(1200 if os.path.exists("go_slow") else 0):
        time.sleep(0.1)


@dg.asset(key=["bronze", "daily"], metadata={"partition_expr": "day"})
def daily(context: dg.AssetExecutionContext) -> pa.Table:
    wait()
    window = context.partition_time_window
    days = [window.start.date() + datetime.timedelta(days=n) for n in range((window.end - window.start).days)]
    return pa.table({"day": pa.array(days, pa.date32()), "visits": pa.array([day.day for day in days], pa.int64())})


@dg.asset(key=["bronze", "slow"], deps=[dg.AssetKey(["bronze", "numbers"])])
def slow(context: dg.AssetExecutionContext) -> pa.Table:
    context.log.info("slow goes on until it is canceled")
    wait()
    return pa.table({"x": pa.array([1], pa.int64())})
"""
MODEL = Path("dbt/models/totals.sql")


def make_project(root: Path) -> Path:
    """Write the project into `root`, with ports of its own."""
    project.make_project(root)
    file = root / "floe.yaml"
    head, _, _ = file.read_text().partition("orchestration:")
    file.write_text(head + _ORCHESTRATION)
    root.joinpath("more_assets.py").write_text(_MORE)
    return root
