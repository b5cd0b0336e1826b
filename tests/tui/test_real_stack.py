"""The real app, driven by keys, against a real embedded stack that it started itself: every screen and every action."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
import urllib.request
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import pytest
from textual.pilot import Pilot

from floe_dev.capsule.create import create, default_file
from floe_dev.catalogs.client import CatalogClient
from floe_dev.cli.naming import portable
from floe_dev.config.credentials import load_secrets
from floe_dev.dashboard import LocalBackend
from floe_dev.errors import Code, FloeError
from floe_dev.model.commands import Materialize, Rollback, StartStack
from floe_dev.orchestrators.dagster import instigators, monitor
from floe_dev.orchestrators.dagster.client import DagsterClient
from floe_dev.session import Session
from floe_dev.tui.app import DashboardApp
from floe_dev.tui.grid import Grid
from tests.tui.project import MODEL, make_project
from tests.tui.screens import run, screen_text, seen, settled
from tests.tui.terminal import Terminal

pytestmark = pytest.mark.stack
SIZE = (140, 40)


def write_capsule(session: Session, title: str) -> Path:
    return create(session, default_file(session.layout, "dashboard"), title=title)


@dataclass
class Stack:
    session: Session
    backend: LocalBackend

    @asynccontextmanager
    async def app(
        self, size: tuple[int, int] = SIZE, **options: object
    ) -> AsyncIterator[tuple[DashboardApp, Pilot[str]]]:
        """The dashboard on the running stack, on its overview, all panels filled."""
        to_copy = partial(portable, project=self.session.root)
        app = DashboardApp(self.backend, portable=to_copy, **options)  # type: ignore[arg-type]
        async with app.run_test(size=size, notifications=True) as pilot:
            await seen(app, pilot, "bronze/numbers")
            yield app, pilot


async def to_row(app: DashboardApp, pilot: Pilot[str], key: str, panel: str) -> None:
    """The cursor on the row of that key in that panel of the overview."""
    grid = app.screen.query_one(f"#{panel}", Grid)
    give_up = time.monotonic() + 60
    while not any(grid._key(item) == key for item in grid.items):
        assert time.monotonic() < give_up, f"{key} is not among {[grid._key(item) for item in grid.items]}"
        await pilot.pause(0.2)
    grid.focus()
    grid.select(key)
    await pilot.pause()


async def until(pilot: Pilot[str], true: object, what: str, seconds: float = 60.0) -> None:
    """Wait for something that is not on the screen."""
    give_up = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < give_up, what
        await pilot.pause(0.2)


def elsewhere(*_arguments: object, **_options: object) -> None:
    raise AssertionError("the process that shows the dashboard acts on the stack itself")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Started with the app's own start screen; its first run is over.

    Whatever is done here is done by the supervisor, so the calls that act fail in this process.
    """
    home = tmp_path_factory.mktemp("dashboard")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("FLOE_", "POLARIS_", "OTEL_", "OPENLINEAGE_"))]:
            patch.delenv(name)
        patch.setenv("XDG_STATE_HOME", str(home / "state"))
        patch.setattr(DagsterClient, "launch", elsewhere)
        patch.setattr(DagsterClient, "cancel", elsewhere)
        patch.setattr(CatalogClient, "roll_back", elsewhere)
        for owner, name in (
            (monitor, "retry"),
            (instigators, "switch"),
            (instigators, "launch_requests"),
            (instigators, "start_backfill"),
            (instigators, "cancel_backfill"),
        ):
            patch.setattr(owner, name, elsewhere)
        session = Session(make_project(home / "shop"))
        backend = LocalBackend(session, export=lambda title: write_capsule(session, title))
        backend.start()

        async def go() -> None:
            app = DashboardApp(backend, start=StartStack())
            async with app.run_test(size=SIZE) as pilot:
                await seen(app, pilot, "> start")
                text = await seen(app, pilot, "catalog")
                assert "start-up" in text
                assert "█" in await seen(app, pilot, "● ready", 90), "parts of the start have bars"
                await seen(app, pilot, "1 services 5", 120)
                # The first run was begun without asking; what it makes appears.
                await until(
                    pilot,
                    lambda: (
                        session.first_run_done()
                        and {one.state for one in backend.state.assets.items} == {"fresh"}
                        and all(one.over for one in backend.state.runs.items)
                    ),
                    "the first run does not end well",
                    150,
                )

        try:
            run(go())
            yield Stack(session, backend)
        finally:
            backend.stop()
            session.down()


