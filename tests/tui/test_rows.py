"""Rows of tables and queries: nothing is cut or left out without a sign."""

from __future__ import annotations

from dataclasses import replace

from floe_dev.model.details import Rows, SnapshotView, TableDetail
from floe_dev.tui.app import DashboardApp
from floe_dev.tui.rows import RowsGrid, row_columns
from tests.tui.fake import FakeBackend, shop
from tests.tui.screens import run, screen_text, seen

NUMBERED = Rows(
    ("id", "code", "name"),
    tuple((str(number), f"{number:05}", f"name of {number}") for number in range(1, 101)),
    0.1,
    truncated=True,
)
WIDE = Rows(tuple(f"column_{number}" for number in range(30)), (tuple(f"value {number}" for number in range(30)),), 0.1)


class Tables(FakeBackend):
    rows = NUMBERED

    def preview(self, identifier: str, limit: int = 100) -> Rows:
        return self.rows

    def difference(self, identifier: str, old: int | None, new: int, limit: int = 200) -> Rows:
        return replace(NUMBERED, columns=("change", "code", "name"))

    def query(self, sql: str, limit: int = 500) -> Rows:
        return Rows(("one",), (("1",),), 0.1) if sql == "select 1" else super().query(sql, limit)

    def table(self, identifier: str) -> TableDetail:
        snapshots = (
            SnapshotView(9003, 3, 30.0, "append", False, 12, 2, parent_id=9001),
            SnapshotView(9002, 2, 20.0, "append", False, 500, 490, parent_id=9001),
            SnapshotView(9001, 1, 10.0, "append", True, 10, 10, parent_id=9000),
        )
        return TableDetail(identifier, "table", "file:///w", "u", 2, snapshots=snapshots)


def test_a_column_is_as_wide_as_its_widest_value_and_figures_end_below_each_other() -> None:
    number, code, name = row_columns(NUMBERED)
    assert (number.width, number.right) == (3, True), "the hundredth row counts too"
    assert not code.right, "what begins with zeros is no figure"
    assert (name.width, name.right) == (11, False)
    (nothing,) = row_columns(Rows(("x",), (("∅",),), 0.1))
    assert not nothing.right
    (mixed,) = row_columns(Rows(("x",), (("-1.50",), ("∅",), ("1e+20",)), 0.1))
    assert mixed.right


def test_the_tab_says_that_these_are_the_first_rows_only() -> None:
    async def go() -> None:
        app = DashboardApp(Tables(shop()))
        async with app.run_test(size=(100, 30)) as pilot:
            await pilot.press("3", "enter")
            await seen(app, pilot, "1 first 100 rows")
            await pilot.press("end")
            assert "100 00100" in await seen(app, pilot, "name of 100")
            await pilot.press("2")
            await seen(app, pilot, "operation")
            await pilot.press("enter", "2")
            await seen(app, pilot, "2 first 100 rows")

    run(go())


def test_a_snapshot_is_compared_with_the_one_it_was_written_on() -> None:
    async def go() -> None:
        app = DashboardApp(Tables(shop()))
        async with app.run_test(size=(100, 30)) as pilot:
            await pilot.press("3", "enter", "2")
            await seen(app, pilot, "operation")
            await pilot.press("home", "enter")
            text = await seen(app, pilot, "written on  snapshot 1")
            assert "rows    10 → 12" in text
            await pilot.press("escape", "end", "enter")
            text = await seen(app, pilot, "written on  a snapshot that is not kept any more")
            assert "rows    ? → 10" in text
            await pilot.press("2")
            await seen(app, pilot, "2 rows")
            assert "name of" not in screen_text(app), "nobody knows which rows are new"
            await pilot.press("escape", "home", "b")
            text = await seen(app, pilot, "forward to snapshot 3")
            assert "newer snapshots" not in text

    run(go())


def test_columns_without_room_are_counted_and_a_row_is_shown_whole() -> None:
    class Wide(Tables):
        rows = WIDE

    async def go() -> None:
        app = DashboardApp(Wide(shop()))
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await pilot.press("3", "enter")
            text = await seen(app, pilot, "value 0")
            assert "column_29" not in text
            assert " +22 " in text
            await pilot.press("enter")
            text = await seen(app, pilot, "column_1   value 1")
            assert "y copies it" in text
            await pilot.press("y")
            text = await seen(app, pilot, "copied")
            assert "column_29  value 29" in app.clipboard

    run(go())


def test_sql_that_fails_leaves_no_rows_of_the_statement_before() -> None:
    async def go() -> None:
        app = DashboardApp(Tables(shop()))
        async with app.run_test(size=(100, 30)) as pilot:
            await pilot.press("colon", *"select 1", "enter")
            await seen(app, pilot, "1 row   0.10 s")
            await pilot.press(*" x", "enter")
            text = await seen(app, pilot, "✗ failed")
            assert not app.screen.query_one(RowsGrid).items
            assert "one" not in text

    run(go())
