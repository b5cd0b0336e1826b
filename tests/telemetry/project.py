"""A small project with a Python asset before dbt and one behind it."""

from __future__ import annotations

import secrets
from pathlib import Path

from floe_dev.model.layout import Layout
from floe_dev.supervisor.paths import new_instance
from floe_dev.supervisor.state import StackState, prepare_state_dir, save_state
from tests.cli.tiny import PLATFORM_YAML

_FILES = {
    "floe.yaml": """\
name: shop
version: "1.0.0"
storage: files
catalog: default
transforms:
  - {type: dbt, path: dbt}
orchestration:
  asset_modules: [numbers_assets]
""",
    "platform.yaml": PLATFORM_YAML.replace(
        "catalogs:", "  gold: {storage_ref: files, catalog_ref: default, namespace: gold}\ncatalogs:", 1
    ),
    "numbers_assets.py": """\
import dagster as dg
import pyarrow as pa
from opentelemetry import trace


@dg.asset(key=["bronze", "numbers"])
def numbers(context: dg.AssetExecutionContext) -> pa.Table:
    context.log.info("making numbers")
    with trace.get_tracer("shop").start_as_current_span("counting", attributes={"of": 4}) as span:
        span.add_event("counted")
    return pa.table({"name": ["a", "b", "c", "a"], "amount": pa.array([1, 2, 3, 4], pa.int64())})


@dg.asset(key=["gold", "summary"], ins={"totals": dg.AssetIn(key=["silver", "totals"])})
def summary(totals: pa.Table) -> pa.Table:
    return pa.table({"names": pa.array([totals.num_rows], pa.int64())})
""",
    "dbt/dbt_project.yml": """\
name: shop
version: "1.0.0"
profile: floe
model-paths: [models]
""",
    "dbt/models/schema.yml": """\
version: 2
sources:
  - name: bronze
    schema: bronze
    tables: [{name: numbers}]
models:
  - name: totals
    columns: [{name: name, data_tests: [unique]}]
""",
    "dbt/macros/schema.sql": """\
{% macro generate_schema_name(custom, node) %}{{ custom or target.schema }}{% endmacro %}
""",
    "dbt/models/totals.sql": """\
{{ config(materialized="table", schema="silver") }}
select name, cast(sum(amount) as bigint) as total from {{ source("bronze", "numbers") }} group by name
""",
}


def make_project(root: Path) -> Path:
    """Write the project into `root`, with ports of its own."""
    for name, text in _FILES.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    layout = Layout(root)
    prepare_state_dir(layout)
    # Below the range that the system hands out for outgoing connections.
    services = ("catalog", "dagster-code", "dagster-webserver", "telemetry")
    ports = {service: secrets.randbelow(10_000) + 20_000 for service in services}
    save_state(layout, StackState(instance=new_instance(root), stack="embedded", ports=ports))
    return root
