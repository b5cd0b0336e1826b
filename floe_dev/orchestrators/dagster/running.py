"""Materialize a selection of assets: the runs it needs, one after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from floe_dev.model.layout import Layout
from floe_dev.model.runs import RunResult, merged
from floe_dev.model.status import Event
from floe_dev.orchestrators.dagster.client import DagsterClient
from floe_dev.orchestrators.dagster.partition_runs import PlannedRun, plan_runs
from floe_dev.orchestrators.dagster.runs import follow
from floe_dev.orchestrators.dagster.selection import resolve

OnEvent = Callable[[Event], None]


def _ignore(_event: Event) -> None:
    """Nobody watches."""


def run_assets(
    client: DagsterClient,
    layout: Layout,
    selection: Sequence[str] = (),
    on_event: OnEvent = _ignore,
    *,
    partition: str | None = None,
    wait: bool = True,
) -> RunResult:
    """Run the assets that `selection` names (none: all), with `wait` to the end; the runs are reported as one.

    Without `wait` the last run is started and not waited for.

    Raises:
        FloeError: FLOE5002 if the selection names nothing or Dagster refuses a run, 5101 for a partition that an asset
            does not have.
    """
    assets = client.assets()
    plans = plan_runs(resolve(selection, assets), assets, partition, client.partition_keys)
    results: list[RunResult] = []
    for plan in plans:
        results.append(_run(client, layout, plan, on_event, wait=wait or plan is not plans[-1]))
        if results[-1].status not in ("success", "running"):
            break
    return merged(results)


def _run(client: DagsterClient, layout: Layout, plan: PlannedRun, on_event: OnEvent, *, wait: bool) -> RunResult:
    run_id = client.launch(plan.keys, {"floe/started_by": "floe", **plan.tags})
    if not wait:
        return RunResult(runId=run_id, status="running", seconds=0.0, url=client.run_url(run_id))
    step = f"run of {len(plan.keys)} assets" if len(plan.keys) != 1 else f"run of {plan.keys[0]}"
    on_event(_step(step, "running"))
    try:
        result = follow(client, run_id, layout, on_event)
    except BaseException:
        client.terminate(run_id)
        raise
    on_event(_step(step, "done" if result.status == "success" else "failed", seconds=result.seconds))
    return result


def _step(name: str, state: str, **data: float) -> Event:
    return Event(kind="step", time=time.time(), name=name, data={"state": state, **data})
