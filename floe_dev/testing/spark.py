"""Spark in a test: a local session whose default catalog is the test's lakehouse."""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from floe_dev.testing.lakehouse import Lakehouse

#: Comma-separated jars, or Maven coordinates, with Iceberg's runtime for the Spark that is installed.
JARS, PACKAGES = "FLOE_SPARK_JARS", "FLOE_SPARK_PACKAGES"
_ICEBERG = "org.apache.iceberg:iceberg-spark-runtime-{spark}_2.13:1.10.0"


@contextlib.contextmanager
def session_of(lakehouse: Lakehouse) -> Iterator[Any]:
    """A `SparkSession`, stopped at the end; skips where PySpark or Java is missing."""
    try:
        pyspark = importlib.import_module("pyspark")
        sql = importlib.import_module("pyspark.sql")
    except ImportError:
        pytest.skip("PySpark is not installed: pip install pyspark")
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        pytest.skip("Spark needs Java: install a JRE of version 17 or later, or set JAVA_HOME")
    builder = sql.SparkSession.builder.master("local[1]").appName(lakehouse.principal)
    version = ".".join(str(pyspark.__version__).split(".")[:2])
    for key, value in settings(lakehouse, version).items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    try:
        session.sql(f"USE {lakehouse.connection.alias}.{lakehouse.namespace}")
        yield session
    finally:
        session.stop()


def settings(lakehouse: Lakehouse, spark_version: str) -> dict[str, str]:
    """Spark's settings for this lakehouse, secret included; `spark_version` is major and minor, such as `4.0`."""
    connection = lakehouse.connection
    catalog = f"spark.sql.catalog.{connection.alias}"
    credential = connection.credential
    found = {
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.defaultCatalog": connection.alias,
        catalog: "org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.type": "rest",
        f"{catalog}.uri": connection.uri,
        f"{catalog}.warehouse": connection.warehouse,
        f"{catalog}.credential": f"{credential.client_id}:{credential.client_secret.get_secret_value()}",
        f"{catalog}.scope": connection.scope,
        f"{catalog}.oauth2-server-uri": connection.token_uri,
        f"{catalog}.cache-enabled": "false",
    }
    if connection.access_delegation != "none":
        found[f"{catalog}.header.X-Iceberg-Access-Delegation"] = connection.access_delegation
    if os.environ.get(JARS):
        found["spark.jars"] = os.environ[JARS]
    else:
        found["spark.jars.packages"] = os.environ.get(PACKAGES) or _ICEBERG.format(spark=spark_version)
    return found