def test_the_overview_shows_services_assets_tables_and_traces(stack: Stack) -> None:
    async def go() -> None:
        async with stack.app((200, 50)) as (app, pilot):
            text = await seen(app, pilot, "silver.totals")
            for words in ("dagster-webserver", "MiB", "gold/summary", "1/1", "3/3", "4 traces"):
                assert words in text, words
            await seen(app, pilot, "run of")

    run(go())


def test_an_asset_has_lineage_checks_runs_partitions_columns_and_metadata(stack: Stack) -> None:
    async def go() -> None:
        async with stack.app() as (app, pilot):
            await to_row(app, pilot, "silver/totals", "assets")
            await pilot.press("enter")
            text = await seen(app, pilot, "upstream")
            assert "bronze/numbers" in text
            assert "gold/summary" in text
            await pilot.press("2")
            assert "✓ pass" in await seen(app, pilot, "unique")
            await pilot.press("3")
            run_id = stack.backend.asset("silver/totals").history[0].run_id
            await seen(app, pilot, run_id[:8])
            await pilot.press("6")
            await seen(app, pilot, "dagster/table_name")
            assert "unserializable" not in screen_text(app)
            await pilot.press("escape")
            await to_row(app, pilot, "bronze/daily", "assets")
            await pilot.press("enter", "4")
            text = await seen(app, pilot, "2025-01-03")
            assert "● fresh" in text

    run(go())


def test_a_table_has_rows_snapshots_schema_files_and_properties(stack: Stack) -> None:
    async def go() -> None:
        async with stack.app() as (app, pilot):
            await to_row(app, pilot, "bronze.daily", "tables")
            await pilot.press("enter")
            assert "2025-01-02" in await seen(app, pilot, "visits")
            for key, words in (("2", "operation"), ("3", "date"), ("4", "schema 0"), ("5", ".parquet")):
                await pilot.press(key)
                await seen(app, pilot, words)
            await pilot.press("6")
            await seen(app, pilot, "files")
            await pilot.press("7")
            await seen(app, pilot, "no properties")

    run(go())


def test_the_join_is_one_key_and_escape_goes_back(stack: Stack) -> None:
    async def go() -> None:
        async with stack.app() as (app, pilot):
            await to_row(app, pilot, "silver/totals", "assets")
            await pilot.press("u")
            await seen(app, pilot, "steps")
            await seen(app, pilot, "silver/totals")
            await pilot.press("t")
            text = await seen(app, pilot, "commit silver.totals")
            assert "█ critical path" in text
            await to_span(app, pilot, "commit silver.totals")
            await pilot.press("s")
            text = await seen(app, pilot, "operation")
            assert "> silver.totals" in text
            await pilot.press("enter")
            assert "added" in await seen(app, pilot, "difference")
            await pilot.press("a")
            text = await seen(app, pilot, "upstream")
            for crumb in ("> run ", "> trace ", "> silver.totals", "> snapshot ", "> silver/totals"):
                assert crumb in text
            await pilot.press(*["escape"] * 5)
            await seen(app, pilot, "1 services")

    run(go())


async def to_span(app: DashboardApp, pilot: Pilot[str], name: str) -> None:
    grid = app.screen.query_one("#spans", Grid)
    found = next(item for item in grid.items if item.span.name == name)
    grid.select(found.span.span_id)
    await pilot.pause()


def test_a_trace_folds_and_shows_attributes_and_logs(stack: Stack) -> None:
    async def go() -> None:
        async with stack.app() as (app, pilot):
            await to_row(app, pilot, "silver/totals", "assets")
            await pilot.press("t")
            await seen(app, pilot, "model totals")
            await pilot.press("home", "space")
            await pilot.pause()
            assert "model totals" not in screen_text(app)
            await pilot.press("space")
            await to_span(app, pilot, "commit silver.totals")
            await pilot.press("enter")
            await seen(app, pilot, "silver.totals")
            assert "resource service.name" in await seen(app, pilot, "resource")
            await pilot.press("l")
            await settled(pilot)
            assert app.screen.query_one("#log", Grid).has_focus

    run(go())


