"""Options that floe.yaml gives to assets (`orchestration.assets`): their group and, for Python assets, partitions."""

from __future__ import annotations

import warnings
from typing import Any

import dagster as dg

from floe_dev.model.project import AssetOptions, Project
from floe_dev.orchestrators.dagster.partitions import partitions_definition
from floe_dev.orchestrators.dagster.places import invalid


def with_options(project: Project, definitions: dg.Definitions) -> dg.Definitions:
    """The definitions with the options applied, in file order; raises FloeError 1202 for a selection of nothing."""
    for name, options in project.spec.orchestration.assets.items():
        definitions = _apply(project, name, options, definitions)
    return definitions


def _apply(project: Project, name: str, options: AssetOptions, definitions: dg.Definitions) -> dg.Definitions:
    place = ("orchestration", "assets", name, "select")
    try:
        keys = dg.AssetSelection.from_string(options.select).resolve(definitions.resolve_asset_graph())
    except Exception as error:
        why = str(error).strip().splitlines()[0]
        raise invalid(project, place, f"the selection {options.select!r} is not understood", why) from error
    if not keys:
        raise invalid(
            project, place, f"the selection {options.select!r} names no asset", "an option must apply somewhere"
        )
    changes: dict[str, Any] = {}
    if options.group:
        changes["group_name"] = options.group
    if options.partitions:
        _refuse_dbt(project, place, definitions, keys)
        changes["partitions_def"] = partitions_definition(project.spec.orchestration.partitions[options.partitions])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return definitions.map_asset_specs(
            func=lambda spec: spec.replace_attributes(**changes) if spec.key in keys else spec
        )


def _refuse_dbt(project: Project, place: tuple[str, ...], definitions: dg.Definitions, keys: Any) -> None:
    graph = definitions.resolve_asset_graph()
    for key in sorted(keys, key=str):
        if "dbt" in graph.get(key).kinds:
            raise invalid(
                project,
                place,
                f"{'/'.join(key.path)} is a dbt model",
                "the partitions of dbt's models stand below `orchestration.dbt.partitioned`, in dbt's selection syntax",
            )
