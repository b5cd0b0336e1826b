"""From the two files to a CatalogConnection, in every environment the same way."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr

from floe_dev.config.secrets import resolve_secret
from floe_dev.config.yaml_source import read_yaml
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.connection import CatalogConnection, Credential
from floe_dev.model.platform import SecretRef
from floe_dev.model.project import Project


def connection_from_platform(project: Project, environ: Mapping[str, str]) -> CatalogConnection:
    """The connection that floe.yaml's `catalog` names, secrets resolved from `environ`.

    Raises FloeError 1203 where a secret is missing, 1202 where the catalog has no client credential.
    """
    spec = project.catalog()
    credentials = spec.credentials
    if credentials.client_id is None or credentials.client_secret is None:
        raise FloeError(
            Code.INVALID_VALUE,
            f"catalog `{project.spec.catalog}` has no client_id and client_secret",
            why="an OAuth2 client credential is how floe's clients authenticate",
            fix="add `client_id: {secret_ref: …}` and `client_secret: {secret_ref: …}`",
            where=_place(project, "credentials"),
        )
    client_id = _resolve(project, "client_id", credentials.client_id, environ)
    client_secret = _resolve(project, "client_secret", credentials.client_secret, environ)
    return CatalogConnection(
        uri=environ.get("POLARIS_URI") or spec.uri,
        warehouse=spec.warehouse,
        credential=Credential(client_id=client_id.get_secret_value(), client_secret=client_secret),
        scope=credentials.scope,
        alias=spec.alias,
        access_delegation=spec.access_delegation,
    )


def _resolve(project: Project, key: str, ref: SecretRef, environ: Mapping[str, str]) -> SecretStr:
    try:
        return resolve_secret(ref.secret_ref, environ)
    except FloeError as error:
        error.where = _place(project, "credentials", key, "secret_ref")
        raise


def _place(project: Project, *keys: str) -> Where:
    """The line in platform.yaml; the file is read again, which only a failing command does."""
    path = ("catalogs", project.spec.catalog, *keys)
    try:
        return read_yaml(project.platform_file).where(path)
    except FloeError:
        return Where(project.platform_file, key=".".join(path))
