"""The first screen: four panels. And one list alone, for when four are too many."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid as Layout
from textual.widgets import Static

from floe_dev.model.state import State
from floe_dev.tui.base import FloeScreen
from floe_dev.tui.grid import Grid
from floe_dev.tui.join import Links, links_of
from floe_dev.tui.lists import SliceGrid, key_of
from floe_dev.tui.text import inert

PANELS = ("services", "assets", "tables", "traces")
#: Narrower than this the panels stand below each other; lower than this those without the focus are two rows.
_NARROW, _LOW = 100, 30


class ListScreen(FloeScreen):
    """One list on the whole screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "choose", "Choose", show=False, id="choose", tooltip="Choose several assets for r"),
    ]

    def __init__(self, name: str) -> None:
        """The list of the slice `name`."""
        super().__init__()
        self.crumb = name
        self._slice = name

    def body(self) -> ComposeResult:
        """The list."""
        yield SliceGrid(self._slice)

    def links(self) -> Links:
        """What the item under the cursor belongs to."""
        grid = self.grid
        if not isinstance(grid, SliceGrid) or grid.current is None:
            return Links()
        return links_of(grid.slice_name, grid.current, self.floe.backend.state)

    def run_assets(self) -> tuple[str, ...]:
        """The chosen assets, else the one under the cursor."""
        grid = self.grid
        if isinstance(grid, SliceGrid) and grid.slice_name == "assets" and grid.chosen:
            return tuple(sorted(grid.chosen))
        return super().run_assets()

    def copies(self) -> list[tuple[str, str]]:
        """The name of the item."""
        grid = self.grid
        if not isinstance(grid, SliceGrid) or grid.current is None:
            return []
        key = key_of(grid.slice_name, grid.current)
        found = [("name", key)]
        if grid.slice_name == "tables":
            found.append(("query", f"floe sql 'from {key} limit 10'"))
        elif grid.slice_name == "assets":
            found.append(("command that makes it", f"floe run {key}"))
        return found

    def action_choose(self) -> None:
        """Choose the item for the next `r`."""
        grid = self.grid
        if isinstance(grid, SliceGrid) and grid.slice_name == "assets":
            grid.toggle_chosen()

    @on(Grid.Opened)
    def _opened(self, event: Grid.Opened) -> None:
        if isinstance(event.grid, SliceGrid):
            self.floe.open_item(event.grid.slice_name, event.item)


class OverviewScreen(ListScreen):
    """Services, assets, tables and traces: side by side, or in a narrow terminal the one with the focus large.

    Side by side they share the height by what they mostly hold: a stack has a handful of services.
    """

    DEFAULT_CSS = """
    #panels { grid-size: 2 10; height: 1fr; }
    #services { row-span: 3; }
    #assets { row-span: 6; }
    #tables { row-span: 7; }
    #traces { row-span: 4; }
    #offer { display: none; height: auto; max-height: 8; padding: 0 1; background: $panel; }
    #offer.-shown { display: block; }
    OverviewScreen.-narrow #panels { layout: vertical; }
    OverviewScreen.-narrow SliceGrid { height: 5; }
    OverviewScreen.-narrow.-low SliceGrid { height: 4; }
    OverviewScreen.-narrow SliceGrid.-large { height: 1fr; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("z", "app.zoom", "Zoom", show=False, id="zoom", tooltip="This panel on the whole screen"),
    ]

    def __init__(self) -> None:
        """The screen at the bottom of the stack."""
        super().__init__("overview")
        self.crumb = ""
        #: Who had the focus last.
        self._large: SliceGrid | None = None

    def body(self) -> ComposeResult:
        """What can be done where something is wrong with the stack as a whole, then four panels."""
        yield Static(id="offer", markup=False)
        with Layout(id="panels"):
            for place, name in enumerate(PANELS, 1):
                yield SliceGrid(name, str(place))

    def on_mount(self) -> None:
        """The assets are what one looks at first."""
        self.query_one("#assets", SliceGrid).focus()

    def on_resize(self, event: events.Resize) -> None:
        """Two by two needs room for two."""
        self.set_class(event.size.width < _NARROW, "-narrow")
        self.set_class(event.size.height < _LOW, "-low")
        self._fold()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The panel with the focus is the large one; it stays so while a filter is typed."""
        if isinstance(event.widget, SliceGrid):
            self._large = event.widget
            self._fold()

    def take(self, state: State) -> None:
        """Say what the user can do where the stack is down or its last save does not load."""
        super().take(state)
        offer = self._offer(state)
        self.query_one("#offer", Static).set_class(bool(offer.plain), "-shown")
        self.write("#offer", offer)

    def _fold(self) -> None:
        narrow = self.has_class("-narrow")
        for grid in self.query(SliceGrid):
            large = grid is self._large
            # Each class that changes has the styles of the panel and its scroll bars worked out anew.
            grid.set_class(narrow and large, "-large")
            grid.fold(narrow and not large)

    def _offer(self, state: State) -> Text:
        stack = state.stack
        if stack.error is not None and stack.phase == "failed":
            text = Text.assemble((f"✗ {inert(stack.error.what)}", self.tone("bad")))
            for line in (stack.error.why or "", f"fix: {stack.error.fix}" if stack.error.fix else ""):
                if line:
                    text.append(f"\n  {inert(line.partition(chr(10))[0])}")
            return text if self.floe.read_only else text.append("\n  S tries again", "bold")
        if stack.phase in ("down", "failed"):
            text = Text.assemble(("○ the stack is not running", self.tone("warn")))
            if self.floe.read_only:
                return _with_notices(text.append("   floe up starts it", "dim"), stack.notices)
            return text.append("   press S to start it", "bold")
        if stack.reload_error:
            first, *rest = stack.reload_error.splitlines()
            text = Text.assemble((f"△ {inert(first)}", self.tone("warn")))
            for line in rest[:6]:
                text.append(f"\n{inert(line)}")
            return text
        return Text() if stack.phase == "ready" else _with_notices(Text(), stack.notices)


def _with_notices(text: Text, notices: tuple[str, ...]) -> Text:
    """What the start, or a capsule, has to say besides."""
    for line in notices[:6]:
        text.append("\n" if text.plain else "").append(inert(line), "dim")
    return text
