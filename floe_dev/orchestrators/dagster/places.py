"""Errors that name their line in floe.yaml, for what only Dagster can judge."""

from __future__ import annotations

from floe_dev.config.yaml_source import KeyPath, read_yaml
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.layout import FLOE_FILE
from floe_dev.model.project import Project


def invalid(project: Project, place: KeyPath, what: str, why: str, fix: str | None = None) -> FloeError:
    """FLOE1202 at `place`; the file is read again, which only a failing load does."""
    file = project.root / FLOE_FILE
    where = read_yaml(file).where(place) if file.is_file() else Where(file)
    return FloeError(Code.INVALID_VALUE, what, why=why, fix=fix or f"correct `{where.key}`", where=where)
