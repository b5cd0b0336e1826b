"""Every state a panel can be in, on the rendered screen of the real app."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.color import Color as RichColor
from rich.color import ColorSystem
from textual import events
from textual._compositor import Compositor
from textual.color import Color
from textual.command import Command, CommandList
from textual.pilot import Pilot

from floe_dev.errors import Code, FloeError, Where
from floe_dev.model import commands
from floe_dev.model.details import AssetDetail, ColumnView, LogChunk, LogLine, RunDetail, StepView, TableDetail
from floe_dev.model.state import AssetView, AutomationView, RunView, ServiceView, Slice, State, TableView
from floe_dev.model.status import ServiceState, ServiceStatus
from floe_dev.model.traces import Span, Trace, TraceSummary
from floe_dev.tui.app import DashboardApp
from floe_dev.tui.asset import AssetScreen
from floe_dev.tui.dialogs import ChoiceScreen
from floe_dev.tui.grid import Grid
from floe_dev.tui.overview import ListScreen
from floe_dev.tui.run import RunScreen
from floe_dev.tui.selection import closure
from floe_dev.tui.service import LINES, ServiceScreen
from floe_dev.tui.table import TableScreen
from floe_dev.tui.text import inert
from floe_dev.tui.themes import THEMES
from floe_dev.tui.trace import TraceScreen
from floe_dev.tui.waterfall import Shape, Waterfall, critical_path
from tests.tui.fake import FakeBackend, asset, full, shop
from tests.tui.screens import run, screen_text, seen, settled


@asynccontextmanager
async def shown(
    state: State, size: tuple[int, int] = (120, 36), **options: object
) -> AsyncIterator[tuple[DashboardApp, Pilot[str], FakeBackend]]:
    backend = FakeBackend(state)
    app = DashboardApp(backend, **options)  # type: ignore[arg-type]
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.pause()
        yield app, pilot, backend


def test_states_are_glyph_and_word() -> None:
    async def go() -> None:
        async with shown(shop()) as (app, _pilot, _):
            text = screen_text(app)
            for words in ("● ready", "● fresh", "△ stale", "✗ failed", "2 assets 3", "bronze.raw", "1 ✗ failed"):
                assert words in text

    run(go())


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
@pytest.mark.parametrize("theme", list(THEMES))
def test_every_size_and_theme_shows_the_four_panels(size: tuple[int, int], theme: str) -> None:
    async def go() -> None:
        async with shown(shop(), size, theme=theme) as (app, _pilot, _):
            text = screen_text(app)
            for panel in ("1 services 2", "2 assets 3", "3 tables 1", "4 traces 1"):
                assert panel in text
            assert "catalog" in text
            assert "gold/metrics" in text

    run(go())


def test_loading_empty_and_stale_are_told_apart() -> None:
    stale = replace(full(asset("a/b")), stale_since=1.0, reason="no answer for more than 5 s")
    never: Slice[TableView] = Slice(stale_since=1.0, reason="the catalog does not answer")
    state = shop(assets=stale, tables=never, traces=full(), services=Slice())

    async def go() -> None:
        async with shown(state, (160, 40)) as (app, _pilot, _):
            text = screen_text(app)
            assert "loading" in text
            assert "no trace has arrived yet" in text
            assert "stale since" in text
            assert "no answer for more than 5 s" in text
            assert "a/b" in text, "the last good items stay"
            assert "the catalog does not answer" in text

    run(go())


def test_markup_and_control_characters_are_inert() -> None:
    evil = "a/[red]x[/red]\x1b[31m\u202e\r\n"
    state = shop(
        assets=full(asset(evil, "failed", why=("[bold]no[/bold]",))),
        stack=replace(shop().stack, project="[blink]p\x1b]0;t\x07"),
    )

    async def go() -> None:
        async with shown(state, (160, 40)) as (app, pilot, backend):
            text = screen_text(app)
            assert "[red]x[/red]␛[31m" in text
            assert "\x1b" not in text
            assert "\u202e" not in text
            assert "[blink]p" in text
            backend.refuse = FloeError(Code.RUN_NOT_STARTED, "[red]no[/red]", why="[/]", fix="[x]")
            await pilot.press("r")
            await seen(app, pilot, "[red]no[/red]")

    run(go())


def test_wide_characters_keep_the_columns() -> None:
    state = shop(assets=full(asset("注文/売上明細データ" * 4), asset("plain/name")))

    async def go() -> None:
        async with shown(state, (80, 24)) as (app, _pilot, _):
            from rich.cells import cell_len

            strips = app.screen._compositor.render_strips(app.size)
            assert {cell_len("".join(segment.text for segment in strip)) for strip in strips} == {80}

    run(go())


def test_thousands_of_rows_and_the_cursor_stays_on_its_item() -> None:
    tables = [TableView(f"ns.t{number:05}", "table", number) for number in range(10_000)]

    async def go() -> None:
        async with shown(shop(tables=full(*tables))) as (app, pilot, backend):
            await pilot.press("3", "G")
            grid = app.screen.query_one("#tables", Grid)
            assert grid.current == tables[-1]
            assert "ns.t09999" in screen_text(app)
            backend.set(tables=full(TableView("aa.first", "table"), *tables))
            await settled(pilot)
            assert grid.current == tables[-1]
            assert "3 tables 10001" in screen_text(app)
            await pilot.press("slash", *"t0123 !t01239")
            await pilot.press("enter")
            assert [table.identifier for table in grid.items] == [f"ns.t0123{digit}" for digit in range(9)]
            await pilot.press("escape")
            assert len(grid.items) == 10_001

    run(go())


def test_the_filter_line_tells_how_it_is_left_and_is_gone_then() -> None:
    async def go() -> None:
        async with shown(shop(), (60, 24)) as (app, pilot, _):
            await pilot.press("slash", *"raw/")
            last = (await seen(app, pilot, "Keep the filter")).splitlines()[-1].strip()
            assert last == "Enter Keep the filter  Esc Drop it"
            await pilot.press("backspace", "enter")
            assert "· /raw" in await seen(app, pilot, "/ Find")
            await pilot.press("slash", *"x", "escape")
            assert "· /raw" not in await seen(app, pilot, "/ Find")
            # The window of the terminal is left and comes back: so does the line.
            await pilot.press("slash", "r")
            app.post_message(events.AppBlur())
            await settled(pilot)
            app.post_message(events.AppFocus())
            await settled(pilot)
            await pilot.press("a", "tab")
            text = await seen(app, pilot, "/ Find")
            assert "· /ra" in text
            assert "filter:" not in text
            await pilot.press("2", "escape")
            assert "2 assets 3" in await seen(app, pilot, "/ Find")

    run(go())


def test_a_terminal_too_small_says_so_and_comes_back() -> None:
    async def go() -> None:
        async with shown(shop(), (40, 10)) as (app, pilot, _):
            assert "too small" in screen_text(app)
            for width in (30, 200, 80, 20, 100):
                await pilot.resize_terminal(width, 30)
            await pilot.pause()
            assert "2 assets 3" in screen_text(app)
            assert "too small" not in screen_text(app)

    run(go())


def test_columns_share_the_width_that_is_drawn_not_the_one_before() -> None:
    async def go() -> None:
        async with shown(shop(), (80, 24)) as (app, pilot, _):
            grid = app.screen.query_one("#assets", Grid)
            narrow = grid.render_line(0).text
            assert "why" not in narrow
            await pilot.resize_terminal(200, 50)
            # A line drawn in the old width until the event of the new one has been handled.
            grid._shares(len(narrow))
            assert [word in grid.render_line(0).text for word in ("checks", "part.", "why")] == [True] * 3
            grid._shares(grid.size.width)
            await pilot.resize_terminal(80, 24)
            grid._shares(300)
            assert grid.render_line(0).text.rstrip().endswith("checks")

    run(go())


def test_the_stack_is_stopped_only_after_yes() -> None:
    async def go() -> None:
        async with shown(shop()) as (app, pilot, backend):
            await pilot.press("Q")
            assert "Stop the stack and leave?" in screen_text(app)
            await pilot.press("n", "Q", "y")
            await settled(pilot)
            assert backend.sent == [commands.StopStack()]
            assert app.return_value == "stopped"

    run(go())


def test_leaving_leaves_the_stack() -> None:
    async def go() -> None:
        async with shown(shop()) as (app, pilot, backend):
            await pilot.press("q")
            assert app.return_value == "left"
            assert backend.sent == []

    run(go())


def test_read_only_sends_nothing() -> None:
    async def go() -> None:
        async with shown(shop(), read_only=True) as (app, pilot, backend):
            await pilot.press("r", "Q", "R", "x", "S")
            await settled(pilot)
            assert backend.sent == []
            assert "read-only" in screen_text(app)

    run(go())


@pytest.mark.parametrize("read_only", [True, False])
def test_read_only_offers_nothing_that_changes_something(read_only: bool) -> None:
    async def go() -> None:
        async with shown(shop(), (120, 70), read_only=read_only) as (app, pilot, _):
            await settled(pilot)
            lines = screen_text(app).splitlines()
            await pilot.press("question_mark")
            texts = [lines[-1], await seen(app, pilot, "Keys of this screen")]
            assert ["Run it" in texts[0], "Stop the stack" in texts[1], "Materialize" in texts[1]] == [
                not read_only
            ] * 3
            assert "Leave" in texts[0]

    run(go())


def test_materialize_says_why_there_is_nothing_to_materialize() -> None:
    async def go(assets: Slice[AssetView], words: str) -> None:
        async with shown(shop(assets=assets)) as (app, pilot, backend):
            await pilot.press("2", "r")
            await seen(app, pilot, words)
            assert not backend.sent

    run(go(Slice(), "the assets are still loading"))
    run(go(full(), "select an asset first"))


def test_materialize_one_several_or_with_what_depends_on_it() -> None:
    async def go() -> None:
        async with shown(shop()) as (_app, pilot, backend):
            await pilot.press("r", "enter")
            await settled(pilot)
            await pilot.press("r", "down", "enter")
            await settled(pilot)
            await pilot.press("space", "down", "space", "r")
            await settled(pilot)
            assert backend.sent == [
                commands.Materialize(("bronze/raw",)),
                commands.Materialize(("bronze/raw", "gold/metrics", "silver/orders")),
                commands.Materialize(("bronze/raw", "silver/orders")),
            ]
            assert closure(backend.state, "gold/metrics", up=True) == ("bronze/raw", "gold/metrics", "silver/orders")

    run(go())


def test_keys_typed_ahead_reach_the_dialog_and_the_run_that_is_new() -> None:
    """`r Enter u` in one go, as a fast hand or a paste of keys sends them: the run of before is not what is meant."""
    new = RunView("n1" * 16, "assets", "started", 9.0, 9.0, assets=("bronze/raw",))

    async def go() -> None:
        async with shown(shop()) as (app, pilot, backend):
            for key in ("r", "enter", "u"):
                app.post_message(events.Key(key, None))
            await seen(app, pilot, "its run is opened as soon as Dagster has it")
            assert backend.sent == [commands.Materialize(("bronze/raw",))]
            backend.set(runs=full(new, *backend.state.runs.items))
            await seen(app, pilot, "> run n1n1n1n1")
            await pilot.press("escape", "u")
            await seen(app, pilot, "> run n1n1n1n1")

    run(go())


def test_a_key_right_behind_a_filter_is_for_the_list() -> None:
    async def go() -> None:
        async with shown(shop()) as (app, pilot, _):
            for character in ("/", *"raw", "\r", "u"):
                key = {"/": "slash", "\r": "enter"}.get(character, character)
                app.post_message(events.Key(key, character))
            await seen(app, pilot, "> run r1r1r1r1")

    run(go())


@pytest.mark.parametrize("gone_by", ["u", "another way", "its end"])
def test_nobody_is_told_to_press_u_once_it_was_pressed_or_the_run_is_over(gone_by: str) -> None:
    new = RunView("n1" * 16, "assets", "started", 9.0, 9.0, assets=("bronze/raw",))
    notice = "done: press u to watch it"

    async def go() -> None:
        async with shown(shop()) as (app, pilot, backend):
            await pilot.press("r", "enter")
            await seen(app, pilot, notice)
            backend.set(runs=full(new))
            await settled(pilot)
            if gone_by == "its end":
                backend.set(runs=full(replace(new, status="success", ended_at=10.0)))
                text = await seen(app, pilot, "the run of bronze/raw is done")
            else:
                await pilot.press(*("u" if gone_by == "u" else ("5", "enter")))
                text = await seen(app, pilot, "> run n1n1n1n1")
                await pilot.press("escape")
                text += await seen(app, pilot, "bronze/raw")
            assert notice not in text

    run(go())


def test_a_partitioned_asset_asks_for_one_several_or_all_of_a_kind() -> None:
    state = shop(assets=full(asset("bronze/daily", "missing", partitioned=True, partitions_total=3)))
    key = ("bronze/daily",)

    async def go() -> None:
        async with shown(state) as (app, pilot, backend):
            backend.partitions = (("2026-01-03", "missing"), ("2026-01-02", "missing"), ("2026-01-01", "fresh"))
            await pilot.press("r")
            text = await seen(app, pilot, "all 2 missing")
            assert "2026-01-02 … 2026-01-03" in text
            await pilot.press("enter", "r")
            await seen(app, pilot, "all 2 missing")
            await pilot.press("slash", *"01-03", "enter", "end", "enter", "r")
            await seen(app, pilot, "all 2 missing")
            await pilot.press("end", "space", "up", "space", "enter")
            await pilot.press("2", "enter", "4")
            await seen(app, pilot, "2026-01-03")
            await pilot.press("down", "r")
            await settled(pilot)
            assert backend.sent == [
                commands.Backfill(key, ("2026-01-02", "2026-01-03")),
                commands.Materialize(key, "2026-01-03"),
                commands.Backfill(key, ("2026-01-02", "2026-01-01")),
                commands.Materialize(key, "2026-01-02"),
            ]

    run(go())


@pytest.mark.parametrize("key", ["r", "t"])
def test_what_is_found_after_the_user_has_gone_elsewhere_opens_nothing(key: str) -> None:
    class Slow(FakeBackend):
        def asset(self, key: str) -> AssetDetail:
            self.hold.wait()
            return AssetDetail(key, partitions=(("2026-01-01", "missing"),))

        def trace_of_run(self, run_id: str) -> str | None:
            self.hold.wait()
            return "cd" * 16

    async def go() -> None:
        daily = asset("bronze/daily", "missing", partitioned=True, partitions_total=1, last_run="r7" * 16)
        backend = Slow(shop(assets=full(daily)))
        backend.hold.clear()
        app = DashboardApp(backend)
        async with app.run_test(size=(120, 36)) as pilot:
            await pilot.press(key, "5")
            await seen(app, pilot, "> runs")
            backend.hold.set()
            await settled(pilot)
            await settled(pilot)
            assert [type(screen) for screen in app.screen_stack[1:]] == [ListScreen]
            await pilot.press("escape", key)
            await seen(app, pilot, "Which partitions of bronze/daily?" if key == "r" else "> trace cdcdcdcd")

    run(go())


def test_a_failed_run_is_told_and_shows_why() -> None:
    going = RunView("r9" * 16, "assets", "started", 1.0, 1.0, assets=("silver/orders",))

    async def go() -> None:
        async with shown(shop(runs=full(going))) as (app, pilot, backend):
            backend.set(runs=full(replace(going, status="failure", ended_at=2.0)))
            await seen(app, pilot, "the run of silver/orders failed")
            await pilot.press("5", "enter")
            await seen(app, pilot, "Binder Error: column [red]totl[/red] not found")
            assert isinstance(app.screen, RunScreen)
            await pilot.press("R")
            await settled(pilot)
            assert backend.sent == [commands.Retry("r9" * 16)]

    run(go())


def test_a_run_that_is_watched_is_told_by_its_own_screen_alone() -> None:
    going = RunView("r9" * 16, "assets", "started", 1.0, 1.0, assets=("silver/orders",))

    async def go() -> None:
        async with shown(shop(runs=full(going))) as (app, pilot, backend):
            heard: list[int] = []
            app.bell = lambda: heard.append(1)  # type: ignore[method-assign]
            app.open_run(going.run_id)
            await seen(app, pilot, "2 shows why")
            backend.set(runs=full(replace(going, status="failure", ended_at=2.0)))
            give_up = time.monotonic() + 60
            while not heard and time.monotonic() < give_up:
                await pilot.pause(0.05)
            assert heard
            await settled(pilot)
            assert "press ! to see why" not in screen_text(app)

    run(go())


def test_an_asset_that_failed_tells_why_on_its_own_screen() -> None:
    failed = RunView("r9" * 16, "assets", "failure", 1.0, 1.0, 2.0, assets=("silver/orders",))
    orders = asset("silver/orders", "failed", why=("has a new code version",), last_run=failed.run_id)

    async def go() -> None:
        async with shown(shop(assets=full(orders), runs=full(failed)), (80, 24)) as (app, pilot, backend):
            await pilot.press("enter")
            text = await seen(app, pilot, "failed      Binder Error: column [red]totl[/red] not found")
            assert "u shows its run   R tries it again" in text
            await pilot.press("R")
            await settled(pilot)
            assert backend.sent == [commands.Retry(failed.run_id)]
            backend.set(assets=full(replace(orders, state="fresh", why=())))
            await seen(app, pilot, "● fresh")
            assert "Binder Error" not in screen_text(app)

    run(go())


def test_the_terminal_rings_for_a_failure_and_only_where_wanted() -> None:
    going = RunView("r9" * 16, "assets", "started", 1.0, 1.0, assets=("silver/orders",))

    async def rings(status: str, notify_by: str) -> int:
        async with shown(shop(runs=full(going)), notify_by=notify_by) as (app, pilot, backend):
            heard: list[int] = []
            app.bell = lambda: heard.append(1)  # type: ignore[method-assign]
            backend.set(runs=full(replace(going, status=status, ended_at=2.0)))
            await seen(app, pilot, "the run of silver/orders")
            return len(heard)

    assert run(rings("failure", "bell")) == 1
    assert run(rings("success", "bell")) == 0
    assert run(rings("failure", "off")) == 0


async def found(pilot: Pilot[str], app: DashboardApp, text: str, *, on_top: bool = True) -> None:
    """Until the palette has ended its search, with this on top, or anywhere in it."""
    give_up = time.monotonic() + 60
    while True:
        options = app.screen.query_one(CommandList)
        hits = [one for one in options.options if isinstance(one, Command)]
        texts = [str(one.hit.text or "") for one in hits]
        if options.highlighted is not None and any(text in one for one in texts[: 1 if on_top else None]):
            return
        assert time.monotonic() < give_up, screen_text(app)
        await pilot.pause(0.1)


def test_the_palette_finds_things_and_actions_by_name() -> None:
    async def go() -> None:
        async with shown(shop()) as (app, pilot, _):
            await pilot.press("ctrl+p", *"silver")
            await found(pilot, app, "silver/orders")
            await pilot.press("enter")
            await seen(app, pilot, "> silver/orders")
            await pilot.press("escape", "ctrl+p", *"lineage")
            await found(pilot, app, "Lineage")
            await pilot.press("enter")
            await seen(app, pilot, "> lineage")

    run(go())


def test_a_name_with_brackets_is_no_markup_in_the_palette() -> None:
    async def go() -> None:
        async with shown(shop(assets=full(asset("a/[red]x[/blue]", "failed")))) as (app, pilot, _):
            await pilot.press("ctrl+p")
            await found(pilot, app, "a/[red]x[/blue] (failed)", on_top=False)
            await pilot.press(*"red", "right_square_bracket", "x")
            await found(pilot, app, "a/[red]x[/blue]")
            await pilot.press("enter")
            await seen(app, pilot, "> a/[red]x[/blue]")

    run(go())


def test_what_is_chosen_in_the_palette_over_a_dialog_closes_the_dialog() -> None:
    async def go() -> None:
        for key in ("question_mark", "Q"):
            async with shown(shop()) as (app, pilot, backend):
                await pilot.press(key, "ctrl+p", *"silver")
                await found(pilot, app, "silver/orders")
                await pilot.press("enter")
                await seen(app, pilot, "> silver/orders")
                assert [type(screen) for screen in app.screen_stack[1:]] == [AssetScreen]
                # What the screen below can do is offered, not what the help can.
                await pilot.press(key, "ctrl+p", *"materialize")
                await found(pilot, app, "Materialize it")
                await pilot.press("enter")
                await seen(app, pilot, "with upstream (2)")
                assert [type(screen) for screen in app.screen_stack[1:]] == [AssetScreen, ChoiceScreen]
                assert backend.sent == []

    run(go())


def test_the_join_walks_from_asset_to_run_to_trace_to_table_and_back() -> None:
    async def go() -> None:
        async with shown(shop()) as (app, pilot, _):
            await pilot.press("u")
            await settled(pilot)
            await pilot.press("t")
            await pilot.press("s")
            await seen(app, pilot, "nobody wrote to it yet")
            await pilot.press("1")
            text = await seen(app, pilot, "␛[31mred")
            assert [type(screen) for screen in app.screen_stack[1:]] == [RunScreen, TraceScreen, TableScreen]
            assert "run r1r1r1r1 > trace abababab > bronze.raw" in text
            await pilot.press("escape", "escape", "escape")
            assert "2 assets 3" in screen_text(app)

    run(go())


def test_the_trace_of_a_run_that_goes_on_is_its_own_and_grows() -> None:
    """The table that it makes still has the snapshot, and the trace, of the run before."""
    new = "cd" * 16
    going = RunView("r3" * 16, "assets", "started", time.time(), time.time(), assets=("bronze/raw",))
    first = Span(trace_id=new, span_id="1", parent_id=None, name="write files", start_ns=0, end_ns=10**6)
    second = Span(trace_id=new, span_id="2", parent_id=None, name="commit it", start_ns=0, end_ns=10**6)
    summary = TraceSummary(trace_id=new, name="run", start_ns=0, end_ns=10**6, spans=1, run_id=going.run_id)

    class Going(FakeBackend):
        def run(self, run_id: str) -> RunDetail:
            steps = (StepView("bronze/raw", "running", time.time()),)
            return RunDetail(run_id, "started", "assets", time.time(), None, steps, tags=(("floe/trace_id", new),))

    async def go() -> None:
        backend = Going(shop(runs=full(going)))
        app = DashboardApp(backend)
        async with app.run_test(size=(120, 36)) as pilot:
            app.open_run(going.run_id)
            await seen(app, pilot, "◌ running")
            await pilot.press("t")
            await seen(app, pilot, f"trace {new[:8]}")
            await seen(app, pilot, "nothing of it is here yet")
            backend.found_trace = Trace(summary=summary, spans=(first,))
            backend.set(traces=full(summary))
            await seen(app, pilot, "write files")
            summary_now = summary.model_copy(update={"spans": 2})
            backend.found_trace = Trace(summary=summary_now, spans=(first, second))
            backend.set(traces=full(summary_now))
            await seen(app, pilot, "commit it")

    run(go())


def test_a_large_trace_is_left_out_of_garbage_collection_only_while_it_is_open() -> None:
    """A look for garbage among its spans made a key wait; what is never looked at again would never be given back."""
    summary = TraceSummary(trace_id="ef" * 16, name="run", start_ns=0, end_ns=10**9, spans=20_000)

    def spans_looked_at() -> int:
        return sum(type(one) is Span for one in gc.get_objects())

    async def go() -> None:
        async with shown(shop()) as (app, pilot, backend):
            before = spans_looked_at()
            backend.found_trace = Trace(
                summary=summary,
                spans=tuple(
                    Span(trace_id="ef" * 16, span_id=str(n), parent_id=None, name=f"s{n}", start_ns=n, end_ns=n + 1)
                    for n in range(20_000)
                ),
            )
            app.push_screen(TraceScreen(summary.trace_id))
            await seen(app, pilot, "s12")
            assert spans_looked_at() <= before
            screen = weakref.ref(app.screen)
            await pilot.press("escape")
            await settled(pilot)
            backend.found_trace = None
            app._tick()
            assert screen() is None

    run(go())
    gc.unfreeze()


def test_an_asset_has_the_columns_of_its_table_and_the_runs_that_failed() -> None:
    failed = RunView("f1" * 16, "assets", "failure", time.time() - 9, time.time() - 9, assets=("bronze/raw",))

    class Described(FakeBackend):
        def asset(self, key: str) -> AssetDetail:
            return AssetDetail(key, columns=(ColumnView("id", "?", note="the key"),))

        def table(self, identifier: str) -> TableDetail:
            columns = (ColumnView("id", "long", required=True), ColumnView("total", "decimal(12, 2)"))
            return TableDetail(identifier, "table", "file:///w", "u", 2, columns)

    async def go() -> None:
        app = DashboardApp(Described(shop(runs=full(failed))))
        async with app.run_test(size=(120, 36)) as pilot:
            app.open_asset("bronze/raw")
            await pilot.press("5")
            await seen(app, pilot, "decimal(12, 2)")
            assert [word in screen_text(app) for word in ("long", "not null", "the key")] == [True] * 3
            await pilot.press("3")
            await seen(app, pilot, "✗ failed")
            assert "f1f1f1f1" in screen_text(app)

    run(go())


def test_columns_that_the_catalog_does_not_tell_are_not_said_to_be_unknown() -> None:
    class Silent(FakeBackend):
        def table(self, identifier: str) -> TableDetail:
            raise FloeError(Code.CATALOG_REFUSED, "the catalog does not answer")

    async def go() -> None:
        app = DashboardApp(Silent(shop()))
        async with app.run_test(size=(120, 36)) as pilot:
            app.open_asset("bronze/raw")
            await pilot.press("5")
            await seen(app, pilot, "✗ the catalog does not answer")

    run(go())


def test_a_change_of_focus_draws_two_panels_at_once_and_not_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key between panels is the dearest one: see P8 in docs/benchmarks.md."""
    drawn: list[str] = []
    whole, part = Compositor.render_full_update, Compositor.render_partial_update

    def render_full_update(compositor: Compositor, *arguments: Any, **more: Any) -> Any:
        drawn.append("the screen")
        return whole(compositor, *arguments, **more)

    def render_partial_update(compositor: Compositor) -> Any:
        drawn.append("a part")
        return part(compositor)

    monkeypatch.setattr(Compositor, "render_full_update", render_full_update)
    monkeypatch.setattr(Compositor, "render_partial_update", render_partial_update)
    many = full(*(asset(f"a/a{n:03}") for n in range(200)))

    async def go() -> None:
        async with shown(shop(assets=many), (200, 50)) as (app, pilot, _):
            await pilot.press("1")
            await settled(pilot)
            drawn.clear()
            await pilot.press("2")
            await settled(pilot)
            assert app.screen.query_one("#assets", Grid).has_focus
            # Not twice: the scroll bar of the assets is the same.
            assert drawn == ["a part"]

    run(go())


