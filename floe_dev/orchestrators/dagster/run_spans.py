"""Spans of a Dagster run and its steps, without a line of user code.

Dagster hands every event of a run to the handlers that dagster.yaml names (`python_logs`), in the process and thread of
the step, before the step's own code goes on. So a step's start also sets the trace context that the step's code, dbt
and the catalog's clients carry on.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass, field
from typing import Any

from floe_dev.orchestrators.dagster import asset_lineage
from floe_dev.tracing.context import VARIABLE, SpanContext, derived_span_id, enter, run_trace_id
from floe_dev.tracing.lineage import JOB_VARIABLE, run_event
from floe_dev.tracing.record import record, record_lineage, record_log
from floe_dev.tracing.spool import configure_from_environment, spool
from floe_dev.tracing.user_spans import follow

#: On the run: its trace.
TRACE_TAG = "floe/trace_id"
#: The event that ends a run: its outcome, and OpenLineage's word for it.
_ENDS = {
    "PIPELINE_SUCCESS": ("success", "COMPLETE"),
    "PIPELINE_FAILURE": ("failure", "FAIL"),
    "PIPELINE_CANCELED": ("canceled", "ABORT"),
}
_STEP_ENDS = {"STEP_SUCCESS", "STEP_FAILURE", "STEP_SKIPPED", "STEP_UP_FOR_RETRY"}


def run_context(run_id: str) -> SpanContext:
    """The root span of a run: every process that knows the run's id knows it."""
    return SpanContext(run_trace_id(run_id), derived_span_id(run_id, "run"))


def record_killed_run(run_id: str, why: str, *, canceled: bool = False) -> None:
    """The root of a run whose process could not record it itself: its spans would hang in the air."""
    now = time.time_ns()
    outcome = "canceled" if canceled else "killed"
    record(
        "run",
        run_context(run_id),
        parent_id=None,
        start_ns=now,
        end_ns=now,
        attributes={"floe.run.id": run_id, "floe.run.outcome": outcome},
        error=None if canceled else why,
        canceled=canceled,
    )
    record_lineage(run_event("ABORT" if canceled else "FAIL", run_id, "__ASSET_JOB", error=why))


@dataclass
class _Step:
    """A step that goes on; times in nanoseconds since the epoch."""

    context: SpanContext
    started_ns: int
    assets: list[str] = field(default_factory=list)
    lineage: asset_lineage.StepLineage | None = None


@dataclass
class _Run:
    """What this process knows of its run."""

    started_ns: int | None = None
    steps: dict[str, _Step] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)


#: Dagster makes a new handler for every context it logs in; what they know belongs to the process.
_runs: dict[str, _Run] = {}


class RunSpans(logging.Handler):
    """Turns Dagster's events of runs and steps into spans, and `context.log` lines into log records."""

    def emit(self, record_: logging.LogRecord) -> None:
        """Take one event or line; nothing here may ever fail a run."""
        try:
            meta = getattr(record_, "dagster_meta", None)
            if isinstance(meta, dict) and meta.get("run_id"):
                _take(record_, meta)
        except Exception:  # noqa: BLE001 - telemetry that fails is a gap, never a failed run
            self.handleError(record_)


def _take(line: logging.LogRecord, meta: dict[str, Any]) -> None:
    run_id = str(meta["run_id"])
    if run_id not in _runs:
        configure_from_environment("dagster-run", {"floe.run.id": run_id})
        _runs[run_id] = _Run()
    run = _runs[run_id]
    event = meta.get("dagster_event")
    if event is None:
        record_log(str(meta.get("orig_message")), line.levelname, attributes={"floe.step": meta.get("step_key")})
        return
    kind, step_key = str(event.event_type_value), event.step_key
    if kind == "PIPELINE_START":
        run.started_ns = time.time_ns()
        enter(run_context(run_id))
        os.environ[VARIABLE] = run_context(run_id).traceparent()
        os.environ[JOB_VARIABLE] = str(meta.get("job_name"))
        record_lineage(run_event("START", run_id, str(meta.get("job_name"))))
    elif kind == "STEP_START" and step_key:
        _begin_step(run, run_id, step_key)
    elif kind == "ASSET_MATERIALIZATION" and step_key in run.steps:
        _materialized(run.steps[step_key], event)
    elif kind in _STEP_ENDS and step_key in run.steps:
        _end_step(run, run_id, step_key, kind, event)
    elif kind in _ENDS:
        _end_run(run, run_id, kind, event, meta)


