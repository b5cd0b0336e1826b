"""`floe version`: the versions of floe and of the parts that matter when something behaves differently elsewhere."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import click

from floe_dev.cli.options import json_option, pass_output
from floe_dev.cli.output import Output

PACKAGES = (
    "dagster",
    "dagster-webserver",
    "dagster-graphql",
    "dagster-dbt",
    "dagster-iceberg",
    "dbt-core",
    "dbt-adapters",
    "dbt-duckdb",
    "duckdb",
    "duckdb-extension-iceberg",
    "duckdb-extension-httpfs",
    "duckdb-extension-avro",
    "pyiceberg",
    "pyarrow",
    "apache-polaris",
    "pydantic",
    "starlette",
    "uvicorn",
    "click",
    "rich",
    "textual",
    "docker",
)


@click.command(short_help="Show the versions of floe and its parts.")
@json_option
@pass_output
def command(output: Output, as_json: bool) -> None:
    """Show the versions of floe, Python and every part that matters."""
    packages = {name: _version(name) for name in PACKAGES}
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    if as_json:
        output.document(
            {
                "floe": _version("floe_dev"),
                "python": platform.python_version(),
                "platform": system,
                "packages": packages,
            }
        )
        return
    output.data(f"floe {_version('floe_dev')}")
    output.data(f"python {platform.python_version()}  ({system})")
    for name, found in packages.items():
        output.data(f"{name} {found or '(not installed)'}")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