def test_a_grid_that_hears_late_that_it_was_hidden_keeps_the_focus() -> None:
    """As that of a tab does on a busy machine, where the tab is shown again by then."""

    async def go() -> None:
        async with shown(shop()) as (app, pilot, _):
            await pilot.press("2")
            grid = app.screen.query_one("#assets", Grid)
            assert grid.has_focus
            grid.post_message(events.Hide())
            await settled(pilot)
            assert grid.has_focus
            grid.display = False
            await settled(pilot)
            assert not grid.has_focus

    run(go())


def test_where_one_is_stands_in_the_breadcrumbs_before_how_one_came_there() -> None:
    async def go() -> None:
        async with shown(shop(), (80, 24)) as (app, pilot, _):
            for table in ("silver.a_table_with_a_name", "silver.another_table", "gold.the_one_on_the_screen"):
                app.push_screen(TableScreen(table))
                await pilot.pause()
            await seen(app, pilot, "> gold.the_one_on_the_screen")
            assert "… > silver.another_table > gold" in screen_text(app)

    run(go())


def test_the_mouse_selects_opens_and_presses_keys() -> None:
    async def go() -> None:
        async with shown(shop()) as (app, pilot, _):
            grid = app.screen.query_one("#assets", Grid)
            await pilot.click("#assets", offset=(8, 4))
            assert grid.current is not None
            assert grid.current.key == "gold/metrics"
            await pilot.click("#assets", offset=(8, 4), times=2)
            await settled(pilot)
            assert "> gold/metrics" in screen_text(app)
            line = screen_text(app).splitlines()[-1]
            await pilot.click("KeyLine", offset=(line.index("? Help"), 0))
            await seen(app, pilot, "Keys of this screen")

    run(go())


