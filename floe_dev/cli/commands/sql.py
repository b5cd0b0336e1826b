"""`floe sql`: one query, a file of them, or a shell, with DuckDB on the catalog."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from floe_dev.cli.options import pass_output, project_option
from floe_dev.cli.output import Output

_FORMATS = ("table", "csv", "json", "jsonl", "markdown")


@click.command(short_help="Query the catalog with DuckDB, once or in a shell.")
@click.argument("query", required=False)
@click.option("--format", "form", type=click.Choice(_FORMATS), default=None, help="How rows are written.  [table]")
@click.option("--json", "as_json", is_flag=True, help="Short for --format json.")
@click.option(
    "--file",
    "-f",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Run the file's statements.",
)
@click.option("--limit", type=click.IntRange(min=0), default=None, help="Rows shown as a table on a terminal.  [200]")
@click.option(
    "--principal",
    type=click.Choice(["floe", "reader"]),
    default="floe",
    show_default=True,
    help="Whose rights the statements run with.",
)
@project_option
@pass_output
def command(
    output: Output,
    query: str | None,
    form: str | None,
    as_json: bool,
    file: Path | None,
    limit: int | None,
    principal: str,
    root: Path,
) -> None:
    """Run QUERY (`-` reads standard input), or open a shell when there is none.

    \b
    floe sql "select count(*) from silver.orders"
    floe sql --format csv "from gold.metrics" > metrics.csv
    """  # noqa: D301 - click's mark for lines it must not join
    from floe_dev.session import Session

    if as_json:
        form = "json"
    output.json_mode = form == "json"
    if file is not None:
        query = file.read_text("utf-8")
    elif query == "-" or (query is None and not sys.stdin.isatty()):
        query = sys.stdin.read()
    session = Session(root)
    from floe_dev.cli.sqlshell import run_statements, shell

    connection = session.duckdb(principal)
    try:
        if query is None:
            shell(connection, output, session, form or "table", limit)
        else:
            run_statements(connection, output, query, form or "table", limit)
    finally:
        connection.close()
