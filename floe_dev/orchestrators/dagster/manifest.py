"""dbt's manifest, rebuilt only when the dbt project changed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from floe_dev.config.private import write_private
from floe_dev.config.yaml_source import read_yaml
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.layout import FLOE_FILE
from floe_dev.model.project import Project

#: Folders of a dbt project that dbt itself writes.
_SKIPPED = {"target", "logs", ".git", "__pycache__", ".venv", ".floe"}
#: How dbt says that packages of packages.yml are not there.
_PACKAGES_MISSING = "dbt deps"
_PACKAGE_FILES = ("packages.yml", "dependencies.yml")
_DEPS_SECONDS = 60.0
_LOCATION = re.compile(r"\(?((?:[\w.-]+/)*[\w.-]+\.(?:sql|ya?ml|py|csv|md))\)?")
_LINE = re.compile(r"\bline (\d+)")


def dbt_executable() -> str:
    """The dbt of the running environment, whatever PATH says; by way of the fork server where it is installed."""
    folder = Path(sys.executable).parent
    forked = folder / "floe-dbt"
    return str(forked if forked.is_file() else folder / "dbt")


def manifest_path(project: Project) -> Path:
    """Where the manifest is: where floe.yaml says a deployment has put it, else inside `.floe/`."""
    declared = project.spec.orchestration.dbt.manifest_path
    return project.root / declared if declared else project.layout.dbt_dir / "target" / "manifest.json"


def check_version(project: Project) -> None:
    """Refuse a manifest that floe.yaml names and another dbt has written; raises FloeError 1302, 1102."""
    if project.spec.orchestration.dbt.manifest_path is None:
        return
    file = manifest_path(project)
    try:
        written_by = str(json.loads(file.read_text(encoding="utf-8"))["metadata"]["dbt_version"])
    except (OSError, ValueError, KeyError) as error:
        raise FloeError(
            Code.CONFIG_FILE_UNREADABLE,
            f"the manifest {file} cannot be read",
            why=f"{type(error).__name__}: {error}",
            fix="dbt parse",
            where=_declared(project, file),
        ) from error
    installed = version("dbt-core")
    if written_by.split(".")[:2] != installed.split(".")[:2]:
        raise FloeError(
            Code.DBT_VERSION,
            f"the manifest was written by dbt {written_by}, this is dbt {installed}",
            why=f"dbt reads manifests of its own version only; it is {file}",
            fix=f"dbt parse with dbt {installed}, or leave out `orchestration.dbt.manifest_path`",
            where=_declared(project, file),
        )


def _declared(project: Project, manifest: Path) -> Where:
    """The line of floe.yaml that names the manifest; of compiled artifacts the manifest itself."""
    floe = project.root / FLOE_FILE
    if not floe.is_file():
        return Where(manifest, 1)
    return read_yaml(floe).where(("orchestration", "dbt", "manifest_path"))


def fingerprint(project: Project) -> str:
    """A hash over what the manifest is made from: each file's path, size and modification time, and the profile."""
    digest = hashlib.sha256(version("dbt-core").encode())
    folder = project.dbt_dir()
    if folder is not None:
        for path, stat in _files(folder):
            digest.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    profile = project.layout.dbt_dir / "profiles.yml"
    if profile.is_file():
        digest.update(profile.read_bytes())
    return digest.hexdigest()


def is_current(project: Project) -> bool:
    """Whether there is a manifest that fits the dbt project; nothing is imported or started to find out."""
    if project.spec.orchestration.dbt.manifest_path is not None:
        return manifest_path(project).is_file()
    mark = _mark(project)
    return (
        manifest_path(project).is_file() and mark.is_file() and mark.read_text(encoding="utf-8") == fingerprint(project)
    )


def ensure_manifest(project: Project, environ: Mapping[str, str] | None = None) -> str:
    """Make sure the manifest fits the dbt project; returns what was done.

    Raises FloeError 4001 with dbt's message, or where the project has no profile yet.

    `environ` is what dbt's profile reads its settings from; this process's environment if absent.
    """
    if project.dbt_dir() is None:
        return "the project has no dbt transforms"
    if is_current(project):
        return "unchanged"
    if project.spec.orchestration.dbt.manifest_path is not None:
        check_version(project)  # says that it is not there
    profile = project.layout.dbt_dir / "profiles.yml"
    if not profile.is_file():
        raise FloeError(
            Code.DBT_PARSE_FAILED,
            "the dbt project has no profile yet, and cannot be parsed without",
            why=f"floe writes {profile} when the stack starts, and this one has not started yet",
            fix="floe up",
        )
    mark, current = _mark(project), fingerprint(project)
    parse(project, environ)
    write_private(mark, current)
    return "parsed"


