"""A project that uses dbt_utils and branches on its warehouse: the same from floe's adapter as from dbt-duckdb."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from floe_dev.compute.duckdb import connect
from tests.dbt.conftest import SCHEMA, Shop

PROJECT = Path(__file__).parents[1] / "fixtures" / "dbt_projects" / "utilities"

#: The one test of the project that finds rows; all else passes.
FAILING = "every_day_has_an_order"

#: The one type of these tables that Iceberg does not have, and what it becomes.
_WIDEST = {"HUGEINT": "DECIMAL(38,0)"}


def _results(folder: Path) -> dict[str, str]:
    """Each node's status, by its unique id."""
    results = json.loads((folder / "target" / "run_results.json").read_text())["results"]
    return {item["unique_id"]: item["status"] for item in results}


def _relations(database: duckdb.DuckDBPyConnection, prefix: str) -> dict[str, list[Any]]:
    """Columns, types and sorted rows of all the project's tables and views."""
    names = (path.stem for folder in ("models", "seeds") for path in PROJECT.rglob(f"{folder}/**/*.*"))
    found = {}
    for name in sorted(set(names) - {"schema", "warehouse_only"}):
        result = database.execute(f"select * from {prefix}.{name}")
        columns = [(column[0], _WIDEST.get(str(column[1]), str(column[1]))) for column in result.description or []]
        found[name] = [columns, sorted(result.fetchall(), key=str)]
    return found


@pytest.fixture
def utilities(shop: Shop) -> Shop:
    """The fixture project in place of the empty one, with the same catalog."""
    shutil.copytree(PROJECT, shop.folder, dirs_exist_ok=True)
    profiles = shop.folder.parent / "profiles.yml"
    outputs = yaml.safe_load(profiles.read_text())["shop"]
    outputs["outputs"]["plain"] = {
        "type": "duckdb",
        "path": str(shop.folder.parent / "plain.duckdb"),
        "schema": SCHEMA,
        "threads": 2,
    }
    profiles.write_text(yaml.safe_dump({"utilities": outputs}))
    return shop


def test_packages_and_projects_behave_as_with_dbt_duckdb(utilities: Shop, tmp_path: Path) -> None:
    statuses, relations = {}, {}
    for target in ("plain", "floe"):
        built = utilities.dbt("build", "--target", target)
        assert (built.exit_code, "compiler error" in built.output.lower()) == (1, False), built.output
        statuses[target] = _results(utilities.folder)
        assert utilities.dbt("run", "-s", "calendar", "--target", target).exit_code == 0
    with duckdb.connect(str(tmp_path / "plain.duckdb"), read_only=True) as database:
        relations["plain"] = _relations(database, SCHEMA)
    with connect(utilities.connection) as database:
        relations["floe"] = _relations(database, SCHEMA)

    assert statuses["floe"] == statuses["plain"]
    assert [name for name, status in statuses["floe"].items() if status not in ("success", "pass")] == [
        name for name in statuses["floe"] if FAILING in name
    ]
    assert len(statuses["floe"]) > 25
    assert relations["floe"] == relations["plain"]
    assert relations["floe"]["relations"][1][0][-2:] == ("duckdb", "duckdb")
    in_catalog = {name for _, name in utilities.catalog.list_tables(SCHEMA)}
    assert {"orders", "days", "customers", "calendar", "visits"} <= in_catalog
    assert not list(utilities.folder.rglob("*.duckdb"))
