"""The first screen: four panels. And one list alone, for when four are too many."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid as Layout

from floe_dev.tui.base import FloeScreen
from floe_dev.tui.grid import Grid
from floe_dev.tui.join import Links, links_of
from floe_dev.tui.lists import SliceGrid, key_of

PANELS = ("services", "assets", "tables", "traces")


class ListScreen(FloeScreen):
    """One list on the whole screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "choose", "Choose", show=False, id="choose"),
    ]

    def __init__(self, name: str, filter_text: str = "") -> None:
        """The list of the slice `name`, filtered if wanted."""
        super().__init__()
        self.crumb = name
        self._slice = name
        self._first_filter = filter_text

    def body(self) -> ComposeResult:
        """The list."""
        yield SliceGrid(self._slice)

    def on_mount(self) -> None:
        """Show what is known now."""
        super().on_mount()
        if self._first_filter:
            self.query_one(SliceGrid).set_filter(self._first_filter)

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
    """Services, assets, tables and traces side by side."""

    DEFAULT_CSS = """
    #panels { grid-size: 2 2; height: 1fr; }
    #panels.-narrow { grid-size: 2 2; }
    """

    def __init__(self) -> None:
        """The screen at the bottom of the stack."""
        super().__init__("overview")
        self.crumb = ""

    def body(self) -> ComposeResult:
        """Four panels."""
        with Layout(id="panels"):
            for place, name in enumerate(PANELS, 1):
                yield SliceGrid(name, str(place))

    def on_mount(self) -> None:
        """The assets are what one looks at first."""
        super().on_mount()
        self.query_one("#assets", SliceGrid).focus()
