"""floe.yaml: what data engineers write: logical names only."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from floe_dev.model.base import Model
from floe_dev.model.layout import Layout
from floe_dev.model.platform import CatalogSpec, ComputeSpec, Platform


class Transform(Model):
    """One transformation project."""

    type: Literal["dbt", "python"] = Field(description="dbt projects are run by Dagster through DbtCliResource.")
    path: str = Field(description="Folder of the project, relative to floe.yaml.")
    target: str | None = Field(default=None, description="dbt target; `floe` if absent.")


class Observability(Model):
    """What is emitted."""

    traces: bool = Field(default=True, description="Emit OpenTelemetry traces.")
    lineage: bool = Field(default=True, description="Emit OpenLineage events.")


class DbtPartitions(Model):
    """Models that are built one partition at a time."""

    select: str = Field(description="The models (dbt's selection syntax).")
    exclude: str | None = Field(default=None, description="Models of that selection that are not.")
    partitions: str = Field(description="A name below `partitions`.")
    backfill: str | None = Field(default=None, description="A name below `backfills`; one run for all if absent.")


class DbtOrchestration(Model):
    """How dbt models become assets."""

    manifest_path: str | None = Field(
        default=None, description="The manifest, relative to floe.yaml; dbt's own target if absent."
    )
    select: str = Field(default="fqn:*", description="Models that become assets (dbt's selection syntax).")
    exclude: str | None = Field(default=None, description="Models that do not.")
    partitioned: tuple[DbtPartitions, ...] = Field(
        default=(), description="Selections of models that are built one partition at a time."
    )


class Partitions(Model):
    """A partitions definition that assets refer to by name."""

    type: Literal["daily", "hourly", "weekly", "monthly", "static"] = Field(
        description="How the partitions are laid out."
    )
    start: str | None = Field(default=None, description="First partition (ISO date) of a time-based one.")
    end: str | None = Field(default=None, description="End, exclusive; open if absent.")
    timezone: str | None = Field(default=None, description="IANA name of the time zone; UTC if absent.")
    keys: tuple[str, ...] = Field(default=(), description="The keys of a static one.")


class AssetOptions(Model):
    """Options for a selection of assets."""

    select: str = Field(description="The assets (Dagster's selection syntax).")
    partitions: str | None = Field(default=None, description="A name below `partitions`; dbt's models have their own.")
    group: str | None = Field(default=None, description="The group they are shown in.")


class Job(Model):
    """A job over a selection of assets (Dagster's selection syntax)."""

    select: str = Field(default="*", description="The assets (Dagster's selection syntax).")
    partitions: str | None = Field(default=None, description="A name below `partitions`.")
    description: str | None = Field(default=None, description="Shown in the UI.")


class Schedule(Model):
    """A cron schedule of a job."""

    job: str = Field(description="A name below `jobs`; of a partitioned one the last complete partition is run.")
    cron: str = Field(description="Cron expression, five fields.")
    timezone: str = Field(default="UTC", description="IANA name of the time zone.")
    enabled: bool = Field(default=False, description="Whether it runs from the start.")


class Sensor(Model):
    """A sensor that starts a job."""

    type: Literal["file", "snapshot", "run_status", "asset"] = Field(description="What it watches.")
    job: str = Field(description="A name below `jobs`.")
    path: str | None = Field(default=None, description="Folder that a `file` sensor watches.")
    table: str | None = Field(default=None, description="Table that a `snapshot` sensor watches.")
    assets: str | None = Field(default=None, description="Assets that an `asset` sensor watches.")
    status: Literal["success", "failure", "started", "canceled"] = Field(
        default="success", description="Outcome that a `run_status` sensor waits for."
    )
    monitor: str | None = Field(
        default=None, description="The job whose runs a `run_status` sensor watches; all but its own if absent."
    )
    interval_seconds: int = Field(default=30, ge=1, description="Seconds between two looks.")
    enabled: bool = Field(default=False, description="Whether it runs from the start.")


class Backfill(Model):
    """How a backfill of a selection runs."""

    policy: Literal["single_run", "multi_run"] = Field(
        default="single_run", description="All partitions in one run, or several."
    )
    max_partitions_per_run: int | None = Field(
        default=None, ge=1, description="Largest number of partitions in one run."
    )


class Orchestration(Model):
    """Assets, jobs, schedules and sensors, by name."""

    asset_modules: tuple[str, ...] = Field(default=(), description="Python modules whose assets are loaded.")
    dbt: DbtOrchestration = Field(default=DbtOrchestration(), description="How dbt models become assets.")
    partitions: dict[str, Partitions] = Field(default_factory=dict, description="Partitions definitions by name.")
    assets: dict[str, AssetOptions] = Field(default_factory=dict, description="Options for assets by name.")
    jobs: dict[str, Job] = Field(default_factory=dict, description="Jobs by name.")
    schedules: dict[str, Schedule] = Field(default_factory=dict, description="Schedules by name.")
    sensors: dict[str, Sensor] = Field(default_factory=dict, description="Sensors by name.")
    backfills: dict[str, Backfill] = Field(default_factory=dict, description="Backfill policies by name.")


class FloeSpec(Model):
    """A whole floe.yaml; `storage`, `catalog` and `compute` are names that platform.yaml resolves."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", description="Name of the project.")
    version: str = Field(description="Version of the project.")
    storage: str = Field(default="default", description="A name below `storage` in platform.yaml.")
    catalog: str = Field(default="default", description="A name below `catalogs` in platform.yaml.")
    compute: str = Field(default="default", description="A name below `compute` in platform.yaml.")
    transforms: tuple[Transform, ...] = Field(default=(), description="Transformation projects, in order.")
    governance: dict[str, Any] = Field(default_factory=dict, description="Free-form; passed on as it is.")
    observability: Observability = Field(default=Observability(), description="What the project emits.")
    orchestration: Orchestration = Field(default=Orchestration(), description="Assets, jobs, schedules and sensors.")
    images: dict[str, str] = Field(
        default_factory=dict,
        description="Images in place of the stack's, by service; FLOE_IMAGE_<SERVICE> counts first.",
    )
    service_account: str | None = Field(default=None, description="Account that runs the project in production.")
    principal_role: str | None = Field(
        default=None, description="The catalog's principal role of the project in production."
    )


class Project(Model):
    """A loaded project: both files, resolved against each other."""

    root: Path
    spec: FloeSpec
    platform: Platform
    platform_file: Path

    @property
    def layout(self) -> Layout:
        """Where the project keeps what."""
        return Layout(self.root)

    def catalog(self) -> CatalogSpec:
        """The platform's catalog that floe.yaml names."""
        return self.platform.catalogs[self.spec.catalog]

    def compute(self) -> ComputeSpec:
        """The platform's compute that floe.yaml names; DuckDB where the platform names none."""
        return self.platform.compute.get(self.spec.compute, ComputeSpec())

    def namespaces(self) -> tuple[str, ...]:
        """The Iceberg namespaces of the layers in this project's catalog, in file order."""
        return tuple(
            layer.namespace or name
            for name, layer in self.platform.layers.items()
            if layer.catalog_ref == self.spec.catalog
        )

    def dbt_dir(self) -> Path | None:
        """The dbt project's folder, if the project has one."""
        return next((self.root / t.path for t in self.spec.transforms if t.type == "dbt"), None)
