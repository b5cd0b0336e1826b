"""Materialize a selection of assets: the runs it needs, one after another."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from floe_dev.errors import FloeError
from floe_dev.model.layout import Layout
from floe_dev.model.runs import RunResult, merged
from floe_dev.model.status import Event
from floe_dev.orchestrators.dagster.client import DagsterClient
from floe_dev.orchestrators.dagster.partition_runs import PlannedRun, plan_runs
from floe_dev.orchestrators.dagster.runs import RunWatch, follow
from floe_dev.orchestrators.dagster.selection import resolve

OnEvent = Callable[[Event], None]
#: The tag of runs that belong to a first run.
_FIRST = "floe/first_run"
#: Seconds that whoever interrupts a run waits for its end; the launcher kills one that does not hear after 10.
_CANCEL_SECONDS = 12.0
_LOOK_SECONDS = 0.15
#: Dagster's word for how a run ended -> the state of its row.
_STATES = {"success": "done", "failure": "failed", "canceled": "canceled"}


def _ignore(_event: Event) -> None:
    """Nobody watches."""


def run_assets(
    client: DagsterClient,
    layout: Layout,
    selection: Sequence[str] = (),
    on_event: OnEvent = _ignore,
    *,
    partition: str | None = None,
    first: bool = False,
    wait: bool = True,
) -> RunResult:
    """Run the assets that `selection` names (none: all), with `wait` to the end; the runs are reported as one.

    Without `wait` the last run is started and not waited for. With `first` a run that goes on is taken over where the
    one who began the first run was killed. What interrupts this (Ctrl-C) cancels the run, and is raised again when the
    run has ended or `_CANCEL_SECONDS` are over; the last event of the step `run of …` says which.

    Raises:
        FloeError: FLOE5002 if the selection names nothing or Dagster refuses a run, 5101 for a partition that an asset
            does not have.
    """
    assets = client.assets()
    plans = plan_runs(resolve(selection, assets), assets, partition, client.partition_keys)
    results: list[RunResult] = []
    for plan in plans:
        results.append(_run(client, layout, plan, on_event, first=first, wait=wait or plan is not plans[-1]))
        if results[-1].status not in ("success", "running"):
            break
    return merged(results)


def _run(
    client: DagsterClient, layout: Layout, plan: PlannedRun, on_event: OnEvent, *, first: bool, wait: bool
) -> RunResult:
    step = f"run of {len(plan.keys)} assets" if len(plan.keys) != 1 else f"run of {plan.keys[0]}"
    started = time.monotonic()
    launching = _launch(client, plan, first=first)
    watch: RunWatch | None = None
    try:
        run_id = launching.result()
        if not wait:
            return RunResult(runId=run_id, status="running", seconds=0.0, url=client.run_url(run_id))
        on_event(_step(step, "running"))
        watch = RunWatch(run_id, on_event)
        result = follow(client, watch, layout)
    except Exception:
        if watch is not None:
            # Nobody follows it any more. What is told is why, not what becomes of this.
            with contextlib.suppress(FloeError):
                client.cancel(watch.run_id, patience_seconds=0.0)
        raise
    except BaseException:
        on_event(_step(step, "stopping"))
        # Whatever Dagster says now, whoever interrupted this is to hear of that, and the row says what is known.
        with contextlib.suppress(FloeError):
            status = _cancel(client, watch or RunWatch(launching.result(), on_event))
            if status in _STATES:
                on_event(_step(step, _STATES[status], seconds=time.monotonic() - started))
        raise
    on_event(_step(step, _STATES.get(result.status, "failed"), seconds=result.seconds))
    return result


def _launch(client: DagsterClient, plan: PlannedRun, *, first: bool) -> Future[str]:
    """The run's id, once Dagster answers.

    In a thread: Dagster carries out what it was asked for though nobody waits for the answer any more, and on a busy
    machine that takes seconds. Who interrupts the waiting still has to learn which run to cancel.
    """
    answer: Future[str] = Future()
    tags = {"floe/started_by": "floe", **({_FIRST: "true"} if first else {}), **plan.tags}

    def ask() -> None:
        try:
            left = _left_behind(client, plan) if first else None
            answer.set_result(left or client.launch(plan.keys, tags))
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            answer.set_exception(error)

    threading.Thread(target=ask, name="floe-launch", daemon=True).start()
    return answer


def _left_behind(client: DagsterClient, plan: PlannedRun) -> str | None:
    """The run of a first run that makes just this and goes on; whoever is killed leaves it to Dagster."""
    for run_id, keys, tags in client.active_runs({_FIRST: "true"}):
        if set(keys) == set(plan.keys) and plan.tags.items() <= tags.items():
            return run_id
    return None


def _cancel(client: DagsterClient, watch: RunWatch) -> str:
    """Have Dagster cancel the run, wait for its end, and report what ended meanwhile; its status then."""
    with contextlib.suppress(FloeError):
        client.cancel(watch.run_id)  # refused where it has just ended, which its status tells
    give_up = time.monotonic() + _CANCEL_SECONDS
    while (status := client.run_status(watch.run_id).lower()) not in _STATES and time.monotonic() < give_up:
        time.sleep(_LOOK_SECONDS)
    for event in client.events_so_far(watch.run_id)[watch.taken :]:
        watch.take(event)
    return status


def _step(name: str, state: str, **data: float) -> Event:
    return Event(kind="step", time=time.time(), name=name, data={"state": state, **data})