def test_a_click_into_a_small_panel_is_on_the_row_that_was_seen_there() -> None:
    tables = full(*(TableView(f"silver.t{n}", "table", n, 1, 1, 1, n, "append", 1.0, "r1" * 16) for n in range(9)))

    async def go() -> None:
        async with shown(shop(tables=tables), (80, 24)) as (app, pilot, _):
            grid = app.screen.query_one("#tables", Grid)
            for times, crumb in ((1, ""), (2, "> silver.t1")):
                row = next(y for y, line in enumerate(screen_text(app).splitlines()) if "silver.t1" in line)
                await pilot.click(offset=(8, row), times=times)
                await settled(pilot)
                assert grid.current is not None
                assert grid.current.identifier == "silver.t1"
                assert crumb in screen_text(app)
                await pilot.press("escape", "2")
                await settled(pilot)
                grid.select("silver.t0")
                await settled(pilot)

    run(go())


def test_help_names_the_keys_of_the_screen_and_remapped_ones_work() -> None:
    async def go() -> None:
        async with shown(shop(), keys={"help": "f1"}) as (app, pilot, _):
            await pilot.press("f1")
            await pilot.pause()
            text = screen_text(app)
            assert "Keys of this screen" in text
            assert "Leave" in text
            await pilot.press("escape", "enter", "f1")
            assert "1-7                    The tab of that number" in await seen(app, pilot, "Next tab")
            assert "Tab 1" not in screen_text(app)

    run(go())


