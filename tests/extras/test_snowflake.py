"""Snowflake: its contract, and dbt's adapter for it; there is no server to try it against."""

from __future__ import annotations

from tests.extras.compute import ExtraCompute
from tests.extras.declared import amiss


def test_the_extra_is_installed_as_declared() -> None:
    assert amiss("snowflake") == []


class TestSnowflake(ExtraCompute):
    name = "snowflake"
