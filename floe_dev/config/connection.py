"""From the two files to a CatalogConnection, in every environment the same way."""

from __future__ import annotations

from collections.abc import Mapping

from floe_dev.config.secrets import resolve_secret
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.connection import CatalogConnection, Credential
from floe_dev.model.project import Project


def connection_from_platform(project: Project, environ: Mapping[str, str]) -> CatalogConnection:
    """The connection that floe.yaml's `catalog` names, secrets resolved from `environ`.

    Raises FloeError 1203 where a secret is missing, 1202 where the catalog has no client credential.
    """
    spec = project.catalog()
    where = Where(project.platform_file, key=f"catalogs.{project.spec.catalog}.credentials")
    credentials = spec.credentials
    if credentials.client_id is None or credentials.client_secret is None:
        raise FloeError(
            Code.INVALID_VALUE,
            f"catalog `{project.spec.catalog}` has no client_id and client_secret",
            why="an OAuth2 client credential is how floe's clients authenticate",
            fix="add `client_id: {secret_ref: …}` and `client_secret: {secret_ref: …}`",
            where=where,
        )
    return CatalogConnection(
        uri=environ.get("POLARIS_URI") or spec.uri,
        warehouse=spec.warehouse,
        credential=Credential(
            client_id=resolve_secret(credentials.client_id.secret_ref, environ, where=where).get_secret_value(),
            client_secret=resolve_secret(credentials.client_secret.secret_ref, environ, where=where),
        ),
        scope=credentials.scope,
        alias=spec.alias,
        access_delegation=spec.access_delegation,
    )
