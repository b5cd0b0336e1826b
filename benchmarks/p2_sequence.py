"""The steps of `floe up`, each begun when the one before it is ready, as a script in a Compose file's order does.

`python -m benchmarks.p2_sequence ROOT` prints `ready`, waits for its standard input to end, and stops everything.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

from floe_dev.config.project import load_project
from floe_dev.config.stacks import load_stack
from floe_dev.model.layout import Layout
from floe_dev.model.stack import DriverKind
from floe_dev.supervisor.assembly import Assembly
from floe_dev.supervisor.core import Supervisor
from floe_dev.supervisor.hub import Hub
from floe_dev.supervisor.paths import new_instance
from floe_dev.supervisor.plan import Plan
from floe_dev.supervisor.state import load_state


def in_order(plan: Plan) -> Plan:
    """The same plan as a line: every part waits for the one before it."""
    nodes = plan.nodes()
    line: list[str] = []
    while len(line) < len(nodes):
        line.append(next(n for n, node in nodes.items() if n not in line and set(node.depends_on) <= set(line)))
    before = {name: (line[position - 1],) if position else () for position, name in enumerate(line)}
    return replace(
        plan,
        services=tuple(s.model_copy(update={"depends_on": before[s.name], "fork_after": None}) for s in plan.services),
        steps=tuple(replace(step, depends_on=before[step.name]) for step in plan.steps),
    )


async def main(root: Path) -> None:
    """Start, say so, wait, stop."""
    layout = Layout(root)
    known = load_state(layout)
    assert known is not None, "the stack was up once"
    instance = new_instance(root)
    project = load_project(root)
    assembly = Assembly(project, load_stack(known.stack, root), layout, instance, {})
    supervisor = Supervisor(
        layout=layout,
        state=known.model_copy(update={"instance": instance, "supervisor_pid": os.getpid()}),
        hub=Hub(str(root), instance, os.getpid()),
        plan=in_order(assembly.plan(lambda: None)),
        environment=lambda service: (
            assembly.service_environment(service)
            if service.driver is DriverKind.DOCKER
            else {**assembly.environment(), **assembly.service_environment(service)}
        ),
        ports=assembly.ports,
        timeout_seconds=300,
    )
    try:
        await supervisor.start()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
    finally:
        await supervisor.stop(10)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
