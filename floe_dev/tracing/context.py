"""Which span the work in hand belongs to: W3C trace context, in this thread of control or from the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

#: Carries the context from a process to those it starts.
VARIABLE = "TRACEPARENT"
_TRACEPARENT = re.compile(r"^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?$")


@dataclass(frozen=True)
class SpanContext:
    """A span's ids in lower-case hex: 32 and 16 digits."""

    trace_id: str
    span_id: str

    def traceparent(self) -> str:
        """As a W3C header."""
        return f"00-{self.trace_id}-{self.span_id}-01"


_current: ContextVar[SpanContext | None] = ContextVar("floe_span", default=None)


def parse(traceparent: str | None) -> SpanContext | None:
    """The context of a `traceparent` header; None for none, or one that is not valid."""
    found = _TRACEPARENT.match((traceparent or "").strip())
    if found is None or traceparent is None or traceparent.startswith("ff"):
        return None
    trace_id, span_id = found.groups()
    return SpanContext(trace_id, span_id) if int(trace_id, 16) and int(span_id, 16) else None


def current() -> SpanContext | None:
    """The span this thread works for, else the one this process was started for."""
    return _current.get() or parse(os.environ.get(VARIABLE))


def enter(context: SpanContext | None) -> None:
    """From now on this thread works for `context`."""
    _current.set(context)


@contextmanager
def within(context: SpanContext | None) -> Iterator[None]:
    """This thread works for `context` meanwhile."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)


def new_trace_id() -> str:
    """A random trace id."""
    return os.urandom(16).hex()


def new_span_id() -> str:
    """A random span id."""
    return os.urandom(8).hex()


def run_trace_id(run_id: str) -> str:
    """The trace of a Dagster run: the run's own id, which is a random UUID, without its hyphens."""
    text = run_id.replace("-", "").lower()
    if re.fullmatch(r"[0-9a-f]{32}", text) and int(text, 16):
        return text
    return derived_trace_id(run_id)


def derived_trace_id(name: str) -> str:
    """The trace id of something that several processes know by name: the same for the same name."""
    from hashlib import blake2b

    return blake2b(name.encode(), digest_size=16).hexdigest()


def derived_span_id(*parts: str) -> str:
    """The span id of something that several processes know by name: the same for the same parts."""
    from hashlib import blake2b

    return blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()
