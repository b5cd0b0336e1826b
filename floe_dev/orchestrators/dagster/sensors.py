"""Sensors of floe.yaml: files in a folder, new snapshots of a table, outcomes of runs, materialized assets."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from floe_dev.catalogs.client import CatalogClient
from floe_dev.config.connection import connection_from_platform
from floe_dev.errors import Code, FloeError
from floe_dev.model.project import Project, Sensor

_STATUS = {
    "success": dg.DagsterRunStatus.SUCCESS,
    "failure": dg.DagsterRunStatus.FAILURE,
    "started": dg.DagsterRunStatus.STARTED,
    "canceled": dg.DagsterRunStatus.CANCELED,
}
#: A run's tags that say why it was started.
FILES_TAG, SNAPSHOT_TAG = "floe/files", "floe/snapshot"


@dataclass(frozen=True)
class Common:
    """What every sensor has: its name, the job it starts, seconds between two looks, whether it begins switched on."""

    name: str
    job: Any
    interval_seconds: int
    status: dg.DefaultSensorStatus

    def options(self) -> dict[str, Any]:
        """As arguments of Dagster's decorators."""
        return {
            "name": self.name,
            "minimum_interval_seconds": self.interval_seconds,
            "default_status": self.status,
        }


def sensor(project: Project, spec: Sensor, common: Common, jobs: Mapping[str, Any]) -> dg.SensorDefinition:
    """The sensor that `spec` declares."""
    match spec.type:
        case "file":
            return file_sensor(project.root / str(spec.path), common)
        case "snapshot":
            return snapshot_sensor(project, str(spec.table), common)
        case "asset":
            return asset_sensor(str(spec.assets), common)
        case _:
            return run_status_sensor(spec, common, jobs)


def file_sensor(folder: Path, common: Common) -> dg.SensorDefinition:
    """A run when files of `folder` are new or changed since the last look; the first look takes all there are."""

    @dg.sensor(job=common.job, **common.options())
    def files(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if not folder.is_dir():
            return dg.SkipReason(f"there is no folder {folder}")
        known: dict[str, str] = json.loads(context.cursor or "{}")
        found = {path.relative_to(folder).as_posix(): mark for path, mark in _files(folder)}
        changed = sorted(name for name, mark in found.items() if known.get(name) != mark)
        if not changed:
            return dg.SkipReason(f"no new file in {folder}")
        marks = "|".join(f"{name}@{found[name]}" for name in changed)
        tags = {FILES_TAG: ", ".join(changed)[:250]}
        return dg.SensorResult([dg.RunRequest(run_key=marks, tags=tags)], cursor=json.dumps(found))

    return files


def snapshot_sensor(project: Project, table: str, common: Common) -> dg.SensorDefinition:
    """A run when `table` (`namespace.name`) has another current snapshot than at the last look, whoever committed it.

    The first look only takes note: the table is as it was when the sensor was made.
    """

    @dg.sensor(job=common.job, **common.options())
    def snapshot(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        current = _current_snapshot(project, table)
        if current is None:
            return dg.SkipReason(f"{table} has no snapshot yet")
        if context.cursor in (None, current):
            reason = f"{table} is at snapshot {current}, as before"
            return dg.SensorResult(skip_reason=reason, cursor=current)
        request = dg.RunRequest(run_key=f"{table}@{current}", tags={SNAPSHOT_TAG: f"{table}@{current}"})
        return dg.SensorResult([request], cursor=current)

    return snapshot


def asset_sensor(selection: str, common: Common) -> dg.SensorDefinition:
    """A run when all assets of `selection` (Dagster's syntax) were materialized since the last run it started."""

    @dg.sensor(job=common.job, **common.options())
    def assets(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        definition = context.repository_def
        assert definition is not None, "Dagster gives a sensor its repository"
        keys = dg.AssetSelection.from_string(selection).resolve(definition.asset_graph)
        if not keys:
            return dg.SkipReason(f"{selection!r} selects no asset")
        known: dict[str, int] = json.loads(context.cursor or "{}")
        latest = {"/".join(key.path): _latest(context, key) for key in keys}
        waiting = sorted(name for name, number in latest.items() if number <= known.get(name, 0))
        if waiting:
            return dg.SkipReason(f"not materialized since the last run: {', '.join(waiting[:5])}")
        run_key = ",".join(f"{name}@{number}" for name, number in sorted(latest.items()))
        return dg.SensorResult([dg.RunRequest(run_key=run_key)], cursor=json.dumps(latest))

    return assets


def run_status_sensor(spec: Sensor, common: Common, jobs: Mapping[str, Any]) -> dg.SensorDefinition:
    """A run when a run of the monitored job ends as `spec.status`; never after runs of the job it starts itself."""
    monitored = [jobs[spec.monitor]] if spec.monitor else [job for name, job in jobs.items() if name != spec.job]

    @dg.run_status_sensor(
        run_status=_STATUS[spec.status], monitored_jobs=monitored, request_job=common.job, **common.options()
    )
    def outcome(context: dg.RunStatusSensorContext) -> dg.RunRequest | dg.SkipReason:
        if context.dagster_run.job_name == spec.job:
            return dg.SkipReason("it is this sensor's own job")
        return dg.RunRequest(run_key=context.dagster_run.run_id)

    return outcome


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            stat = path.stat()
            yield path, f"{stat.st_mtime_ns}-{stat.st_size}"


def _latest(context: dg.SensorEvaluationContext, key: dg.AssetKey) -> int:
    """The number of the newest materialization in Dagster's event log; 0 for an asset that was never made."""
    records = context.instance.fetch_materializations(key, limit=1).records
    return records[0].storage_id if records else 0


def _current_snapshot(project: Project, table: str) -> str | None:
    with CatalogClient(connection_from_platform(project, os.environ)) as client:
        try:
            current = client.table(table).current
        except FloeError as error:
            if error.code is Code.NO_SUCH_TABLE:
                return None
            raise
    return str(current.snapshot_id) if current is not None else None
