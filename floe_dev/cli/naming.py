"""How to name floe in a command that is printed: it must run as pasted in the user's shell.

Everything that prints a command goes through `floe_command` (or `localize`, for the texts of errors raised below the
command line, which say plain `floe …`).
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

from floe_dev.cli.registry import COMMANDS
from floe_dev.model.layout import nearest_project

_NAMES = "|".join(COMMANDS)
_MENTION = re.compile(rf"(`|\$\()floe(?= (?:{_NAMES}|--)|`)")
#: Commands that read a capsule as they read a project.
_READERS = frozenset(("dashboard", "history", "lineage", "logs", "runs", "status", "tables", "traces"))
_READS = re.compile(rf"(`|\$\(|^ *)floe ({'|'.join(sorted(_READERS))})\b", re.MULTILINE)
#: The capsules that this process unpacked, by the folder of each: that folder is nothing to tell anybody.
_CAPSULES: dict[Path, Path] = {}
_BARE = re.compile(rf"(^ *| && )floe(?= (?:{_NAMES})\b)", re.MULTILINE)


def remember_capsule(folder: Path, file: Path) -> None:
    """From now on commands for the project at `folder` are printed for the capsule `file`."""
    _CAPSULES[folder] = file


def floe_command(*arguments: str, project: Path | None = None) -> str:
    """A pasteable command line: floe's name here, then the arguments, quoted.

    With `project`, `--project` is added unless the working directory already leads to that project. Where that project
    is an unpacked capsule, commands that read one get `--capsule`; others are for the project itself, wherever it is.
    """
    words = [shlex.quote(argument) for argument in arguments]
    capsule = _CAPSULES.get(project) if project is not None else None
    if capsule is not None:
        if arguments[:1] and arguments[0] in _READERS:
            words[1:1] = ["--capsule", shlex.quote(str(capsule))]
    elif project is not None and not leads_to(Path.cwd(), project):
        words += ["--project", shlex.quote(_short(project))]
    return " ".join([floe_name(), *words])


def floe_name() -> str:
    """`floe` if PATH leads to this installation, else a `./floe` shim of it nearby, else its absolute path."""
    script = _own_script()
    here = Path.cwd()
    if script is not None and not _is_on_path(script):
        for folder in (here, *here.parents):
            shim = folder / "floe"
            if _is_shim(shim, script):
                relative = os.path.relpath(shim, here)
                return shlex.quote(relative if relative.startswith("..") else f"./{relative}")
    return _name_anywhere()


def localize(text: str, project: Path | None = None) -> str:
    """`text` with the command lines in it (in backticks, or the whole text) starting with floe's name here."""
    told = None if project is None or leads_to(Path.cwd(), project) else _short(project)
    return _named(text, floe_name(), _CAPSULES.get(project) if project is not None else None, told)


def portable(text: str, project: Path) -> str:
    """As `localize`, for who pastes it into another shell: nothing in it depends on the working directory."""
    capsule = _CAPSULES.get(project)
    return _named(text, _name_anywhere(), capsule and capsule.resolve(), str(project.resolve()))


def _named(text: str, name: str, capsule: Path | None, project: str | None) -> str:
    if capsule is not None:
        given = shlex.quote(str(capsule))
        text = _READS.sub(lambda match: f"{match[1]}{name} {match[2]} --capsule {given}", text)
    elif project is not None:
        name = f"{name} --project {shlex.quote(project)}"
    text = _MENTION.sub(lambda match: match[1] + name, text)
    return _BARE.sub(lambda match: match[1] + name, text)


def leads_to(start: Path, project: Path) -> bool:
    """Whether looking for a project from `start` upwards ends at `project`."""
    return nearest_project(start.resolve()) == project.resolve()


def _name_anywhere() -> str:
    script = _own_script()
    if script is None:
        return f"{shlex.quote(sys.executable)} -m floe_dev.cli"
    return "floe" if _is_on_path(script) else shlex.quote(str(script))


def _is_on_path(script: Path) -> bool:
    found = shutil.which("floe")
    return found is not None and _is_shim(Path(found), script)


def _own_script() -> Path | None:
    # The interpreter's folder, not sys.argv[0]: under pytest or `python -m` argv names another program.
    script = Path(sys.executable).parent / "floe"
    return script if script.is_file() else None


def _is_shim(candidate: Path, script: Path) -> bool:
    """Whether `candidate` starts this installation: the script itself, a link to it, or a shell file that names it."""
    try:
        if not candidate.is_file() or not os.access(candidate, os.X_OK):
            return False
        if candidate.resolve() == script.resolve():
            return True
        if candidate.stat().st_size > 4096:
            return False
        text = candidate.read_text("utf-8", errors="replace")
    except OSError:
        return False
    if not text.startswith("#!"):
        return False
    # Shims name the script by its absolute path or relative to themselves ("$(dirname "$0")/.venv/bin/floe").
    relative = os.path.relpath(script, candidate.parent.resolve())
    return str(script) in text or (not relative.startswith("..") and f"/{relative}" in text)


def _short(path: Path) -> str:
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
