"""One run: its steps while they run, why it failed, and its log."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from textual import on

from floe_dev.model.details import LogLine, RunDetail, StepView
from floe_dev.model.units import duration
from floe_dev.tui.detail import LINES, PAIRS, DetailScreen, Line
from floe_dev.tui.dialogs import LineScreen
from floe_dev.tui.grid import Column, Grid
from floe_dev.tui.join import Links, complete
from floe_dev.tui.text import Cell, clock, state_cell, tone_of, without_colours

_POLL_SECONDS = 0.7


class StepBar:
    """Places the steps on one time line; `begin` and `end` in seconds since the epoch."""

    def __init__(self) -> None:
        """Empty until the first `fit`."""
        self.begin = 0.0
        self.end = 1.0

    def fit(self, detail: RunDetail) -> None:
        """Take the run's own begin and end."""
        self.begin = detail.started_at or 0.0
        self.end = max(self.begin + 0.001, detail.ended_at or time.time())

    def draw(self, step: StepView, width: int) -> Cell:
        """The step's bar."""
        if step.started_at is None:
            return "", ""
        scale = width / (self.end - self.begin)
        start = max(0, min(width - 1, int((step.started_at - self.begin) * scale)))
        seconds = step.seconds if step.seconds is not None else self.end - step.started_at
        return " " * start + "█" * max(1, min(width - start, round(seconds * scale))), tone_of(step.state)


def _took(step: StepView) -> str:
    if step.seconds is not None:
        return duration(step.seconds)
    return duration(time.time() - step.started_at) if step.started_at and step.state == "running" else ""


def in_order(steps: Sequence[StepView]) -> list[StepView]:
    """As they began; those that did not last."""
    return sorted(steps, key=lambda step: (step.started_at is None, step.started_at or 0, step.name))


def step_columns(bar: StepBar) -> tuple[Column[StepView], ...]:
    """State, name, time, bar."""
    return (
        Column("state", 10, lambda s: state_cell(s.state)),
        Column("step", 26, lambda s: s.name, grow=True),
        Column("took", 9, _took, right=True),
        Column("", 20, lambda _step: "", draw=bar.draw, grow=True, rank=1),
        Column("told", 14, lambda s: (s.detail.partition("\n")[0], "dim"), grow=True, rank=2),
    )


def log_columns(origin: str) -> tuple[Column[tuple[int, LogLine]], ...]:
    """Lines of a run's or a trace's log; `origin` is what a line comes from."""
    return (
        Column("time", 8, lambda e: (clock(e[1].at)[-8:], "dim")),
        Column("level", 8, lambda e: (e[1].level, _level(e[1].level)), rank=2),
        Column(origin, 22, lambda e: (e[1].step, "dim"), rank=1),
        Column("message", 30, lambda e: (_one_line(e[1].text), _level(e[1].level)), grow=True),
    )


def _one_line(text: str) -> str:
    return without_colours(text).replace("\n", " ⏎ ")


def _level(level: str) -> str:
    return {"error": "bad", "critical": "bad", "fatal": "bad", "warning": "warn", "warn": "warn", "debug": "dim"}.get(
        level, ""
    )


class RunScreen(DetailScreen):
    """The run `run_id`; asks again and again while it goes on."""

    def __init__(self, run_id: str, section: str = "") -> None:
        """Fetched when it is shown; `section` is seen first, else what tells most."""
        super().__init__()
        self.run_id = run_id
        self._first = section
        self.crumb = f"run {run_id[:8]}"
        self._bar = StepBar()
        self._detail: RunDetail | None = None

    def sections(self) -> Sequence[tuple[str, Grid[Any]]]:
        """One tab each."""
        return (
            ("steps", Grid(step_columns(self._bar), lambda s: s.name, id="steps")),
            ("failures", Grid(LINES, lambda line: line[0], id="failures", header=False)),
            ("log", Grid(log_columns("step"), lambda e: str(e[0]), id="log")),
            ("tags", Grid(PAIRS, lambda p: p[0], id="tags")),
        )

    def on_mount(self) -> None:
        """Ask until it is over."""
        if self._first:
            self.call_after_refresh(self._activate, f"tab-{self._first}")
        self.set_interval(_POLL_SECONDS, self._again)

    def load(self) -> None:
        """Ask Dagster, once at a time."""
        self.fetch(lambda: self.floe.backend.run(self.run_id), self._fill, once="run")

    def _again(self) -> None:
        if self.is_current and self._going_on:
            self.load()

    def links(self) -> Links:
        """The run's own; of the asset under the cursor where there is one."""
        item = self.grid.current if self.grid is not None else None
        known = {asset.key for asset in self.floe.backend.state.assets.items}
        assets = (item.name,) if isinstance(item, StepView) and item.name in known else ()
        links = complete(Links(assets=assets, run=self.run_id), self.floe.backend.state)
        if links.trace is None and self._detail is not None and self._going_on:
            # Nothing of its trace has arrived; the run knows which one it will be.
            return replace(links, trace=dict(self._detail.tags).get("floe/trace_id"))
        return links

    def shows_run(self, run_id: str) -> bool:
        """Its own."""
        return run_id == self.run_id

    @property
    def _going_on(self) -> bool:
        return self._detail is None or not self._detail.over

    def copies(self) -> list[tuple[str, str]]:
        """Its id and its page."""
        dagster = self.floe.backend.state.stack.urls.get("dagster", "")
        return [("run id", self.run_id), ("address in Dagster", f"{dagster}/runs/{self.run_id}")]

    @on(Grid.Opened, "#log")
    def _opened_line(self, event: Grid.Opened) -> None:
        self.app.push_screen(LineScreen(event.item[1].text))

    @on(Grid.Opened)
    def _opened(self, event: Grid.Opened) -> None:
        if isinstance(event.item, StepView):
            if event.item.state == "failed":
                self.action_tab_number(2)
            elif links := self.links().assets:
                self.floe.open_asset(links[0])

    def _fill(self, detail: RunDetail) -> None:
        first = self._detail is None
        self._detail = detail
        self._bar.fit(detail)
        now = detail.ended_at or time.time()
        took = duration(now - detail.started_at) if detail.started_at else ""
        done = sum(step.state == "done" for step in detail.steps)
        again = "" if self.floe.read_only else "   R tries again what failed"
        why = detail.failures[0] if detail.failures else None
        self.facts(
            [
                ("state", state_cell(detail.status)),
                ("run", f"{detail.run_id}   job {detail.job}"),
                ("started", f"{clock(detail.started_at)}   took {took}" if detail.started_at else ""),
                ("steps", f"{done}/{len(detail.steps)} done"),
                ("failed", (" ".join(f"{why[0]}: {why[1]}".split()) if why else "", "bad")),
                ("", (f"2 shows why{again}" if why else "", "dim")),
            ]
        )
        steps = self.section("steps")
        steps.show(in_order(detail.steps), ("◌ no step has begun", "busy"))
        # A step that goes on is the same item as before; only its bar has grown.
        steps.refresh()
        lines: list[Line] = []
        for name, text, log in detail.failures:
            lines += [(f"✗ {name}", "bad"), *self.lines(text), *([(f"log: {log}", "dim")] if log else []), ("", "")]
        self.section("failures").show(lines, ("nothing failed", "ok"))
        events = self.section("log")
        if first:
            events.tails = events.follow = not detail.over
        events.show(list(enumerate(detail.log)), ("no events", "dim"))
        self.section("tags").show(detail.tags)
        if first and detail.failures and not self._first:
            self.call_after_refresh(self.action_tab_number, 2)
