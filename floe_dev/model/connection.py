"""How a client reaches a catalog: the one value that every client's settings are made from."""

from __future__ import annotations

from pydantic import SecretStr

from floe_dev.model.base import Model

#: The name clients attach the catalog under (ATTACH … AS polaris_catalog).
DEFAULT_ALIAS = "polaris_catalog"


class Credential(Model):
    """An OAuth2 client credential of one principal."""

    client_id: str
    client_secret: SecretStr


class Signing(Model):
    """What requests are signed for, where a catalog asks for AWS Signature Version 4 in place of a token."""

    name: str
    region: str


class CatalogConnection(Model):
    """An Iceberg REST catalog, and the principal that speaks to it.

    `uri` is the REST base without `/v1` (Polaris: `http://127.0.0.1:8181/api/catalog`); `warehouse` the catalog's name.
    With `signing` the credential is AWS's own chain (environment, profile, role), and `credential` is empty.
    """

    uri: str
    warehouse: str
    credential: Credential = Credential(client_id="", client_secret=SecretStr(""))
    scope: str = "PRINCIPAL_ROLE:ALL"
    alias: str = DEFAULT_ALIAS
    access_delegation: str = "none"
    signing: Signing | None = None

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
        address = {"POLARIS_URI": self.uri, "POLARIS_WAREHOUSE": self.warehouse}
        if self.signing is not None:
            return {**address, "AWS_REGION": self.signing.region}
        return {
            **address,
            "POLARIS_CLIENT_ID": self.credential.client_id,
            "POLARIS_CLIENT_SECRET": self.credential.client_secret.get_secret_value(),
            "POLARIS_SCOPE": self.scope,
        }

    def pyiceberg_properties(self) -> dict[str, str]:
        """Properties for `pyiceberg.catalog.load_catalog`."""
        properties = {"type": "rest", "uri": self.uri, "warehouse": self.warehouse}
        if self.signing is not None:
            properties |= {
                "rest.sigv4-enabled": "true",
                "rest.signing-name": self.signing.name,
                "rest.signing-region": self.signing.region,
            }
        else:
            properties |= {
                "credential": f"{self.credential.client_id}:{self.credential.client_secret.get_secret_value()}",
                "oauth2-server-uri": self.token_uri,
                "scope": self.scope,
            }
        # PyIceberg asks for vended credentials unless told otherwise; a catalog that has none to vend answers 400.
        properties["header.X-Iceberg-Access-Delegation"] = (
            "" if self.access_delegation == "none" else self.access_delegation.replace("_", "-")
        )
        return properties

    def attach_options(self) -> dict[str, str]:
        """Options of DuckDB's `ATTACH … (TYPE iceberg, …)`, secret included."""
        delegation = {
            "ACCESS_DELEGATION_MODE": "none" if self.access_delegation == "none" else "vended_credentials",
        }
        if self.signing is not None:
            return {"ENDPOINT": self.uri, "AUTHORIZATION_TYPE": "sigv4", **delegation}
        return {
            "ENDPOINT": self.uri,
            "CLIENT_ID": self.credential.client_id,
            "CLIENT_SECRET": self.credential.client_secret.get_secret_value(),
            "OAUTH2_SERVER_URI": self.token_uri,
            "OAUTH2_SCOPE": self.scope,
            **delegation,
        }
