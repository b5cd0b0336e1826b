"""What a check found, and what all checks share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from floe_dev.errors import FloeError
from floe_dev.model.base import Model

if TYPE_CHECKING:
    from floe_dev.model.runs import AssetStatus
    from floe_dev.model.tables import TableInfo
    from floe_dev.session import Session

Status = Literal["ok", "failed", "skipped"]


class Finding(Model):
    """One line of the checklist; `file` is relative to the project where it is inside it, `line` counts from 1."""

    check: str
    status: Status
    message: str
    fix: str | None = None
    file: str | None = None
    line: int | None = None


class SkipCheckError(Exception):
    """A check cannot be made here and now: why, and the command after which it can."""

    def __init__(self, why: str, fix: str | None = None) -> None:
        """Keep both."""
        super().__init__(why)
        self.why = why
        self.fix = fix


@dataclass
class Subject:
    """The project under validation; what several checks look at is asked once."""

    session: Session

    @property
    def root(self) -> Path:
        """The folder with floe.yaml."""
        return self.session.root

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Dbt's manifest of the project as it is now.

        Raises SkipCheckError where the project has no dbt, or no start has written its profile yet; FloeError 4001
        where it does not parse.
        """
        import json
        import os

        from floe_dev.orchestrators.dagster.manifest import ensure_manifest, is_current, manifest_path

        project = self.session.project
        if project.dbt_dir() is None:
            raise SkipCheckError("the project has no dbt transforms")
        if not is_current(project):
            if not (project.layout.dbt_dir / "profiles.yml").is_file():
                raise SkipCheckError("dbt was never parsed here: the stack was never started", "floe up")
            ensure_manifest(project, {**os.environ, **self.session.environment()})
        loaded: dict[str, Any] = json.loads(manifest_path(project).read_bytes())
        return loaded

    @cached_property
    def assets(self) -> list[AssetStatus]:
        """Every asset of the running Dagster; raises SkipCheckError where the stack is not running."""
        self.require_running()
        return self.session.dagster().assets()

    @cached_property
    def tables(self) -> list[TableInfo]:
        """Every table and view of the running catalog; raises SkipCheckError where the stack is not running."""
        self.require_running()
        return self.session.tables()

    def require_running(self) -> None:
        """Raise SkipCheckError where the stack is not running."""
        from floe_dev.supervisor.quick import quick_status

        if quick_status(self.root) is None:
            raise SkipCheckError("the stack is not running", "floe up")

    def relative(self, file: Path | str) -> str:
        """`file` as findings name it."""
        path = Path(file)
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(file)

    def failure(self, check: str, error: FloeError) -> Finding:
        """An error as a finding, with its place."""
        why = f" ({error.why})" if error.why else ""
        return Finding(
            check=check,
            status="failed",
            message=f"{error.code.id}: {error.what}{why}",
            fix=error.fix,
            file=self.relative(error.where.file) if error.where else None,
            line=error.where.line if error.where else None,
        )


Findings = Iterator[Finding]


def ok(check: str, message: str) -> Finding:
    """Nothing is wrong; `message` says what was looked at."""
    return Finding(check=check, status="ok", message=message)


def failed(
    check: str, message: str, fix: str | None = None, file: str | None = None, line: int | None = None
) -> Finding:
    """Something is wrong."""
    return Finding(check=check, status="failed", message=message, fix=fix, file=file, line=line)
