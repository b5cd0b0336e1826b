"""Views, seeds, snapshots, Python models, ephemeral models, tests, hooks and docs, and what projects branch on."""

from __future__ import annotations

import json

import pytest

from floe_dev.compute.duckdb import connect
from tests.dbt.conftest import SCHEMA, Shop, write_profile


def test_a_view_is_seen_by_later_processes(shop: Shop) -> None:
    shop.model("orders", "select range as id from range(5)", materialized="table")
    shop.model("big", "select * from {{ ref('orders') }} where id > 1", materialized="view")
    shop.model("bigger", "select * from {{ ref('big') }} where id > 2", materialized="view")
    shop.model("counted", "select count(*) as n from {{ ref('bigger') }}", materialized="table")
    shop.build()
    assert shop.rows("counted") == [{"n": 2}]
    # Another process, which builds only what is downstream of the views.
    process = shop.start("run", "-s", "counted")
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    with connect(shop.connection) as database:
        assert database.execute(f"select count(*) from {SCHEMA}.bigger").fetchone() == (2,)
        assert database.execute(f"select count(*) from {SCHEMA}.orders").fetchone() == (5,)
    assert (SCHEMA, "big") in shop.catalog.list_views(SCHEMA)


def test_a_view_may_become_a_table_and_a_table_a_view(shop: Shop) -> None:
    shop.model("orders", "select 1 as id", materialized="view")
    shop.build()
    shop.model("orders", "select 2 as id", materialized="table")
    shop.build()
    assert shop.rows("orders") == [{"id": 2}]
    assert shop.catalog.list_views(SCHEMA) == []
    shop.model("orders", "select 3 as id", materialized="view")
    shop.build()
    assert shop.catalog.list_tables(SCHEMA) == []


def test_a_seed_is_an_iceberg_table(shop: Shop) -> None:
    shop.file("seeds/countries.csv", 'id,name,since\n1,"Norway, north",2020-01-01\n2,"say ""hi""",\n3,,2021-05-05\n')
    shop.file("seeds/schema.yml", "seeds: [{name: countries, config: {column_types: {id: bigint}}}]")
    shop.build()
    shop.build()
    rows = shop.rows("countries")
    assert [row["name"] for row in rows] == ["Norway, north", 'say "hi"', None]
    assert str(rows[0]["since"]) == "2020-01-01"
    assert str(shop.table("countries").schema().find_type("id")) == "long"


def test_a_snapshot_keeps_what_was(shop: Shop) -> None:
    shop.model(
        "orders", "select range as id, {{ var('v', 0) }} + range // 3 as state from range(5)", materialized="table"
    )
    shop.file(
        "snapshots/history.sql",
        "{% snapshot history %}{{ config(unique_key='id', strategy='check', check_cols=['state'], "
        f"target_schema='{SCHEMA}') }}}} select * from {{{{ ref('orders') }}}} where id < {{{{ var('below', 9) }}}}"
        "{% endsnapshot %}",
    )
    shop.build()
    shop.build("--vars", "{v: 1, below: 4}")
    rows = shop.rows("history")
    assert len(rows) == 9
    closed = {row["id"] for row in rows if row["dbt_valid_to"] is not None}
    assert closed == {0, 1, 2, 3}
    table = shop.table("history")
    assert len(table.snapshots()) == 2
    assert not any(task.delete_files for task in table.scan().plan_files())


def test_a_python_model_lands_in_the_catalog(shop: Shop) -> None:
    shop.model("orders", "select range as id from range(5)", materialized="table")
    shop.file(
        "models/doubled.py",
        "def model(dbt, session):\n    dbt.config(materialized='table')\n"
        "    return dbt.ref('orders').project('id * 2 as id')\n",
    )
    shop.build()
    assert [row["id"] for row in shop.rows("doubled")] == [0, 2, 4, 6, 8]


def test_ephemeral_models_hooks_tests_sources_and_exposures_work(shop: Shop) -> None:
    shop.model("small", "select range as id from range(3)", materialized="ephemeral")
    shop.model(
        "orders",
        "select * from {{ ref('small') }}",
        materialized="table",
        pre_hook="create or replace table memory.main.hooked as select 7 as n",
        post_hook="insert into memory.main.hooked values (8)",
    )
    shop.model("again", "select * from {{ source('shop', 'orders') }}", materialized="table")
    shop.file(
        "models/schema.yml",
        f"""
sources: [{{name: shop, database: {shop.connection.alias}, schema: {SCHEMA}, tables: [{{name: orders}}]}}]
models:
  - name: orders
    columns: [{{name: id, data_tests: [not_null, unique, {{accepted_values: {{arguments: {{values: [0, 1]}}}}}}]}}]
exposures: [{{name: report, type: dashboard, owner: {{name: a}}, depends_on: [ref('orders')]}}]
""",
    )
    assert shop.dbt("run", "-s", "orders").exit_code == 0
    built = shop.dbt("build", "--store-failures")
    assert built.exit_code == 1
    failed = [name for name, item in built.results.items() if item["status"] == "fail"]
    assert [name.startswith("accepted_values") for name in failed] == [True]
    stored = shop.catalog.list_tables(f"{SCHEMA}_dbt_test__audit")
    assert len(stored) == 3
    assert "ephemeral" not in built.results
    assert len(shop.rows("again")) == 3


def test_docs_generate_describes_the_tables(shop: Shop) -> None:
    shop.model("orders", "select 1 as id, 'x' as name", materialized="table")
    shop.build()
    assert shop.dbt("docs", "generate").exit_code == 0
    catalog = json.loads((shop.folder / "target" / "catalog.json").read_text())
    assert set(catalog["nodes"]["model.shop.orders"]["columns"]) == {"id", "name"}


def test_projects_see_duckdb_as_their_target(shop: Shop) -> None:
    shop.file(
        "macros/dialect.sql",
        "{% macro spoken() %}{{ return(adapter.dispatch('spoken')()) }}{% endmacro %}\n"
        "{% macro default__spoken() %}default{% endmacro %}\n{% macro duckdb__spoken() %}duckdb{% endmacro %}\n",
    )
    shop.model("seen", "select '{{ target.type }}' as type, '{{ spoken() }}' as dispatched", materialized="table")
    shop.build()
    assert shop.rows("seen") == [{"type": "duckdb", "dispatched": "duckdb"}]


@pytest.mark.parametrize(
    ("change", "told"),
    [({"path": "local.duckdb"}, "path"), ({"database": "local"}, "database"), ({"attach": []}, "attach")],
)
def test_a_profile_that_leads_elsewhere_is_refused(shop: Shop, change: dict[str, object], told: str) -> None:
    write_profile(shop.folder.parent / "profiles.yml", shop.connection, **change)
    shop.model("orders", "select 1 as id", materialized="table")
    built = shop.dbt("build")
    assert built.exit_code == 1
    assert "FLOE4002" in built.output
    assert told in built.output


def test_a_model_that_would_land_in_memory_is_refused(shop: Shop) -> None:
    shop.model("orders", "select 1 as id", materialized="table", database="memory")
    built = shop.dbt("build")
    assert built.exit_code == 1
    assert "FLOE4002" in built.message("orders")
