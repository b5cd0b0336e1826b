"""floe.yaml and platform.yaml are read, and every logical name resolves."""

from __future__ import annotations

from floe_dev.validate.result import Findings, Subject, failed, ok


def check(name: str, subject: Subject) -> Findings:
    """The loader's own verdict, and that the dbt folder holds a dbt project."""
    project = subject.session.project
    folder = project.dbt_dir()
    if folder is not None and not (folder / "dbt_project.yml").is_file():
        yield failed(name, f"no dbt_project.yml in {folder}", "set transforms[type=dbt].path in floe.yaml", "floe.yaml")
        return
    yield ok(name, f"floe.yaml and {subject.relative(project.platform_file)} resolve")
