"""What tells the rows of a dbt node's table apart, as its project says."""

from __future__ import annotations

import json
from pathlib import Path


def unique_key(manifest: Path, node: str) -> tuple[str, ...]:
    """The columns of the node's `unique_key`, else of its first `unique` test; empty where it has none of both."""
    try:
        nodes = json.loads(manifest.read_bytes()).get("nodes", {})
    except (OSError, ValueError):
        return ()
    configured = (nodes.get(node, {}).get("config") or {}).get("unique_key")
    if isinstance(configured, str):
        return (configured,)
    if isinstance(configured, list) and configured:
        return tuple(str(column) for column in configured)
    for name in sorted(nodes):
        test = nodes[name]
        if test.get("attached_node") == node and (test.get("test_metadata") or {}).get("name") == "unique":
            column = test.get("column_name")
            if column:
                return (str(column),)
    return ()
