"""P10: memory (PSS) of the running stack by process, against the processes of `dagster dev` on the same project.

Run as `python -m benchmarks.p10_memory`; Linux only.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import psutil

from benchmarks.stacks import copy_sample, dagster_dev, floe, pss, stack_environment


def run(settle_seconds: float = 5.0) -> dict[str, Any]:
    """Megabytes after the first run and a pause (goal 300 for the whole stack)."""
    with tempfile.TemporaryDirectory() as folder:
        root = copy_sample(Path(folder) / "shop")
        floe(root, "up")
        try:
            time.sleep(settle_seconds)
            environment = stack_environment(root)
            status = json.loads(floe(root, "status", "--json").stdout)
            names = {item["pid"]: item["name"] for item in status["services"]}
            names[status["supervisor_pid"]] = "supervisor"
            parts: dict[str, int] = defaultdict(int)
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.Error):
                    marker = process.environ().get("FLOE_INSTANCE", "")
                    if process.pid in names or marker == status["instance"]:
                        parts[names.get(process.pid, "fork server and others")] += pss(process.pid)
        finally:
            floe(root, "down")
        with dagster_dev(root, Path(folder) / "peer", environment) as dev:
            dev.wait_for_assets()
            time.sleep(settle_seconds)
            peer = dev.memory()
    total = sum(parts.values())
    return {
        **{f"{name} (MB)": round(size / 1e6) for name, size in sorted(parts.items())},
        "floe stack (MB)": round(total / 1e6),
        "dagster dev (MB)": round(peer / 1e6),
        "ratio": round(total / peer, 2),
        "goal": "<= 300 MB",
    }


if __name__ == "__main__":
    print(run())