def test_lineage_shows_what_is_made_from_what(stack: Stack) -> None:
    async def go() -> None:
        async with stack.app() as (app, pilot):
            await pilot.press("7")
            text = await seen(app, pilot, "└─ silver/totals")
            assert "└─ gold/summary" in text

    run(go())


def test_a_service_has_its_log_its_environment_without_secrets_and_is_restarted(stack: Stack) -> None:
    secrets = load_secrets(stack.session.layout)
    assert secrets is not None
    hidden = [secrets.telemetry_token, *(one.client_secret for one in secrets.principals.values())]

    async def go() -> None:
        async with stack.app() as (app, pilot):
            await to_row(app, pilot, "dagster-daemon", "services")
            await pilot.press("enter")
            assert "pid" in await seen(app, pilot, "endpoint")
            await pilot.press("2")
            await seen(app, pilot, "clients of the stack")
            grid = app.screen.query_one("#environment", Grid)
            shown = dict(grid.items)
            assert shown["  DAGSTER_HOME"].endswith("dagster")
            assert shown["  POLARIS_CLIENT_SECRET"] == "••••••••"
            everything = "\n".join(f"{name}={value}" for name, value in grid.items)
            assert not [one for one in hidden if one.get_secret_value() in everything]
            await pilot.press("R")
            await seen(app, pilot, "Restart dagster-daemon?")
            await pilot.press("y")
            await seen(app, pilot, "dagster-daemon was restarted")

    run(go())


def test_the_path_of_a_change_takes_under_ten_keys_a_step(stack: Stack) -> None:
    """Materialize, watch, trace, snapshot, rows: the keys of each step are counted."""

    async def go() -> None:
        async with stack.app() as (app, pilot):
            before = {one.run_id for one in stack.backend.state.runs.items}
            await pilot.press("slash", *"totals", "enter")
            await pilot.press("r", "enter")
            await until(
                pilot, lambda: {one.run_id for one in stack.backend.state.runs.items} - before, "no run began", 30
            )
            (new,) = {one.run_id for one in stack.backend.state.runs.items} - before
            await seen(app, pilot, "◌ running")
            await pilot.press("u")
            await seen(app, pilot, f"run {new[:8]}")
            await seen(app, pilot, "✓ success", 90)
            await until(pilot, lambda: new in {one.run_id for one in stack.backend.state.traces.items}, "no trace")
            await pilot.press("t")
            await seen(app, pilot, "commit silver.totals")
            await pilot.press("s")
            await seen(app, pilot, "operation")
            grid = app.screen.query_one("#snapshots", Grid)
            await until(pilot, lambda: grid.current is not None and grid.current.run_id == new, "another snapshot")
            await pilot.press("1")
            await seen(app, pilot, "total")
            rows = app.screen.query_one("#preview", Grid)
            await until(pilot, lambda: len(rows.items) == 3, "no rows")

    run(go())


def test_a_broken_model_tells_its_reason_and_is_retried(stack: Stack) -> None:
    model = stack.session.root / MODEL
    good = model.read_text()

    async def go() -> None:
        async with stack.app() as (app, pilot):
            await to_row(app, pilot, "silver/totals", "assets")
            await pilot.press("r", "enter")
            await seen(app, pilot, "press ! to see why", 90)
            await pilot.press("exclamation_mark")
            text = await seen(app, pilot, "amuont")
            assert "totals" in text
            assert "✗ failed" in text
            model.write_text(good)
            await pilot.pause(5)
            await pilot.press("C")
            await seen(app, pilot, "Write a failure capsule?")
            await pilot.press("y")
            await seen(app, pilot, "written: ")
            (file,) = stack.session.layout.state_dir.glob("capsules/*-dashboard.zip")
            assert zipfile.is_zipfile(file)
            await pilot.press("R")
            await until(
                pilot,
                lambda: (
                    stack.backend.state.runs.items[0].status == "success"
                    and stack.backend.state.runs.items[0].parent is not None
                ),
                "the retry does not end well",
                90,
            )

    model.write_text(good.replace("sum(amount)", "sum(amuont)"))
    time.sleep(3)
    try:
        run(go())
    finally:
        model.write_text(good)


