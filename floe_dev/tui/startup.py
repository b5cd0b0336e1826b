"""The start of the stack while it happens: services and steps on one time line, and why it failed if it does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from floe_dev.errors import FloeError
from floe_dev.model.commands import StartStack
from floe_dev.model.details import RunDetail, StepView
from floe_dev.model.state import State
from floe_dev.model.units import duration
from floe_dev.tui.detail import LINES, DetailScreen, Line
from floe_dev.tui.grid import Grid
from floe_dev.tui.run import StepBar, in_order, step_columns
from floe_dev.tui.text import state_cell


class StartScreen(DetailScreen):
    """Leaves by itself when the stack is ready."""

    crumb = "start"

    def __init__(self, command: StartStack | None = None) -> None:
        """Counts from now on; `command` is what S tries again."""
        super().__init__()
        self.command = command or StartStack()
        #: Whether the start is not over yet, in one way or the other.
        self.going_on = True
        self._began = time.time()
        self._bar = StepBar()
        self._error: FloeError | None = None

    def sections(self) -> Sequence[tuple[str, Grid[Any]]]:
        """The time line, and the error."""
        return (
            ("start-up", Grid(step_columns(self._bar), lambda s: s.name, id="steps")),
            ("why", Grid(LINES, lambda line: line[0], id="why", header=False)),
        )

    def on_mount(self) -> None:
        """Draw often: bars grow."""
        self.set_interval(0.25, lambda: self.take(self.floe.backend.state))

    def take(self, state: State) -> None:
        """The parts as they are now."""
        super().take(state)
        if self._error is not None:
            return
        now = time.time()
        steps = [
            StepView(
                one.status.name,
                one.status.state.value,
                one.status.started_at,
                one.status.ready_at - one.status.started_at if one.status.ready_at and one.status.started_at else None,
                one.status.reason or "",
            )
            for one in state.services.items
        ]
        steps += [StepView(s.name, s.state, s.started_at, s.seconds, s.detail or "") for s in state.stack.steps]
        steps = [step for step in steps if step.started_at is None or step.started_at >= self._began - 1]
        self._bar.fit(RunDetail("", "", "", self._began, now))
        done = sum(step.state in ("ready", "done") for step in steps)
        self.facts([("starting", f"{duration(now - self._began)}   {done}/{len(steps)} parts")])
        grid = self.section("steps")
        grid.show(in_order(steps), ("◌ the supervisor starts …", "busy"))
        # A step that goes on is the same item as before; only its bar has grown.
        grid.refresh()

    def over(self, error: FloeError | None) -> None:
        """Ready: back to the overview; failed: say why and what to do."""
        self.going_on = False
        if error is None:
            if self in self.app.screen_stack:
                self.dismiss()
            return
        self._error = error
        self.facts(
            [
                ("state", state_cell("failed")),
                (error.code.id, (error.what, "bad")),
                ("why", error.why or ""),
                ("fix", error.fix or ""),
                ("", ("S tries again   q leaves", "dim")),
            ]
        )
        lines: list[Line] = [(line, "") for line in error.detail]
        if error.where is not None:
            lines.insert(0, (f"at {error.where}", "mark"))
        self.section("why").show(lines, ("nothing more is known", "dim"))
        self.action_tab_number(2)
