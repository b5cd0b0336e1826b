"""The fixtures as a user's tests use them: scopes, templates, rollback, dbt, Dagster, what runs tell of themselves."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from pyiceberg.types import StringType

from floe_dev.testing import assert_table, factories, floe_template
from floe_dev.testing.aio import Async
from floe_dev.testing.dagster import Materializer
from floe_dev.testing.dbt import DbtRunner
from floe_dev.testing.lakehouse import Lakehouse
from floe_dev.testing.recording import spans_named

shop = factories.lakehouse(scope="module", isolation="namespace")
shop_dbt = factories.dbt("shop", scope="module")
shop_catalog = factories.iceberg_catalog("shop", scope="class")
built: list[str] = []

TABLE = "{{ config(materialized='table') }} "


@floe_template
def orders(lakehouse: Lakehouse, dbt: DbtRunner) -> None:
    """Three orders as inline rows, a seed, a model over both, and a table in another namespace."""
    built.append(lakehouse.catalog)
    lakehouse.write("orders", [{"id": 1, "city": "b"}, {"id": 2, "city": "m"}, {"id": 3, "city": "b"}])
    lakehouse.write("raw.events", pa.table({"id": [7]}))
    dbt(
        {
            "seeds/cities.csv": "code,name\nb,Berlin\nm,Madrid\n",
            "models/sources.yml": "sources: [{name: test, schema: test, tables: [{name: orders}]}]",
            "by_city": TABLE + "select name, count(*)::int as orders from {{ source('test', 'orders') }} "
            "join {{ ref('cities') }} on code = city group by name",
        }
    )


class TestScopes:
    def test_a_module_has_one_lakehouse(self, shop: Lakehouse, shop_dbt: DbtRunner) -> None:
        shop_dbt({"a": TABLE + "select 1 as id"})
        assert shop.isolation == "namespace"

    def test_which_its_other_tests_see(self, shop: Lakehouse, shop_catalog: Any) -> None:
        assert shop_catalog.list_tables(shop.namespace) == [(shop.namespace, "a")]

    def test_a_function_has_its_own(self, shop: Lakehouse, lakehouse: Lakehouse) -> None:
        assert lakehouse.catalog != shop.catalog
        assert lakehouse.iceberg().list_tables(lakehouse.namespace) == []


@pytest.mark.floe(template="orders")
class TestTemplate:
    @pytest.mark.parametrize("isolation", ["catalog", "namespace"])
    def test_a_copy_has_everything(self, isolation: str, request: pytest.FixtureRequest) -> None:
        with factories.open_lakehouse(request, "copy", isolation, template="orders") as copy:
            assert_table(copy.table("by_city")).equals(
                [{"name": "Berlin", "orders": 2}, {"name": "Madrid", "orders": 1}]
            )
            raw = "raw.events" if isolation == "catalog" else f"{copy.namespace}.raw.events"
            assert_table(copy.iceberg().load_table(raw)).has_rows(1)
        assert len(built) == 1, "a template is built once"

    @pytest.mark.parametrize("number", [1, 2])
    def test_writing_to_one_copy_changes_no_other(self, lakehouse: Lakehouse, dbt: DbtRunner, number: int) -> None:
        table = lakehouse.table("orders")
        assert_table(table).has_rows(3)
        table.append(pa.table({"id": [number], "city": ["x"]}))
        table.delete("id = 3")
        with lakehouse.duckdb() as database:
            database.execute("DROP TABLE by_city")
        dbt({"orders": TABLE + "select 9 as id, 'y' as city"})
        assert_table(lakehouse.table("orders")).has_rows(1)

    def test_a_purge_deletes_no_file_of_the_template(self, lakehouse: Lakehouse) -> None:
        files = [task.file.file_path for task in lakehouse.table("orders").scan().plan_files()]
        lakehouse.iceberg().purge_table(f"{lakehouse.namespace}.orders")
        for name in files:
            assert Path(name.removeprefix("file://")).read_bytes()[:4] == b"PAR1"

    def test_the_data_files_are_the_templates(self, lakehouse: Lakehouse) -> None:
        (task,) = lakehouse.table("orders").scan().plan_files()
        assert f"/{built[0]}/" in task.file.file_path
        assert f"/{lakehouse.catalog}/" in lakehouse.table("orders").location()


class TestRollback:
    def test_every_table_is_as_it_was(self, lakehouse: Lakehouse) -> None:
        kept = lakehouse.write("kept", [{"id": 1}])
        lakehouse.write("dropped", [{"id": 2}])
        empty = lakehouse.iceberg().create_table("test.empty", schema=kept.schema())
        before = lakehouse.snapshot()

        kept.append(pa.table({"id": [5]}))
        empty.append(pa.table({"id": [6]}))
        with kept.update_schema() as update:
            update.add_column("more", StringType())
        kept.refresh()
        with kept.transaction() as change:
            change.set_properties(colour="red")
        lakehouse.iceberg().drop_table("test.dropped")
        lakehouse.write("new", [{"id": 4}])
        lakehouse.rollback(before)

        assert sorted(name for _, name in lakehouse.iceberg().list_tables("test")) == ["dropped", "empty", "kept"]
        assert_table(lakehouse.table("kept")).equals([{"id": 1}]).matches({"id": "int64"})
        assert_table(lakehouse.table("dropped")).equals([{"id": 2}])
        assert_table(lakehouse.table("empty")).has_rows(0)
        assert "colour" not in lakehouse.table("kept").properties

    def test_it_can_be_done_twice_and_written_on(self, lakehouse: Lakehouse) -> None:
        lakehouse.write("t", [{"id": 1}])
        before = lakehouse.snapshot()
        for number in (2, 3):
            lakehouse.table("t").append(pa.table({"id": [number]}))
            lakehouse.rollback(before)
            assert_table(lakehouse.table("t")).equals([{"id": 1}])
        lakehouse.table("t").append(pa.table({"id": [4]}))
        assert_table(lakehouse.table("t")).has_rows(2)


class TestWhatRunsTell:
    def test_dbts_trace_and_lineage(self, dbt: DbtRunner) -> None:
        first = dbt({"a": TABLE + "select 1 as id", "b": TABLE + "select id + 1 as id from {{ ref('a') }}"})
        second = dbt({"c": TABLE + "select id from {{ ref('b') }}"}, "run", "--select", "c")
        assert first.trace_id != second.trace_id
        assert {span.name for span in first.trace.spans} >= {"dbt build", "model a", "model b"}
        assert first.trace.summary.state == "ok"
        (span,) = spans_named(second.trace, "model c")
        assert span.attributes["floe.rows"] == 1
        assert first.lineage.upstream("test.b") == {"test.a"}
        assert second.lineage.edges == {("test.b", "test.c")}

    def test_a_failed_dbt_run(self, dbt: DbtRunner) -> None:
        run = dbt({"a": TABLE + "select no_such_column"}, check=False)
        assert not run.success
        assert run.status("a") == "error"
        (span,) = spans_named(run.trace, "model a")
        assert "no_such_column" in span.message

    def test_dagsters_run(self, materialize: Materializer, dagster_instance: dg.DagsterInstance) -> None:
        @dg.asset(key_prefix="test")
        def numbers() -> pa.Table:
            return pa.table({"id": [1, 2]})

        @dg.asset(key_prefix="test", ins={"numbers": dg.AssetIn(key=["test", "numbers"])})
        def total(numbers: pa.Table) -> pa.Table:
            return pa.table({"total": [sum(numbers["id"].to_pylist())]})

        run = materialize([numbers, total])
        assert run.assets == ("test/numbers", "test/total")
        assert {span.name for span in run.trace.spans} >= {"run", "step test__numbers", "step test__total"}
        assert ("test.numbers", "test.total") in run.lineage.edges
        assert dagster_instance.get_run_by_id(run.run_id) is not None
        again = materialize([numbers, total], selection="test/total")
        assert again.assets == ("test/total",)

    def test_dagsters_failure_says_why(self, materialize: Materializer, lakehouse: Lakehouse) -> None:
        @dg.asset(key_prefix="test")
        def broken() -> pa.Table:
            raise ValueError("the source is empty")

        with pytest.raises(AssertionError, match="test__broken: ValueError: the source is empty"):
            materialize([broken])
        run = materialize([broken], check=False)
        assert not run.success
        assert run.trace.summary.errors


def test_async_variants(async_lakehouse: Async, async_dbt: Async, async_duckdb_conn: Async) -> None:
    async def work() -> Any:
        built, written = await asyncio.gather(
            async_dbt({"a": TABLE + "select 1 as id"}), async_lakehouse.write("t", [{"id": 2}])
        )
        assert built.success
        assert written.name() == ("test", "t")
        relation = await async_duckdb_conn.sql("select * from t")
        return assert_table(relation)

    asyncio.run(work()).equals([{"id": 2}])
    assert async_lakehouse.namespace == "test"
