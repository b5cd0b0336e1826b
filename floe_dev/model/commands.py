"""What the dashboard asks for: typed, so that the same words go over a socket, into a log and into a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, get_args

from floe_dev.errors import Code, FloeError


@dataclass(frozen=True, slots=True)
class StartStack:
    """Bring the stack up; `timeout_seconds` for the whole start, `first_run` is auto, always or never."""

    stack: str | None = None
    platform: str | None = None
    port: int | None = None
    timeout_seconds: float = 120.0
    #: Whether everything is materialized as soon as the stack is ready; `auto`: where it never was.
    first_run: str = "auto"


@dataclass(frozen=True, slots=True)
class FirstRun:
    """Materialize everything, where that was never done in this project, or `always`."""

    always: bool = False


@dataclass(frozen=True, slots=True)
class StopStack:
    """Stop the stack; data stay."""


@dataclass(frozen=True, slots=True)
class RestartService:
    """Restart one service and wait until it is ready."""

    name: str


@dataclass(frozen=True, slots=True)
class Materialize:
    """Start one run of these assets, or of one partition of them."""

    keys: tuple[str, ...]
    partition: str | None = None


@dataclass(frozen=True, slots=True)
class Backfill:
    """Make several partitions of these assets, as the assets' backfill policies say."""

    keys: tuple[str, ...]
    partitions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CancelBackfill:
    """Start nothing more of a backfill, and cancel what it has started."""

    backfill_id: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Ask Dagster to cancel a run."""

    run_id: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Run again what failed of a run, and what was not tried because of it."""

    run_id: str


@dataclass(frozen=True, slots=True)
class ToggleAutomation:
    """Turn a schedule or a sensor on or off."""

    name: str
    kind: str
    on: bool
    selector: str = ""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run that a schedule or a sensor asks for; `config` as YAML."""

    job: str
    key: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    config: str = ""
    assets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LaunchRequests:
    """Start the runs that an evaluation asked for; the automation's own memory (its cursor) stays as it is."""

    name: str
    requests: tuple[RunRequest, ...]


@dataclass(frozen=True, slots=True)
class Rollback:
    """Make an older snapshot the current one, provided that `current` still is."""

    table: str
    snapshot_id: int
    current: int


@dataclass(frozen=True, slots=True)
class ExportCapsule:
    """Write everything that explains a failure into one file; `title` says what is wrong."""

    title: str = ""


#: What a running stack's supervisor carries out.
StackCommand = (
    FirstRun
    | RestartService
    | Materialize
    | Backfill
    | CancelBackfill
    | Cancel
    | Retry
    | ToggleAutomation
    | LaunchRequests
    | Rollback
)
Command = StartStack | StopStack | ExportCapsule | StackCommand
#: Those that write tables, so that a platform that is not this machine's has to allow them.
WRITING = (FirstRun, Materialize, Backfill, Retry, LaunchRequests, Rollback)
_BY_NAME: dict[str, type[Command]] = {kind.__name__: kind for kind in get_args(Command)}


def encode(command: Command) -> dict[str, Any]:
    """A command as JSON: its name and its fields."""
    return {"name": type(command).__name__, "fields": asdict(command)}


def decode(message: Mapping[str, Any]) -> Command:
    """The command that `encode` wrote; FLOE2002 for a name, a field or a value that this version does not know."""
    from pydantic import TypeAdapter, ValidationError

    name, given = message.get("name"), message.get("fields")
    kind = _BY_NAME.get(name) if isinstance(name, str) else None
    if kind is None:
        raise another_version(f"the command {name!r}")
    if not isinstance(given, dict) or not given.keys() <= {field.name for field in fields(kind)}:
        raise another_version(f"the fields of the command {name!r}")
    try:
        made: Command = TypeAdapter(kind).validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise another_version(f"the field {place!r} of the command {name!r}") from error
    return made


def another_version(what: str) -> FloeError:
    """The error of a supervisor that is asked for something it does not know."""
    return FloeError(
        Code.SUPERVISOR_FAILED,
        f"the supervisor does not know {what}",
        why="it was started by another version of floe",
        fix="floe down && floe up",
    )
