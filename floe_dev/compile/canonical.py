"""dbt's manifest in a form that is the same for the same project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What dbt writes anew at each parse, or what is true on one machine only.
_VOLATILE_METADATA = ("generated_at", "invocation_id", "invocation_started_at", "user_id", "env", "run_started_at")
_VOLATILE = ("created_at", "root_path", "build_path", "compiled_path", "compiled_code", "compiled")


def stable_manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Dbt's manifest without times, ids of invocations and folders of this machine."""
    stable = {key: _without(value) for key, value in manifest.items()}
    metadata = manifest.get("metadata") or {}
    stable["metadata"] = {key: value for key, value in metadata.items() if key not in _VOLATILE_METADATA}
    for name in ("parent_map", "child_map"):
        stable[name] = {key: sorted(value) for key, value in (manifest.get(name) or {}).items()}
    return stable


def _without(value: Any) -> Any:
    """One section of the manifest: nodes by unique id, some of them in lists (`disabled`)."""
    if not isinstance(value, dict):
        return value
    return {key: _bare(item) for key, item in value.items()}


def _bare(item: Any) -> Any:
    if isinstance(item, list):
        return [_bare(each) for each in item]
    if isinstance(item, dict):
        return {key: value for key, value in item.items() if key not in _VOLATILE}
    return item
