"""What a compute (`compute.NAME.type` in platform.yaml) has to be able to do: SQL stays dbt's, whichever it is."""

from __future__ import annotations

from typing import Any, Protocol

from floe_dev.model.connection import CatalogConnection
from floe_dev.model.project import Project


class Compute(Protocol):
    """One engine. No method does I/O."""

    #: The word in platform.yaml.
    type: str
    #: Modules that dbt needs for it, and what pip installs them by; none for what floe brings along.
    modules: tuple[str, ...]
    extra: str

    def dbt_output(self, project: Project) -> dict[str, Any]:
        """The target of the generated dbt profile; every credential is an `env_var(…)`."""
        ...

    def client(self, connection: CatalogConnection) -> str:
        """What makes the engine reach the catalog: statements or settings to paste, secret included."""
        ...