def _mark(project: Project) -> Path:
    return project.layout.dbt_dir / "manifest.fingerprint"


def parse(project: Project, environ: Mapping[str, str] | None = None) -> None:
    """Run `dbt parse` into `.floe/dbt/target`, and `dbt deps` before it where packages are missing.

    Raises FloeError 4001 with dbt's message, 4010 where packages can't be had.
    """
    folder = project.dbt_dir()
    if folder is None:
        return
    done = _dbt(project, folder, environ, "parse", "--quiet")
    if done.returncode != 0 and _PACKAGES_MISSING in done.stdout + done.stderr:
        _install_packages(project, folder, environ)
        done = _dbt(project, folder, environ, "parse", "--quiet")
    if done.returncode != 0:
        raise parse_error(folder, done.stdout + done.stderr)


def _install_packages(project: Project, folder: Path, environ: Mapping[str, str] | None) -> None:
    """What dbt itself would have its user do: into the project's own packages folder, which is dbt's."""
    try:
        done = _dbt(project, folder, environ, "deps", "--quiet", timeout_seconds=_DEPS_SECONDS)
        output = done.stdout + done.stderr if done.returncode else ""
    except subprocess.TimeoutExpired:
        output = f"dbt deps did not end within {_DEPS_SECONDS:g} s"
    if output:
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        raise FloeError(
            Code.DBT_PACKAGES_MISSING,
            "the dbt project's packages are not installed, and cannot be had",
            why=lines[-1][:300] if lines else None,
            detail=tuple(lines[-8:]),
            fix="`dbt deps` where there is a network; or copy them into the project's `dbt_packages/`",
            where=Where(next((f for name in _PACKAGE_FILES if (f := folder / name).is_file()), folder)),
        )


def _dbt(
    project: Project,
    folder: Path,
    environ: Mapping[str, str] | None,
    *arguments: str,
    timeout_seconds: float | None = None,
) -> subprocess.CompletedProcess[str]:
    command = [dbt_executable(), "--no-use-colors", "--no-send-anonymous-usage-stats", *arguments]
    return subprocess.run(
        [*command, "--project-dir", str(folder)],
        cwd=folder,
        env={**(os.environ if environ is None else environ), **project.layout.environment()},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=timeout_seconds,
    )


def parse_error(folder: Path, output: str) -> FloeError:
    """Dbt's own words as a FloeError, with the file and line where dbt names them."""
    lines = [re.sub(r"^\d\d:\d\d:\d\d\s+", "", line).rstrip() for line in output.splitlines()]
    lines = [line for line in lines if line.strip() and line.strip() != "Encountered an error:"]
    what = _message(lines)
    where: Where | None = None
    for line in lines:
        for match in _LOCATION.finditer(line):
            file = _named_file(folder, match.group(1))
            if where is None and file is not None:
                where = Where(file)
    number = next((int(m.group(1)) for line in lines if (m := _LINE.search(line))), None)
    if where is not None and number is not None:
        where = Where(where.file, number)
    return FloeError(
        Code.DBT_PARSE_FAILED,
        "the dbt project does not parse",
        why=what,
        detail=tuple(lines[-15:]),
        fix="mend the file named above; `floe exec -- dbt parse` checks it",
        where=where or Where(folder / "dbt_project.yml"),
    )


def _named_file(folder: Path, name: str) -> Path | None:
    """The file dbt means: it names models from the project's folder, but YAML files from the folder of their kind."""
    for base in (folder, *sorted(path for path in folder.iterdir() if path.is_dir() and path.name not in _SKIPPED)):
        if (base / name).is_file():
            return base / name
    return None


def _message(lines: list[str]) -> str:
    """The kind of error and its first sentence: dbt writes them on lines of their own, the second one indented."""
    start = next((index for index, line in enumerate(lines) if "Error" in line), None)
    if start is None:
        return lines[-1].strip() if lines else "dbt parse failed"
    told = [lines[start].strip()]
    for line in lines[start + 1 : start + 3]:
        if not line.startswith(" "):
            break
        told.append(line.strip())
    return told[0] if len(told) == 1 else f"{told[0].rstrip(':')}: {' '.join(told[1:])}"


def _files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    for directory, subfolders, files in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if name not in _SKIPPED)
        for name in sorted(files):
            path = os.path.join(directory, name)  # noqa: PTH118 - thousands of files, each poll
            try:
                yield os.path.relpath(path, folder), os.stat(path)  # noqa: PTH116
            except FileNotFoundError:
                continue
