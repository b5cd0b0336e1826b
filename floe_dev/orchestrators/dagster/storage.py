"""Make Dagster's databases once, before any of its processes opens them.

Each of them would make the tables on its first start. Started at once they do it at the same moment, and the second one
fails with "table alembic_version already exists".
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from floe_dev.config.private import write_private
from floe_dev.model.layout import Layout
from floe_dev.storage.postgresql import DatabaseAccess


def storage_is_made(layout: Layout, database: DatabaseAccess | None = None) -> bool:
    """Whether the databases were made to their end, by this version of Dagster, in SQLite or in `database`."""
    try:
        return _mark(layout, database).read_text(encoding="utf-8") == version("dagster")
    except OSError:
        return False


def forget_storage(layout: Layout, database: DatabaseAccess) -> None:
    """A database that was just made has no tables of Dagster's, whatever was made before."""
    _mark(layout, database).unlink(missing_ok=True)


def make_storage(layout: Layout, database: DatabaseAccess | None = None) -> str:
    """Make the databases of runs, events and schedules in DAGSTER_HOME; one line on what was done.

    Imports dagster (more than a second) and is therefore called in a process of its own.
    """
    from dagster import DagsterInstance

    with DagsterInstance.from_config(str(layout.dagster_home)) as instance:
        instance.get_runs_count()
        instance.all_instigator_state()
    write_private(_mark(layout, database), version("dagster"))
    return "made"


def _mark(layout: Layout, database: DatabaseAccess | None) -> Path:
    # Written last: a machine that was killed half way through leaves no mark, and the work is done again.
    return layout.dagster_home / ("storage-made" if database is None else f"storage-made-{database.name}")