def test_sql_that_fails_says_so_in_the_colours_of_the_theme() -> None:
    async def go() -> None:
        async with shown(shop(), theme="mono") as (app, pilot, _):
            await pilot.press("colon", *"select", "enter")
            text = await seen(app, pilot, "Parser Error: near [bold]")
            assert "✗ failed" in text
            told = app.screen.query_one("#told")
            colours = {
                segment.style.color.name for segment in told.render_line(0) if segment.style and segment.style.color
            }
            assert colours == {"#ffffff"}

    run(go())


def test_a_log_is_followed_and_a_long_line_does_not_hurt() -> None:
    async def go() -> None:
        async with shown(shop(), (80, 24)) as (app, pilot, backend):
            backend.lines = ("first", "x" * 1_000_000, "ERROR [red]\x1b[2J")
            await pilot.press("1", "enter")
            await seen(app, pilot, "ERROR")
            assert isinstance(app.screen, ServiceScreen)
            backend.lines = tuple(f"line {number}" for number in range(500))
            await seen(app, pilot, "line 499")
            await pilot.press("g")
            assert "first" in screen_text(app)
            assert "ERROR [red]␛[2J" in screen_text(app)
            await pilot.press("G")
            backend.lines = ("the newest",)
            await seen(app, pilot, "the newest")

    run(go())


