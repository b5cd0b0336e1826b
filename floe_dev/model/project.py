"""floe.yaml: what data engineers write: logical names only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

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

    traces: bool = True
    lineage: bool = True


class DbtOrchestration(Model):
    """How dbt models become assets."""

    manifest_path: str | None = None
    select: str = "fqn:*"
    exclude: str | None = None


class Partitions(Model):
    """A partitions definition that assets refer to by name."""

    type: Literal["daily", "hourly", "weekly", "monthly", "static"]
    start: str | None = None
    end: str | None = None
    timezone: str | None = None
    keys: tuple[str, ...] = ()


class AssetOptions(Model):
    """Options for a selection of assets."""

    select: str
    partitions: str | None = None
    group: str | None = None


class Job(Model):
    """A job over a selection of assets (Dagster's selection syntax)."""

    select: str = "*"
    partitions: str | None = None
    description: str | None = None


class Schedule(Model):
    """A cron schedule of a job."""

    job: str
    cron: str
    timezone: str = "UTC"
    enabled: bool = False


class Sensor(Model):
    """A sensor that starts a job."""

    type: Literal["file", "snapshot", "run_status", "asset"]
    job: str
    path: str | None = None
    table: str | None = None
    assets: str | None = None
    status: Literal["success", "failure", "started", "canceled"] | None = None
    interval_seconds: Annotated[int, Field(ge=1)] = 30
    enabled: bool = False


class Backfill(Model):
    """How a backfill of a selection runs."""

    policy: Literal["single_run", "multi_run"] = "single_run"
    max_partitions_per_run: int | None = Field(default=None, ge=1)


class Orchestration(Model):
    """Assets, jobs, schedules and sensors, by name."""

    asset_modules: tuple[str, ...] = Field(default=(), description="Python modules whose assets are loaded.")
    dbt: DbtOrchestration = DbtOrchestration()
    partitions: dict[str, Partitions] = Field(default_factory=dict)
    assets: dict[str, AssetOptions] = Field(default_factory=dict)
    jobs: dict[str, Job] = Field(default_factory=dict)
    schedules: dict[str, Schedule] = Field(default_factory=dict)
    sensors: dict[str, Sensor] = Field(default_factory=dict)
    backfills: dict[str, Backfill] = Field(default_factory=dict)


class FloeSpec(Model):
    """A whole floe.yaml; `storage`, `catalog` and `compute` are names that platform.yaml resolves."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", description="Name of the project.")
    version: str = Field(description="Version of the project.")
    storage: str = Field(default="default", description="A name below `storage` in platform.yaml.")
    catalog: str = Field(default="default", description="A name below `catalogs` in platform.yaml.")
    compute: str = Field(default="default", description="A name below `compute` in platform.yaml.")
    transforms: tuple[Transform, ...] = ()
    governance: dict[str, Any] = Field(default_factory=dict)
    observability: Observability = Observability()
    orchestration: Orchestration = Orchestration()
    service_account: str | None = None
    principal_role: str | None = None


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
