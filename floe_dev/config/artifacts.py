"""Read CompiledArtifacts: whole, as compiled, of a format this floe knows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.artifacts import FORMAT_VERSION, CompiledArtifacts

_REMAKE = "floe compile"


def to_text(content: Mapping[str, Any]) -> str:
    """One form for one content: sorted keys, so that the same inputs give the same bytes."""
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def content_hash(content: Mapping[str, Any]) -> str:
    """SHA-256 over everything but the hash itself."""
    bare = {key: value for key, value in content.items() if key != "content_hash"}
    return hashlib.sha256(json.dumps(bare, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read_artifacts(file: Path) -> CompiledArtifacts:
    """The artifacts in `file`; those of an older format are brought to this one's.

    Raises FloeError: 1102 where it cannot be read, 1402 where it was changed after it was compiled, 1403 where its
    format is newer than this floe, or so old that nothing brings it up.
    """
    try:
        text = file.read_text(encoding="utf-8")
        content = json.loads(text)
    except OSError as error:
        why = error.strerror or str(error)
        raise FloeError(
            Code.CONFIG_FILE_UNREADABLE, f"cannot read {file.name}", why=why, fix=_REMAKE, where=Where(file)
        ) from error
    except ValueError as error:
        line = getattr(error, "lineno", None)
        raise FloeError(
            Code.ARTIFACTS_CHANGED, f"{file.name} is not JSON", why=str(error), fix=_REMAKE, where=Where(file, line)
        ) from error
    found = content.get("format_version") if isinstance(content, dict) else None
    if found not in (FORMAT_VERSION, *_UPGRADES):
        newer = isinstance(found, int) and found > FORMAT_VERSION
        raise FloeError(
            Code.ARTIFACTS_VERSION,
            f"{file.name} has the format version {found}",
            why=f"this floe reads the versions {', '.join(map(str, sorted((FORMAT_VERSION, *_UPGRADES))))}",
            fix="pip install --upgrade floe_dev" if newer else _REMAKE,
            where=Where(file, _line(text, "format_version"), key="format_version"),
        )
    if content.get("content_hash") != content_hash(content):
        raise FloeError(
            Code.ARTIFACTS_CHANGED,
            f"{file.name} is not as it was compiled",
            why="its content does not have the hash that it names",
            fix=_REMAKE,
            where=Where(file, _line(text, "content_hash"), key="content_hash"),
        )
    while content["format_version"] != FORMAT_VERSION:
        content = _UPGRADES[content["format_version"]](content)
    try:
        return CompiledArtifacts.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise FloeError(
            Code.ARTIFACTS_CHANGED,
            f"{file.name} is not what floe compiles",
            why=f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
            fix=_REMAKE,
            where=Where(file, 1, key=".".join(map(str, first["loc"]))),
        ) from error


def _from_1(content: dict[str, Any]) -> dict[str, Any]:
    """Version 1 knew no packaged dbt project: its `dbt` is what it is now without one."""
    return {**content, "format_version": 2}


#: What makes a file of the next version from one of an older.
_UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _from_1}


def _line(text: str, key: str) -> int | None:
    """The line of a key of the document itself, which `to_text` indents by one space."""
    return next((number for number, line in enumerate(text.splitlines(), 1) if line.startswith(f' "{key}"')), None)
