"""A start as a trace: every service and step of the graph, when it began, when it was ready, what it waited for."""

from __future__ import annotations

from floe_dev.model.layout import Layout
from floe_dev.model.status import ServiceState, ServiceStatus, StackStatus
from floe_dev.supervisor.plan import Plan
from floe_dev.tracing.context import SpanContext, derived_span_id, derived_trace_id
from floe_dev.tracing.record import record
from floe_dev.tracing.spool import configure, spool


def start_context(instance: str, node: str = "up") -> SpanContext:
    """The span of a start, or of one of its nodes: known to everybody who knows the stack's instance."""
    return SpanContext(derived_trace_id(instance), derived_span_id(instance, node))


def record_start(layout: Layout, status: StackStatus, plan: Plan, error: str | None = None) -> None:
    """Record the start that has just ended, well or with `error`; never an error of its own."""
    root = start_context(status.instance)
    began = status.started_at or 0.0
    nodes = plan.nodes()
    ended = began
    configure(layout.telemetry_dir / "spool", "supervisor", {"floe.stack": status.stack})
    for service in status.services:
        if service.started_at is None:
            continue
        until = service.ready_at or service.started_at
        ended = max(ended, until)
        needed = nodes[service.name].depends_on
        _record(status.instance, service.name, "service", service.started_at, until, needed, _why(service))
    for step in status.steps:
        if step.started_at is None or step.name not in nodes:
            continue
        until = step.started_at + (step.seconds or 0.0)
        ended = max(ended, until)
        why = (step.detail or "it failed") if step.state == "failed" else None
        _record(status.instance, step.name, "step", step.started_at, until, nodes[step.name].depends_on, why)
    record(
        "floe up",
        root,
        parent_id=None,
        start_ns=int(began * 1e9),
        end_ns=int(ended * 1e9),
        attributes={"floe.stack": status.stack, "floe.instance": status.instance},
        error=error,
    )
    to = spool()
    if to is not None:
        to.flush()


def _record(
    instance: str,
    name: str,
    kind: str,
    began: float,
    ended: float,
    depends_on: tuple[str, ...],
    error: str | None,
) -> None:
    record(
        f"{kind} {name}",
        start_context(instance, name),
        parent_id=start_context(instance).span_id,
        start_ns=int(began * 1e9),
        end_ns=int(ended * 1e9),
        attributes={f"floe.{kind}": name, "floe.depends_on": list(depends_on)},
        error=error,
    )


def _why(service: ServiceStatus) -> str | None:
    return (service.reason or "it failed") if service.state is ServiceState.FAILED else None
