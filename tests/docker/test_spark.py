"""Spark on objects with vended keys, with the settings that floe prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import RunningStack
from tests.docker.spark import spark_works

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]


def test_spark_reads_and_writes_with_vended_keys(docker_stack: RunningStack, tmp_path: Path) -> None:
    printed = docker_stack.floe("env", "--for", "spark").stdout
    assert "iceberg-aws-bundle" in printed
    assert "vended-credentials" in printed
    assert "s3." not in printed
    spark_works(docker_stack, tmp_path)
