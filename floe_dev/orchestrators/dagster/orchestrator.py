"""Dagster behind the protocol that every orchestrator has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from floe_dev.orchestrators.base import Edge

if TYPE_CHECKING:
    import dagster as dg


class DagsterOrchestrator:
    """Definitions; one run makes what is asked for."""

    name = "dagster"
    modules = ("dagster", "dagster_dbt", "dagster_iceberg")
    extra = "floe_dev"

    def build(self, artifacts: Path) -> dg.Definitions:
        """What a code location loads."""
        from floe_dev.orchestrators.dagster.definitions import build_definitions

        return build_definitions(artifacts)

    def edges(self, built: dg.Definitions) -> set[Edge]:
        """From Dagster's asset graph."""
        graph = built.resolve_asset_graph()
        made = graph.materializable_asset_keys
        return {
            ("/".join(parent.path), "/".join(key.path))
            for key in made
            for parent in graph.get(key).parent_keys
            if parent in made and parent != key
        }

    def run(self, built: dg.Definitions, keys: Sequence[str] = ()) -> None:
        """In this process, with an instance that is forgotten; partitioned assets are made for their last partition."""
        materialize(built, keys)


def materialize(definitions: dg.Definitions, keys: Sequence[str] = (), partition: str | None = None) -> None:
    """One run over the assets of these keys (none: all) in this process; raises what a failing asset raises.

    Without `partition` the last one is made where the assets have partitions.
    """
    import dagster as dg

    graph = definitions.resolve_asset_graph()
    chosen = [dg.AssetKey(key.split("/")) for key in keys] or sorted(graph.materializable_asset_keys, key=str)
    partitions = next((found for key in chosen if (found := graph.get(key).partitions_def) is not None), None)
    if partition is None and partitions is not None:
        partition = partitions.get_last_partition_key()
    job = definitions.resolve_implicit_job_def_def_for_assets(chosen)
    assert job is not None, "there are assets"
    with dg.DagsterInstance.ephemeral() as instance:
        job.execute_in_process(instance=instance, asset_selection=chosen, partition_key=partition)


DAGSTER = DagsterOrchestrator()
