"""A table that draws only what is seen: ten thousand rows cost no more than the thirty on the screen.

Items are handed over as they are; cells are made when a line is drawn. The cursor stays on its item (by key) while the
items around it change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Offset, Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from floe_dev.tui import filtering
from floe_dev.tui.text import Cell, inert

T = TypeVar("T")
_GAP = 1


@dataclass(frozen=True)
class Column(Generic[T]):
    """One column; `width` in cells. Those with the highest `rank` go first where the room is too small."""

    title: str
    width: int
    cell: Callable[[T], Cell | str]
    right: bool = False
    #: Takes what is left over.
    grow: bool = False
    rank: int = 0
    #: Instead of `cell`, where the text depends on the width it gets.
    draw: Callable[[T, int], Cell] | None = None


class Grid(ScrollView, Generic[T], can_focus=True):
    """Rows of one kind of item."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "grid--head",
        "grid--cursor",
        "grid--cursor-blurred",
        "grid--ok",
        "grid--busy",
        "grid--warn",
        "grid--bad",
        "grid--dim",
        "grid--mark",
    }
    DEFAULT_CSS = """
    Grid { height: 1fr; background: $surface; scrollbar-size-vertical: 1; overflow-x: hidden; }
    Grid > .grid--head { text-style: bold dim; }
    Grid > .grid--cursor { background: $primary-muted; text-style: bold; }
    Grid > .grid--cursor-blurred { background: $panel; }
    Grid > .grid--ok { color: $text-success; }
    Grid > .grid--busy { color: $text-accent; }
    Grid > .grid--warn { color: $text-warning; }
    Grid > .grid--bad { color: $text-error; text-style: bold; }
    Grid > .grid--dim { text-style: dim; }
    Grid > .grid--mark { color: $text-primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="up"),
        Binding("down,j", "move(1)", "Down", show=False, id="down"),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False, id="page-up"),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False, id="page-down"),
        Binding("home,g", "edge(0)", "First", show=False, id="first"),
        Binding("end,G", "edge(1)", "Last", show=False, id="last"),
        Binding("enter", "open", "Open", show=False, id="open"),
    ]

    class Opened(Message):
        """Enter, or a double click, on the row under the cursor."""

        def __init__(self, grid: Grid[Any], item: Any) -> None:
            self.grid = grid
            self.item = item
            super().__init__()

        @property
        def control(self) -> Grid[Any]:
            """The grid, for handlers that are meant for one of them."""
            return self.grid

    class Moved(Message):
        """The cursor is on another item."""

        def __init__(self, grid: Grid[Any], item: Any) -> None:
            self.grid = grid
            self.item = item
            super().__init__()

    def __init__(
        self,
        columns: Sequence[Column[T]],
        key: Callable[[T], str],
        *,
        id: str | None = None,  # noqa: A002 - the name every widget has for it
        header: bool = True,
    ) -> None:
        """Empty; `key` names an item for as long as it lives."""
        super().__init__(id=id)
        self.columns = tuple(columns)
        self._key = key
        self._header = 1 if header else 0
        self._all: Sequence[T] = ()
        self._shown: Sequence[T] = ()
        self._cursor = 0
        self._placeholder: Cell = ("", "dim")
        self._filter: tuple[filtering.Term, ...] = ()
        self.filter_text = ""
        #: The width that the columns share, and how they share it.
        self._widths: tuple[int, tuple[int, ...]] | None = None
        #: Whether it grows at its end, where who stands there goes with it.
        self.tails = False
        self.follow = False
        self._base = Style()
        self._ticked: list[list[Cell | str]] = []
        #: Where the first line stood, and how many lines of titles there were, when it was drawn last.
        self._drawn = (0, self._header)
        #: Where and when a row was pressed with the mouse.
        self._pressed: tuple[Offset, float] | None = None
        #: Items chosen with the space bar, by key.
        self.chosen: set[str] = set()

    def watch_has_focus(self, _has_focus: bool) -> None:
        """Textual's own, without the scroll bar: it looks the same, and would be drawn anew in a frame of its own."""
        bar = self.show_vertical_scrollbar
        self.set_reactive(Grid.show_vertical_scrollbar, False)
        try:
            super().watch_has_focus(_has_focus)
        finally:
            self.set_reactive(Grid.show_vertical_scrollbar, bar)

    def on_hide(self, event: events.Hide) -> None:
        """One that is shown again by the time it hears of it keeps the focus, which Textual would give away."""
        if all(node.display for node in self.ancestors_with_self):
            event.prevent_default()

    def fold(self, folded: bool) -> None:
        """Without the line of titles, where there is room for two or three rows only."""
        if self._header != (0 if folded else 1):
            self._header = 0 if folded else 1
            self._resize()
            self.call_after_refresh(self._keep_visible)
            self.refresh()

    @property
    def items(self) -> Sequence[T]:
        """What passes the filter."""
        return self._shown

    @property
    def total(self) -> int:
        """How many items there are without the filter."""
        return len(self._all)

    @property
    def current(self) -> T | None:
        """The item under the cursor."""
        return self._shown[self._cursor] if self._cursor < len(self._shown) else None

    def show(self, items: Sequence[T], placeholder: Cell = ("nothing here yet", "dim")) -> None:
        """Show these items, or the placeholder where there are none; the cursor stays on its item."""
        if placeholder != self._placeholder:
            self._placeholder = placeholder
            self.refresh()
        if items is self._all:
            return
        before = self._seen()
        self._all = items
        self._refilter(draw=False)
        # What changed somewhere else in ten thousand rows costs no drawing here.
        if self._seen() != before:
            self.refresh()

    def _seen(self) -> tuple[object, ...]:
        """What is drawn of the items: the rows on the screen, where they stand, and the cursor."""
        top = self.scroll_offset.y
        return (top, self._cursor, not self._all, *self._shown[top : top + self.size.height + 1])

    def tick(self) -> None:
        """Draw anew if a row on the screen tells more than at the last tick, though it is the same item: ages."""
        top = self.scroll_offset.y
        told = [[column.cell(item) for column in self.columns] for item in self._shown[top : top + self.size.height]]
        if told != self._ticked:
            self._ticked = told
            self.refresh()

    def set_filter(self, text: str) -> None:
        """Show only what matches (see `filtering`)."""
        self.filter_text = text
        self._filter = filtering.parse(text)
        self._refilter()

    def set_columns(self, columns: Sequence[Column[T]]) -> None:
        """Other columns for the same kind of item."""
        self.columns = tuple(columns)
        self._widths = None
        self.refresh()

    def select(self, key: str) -> None:
        """Put the cursor on the item of that key, if it is shown."""
        for row, item in enumerate(self._shown):
            if self._key(item) == key:
                self._go(row)
                return

    def toggle_chosen(self) -> None:
        """Choose the item under the cursor, or choose it no more."""
        if (item := self.current) is not None:
            self.chosen ^= {self._key(item)}
            self.refresh()

    def _refilter(self, *, draw: bool = True) -> None:
        before = self.current
        kept = None if before is None else self._key(before)
        if self._filter:
            texts = [self._texts(item) for item in self._all]
            # Fuzzy only where nothing matches as typed: with thousands of rows nearly everything is similar.
            for fuzzy in (False, True):
                self._shown = [
                    item
                    for item, text in zip(self._all, texts, strict=True)
                    if filtering.matches(self._filter, text, fuzzily=fuzzy)
                ]
                if self._shown:
                    break
        else:
            self._shown = self._all
        if self.follow:
            self._cursor = max(0, len(self._shown) - 1)
        elif kept is not None and not (
            self._cursor < len(self._shown) and self._key(self._shown[self._cursor]) == kept
        ):
            found = next((row for row, item in enumerate(self._shown) if self._key(item) == kept), None)
            self._cursor = found if found is not None else max(0, min(self._cursor, len(self._shown) - 1))
        self._cursor = max(0, min(self._cursor, len(self._shown) - 1))
        self._resize()
        if self.follow:
            # Forced: before the first layout with more rows than fit the widget does not think it can scroll.
            self.scroll_end(animate=False, immediate=True, force=True, x_axis=False)
            self.call_after_refresh(self._keep_visible)
        if draw:
            self.refresh()
        if self.current is not None and (before is None or self._key(self.current) != kept):
            self.post_message(self.Moved(self, self.current))

    def _texts(self, item: T) -> dict[str, str]:
        found = {}
        for column in self.columns:
            cell = column.cell(item)
            found[column.title.lower()] = (cell if isinstance(cell, str) else cell[0]).lower()
        return found

    def _resize(self) -> None:
        self.virtual_size = Size(0, len(self._shown) + self._header)

    def on_resize(self, _event: events.Resize) -> None:
        """The row under the cursor stays on the screen."""
        self._keep_visible()

    def render_lines(self, crop: Region) -> list[Strip]:
        """All lines of one drawing share the widget's style, which is costly to ask for."""
        self._base = self.rich_style
        self._drawn = (self.scroll_offset.y, self._header)
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """One line of what is seen."""
        width = self.size.width
        row = y + self.scroll_offset.y - self._header
        base = self._base
        if y == 0 and self._header:
            return self._line([(c.title, "head") for c in self.columns], width, base)
        if not self._shown:
            text, tone = (
                (("nothing matches the filter", "dim") if self._all else self._placeholder) if row == 0 else ("", "dim")
            )
            return Strip([Segment(set_cell_size(inert(text), width), base + self._tone(tone))], width)
        if not 0 <= row < len(self._shown):
            return Strip([Segment(" " * width, base)], width)
        item = self._shown[row]
        if row == self._cursor:
            base += self.get_component_rich_style(
                "grid--cursor" if self.has_focus else "grid--cursor-blurred", partial=True
            )
        cells: list[Cell] = []
        for column, room in zip(self.columns, self._shares(width), strict=True):
            made = column.draw(item, room) if column.draw is not None and room else column.cell(item)
            cells.append((made, "") if isinstance(made, str) else made)
        if self.chosen and self._key(item) in self.chosen:
            base += self._tone("mark")
            cells[0] = (f"▸{cells[0][0]}", cells[0][1])
        return self._line(cells, width, base)

    def _line(self, cells: Sequence[Cell], width: int, base: Style) -> Strip:
        segments = []
        used = 0
        for column, room, (text, tone) in zip(self.columns, self._shares(width), cells, strict=True):
            if not room:
                continue
            # Cut before it is measured: a line may be megabytes long.
            text = inert(text[: room * 4])
            length = cell_len(text)
            if length > room:
                text = set_cell_size(text, max(0, room - 1)) + "…"
            elif column.right:
                text = " " * (room - length) + text
            else:
                text = text + " " * (room - length)
            segments.append(Segment(text, base + self._tone(tone) if tone else base))
            segments.append(Segment(" " * _GAP, base))
            used += room + _GAP
        return Strip(segments, used).adjust_cell_length(width, base)

    def _tone(self, tone: str) -> Style:
        return self.get_component_rich_style(f"grid--{tone}", partial=True) if tone else Style()

    def _shares(self, width: int) -> tuple[int, ...]:
        """The width of each column, 0 for those that do not fit."""
        # By the width, for a line may be drawn in a new one before `on_resize` is called.
        if self._widths is not None and self._widths[0] == width:
            return self._widths[1]
        widths = [column.width for column in self.columns]
        for place in sorted(range(len(widths)), key=lambda i: -self.columns[i].rank):
            if sum(one + _GAP for one in widths if one) <= width or not self.columns[place].rank:
                break
            widths[place] = 0
        spare = width - sum(one + _GAP for one in widths if one)
        growing = [i for i, column in enumerate(self.columns) if column.grow and widths[i]]
        for turn, place in enumerate(growing):
            share = spare // len(growing) + (1 if turn < spare % len(growing) else 0)
            widths[place] = max(4, widths[place] + share)
        self._widths = width, tuple(widths)
        return self._widths[1]

    def action_move(self, step: int) -> None:
        """Move the cursor."""
        self._go(self._cursor + step)

    def action_page(self, step: int) -> None:
        """Move the cursor by what fits on the screen."""
        self._go(self._cursor + step * max(1, self.size.height - self._header - 1))

    def action_edge(self, end: int) -> None:
        """To the first or the last row."""
        self._go(len(self._shown) - 1 if end else 0)

    def action_open(self) -> None:
        """Tell that the item under the cursor was opened."""
        if self.current is not None:
            self.post_message(self.Opened(self, self.current))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """The cursor goes to the row that was seen under the pointer: with the focus the panel may grow under it."""
        spot, before = event.screen_offset, self._pressed
        again = before is not None and before[0] == spot
        if before is not None and again and event.time - before[1] < self.app.CLICK_CHAIN_TIME_THRESHOLD:
            return
        # Within border and padding, which the event's own y counts too.
        place = event.get_content_offset_capture(self)
        top, header = self._drawn
        row = place.y + top - header
        hit = place.x >= 0 and place.y >= header and row < len(self._shown)
        self._pressed = (spot, event.time) if hit else None
        if hit:
            self._go(row)

    def on_click(self, event: events.Click) -> None:
        """The second click opens what the first one was on."""
        if event.chain == 2 and self._pressed is not None and self.has_focus:
            self.action_open()

    def _go(self, row: int) -> None:
        row = max(0, min(row, len(self._shown) - 1))
        # Whoever goes to the end wants to follow; whoever goes up wants to read.
        if self.tails:
            self.follow = row == len(self._shown) - 1
        if row == self._cursor:
            return
        self._cursor = row
        self._keep_visible()
        self.refresh()
        if self.current is not None:
            self.post_message(self.Moved(self, self.current))

    def _keep_visible(self) -> None:
        if self.size.height:
            # The header covers the first line, so the row has to be below it.
            top = self._cursor
            self.scroll_to_region(Region(0, top, 1, 1 + self._header), animate=False, immediate=True, force=True)
