"""What must hold for the asset graph before Dagster sees it: one definition for each key, no circle."""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator

from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.project import Project

_MADE = ("model", "seed", "snapshot")


def check_dbt_keys(project: Project, manifest: Mapping[str, Any], translator: DagsterDbtTranslator) -> None:
    """Refuse two dbt nodes, or a node and a source, that are one table; raises FloeError 1304 with the second's file.

    A source that names a model's own table is a common slip: `ref` is meant.
    """
    known: dict[str, Mapping[str, Any]] = {}
    sources = manifest.get("sources", {}).values()
    nodes = [node for node in manifest["nodes"].values() if node.get("resource_type") in _MADE]
    for node in (*nodes, *sources):
        if (node.get("config") or {}).get("enabled") is False or _ephemeral(node):
            continue
        key = "/".join(translator.get_asset_key(node).path)
        first = known.setdefault(key, node)
        both_sources = first["resource_type"] == node["resource_type"] == "source"
        if first is node or both_sources:
            continue
        source = node["resource_type"] == "source"
        raise FloeError(
            Code.ASSET_KEY_TWICE,
            f"{key} is both {_named(first)} and {_named(node)}",
            why=f"the first is in {first.get('original_file_path')}",
            fix=f"use ref('{first['name']}') in place of the source"
            if source
            else "give one of them another alias or schema",
            where=Where((project.dbt_dir() or project.root) / str(node.get("original_file_path")), 1),
        )


def check_graph(project: Project, definitions: Iterable[dg.Definitions]) -> None:
    """Refuse an asset that is defined twice (FloeError 1304) and assets that need each other (1305)."""
    specs = [spec for each in definitions for spec in _specs(each)]
    seen: set[dg.AssetKey] = set()
    for spec in specs:
        if spec.key in seen:
            raise FloeError(
                Code.ASSET_KEY_TWICE,
                f"{'/'.join(spec.key.path)} is defined twice",
                why="a Python asset and a dbt node, or two Python assets, make one table",
                fix="give one of them another key",
                where=Where(project.root),
            )
        seen.add(spec.key)
    needs = {spec.key: {dep.asset_key for dep in spec.deps if dep.asset_key != spec.key} for spec in specs}
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        circle = " -> ".join("/".join(key.path) for key in reversed(error.args[1]))
        raise FloeError(
            Code.ASSET_CYCLE,
            "assets depend on each other in a circle",
            why=circle,
            fix="take one of these dependencies out",
            where=Where(project.root),
        ) from error


def _specs(definitions: dg.Definitions) -> Iterable[dg.AssetSpec]:
    for asset in definitions.assets or ():
        if isinstance(asset, dg.AssetsDefinition):
            yield from asset.specs
        elif isinstance(asset, dg.AssetSpec):
            yield asset


def _ephemeral(node: Mapping[str, Any]) -> bool:
    return (node.get("config") or {}).get("materialized") == "ephemeral"


def _named(node: Mapping[str, Any]) -> str:
    return f"the dbt {node['resource_type']} {node['name']}"
