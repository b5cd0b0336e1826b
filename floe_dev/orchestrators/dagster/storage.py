"""Make Dagster's SQLite databases once, before any of its processes opens them.

Each of them would make the tables on its first start. Started at once they do it at the same moment, and the second one
fails with "table alembic_version already exists".
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from floe_dev.config.private import write_private
from floe_dev.model.layout import Layout


def storage_is_made(layout: Layout) -> bool:
    """Whether the databases were made to their end, by this version of Dagster."""
    try:
        return _mark(layout).read_text(encoding="utf-8") == version("dagster")
    except OSError:
        return False


def make_storage(layout: Layout) -> str:
    """Make the databases of runs, events and schedules in DAGSTER_HOME; one line on what was done.

    Imports dagster (more than a second) and is therefore called in a process of its own.
    """
    from dagster import DagsterInstance

    with DagsterInstance.from_config(str(layout.dagster_home)) as instance:
        instance.get_runs_count()
        instance.all_instigator_state()
    write_private(_mark(layout), version("dagster"))
    return "made"


def _mark(layout: Layout) -> Path:
    # Written last: a machine that was killed half way through leaves no mark, and the work is done again.
    return layout.dagster_home / "storage-made"
