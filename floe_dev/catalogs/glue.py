"""AWS Glue's Iceberg REST endpoint: signed requests (SigV4), the credential from AWS's own chain.

Source of the rules: AWS Glue developer guide, "Connecting to the Data Catalog using the Glue Iceberg REST endpoint":
the endpoint is `https://glue.REGION.amazonaws.com/iceberg`, the signing name `glue`, the warehouse the account's id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from floe_dev.catalogs.base import Resolve
from floe_dev.model.connection import CatalogConnection, Signing
from floe_dev.model.platform import CatalogSpec

_REGION = re.compile(r"//glue\.([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com")


class GlueCatalog:
    """AWS Glue."""

    type = "glue"

    def problems(self, spec: CatalogSpec) -> Iterator[tuple[tuple[str, ...], str, str]]:
        """The region has to be known, and Glue takes signatures, not tokens."""
        if spec.credentials.mode != "sigv4":
            yield (
                ("credentials", "mode"),
                f"Glue takes requests signed with SigV4, not {spec.credentials.mode}",
                "write `credentials: {mode: sigv4}`",
            )
        if _region(spec) is None:
            yield (
                ("uri",),
                "neither the address nor `properties.region` names a region",
                "add `properties: {region: eu-central-1}`",
            )

    def connection(self, spec: CatalogSpec, uri: str, resolve: Resolve) -> CatalogConnection:  # noqa: ARG002
        """The connection; no secret of platform.yaml is needed."""
        return CatalogConnection(
            uri=uri,
            warehouse=spec.warehouse,
            alias=spec.alias,
            access_delegation=spec.access_delegation,
            signing=Signing(name=spec.properties.get("signing_name", "glue"), region=_region(spec) or ""),
        )


def _region(spec: CatalogSpec) -> str | None:
    match = _REGION.search(spec.uri)
    return spec.properties.get("region") or (match.group(1) if match else None)


GLUE = GlueCatalog()
