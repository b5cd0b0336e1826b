"""Spark on the embedded stack, with the settings that floe prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import RunningStack
from tests.docker.spark import spark_works

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


def test_spark_reads_and_writes_files(stack: RunningStack, tmp_path: Path) -> None:
    assert "iceberg-aws-bundle" not in stack.floe("env", "--for", "spark").stdout
    spark_works(stack, tmp_path)
