"""A project without dbt, whose Python assets write Iceberg tables: a second to load, for tests that start stacks."""

from __future__ import annotations

import secrets
from pathlib import Path

from floe_dev.model.layout import Layout
from floe_dev.supervisor.paths import new_instance
from floe_dev.supervisor.state import StackState, load_state, prepare_state_dir, save_state

FLOE_YAML = """\
name: tiny
version: "1.0.0"
storage: files
catalog: default
"""

PLATFORM_YAML = """\
version: "1.0.0"
storage:
  files: {type: file}
layers:
  bronze: {storage_ref: files, catalog_ref: default, namespace: bronze}
  silver: {storage_ref: files, catalog_ref: default, namespace: silver}
catalogs:
  default:
    type: polaris
    uri: http://127.0.0.1:8181/api/catalog
    warehouse: tiny_catalog
    credentials:
      mode: oauth2
      client_id: {secret_ref: polaris-client-id}
      client_secret: {secret_ref: polaris-client-secret}
      scope: PRINCIPAL_ROLE:ALL
"""

DEFINITIONS = """\
import os
from pathlib import Path

import dagster as dg
import pyarrow as pa
from pyiceberg.catalog.rest import RestCatalog

from floe_dev.config.connection import connection_from_platform
from floe_dev.config.project import load_project

ROOT = Path(__file__).parent


def write(name, rows):
    connection = connection_from_platform(load_project(ROOT), os.environ)
    data = pa.table({"id": pa.array(range(rows), pa.int64())})
    catalog = RestCatalog("c", **connection.pyiceberg_properties())
    catalog.create_table_if_not_exists(name, data.schema).overwrite(data)
    return dg.MaterializeResult(metadata={"dagster/row_count": rows})


@dg.asset(key=["bronze", "raw"], group_name="first")
def raw():
    return write("bronze.raw", 10)


@dg.asset(key=["bronze", "other"], group_name="first")
def other():
    return write("bronze.other", 5)


@dg.asset(key=["silver", "clean"], deps=[raw], group_name="second")
def clean():
    if (ROOT / "FAIL").exists():
        raise ValueError("3 rows have a negative amount")
    return write("silver.clean", 8)


@dg.asset(key=["silver", "last"], deps=[clean], group_name="second")
def last():
    return write("silver.last", 2)


defs = dg.Definitions(assets=[raw, other, clean, last], executor=dg.in_process_executor)
"""


def make_tiny(root: Path) -> Path:
    """Write the project into `root` and return it.

    It remembers ports of its own, so that it keeps them across a restart while other stacks come and go.
    """
    root.mkdir(parents=True, exist_ok=True)
    layout = Layout(root)
    if load_state(layout) is None:
        prepare_state_dir(layout)
        # Below the range that the system hands out for outgoing connections.
        services = ("catalog", "dagster-code", "dagster-webserver", "telemetry")
        ports = {service: secrets.randbelow(10_000) + 20_000 for service in services}
        save_state(layout, StackState(instance=new_instance(root), stack="embedded", ports=ports))
    (root / "floe.yaml").write_text(FLOE_YAML)
    (root / "platform.yaml").write_text(PLATFORM_YAML)
    (root / "definitions.py").write_text(DEFINITIONS)
    return root
