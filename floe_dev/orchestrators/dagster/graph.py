"""What must hold for the asset graph before Dagster sees it: one definition for each key, no circle."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator

from floe_dev.config.circles import circle
from floe_dev.config.yaml_source import read_yaml
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.layout import FLOE_FILE
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
            where=_place(project, node),
        )


def check_dbt_order(project: Project, manifest: Mapping[str, Any]) -> None:
    """Refuse dbt nodes that need each other, ephemeral ones too; raises FloeError 1305 with their files.

    `dbt parse` lets a circle through, and dagster-dbt, which follows what a model reads, would never come back from it.
    """
    nodes = {unique_id: node for unique_id, node in manifest["nodes"].items() if node.get("resource_type") in _MADE}
    found = circle({unique_id: node.get("depends_on", {}).get("nodes", ()) for unique_id, node in nodes.items()})
    if found:
        raise _in_a_circle(project, [(nodes[each]["name"], _place(project, nodes[each])) for each in found])


def check_graph(project: Project, definitions: Iterable[dg.Definitions]) -> None:
    """Refuse an asset that is defined twice (FloeError 1304) and assets that need each other (1305)."""
    defined = [found for each in definitions for found in _specs(each)]
    specs = [spec for spec, _ in defined]
    places: dict[dg.AssetKey, Where | None] = {}
    for spec, place in defined:
        if spec.key in places:
            raise FloeError(
                Code.ASSET_KEY_TWICE,
                f"{'/'.join(spec.key.path)} is defined twice",
                why=f"two assets would make one table; the first is at {places[spec.key]}",
                fix="give one of them another key",
                where=place or Where(project.root / FLOE_FILE, 1),
            )
        places[spec.key] = place
    needs = {spec.key: {dep.asset_key for dep in spec.deps if dep.asset_key != spec.key} for spec in specs}
    found = circle(needs)
    if found:
        raise _in_a_circle(project, [("/".join(key.path), places.get(key)) for key in found])


def _in_a_circle(project: Project, circle: Sequence[tuple[str, Where | None]]) -> FloeError:
    return FloeError(
        Code.ASSET_CYCLE,
        "assets depend on each other in a circle",
        why=" -> ".join(name for name, _ in circle),
        detail=tuple(f"{name} is at {place}" for name, place in circle[:-1] if place),
        fix="take one of these dependencies out",
        where=next((place for _, place in circle if place), Where(project.root / FLOE_FILE, 1)),
    )


def _specs(definitions: dg.Definitions) -> Iterable[tuple[dg.AssetSpec, Where | None]]:
    """Every asset with the place of its definition: the dbt file, else the function that makes it."""
    for asset in definitions.assets or ():
        if isinstance(asset, dg.AssetsDefinition):
            function = _function(asset)
            for spec in asset.specs:
                yield spec, _referred(spec) or function
        elif isinstance(asset, dg.AssetSpec):
            yield asset, _referred(asset)


def _referred(spec: dg.AssetSpec) -> Where | None:
    references = spec.metadata.get("dagster/code_references")
    for reference in getattr(references, "code_references", ()):
        if isinstance(reference, dg.LocalFileCodeReference):
            return Where(reference.file_path, reference.line_number or 1)
    return None


def _function(asset: dg.AssetsDefinition) -> Where | None:
    decorated = getattr(asset.node_def, "compute_fn", None) if asset.is_executable else None
    code = getattr(getattr(decorated, "decorated_fn", None), "__code__", None)
    return Where(code.co_filename, code.co_firstlineno) if code else None


def _place(project: Project, node: Mapping[str, Any]) -> Where:
    """Where a dbt node is defined; of a source the line of its table, where its YAML file can be read."""
    file = (project.dbt_dir() or project.root) / str(node.get("original_file_path"))
    if node.get("resource_type") == "source" and file.is_file():
        with contextlib.suppress(FloeError):
            source = read_yaml(file)
            for index, each in enumerate(source.data.get("sources") or ()):
                for number, table in enumerate(each.get("tables") or ()):
                    if (each.get("name"), table.get("name")) == (node.get("source_name"), node.get("name")):
                        return source.where(("sources", index, "tables", number, "name"))
    return Where(file, 1)


def _ephemeral(node: Mapping[str, Any]) -> bool:
    return (node.get("config") or {}).get("materialized") == "ephemeral"


def _named(node: Mapping[str, Any]) -> str:
    return f"the dbt {node['resource_type']} {node['name']}"
