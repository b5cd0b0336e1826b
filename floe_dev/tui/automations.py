"""Schedules, sensors and backfills: the list, each with its ticks, and what one would start now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType

from floe_dev.model.commands import CancelBackfill, LaunchRequests, RunRequest, ToggleAutomation
from floe_dev.model.details import AutomationDetail, BackfillPartition, Evaluation, TickView
from floe_dev.model.state import AutomationView, State
from floe_dev.tui.base import FloeScreen
from floe_dev.tui.detail import LINES, DetailScreen
from floe_dev.tui.grid import Column, Grid
from floe_dev.tui.join import Links, complete
from floe_dev.tui.overview import ListScreen
from floe_dev.tui.text import age, ago, clock, state_cell, until

_POLL_SECONDS = 3.0
TICKS: tuple[Column[TickView], ...] = (
    Column("state", 10, lambda t: state_cell(t.state)),
    Column("when", 19, lambda t: clock(t.at)),
    Column("age", 7, lambda t: age(t.at), right=True),
    Column("runs", 18, lambda t: " ".join(run[:8] for run in t.run_ids)),
    Column("told", 30, lambda t: (t.told.partition("\n")[0], "bad" if t.state == "failed" else "dim"), grow=True),
)
PARTITIONS: tuple[Column[BackfillPartition], ...] = (
    Column("state", 10, lambda p: state_cell(p.state)),
    Column("partition", 30, lambda p: p.partition, grow=True),
    Column("run", 8, lambda p: p.run_id[:8]),
)
RUNS: tuple[Column[tuple[str, str, float | None]], ...] = (
    Column("state", 10, lambda r: state_cell(r[1])),
    Column("run", 36, lambda r: r[0], grow=True),
    Column("began", 19, lambda r: clock(r[2])),
)
REQUESTS: tuple[Column[RunRequest], ...] = (
    Column("job", 24, lambda r: r.job, grow=True),
    Column("assets", 24, lambda r: ", ".join(r.assets) or "all of the job", grow=True),
    Column("run key", 20, lambda r: (r.key, "dim"), rank=1),
    Column("tags", 24, lambda r: (" ".join(f"{k}={v}" for k, v in r.tags), "dim"), grow=True, rank=2),
)


class AutomationKeys(FloeScreen):
    """What can be done with an automation, where one is shown or is under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "switch", "On/off", id="switch"),
        Binding("e", "evaluate", "Evaluate once", id="evaluate"),
        Binding("x", "cancel_backfill", "Cancel backfill", show=False, id="cancel-backfill"),
    ]

    @property
    def automation(self) -> AutomationView | None:
        """The one that the keys are for."""
        return None

    def action_switch(self) -> None:
        """Turn a schedule or a sensor on or off."""
        item = self.automation
        if item is not None and item.kind == "backfill":
            self.floe.warn("a backfill cannot be turned on or off; x cancels it")
        elif item is not None:
            self.floe.act(ToggleAutomation(item.name, item.kind, on=item.state == "off", selector=item.selector))

    def action_evaluate(self) -> None:
        """Ask what it would start now."""
        item = self.automation
        if item is not None and item.kind == "backfill":
            self.floe.warn("a backfill is not evaluated")
        elif item is not None:
            self.floe.push_screen(EvaluationScreen(item))

    def action_cancel_backfill(self) -> None:
        """Cancel a backfill, after asking."""
        item = self.automation
        if item is None or item.kind != "backfill":
            self.floe.warn("only a backfill can be canceled here")
        elif item.state not in ("requested", "canceling"):
            self.floe.warn("this backfill is over")
        else:
            asking = (f"Cancel the backfill {item.name}?", f"its runs are canceled too: {item.target}")
            self.floe.act(CancelBackfill(item.name), asking, meanwhile="the backfill is being canceled …")


class AutomationsScreen(AutomationKeys, ListScreen):  # in this order: Space is another key in a list of assets
    """The list of automations."""

    def __init__(self) -> None:
        """The list of that slice."""
        super().__init__("automations")

    @property
    def automation(self) -> AutomationView | None:
        """The one under the cursor."""
        item = self.grid.current if self.grid is not None else None
        return item if isinstance(item, AutomationView) else None


