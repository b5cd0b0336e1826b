"""Pictures of the dashboard on the sample project's running stack: `make screenshots` writes them to docs/images."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from floe_dev.dashboard import LocalBackend
from floe_dev.session import Session
from floe_dev.tui.app import DashboardApp

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
#: Picture -> keys pressed on the overview before it is taken.
TOUR = {
    "overview": (),
    "asset": ("enter",),
    "run": ("u",),
    "trace": ("u", "wait", "t"),
    "table": ("s",),
    "snapshots": ("s", "wait", "2"),
    "service": ("1", "enter"),
    "lineage": ("7",),
}
_WAIT_SECONDS = 2.5


async def main() -> None:
    """One app for each picture, so that each begins on the overview."""
    backend = LocalBackend(Session(ROOT / "sample_project"), read_only=False)
    backend.start()
    for name, keys in TOUR.items():
        app = DashboardApp(backend)
        async with app.run_test(size=(110, 30)) as pilot:
            await pilot.pause(_WAIT_SECONDS)
            await pilot.press("2", "end")
            for key in keys:
                if key == "wait":
                    await pilot.pause(_WAIT_SECONDS)
                else:
                    await pilot.press(key)
            await pilot.pause(_WAIT_SECONDS)
            IMAGES.joinpath(f"dashboard-{name}.svg").write_text(_plain(app.export_screenshot(title="floe")))
    backend.stop()


def _plain(svg: str) -> str:
    """Without the fonts it would load from elsewhere, and without this machine's folders."""
    # As long as the folder's own name, so that the letters keep their places.
    elsewhere = ("/home/you" + "/projects" * 20)[: len(str(ROOT))]
    svg = svg.replace(str(ROOT), elsewhere)
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    asyncio.run(main())
