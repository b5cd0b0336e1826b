"""What an orchestrator has to be able to do with a compiled project: the graph, and making it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

#: What an asset needs: (upstream key, key).
Edge = tuple[str, str]


class Orchestrator(Protocol):
    """One orchestrator. Everything it knows of a project stands in CompiledArtifacts."""

    #: The name it is registered by.
    name: str
    #: Modules that have to be installed, and what pip installs them by.
    modules: tuple[str, ...]
    extra: str

    def build(self, artifacts: Path) -> Any:
        """The orchestrator's own object for the project compiled into the file; raises FloeError 14xx for the file."""
        ...

    def edges(self, built: Any) -> set[Edge]:
        """The dependencies among the assets that `built` makes, as the orchestrator itself has them."""
        ...

    def run(self, built: Any, keys: Sequence[str] = ()) -> None:
        """Make the assets of these keys (none: all) once, here and now; raises where one fails."""
        ...