class AutomationScreen(DetailScreen, AutomationKeys):  # in this order: Textual takes styles from the first alone
    """One schedule or sensor with its ticks, or one backfill with its partitions and runs."""

    def __init__(self, automation: AutomationView) -> None:
        """Its ticks are fetched when it is shown, and again as long as it is."""
        super().__init__()
        self._item = automation
        self.crumb = automation.name

    @property
    def automation(self) -> AutomationView:
        """As it was seen last."""
        return self._item

    def sections(self) -> Sequence[tuple[str, Grid[Any]]]:
        """Ticks, or partitions and runs."""
        error = ("error", Grid(LINES, lambda line: line[0], id="error", header=False))
        if self._item.kind == "backfill":
            return (
                ("partitions", Grid(PARTITIONS, lambda p: p.partition, id="partitions")),
                ("runs", Grid(RUNS, lambda r: r[0], id="runs")),
                error,
            )
        return (("ticks", Grid(TICKS, lambda t: str(t.at), id="ticks")), error)

    def on_mount(self) -> None:
        """Ask again and again."""
        self.set_interval(_POLL_SECONDS, self.load)

    def load(self) -> None:
        """Ask Dagster, once at a time."""
        if self.is_current:
            item = self._item
            self.fetch(lambda: self.floe.backend.automation(item), self._fill, once="automation")

    def take(self, state: State) -> None:
        """The facts change with the automation."""
        super().take(state)
        kind, name = self._item.kind, self._item.name
        found = next((one for one in state.automations.items if (one.kind, one.name) == (kind, name)), None)
        self._item = found or self._item
        item = self._item
        last = f"{clock(item.last_at)}   {ago(item.last_at)}" if item.last_at else "never"
        if self.floe.read_only:
            keys = "" if kind == "backfill" else "e shows what it would start now"
        elif kind == "backfill":
            keys = "x cancels it" if item.state == "requested" else ""
        else:
            keys = f"Space turns it {'on' if item.state == 'off' else 'off'}   e shows what it would start now"
        self.facts(
            [
                ("state", state_cell(item.state)),
                ("kind", f"{kind}   {item.when}"),
                ("starts", item.target),
                ("began" if kind == "backfill" else "last tick", last),
                ("next tick", f"{clock(item.next_at)}   {until(item.next_at)}" if item.next_at else ""),
                ("error", ((item.error or "").partition("\n")[0], "bad")),
                ("", (keys, "dim")),
            ]
        )
        went = "it has no error" if kind == "backfill" else "its last tick went well" if item.last_at else "no tick yet"
        self.section("error").show(self.lines(item.error or "", "bad"), (went, "dim"))

    def links(self) -> Links:
        """The run of the row under the cursor; the assets of a backfill."""
        row = self.grid.current if self.grid is not None else None
        run = None
        if isinstance(row, TickView) and row.run_ids:
            run = row.run_ids[0]
        elif isinstance(row, BackfillPartition):
            run = row.run_id or None
        elif isinstance(row, tuple) and len(row) == len(RUNS):
            run = str(row[0])
        assets = tuple(self._item.target.split(", ")) if self._item.kind == "backfill" and self._item.target else ()
        return complete(Links(assets=assets, run=run), self.floe.backend.state)

    def copies(self) -> list[tuple[str, str]]:
        """Its name."""
        return [("name", self._item.name)]

    @on(Grid.Opened)
    def _opened(self, event: Grid.Opened) -> None:
        event.stop()
        if (run := self.links().run) is not None and event.grid.id != "error":
            self.floe.open_run(run)

    def _fill(self, detail: AutomationDetail) -> None:
        if self._item.kind == "backfill":
            self.section("partitions").show(detail.partitions, ("no partitions", "dim"))
            self.section("runs").show(detail.runs, ("◌ no run has begun", "busy"))
        else:
            off = self._item.state == "off" and not self.floe.read_only
            none = "no tick yet: Space turns it on" if off else "no tick yet"
            self.section("ticks").show(detail.ticks, (none, "dim"))


class EvaluationScreen(DetailScreen):
    """What a schedule or a sensor would start now; `r` starts it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "launch", "Start them", id="launch"),
        Binding("e", "again", "Evaluate again", id="evaluate"),
    ]

    def __init__(self, automation: AutomationView) -> None:
        """Evaluated when it is shown."""
        super().__init__()
        self._item = automation
        self.crumb = f"{automation.name} now"
        self._found = Evaluation()

    def sections(self) -> Sequence[tuple[str, Grid[Any]]]:
        """The runs it asks for, and its error."""
        return (
            ("would start", Grid(REQUESTS, lambda r: f"{r.job} {r.key} {r.assets} {r.tags}", id="requests")),
            ("error", Grid(LINES, lambda line: line[0], id="error", header=False)),
        )

    def load(self) -> None:
        """Ask Dagster; the automation's own memory does not change."""
        self.facts([("evaluating", (f"{self._item.name} …", "busy"))])
        item = self._item
        self.fetch(lambda: self.floe.backend.evaluate(item), self._fill)

    def action_again(self) -> None:
        """Evaluate once more."""
        self.load()

    def action_launch(self) -> None:
        """Start the runs that it asks for."""
        if not self._found.requests:
            self.floe.warn("it would start nothing")
            return
        self.floe.act(LaunchRequests(self._item.name, self._found.requests))
        self.app.pop_screen()

    def _fill(self, found: Evaluation) -> None:
        self._found = found
        starts = "r starts them   " if found.requests and not self.floe.read_only else ""
        count = len(found.requests)
        state = ("✗ its code failed", "bad") if found.error else (f"{count} runs" if count != 1 else "1 run", "ok")
        self.facts(
            [
                ("would start", state if found.error or count else ("nothing", "dim")),
                ("because", found.skipped),
                ("", (f"{starts}e evaluates again   nothing was started so far", "dim")),
            ]
        )
        self.section("requests").show(found.requests, (found.skipped or "it asks for no run", "dim"))
        self.section("error").show(self.lines(found.error, "bad"), ("its code ran well", "dim"))
        if found.error:
            self.action_tab_number(2)
