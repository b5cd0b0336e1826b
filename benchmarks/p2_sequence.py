"""The stack of `floe up` begun in other ways, by the same drivers, with the same steps and readiness checks.

`python -m benchmarks.p2_sequence ROOT`: each part begins when the one before it is ready, as a script in a Compose
file's order does. `… ROOT SERVICE`: what the service needs, and then the service, alone. Nothing is forked from a warm
fork server: each process starts by itself. Prints `ready`, and how many seconds the last service took from its start
until it was ready; waits for its standard input to end, and stops everything.
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
from floe_dev.supervisor.state import load_state, save_state


def in_order(plan: Plan) -> Plan:
    """The same plan as a line: every part waits for the one before it."""
    nodes = plan.nodes()
    line: list[str] = []
    while len(line) < len(nodes):
        line.append(next(n for n, node in nodes.items() if n not in line and set(node.depends_on) <= set(line)))
    before = {name: (line[position - 1],) if position else () for position, name in enumerate(line)}
    return replace(
        plan,
        # A plain script does not wait to see whether a service without a probe stays.
        services=tuple(
            s.model_copy(update={"depends_on": before[s.name], "fork_after": None, "settle_seconds": 0.0})
            for s in plan.services
        ),
        steps=tuple(replace(step, depends_on=before[step.name]) for step in plan.steps),
    )


def alone(plan: Plan, name: str) -> Plan:
    """What the service waits for, and the service, which so begins when nothing else does."""
    nodes, wanted, waiting = plan.nodes(), {name}, [name]
    while waiting:
        for needed in nodes[waiting.pop()].depends_on:
            if needed not in wanted:
                wanted.add(needed)
                waiting.append(needed)
    return in_order(
        replace(
            plan,
            services=tuple(service for service in plan.services if service.name in wanted),
            steps=tuple(step for step in plan.steps if step.name in wanted),
        )
    )


async def main(root: Path, service: str | None) -> None:
    """Start, say so, wait, stop."""
    layout = Layout(root)
    known = load_state(layout)
    assert known is not None, "the stack was up once"
    instance = new_instance(root)
    project = load_project(root)
    # Also those of parts that are not started: Dagster's settings name them.
    assembly = Assembly(project, load_stack(known.stack, root), layout, instance, dict(known.ports))
    plan = assembly.plan(lambda: None)
    hub = Hub(str(root), instance, os.getpid())
    supervisor = Supervisor(
        layout=layout,
        state=known.model_copy(update={"instance": instance, "supervisor_pid": os.getpid()}),
        hub=hub,
        plan=in_order(plan) if service is None else alone(plan, service),
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
        seen = max((s for s in hub.status().services if s.ready_at), key=lambda s: s.ready_at or 0)
        sys.stdout.write(f"ready {seen.name} {(seen.ready_at or 0) - (seen.started_at or 0):.3f}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
    finally:
        await supervisor.stop(10)
        save_state(layout, known)  # the ports of all parts, and not of those alone that were started


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None))
