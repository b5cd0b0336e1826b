"""Apache Polaris, and any Iceberg REST catalog that takes an OAuth2 client credential: floe's own, too."""

from __future__ import annotations

from collections.abc import Iterator

from floe_dev.catalogs.base import Resolve
from floe_dev.model.connection import CatalogConnection, Credential
from floe_dev.model.platform import CatalogSpec


class RestCatalog:
    """An Iceberg REST catalog with OAuth2."""

    def __init__(self, kind: str) -> None:
        """`kind` is the word in platform.yaml."""
        self.type = kind

    def problems(self, spec: CatalogSpec) -> Iterator[tuple[tuple[str, ...], str, str]]:
        """A client credential is how floe's clients authenticate."""
        for key in ("client_id", "client_secret"):
            if getattr(spec.credentials, key) is None:
                yield (
                    ("credentials",),
                    f"there is no {key}, and an OAuth2 client credential is how floe's clients authenticate",
                    f"add `{key}: {{secret_ref: …}}`",
                )

    def connection(self, spec: CatalogSpec, uri: str, resolve: Resolve) -> CatalogConnection:
        """The connection, secrets resolved."""
        credentials = spec.credentials
        assert credentials.client_id is not None, "`problems` told of it"
        assert credentials.client_secret is not None, "`problems` told of it"
        client_id = resolve("client_id", credentials.client_id)
        return CatalogConnection(
            uri=uri,
            warehouse=spec.warehouse,
            credential=Credential(
                client_id=client_id.get_secret_value(),
                client_secret=resolve("client_secret", credentials.client_secret),
            ),
            scope=credentials.scope,
            alias=spec.alias,
            access_delegation=spec.access_delegation,
        )


POLARIS = RestCatalog("polaris")
REST = RestCatalog("rest")