def test_a_run_is_canceled_after_asking(stack: Stack) -> None:
    flag = stack.session.root / "go_slow"
    flag.touch()

    async def go() -> None:
        async with stack.app() as (app, pilot):
            await to_row(app, pilot, "bronze/slow", "assets")
            await pilot.press("r", "enter")
            await until(pilot, lambda: stack.backend.state.runs.items[0].status == "started", "it does not run")
            await pilot.press("u")
            await seen(app, pilot, "run ")
            await pilot.press("l")
            await seen(app, pilot, "slow goes on until it is canceled")
            await pilot.press("x")
            await seen(app, pilot, "Cancel the run of bronze/slow?")
            await pilot.press("y")
            await until(pilot, lambda: stack.backend.state.runs.items[0].status == "canceled", "not canceled")

    try:
        run(go())
    finally:
        flag.unlink()


def test_a_table_is_rolled_back_to_a_snapshot_and_the_rows_are_compared(stack: Stack) -> None:
    async def go() -> None:
        async with stack.app() as (app, pilot):
            first = stack.backend.table("silver.totals").snapshots[-1].snapshot_id
            await to_row(app, pilot, "silver.totals", "tables")
            await pilot.press("enter", "2")
            await seen(app, pilot, "operation")
            await pilot.press("enter", "2")
            await seen(app, pilot, "the rows are the same")
            await pilot.press("escape", "end", "b")
            text = await seen(app, pilot, "Roll silver.totals back to snapshot")
            assert "rows: 3 → 3" in text
            await pilot.press("y")
            await seen(app, pilot, "again")
            detail = stack.backend.table("silver.totals")
            assert next(one for one in detail.snapshots if one.current).snapshot_id == first
            await pilot.press("home", "b")
            await seen(app, pilot, "Roll silver.totals forward to snapshot")
            await pilot.press("y")
            newest = detail.snapshots[0].snapshot_id
            await until(
                pilot,
                lambda: stack.backend.table("silver.totals").snapshots[0].current,
                "the table is not at its newest snapshot again",
            )
            assert detail.snapshots[0].parent_id in {one.snapshot_id for one in detail.snapshots}
        assert not stack.backend.preview("silver.totals", 3).truncated
        part = stack.backend.preview("silver.totals", 2)
        assert (len(part.rows), part.truncated) == (2, True)
        part = stack.backend.difference("silver.totals", None, newest, 2)
        assert (len(part.rows), part.truncated) == (2, True)
        assert not stack.backend.difference("silver.totals", first, newest, 2).truncated

    run(go())


def test_what_dagster_or_the_catalog_refuses_comes_back_through_the_supervisor(stack: Stack) -> None:
    before = stack.backend.table("silver.totals")
    with pytest.raises(FloeError) as refused:
        stack.session.send(Materialize(("bronze/nobody",)))
    assert refused.value.code is Code.RUN_NOT_STARTED
    assert refused.value.what == "there is no asset 'bronze/nobody'"
    assert "bronze/numbers" in (refused.value.why or "")
    with pytest.raises(FloeError) as moved_on:
        # Somebody committed since the question was asked.
        stack.session.send(Rollback("silver.totals", before.snapshots[-1].snapshot_id, 1))
    assert moved_on.value.code is Code.CATALOG_REFUSED
    assert stack.backend.table("silver.totals") == before


def test_partitions_are_backfilled_and_the_backfill_is_seen(stack: Stack) -> None:
    async def go() -> None:
        async with stack.app() as (app, pilot):
            await to_row(app, pilot, "bronze/daily", "assets")
            await pilot.press("r")
            await seen(app, pilot, "all 3")
            await pilot.press("enter")
            await seen(app, pilot, "of 3 partitions started")
            await pilot.press("6")
            grid = app.screen.query_one("#automations", Grid)
            await until(pilot, lambda: any(one.kind == "backfill" for one in grid.items), "no backfill is listed")
            await pilot.press("end", "enter")
            text = await seen(app, pilot, "2025-01-03")
            assert "bronze/daily" in text
            await seen(app, pilot, "✓ done", 120)
            await pilot.press("x")
            await seen(app, pilot, "this backfill is over")

    run(go())


