"""Airflow 3: a DAG for the whole project, and one for each schedule of floe.yaml; a task for each asset.

Thin on purpose: Airflow decides when and in which order, a task runs `floe_dev.orchestrators.task`. What floe.yaml says
of sensors, partitions and backfills is Dagster's here; a DAG takes the partition of a run from its configuration.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from floe_dev.config.artifacts import read_artifacts
from floe_dev.config.plugins import require_modules
from floe_dev.model.artifacts import AssetNode
from floe_dev.orchestrators import task
from floe_dev.orchestrators.base import Edge


class AirflowOrchestrator:
    """DAGs by id; put them into the globals of a file in Airflow's DAGs folder."""

    name = "airflow"
    modules = ("airflow.sdk", "airflow.providers.standard")
    extra = "floe_dev[airflow]"

    def build(self, artifacts: Path) -> dict[str, Any]:
        """The project's DAGs; the one of the project's own name has every asset and no schedule."""
        require_modules("orchestrators", self.name, self.modules, self.extra)
        read = read_artifacts(artifacts)
        made = {node.key: node for node in read.assets if node.materializable}
        dags = {read.spec.name: _dag(read.spec.name, artifacts, made, None)}
        for name, schedule in read.spec.orchestration.schedules.items():
            chosen = {key: made[key] for key in read.jobs.get(schedule.job, ()) if key in made}
            dags[f"{read.spec.name}.{name}"] = _dag(f"{read.spec.name}.{name}", artifacts, chosen, schedule.cron)
        return dags

    def edges(self, built: dict[str, Any]) -> set[Edge]:
        """From the tasks of the whole project's DAG."""
        tasks = next(iter(built.values())).tasks
        keys = {each.task_id: each.params["asset"] for each in tasks}
        return {(keys[up], keys[each.task_id]) for each in tasks for up in each.upstream_task_ids}

    def run(self, built: dict[str, Any], keys: Sequence[str] = ()) -> None:
        """`dag.test()`: Airflow's own run in this process; it needs Airflow's database, and the DAG in its folder."""
        dag = next(iter(built.values()))
        if keys:
            dag = dag.partial_subset([task_id(key) for key in keys], include_upstream=False)
        state = str(dag.test().state)
        if state != "success":
            raise RuntimeError(f"the run of the DAG {dag.dag_id} ended as {state}")


def task_id(key: str) -> str:
    """An asset's key as Airflow allows names of tasks."""
    return key.replace("/", ".")


def _dag(name: str, artifacts: Path, nodes: Mapping[str, AssetNode], cron: str | None) -> Any:
    import datetime as dt

    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG, Param

    with DAG(
        dag_id=name,
        schedule=cron,
        start_date=dt.datetime(2025, 1, 1, tzinfo=dt.UTC),
        catchup=False,
        params={"partition": Param(None, type=["null", "string"], description="The partition to make.")},
    ) as dag:
        tasks = {}
        for key, node in nodes.items():
            words = shlex.join(task.command(artifacts, key))
            option = "{% if params.partition %} --partition {{ params.partition }}{% endif %}"
            tasks[key] = BashOperator(
                task_id=task_id(key),
                bash_command=words + (option if node.partitioned else ""),
                params={"asset": key},
                append_env=True,
            )
        for key, node in nodes.items():
            for upstream in node.depends_on:
                if upstream in tasks:
                    tasks[upstream] >> tasks[key]
    return dag


AIRFLOW = AirflowOrchestrator()
