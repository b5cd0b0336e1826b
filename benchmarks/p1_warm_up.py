"""P1: a warm `floe up` to ready, against `dagster dev` to its first GraphQL answer with assets, on the same project.

The peer has the manifest, its databases and compiled bytecode, and does less: no catalog starts with it, and nothing is
proven to work. `floe up` is ready when a table was created, written, read and dropped as well.
Run as `python -m benchmarks.p1_warm_up`.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.stacks import copy_sample, dagster_dev, floe, seconds_of, stack_environment


def run(rounds: int = 5) -> dict[str, Any]:
    """Medians over interleaved rounds, in seconds, and their ratio (goal 0.5, at most 0.7)."""
    ours: list[float] = []
    peer: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        root = copy_sample(Path(folder) / "shop")
        home = Path(folder) / "peer"
        floe(root, "up", "--no-run")
        environment = stack_environment(root)
        floe(root, "down")
        try:
            for number in range(rounds + 1):
                with dagster_dev(root, home, environment) as dev:
                    started = time.perf_counter()
                    dev.wait_for_assets()
                    peer.append(time.perf_counter() - started)
                ours.append(seconds_of(root, "up", "--no-run"))
                floe(root, "down")
                if number == 0:  # warms both
                    ours.clear()
                    peer.clear()
        finally:
            floe(root, "down")
    return {
        "floe up (s)": round(statistics.median(ours), 2),
        "dagster dev (s)": round(statistics.median(peer), 2),
        "ratio": round(statistics.median(ours) / statistics.median(peer), 2),
        "goal": "<= 0.5",
        "rounds": rounds,
    }


if __name__ == "__main__":
    print(run())