def test_what_is_typed_into_a_filter_that_is_opened_again_is_no_command() -> None:
    """However the keys arrive: all at once, or a few while those before them still wait for their turn."""

    def types(app: DashboardApp, *keys: str) -> None:
        for key in keys:
            app.post_message(events.Key(key, "/" if key == "slash" else key if len(key) == 1 else None))

    async def go() -> None:
        async with shown(shop()) as (app, pilot, backend):
            await pilot.press("2")
            grid = app.screen.query_one("#assets", Grid)
            for gap in (0, 0.001, 0.005, 0.01, 0.02, 0.05):
                types(app, "slash", *"metrics", "escape")
                await asyncio.sleep(gap)
                types(app, "slash", *"raw", "enter")
                give_up = time.monotonic() + 60
                while grid.filter_text != "raw" or not grid.has_focus:
                    assert time.monotonic() < give_up, f"with {gap} s between: {grid.filter_text!r}"
                    await asyncio.sleep(0.05)
                grid.set_filter("")
            assert not backend.sent

    run(go())


def test_the_log_of_a_run_is_followed_while_it_goes_on() -> None:
    class Going(FakeBackend):
        events = 40

        def run(self, run_id: str) -> RunDetail:
            log = tuple(LogLine(time.time(), "info", f"event {number}") for number in range(self.events))
            return RunDetail(run_id, "started", "assets", time.time(), None, log=log)

    async def go() -> None:
        backend = Going(shop())
        app = DashboardApp(backend)
        async with app.run_test(size=(80, 24)) as pilot:
            await app.push_screen(RunScreen("1" * 36))
            await pilot.press("3")
            await seen(app, pilot, "event 39")
            backend.events = 80
            await seen(app, pilot, "event 79")
            await pilot.press("k")
            backend.events = 120
            log = app.screen.query_one("#log", Grid)
            while log.total < backend.events:
                await pilot.pause(0.1)
            assert "event 119" not in screen_text(app)

    run(go())