def test_a_backfill_that_goes_on_is_canceled_after_asking(stack: Stack) -> None:
    flag = stack.session.root / "go_slow"
    flag.touch()

    def newest() -> str:
        backfills = [one for one in stack.backend.state.automations.items if one.kind == "backfill"]
        return next((one.state for one in backfills if one.name == names[0]), "")

    names: list[str] = []

    async def go() -> None:
        async with stack.app() as (app, pilot):
            before = {one.name for one in stack.backend.state.automations.items}
            await to_row(app, pilot, "bronze/daily", "assets")
            await pilot.press("r")
            await seen(app, pilot, "all 3")
            await pilot.press("enter")

            def new() -> bool:
                names[:] = [one.name for one in stack.backend.state.automations.items if one.name not in before]
                return bool(names)

            await until(pilot, new, "no backfill begins")
            await until(pilot, lambda: any(not one.over for one in stack.backend.state.runs.items), "no run")
            await pilot.press("6")
            await seen(app, pilot, names[0][:8])
            app.screen.query_one("#automations", Grid).select(f"backfill {names[0]}")
            await pilot.press("x")
            await seen(app, pilot, "Cancel the backfill")
            await pilot.press("y")
            await until(pilot, lambda: newest() == "canceled", "the backfill is not canceled", 90)
            await until(pilot, lambda: all(one.over for one in stack.backend.state.runs.items), "a run goes on")
            assert "canceled" in {one.status for one in stack.backend.state.runs.items[:3]}

    try:
        run(go())
    finally:
        flag.unlink()


def test_automations_are_switched_evaluated_and_started(stack: Stack) -> None:
    async def go() -> None:
        async with stack.app() as (app, pilot):
            await pilot.press("6")
            await seen(app, pilot, "every_morning")
            grid = app.screen.query_one("#automations", Grid)
            grid.select("schedule every_morning")
            await pilot.press("space")
            await seen(app, pilot, "every_morning is on")
            await seen(app, pilot, "in ")
            await pilot.press("space")
            await seen(app, pilot, "every_morning is off")
            await pilot.press("e")
            await seen(app, pilot, "1 run")
            before = len(stack.backend.state.runs.items)
            await pilot.press("r")
            await seen(app, pilot, "every_morning started run")
            await until(pilot, lambda: len(stack.backend.state.runs.items) > before, "no run")
            grid.select("sensor new_totals")
            await pilot.press("e")
            await seen(app, pilot, "new_totals now")
            await seen(app, pilot, "would start")
            await pilot.press("escape", "enter")
            await seen(app, pilot, "no tick yet")
            await until(pilot, lambda: stack.backend.state.runs.items[0].over, "it does not end")

    run(go())


def test_sql_on_the_selected_table_and_what_can_be_copied(stack: Stack, tmp_path: Path) -> None:
    async def go() -> None:
        async with stack.app() as (app, pilot):
            await to_row(app, pilot, "bronze.numbers", "tables")
            await pilot.press("colon")
            await pilot.pause()
            await pilot.press("enter")
            await seen(app, pilot, "4 rows")
            await pilot.press("escape")
            await to_row(app, pilot, "silver/totals", "assets")
            await pilot.press("enter")
            await seen(app, pilot, "upstream")
            await pilot.press("y")
            text = await seen(app, pilot, "dbt command")
            for words in ("dbt build --select totals", "floe env", "curl -s http://127.0.0.1"):
                assert words in text
            await pilot.press("enter")
            await settled(pilot)
            assert app.clipboard == "silver/totals"
            await pilot.press("y", "down", "down", "enter")
            await settled(pilot)
            copied.append(app.clipboard)
            await pilot.press("escape")
            await to_row(app, pilot, "bronze/numbers", "assets")
            await pilot.press("enter")
            await seen(app, pilot, "downstream")
            await pilot.press("y")
            assert "dbt command" not in await seen(app, pilot, "floe run bronze/numbers"), "it is no dbt model"
            await pilot.press("escape", "t")
            await seen(app, pilot, "critical path")
            await pilot.press("y", "down", "enter")
            await settled(pilot)
            copied.append(app.clipboard)
            for service in ("catalog", "dagster-webserver", "telemetry"):
                await pilot.press("escape", "escape", "escape")
                await to_row(app, pilot, service, "services")
                await pilot.press("enter")
                await seen(app, pilot, "environment")
                await pilot.press("y")
                await seen(app, pilot, "curl -s")
                await pilot.press("down", "down", "down", "enter")
                await settled(pilot)
                curls.append(app.clipboard)

    copied: list[str] = []
    curls: list[str] = []
    run(go())
    for curl in curls:
        command, silent, address = curl.split()
        assert (command, silent) == ("curl", "-s")
        with urllib.request.urlopen(address, timeout=10) as answer:
            assert answer.status == 200
    # Pasted into a shell that is somewhere else.
    for command, told in zip(copied, ("1 of ", "█"), strict=True):
        done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        assert told in done.stdout


