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
_INSTALL = "pip install 'pyspark>=4.0,<4.1'"


@contextlib.contextmanager
def session_of(lakehouse: Lakehouse) -> Iterator[Any]:
    """A `SparkSession`, stopped at the end; skips where PySpark or Java is missing."""
    try:
        sql = importlib.import_module("pyspark.sql")
    except ImportError:
        pytest.skip(f"PySpark is not installed: {_INSTALL}")
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        pytest.skip("Spark needs Java: install a JRE of version 17 or later, or set JAVA_HOME")
    builder = sql.SparkSession.builder.master("local[1]").appName(lakehouse.principal)
    for key, value in settings(lakehouse).items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    try:
        session.sql(f"USE {lakehouse.connection.alias}.{lakehouse.namespace}")
        yield session
    finally:
        session.stop()


def settings(lakehouse: Lakehouse) -> dict[str, str]:
    """Spark's settings for this lakehouse, secret included: those of `floe env --for spark`, on one core."""
    from floe_dev.compute.spark import packages, settings_of

    connection = lakehouse.connection
    found = {
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.shuffle.partitions": "1",
        **settings_of(connection),
        # Other clients of the test write too.
        f"spark.sql.catalog.{connection.alias}.cache-enabled": "false",
    }
    if os.environ.get(JARS):
        found["spark.jars"] = os.environ[JARS]
    else:
        found["spark.jars.packages"] = os.environ.get(PACKAGES) or ",".join(packages(connection))
    return found
