"""The checklist, in the order in which one failing item explains the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

from floe_dev.errors import FloeError
from floe_dev.session import Session
from floe_dev.validate.result import Finding, Findings, SkipCheckError, Subject


@dataclass(frozen=True)
class Check:
    """One item: its name, and the module of this package whose `check` looks at it."""

    name: str
    module: str


CHECKS: tuple[Check, ...] = (
    Check("versions", "versions"),
    Check("configuration", "configuration"),
    Check("manifest", "manifest"),
    Check("credentials", "credentials"),
    Check("tables", "tables"),
    Check("lineage", "lineage"),
    Check("ticks", "ticks"),
    Check("partitions", "partitions"),
    Check("python", "python_files"),
    Check("yaml", "yaml_files"),
)


def validate(session: Session, on_finding: Callable[[Finding], None] | None = None) -> list[Finding]:
    """What every check found; `on_finding` gets each one as soon as it is known. No check ends another."""
    subject = Subject(session)
    found: list[Finding] = []
    for check in CHECKS:
        for finding in _guarded(check, subject):
            found.append(finding)
            if on_finding is not None:
                on_finding(finding)
    return found


def _guarded(check: Check, subject: Subject) -> Iterator[Finding]:
    try:
        look: Callable[[str, Subject], Findings] = import_module(f"floe_dev.validate.{check.module}").check
        yield from look(check.name, subject)
    except SkipCheckError as skip:
        yield Finding(check=check.name, status="skipped", message=skip.why, fix=skip.fix)
    except FloeError as error:
        yield subject.failure(check.name, error)
    except Exception as error:  # noqa: BLE001 - one check's defect must not hide what the others find
        yield Finding(check=check.name, status="failed", message=f"{type(error).__name__}: {error}")
