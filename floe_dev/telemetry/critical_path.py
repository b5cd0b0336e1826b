"""The slowest path through a start: what waited for what, from the last thing that was ready back to the first."""

from __future__ import annotations

from floe_dev.model.traces import Span, Trace


def critical_path(trace: Trace) -> list[Span]:
    """The chain of services and steps that made the start as long as it was, in the order of time."""
    nodes = {_node(span): span for span in trace.spans if _node(span)}
    last = max(nodes.values(), key=lambda span: span.end_ns, default=None)
    path: list[Span] = []
    while last is not None and last not in path:
        path.insert(0, last)
        waited = [nodes[name] for name in last.attributes.get("floe.depends_on") or () if name in nodes]
        last = max(waited, key=lambda span: span.end_ns, default=None)
    return path


def _node(span: Span) -> str | None:
    name = span.attributes.get("floe.service") or span.attributes.get("floe.step")
    return str(name) if name and "floe.depends_on" in span.attributes else None
