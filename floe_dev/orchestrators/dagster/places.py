"""Where an error is: the line in floe.yaml for what only Dagster can judge, the line in the project's Python."""

from __future__ import annotations

import traceback
from pathlib import Path

from floe_dev.config.yaml_source import KeyPath, read_yaml
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.layout import FLOE_FILE
from floe_dev.model.project import Project


def invalid(project: Project, place: KeyPath, what: str, why: str) -> FloeError:
    """FLOE1202 at `place`; the file is read again, which only a failing load does."""
    file = project.root / FLOE_FILE
    where = read_yaml(file).where(place) if file.is_file() else Where(file)
    return FloeError(Code.INVALID_VALUE, what, why=why, fix=f"correct `{where.key}`", where=where)


def own_place(error: BaseException, root: Path) -> Where | None:
    """The innermost line of the project's own code that an exception came through."""
    if isinstance(error, SyntaxError) and error.filename:
        return Where(Path(error.filename), error.lineno)
    own = [
        Where(Path(frame.filename), frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(root) and "site-packages" not in Path(frame.filename).parts
    ]
    return own[-1] if own else None
