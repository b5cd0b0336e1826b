"""Marks in a job's log: sections that fold, errors that the provider shows beside the change."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from floe_dev.errors import FloeError


class Marks(Protocol):
    """How one provider's log is marked."""

    def begin(self, name: str) -> None:
        """A section begins."""
        ...

    def end(self, name: str) -> None:
        """It ends."""
        ...

    def error(self, error: FloeError) -> None:
        """Something failed."""
        ...

    def warning(self, error: FloeError) -> None:
        """Something is not as it should be, and the job goes on."""
        ...

    def output(self, name: str, value: str) -> None:
        """A value for later steps of the job."""
        ...


def marker(choice: str, environ: Mapping[str, str]) -> Marks:
    """The marks for `--annotations`; auto goes by the variables that the providers set."""
    if choice == "auto":
        choice = (
            "github" if environ.get("GITHUB_ACTIONS") == "true" else "gitlab" if environ.get("GITLAB_CI") else "none"
        )
    if choice == "github":
        return GithubMarks(environ)
    return GitlabMarks() if choice == "gitlab" else PlainMarks()


class PlainMarks:
    """A line for each section; errors are told by the command itself."""

    def begin(self, name: str) -> None:
        """`== name`."""
        _write(f"== {name}")

    def end(self, name: str) -> None:
        """Nothing."""

    def error(self, error: FloeError) -> None:
        """Nothing: it is on standard error in full."""

    def warning(self, error: FloeError) -> None:
        """One line."""
        _write(f"warning: {error.code.id}: {error.what}")

    def output(self, name: str, value: str) -> None:
        """Nothing."""


class GitlabMarks(PlainMarks):
    """Sections that GitLab folds (its job logs' `section_start` and `section_end`)."""

    def begin(self, name: str) -> None:
        """A section by the name's letters."""
        _write(f"\x1b[0Ksection_start:{int(time.time())}:{_slug(name)}\r\x1b[0K{name}")

    def end(self, name: str) -> None:
        """Its end."""
        _write(f"\x1b[0Ksection_end:{int(time.time())}:{_slug(name)}\r\x1b[0K")


class GithubMarks:
    """Workflow commands of GitHub Actions: groups, annotations, the summary, outputs of the step."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """The summary's and the outputs' files are the ones that the runner names."""
        self._summary = environ.get("GITHUB_STEP_SUMMARY")
        self._outputs = environ.get("GITHUB_OUTPUT")

    def begin(self, name: str) -> None:
        """A group that folds."""
        _write(f"::group::{_data(name)}")

    def end(self, name: str) -> None:  # noqa: ARG002 - groups do not nest, so their end needs no name
        """Its end."""
        _write("::endgroup::")

    def error(self, error: FloeError) -> None:
        """An annotation at the file that the error names, and the whole of it in the summary."""
        self._annotate("error", error)
        if self._summary:
            _append(self._summary, f"### {error.code.id}: {error.what}\n\n```\n{error}\n```\n")

    def warning(self, error: FloeError) -> None:
        """An annotation."""
        self._annotate("warning", error)

    def output(self, name: str, value: str) -> None:
        """An output of the step."""
        if self._outputs:
            _append(self._outputs, f"{name}={value}\n")

    def _annotate(self, level: str, error: FloeError) -> None:
        properties = {"title": f"{error.code.id}: {error.code.kind.title}"}
        if error.where is not None:
            properties |= {"file": str(error.where.file)}
            properties |= {"line": str(error.where.line)} if error.where.line is not None else {}
        told = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
        _write(f"::{level} {told}::{_data(str(error))}")


def _append(file: str, text: str) -> None:
    with Path(file).open("a", encoding="utf-8") as stream:
        stream.write(text)


def _write(text: str) -> None:
    # At once: the program's own output must come between the marks.
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _slug(name: str) -> str:
    return re.sub(r"\W+", "_", name.lower())[:40].strip("_") or "part"
