"""What a kind of catalog (`catalogs.NAME.type` in platform.yaml) has to be able to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from pydantic import SecretStr

from floe_dev.model.connection import CatalogConnection
from floe_dev.model.platform import CatalogSpec, SecretRef

#: Resolves the secret that stands at a key below `credentials`.
Resolve = Callable[[str, SecretRef], SecretStr]


class Catalog(Protocol):
    """One kind of Iceberg catalog: how clients are told to reach it. No method does I/O."""

    #: The word in platform.yaml.
    type: str

    def problems(self, spec: CatalogSpec) -> Iterator[tuple[tuple[str, ...], str, str]]:
        """What platform.yaml lacks for this kind: the key below the catalog, what is wrong, and the edit."""
        ...

    def connection(self, spec: CatalogSpec, uri: str, resolve: Resolve) -> CatalogConnection:
        """The connection behind a spec without problems, at `uri`; raises what `resolve` raises."""
        ...
