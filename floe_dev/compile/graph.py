"""The asset graph of a project's definitions, in no orchestrator's terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from floe_dev.model.artifacts import AssetNode

if TYPE_CHECKING:
    from dagster import Definitions

    from floe_dev.model.project import Project


def asset_nodes(definitions: Definitions, dbt_nodes: dict[str, str]) -> tuple[AssetNode, ...]:
    """Every asset, sources too, by key; `dbt_nodes` has the unique id of the dbt node that makes a key."""
    graph = definitions.resolve_asset_graph()
    nodes = []
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        name = "/".join(key.path)
        nodes.append(
            AssetNode(
                key=name,
                group=node.group_name,
                kinds=tuple(sorted(node.kinds or ())),
                owners=tuple(node.owners or ()),
                tags={tag: value for tag, value in sorted(node.tags.items()) if not tag.startswith("dagster/")},
                depends_on=tuple(sorted("/".join(parent.path) for parent in node.parent_keys if parent != key)),
                materializable=node.is_materializable,
                partitioned=node.partitions_def is not None,
                dbt_node=dbt_nodes.get(name),
            )
        )
    return tuple(sorted(nodes, key=lambda node: node.key))


def job_assets(definitions: Definitions, project: Project) -> dict[str, tuple[str, ...]]:
    """The keys of the assets that each job of floe.yaml makes, sorted: its selection, resolved."""
    import dagster as dg

    graph = definitions.resolve_asset_graph()
    made = graph.materializable_asset_keys
    return {
        name: tuple(
            sorted(
                "/".join(key.path) for key in dg.AssetSelection.from_string(job.select).resolve(graph) if key in made
            )
        )
        for name, job in project.spec.orchestration.jobs.items()
    }