def test_read_only_has_no_action_and_several_attach_at_once(stack: Stack) -> None:
    async def go() -> None:
        other = LocalBackend(stack.session, read_only=True)
        other.start()
        try:
            app = DashboardApp(other, read_only=True)
            async with app.run_test(size=SIZE, notifications=True) as pilot:
                await seen(app, pilot, "bronze/numbers")
                runs = len(other.state.runs.items)
                await to_row(app, pilot, "bronze/numbers", "assets")
                await pilot.press("r")
                await seen(app, pilot, "started with --read-only")
                await pilot.press("colon", *"create table silver.x as select 1", "enter")
                await seen(app, pilot, "not authorized")
                await pilot.press("escape")
                assert len(other.state.runs.items) == runs
                assert "silver.x" not in {one.identifier for one in stack.backend.state.tables.items}
        finally:
            other.stop()

    run(go())


def test_a_terminal_that_closes_leaves_the_stack_untouched(stack: Stack) -> None:
    before = {one.status.name: one.status.pid for one in stack.backend.state.services.items}
    terminal = Terminal(["dashboard"], stack.session.root, environment={"XDG_STATE_HOME": os.environ["XDG_STATE_HOME"]})
    try:
        terminal.wait_for(b"dagster-webserver", 60)
        terminal.close()
        give_up = time.monotonic() + 60
        while os.waitpid(terminal.pid, os.WNOHANG)[0] == 0:
            assert time.monotonic() < give_up, "it lives on without a terminal"
            time.sleep(0.05)
        terminal.pid = 0
    finally:
        terminal.end()
    status = stack.session.status()
    assert status is not None
    assert {one.name: one.pid for one in status.services} == before


def test_over_ssh_a_run_is_told_by_the_terminal_and_the_browser_is_the_users(stack: Stack, tmp_path: Path) -> None:
    """A plain xterm with 16 colours and no more; `notify: desktop` is OSC 9, `w` is whatever BROWSER names."""
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {opened}\n')
    browser.chmod(0o755)
    config = tmp_path / "config" / "floe"
    config.mkdir(parents=True)
    config.joinpath("dashboard.yaml").write_text("notify: desktop\n")
    environment = {
        "XDG_STATE_HOME": os.environ["XDG_STATE_HOME"],
        "XDG_CONFIG_HOME": str(config.parent),
        "BROWSER": str(browser),
        "TERM": "xterm",
        "SSH_TTY": "/dev/pts/9",
    }
    terminal = Terminal(["dashboard"], stack.session.root, (100, 30), environment)
    try:
        terminal.wait_for(b"bronze/daily", 60)
        terminal.write(b"jjj/key_that_is_not_there")
        terminal.wait_for(b"Drop it", 20)
        # Alone: with the next key right behind it Esc is Alt.
        terminal.write(b"\x1b")
        terminal.wait_for(b"Find", 20)
        terminal.write(b"/bronze/numbers\r")
        terminal.wait_for(b"assets 1/", 20)
        terminal.write(b"w")
        terminal.wait_for(b"opened", 20)
        dagster = stack.backend.state.stack.urls["dagster"]
        give_up = time.monotonic() + 60
        while not opened.exists():
            assert time.monotonic() < give_up, "the browser was not started"
            time.sleep(0.1)
        assert opened.read_text().splitlines() == [f"{dagster}/assets/bronze/numbers"]
        terminal.write(b"r\r")
        terminal.wait_for(b"\x1b]9;floe: \xe2\x9c\x93 the run of bronze/numbers is done\x1b\\", 90)
        terminal.write(b"q")
        assert terminal.ended() == 0
    finally:
        terminal.end()
    assert not re.search(rb"\x1b\[[0-9;]*[34]8;2;", terminal.output), "no 24-bit colour was asked for"
    assert b"first query" in terminal.output or b"floe sql" in terminal.output


