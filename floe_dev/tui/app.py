"""The dashboard's app: takes each new State to the screen that is seen, and carries out what the keys ask for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.screen import Screen
from textual.theme import Theme

from floe_dev.errors import Code, FloeError
from floe_dev.model import commands
from floe_dev.model.backend import Backend
from floe_dev.model.state import RunView, State
from floe_dev.tui.asset import AssetScreen
from floe_dev.tui.automations import AutomationsScreen
from floe_dev.tui.base import FloeScreen
from floe_dev.tui.detail import DetailScreen
from floe_dev.tui.dialogs import ChoiceScreen, ConfirmScreen, HelpScreen, SqlScreen
from floe_dev.tui.lineage import LineageScreen
from floe_dev.tui.lists import run_title
from floe_dev.tui.overview import PANELS, ListScreen, OverviewScreen
from floe_dev.tui.run import RunScreen
from floe_dev.tui.service import ServiceScreen
from floe_dev.tui.startup import StartScreen
from floe_dev.tui.table import TableScreen
from floe_dev.tui.text import inert
from floe_dev.tui.trace import TraceScreen

R = TypeVar("R")
#: Seconds that changes are gathered before they are drawn.
_GATHER_SECONDS = 0.08
#: Ages ("5 s") are drawn anew this often.
_TICK_SECONDS = 5.0
THEMES = {"dark": "textual-dark", "light": "textual-light", "contrast": "floe-contrast", "mono": "floe-mono"}
_CONTRAST = Theme(
    name="floe-contrast",
    primary="#ffff00",
    secondary="#00ffff",
    accent="#00ffff",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#202020",
    success="#00ff00",
    warning="#ffff00",
    error="#ff6060",
    dark=True,
    variables={"text-muted": "#ffffff", "text-success": "#00ff00", "text-warning": "#ffff00", "text-error": "#ff6060"},
)
_MONO = Theme(
    name="floe-mono",
    primary="#c0c0c0",
    secondary="#c0c0c0",
    accent="#c0c0c0",
    foreground="#e0e0e0",
    background="#000000",
    surface="#000000",
    panel="#202020",
    success="#e0e0e0",
    warning="#e0e0e0",
    error="#ffffff",
    dark=True,
    variables={
        "text-muted": "#a0a0a0",
        "text-success": "#e0e0e0",
        "text-warning": "#e0e0e0",
        "text-error": "#ffffff",
        "text-accent": "#e0e0e0",
        "text-primary": "#ffffff",
    },
)


class DashboardApp(App[str]):
    """Shows one backend. Its result is `left` (the stack stays), `stopped`, or `failed` (it did not start)."""

    TITLE = "floe"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "Help", key_display="?", id="help"),
        Binding("q", "leave", "Leave", id="leave"),
        Binding("Q,shift+q", "stop", "Stop the stack", show=False, id="stop"),
        Binding("ctrl+c", "leave", "Leave", show=False, priority=True, id="interrupt"),
        Binding("ctrl+z", "suspend_process", "Suspend", show=False, id="suspend"),
        Binding("r", "materialize", "Run", id="materialize"),
        Binding("R,shift+r", "again", "Restart, retry", show=False, id="again"),
        Binding("x", "cancel", "Cancel run", show=False, id="cancel"),
        Binding("a", "join('asset')", "Asset", id="join-asset"),
        Binding("u", "join('run')", "Run", id="join-run"),
        Binding("t", "join('trace')", "Trace", id="join-trace"),
        Binding("s", "join('table')", "Table", id="join-table"),
        Binding("l", "logs", "Logs", id="logs"),
        Binding("w", "web", "Browser", show=False, id="web"),
        Binding("y", "copy", "Copy", show=False, id="copy"),
        Binding("colon", "sql", "SQL", key_display=":", show=False, id="sql"),
        Binding("S,shift+s", "start", "Start the stack", show=False, id="start"),
        Binding("T,shift+t", "theme", "Next theme", show=False, id="theme"),
        Binding("z", "zoom", "Zoom", show=False, id="zoom"),
        *(Binding(str(n), f"panel('{name}')", name, show=False) for n, name in enumerate(PANELS, 1)),
        Binding("5", "panel('runs')", "Runs", show=False),
        Binding("6", "panel('automations')", "Automations", show=False),
        Binding("7", "lineage", "Lineage", show=False),
    ]

    def __init__(
        self,
        backend: Backend,
        *,
        read_only: bool = False,
        start: bool = False,
        theme: str = "dark",
        keys: Mapping[str, str] | None = None,
    ) -> None:
        """With `start` the stack is started first; `keys` maps the ids of bindings to other keys."""
        self.backend = backend
        self.read_only = read_only
        super().__init__()
        self._start_first = start
        self._keys = dict(keys or {})
        self._pending = False
        self._first_theme = theme
        self._end: Callable[[], None] = lambda: None
        self._runs: dict[str, str] = {}

    def get_default_screen(self) -> Screen[Any]:
        """The overview is at the bottom."""
        return OverviewScreen()

    def on_mount(self) -> None:
        """Begin to listen."""
        self.register_theme(_CONTRAST)
        self.register_theme(_MONO)
        self.theme = THEMES[self._first_theme]
        if self._keys:
            self.set_keymap(self._keys)
        loop = asyncio.get_running_loop()

        def changed() -> None:
            if not self._pending:
                self._pending = True
                # The loop may have ended while a watcher was still busy.
                if not loop.is_closed():
                    loop.call_soon_threadsafe(self.call_later, self._gather)

        self._end = self.backend.subscribe(changed)
        self.set_interval(_TICK_SECONDS, self._apply)
        self._watch_runs(self.backend.state)
        if self._start_first:
            self.action_start()

    def on_unmount(self) -> None:
        """Listen no more."""
        self._end()

    def _gather(self) -> None:
        self.set_timer(_GATHER_SECONDS, self._apply)

    def _apply(self) -> None:
        self._pending = False
        state = self.backend.state
        self._watch_runs(state)
        for screen in reversed(self.screen_stack):
            if isinstance(screen, FloeScreen):
                screen.take(state)
                break

    def _watch_runs(self, state: State) -> None:
        """Tell of runs that ended since the last look."""
        for run in state.runs.items:
            before = self._runs.get(run.run_id)
            self._runs[run.run_id] = run.status
            if before is not None and before != run.status and run.over:
                self._tell_run(run)

    def _tell_run(self, run: RunView) -> None:
        what = inert(run_title(run))
        if run.status == "failure":
            self.bell()
            self.notify(f"✗ the run of {what} failed: press 5, then Enter", severity="error", timeout=10, markup=False)
        else:
            word = "was canceled" if run.status == "canceled" else "is done"
            self.notify(f"✓ the run of {what} {word}", markup=False)

    def background(self, work: Callable[[], R], done: Callable[[Any], None]) -> None:
        """Do `work` in a thread of its own and give its answer, or its FloeError, to `done` here.

        A daemon thread, not a pool: a source that hangs keeps neither another one nor the end of the program waiting.
        """
        loop = asyncio.get_running_loop()

        def run() -> None:
            answer: R | FloeError
            try:
                answer = work()
            except FloeError as error:
                answer = error
            except Exception as error:  # noqa: BLE001 - shown on the screen it belongs to
                answer = FloeError(Code.INTERNAL, f"{type(error).__name__}: {error}", fix="floe doctor")
            if not loop.is_closed():
                loop.call_soon_threadsafe(self.call_later, done, answer)

        threading.Thread(target=run, name="floe-dashboard-work", daemon=True).start()

    def act(self, command: commands.Command, question: Sequence[str] = ()) -> None:
        """Carry a command out, after asking where there is a question; never with --read-only."""
        if self.read_only:
            self.notify("the dashboard was started with --read-only", severity="warning", markup=False)
            return
        if question:

            def answered(yes: bool | None) -> None:
                if yes:
                    self.act(command)

            self.push_screen(ConfirmScreen(question), answered)
            return
        self.background(lambda: self.backend.send(command), lambda answer: self._acted(command, answer))

    def _acted(self, command: commands.Command, answer: str | FloeError) -> None:
        if isinstance(answer, FloeError):
            if not isinstance(command, commands.StartStack):
                self.tell_error(answer)
        else:
            self.notify(inert(answer), markup=False)
        if isinstance(command, commands.StopStack) and not isinstance(answer, FloeError):
            self.exit("stopped")
        if isinstance(command, commands.StartStack):
            for screen in self.screen_stack:
                if isinstance(screen, StartScreen):
                    screen.over(answer if isinstance(answer, FloeError) else None)

    def tell_error(self, error: FloeError) -> None:
        """An error as a notification: what, why, fix."""
        lines = [inert(error.what), *(inert(line) for line in (error.why or "").splitlines()[:6])]
        if error.fix:
            lines.append(f"fix: {inert(error.fix)}")
        self.notify("\n".join(lines), title=error.code.id, severity="error", timeout=12, markup=False)

    def tell_failure(self, screen: DetailScreen, error: Exception) -> None:
        """An error in the place of a screen's facts."""
        if isinstance(error, FloeError):
            screen.failed(error)

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

    def open_asset(self, key: str) -> None:
        """The screen of an asset."""
        self.push_screen(AssetScreen(key))

    def open_run(self, run_id: str) -> None:
        """The screen of a run."""
        self.push_screen(RunScreen(run_id))

    def action_join(self, kind: str) -> None:
        """From what is selected to its asset, run, trace or table."""
        screen = self.screen
        if not isinstance(screen, FloeScreen):
            return
        links = screen.links()
        if kind == "run" and links.run:
            self.open_run(links.run)
        elif kind == "asset" and links.assets:
            self._open_some("assets", links.assets, self.open_asset)
        elif kind == "table" and links.tables:
            self._open_some("tables", links.tables, lambda name: self.push_screen(TableScreen(name)))
        elif kind == "trace" and links.trace:
            self.push_screen(TraceScreen(links.trace))
        elif kind == "trace" and links.run:
            run = links.run
            self.background(lambda: self.backend.trace_of_run(run), self._trace_found)
        else:
            self.notify(f"nothing here belongs to a {kind}", severity="warning", markup=False)

    def _open_some(self, name: str, keys: tuple[str, ...], open_one: Callable[[str], Any]) -> None:
        if len(keys) == 1:
            open_one(keys[0])
            return

        def chosen(choice: tuple[str, str] | None) -> None:
            if choice is not None:
                open_one(choice[1])

        self.push_screen(ChoiceScreen(f"{len(keys)} {name} belong to it", [(name[:-1], key) for key in keys]), chosen)

    def _trace_found(self, answer: object) -> None:
        if isinstance(answer, str):
            self.push_screen(TraceScreen(answer))
        elif isinstance(answer, FloeError):
            self.tell_error(answer)
        else:
            self.notify("no trace of this run has arrived", severity="warning", markup=False)

    def action_materialize(self) -> None:
        """Run what is selected; a partitioned asset asks for a partition."""
        screen = self.screen
        if not isinstance(screen, FloeScreen):
            return
        keys = screen.run_assets()
        if not keys:
            self.notify("select an asset first", severity="warning", markup=False)
            return
        known = {asset.key: asset for asset in self.backend.state.assets.items}
        first = known.get(keys[0])
        if first is not None and first.state == "source":
            self.notify(f"{inert(keys[0])} is a source: nothing here makes it", severity="warning", markup=False)
            return
        partition = screen.partition() if isinstance(screen, AssetScreen) else None
        if first is not None and first.partitioned:
            if partition is None:
                self._pick_partition(keys)
            else:
                self.act(commands.Materialize(keys, partition))
            return
        if len(keys) > 1:
            self.act(commands.Materialize(keys))
            return
        key = keys[0]
        options = [("only this", key)]
        upstream, downstream = closure(self.backend.state, key, up=True), closure(self.backend.state, key, up=False)
        if len(upstream) > 1:
            options.append((f"with upstream ({len(upstream)})", "+" + key))
        if len(downstream) > 1:
            options.append((f"with downstream ({len(downstream)})", key + "+"))
        if len(options) == 1 or self.read_only:
            self.act(commands.Materialize((key,)))
            return

        def chosen(choice: tuple[str, str] | None) -> None:
            if choice is not None:
                picked = upstream if choice[1].startswith("+") else downstream if choice[1].endswith("+") else (key,)
                self.act(commands.Materialize(picked))

        self.push_screen(ChoiceScreen(f"Materialize {inert(key)}", options), chosen)

    def _pick_partition(self, keys: tuple[str, ...]) -> None:
        def fetched(answer: object) -> None:
            if isinstance(answer, FloeError):
                self.tell_error(answer)
                return
            partitions = getattr(answer, "partitions", ())

            def chosen(choice: tuple[str, str] | None) -> None:
                if choice is not None:
                    self.act(commands.Materialize(keys, choice[1]))

            options = [(state, key) for key, state in partitions]
            self.push_screen(ChoiceScreen(f"Which partition of {inert(keys[0])}?", options), chosen)

        self.background(lambda: self.backend.asset(keys[0]), fetched)

    def action_again(self) -> None:
        """Restart the service, or retry the run, that is selected."""
        links = self.screen.links() if isinstance(self.screen, FloeScreen) else None
        if links is None:
            return
        if links.service is not None:
            asking = (f"Restart {links.service}?", "what waits for it fails meanwhile; data stay")
            self.act(commands.RestartService(links.service), asking)
        elif links.run is not None:
            self.act(commands.Retry(links.run))
        else:
            self.notify("select a service or a run first", severity="warning", markup=False)

    def action_cancel(self) -> None:
        """Cancel the run that is selected, or that makes the asset that is selected."""
        links = self.screen.links() if isinstance(self.screen, FloeScreen) else None
        run = None
        if links is not None:
            active = [one for one in self.backend.state.runs.items if not one.over]
            run = next((one for one in active if one.run_id == links.run), None) or next(
                (one for one in active if set(one.assets) & set(links.assets)), None
            )
        if run is None:
            self.notify("no run that goes on is selected", severity="warning", markup=False)
            return
        self.act(commands.Cancel(run.run_id), (f"Cancel the run of {run_title(run)}?", f"{run.run_id}"))

    def action_logs(self) -> None:
        """The log of the service, or of the run, that is selected."""
        links = self.screen.links() if isinstance(self.screen, FloeScreen) else None
        if isinstance(self.screen, RunScreen | TraceScreen):
            self.screen.action_tab_number(3)
        elif links is not None and links.service:
            self.push_screen(ServiceScreen(links.service))
        elif links is not None and links.run:
            screen = RunScreen(links.run)
            self.push_screen(screen)
            self.call_after_refresh(screen.action_tab_number, 3)
        else:
            self.push_screen(ServiceScreen("supervisor"))

    def action_web(self) -> None:
        """Open what is selected in Dagster's UI."""
        base = self.backend.state.stack.urls.get("dagster")
        links = self.screen.links() if isinstance(self.screen, FloeScreen) else None
        if base is None or links is None:
            self.notify("the stack is not running", severity="warning", markup=False)
            return
        url = base
        if isinstance(self.screen, RunScreen) and links.run:
            url = f"{base}/runs/{links.run}"
        elif links.assets:
            url = f"{base}/assets/{links.assets[0]}"
        elif links.run:
            url = f"{base}/runs/{links.run}"
        self.open_url(url)
        self.notify(inert(url), title="opened", markup=False)

    def action_copy(self) -> None:
        """Copy one of the things that can be copied here."""
        here = self.screen.copies() if isinstance(self.screen, FloeScreen) else []

        def chosen(choice: tuple[str, str] | None) -> None:
            if choice is not None:
                self.copy_to_clipboard(choice[1])
                self.notify(inert(choice[1]), title="copied", markup=False)

        self.push_screen(ChoiceScreen("Copy", [*here, *self.backend.copies()]), chosen)

    def action_sql(self) -> None:
        """A line of SQL, on the selected table where there is one."""
        links = self.screen.links() if isinstance(self.screen, FloeScreen) else None
        table = links.tables[0] if links is not None and links.tables else None
        self.push_screen(SqlScreen(f"from {table} limit 20" if table else ""))

    def action_start(self) -> None:
        """Start the stack and watch it come up."""
        if self.backend.state.stack.phase in ("ready", "degraded"):
            self.notify("the stack is running", markup=False)
            return
        if not self.read_only:
            self.push_screen(StartScreen())
        self.act(commands.StartStack())

    def action_stop(self) -> None:
        """Stop the stack and leave, after asking."""
        self.act(commands.StopStack(), ("Stop the stack and leave?", "runs that go on end; tables and history stay"))

    def action_leave(self) -> None:
        """Leave; the stack stays up."""
        self.exit("left")

    def action_help(self) -> None:
        """The keys of this screen."""
        rows: dict[str, list[str]] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.description:
                rows.setdefault(binding.description, []).append(binding.key_display or self.get_key_display(binding))
        self.push_screen(HelpScreen([("  ".join(dict.fromkeys(keys)), text) for text, keys in rows.items()]))

    def action_theme(self) -> None:
        """The next of light, dark, high contrast, no colour."""
        names = list(THEMES.values())
        self.theme = names[(names.index(self.theme) + 1) % len(names)] if self.theme in names else names[0]

    def action_zoom(self) -> None:
        """The panel with the focus on the whole screen; back with Esc."""
        grid = self.screen.grid if isinstance(self.screen, OverviewScreen) else None
        if grid is not None and grid.id is not None:
            self._list(grid.id)

    def action_panel(self, name: str) -> None:
        """To a panel of the overview; a second time on the whole screen."""
        overview = self.screen_stack[0]
        if name not in PANELS:
            self.push_screen(AutomationsScreen() if name == "automations" else ListScreen(name))
            return
        if not isinstance(overview, OverviewScreen):
            return
        panel = overview.query_one(f"#{name}")
        if self.screen is overview and panel.has_focus:
            self._list(name)
            return
        while len(self.screen_stack) > 1:
            self.pop_screen()
        panel.focus()

    def action_lineage(self) -> None:
        """What is made from what."""
        self.push_screen(LineageScreen())

    def _list(self, name: str) -> None:
        self.push_screen(ListScreen(name))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Every action with a key, in the palette."""
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.description and binding.action != "command_palette":
                key = binding.key_display or self.get_key_display(binding)
                node = active.node

                def run(action: str = binding.action, node: Any = node) -> None:
                    self.call_later(self.run_action, action, node)

                yield SystemCommand(binding.description, f"key {key}", run)


class ItemProvider(Provider):
    """Everything with a name, in the palette."""

    async def search(self, query: str) -> Hits:
        """Services, assets, tables and automations by name."""
        matcher = self.matcher(query)
        for name, key, item in self._items():
            if (score := matcher.match(key)) > 0:
                yield Hit(score, matcher.highlight(key), lambda n=name, i=item: self._open(n, i), help=name)

    async def discover(self) -> Hits:
        """What is in trouble, before anything is typed."""
        from floe_dev.tui.text import tone_of

        for name, key, item in self._items():
            if name == "assets" and tone_of(item.state) == "bad":
                yield DiscoveryHit(f"{key} (failed)", lambda n=name, i=item: self._open(n, i), help=name)

    def _items(self) -> Iterable[tuple[str, str, Any]]:
        from floe_dev.tui.lists import key_of

        app = self.app
        assert isinstance(app, DashboardApp)
        for name in PANELS[:3]:
            for item in getattr(app.backend.state, name).items:
                yield name, inert(key_of(name, item)), item

    def _open(self, name: str, item: Any) -> None:
        app = self.app
        assert isinstance(app, DashboardApp)
        app.open_item(name, item)


DashboardApp.COMMANDS = App.COMMANDS | {ItemProvider}


def closure(state: State, key: str, *, up: bool) -> tuple[str, ...]:
    """The asset with all that is made from it, or that it is made from; sources and partitioned ones are left out."""
    known = {asset.key: asset for asset in state.assets.items}
    found = {key}
    todo = [key]
    while todo:
        one = todo.pop()
        if up:
            near = list(known[one].depends_on) if one in known else []
        else:
            near = [asset.key for asset in state.assets.items if one in asset.depends_on]
        for other in near:
            if other in known and other not in found:
                found.add(other)
                todo.append(other)
    return tuple(sorted(k for k in found if k in known and known[k].state != "source" and not known[k].partitioned))
