"""A dbt project of a test's own, built with the real dbt against a real catalog server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from dbt.cli.main import dbtRunner
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.table import Table

from floe_dev.dbt.adapter.connections import FloeConnectionManager
from floe_dev.model.connection import CatalogConnection
from floe_dev.testing.lakehouse import Lakehouse

DBT = str(Path(sys.executable).parent / "dbt")
SCHEMA = "silver"


@dataclass(frozen=True)
class Built:
    """One dbt invocation: what it printed and each node's result."""

    exit_code: int
    output: str
    results: dict[str, dict[str, Any]]

    def message(self, name: str) -> str:
        """dbt's message for the node `name`."""
        return str(self.results[name]["message"])


@dataclass
class Shop:
    """A dbt project in a folder, and the catalog it writes to."""

    folder: Path
    connection: CatalogConnection
    environment: dict[str, str] = field(default_factory=dict)

    def model(self, name: str, sql: str, **config: Any) -> None:
        """Write `models/<name>.sql`."""
        header = "{{ config(" + ", ".join(f"{k}={v!r}" for k, v in config.items()) + ") }}\n" if config else ""
        self.file(f"models/{name}.sql", header + sql)

    def file(self, path: str, text: str) -> None:
        """Write any file of the project."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start the dbt command line in the project."""
        return subprocess.Popen(
            [DBT, "--no-use-colors", *arguments],
            cwd=self.folder,
            env={**os.environ, **self.environment, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def dbt(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Built:
        """Run dbt in this process: what the command line does, without its two seconds of imports."""
        lines: list[str] = []
        runner = dbtRunner(callbacks=[lambda event: lines.append(str(event.info.msg))])  # type: ignore[attr-defined]
        file = self.folder / "target" / "run_results.json"
        file.unlink(missing_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            for key, value in {**self.environment, **(environment or {})}.items():
                patch.setenv(key, value)
            patch.chdir(self.folder)
            done = runner.invoke([*arguments, "--project-dir", str(self.folder), "--quiet"])
        FloeConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
        if done.exception is not None:
            lines.append(str(done.exception))
        results = json.loads(file.read_text())["results"] if file.is_file() else []
        by_name = {item["unique_id"].split(".")[2]: item for item in results}
        return Built(0 if done.success else 1, "\n".join(lines), by_name)

    def build(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Built:
        """`dbt build`, which has to succeed."""
        built = self.dbt("build", *arguments, environment=environment)
        assert built.exit_code == 0, built.output
        return built

    @property
    def catalog(self) -> RestCatalog:
        """PyIceberg's client as the same principal."""
        return RestCatalog("test", **self.connection.pyiceberg_properties())

    def table(self, name: str, schema: str = SCHEMA) -> Table:
        """The Iceberg table of a model."""
        table: Table = self.catalog.load_table((schema, name))
        return table

    def rows(self, name: str, order: str = "id", schema: str = SCHEMA) -> list[dict[str, Any]]:
        """All rows of a table as PyIceberg reads them."""
        return sorted(self.table(name, schema).scan().to_arrow().to_pylist(), key=lambda row: str(row.get(order)))


@pytest.fixture
def shop(lakehouse: Lakehouse, tmp_path: Path) -> Shop:
    """An empty dbt project with a catalog and a principal of its own."""
    connection = lakehouse.connection
    shop = Shop(
        tmp_path / "a project",
        connection,
        {**connection.environment(), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DBT_PROFILES_DIR": str(tmp_path)},
    )
    shop.file("dbt_project.yml", yaml.safe_dump({"name": "shop", "version": "1.0.0", "profile": "shop"}))
    write_profile(tmp_path / "profiles.yml", connection)
    return shop


def write_profile(file: Path, connection: CatalogConnection, **changes: Any) -> None:
    """A profile as floe generates it, `changes` on top."""
    options = {
        "ENDPOINT": connection.uri,
        "CLIENT_ID": "{{ env_var('POLARIS_CLIENT_ID') }}",
        "CLIENT_SECRET": "{{ env_var('POLARIS_CLIENT_SECRET') }}",
        "OAUTH2_SERVER_URI": connection.token_uri,
        "OAUTH2_SCOPE": connection.scope,
        "ACCESS_DELEGATION_MODE": "none",
    }
    attach = [{"path": connection.warehouse, "alias": connection.alias, "type": "iceberg", "options": options}]
    output = {
        "type": "floe",
        "path": ":memory:",
        "database": connection.alias,
        "schema": SCHEMA,
        "threads": 4,
        "attach": attach,
        **changes,
    }
    file.write_text(yaml.safe_dump({"shop": {"target": "floe", "outputs": {"floe": output}}}))
