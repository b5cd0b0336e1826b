"""Dagster resources made from the project's two files: references only, credentials by EnvVar."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dagster import ConfigurableIOManagerFactory, EnvVar, InitResourceContext, IOManager
from pydantic import Field

from floe_dev.config.secrets import variable_of
from floe_dev.model.project import Project

if TYPE_CHECKING:
    from floe_dev.model.connection import CatalogConnection


class IcebergIOManager(ConfigurableIOManagerFactory[IOManager]):
    """dagster-iceberg's PyArrowIcebergIOManager on the project's catalog; it never knows a storage path.

    An asset is the table `namespace.name` of its key `[namespace, name]`. The secrets are EnvVars: Dagster resolves
    them when a run starts, so its repository snapshot has their names and never their values.
    """

    uri: str = Field(description="Base of the catalog's REST API, without /v1.")
    warehouse: str = Field(description="The catalog's name at its server.")
    client_id: str
    client_secret: str
    scope: str = "PRINCIPAL_ROLE:ALL"
    alias: str = "polaris_catalog"
    access_delegation: str = "none"

    def connection(self) -> CatalogConnection:
        """The same value that every other client of the catalog uses."""
        from pydantic import SecretStr

        from floe_dev.model.connection import CatalogConnection, Credential

        return CatalogConnection(
            uri=self.uri,
            warehouse=self.warehouse,
            credential=Credential(client_id=self.client_id, client_secret=SecretStr(self.client_secret)),
            scope=self.scope,
            alias=self.alias,
            access_delegation=self.access_delegation,
        )

    def create_io_manager(self, context: InitResourceContext) -> IOManager:  # noqa: ARG002
        """Imports dagster-iceberg and PyIceberg only now: the code server, which runs nothing, is spared a second."""
        from floe_dev.orchestrators.dagster.iceberg_io import iceberg_io_manager

        return iceberg_io_manager(self.connection())


def project_resources(project: Project) -> dict[str, Any]:
    """`io_manager` for the catalog that floe.yaml names."""
    spec = project.catalog()
    credentials = spec.credentials
    client_id = credentials.client_id.secret_ref if credentials.client_id else "polaris-client-id"
    client_secret = credentials.client_secret.secret_ref if credentials.client_secret else "polaris-client-secret"
    return {
        "io_manager": IcebergIOManager(
            uri=_uri(spec.uri),
            warehouse=spec.warehouse,
            client_id=EnvVar(variable_of(client_id)),
            client_secret=EnvVar(variable_of(client_secret)),
            scope=credentials.scope,
            alias=spec.alias,
            access_delegation=spec.access_delegation,
        )
    }


def _uri(declared: str) -> str:
    """POLARIS_URI wherever it is set: a stack's replaced port must not need new definitions."""
    return EnvVar("POLARIS_URI") if os.environ.get("POLARIS_URI") else declared
