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


def cost(arguments: list[str], cwd: Path, cache: Path, env: Mapping[str, str] | None = None) -> float:
    """What `floe` with these arguments costs, in starts of a bare interpreter: a share of the same moment's machine.

    Processor time of whole processes, the cheapest of several each, with compiled bytecode as an installed floe has it.
    """
    variables = environment({**(env or {}), "PYTHONPYCACHEPREFIX": str(cache)})
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    programs = {"floe": [str(FLOE), *arguments], "bare": [sys.executable, "-c", "pass"]}
    best = dict.fromkeys(programs, 60.0)
    for _ in range(6):
        for name, program in programs.items():
            with subprocess.Popen(program, cwd=cwd, env=variables, stdout=-3, stderr=-3) as process:
                _, _, usage = os.wait4(process.pid, 0)
                process.returncode = 0
            best[name] = min(best[name], usage.ru_utime + usage.ru_stime)
    return best["floe"] / best["bare"]
