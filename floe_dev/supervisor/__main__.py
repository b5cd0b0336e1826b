"""`python -m floe_dev.supervisor ROOT OPTIONS`: the detached process that owns one project's stack."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from floe_dev.model.layout import Layout
from floe_dev.orchestrators.dagster.preload import LATER, PRELOAD
from floe_dev.supervisor.boot import boot


def main() -> int:
    """Take the project's lock, start what takes long, and only then import the rest."""
    layout = Layout(Path(sys.argv[1]))
    booted = boot(layout, PRELOAD)
    if booted is None:
        return 0
    import asyncio

    from floe_dev.config.project import load_project
    from floe_dev.config.stacks import load_stack
    from floe_dev.supervisor.assembly import Assembly
    from floe_dev.supervisor.daemon import Daemon, Wishes

    def assemble(layout: Layout, stack: str, instance: str) -> Assembly:
        project = load_project(layout.root)
        return Assembly(project, load_stack(stack, layout.root), layout, instance, {})

    async def run() -> int:
        return await Daemon(booted, Wishes.of(json.loads(sys.argv[2])), assemble, later=LATER).run()

    return asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
