"""Prefect 3: one flow for a project, a task run for each asset.

Thin on purpose: Prefect decides when and where, a task runs `floe_dev.orchestrators.task`. Schedules are those of the
flow's deployment; what floe.yaml says of sensors, partitions and backfills is Dagster's.
"""

from __future__ import annotations

import graphlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from floe_dev.config.artifacts import read_artifacts
from floe_dev.config.plugins import require_modules
from floe_dev.orchestrators import task as runner
from floe_dev.orchestrators.base import Edge


class PrefectOrchestrator:
    """A flow with the parameters `keys` (none: all) and `partition`."""

    name = "prefect"
    modules = ("prefect",)
    extra = "floe_dev[prefect]"

    def build(self, artifacts: Path) -> Any:
        """The flow; its tasks wait for those of what they need."""
        require_modules("orchestrators", self.name, self.modules, self.extra)
        from prefect import flow, task

        read = read_artifacts(artifacts)
        needs = {
            node.key: tuple(key for key in node.depends_on if key != node.key)
            for node in read.assets
            if node.materializable
        }
        needs = {key: tuple(up for up in upstream if up in needs) for key, upstream in needs.items()}
        partitioned = {node.key for node in read.assets if node.partitioned}
        order = tuple(graphlib.TopologicalSorter(needs).static_order())

        def make(key: str, partition: str | None) -> str:
            runner.run(artifacts, key, partition if key in partitioned else None)
            return key

        make_task: Any = task(name="asset", task_run_name="{key}")(make)

        def project(keys: list[str] | None = None, partition: str | None = None) -> dict[str, list[str]]:
            """Make the project's assets; the result says what each of them waited for."""
            chosen = [key for key in order if not keys or key in keys]
            runs: dict[str, Any] = {}
            for key in chosen:
                waiting = [runs[up] for up in needs[key] if up in runs]
                runs[key] = make_task.submit(key, partition, wait_for=waiting)
            for each in runs.values():
                each.result()  # raises what failed
            return {key: [up for up in needs[key] if up in runs] for key in chosen}

        built: Any = flow(name=read.spec.name)(project)
        built.floe_needs = needs
        return built

    def edges(self, built: Any) -> set[Edge]:
        """What the flow's tasks wait for: Prefect itself knows dependencies only of a run."""
        return {(upstream, key) for key, needs in built.floe_needs.items() for upstream in needs}

    def run(self, built: Any, keys: Sequence[str] = ()) -> None:
        """Call the flow: Prefect runs it in this process."""
        built(keys=list(keys) or None)


PREFECT = PrefectOrchestrator()
