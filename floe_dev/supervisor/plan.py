"""What `up` does, as data: services, steps and what waits for what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from floe_dev.config.circles import circle, waiting_circle
from floe_dev.errors import Code, FloeError
from floe_dev.model.stack import Service

#: Does the step's work; returns one line on what it did.
Action = Callable[[], Awaitable[str | None]]


@dataclass(frozen=True)
class Step:
    """Something done once while the stack starts, in parallel with whatever it does not wait for."""

    name: str
    action: Action
    depends_on: tuple[str, ...] = ()
    #: A step that is not needed for readiness, such as the last look at what is stale.
    optional: bool = False
    #: Asked once it is done: the services whose environment it has changed. Those that run are started again.
    outdated: Callable[[], Sequence[str]] = tuple


@dataclass(frozen=True)
class Plan:
    """The graph of one start."""

    services: tuple[Service, ...] = ()
    steps: tuple[Step, ...] = ()
    #: Shown when the stack is ready, by name.
    urls: Callable[[dict[str, int]], dict[str, str]] = field(default=lambda _ports: {})

    def nodes(self) -> dict[str, Service | Step]:
        """Every node by name."""
        nodes: dict[str, Service | Step] = {service.name: service for service in self.services}
        nodes.update({step.name: step for step in self.steps})
        return nodes

    def check(self) -> None:
        """Raise FloeError 1204 for an unknown dependency, 1202 for a cycle."""
        nodes = self.nodes()
        for node in nodes.values():
            for needed in node.depends_on:
                if needed not in nodes:
                    raise FloeError(
                        Code.UNKNOWN_REFERENCE,
                        f"`{node.name}` waits for `{needed}`, which is not part of the stack",
                        why=f"its parts are: {', '.join(nodes)}",
                        fix="correct `depends_on`",
                    )
        found = circle({name: node.depends_on for name, node in nodes.items()})
        if found:
            raise waiting_circle(found)
