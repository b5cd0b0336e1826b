"""Jobs, schedules and sensors of floe.yaml as Dagster's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._utils.schedules import is_valid_cron_schedule

from floe_dev.config.yaml_source import KeyPath
from floe_dev.errors import FloeError
from floe_dev.model.project import Job, Project, Schedule, Sensor
from floe_dev.orchestrators.dagster import sensors
from floe_dev.orchestrators.dagster.partitions import partitions_definition
from floe_dev.orchestrators.dagster.places import invalid

#: A job as Dagster takes it before the assets are known.
UnresolvedJob = Any


@dataclass(frozen=True)
class Automation:
    """What starts runs."""

    jobs: tuple[UnresolvedJob, ...]
    schedules: tuple[dg.ScheduleDefinition, ...]
    sensors: tuple[dg.SensorDefinition, ...]


def project_automation(project: Project, *, start_switched_off: bool = False) -> Automation:
    """Everything of floe.yaml that starts runs; with `start_switched_off` nothing ticks until somebody turns it on.

    Raises FloeError 1202 with the place in floe.yaml for what Dagster does not take: a cron expression, a date, a time
    zone, a selection.
    """
    orchestration = project.spec.orchestration
    partitions = {
        name: _checked(project, ("orchestration", "partitions", name), partitions_definition, spec)
        for name, spec in orchestration.partitions.items()
    }
    jobs = {
        name: _checked(project, ("orchestration", "jobs", name, "select"), _job, name, job, partitions)
        for name, job in orchestration.jobs.items()
    }
    return Automation(
        jobs=tuple(jobs.values()),
        schedules=tuple(_schedules(project, jobs, partitions, start_switched_off)),
        sensors=tuple(_sensors(project, jobs, start_switched_off)),
    )


def check_started_jobs(project: Project, definitions: dg.Definitions) -> None:
    """Refuse a job without partitions that a schedule or a sensor starts and that selects assets with partitions.

    Its runs would fail at the first of them, each time (FloeError 1202).
    """
    orchestration = project.spec.orchestration
    # What another Definitions object will bring is not known here: a selection may name it.
    assets = [each for each in definitions.assets or () if isinstance(each, dg.AssetsDefinition)]
    parted = {spec.key for each in assets for spec in each.specs if spec.partitions_def is not None}
    started: Mapping[str, Schedule | Sensor] = {**orchestration.schedules, **orchestration.sensors}
    for name, job in orchestration.jobs.items():
        starters = [starter for starter, one in started.items() if one.job == name]
        if job.partitions or not starters or not parted:
            continue
        selected = dg.AssetSelection.from_string(job.select).resolve(assets, allow_missing=True)
        if found := sorted(key.to_user_string() for key in parted & selected):
            raise invalid(
                project,
                ("orchestration", "jobs", name, "select"),
                f"the job `{name}` has no partitions, and selects assets that have: {', '.join(found)}",
                f"{', '.join(f'`{starter}`' for starter in starters)} would start runs that fail there",
                f'give the job `partitions`, or take them out: `({job.select}) and not key:"{found[0]}"`',
            )


def _job(name: str, job: Job, partitions: Mapping[str, Any]) -> UnresolvedJob:
    return dg.define_asset_job(
        name,
        selection=job.select,
        description=job.description,
        partitions_def=partitions[job.partitions] if job.partitions else None,
    )


def _schedules(
    project: Project, jobs: Mapping[str, UnresolvedJob], partitions: Mapping[str, Any], off: bool
) -> Iterator[dg.ScheduleDefinition]:
    orchestration = project.spec.orchestration
    for name, schedule in orchestration.schedules.items():
        if not is_valid_cron_schedule(schedule.cron):
            raise invalid(
                project,
                ("orchestration", "schedules", name, "cron"),
                f"`{schedule.cron}` is no cron expression",
                "minute, hour, day of month, month, day of week, as in `0 6 * * *`",
            )
        partitioned = orchestration.jobs[schedule.job].partitions
        yield _checked(
            project,
            ("orchestration", "schedules", name),
            _schedule,
            name,
            schedule,
            jobs[schedule.job],
            partitions[partitioned] if partitioned else None,
            off,
        )


def _schedule(
    name: str, schedule: Schedule, job: UnresolvedJob, partitions: dg.PartitionsDefinition[str] | None, off: bool
) -> dg.ScheduleDefinition:
    status = dg.DefaultScheduleStatus.RUNNING if schedule.enabled and not off else dg.DefaultScheduleStatus.STOPPED
    options: dict[str, Any] = {
        "name": name,
        "cron_schedule": schedule.cron,
        "execution_timezone": schedule.timezone,
        "default_status": status,
    }
    if partitions is None:
        return dg.ScheduleDefinition(job=job, **options)

    @dg.schedule(job=job, **options)
    def last_complete_partition(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """The newest partition that is over at the tick; all of a static definition are always there."""
        with dg.partition_loading_context(context.scheduled_execution_time):
            key = partitions.get_last_partition_key()
        return dg.RunRequest(run_key=key, partition_key=key) if key else dg.SkipReason("no partition is complete yet")

    return last_complete_partition


def _sensors(project: Project, jobs: Mapping[str, UnresolvedJob], off: bool) -> Iterator[dg.SensorDefinition]:
    for name, sensor in project.spec.orchestration.sensors.items():
        place: KeyPath = ("orchestration", "sensors", name)
        _require(project, place, sensor)
        status = dg.DefaultSensorStatus.RUNNING if sensor.enabled and not off else dg.DefaultSensorStatus.STOPPED
        partitioned = project.spec.orchestration.jobs[sensor.job].partitions
        if partitioned:
            raise invalid(
                project, (*place, "job"), f"the job `{sensor.job}` is partitioned", "a sensor knows no partition to run"
            )
        common = sensors.Common(name, jobs[sensor.job], sensor.interval_seconds, status)
        yield _checked(project, place, sensors.sensor, project, sensor, common, jobs)


_NEEDED = {"file": "path", "snapshot": "table", "asset": "assets"}


def _require(project: Project, place: KeyPath, sensor: Sensor) -> None:
    needed = _NEEDED.get(sensor.type)
    if needed and not getattr(sensor, needed):
        raise invalid(project, place, f"`{needed}` is missing", f"a sensor of type {sensor.type} needs it")


def _checked(project: Project, place: KeyPath, make: Any, *arguments: Any) -> Any:
    try:
        return make(*arguments)
    except FloeError:
        raise
    except Exception as error:
        raise invalid(project, place, "Dagster does not take it", str(error).strip().splitlines()[0]) from error
