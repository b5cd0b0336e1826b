"""Credentials in the project's YAML files."""

from __future__ import annotations

from floe_dev.config.yaml_source import read_yaml
from floe_dev.errors import FloeError
from floe_dev.validate.files import own_files
from floe_dev.validate.result import Finding, Findings, Subject, failed, ok
from floe_dev.validate.secrets import FIX, credentials_in


def check(name: str, subject: Subject) -> Findings:
    """One finding for each credential; the value is never repeated. A file that cannot be read is told as skipped."""
    count, wrong = 0, 0
    for file in own_files(subject.root, ".yml", ".yaml"):
        try:
            source = read_yaml(file)
        except FloeError as error:
            yield Finding(
                check=name, status="skipped", message=error.what, file=subject.relative(file), line=_line(error)
            )
            continue
        count += 1
        for path in credentials_in(source.data):
            wrong += 1
            message = f"the key `{path[-1]}` holds a credential"
            yield failed(name, message, FIX, subject.relative(file), source.where(path).line)
    if not wrong:
        yield ok(name, f"{count} YAML files hold no credential")


def _line(error: FloeError) -> int | None:
    return error.where.line if error.where else None
