"""What every dbt command does before it reads a project, done at import: for the fork server, when nobody waits for it.

dbt builds a JSON schema of each kind of configuration and compiles the (de)serializers of its nodes on first use; with
its imports that is more than half of a partial parse of a hundred models. Whatever is forked afterwards has it. The
adapter stays out: importing DuckDB starts a thread, and no thread survives a fork.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
from collections.abc import Callable
from typing import Any

#: Their JSON schemas check dbt_project.yml, profiles.yml, packages.yml and selectors.yml.
_CHECKED = ("Project", "ProjectFlags", "ProfileConfig", "PackageConfig", "Configuration")
_NODES = ("ModelNode", "SeedNode", "SnapshotNode", "SourceDefinition", "GenericTestNode", "SingularTestNode", "Macro")
_WRITERS = ("__mashumaro_to_dict__", "__mashumaro_to_msgpack__")


def warm() -> None:
    """Do it; what this version of dbt has under another name is left for the commands themselves."""
    importlib.import_module("dbt.cli.main")
    importlib.import_module("dbt.task.build")
    project = importlib.import_module("dbt.contracts.project")
    for name in _CHECKED:
        _attempt(lambda name=name: getattr(project, name).json_schema())  # type: ignore[misc]
    nodes = importlib.import_module("dbt.contracts.graph.nodes")
    for name in _NODES:
        node = getattr(nodes, name, None)
        if node is not None:
            _compile(node)
    manifest = importlib.import_module("dbt.contracts.graph.manifest").Manifest
    _attempt(lambda: manifest.from_msgpack(manifest().to_msgpack()))
    # An adapter asks where it is called from, for which Python resolves the path of every module, once.
    _attempt(inspect.stack)


def _compile(node: Any) -> None:
    """Have its (de)serializers compiled: a call compiles them, and then fails for want of fields."""
    _attempt(lambda: node.__mashumaro_from_msgpack__({}))
    _attempt(lambda: node.from_dict({}))
    for kind in (node, node.resource_class()):
        for name in _WRITERS:
            _attempt(lambda kind=kind, name=name: getattr(kind, name)(kind.__new__(kind)))  # type: ignore[misc]


def _attempt(action: Callable[[], object]) -> None:
    with contextlib.suppress(Exception):
        action()


warm()
