"""Steps that need heavy imports run in a process of their own, so that the supervisor stays small.

`python -m floe_dev.supervisor.child STEP` prints one JSON line: `{"detail": …}` or `{"error": …}`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from floe_dev.drivers.process import open_log, tail
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.layout import Layout


async def run_in_child(name: str, layout: Layout, environment: Mapping[str, str]) -> str | None:
    """Run the step `name` in a child; returns its detail line, raises the FloeError it ended with."""
    log = layout.logs_dir / f"{name}.log"
    output = open_log(log)
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "floe_dev.supervisor.child",
            name,
            env=dict(environment),
            cwd=layout.root,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=output,
            start_new_session=True,
        )
    finally:
        os.close(output)
    try:
        stdout, _ = await process.communicate()
    except asyncio.CancelledError:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    lines = stdout.decode("utf-8", "replace").strip().splitlines()
    try:
        answer = json.loads(lines[-1])
    except (IndexError, ValueError):
        raise FloeError(
            Code.STEP_FAILED,
            f"the step `{name}` ended without an answer",
            why=f"its process ended with exit code {process.returncode}",
            detail=tail(log),
            fix=f"look into {log}",
            where=Where(log),
        ) from None
    if "error" in answer:
        raise FloeError.from_json(answer["error"])
    detail: str | None = answer["detail"]
    return detail


def _provision(root: Path) -> str:
    from floe_dev.supervisor.provisioning import provision_project

    return provision_project(root)


def _readiness(root: Path) -> str:
    from floe_dev.supervisor.provisioning import check_project

    return check_project(root)


def _manifest(root: Path) -> str:
    from floe_dev.config.project import load_project
    from floe_dev.orchestrators.dagster.manifest import ensure_manifest

    return ensure_manifest(load_project(root))


def _storage(root: Path) -> str:
    from floe_dev.orchestrators.dagster.storage import make_storage

    return make_storage(Layout(root))


STEPS: dict[str, Callable[[Path], str]] = {
    "provision": _provision,
    "readiness": _readiness,
    "manifest": _manifest,
    "storage": _storage,
}


def main() -> None:
    """Run one step for the project in FLOE_PROJECT_DIR."""
    name, root = sys.argv[1], Path(os.environ["FLOE_PROJECT_DIR"])
    # Whatever libraries print goes to the log; standard output is for the answer alone.
    answer_fd = os.dup(1)
    os.dup2(2, 1)
    try:
        answer = {"detail": STEPS[name](root)}
    except FloeError as error:
        answer = {"error": error.to_json()}  # type: ignore[dict-item]
    except Exception as error:  # noqa: BLE001 - every defect must reach the user with its log
        traceback.print_exc()
        defect = FloeError(
            Code.STEP_FAILED,
            f"the step `{name}` failed",
            why=f"{type(error).__name__}: {error}",
            fix=f"look into {Layout(root).logs_dir / name}.log",
        )
        answer = {"error": defect.to_json()}  # type: ignore[dict-item]
    os.write(answer_fd, json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main()
