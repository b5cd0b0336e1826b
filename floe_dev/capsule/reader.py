"""Opening a capsule: checked before anything is written, unpacked into a folder of its own."""

from __future__ import annotations

import json
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

from floe_dev.capsule.form import FORMAT, MANIFEST, MOST_FILES, UNPACKED_BYTES, Manifest
from floe_dev.errors import Code, FloeError, Where

_CHUNK = 1 << 20


def read_manifest(folder: Path) -> Manifest | None:
    """What the capsule unpacked in `folder` is; None where the folder is none."""
    file = folder / MANIFEST
    return Manifest.model_validate_json(file.read_text(encoding="utf-8")) if file.is_file() else None


def unpack(file: Path, folder: Path) -> Manifest:
    """Unpack the capsule `file` into the empty `folder`.

    Raises:
        FloeError: FLOE7201 for a file that is no capsule, is cut short or damaged; 7202 for one of a newer version;
            7203 for one that would unpack to more than a gigabyte.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            _check_size(file, archive)
            manifest = _manifest(file, archive)
            left = UNPACKED_BYTES
            for item in archive.infolist():
                left = _extract(file, archive, item, folder, left)
    except FileNotFoundError as error:
        raise _unreadable(file, "there is no such file") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise _unreadable(file, f"{error}; was the download cut short?") from error
    except OSError as error:
        raise _unreadable(file, error.strerror or str(error)) from error
    return manifest


def _check_size(file: Path, archive: zipfile.ZipFile) -> None:
    items = archive.infolist()
    told = sum(item.file_size for item in items)
    if told > UNPACKED_BYTES or len(items) > MOST_FILES:
        raise _too_large(file, f"its {len(items)} files say they have {told} bytes")


def _manifest(file: Path, archive: zipfile.ZipFile) -> Manifest:
    try:
        with archive.open(MANIFEST) as stream:
            content: Any = json.loads(stream.read(_CHUNK))
    except KeyError as error:
        raise _unreadable(file, f"it has no {MANIFEST}") from error
    except ValueError as error:
        raise _unreadable(file, f"its {MANIFEST} is not JSON") from error
    number = content.get("format") if isinstance(content, dict) else None
    if isinstance(number, int) and number > FORMAT:
        raise FloeError(
            Code.CAPSULE_VERSION,
            f"{file.name} was written by floe {content.get('floe', '(unknown)')}",
            why=f"it has format {number}, this floe knows up to {FORMAT}",
            fix="pip install --upgrade floe_dev",
            where=Where(file),
        )
    try:
        return Manifest.model_validate(content)
    except ValueError as error:
        raise _unreadable(file, f"its {MANIFEST} is not one") from error


def _extract(file: Path, archive: zipfile.ZipFile, item: zipfile.ZipInfo, folder: Path, left: int) -> int:
    """Unpack one file; the bytes that may still come. What an entry says of its size is not believed."""
    name = PurePosixPath(item.filename)
    if name.is_absolute() or ".." in name.parts or "\\" in item.filename:
        raise _unreadable(file, f"it has a file outside itself: {item.filename!r}")
    if item.is_dir():
        return left
    if stat.S_ISLNK(item.external_attr >> 16):
        raise _unreadable(file, f"it has a link: {item.filename!r}")
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(item) as source, target.open("wb") as output:
        while chunk := source.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise _too_large(file, f"{item.filename!r} goes on and on")
            output.write(chunk)
    return left


def _unreadable(file: Path, why: str) -> FloeError:
    return FloeError(
        Code.CAPSULE_UNREADABLE,
        f"{file.name} cannot be opened as a capsule",
        why=why,
        fix="download it again, or make one: floe capsule create",
        where=Where(file),
    )


def _too_large(file: Path, why: str) -> FloeError:
    return FloeError(
        Code.CAPSULE_TOO_LARGE,
        f"{file.name} unpacks to more than {UNPACKED_BYTES // 1_000_000} MB",
        why=why,
        fix="ask whoever sent it for another: floe capsule create",
        where=Where(file),
    )
