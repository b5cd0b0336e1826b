"""What outlives one supervisor: instance, ports, versions."""

from __future__ import annotations

import json

from pydantic import Field, ValidationError

from floe_dev.config.private import write_private
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.base import Model
from floe_dev.model.layout import Layout

#: The form of `.floe/state.json`.
SCHEMA_VERSION = 1


class StackState(Model):
    """`.floe/state.json`: never a secret."""

    schema_version: int = Field(default=SCHEMA_VERSION, alias="schemaVersion")
    #: The id of the last start (paths.new_instance).
    instance: str = ""
    stack: str
    supervisor_pid: int | None = None
    ports: dict[str, int] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    #: Whether every asset was materialized once, so that later starts need not.
    first_run_done: bool = False
    #: The other stacks of this project of which that is true; a stack has tables of its own.
    first_runs_elsewhere: tuple[str, ...] = ()

    def moved_to(self, stack: str, *, same_tables: bool = False) -> StackState:
        """The state with another stack: its first run is its own, but where it has the tables of the one before."""
        if stack == self.stack:
            return self
        if same_tables:
            return self.model_copy(update={"stack": stack})
        others = set(self.first_runs_elsewhere) | ({self.stack} if self.first_run_done else set())
        return self.model_copy(
            update={
                "stack": stack,
                "first_run_done": stack in others,
                "first_runs_elsewhere": tuple(sorted(others - {stack})),
            }
        )


def load_state(layout: Layout) -> StackState | None:
    """The state as last written; None where there is none, or where it is not what we write (a damaged disk).

    Raises FloeError 1103 where a newer version wrote it.
    """
    try:
        content = json.loads(layout.state_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    version = content.get("schemaVersion") if isinstance(content, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise FloeError(
            Code.STATE_VERSION,
            "the project's state is of a newer version of floe",
            why=f"its form is {version}, and this floe knows {SCHEMA_VERSION}",
            fix="use the newer floe again; or give up the project's tables and runs: floe reset",
            where=Where(layout.state_file),
        )
    try:
        return StackState.model_validate(content)
    except ValidationError:
        return None


def save_state(layout: Layout, state: StackState) -> None:
    """Replace the state file atomically; raises OSError."""
    write_private(layout.state_file, state.model_dump_json(by_alias=True, indent=1))


def prepare_state_dir(layout: Layout) -> None:
    """Make `.floe/` (0700) with its own ignore file; raises OSError."""
    layout.state_dir.mkdir(mode=0o700, exist_ok=True)
    ignore = layout.state_dir / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    layout.logs_dir.mkdir(mode=0o700, exist_ok=True)