def _begin_step(run: _Run, run_id: str, step_key: str) -> None:
    number = run.tries[step_key] = run.tries.get(step_key, 0) + 1
    context = SpanContext(run_trace_id(run_id), derived_span_id(run_id, step_key, str(number)))
    run.steps[step_key] = _Step(context, time.time_ns(), lineage=asset_lineage.begin(run_id, step_key, number))
    enter(context)
    follow(context)
    # For what the step starts: dbt, a shell, somebody's Spark.
    os.environ[VARIABLE] = context.traceparent()


def _materialized(step: _Step, event: Any) -> None:
    name = "/".join(event.asset_key.path)
    # A step that makes several partitions materializes their asset once for each.
    if name not in step.assets:
        step.assets.append(name)
    if step.lineage is not None:
        asset_lineage.materialized(step.lineage, name, event.step_materialization_data.materialization.metadata)


def _end_step(run: _Run, run_id: str, step_key: str, kind: str, event: Any) -> None:
    step = run.steps.pop(step_key)
    canceled = _was_interrupted(event)
    outcome = "canceled" if canceled else kind.removeprefix("STEP_").lower()
    attributes: dict[str, Any] = {"floe.step": step_key, "floe.step.outcome": outcome}
    if len(step.assets) == 1:
        attributes["floe.asset"] = step.assets[0]
    elif step.assets:
        attributes["floe.assets"] = step.assets
    if run.tries[step_key] > 1:
        attributes["floe.step.try"] = run.tries[step_key]
    failed = kind in ("STEP_FAILURE", "STEP_UP_FOR_RETRY") and not canceled
    if step.lineage is not None:
        if canceled:
            asset_lineage.failed(step.lineage, "the run was canceled", kind="ABORT")
        elif failed:
            asset_lineage.failed(step.lineage, _error(event))
        else:
            asset_lineage.failed(step.lineage, "the step ended without making it", kind="ABORT")
    record(
        f"step {step_key}",
        step.context,
        parent_id=run_context(run_id).span_id,
        start_ns=step.started_ns,
        end_ns=time.time_ns(),
        attributes=attributes,
        error=_error(event) if failed else None,
        canceled=canceled,
    )
    enter(run_context(run_id))
    os.environ[VARIABLE] = run_context(run_id).traceparent()


def _end_run(run: _Run, run_id: str, kind: str, event: Any, meta: dict[str, Any]) -> None:
    now = time.time_ns()
    for step_key, step in run.steps.items():
        # A cancelled run ends while its steps go on.
        if step.lineage is not None:
            asset_lineage.failed(step.lineage, "the run ended before the step", kind="ABORT")
        record(
            f"step {step_key}",
            step.context,
            parent_id=run_context(run_id).span_id,
            start_ns=step.started_ns,
            end_ns=now,
            attributes={"floe.step": step_key, "floe.step.outcome": "canceled"},
            error=None if kind == "PIPELINE_CANCELED" else "the run ended before the step",
            canceled=kind == "PIPELINE_CANCELED",
        )
    tags = meta.get("job_tags") or {}
    outcome, lineage_type = _ENDS[kind]
    error = _error(event) if outcome == "failure" else None
    job = str(meta.get("job_name"))
    record(
        f"run {job}" if job != "__ASSET_JOB" else "run",
        run_context(run_id),
        parent_id=None,
        start_ns=run.started_ns or now,
        end_ns=now,
        attributes={
            "floe.run.id": run_id,
            "floe.run.job": job,
            "floe.run.outcome": outcome,
            "floe.run.started_by": tags.get("floe/started_by"),
        },
        error=error,
        canceled=outcome == "canceled",
    )
    record_lineage(
        run_event(lineage_type, run_id, job, error="the run was canceled" if outcome == "canceled" else error)
    )
    to = spool()
    if to is not None:
        to.flush()


def _was_interrupted(event: Any) -> bool:
    """Whether the step ended because its run was canceled: Dagster raises that in it, and calls the step failed."""
    error = getattr(event.event_specific_data, "error", None)
    while error is not None:
        if error.cls_name == "DagsterExecutionInterruptedError":
            return True
        error = error.cause
    return False


def _error(event: Any) -> str:
    data = event.event_specific_data
    error = getattr(data, "error", None)
    while error is not None and error.cause is not None:
        error = error.cause
    return str(error.message).strip() if error is not None else str(event.message or "it failed")