def test_a_log_that_cannot_be_read_says_why_and_a_slow_source_is_asked_once_at_a_time() -> None:
    class Unreadable(FakeBackend):
        asked = 0

        def log(self, service: str, position: int | None = None) -> LogChunk:
            self.asked += 1
            self.hold.wait()
            raise PermissionError(13, "Permission denied", service)

    async def go() -> None:
        backend = Unreadable(shop())
        backend.hold.clear()
        app = DashboardApp(backend)
        async with app.run_test(size=(100, 30)) as pilot:
            await pilot.press("1", "enter")
            await asyncio.sleep(1.2)
            assert backend.asked == 1
            backend.hold.set()
            await seen(app, pilot, "✗ PermissionError: [Errno 13] Permission denied")

    run(go())


def test_only_the_container_that_is_looked_at_is_measured_and_its_last_end_is_told() -> None:
    async def go() -> None:
        state = shop()
        box = ServiceView(
            ServiceStatus(
                name="box",
                state=ServiceState.READY,
                container="floe-shop-box",
                restarts=2,
                last_end="ran out of memory",
            )
        )
        async with shown(replace(state, services=full(box)), (240, 36)) as (app, pilot, backend):
            await seen(app, pilot, "2 restarts: ran out")
            assert backend.measured == 0
            await pilot.press("1", "enter")
            await seen(app, pilot, "floe-shop-box, 117.3 MiB, 7 % cpu")
            assert "2, the last time it ran out of memory" in screen_text(app)
            measured = backend.measured
            await pilot.press("escape")
            await asyncio.sleep(2.5)
            assert backend.measured == measured

    run(go())


def test_a_line_of_a_log_has_the_colour_of_its_level() -> None:
    cell = LINES[0].cell
    for line, tone in (
        ("2026-01-01 INFO uvicorn.error Started", ""),
        ("2026-01-01 ERROR uvicorn.access it broke", "bad"),
        ("dagster - WARNING - ERROR follows", "warn"),
        ("Traceback (most recent call last):", "bad"),
        ("ValueError: no", "bad"),
        ("error: no queue", "bad"),
        ("the errors of yesterday", ""),
    ):
        assert cell((0, line)) == (line, tone)


def test_a_line_of_a_log_has_no_colours_of_its_own_and_is_read_whole() -> None:
    async def go() -> None:
        async with shown(shop(), (80, 24)) as (app, pilot, backend):
            backend.lines = ("\x1b[32m2026-01-01\x1b[0m WARNING " + "word " * 40 + "the end", "\x1b[2Jplain")
            await pilot.press("1", "enter")
            text = await seen(app, pilot, "2026-01-01 WARNING")
            assert "the end" not in text
            assert "␛[2Jplain" in text, "whatever is no colour stays visible"
            await pilot.press("up", "enter")
            await seen(app, pilot, "the end")
            await pilot.press("y")
            await settled(pilot)
            assert app.clipboard.endswith("the end")

    run(go())


def test_a_start_that_fails_shows_the_reason_and_its_fix() -> None:
    state = State(stack=replace(shop().stack, phase="down", urls={}))

    async def go() -> None:
        async with shown(state, start=commands.StartStack()) as (_app, pilot, backend):
            await settled(pilot)
            assert backend.sent == [commands.StartStack(), commands.FirstRun()]
        backend = FakeBackend(state)
        backend.refuse = FloeError(
            Code.SERVICE_FAILED, "`catalog` ended", why="exit status 1", detail=("port 8181: [red]",), fix="floe logs"
        )
        failing = DashboardApp(backend, start=commands.StartStack())
        async with failing.run_test(size=(100, 30)) as pilot:
            await settled(pilot)
            text = screen_text(failing)
            for words in ("`catalog` ended", "exit status 1", "port 8181: [red]", "floe logs"):
                assert words in text

    run(go())


DOWN = State(stack=replace(shop().stack, phase="down", urls={}))
COMING = State(stack=replace(shop().stack, phase="starting", urls={}))
MINE = commands.StartStack("mine", first_run="never")


