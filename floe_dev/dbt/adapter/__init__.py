"""A dbt adapter on top of dbt-duckdb: DuckDB computes, tables are Iceberg tables of the attached catalog.

The type is `floe`; macros and everything not overridden are dbt-duckdb's (`dependencies`). What projects and packages
see as `target.type` and `adapter.type()` stays `duckdb`, because the SQL dialect is DuckDB's and they branch on that.
"""

from importlib import import_module

from dbt.adapters.base.plugin import AdapterPlugin

from floe_dev.dbt.adapter.credentials import FloeCredentials
from floe_dev.dbt.adapter.impl import FloeAdapter
from floe_dev.dbt.adapter.target import show_dialect_to_projects


def _include_path() -> str:
    return str(import_module("dbt.include.floe").PACKAGE_PATH)


show_dialect_to_projects()

Plugin = AdapterPlugin(
    adapter=FloeAdapter,  # type: ignore[arg-type]
    credentials=FloeCredentials,
    include_path=_include_path(),
    dependencies=["duckdb"],
)
