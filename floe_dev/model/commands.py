"""What the dashboard asks for: typed, so that the same words go over a socket, into a log and into a test."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StartStack:
    """Bring the stack up."""


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
class Rollback:
    """Make an older snapshot the current one, provided that `current` still is."""

    table: str
    snapshot_id: int
    current: int


Command = StartStack | StopStack | RestartService | Materialize | Cancel | Retry | ToggleAutomation | Rollback
