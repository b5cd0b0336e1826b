"""Snowflake: its contract, and dbt's adapter for it; there is no server to try it against."""

from __future__ import annotations

import importlib

import pytest

from floe_dev.compute.base import Compute
from floe_dev.config.plugins import load, require_modules
from floe_dev.testing.contracts import ComputeContract
from tests.extras.declared import amiss


def test_the_extra_is_installed_as_declared() -> None:
    assert amiss("snowflake") == []


class TestSnowflake(ComputeContract):
    @pytest.fixture
    def compute(self) -> Compute:
        found: Compute = load("computes", "snowflake")
        return found

    def test_its_dbt_adapter_loads(self, compute: Compute) -> None:
        require_modules("computes", compute.type, compute.modules, compute.extra)
        importlib.import_module("dbt.adapters.snowflake")
