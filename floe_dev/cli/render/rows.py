"""The rows of a progress view, reduced from the event stream; no drawing here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from floe_dev.model.status import Event


#: Row states that count as over.
FINISHED = frozenset({"ready", "done", "failed", "skipped", "stopped", "canceled", "materialized"})


@dataclass(frozen=True)
class Row:
    """One service, step or asset as last reported; times are seconds (`started` since the epoch)."""

    kind: str
    name: str
    state: str
    started: float | None = None
    seconds: float | None = None
    detail: str = ""

    def elapsed(self, now: float) -> float | None:
        """Its duration: the reported one, else the time since its start."""
        if self.seconds is not None:
            return self.seconds
        if self.started is None or self.state in FINISHED or self.state == "waiting":
            return None
        return max(0.0, now - self.started)


@dataclass
class Rows:
    """All rows by (kind, name), in order of appearance, and the notices in between."""

    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def apply(self, event: Event) -> Row | None:
        """Take one event in; the row that changed, or None if nothing a viewer sees did."""
        if event.kind == "notice":
            self.notices.append(notice_text(event))
            return None
        if event.kind not in ("service", "step", "asset"):
            return None
        before = self.rows.get((event.kind, event.name))
        after = _row(event, before)
        if after == before:
            return None
        self.rows[event.kind, event.name] = after
        return after

    def of(self, kind: str) -> list[Row]:
        """The rows of one kind."""
        return [row for row in self.rows.values() if row.kind == kind]


def notice_text(event: Event) -> str:
    """The text of a notice."""
    return str(event.data.get("text") or event.data.get("message") or event.name)


def _row(event: Event, before: Row | None) -> Row:
    data: dict[str, Any] = event.data
    row = before or Row(event.kind, event.name, "waiting")
    state = str(data.get("state", row.state))
    started = data.get("started_at") or (event.time if state in ("running", "starting") else None) or row.started
    if state == "restarting" or (row.state in FINISHED and state not in FINISHED):
        started = data.get("started_at") or event.time
    seconds = data.get("seconds")
    if seconds is None and data.get("ready_at") and data.get("started_at"):
        seconds = data["ready_at"] - data["started_at"]
    if seconds is None and state in FINISHED and started is not None and state != "skipped":
        seconds = max(0.0, event.time - started)
    if state not in FINISHED:
        seconds = None
    if state in ("stopping", "stopped") and event.kind == "service":
        # How long it took to become ready, and where it was, are past.
        return replace(row, state=state, started=None, seconds=None, detail=str(data.get("reason") or ""))
    detail = data.get("reason") or data.get("detail") or (data.get("url") if event.kind == "service" else None) or ""
    return replace(row, state=state, started=started, seconds=seconds, detail=str(detail))
