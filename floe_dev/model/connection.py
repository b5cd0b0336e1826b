"""How a client reaches a catalog: the one value that every client's settings are made from."""

from __future__ import annotations

from pydantic import SecretStr

from floe_dev.model.base import Model

#: The name clients attach the catalog under (the seed's ATTACH … AS polaris_catalog).
DEFAULT_ALIAS = "polaris_catalog"


class Credential(Model):
    """An OAuth2 client credential of one principal."""

    client_id: str
    client_secret: SecretStr


class CatalogConnection(Model):
    """An Iceberg REST catalog, and the principal that speaks to it.

    `uri` is the REST base without `/v1` (Polaris: `http://127.0.0.1:8181/api/catalog`); `warehouse` the catalog's name.
    """

    uri: str
    warehouse: str
    credential: Credential
    scope: str = "PRINCIPAL_ROLE:ALL"
    alias: str = DEFAULT_ALIAS
    access_delegation: str = "none"

    @property
    def token_uri(self) -> str:
        """OAuth2 token endpoint."""
        return f"{self.uri}/v1/oauth/tokens"

    @property
    def management_uri(self) -> str:
        """Base of Polaris's management API beside the catalog API."""
        return self.uri.removesuffix("/api/catalog") + "/api/management/v1"

    def environment(self) -> dict[str, str]:
        """The variables the platform's projects read (POLARIS_*), secret included."""
        return {
            "POLARIS_URI": self.uri,
            "POLARIS_WAREHOUSE": self.warehouse,
            "POLARIS_CLIENT_ID": self.credential.client_id,
            "POLARIS_CLIENT_SECRET": self.credential.client_secret.get_secret_value(),
            "POLARIS_SCOPE": self.scope,
        }

    def pyiceberg_properties(self) -> dict[str, str]:
        """Properties for `pyiceberg.catalog.load_catalog`."""
        credential = self.credential
        properties = {
            "type": "rest",
            "uri": self.uri,
            "warehouse": self.warehouse,
            "credential": f"{credential.client_id}:{credential.client_secret.get_secret_value()}",
            "oauth2-server-uri": self.token_uri,
            "scope": self.scope,
        }
        # PyIceberg asks for vended credentials unless told otherwise; a catalog that has none to vend answers 400.
        properties["header.X-Iceberg-Access-Delegation"] = (
            "" if self.access_delegation == "none" else self.access_delegation.replace("_", "-")
        )
        return properties
