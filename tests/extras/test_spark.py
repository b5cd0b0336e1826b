"""Spark: its contract, dbt's adapter for it, and the fixture `spark` on a lakehouse of the test's own."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from floe_dev.testing import assert_table
from floe_dev.testing.lakehouse import Lakehouse
from tests.extras.compute import ExtraCompute
from tests.extras.declared import amiss


def test_the_extra_is_installed_as_declared() -> None:
    assert amiss("spark") == []


class TestSpark(ExtraCompute):
    name = "spark"


class TestFixture:
    """`spark` of the pytest plugin, with a real session and Iceberg's jars."""

    @pytest.mark.timeout(400)
    def test_it_reads_what_others_wrote_and_others_read_what_it_wrote(self, lakehouse: Lakehouse, spark: Any) -> None:
        lakehouse.write("orders", [{"id": 1}, {"id": 2}])
        assert spark.sql("SELECT sum(id) FROM orders").first()[0] == 3
        spark.sql("CREATE TABLE made (n BIGINT, day DATE) PARTITIONED BY (day)")
        spark.sql("INSERT INTO made SELECT id, DATE '2026-01-01' + CAST(id % 3 AS INT) FROM range(100)")
        spark.sql("DELETE FROM made WHERE n >= 90")
        assert lakehouse.duckdb().sql("select count(*), count(distinct day) from made").fetchone() == (90, 3)
        lakehouse.table("orders").append(pa.table({"id": [4]}))
        assert spark.sql("SELECT sum(id) FROM orders").first()[0] == 7

    def test_the_next_test_has_a_session_on_its_own(self, lakehouse: Lakehouse, spark: Any) -> None:
        assert spark.sql("SHOW TABLES").collect() == []
        spark.sql("CREATE TABLE made AS SELECT 1 AS n")
        assert_table(lakehouse.table("made")).has_rows(1)
