"""A supervisor of small services: `python -m tests.supervisor.tiny ROOT OPTIONS`, the graph from ROOT/tiny.json.

Everything is the product's but what is supervised.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from floe_dev.drivers.forkclient import ForkClient
from floe_dev.drivers.markers import MARKER
from floe_dev.errors import Code, FloeError
from floe_dev.model.layout import Layout
from floe_dev.model.stack import Service
from floe_dev.supervisor.boot import boot
from floe_dev.supervisor.daemon import Daemon, Wishes
from floe_dev.supervisor.plan import Plan, Step


class Tiny:
    """Services as Service models, steps as `{"name", "seconds", "fails", "depends_on", "outdated"}`."""

    def __init__(self, layout: Layout, instance: str) -> None:
        self.ports: dict[str, int] = {}
        self._instance = instance
        self._declared: dict[str, Any] = json.loads((layout.root / "tiny.json").read_text())
        if "refused" in self._declared:
            raise FloeError(Code.INVALID_VALUE, self._declared["refused"])

    def plan(self, fork: Callable[[], ForkClient | None]) -> Plan:
        services = tuple(Service.model_validate(service) for service in self._declared.get("services", ()))
        steps = tuple(
            Step(
                step["name"],
                _action(step),
                tuple(step.get("depends_on", ())),
                outdated=partial(tuple, step.get("outdated", ())),
            )
            for step in self._declared.get("steps", ())
        )
        return Plan(services, steps, urls=lambda ports: {name: f"http://127.0.0.1:{p}" for name, p in ports.items()})

    def environment(self) -> dict[str, str]:
        return {**os.environ, MARKER: self._instance}

    def service_environment(self, service: Service) -> dict[str, str]:
        return {"SERVICE": service.name}


def _action(step: dict[str, Any]) -> Callable[[], Awaitable[str | None]]:
    async def action() -> str | None:
        await asyncio.sleep(step.get("seconds", 0))
        if "fails" in step:
            raise FloeError(Code.STEP_FAILED, step["fails"])
        if "breaks" in step:
            raise RuntimeError(step["breaks"])
        return "did it"

    return action


def main() -> int:
    booted = boot(Layout(Path(sys.argv[1])), preload=("http.server",))
    if booted is None:
        return 0

    async def run() -> int:
        wishes = Wishes.of(json.loads(sys.argv[2]))
        return await Daemon(booted, wishes, lambda layout, _stack, instance: Tiny(layout, instance)).run()

    return asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
