"""The start of the stack while it happens: services and steps on one time line, and why it failed if it does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from floe_dev.errors import FloeError
from floe_dev.model.details import RunDetail, StepView
from floe_dev.model.state import State
from floe_dev.model.units import duration
from floe_dev.tui.detail import LINES, DetailScreen, Line
from floe_dev.tui.grid import Grid
from floe_dev.tui.run import StepBar, in_order, step_columns
from floe_dev.tui.text import state_cell


class StartScreen(DetailScreen):
    """Shows a start that goes on; leaves by itself when the stack is ready."""

    crumb = "start"

    def __init__(self, began: float | None = None) -> None:
        """Counts from `began`, in seconds since the epoch; None: from now on."""
        super().__init__()
        self._began = began or time.time()
        self._bar = StepBar()
        self._ready = False
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

    def on_screen_resume(self) -> None:
        """Whatever lay over it while the stack became ready is gone."""
        if self._ready:
            self.dismiss()

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
        if error is None:
            self._ready = True
            # Textual dismisses what lies on top, whoever asks.
            if self.is_active:
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
        steps = self.section("steps")
        steps.show(steps.items, ("no part had begun", "dim"))
        lines: list[Line] = [(line, "") for line in error.detail]
        if error.where is not None:
            lines.insert(0, (f"at {error.where}", "mark"))
        self.section("why").show(lines, ("nothing more is known", "dim"))
        self.action_tab_number(2)
