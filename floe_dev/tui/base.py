"""What every screen of the dashboard has: breadcrumbs, a filter line, the keys, and a word for a terminal too small."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from floe_dev.errors import FloeError
from floe_dev.model.state import State
from floe_dev.tui.filterline import FilterLine
from floe_dev.tui.grid import Grid
from floe_dev.tui.join import Links
from floe_dev.tui.keyline import KeyLine
from floe_dev.tui.lists import SliceGrid
from floe_dev.tui.text import inert, state_cell

if TYPE_CHECKING:
    from floe_dev.tui.app import DashboardApp

R = TypeVar("R")
MIN_WIDTH, MIN_HEIGHT = 60, 15
#: Tone -> what it is called in every theme, so that a theme without colour has none here either.
_TONES = {"ok": "text-success", "busy": "text-accent", "warn": "text-warning", "bad": "text-error"}


class FloeScreen(Screen[None]):
    """A screen with breadcrumbs; `crumb` is its own part of them."""

    DEFAULT_CSS = """
    FloeScreen { background: $surface; }
    #crumbs { height: 1; padding: 0 1; background: $panel; color: $text; }
    #body { height: 1fr; }
    #small { display: none; width: 100%; height: 100%; content-align: center middle; text-align: center; }
    FloeScreen.-small > * { display: none; }
    FloeScreen.-small > #small { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace", "back", "Back", show=False, id="back"),
        Binding("slash", "filter", "Find", key_display="/", id="filter"),
        Binding("h,left,shift+tab", "app.focus_previous", "Previous panel", show=False, id="previous-panel"),
        Binding("right,tab", "app.focus_next", "Next panel", show=False, id="next-panel"),
    ]
    crumb = ""
    #: Textual's own draws the whole screen anew on every change of focus; the two widgets concerned draw themselves.
    focused: reactive[Widget | None] = reactive(None, repaint=False)

    def __init__(self) -> None:
        """Shows nothing yet."""
        super().__init__()
        self._under_way: set[str | None] = set()

    @property
    def floe(self) -> DashboardApp:
        """The app with its own type."""
        from floe_dev.tui.app import DashboardApp

        app = self.app
        assert isinstance(app, DashboardApp)
        return app

    @property
    def grid(self) -> Grid[Any] | None:
        """The grid that has the focus, else the first that is seen."""
        if isinstance(self.focused, Grid):
            return self.focused
        return next((grid for grid in self.query(Grid) if grid.display and grid.size.height), None)

    def compose(self) -> ComposeResult:
        """Breadcrumbs, body, filter, keys."""
        yield Static(id="crumbs", markup=False)
        with Vertical(id="body"):
            yield from self.body()
        yield FilterLine()
        yield KeyLine(read_only=self.floe.read_only)
        yield Static("the terminal is too small\nfloe's dashboard needs 60x15", id="small", markup=False)

    def body(self) -> ComposeResult:
        """The screen's own widgets."""
        yield from ()

    def on_mount(self) -> None:
        """Show what is known now."""
        self.app.theme_changed_signal.subscribe(self, lambda _theme: self.repaint())
        self.take(self.floe.backend.state)

    def on_unmount(self) -> None:
        """The signal would keep the screen, and what it has loaded, for as long as the program runs."""
        self.app.theme_changed_signal.unsubscribe(self)

    def repaint(self) -> None:
        """Write anew what has the colours of the theme before."""
        self.renew()

    def on_screen_resume(self) -> None:
        """Shown again: things may have changed meanwhile."""
        self.renew()
        self.tick()

    def renew(self) -> None:
        """Show the latest State, unless the screen is only being made: it takes the State when it is."""
        if self.query("#small"):
            self.take(self.floe.backend.state)

    def write(self, place: str, text: Text) -> None:
        """Put the text into the line at `place`; one that is there already is not drawn anew."""
        line = self.query_one(place, Static)
        if line.content != text:
            line.update(text)

    def tick(self) -> None:
        """Draw ages anew, which grow while nothing else changes."""
        for grid in self.query(SliceGrid):
            grid.tick()

    def on_resize(self, event: events.Resize) -> None:
        """Say so where there is no room."""
        self.set_class(event.size.width < MIN_WIDTH or event.size.height < MIN_HEIGHT, "-small")

    def tone(self, tone: str) -> str:
        """The tone as a style of rich, in the colours of the theme."""
        if tone in _TONES:
            colour = self.app.theme_variables.get(_TONES[tone], "")
            return f"bold {colour}" if tone == "bad" else colour
        return "dim" if tone == "dim" else ""

    def take(self, state: State) -> None:
        """Show this state; called for the screen that is seen only."""
        self.write("#crumbs", self._crumbs(state))
        for grid in self.query(SliceGrid):
            grid.take(state)

    def links(self) -> Links:
        """What the selection belongs to."""
        return Links()

    def shows_run(self, run_id: str) -> bool:  # noqa: ARG002 - for the screen of a run
        """Whether this screen tells how that run goes, so that nothing else has to."""
        return False

    def copies(self) -> list[tuple[str, str]]:
        """What can be copied here: (what it is, text), the likeliest first."""
        return []

    def run_assets(self) -> tuple[str, ...]:
        """The assets that `r` materializes here."""
        return self.links().assets[:1]

    def _crumbs(self, state: State) -> Text:
        stack = state.stack
        word, tone = state_cell(stack.phase)
        text = Text.assemble(("floe ", "bold"), inert(stack.project or "…"), " ", (word, self.tone(tone)))
        # A dialog over a screen is no place of its own.
        path = [screen.crumb for screen in self.app.screen_stack if isinstance(screen, FloeScreen) and screen.crumb]
        # Where one is comes before how one came there.
        room = self.size.width - 2 - text.cell_len
        while len(path) > 1 and sum(cell_len(crumb) + 3 for crumb in path) > room:
            path = ["…", *path[2 if path[0] == "…" else 1 :]] if path != ["…", path[-1]] else path[1:]
        for crumb in path:
            text.append(" > ", "dim").append(inert(crumb))
        if stack.reload_error and path:
            text.append("  △ the last save does not load", self.tone("warn"))
        elif stack.error is not None and path:
            text.append(f"  ✗ {inert(stack.error.what)}", self.tone("bad"))
        elif stack.urls.get("dagster") and not path:
            text.append(f"  {inert(stack.stack)} · {inert(stack.urls['dagster'])}", "dim")
        if self.floe.read_only:
            text.append("  read-only", self.tone("warn"))
        text.no_wrap = True
        text.overflow = "ellipsis"
        return text

    def action_back(self) -> None:
        """A filter first, then the screen."""
        line = self.query_one(FilterLine)
        grid = self.grid
        if line.has_focus:
            line.drop()
        elif grid is not None and grid.filter_text:
            grid.set_filter("")
        elif len(self.app.screen_stack) > 1:
            self.app.pop_screen()

    def action_filter(self) -> None:
        """Open the filter line of the grid."""
        if (grid := self.grid) is not None:
            self.query_one(FilterLine).open(grid)

    def fetch(
        self,
        work: Callable[[], R],
        done: Callable[[R], None],
        failed: Callable[[FloeError], None] | None = None,
        *,
        once: str | None = None,
    ) -> bool:
        """Do `work` in a thread and hand its answer to `done`, unless the screen is gone; an error to `failed`.

        Where one with the same `once` is under way nothing is asked, and the answer is False: a source that is slow is
        not asked by ever more threads.
        """
        if once in self._under_way:
            return False
        if once is not None:
            self._under_way.add(once)

        def back(answer: R | FloeError) -> None:
            self._under_way.discard(once)
            if not self.is_attached:
                return
            if isinstance(answer, FloeError):
                (failed or self.failed)(answer)
            else:
                done(answer)

        self.floe.background(work, back)
        return True

    def failed(self, error: FloeError) -> None:
        """What could not be fetched is told."""
        self.floe.tell_error(error)
