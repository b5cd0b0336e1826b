"""Snowflake as the platform's compute: dbt-snowflake, and a catalog integration through which it sees the tables.

The statement is Snowflake's own (docs.snowflake.com, "CREATE CATALOG INTEGRATION (Apache Iceberg REST)").
"""

from __future__ import annotations

from typing import Any

from floe_dev.config.secrets import variable_of
from floe_dev.model.connection import CatalogConnection
from floe_dev.model.project import Project


class SnowflakeCompute:
    """Snowflake; `properties` are dbt-snowflake's keys, such as account, warehouse, role and database."""

    type = "snowflake"
    modules = ("dbt.adapters.snowflake",)
    extra = "dbt-snowflake"

    def dbt_output(self, project: Project) -> dict[str, Any]:
        """dbt-snowflake's target; `compute.NAME.credentials` become environment variables."""
        compute = project.compute()
        return {
            "type": "snowflake",
            "database": project.catalog().alias,
            "schema": (project.namespaces() or ("public",))[0],
            "threads": 4,
            **compute.properties,
            **{key: f"{{{{ env_var('{variable_of(ref.secret_ref)}') }}}}" for key, ref in compute.credentials.items()},
        }

    def client(self, connection: CatalogConnection) -> str:
        """The catalog integration, to be run by an account administrator; it needs an address Snowflake can reach."""
        return (
            f"CREATE OR REPLACE CATALOG INTEGRATION {connection.alias}\n"
            "  CATALOG_SOURCE = ICEBERG_REST\n"
            "  TABLE_FORMAT = ICEBERG\n"
            "  REST_CONFIG = (\n"
            f"    CATALOG_URI = {_sql(connection.uri)}\n"
            f"    CATALOG_NAME = {_sql(connection.warehouse)}\n"
            f"    ACCESS_DELEGATION_MODE = {_delegation(connection)}\n"
            "  )\n"
            f"{_authentication(connection)}"
            "  ENABLED = TRUE;"
        )


def _delegation(connection: CatalogConnection) -> str:
    return "EXTERNAL_VOLUME_CREDENTIALS" if connection.access_delegation == "none" else "VENDED_CREDENTIALS"


def _authentication(connection: CatalogConnection) -> str:
    if connection.signing is not None:
        return (
            "  REST_AUTHENTICATION = (\n"
            "    TYPE = SIGV4\n"
            "    SIGV4_IAM_ROLE = '<the role that Snowflake assumes>'\n"
            f"    SIGV4_SIGNING_REGION = {_sql(connection.signing.region)}\n"
            "  )\n"
        )
    return (
        "  REST_AUTHENTICATION = (\n"
        "    TYPE = OAUTH\n"
        f"    OAUTH_TOKEN_URI = {_sql(connection.token_uri)}\n"
        f"    OAUTH_CLIENT_ID = {_sql(connection.credential.client_id)}\n"
        f"    OAUTH_CLIENT_SECRET = {_sql(connection.credential.client_secret.get_secret_value())}\n"
        f"    OAUTH_ALLOWED_SCOPES = ({_sql(connection.scope)})\n"
        "  )\n"
    )


def _sql(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


SNOWFLAKE = SnowflakeCompute()