def test_the_start_offers_the_keys_that_are_of_use_there_and_the_way_out() -> None:
    async def go() -> None:
        backend = FakeBackend(DOWN)
        backend.hold.clear()
        app = DashboardApp(backend, start=MINE)
        async with app.run_test(size=(60, 20)) as pilot:
            last = (await seen(app, pilot, "> start")).splitlines()[-1].strip()
            assert last == "] Next tab  / Find  l Logs  ? Help  q Leave"
            await pilot.press("question_mark")
            text = await seen(app, pilot, "Keys of this screen")
            assert "Leave; the stack stays up" in text
            assert "Materialize" not in text
            backend.hold.set()

    run(go())


def test_a_start_that_is_not_looked_at_goes_on_and_is_asked_about_and_told() -> None:
    async def go() -> None:
        backend = FakeBackend(DOWN)
        backend.hold.clear()
        backend.refuse = FloeError(Code.SERVICE_FAILED, "`catalog` ended", fix="floe logs")
        app = DashboardApp(backend, start=MINE)
        async with app.run_test(size=(100, 30), notifications=True) as pilot:
            await seen(app, pilot, "> start")
            await pilot.press("escape", "q")
            await seen(app, pilot, "Stop the start and leave?")
            await pilot.press("n", "S")
            await seen(app, pilot, "> start")
            await pilot.press("escape")
            assert backend.sent == [MINE], "S shows the start that goes on, and begins no other"
            backend.hold.set()
            await seen(app, pilot, "`catalog` ended")
            backend.hold.clear()
            await pilot.press("S")
            await seen(app, pilot, "> start")
            await settled(pilot)
            assert backend.sent == [MINE, MINE], "the same is tried again"
            backend.refuse = None
            await pilot.press("question_mark")
            backend.hold.set()
            await settled(pilot)
            assert "Keys of this screen" in screen_text(app)
            await pilot.press("escape")
            await seen(app, pilot, "1 services")
            assert len(app.screen_stack) == 1, "the start has left by itself, also from below the help"

    run(go())


def test_a_start_that_was_begun_elsewhere_is_left_to_whoever_began_it() -> None:
    async def go() -> None:
        backend = FakeBackend(replace(COMING, stack=replace(COMING.stack, started_at=time.time() - 60)))
        backend.hold.clear()
        app = DashboardApp(backend, start=MINE)
        async with app.run_test(size=(100, 30)) as pilot:
            await seen(app, pilot, "> start")
            await pilot.press("q")
            await settled(pilot)
            assert app.return_value == "left"
            backend.hold.set()

    run(go())


def span(name: str, parent: str | None, start: int, end: int) -> Span:
    return Span(trace_id="ab" * 16, span_id=name, parent_id=parent, name=name, start_ns=start, end_ns=end)


def test_the_waterfall_marks_the_critical_path_and_folds() -> None:
    spans = (span("root", None, 0, 100), span("a", "root", 0, 40), span("b", "root", 5, 20), span("c", "root", 45, 99))
    trace = Trace(summary=TraceSummary(trace_id="ab" * 16, name="root", start_ns=0, end_ns=100, spans=4), spans=spans)
    assert critical_path(trace) == {"root", "a", "c"}
    assert [row.span.name for row in Waterfall(Shape(trace), set())] == ["root", "a", "b", "c"]
    assert [row.span.name for row in Waterfall(Shape(trace), {"root"})] == ["root"]


def test_a_trace_is_walked_beside_the_screen_and_once_however_often_it_is_folded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    walked: list[threading.Thread] = []

    class Walked(Shape):
        def __init__(self, trace: Trace) -> None:
            walked.append(threading.current_thread())
            super().__init__(trace)

    monkeypatch.setattr("floe_dev.tui.trace.Shape", Walked)
    summary = TraceSummary(trace_id="ab" * 16, name="root", start_ns=0, end_ns=100, spans=2)

    async def go() -> None:
        async with shown(shop()) as (app, pilot, backend):
            backend.found_trace = Trace(
                summary=summary, spans=(span("outer", None, 0, 99), span("inner", "outer", 0, 9))
            )
            await pilot.press("4", "enter")
            await seen(app, pilot, "inner")
            await pilot.press("space")
            assert "outer (1)" in await seen(app, pilot, "▸ outer")
            assert "inner" not in screen_text(app)
            await pilot.press("E")
            await seen(app, pilot, "inner")

    run(go())
    assert len(walked) == 1
    assert walked[0] is not threading.main_thread()


def test_inert_text_has_nothing_a_terminal_acts_on() -> None:
    assert inert("a\x1b[0m\x9b\u200fb\tc\x7f") == "a␛[0m��b    c␡"


