"""CompiledArtifacts: what a deployment needs to know of a project, in one file that never holds a secret."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from floe_dev.model.base import Model
from floe_dev.model.platform import Platform
from floe_dev.model.project import FloeSpec

#: Raised with every change of a field; config/artifacts.py reads older versions, newer ones are refused.
FORMAT_VERSION = 2


class AssetNode(Model):
    """One asset, in no orchestrator's terms. Keys are written `namespace/name`."""

    key: str = Field(description="`namespace/name`, as the table is named in the catalog.")
    group: str | None = Field(default=None, description="The group it is shown in.")
    kinds: tuple[str, ...] = Field(default=(), description="What makes it and what it is, such as dbt, iceberg.")
    owners: tuple[str, ...] = Field(default=(), description="Addresses and teams.")
    tags: dict[str, str] = Field(default_factory=dict, description="Tags and classification.")
    depends_on: tuple[str, ...] = Field(default=(), description="Keys of what it is made from.")
    materializable: bool = Field(default=True, description="Whether the project makes it; false for what others write.")
    partitioned: bool = Field(default=False, description="Whether it is made one partition at a time.")
    dbt_node: str | None = Field(default=None, description="The unique id of the dbt node that makes it.")


class DbtArtifacts(Model):
    """The dbt project as it was parsed."""

    manifest: dict[str, Any] = Field(description="dbt's manifest without what differs from one parse to the next.")
    profile: dict[str, Any] = Field(description="The profile; credentials are references to environment variables.")
    packaged_project_dir: str | None = Field(
        default=None, description="Copy of the dbt project for a deployment, relative to the artifacts' file."
    )


class CompiledArtifacts(Model):
    """One project, compiled: the same inputs give the same bytes."""

    format_version: int = Field(default=FORMAT_VERSION, description="Version of this format.")
    content_hash: str = Field(description="SHA-256 of everything else in the file.")
    spec: FloeSpec = Field(description="floe.yaml.")
    platform: Platform = Field(description="platform.yaml, secrets by name only.")
    lineage_namespace: str = Field(description="OpenLineage namespace of the project's datasets.")
    dbt: DbtArtifacts | None = Field(default=None, description="The dbt project; absent where there is none.")
    assets: tuple[AssetNode, ...] = Field(default=(), description="The asset graph, by key.")
    jobs: dict[str, tuple[str, ...]] = Field(default_factory=dict, description="The assets' keys of each job.")
    versions: dict[str, str] = Field(default_factory=dict, description="Versions of the parts that compiled it.")
    inputs: dict[str, str] = Field(
        default_factory=dict, description="SHA-256 of each input file, by its path below the project."
    )
