"""Pictures of the dashboard on the sample project: `make screenshots` writes them to docs/images.

A stack of its own on a copy of the sample is started, shown and stopped, so that the pictures are of the real thing.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from textual.pilot import Pilot

from benchmarks.stacks import copy_sample
from floe_dev.dashboard import LocalBackend
from floe_dev.model.commands import StartStack
from floe_dev.session import Session
from floe_dev.tui.app import DashboardApp
from floe_dev.tui.grid import Grid
from tests.tui.screens import screen_text, seen

IMAGES = Path(__file__).resolve().parent / "images"
SIZE = (110, 30)
#: Seconds for whatever a machine that is busy needs.
PATIENCE = 420.0
ASSET = "gold/customer_lifetime"
TABLE = "gold.customer_lifetime"

Step = Callable[[DashboardApp, Pilot[str]], Awaitable[None]]


class Pictures:
    """Takes pictures of one running stack."""

    def __init__(self, session: Session) -> None:
        """Nothing is started yet."""
        self.session = session
        self.backend = LocalBackend(session)

    async def take(self, steps: Step, *, start: StartStack | None = None) -> None:
        """One app that begins on the overview, or with a start."""
        app = DashboardApp(self.backend, start=start)
        app.animation_level = "none"
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            if start is None:
                await seen(app, pilot, ASSET, PATIENCE)
            await steps(app, pilot)

    async def save(self, app: DashboardApp, pilot: Pilot[str], name: str, *words: str) -> None:
        """The picture of that name, once these words stand on the screen and nothing moves."""
        for one in words:
            await seen(app, pilot, one, PATIENCE)
        app.clear_notifications()
        await still(app, pilot)
        svg = plain(app.export_screenshot(title="floe"), self.session.root)
        IMAGES.joinpath(f"dashboard-{name}.svg").write_text(svg)

    async def idle(self) -> None:
        """Until no run goes on and everything was made."""
        give_up = time.monotonic() + PATIENCE
        while not (
            self.backend.state.runs.items
            and all(run.over for run in self.backend.state.runs.items)
            and {asset.state for asset in self.backend.state.assets.items} <= {"fresh", "source"}
        ):
            assert time.monotonic() < give_up, "the first run does not end well"
            await asyncio.sleep(0.5)


async def still(app: DashboardApp, pilot: Pilot[str]) -> None:
    """Until the screen stays the same for half a second, or three have gone by."""
    before, since, give_up = "", time.monotonic(), time.monotonic() + 3
    while time.monotonic() < give_up and time.monotonic() - since < 0.5:
        await pilot.pause(0.1)
        now = screen_text(app)
        if now != before:
            before, since = now, time.monotonic()


async def select(app: DashboardApp, pilot: Pilot[str], grid: str, key: str) -> None:
    """The cursor on the row of that key."""
    found = app.screen.query_one(f"#{grid}", Grid)
    found.focus()
    found.select(key)
    await pilot.pause()


async def main() -> None:
    """All pictures, in the order in which a new user sees the screens."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="floe-") as folder:
        session = Session(copy_sample(Path(folder) / "shop"))
        pictures = Pictures(session)
        pictures.backend.start()
        try:
            await pictures.take(lambda app, pilot: the_start(pictures, app, pilot), start=StartStack())
            await pictures.idle()
            await pictures.take(lambda app, pilot: the_path(pictures, app, pilot))
            await pictures.take(lambda app, pilot: the_rest(pictures, app, pilot))
            await pictures.take(lambda app, pilot: the_failure(pictures, app, pilot))
        finally:
            pictures.backend.stop()
            session.down()


async def the_start(pictures: Pictures, app: DashboardApp, pilot: Pilot[str]) -> None:
    """The waterfall of the start."""
    give_up = time.monotonic() + PATIENCE
    while sum(step.state == "done" for step in pictures.backend.state.stack.steps) < 2:
        assert time.monotonic() < give_up, "the start does not go on"
        await pilot.pause(0.1)
    await pictures.save(app, pilot, "start", "> start")
    await seen(app, pilot, "1 services 5", PATIENCE)


async def the_path(pictures: Pictures, app: DashboardApp, pilot: Pilot[str]) -> None:
    """Materialize, watch, trace, snapshot, rows."""
    await select(app, pilot, "assets", ASSET)
    await pictures.save(app, pilot, "overview", "run of")
    await pilot.press("r")
    await pictures.save(app, pilot, "materialize", "with upstream")
    before = {run.run_id for run in pictures.backend.state.runs.items}
    await pilot.press("enter")
    give_up = time.monotonic() + PATIENCE
    while not {run.run_id for run in pictures.backend.state.runs.items} - before:
        assert time.monotonic() < give_up, "no run begins"
        await pilot.pause(0.2)
    (new,) = {run.run_id for run in pictures.backend.state.runs.items} - before
    await seen(app, pilot, "◌ running", PATIENCE)
    await pilot.press("u")
    await pictures.save(app, pilot, "run", f"run {new[:8]}", "✓ success")
    while not any(trace.run_id == new and trace.complete for trace in pictures.backend.state.traces.items):
        assert time.monotonic() < give_up, "its trace does not arrive"
        await pilot.pause(0.2)
    await pilot.press("t")
    await pictures.save(app, pilot, "trace", f"commit {TABLE}")
    span = next(item for item in app.screen.query_one("#spans", Grid).items if item.span.name == f"commit {TABLE}")
    await select(app, pilot, "spans", span.span.span_id)
    await pilot.press("s")
    await pictures.save(app, pilot, "snapshots", "operation")
    await pilot.press("1")
    await pictures.save(app, pilot, "table", "customer_id")


async def the_rest(pictures: Pictures, app: DashboardApp, pilot: Pilot[str]) -> None:
    """The other screens."""
    await select(app, pilot, "assets", ASSET)
    await pilot.press("enter")
    await pictures.save(app, pilot, "asset", "upstream")
    await pilot.press("escape")
    await select(app, pilot, "services", "catalog")
    await pilot.press("enter")
    await pictures.save(app, pilot, "service", "endpoint")
    await pilot.press("escape", "7")
    await pictures.save(app, pilot, "lineage", "└─")
    await pilot.press("6")
    await pictures.save(app, pilot, "automations", "new_raw_orders")
    await select(app, pilot, "automations", "schedule marts_every_morning")
    await pilot.press("e")
    await pictures.save(app, pilot, "evaluation", "1 run")


async def the_failure(pictures: Pictures, app: DashboardApp, pilot: Pilot[str]) -> None:
    """A model broken on purpose, and its reason."""
    model = next(pictures.session.root.glob("dbt/models/**/customer_lifetime.sql"))
    good = model.read_text()
    model.write_text(good.replace("customer_id", "custmer_id", 1))
    await pilot.pause(5)
    try:
        await select(app, pilot, "assets", ASSET)
        await pilot.press("r", "enter")
        give_up = time.monotonic() + PATIENCE
        while pictures.backend.state.runs.items[0].status != "failure":
            assert time.monotonic() < give_up, "it does not fail"
            await pilot.pause(0.2)
        await pilot.press("exclamation_mark")
        await pictures.save(app, pilot, "failure", "custmer_id")
    finally:
        model.write_text(good)


def plain(svg: str, root: Path) -> str:
    """Without the fonts it would load from elsewhere, and without this machine's folders."""
    for folder in (str(root.parent), str(IMAGES.parent.parent)):
        # As long as the folder's own name, so that the letters keep their places.
        svg = svg.replace(folder, ("/home/you" + "/projects" * 20)[: len(folder)])
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    asyncio.run(main())
