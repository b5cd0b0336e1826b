"""Each compute."""

from __future__ import annotations

from pathlib import Path

import pytest

from floe_dev.compute.base import Compute
from floe_dev.config.plugins import load
from floe_dev.config.project import load_project
from floe_dev.dbt.profile import write_profile
from floe_dev.errors import Code, FloeError
from floe_dev.testing.contracts import ComputeContract
from tests.cli.tiny import FLOE_YAML, PLATFORM_YAML


class TestDuckDB(ComputeContract):
    @pytest.fixture
    def compute(self) -> Compute:
        found: Compute = load("computes", "duckdb")
        return found


class TestSpark(ComputeContract):
    @pytest.fixture
    def compute(self) -> Compute:
        found: Compute = load("computes", "spark")
        return found


class TestSnowflake(ComputeContract):
    @pytest.fixture
    def compute(self) -> Compute:
        found: Compute = load("computes", "snowflake")
        return found


def test_a_compute_whose_dbt_adapter_is_missing_is_told_with_the_command_that_mends_it(tmp_path: Path) -> None:
    (tmp_path / "floe.yaml").write_text(FLOE_YAML + "transforms: [{type: dbt, path: .}]\n")
    (tmp_path / "dbt_project.yml").write_text("name: tiny\n")
    text = PLATFORM_YAML + "compute:\n  default:\n    type: snowflake\n"
    (tmp_path / "platform.yaml").write_text(text)
    with pytest.raises(FloeError) as refused:
        write_profile(load_project(tmp_path, {}))
    assert refused.value.code is Code.NO_SUCH_PLUGIN
    assert refused.value.fix == "pip install 'dbt-snowflake'"
    assert refused.value.where is not None
    assert refused.value.where.line == len(text.splitlines())
