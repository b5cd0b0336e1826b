"""What stands on the screen of the real app, and how to wait for it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from textual.pilot import Pilot

from floe_dev.tui.app import DashboardApp
from floe_dev.tui.core import WORK

R = TypeVar("R")


def screen_text(app: DashboardApp) -> str:
    """What stands on the screen, line by line."""
    width, height = app.size
    lines = app.screen._compositor.render_strips(app.size)
    if len(lines) != height:
        return ""  # a screen in the making
    return "\n".join("".join(segment.text for segment in strip).ljust(width) for strip in lines)


async def seen(app: DashboardApp, pilot: Pilot[str], words: str, seconds: float = 60.0) -> str:
    """Wait until these words stand on the screen; the whole of it."""
    give_up = time.monotonic() + seconds
    text = ""
    while time.monotonic() < give_up:
        await pilot.pause(0.1)
        text = screen_text(app)
        if words in text:
            return text
    raise AssertionError(f"{words!r} is not on the screen:\n{text}")


async def settled(pilot: Pilot[str]) -> None:
    """Threads have answered, but for one that hangs, and the screen is drawn."""
    await asyncio.sleep(0.25)
    give_up = time.monotonic() + 3
    while time.monotonic() < give_up and any(each.name == WORK for each in threading.enumerate()):
        await pilot.pause(0.02)
    await pilot.pause()


def run(coroutine: Coroutine[Any, Any, R]) -> R:
    return asyncio.run(coroutine)
