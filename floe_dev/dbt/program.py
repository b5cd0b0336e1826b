"""dbt's own program, as `python -m` runs it."""

from __future__ import annotations

import sys


def run() -> None:
    """What the `dbt` command does."""
    from dbt.cli.main import cli

    sys.argv[0] = "dbt"
    cli()


if __name__ == "__main__":
    run()
