"""A step's child that is started before its turn leaves no file when its turn never comes."""

from __future__ import annotations

import asyncio
import os
import warnings
from pathlib import Path

from floe_dev.model.layout import Layout
from floe_dev.supervisor.child import EarlyChild
from floe_dev.supervisor.state import prepare_state_dir


def test_a_start_that_ends_before_the_childs_turn_leaves_no_file(tmp_path: Path) -> None:
    """A Ctrl-C between its loading and its turn left `.floe/step-readiness.loaded` behind."""
    layout = Layout(tmp_path)
    prepare_state_dir(layout)
    mark = layout.state_dir / "step-readiness.loaded"

    async def start() -> None:
        environment = {**os.environ, "FLOE_PROJECT_DIR": str(tmp_path)}
        EarlyChild("readiness", layout, environment, None, None)
        await asyncio.sleep(0.05)
        mark.touch()  # as the child does when it has loaded

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the child is killed, and nobody waits for it
        asyncio.run(start())
    assert [each.name for each in layout.state_dir.iterdir() if each.name.startswith("step-")] == []
