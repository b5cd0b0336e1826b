"""The project: its files parse, what they name exists, its folder can be written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from floe_dev.cli.doctor import FAIL, PASS, WARNING, Check
from floe_dev.model.layout import Layout


def configuration(root: Path) -> Iterator[Check]:
    """floe.yaml and platform.yaml parse, and every name in the one is defined in the other."""
    from floe_dev.config.project import load_project

    project = load_project(root)
    yield Check("project", "floe.yaml", PASS, f"{project.spec.name} in {root}")
    yield Check("project", "platform.yaml", PASS, str(project.platform_file))
    folder = project.dbt_dir()
    if folder is not None:
        yield from _dbt(folder)


def _dbt(folder: Path) -> Iterator[Check]:
    if (folder / "dbt_project.yml").is_file():
        yield Check("project", "dbt", PASS, str(folder))
        return
    yield Check("project", "dbt", FAIL, f"no dbt_project.yml in {folder}", "set transforms[type=dbt].path in floe.yaml")


def writable(root: Path) -> Iterator[Check]:
    """The project's folder and its state can be written, and the secrets are private."""
    state = Layout(root).state_dir
    target = state if state.exists() else root
    if not os.access(target, os.W_OK | os.X_OK):
        yield Check("project", "permissions", FAIL, f"{target} cannot be written", f"ls -ld {target}")
        return
    secrets = Layout(root).secrets_file
    if secrets.exists() and secrets.stat().st_mode & 0o077:
        yield Check("project", "permissions", WARNING, f"others can read {secrets}", f"chmod 600 '{secrets}'")
        return
    yield Check("project", "permissions", PASS, f"{target} can be written")
