"""dbt's manifest loads, and every node that makes a table is an asset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from floe_dev.model.project import Project
from floe_dev.validate.result import Findings, Subject, failed, ok

KINDS = ("model", "seed", "snapshot")


def check(name: str, subject: Subject) -> Findings:
    """One finding for each node without an asset; the manifest itself is checked also where nothing runs."""
    manifest = subject.manifest
    expected = {asset_key(node): node for node in selected(subject.session.project, manifest)}
    yield ok(name, f"the manifest loads: {len(expected)} models, seeds and snapshots")
    keys = {asset.key for asset in subject.assets if asset.materializable}
    missing = sorted(set(expected) - keys)
    for key in missing:
        node = expected[key]
        file = subject.relative((subject.session.project.dbt_dir() or subject.root) / node["original_file_path"])
        yield failed(name, f"{node['unique_id']} is no asset: Dagster has no {key}", "floe restart code-server", file)
    if not missing:
        yield ok(name, "every one of them is an asset")


def selected(project: Project, manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The nodes that floe.yaml selects and that make a table or view."""
    options = project.spec.orchestration.dbt
    chosen = ids(manifest, options.select, options.exclude)
    for node in manifest["nodes"].values():
        if (
            node["unique_id"] in chosen
            and node["resource_type"] in KINDS
            and node["config"].get("materialized") != "ephemeral"
        ):
            yield node


def ids(manifest: Mapping[str, Any], select: str, exclude: str | None) -> set[str]:
    """The unique ids that dbt's selection syntax names."""
    from dagster_dbt.utils import select_unique_ids

    return set(select_unique_ids(select, exclude or "", "", None, manifest))


def asset_key(node: Mapping[str, Any]) -> str:
    """The node's asset as Dagster's client writes it: `schema/name`."""
    return f"{node['schema']}/{node.get('alias') or node['name']}"
