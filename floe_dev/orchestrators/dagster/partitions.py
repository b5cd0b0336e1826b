"""Partitions and backfill policies of floe.yaml as Dagster's, and what a partitioned run tells dbt."""

from __future__ import annotations

import datetime as dt
import json

import dagster as dg

from floe_dev.model.project import Backfill, Partitions

_MIDNIGHT = dt.time(0)


def partitions_definition(spec: Partitions) -> dg.PartitionsDefinition[str]:
    """Dagster's definition; raises what Dagster raises for a date or time zone it does not know."""
    if spec.type == "static":
        return dg.StaticPartitionsDefinition(list(spec.keys))
    zone = spec.timezone or "UTC"
    start, end = moment(spec.start), moment(spec.end) if spec.end else None
    match spec.type:
        case "hourly":
            return dg.HourlyPartitionsDefinition(start_date=start, end_date=end, timezone=zone)
        case "daily":
            return dg.DailyPartitionsDefinition(start_date=start, end_date=end, timezone=zone)
        case "weekly":
            return dg.WeeklyPartitionsDefinition(start_date=start, end_date=end, timezone=zone)
        case _:
            return dg.MonthlyPartitionsDefinition(start_date=start, end_date=end, timezone=zone)


def moment(text: str | None) -> dt.datetime:
    """An ISO date or timestamp; raises ValueError."""
    if not text:
        raise ValueError("a partitions definition by time needs a `start`")
    return dt.datetime.fromisoformat(text)


def backfill_policy(spec: Backfill | None) -> dg.BackfillPolicy:
    """One run for all partitions, unless floe.yaml says otherwise."""
    if spec is None or spec.policy == "single_run":
        return dg.BackfillPolicy.single_run()
    return dg.BackfillPolicy.multi_run(spec.max_partitions_per_run or 1)


def dbt_arguments(context: dg.AssetExecutionContext) -> list[str]:
    """What `dbt build` is given for the run's partitions: `--vars`, and the bounds of dbt's microbatches.

    By time: `run_date` is the first partition's start, `start` and `end` (exclusive) bound all of them, in the
    definition's time zone; the microbatches' bounds are in UTC, as dbt counts them. Static: `partition` is the first
    key, `partitions` all of them, joined by commas. Nothing for a run without partitions.
    """
    definition = context.assets_def.partitions_def
    if definition is None or not (context.has_partition_key or context.has_partition_key_range):
        return []
    if not isinstance(definition, dg.TimeWindowPartitionsDefinition):
        keys = context.partition_keys
        return ["--vars", json.dumps({"partition": keys[0], "partitions": ",".join(keys)})]
    window = context.partition_time_window
    start, end = _text(window.start), _text(window.end)
    variables = json.dumps({"run_date": start, "start": start, "end": end})
    return ["--vars", variables, "--event-time-start", _utc(window.start), "--event-time-end", _utc(window.end)]


def _text(moment: dt.datetime) -> str:
    naive = moment.replace(tzinfo=None)
    return naive.date().isoformat() if naive.time() == _MIDNIGHT else naive.isoformat(sep=" ")


def _utc(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat(sep=" ")
