"""Spark with nothing but what `floe env --for spark` prints."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import RunningStack

#: Where scripts/extras.py has it.
_EXTRA = Path(__file__).resolve().parents[2] / ".extras" / "spark"
_SCRIPT = """
import sys
from pyspark.sql import SparkSession

builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
for line in open(sys.argv[1], encoding="utf-8"):
    if line.strip():
        builder = builder.config(*line.strip().split(None, 1))
spark = builder.getOrCreate()
print("RAW", spark.sql("SELECT count(*) FROM bronze.raw").first()[0])
spark.sql("CREATE NAMESPACE IF NOT EXISTS spark")
spark.sql("CREATE TABLE spark.made (n BIGINT, day DATE) PARTITIONED BY (day)")
spark.sql("INSERT INTO spark.made SELECT id, DATE '2026-01-01' + CAST(id % 3 AS INT) FROM range(100)")
spark.sql("DELETE FROM spark.made WHERE n >= 90")
spark.sql("MERGE INTO spark.made t USING (SELECT 5L n, DATE '2026-02-01' day) s ON t.n = s.n "
          "WHEN MATCHED THEN UPDATE SET day = s.day")
print("MADE", spark.sql("SELECT count(*) FROM spark.made").first()[0])
spark.stop()
"""


def spark_works(stack: RunningStack, folder: Path) -> None:
    """Spark reads a table of the project, and writes one that DuckDB reads; skips without PySpark or Java."""
    environment = dict(os.environ)
    if importlib.util.find_spec("pyspark") is None:
        if not (_EXTRA / "pyspark").is_dir():
            pytest.skip("PySpark is not installed: make test-extras")
        environment["PYTHONPATH"] = str(_EXTRA)
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        pytest.skip("Spark needs Java: install a JRE of version 17 or later")
    settings, script = folder / "spark-defaults.conf", folder / "made.py"
    settings.write_text(stack.floe("env", "--for", "spark").stdout)
    script.write_text(_SCRIPT)
    command = [sys.executable, str(script), str(settings)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False, env=environment)
    if "Server access error" in done.stdout + done.stderr:
        pytest.skip("Iceberg's jars cannot be had from Maven Central here")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "RAW 10" in done.stdout
    assert "MADE 90" in done.stdout
    asked = stack.floe("sql", "--format", "csv", "select count(*), count(distinct day) from spark.made")
    assert asked.stdout.splitlines()[-1] == "90,4", asked.stderr
