"""One service: its log as it is written, its endpoint, what clients need."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType

from floe_dev.errors import FloeError
from floe_dev.model.details import LogChunk, Usage
from floe_dev.model.state import State
from floe_dev.model.units import duration, size
from floe_dev.tui.detail import PAIRS, DetailScreen
from floe_dev.tui.dialogs import LineScreen
from floe_dev.tui.grid import Column, Grid
from floe_dev.tui.join import Links
from floe_dev.tui.text import age, clock, state_cell, without_colours

_POLL_SECONDS = 0.4
#: Between two looks at what a container uses; nobody asks the engine while the screen is not shown.
_USAGE_SECONDS = 2.0
_KEPT_LINES = 20_000
#: The first level that a line names counts: an INFO of the logger `uvicorn.error` is no error.
_LEVEL = re.compile(r"(?<![\w.])(?:(?P<bad>ERROR|CRITICAL|FATAL|SEVERE)|(?P<warn>WARN(?:ING)?)|INFO|DEBUG|TRACE)\b")
#: Lines without a level: Python's traceback and exceptions, and what most programs begin their last words with.
_FAILURE = re.compile(r"\s*(?:Traceback |[\w.]*(?:Error|Exception)\b|error\b|fatal\b)", re.IGNORECASE)


def _tone(line: str) -> str:
    head = line[:300]
    level = _LEVEL.search(head)
    if level is not None:
        return level.lastgroup or ""
    return "bad" if _FAILURE.match(head) else ""


def _restarts(count: int, last_end: str | None) -> str:
    if not count:
        return ""
    return f"{count}, the last time it {last_end}" if last_end else str(count)


LINES: tuple[Column[tuple[int, str]], ...] = (
    Column("", 20, lambda line: (without_colours(line[1]), _tone(line[1])), grow=True),
)


class ServiceScreen(DetailScreen):
    """The service `service`; follows its log while the cursor is on the last line."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f", "follow", "Follow", id="follow")]

    def __init__(self, service: str) -> None:
        """Fetched when it is shown."""
        super().__init__()
        self.service = service
        self.crumb = service
        self._lines: list[tuple[int, str]] = []
        self._count = 0
        self._position: int | None = None
        self._usage: Usage | None = None

    def sections(self) -> Sequence[tuple[str, Grid[Any]]]:
        """One tab each."""
        log = Grid(LINES, lambda line: str(line[0]), id="log", header=False)
        log.tails = log.follow = True
        return (
            ("log", log),
            ("environment", Grid(PAIRS, lambda p: p[0], id="environment")),
            ("start-up", Grid(PAIRS, lambda p: p[0], id="steps")),
        )

    def on_mount(self) -> None:
        """Follow the log, and what a container uses."""
        self.set_interval(_POLL_SECONDS, self.load)
        self.set_interval(_USAGE_SECONDS, self._measure)
        self._measure()

    def load(self) -> None:
        """Ask for what was written since."""
        if self.is_current:
            position = self._position
            self.fetch(
                lambda: self.floe.backend.log(self.service, position), self._log_read, self._log_failed, once="log"
            )

    def take(self, state: State) -> None:
        """The facts change with the service."""
        super().take(state)
        found = next((one for one in state.services.items if one.status.name == self.service), None)
        if found is None:
            self.facts([("service", (f"{self.service} is not part of the stack", "warn"))])
            return
        status = found.status
        self.facts(
            [
                ("state", state_cell(status.state.value)),
                ("reason", (status.reason or "", "warn")),
                ("endpoint", status.url or (f"127.0.0.1:{status.port}" if status.port else "none")),
                (
                    "process",
                    f"pid {status.pid}, {size(found.memory)}, {found.cpu or 0:.0f} % cpu" if status.pid else "",
                ),
                ("container", self._container(status.container)),
                ("up", f"{age(status.ready_at)} since {clock(status.ready_at)}" if status.ready_at else ""),
                ("restarts", _restarts(status.restarts, status.last_end)),
            ]
        )
        steps = [
            (step.name, "  ".join(filter(None, (state_cell(step.state)[0], duration(step.seconds), step.detail))))
            for step in state.stack.steps
        ]
        self.section("steps").show(steps)

    def _container(self, name: str | None) -> str:
        if name is None or self._usage is None:
            return name or ""
        return f"{name}, {size(self._usage.memory)}, {self._usage.cpu:.0f} % cpu"

    def _measure(self) -> None:
        found = next((one for one in self.floe.backend.state.services.items if one.status.name == self.service), None)
        if self.is_current and found is not None and found.status.container is not None:
            # What an engine that does not answer says of that stands with the service's own state.
            self.fetch(lambda: self.floe.backend.usage(self.service), self._measured, lambda _error: None, once="usage")

    def _measured(self, usage: Usage | None) -> None:
        self._usage = usage
        self.take(self.floe.backend.state)

    def tab_shown(self, section: str) -> None:
        """The settings are read when they are looked at."""
        if section == "environment":
            self.fetch(lambda: self.floe.backend.environment(self.service), self.section("environment").show)

    def links(self) -> Links:
        """Only the service."""
        return Links(service=self.service)

    def copies(self) -> list[tuple[str, str]]:
        """Its name, the command that follows its log, its address, and the question whether it is well."""
        found = [("name", self.service), ("command", f"floe logs -f {self.service}")]
        state = self.floe.backend.state
        status = next((one.status for one in state.services.items if one.status.name == self.service), None)
        if status is not None and status.url:
            found.append(("address", status.url))
        if status is not None and status.health_url:
            found.append(("curl", f"curl -s {status.health_url}"))
        return found

    @on(Grid.Opened, "#log")
    def _opened(self, event: Grid.Opened) -> None:
        self.app.push_screen(LineScreen(event.item[1]))

    def action_follow(self) -> None:
        """Follow the end, or stay where the cursor is."""
        log = self.section("log")
        log.follow = not log.follow
        self.notify("following the end of the log" if log.follow else "not following", markup=False, timeout=2)
        if log.follow:
            log.action_edge(1)

    def _log_failed(self, error: FloeError) -> None:
        self.section("log").show(self._lines, (f"✗ {error.what}", "bad"))

    def _log_read(self, chunk: LogChunk) -> None:
        first = self._position is None
        self._position = chunk.position
        if chunk.restarted:
            self._lines = []
        if chunk.lines or first or chunk.restarted:
            added = list(enumerate(chunk.lines, self._count))
            self._count += len(added)
            self._lines = (self._lines + added)[-_KEPT_LINES:]
            self.section("log").show(self._lines, ("the service wrote nothing yet", "dim"))
