"""What each snapshot's summary carries, so that table, run, dbt node, trace and git commit can be walked both ways."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from floe_dev import __version__


def snapshot_properties(
    model: Mapping[str, Any], invocation_id: str, principal: str, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The `floe.*` keys of one dbt node's snapshot (docs/reference/snapshot-summary.md); unknown ones are left out."""
    commit, dirty = _git(environ.get("FLOE_PROJECT_DIR") or os.getcwd())  # noqa: PTH109
    keys = {
        "floe.version": __version__,
        "floe.run-id": environ.get("FLOE_RUN_ID"),
        "floe.trace-id": _trace_id(environ.get("TRACEPARENT")),
        "floe.dbt-invocation-id": invocation_id,
        "floe.asset": f"{model['schema']}/{model.get('alias') or model['name']}" if model.get("schema") else None,
        "floe.dbt-node": model.get("unique_id"),
        "floe.dbt-checksum": (model.get("checksum") or {}).get("checksum"),
        "floe.principal": principal,
        "floe.git-commit": commit,
        "floe.git-dirty": dirty,
    }
    return {key: str(value) for key, value in keys.items() if value}


def _trace_id(traceparent: str | None) -> str | None:
    """The trace id of a W3C traceparent (version-traceid-spanid-flags)."""
    parts = (traceparent or "").split("-")
    return parts[1] if len(parts) >= 4 and len(parts[1]) == 32 else None


@lru_cache
def _git(folder: str) -> tuple[str | None, str | None]:
    """The commit checked out at `folder` and `true`/`false` for uncommitted changes; None outside a checkout."""
    try:
        done = subprocess.run(
            ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=no"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None, None
    lines = done.stdout.splitlines()
    commit = next((line.split()[2] for line in lines if line.startswith("# branch.oid ")), None)
    return commit, "true" if any(not line.startswith("#") for line in lines) else "false"
