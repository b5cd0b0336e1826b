"""P0: from a fresh clone to the first query: `git clone`, `make up`, `./floe sql`; without and with a package cache.

Run as `python -m benchmarks.p0_clone`; it downloads everything once.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def run() -> dict[str, Any]:
    """Seconds cold and warm, and megabytes installed."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        environment = {
            **os.environ,
            "UV_CACHE_DIR": str(cache / "uv"),
            "PIP_CACHE_DIR": str(cache / "pip"),
            "XDG_STATE_HOME": str(Path(folder) / "state"),
        }
        cold, size = _once(Path(folder) / "cold", environment)
        warm, _ = _once(Path(folder) / "warm", environment)
    return {
        "cold (s)": round(cold),
        "warm package cache (s)": round(warm),
        "ratio": round(warm / cold, 2),
        "installed (MB)": round(size / 1e6),
    }


def _once(folder: Path, environment: dict[str, str]) -> tuple[float, int]:
    started = time.perf_counter()
    for command, cwd in (
        (["git", "clone", "--quiet", str(ROOT), str(folder)], ROOT),
        (["make", "up"], folder),
        (["./floe", "--project", "sample_project", "sql", "select count(*) from silver.orders"], folder),
    ):
        subprocess.run(
            command, cwd=cwd, env=environment, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=900
        )
    taken = time.perf_counter() - started
    subprocess.run(["make", "down"], cwd=folder, env=environment, check=True, capture_output=True)
    size = sum(f.stat().st_size for f in (folder / ".venv").rglob("*") if f.is_file() and not f.is_symlink())
    return taken, size


if __name__ == "__main__":
    print(run())