@pytest.mark.parametrize("text_browser", [False, True])
def test_without_a_browser_the_address_is_copied(
    *, text_browser: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither is an address told as opened that was not, nor does a text browser draw over the dashboard."""
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    started = tmp_path / "started"
    if text_browser:
        lynx = tmp_path / "lynx"
        lynx.write_text(f"#!/bin/sh\ntouch {started}\n")
        lynx.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    # Python looks for browsers once.
    monkeypatch.setattr(webbrowser, "_tryorder", None)
    monkeypatch.setattr(webbrowser, "_browsers", {})

    async def go() -> None:
        state = shop(stack=replace(shop().stack, urls={"dagster": "http://127.0.0.1:3000"}))
        async with shown(state) as (app, pilot, _):
            await pilot.press("w")
            text = await seen(app, pilot, "no browser here: copied")
            assert "opened" not in text
            assert app.clipboard.startswith("http://127.0.0.1:3000/assets/")
            assert not started.exists()

    run(go())


def test_the_arrows_change_the_tab_and_nothing_but_the_list_has_the_focus() -> None:
    async def go() -> None:
        async with shown(shop(), (100, 30)) as (app, pilot, _):
            await pilot.press("enter")
            await seen(app, pilot, "1 lineage")
            for key, tab in (("right", "checks"), ("tab", "history"), ("left", "checks"), ("h", "lineage")):
                await pilot.press(key)
                await until_focused(app, pilot, tab)
            assert await pilot.click("#--content-tab-tab-metadata")
            await until_focused(app, pilot, "metadata")
            await pilot.press("question_mark")
            text = await seen(app, pilot, "Keys of this screen")
            assert "1-7 " in text, "it has seven tabs"
            assert "shift+r" not in text, "that is R"
            assert "This panel on the whole screen" not in text, "there are no panels"

    run(go())


async def until_focused(app: DashboardApp, pilot: Pilot[str], name: str) -> None:
    give_up = time.monotonic() + 60
    while app.focused is None or app.focused.id != name:
        assert time.monotonic() < give_up, f"{app.focused} has the focus, not {name}"
        await pilot.pause(0.05)


def test_a_value_that_is_longer_than_its_line_is_read_whole() -> None:
    class Long(FakeBackend):
        def environment(self, service: str) -> tuple[tuple[str, str], ...]:
            return (("  LONG", "a " * 100 + "ENDED"),)

    async def go() -> None:
        backend = Long(shop())
        app = DashboardApp(backend)
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await pilot.press("1", "enter", "2")
            assert "ENDED" not in await seen(app, pilot, "LONG")
            await pilot.press("enter")
            await seen(app, pilot, "a ENDED")
            await pilot.press("y")
            await seen(app, pilot, "copied")
            assert app.clipboard == "a " * 100 + "ENDED"

    run(go())


def test_an_automation_says_what_its_keys_do_now() -> None:
    def automation(**changes: Any) -> AutomationView:
        told = {"name": "one", "kind": "schedule", "state": "off", "when": "0 6 * * * Europe/Berlin", "target": "marts"}
        return AutomationView(**{**told, **changes})

    cases = (
        (automation(), "Space turns it on", "no tick yet: Space turns it on"),
        (automation(state="on"), "Space turns it off", "no tick yet"),
        (automation(kind="backfill", state="requested"), "x cancels it", "no partitions"),
        (automation(kind="backfill", state="canceled"), "", "no partitions"),
    )

    async def go() -> None:
        for one, keys, empty in cases:
            async with shown(shop(automations=full(one)), (120, 30)) as (app, pilot, _):
                await pilot.press("6", "enter")
                text = await seen(app, pilot, empty)
                assert keys in text
                assert ("Space turns it on" in text) is (one.state == "off")
                assert ("x cancels it" in text) is (one.state == "requested")
                await pilot.press("e")
                if one.kind == "schedule":
                    assert "r starts them" not in await seen(app, pilot, "nothing was started so far")

    run(go())


@pytest.mark.parametrize("theme", list(THEMES))
def test_every_tone_is_readable_also_under_the_cursor(theme: str) -> None:
    """As WCAG 2 counts contrast; it asks for 4.5 to 1."""

    async def go() -> dict[str, str]:
        async with shown(shop(), theme=theme) as (app, pilot, _):
            await pilot.pause()
            return app.theme_variables

    def light(colour: str) -> float:
        parts = [part / 255 for part in Color.parse(colour).rgb]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    found = run(go())
    for ground in ("surface", "primary-muted", "panel"):
        for tone in ("success", "accent", "warning", "error", "primary"):
            dark, bright = sorted((light(found[ground]), light(found[f"text-{tone}"])))
            ratio = (bright + 0.05) / (dark + 0.05)
            assert ratio >= 4.5, f"{tone} on {ground} has {ratio:.1f}"


def test_another_theme_leaves_no_colour_of_the_one_before() -> None:
    def coloured(app: DashboardApp) -> set[str]:
        lines = app.screen._compositor.render_strips(app.size)[:2]
        return {segment.style.color.name for line in lines for segment in line if segment.style and segment.style.color}

    async def go() -> None:
        async with shown(shop()) as (app, pilot, _):
            await pilot.press("u")
            await seen(app, pilot, "✗ failed")
            dark = coloured(app)
            await pilot.press("T")
            await settled(pilot)
            assert not dark & coloured(app)

    run(go())


@pytest.mark.parametrize("height", [15, 24])
def test_a_long_list_to_choose_from_leaves_its_keys_on_the_screen(height: int) -> None:
    state = shop(assets=full(asset("bronze/daily", partitioned=True)))

    async def go() -> None:
        async with shown(state, (80, height)) as (app, pilot, backend):
            backend.partitions = tuple((f"2025-01-{day:02}", "missing") for day in range(1, 31))
            await pilot.press("r")
            assert "all 30 missing" in await seen(app, pilot, "Space chooses several")
            await pilot.press("slash")
            await seen(app, pilot, "Space chooses several")

    run(go())


@pytest.mark.parametrize("read_only", [True, False])
def test_a_hint_names_no_key_that_read_only_refuses(read_only: bool) -> None:
    sensor = AutomationView("new", "sensor", "off", "every 30 s", "marts")

    async def go() -> None:
        async with shown(shop(automations=full(sensor)), read_only=read_only) as (app, pilot, _):
            await pilot.press("u")
            assert ("R tries again" in await seen(app, pilot, "2 shows why")) is not read_only
            await pilot.press("escape", "6", "enter")
            assert ("Space turns it on" in await seen(app, pilot, "e shows what")) is not read_only

    run(go())


def test_a_capsule_that_takes_its_time_is_told_as_being_written() -> None:
    async def go() -> None:
        async with shown(shop()) as (app, pilot, backend):
            backend.hold.clear()
            await pilot.press("C")
            await seen(app, pilot, "Write a failure capsule?")
            await pilot.press("y")
            try:
                await seen(app, pilot, "is being written")
            finally:
                backend.hold.set()

    run(go())


def test_the_cursor_is_seen_among_16_colours() -> None:
    """The look that is taken there without being asked for."""

    async def go() -> None:
        async with shown(shop(), theme="contrast") as (app, pilot, _):
            await pilot.pause()
            places = {
                name: RichColor.parse(app.theme_variables[name].lower()).downgrade(ColorSystem.STANDARD).number
                for name in ("primary-muted", "surface", "foreground", "text-error", "text-success")
            }
            assert len(set(places.values())) == len(places), places

    run(go())


def test_a_start_that_fails_at_once_shows_why_and_not_that_it_goes_on() -> None:
    async def go() -> None:
        down = shop(stack=replace(shop().stack, phase="down"), services=full())
        async with shown(down) as (app, pilot, backend):
            where = Where(Path("/shop/floe.yaml"), 4)
            backend.refuse = FloeError(Code.UNKNOWN_REFERENCE, "catalog `x` is not defined", where=where)
            await pilot.press("S")
            await seen(app, pilot, "at /shop/floe.yaml:4")
            await until_focused(app, pilot, "why")
            await settled(pilot)
            assert "at /shop/floe.yaml:4" in screen_text(app), "it stays there"
            await pilot.press("1")
            assert "the supervisor starts" not in await seen(app, pilot, "no part had begun")

    run(go())
