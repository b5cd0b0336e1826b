"""Running `floe` as a user does: as a process, with its streams apart."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

FLOE = Path(sys.executable).parent / "floe"


def floe(
    *arguments: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout: float = 120,
) -> subprocess.CompletedProcess[str]:
    """One whole `floe` process in `cwd`; without a terminal, without colour unless `env` asks."""
    return subprocess.run(
        [str(FLOE), *arguments],
        cwd=cwd,
        env=environment(env),
        input=stdin if stdin is not None else "",
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The test process's environment without what would lead to another project or change the output."""
    dropped = {"FLOE_PROJECT_DIR", "NO_COLOR", "FORCE_COLOR", "CI", "POLARIS_URI", "DAGSTER_HOME", "DBT_PROFILES_DIR"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, **(extra or {})}
