"""One asset of a compiled project, made in a process of its own: what a task of Airflow or Prefect runs.

Order, time and retries are the orchestrator's. Making the asset is floe's, by the same code as everywhere: dbt through
DbtCliResource, Python assets through their IO manager. Dagster is a library here; none of its services runs.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path

#: A command that takes the artifacts' file and an asset's key, in place of this module (another interpreter, say).
COMMAND_VARIABLE = "FLOE_TASK_COMMAND"


def command(artifacts: Path, key: str, partition: str | None = None) -> list[str]:
    """What makes one asset."""
    words = shlex.split(os.environ.get(COMMAND_VARIABLE, "")) or [sys.executable, "-m", "floe_dev.orchestrators.task"]
    return [*words, str(artifacts), key, *(["--partition", partition] if partition else [])]


def run(artifacts: Path, key: str, partition: str | None = None) -> None:
    """Make one asset and wait; raises CalledProcessError with the task's own output on this process's."""
    subprocess.run(command(artifacts, key, partition), check=True)


def main() -> None:
    """`python -m floe_dev.orchestrators.task ARTIFACTS KEY [--partition KEY]`."""
    parser = argparse.ArgumentParser(description="Make one asset of a compiled project.")
    parser.add_argument("artifacts", type=Path)
    parser.add_argument("key")
    parser.add_argument("--partition")
    options = parser.parse_args()
    from floe_dev.orchestrators.dagster.definitions import build_definitions
    from floe_dev.orchestrators.dagster.orchestrator import materialize

    materialize(build_definitions(options.artifacts), [options.key], options.partition)


if __name__ == "__main__":
    main()
