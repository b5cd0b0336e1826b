"""What an extra's compute is held to: the contract, and that dbt's adapter for it loads."""

from __future__ import annotations

import importlib
from typing import ClassVar

import pytest

from floe_dev.compute.base import Compute
from floe_dev.config.plugins import load, require_modules
from floe_dev.testing.contracts import ComputeContract


class ExtraCompute(ComputeContract):
    """For the compute called `name`."""

    name: ClassVar[str]

    @pytest.fixture
    def compute(self) -> Compute:
        found: Compute = load("computes", self.name)
        return found

    def test_its_dbt_adapter_loads(self, compute: Compute) -> None:
        require_modules("computes", compute.type, compute.modules, compute.extra)
        importlib.import_module(f"dbt.adapters.{self.name}")
