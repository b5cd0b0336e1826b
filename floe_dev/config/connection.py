"""From the two files to a CatalogConnection, in every environment the same way."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr

from floe_dev.config.credentials import SERVICE_PRINCIPAL, load_secrets
from floe_dev.config.plugins import load
from floe_dev.config.project import platform_name
from floe_dev.config.secrets import resolve_secret
from floe_dev.config.yaml_source import read_yaml
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.connection import CatalogConnection
from floe_dev.model.platform import SecretRef
from floe_dev.model.project import Project


def connection_from_platform(project: Project, environ: Mapping[str, str]) -> CatalogConnection:
    """The connection that floe.yaml's `catalog` names, secrets resolved from `environ`.

    Raises FloeError 1203 where a secret is missing, 1202 where the catalog lacks what its type needs, 1501 for a type
    that is not installed.
    """
    spec = project.catalog()
    catalog = load("catalogs", spec.type, _place(project, "type"))
    for keys, why, fix in catalog.problems(spec):
        raise FloeError(
            Code.INVALID_VALUE,
            f"catalog `{project.spec.catalog}` ({spec.type}) cannot be reached as it is declared",
            why=why,
            fix=fix,
            where=_place(project, *keys),
        )
    made: CatalogConnection = catalog.connection(
        spec, environ.get("POLARIS_URI") or spec.uri, lambda key, ref: _resolve(project, key, ref, environ)
    )
    return made


def stack_connection(
    project: Project, environ: Mapping[str, str], principal: str = SERVICE_PRINCIPAL
) -> CatalogConnection:
    """How to reach the catalog of the project's stack as `principal`.

    The stack's own generated credentials come first; a catalog that floe did not provision is reached with what
    platform.yaml refers to. Raises FloeError 2001 if the stack never ran, and what `connection_from_platform` raises.
    """
    layout = project.layout
    secrets = load_secrets(layout) if platform_name(project.root, environ) == "local" else None
    credential = secrets.principals.get(principal) if secrets else None
    if credential is None:
        if principal != SERVICE_PRINCIPAL or layout.overlay_file.exists():
            raise _never_ran(f"the stack has no principal {principal!r} yet")
        try:
            return connection_from_platform(project, environ)
        except FloeError as error:
            if error.code is Code.SECRET_MISSING:
                raise _never_ran("it never ran, and platform.yaml's secrets are not set here") from error
            raise
    spec = project.catalog()
    return CatalogConnection(
        uri=spec.uri,
        warehouse=spec.warehouse,
        credential=credential,
        scope=spec.credentials.scope,
        alias=spec.alias,
        access_delegation=spec.access_delegation,
    )


def _never_ran(why: str) -> FloeError:
    return FloeError(Code.NOT_RUNNING, "the stack is not running", why=why, fix="floe up")


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
