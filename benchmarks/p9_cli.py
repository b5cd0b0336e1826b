"""P9: `floe status` and `floe --help` as whole processes, against an empty Python and `dagster --version`.

Run as `python -m benchmarks.p9_cli`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.stacks import BIN, copy_sample, floe, seconds_of


def run(rounds: int = 15) -> dict[str, Any]:
    """Medians in milliseconds (goal for `floe status`: 150)."""
    taken: dict[str, list[float]] = {
        "floe status": [],
        "floe --help": [],
        "python -c pass": [],
        "dagster --version": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        root = copy_sample(Path(folder) / "shop")
        floe(root, "up", "--no-run")
        try:
            for _ in range(rounds):
                taken["floe status"].append(seconds_of(root, "status"))
                taken["floe --help"].append(seconds_of(root, "--help"))
                taken["python -c pass"].append(_seconds(sys.executable, "-c", "pass"))
            for _ in range(3):
                taken["dagster --version"].append(_seconds(str(BIN / "dagster"), "--version"))
        finally:
            floe(root, "down")
    medians = {f"{name} (ms)": round(statistics.median(values) * 1000) for name, values in taken.items()}
    ratio = statistics.median(taken["floe status"]) / statistics.median(taken["dagster --version"])
    return {**medians, "ratio": round(ratio, 3), "goal": "status <= 150 ms", "rounds": rounds}


def _seconds(*command: str) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    print(run())
