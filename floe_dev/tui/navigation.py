"""From one thing to the next: the join between asset, run, trace and snapshot, the panels, the log, the browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import quote

from textual.binding import Binding, BindingType

from floe_dev.tui.asset import AssetScreen
from floe_dev.tui.automations import AutomationScreen, AutomationsScreen
from floe_dev.tui.base import FloeScreen
from floe_dev.tui.browser import open_page
from floe_dev.tui.dialogs import ChoiceScreen
from floe_dev.tui.join import Links
from floe_dev.tui.launches import Launching
from floe_dev.tui.lineage import LineageScreen
from floe_dev.tui.overview import PANELS, ListScreen, OverviewScreen
from floe_dev.tui.run import RunScreen
from floe_dev.tui.service import ServiceScreen
from floe_dev.tui.table import TableScreen
from floe_dev.tui.text import inert
from floe_dev.tui.trace import TraceScreen

_KINDS = {"asset": "an asset", "run": "a run", "trace": "a trace", "table": "a table"}


class Navigation(Launching):
    """Where the keys lead."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "join('asset')", "Asset", id="join-asset", tooltip="Go to its asset"),
        Binding("u", "join('run')", "Run", id="join-run", tooltip="Go to its run"),
        Binding("t", "join('trace')", "Trace", id="join-trace", tooltip="Go to its trace"),
        Binding("s", "join('table')", "Snapshot", id="join-table", tooltip="Go to its table, on the snapshot"),
        Binding("l", "logs", "Logs", id="logs", tooltip="Its log"),
        Binding("exclamation_mark", "failed", "The last failed run", key_display="!", show=False, id="failed"),
        Binding("w", "web", "Browser", show=False, id="web", tooltip="Open it in Dagster, in the browser"),
        *(Binding(str(n), f"panel('{name}')", name.capitalize(), show=False) for n, name in enumerate(PANELS, 1)),
        Binding("5", "panel('runs')", "Runs", show=False),
        Binding("6", "panel('automations')", "Automations", show=False),
        Binding("7", "lineage", "Lineage", show=False),
    ]

    def open_item(self, name: str, item: Any) -> None:
        """The screen of an item of the slice `name`."""
        match name:
            case "services":
                self.push_screen(ServiceScreen(item.status.name))
            case "assets":
                self.open_asset(item.key)
            case "tables":
                self.push_screen(TableScreen(item.identifier))
            case "runs":
                self.open_run(item.run_id)
            case "traces":
                self.push_screen(TraceScreen(item.trace_id))
            case "automations":
                self.push_screen(AutomationScreen(item))

    def open_asset(self, key: str) -> None:
        """The screen of an asset."""
        self.push_screen(AssetScreen(key))

    def action_join(self, kind: str) -> None:
        """From what is selected to its asset, run, trace or snapshot."""
        screen = self.floe_screen
        if screen is None:
            return
        links = screen.links()
        if kind == "run" and self.open_launched(links):
            return
        if kind == "run" and links.run:
            self.open_run(links.run)
        elif kind == "asset" and links.assets:
            self._open_some("asset", links.assets, self.open_asset)
        elif kind == "table" and links.tables:
            self._open_some("table", links.tables, lambda name: self._open_snapshot(name, links))
        elif kind == "trace" and links.trace:
            self.push_screen(TraceScreen(links.trace))
        elif kind == "trace" and links.run:
            self._find_trace(screen, links.run)
        else:
            self.warn(f"nothing here belongs to {_KINDS[kind]}")

    def _open_snapshot(self, identifier: str, links: Links) -> None:
        """The table, with the cursor on the snapshot that the run or the trace made."""
        known = next((one for one in self.backend.state.tables.items if one.identifier == identifier), None)
        if known is not None and known.kind == "view":
            self.push_screen(TableScreen(identifier))
            return
        self.push_screen(TableScreen(identifier, "snapshots", run_id=links.run, trace_id=links.trace))

    def _open_some(self, name: str, keys: tuple[str, ...], open_one: Callable[[str], Any]) -> None:
        if len(keys) == 1:
            open_one(keys[0])
            return

        def chosen(choice: list[str] | None) -> None:
            if choice:
                open_one(choice[0])

        self.push_screen(ChoiceScreen(f"{len(keys)} {name}s belong to it", [(name, key) for key in keys]), chosen)

    def _find_trace(self, screen: FloeScreen, run_id: str) -> None:
        """The trace of a run that the list does not have; not where the user has gone elsewhere meanwhile."""

        def found(trace_id: str | None) -> None:
            if self.floe_screen is not screen:
                return
            if trace_id is None:
                self.warn("no trace of this run has arrived yet")
            else:
                self.push_screen(TraceScreen(trace_id))

        screen.fetch(lambda: self.backend.trace_of_run(run_id), found, self.tell_error, once="trace of run")

    def action_failed(self) -> None:
        """The run that failed last, and why."""
        failed = next((run for run in self.backend.state.runs.items if run.status == "failure"), None)
        if failed is None:
            self.notify("no run has failed", markup=False)
        else:
            self.open_run(failed.run_id)

    def action_logs(self) -> None:
        """The log of the service, or of the run, that is selected."""
        screen = self.floe_screen
        links = screen.links() if screen is not None else None
        if isinstance(screen, RunScreen | TraceScreen):
            screen.action_tab_number(3)
        elif isinstance(screen, ServiceScreen):
            screen.action_tab_number(1)
        elif links is not None and links.service:
            self.push_screen(ServiceScreen(links.service))
        elif links is not None and links.run:
            self.push_screen(RunScreen(links.run, "log"))
        else:
            self.push_screen(ServiceScreen("supervisor"))

    def action_web(self) -> None:
        """Open what is selected in Dagster's UI."""
        base = self.backend.state.stack.urls.get("dagster")
        screen = self.floe_screen
        links = screen.links() if screen is not None else None
        if base is None or links is None:
            self.warn("the stack is not running")
            return
        url = base
        if isinstance(screen, RunScreen) and links.run:
            url = f"{base}/runs/{links.run}"
        elif isinstance(screen, AutomationScreen | AutomationsScreen):
            url = f"{base}/automation"
        elif links.assets:
            url = f"{base}/assets/{quote(links.assets[0])}"
        elif links.run:
            url = f"{base}/runs/{links.run}"
        if self.is_web:
            # The browser's page opens it beside itself.
            self.open_url(url)
            self._page_opened(url, answer=True)
        else:
            self.background(lambda: open_page(url), lambda answer: self._page_opened(url, answer=answer is True))

    def _page_opened(self, url: str, *, answer: bool) -> None:
        if answer:
            self.notify(inert(url), title="opened", markup=False)
        else:
            # Over ssh the terminal's clipboard is where the user's browser is.
            self.copy_to_clipboard(url)
            self.notify(inert(url), title="no browser here: copied", severity="warning", markup=False)

    def action_zoom(self) -> None:
        """The panel with the focus on the whole screen; back with Esc."""
        grid = self.screen.grid if isinstance(self.screen, OverviewScreen) else None
        if grid is not None and grid.id is not None:
            self.push_screen(ListScreen(grid.id))

    def action_panel(self, name: str) -> None:
        """To a panel of the overview; a second time on the whole screen."""
        overview = self.screen_stack[0]
        if not isinstance(overview, OverviewScreen):
            return
        if name not in PANELS:
            self._to_bottom()
            self.push_screen(AutomationsScreen() if name == "automations" else ListScreen(name))
            return
        panel = overview.query_one(f"#{name}")
        if self.screen is overview and panel.has_focus:
            self.push_screen(ListScreen(name))
            return
        self._to_bottom()
        panel.focus()

    def action_lineage(self) -> None:
        """What is made from what."""
        self._to_bottom()
        self.push_screen(LineageScreen())

    def _to_bottom(self) -> None:
        while len(self.screen_stack) > 1:
            self.pop_screen()