@contextmanager
def hung(stack: Stack, service: str) -> Iterator[None]:
    """The service's process takes no step for as long as the block goes on."""
    pid = next(one.status.pid for one in stack.backend.state.services.items if one.status.name == service)
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        # A supervisor may have replaced it meanwhile.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def test_a_hung_catalog_is_stale_with_its_reason_and_the_other_panels_go_on(stack: Stack) -> None:
    async def go() -> None:
        async with stack.app() as (app, pilot):
            await seen(app, pilot, "bronze.numbers")
            with hung(stack, "catalog"):
                await until(pilot, lambda: stack.backend.state.tables.stale_since is not None, "never stale")
                text = await seen(app, pilot, "stale since")
                assert "bronze.numbers" in text, "what was known last stays"
                assert stack.backend.state.tables.reason
                assert stack.backend.state.assets.stale_since is None
                looked = stack.backend.state.assets.as_of
                await until(pilot, lambda: stack.backend.state.assets.as_of != looked, "the assets wait too")
                await to_row(app, pilot, "bronze/numbers", "assets")
                await pilot.press("enter")
                await seen(app, pilot, "last run")
                await pilot.press("escape")
            await until(pilot, lambda: stack.backend.state.tables.stale_since is None, "it stays stale", 90)

    run(go())


def test_a_hung_dagster_is_stale_with_its_reason_and_holds_nothing_else_up(stack: Stack) -> None:
    async def go() -> None:
        async with stack.app() as (app, pilot):
            with hung(stack, "dagster-webserver"):
                await pilot.press("slash", *"bronze/numbers", "enter", "r", "enter")
                text = await seen(app, pilot, "stale since")
                assert "no answer for more than" in text
                assert "bronze/numbers" in text, "what was known last stays"
                looked = stack.backend.state.tables.as_of
                await until(pilot, lambda: stack.backend.state.tables.as_of != looked, "the tables wait too")
                await to_row(app, pilot, "bronze.numbers", "tables")
                await pilot.press("enter")
                await seen(app, pilot, "amount")
                await pilot.press("escape")
                began = time.monotonic()
                assert stack.session.status() is not None, "the supervisor waits for Dagster"
                assert time.monotonic() - began < 10
            await until(pilot, lambda: stack.backend.state.assets.stale_since is None, "it stays stale", 90)
            # The command has waited, and nothing was lost.
            await until(pilot, lambda: stack.backend.state.runs.items[0].assets == ("bronze/numbers",), "no run")
            await until(pilot, lambda: stack.backend.state.runs.items[0].over, "it does not end")

    run(go())


def test_a_killed_supervisor_is_told_and_a_new_start_is_found(stack: Stack) -> None:
    from floe_dev.supervisor.lock import read_holder

    holder = read_holder(stack.session.layout)
    assert holder is not None
    # It has carried out all that was done here; Dagster, were it imported for that, would be 54 MiB more.
    assert psutil.Process(holder.pid).memory_full_info().uss < 45 << 20

    async def go() -> None:
        async with stack.app() as (app, pilot):
            os.kill(holder.pid, signal.SIGKILL)
            text = await seen(app, pilot, "the stack is not running")
            assert "press S to start it" in text
            await seen(app, pilot, "stale since")
            assert "bronze/numbers" in screen_text(app)
            await pilot.press("S")
            await seen(app, pilot, "> start")
            await seen(app, pilot, "1 services 5", 120)
            await until(pilot, lambda: stack.backend.state.assets.stale_since is None, "it stays stale")

    run(go())
