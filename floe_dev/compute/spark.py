"""Spark as the platform's compute: dbt-spark in a session, or against a Thrift server, with Iceberg's catalog.

The settings are Iceberg's own for Spark (iceberg.apache.org, "Spark configuration": catalogs of type `rest`).
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from floe_dev.config.secrets import variable_of
from floe_dev.model.connection import CatalogConnection
from floe_dev.model.project import Project

#: Iceberg's release, the Spark it is taken for where none is installed, and those it has a runtime for.
_ICEBERG, _SPARK = "1.10.0", "4.0"
_BUILT_FOR = {name: name for name in ("3.4", "3.5", "4.0")}


class SparkCompute:
    """Spark; `properties.method` is dbt-spark's (`session` if absent), with its other keys beside it."""

    type = "spark"
    modules = ("dbt.adapters.spark",)
    extra = "dbt-spark[session]"

    def dbt_output(self, project: Project) -> dict[str, Any]:
        """dbt-spark's target: in a session Spark is told of the catalog here, a server is told by its own."""
        compute = project.compute()
        properties = {"method": "session", "threads": 1, **compute.properties}
        output: dict[str, Any] = {
            "type": "spark",
            # dbt-spark has no database: names are schema.table in Spark's default catalog.
            "schema": (project.namespaces() or ("default",))[0],
            **properties,
            **{key: f"{{{{ env_var('{variable_of(ref.secret_ref)}') }}}}" for key, ref in compute.credentials.items()},
        }
        if output["method"] != "session":
            return output
        output.setdefault("host", "NA")  # dbt-spark wants one, and does not use it
        given = properties.get("server_side_parameters") or {}
        output["server_side_parameters"] = {**_settings(_References(project)), **given}
        return output

    def client(self, connection: CatalogConnection) -> str:
        """Lines of spark-defaults.conf."""
        settings = {"spark.jars.packages": ",".join(packages(connection)), **settings_of(connection)}
        width = max(map(len, settings))
        return "\n".join(f"{name.ljust(width)}  {value}" for name, value in settings.items())


def packages(connection: CatalogConnection) -> list[str]:
    """Maven coordinates of Iceberg's runtime for the Spark that is installed here, and of S3 where keys are vended.

    With vended keys Iceberg picks its S3FileIO by the table's location, and its classes are in the bundle.
    """
    try:
        spark = ".".join(version("pyspark").split(".")[:2])
    except PackageNotFoundError:
        spark = _SPARK
    spark = _BUILT_FOR.get(spark, _SPARK)
    scala = "2.12" if spark.startswith("3.") else "2.13"
    found = [f"org.apache.iceberg:iceberg-spark-runtime-{spark}_{scala}:{_ICEBERG}"]
    if connection.access_delegation != "none":
        found.append(f"org.apache.iceberg:iceberg-aws-bundle:{_ICEBERG}")
    return found


def settings_of(connection: CatalogConnection) -> dict[str, str]:
    """Spark's settings for a catalog, secret included; the jars are `packages`."""
    return _settings(_Values(connection))


class _Values:
    """A connection's own values."""

    def __init__(self, connection: CatalogConnection) -> None:
        credential = connection.credential
        self.alias, self.delegation = connection.alias, connection.access_delegation
        self.uri, self.warehouse, self.scope = connection.uri, connection.warehouse, connection.scope
        self.token_uri, self.signing = connection.token_uri, connection.signing
        self.credential = f"{credential.client_id}:{credential.client_secret.get_secret_value()}"


class _References:
    """The same as references that dbt resolves: a profile holds no credential."""

    signing = None

    def __init__(self, project: Project) -> None:
        catalog = project.catalog()
        self.alias, self.delegation = catalog.alias, catalog.access_delegation
        self.uri = "{{ env_var('POLARIS_URI') }}"
        self.warehouse = "{{ env_var('POLARIS_WAREHOUSE') }}"
        self.scope = "{{ env_var('POLARIS_SCOPE', 'PRINCIPAL_ROLE:ALL') }}"
        self.token_uri = f"{self.uri}/v1/oauth/tokens"
        self.credential = "{{ env_var('POLARIS_CLIENT_ID') }}:{{ env_var('POLARIS_CLIENT_SECRET') }}"


def _settings(known: _Values | _References) -> dict[str, str]:
    prefix = f"spark.sql.catalog.{known.alias}"
    settings = {
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        prefix: "org.apache.iceberg.spark.SparkCatalog",
        f"{prefix}.type": "rest",
        f"{prefix}.uri": known.uri,
        f"{prefix}.warehouse": known.warehouse,
    }
    if known.signing is not None:
        settings[f"{prefix}.rest.sigv4-enabled"] = "true"
        settings[f"{prefix}.rest.signing-name"] = known.signing.name
        settings[f"{prefix}.rest.signing-region"] = known.signing.region
    else:
        settings[f"{prefix}.credential"] = known.credential
        settings[f"{prefix}.oauth2-server-uri"] = known.token_uri
        settings[f"{prefix}.scope"] = known.scope
    settings["spark.sql.defaultCatalog"] = known.alias
    if known.delegation != "none":
        settings[f"{prefix}.header.X-Iceberg-Access-Delegation"] = known.delegation.replace("_", "-")
    return settings


SPARK = SparkCompute()
