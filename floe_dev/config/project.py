"""Find and load a project: floe.yaml, the platform.yaml that serves it, and the overlay of observed endpoints."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from floe_dev.config.yaml_source import YamlSource, read_yaml, validate
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.layout import Layout
from floe_dev.model.platform import Platform
from floe_dev.model.project import FloeSpec, Project

FLOE_FILE = "floe.yaml"
PLATFORM_FILE = "platform.yaml"


def find_project(start: Path) -> Path:
    """The nearest folder at or above `start` that holds floe.yaml; raises FloeError 1001."""
    start = start.absolute()
    for folder in (start, *start.parents):
        if (folder / FLOE_FILE).is_file():
            return folder
    raise FloeError(
        Code.NO_PROJECT,
        f"no {FLOE_FILE} in {start} or above it",
        why="a floe project is a folder with a floe.yaml",
        fix="floe init my_project",
    )


def platform_candidates(root: Path, environ: Mapping[str, str], home: Path) -> list[Path]:
    """Where platform.yaml is looked for, in order.

    Upstream's order: FLOE_PLATFORM_FILE alone if set; then `{platform,.floe,~/.floe}/{env}/platform.yaml` with
    FLOE_PLATFORM_ENV (default `local`); then the same without `{env}`. Then the file beside floe.yaml, as the seed has
    it. `.floe/platform.yaml` is left out: here that file is the overlay of observed endpoints.
    """
    named = environ.get("FLOE_PLATFORM_FILE")
    if named:
        return [(root / Path(named).expanduser())]
    env = environ.get("FLOE_PLATFORM_ENV") or "local"
    return [
        root / "platform" / env / PLATFORM_FILE,
        root / ".floe" / env / PLATFORM_FILE,
        home / ".floe" / env / PLATFORM_FILE,
        root / "platform" / PLATFORM_FILE,
        root / PLATFORM_FILE,
        home / ".floe" / PLATFORM_FILE,
    ]


def find_platform(root: Path, environ: Mapping[str, str], home: Path) -> Path:
    """The first candidate that exists; raises FloeError 1102 with the list."""
    candidates = platform_candidates(root, environ, home)
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise FloeError(
        Code.CONFIG_FILE_UNREADABLE,
        "no platform.yaml found",
        why="looked at " + ", ".join(str(c) for c in candidates),
        fix=f"write {root / PLATFORM_FILE}, or set FLOE_PLATFORM_FILE",
        where=Where(root / FLOE_FILE),
    )


def load_project(root: Path, environ: Mapping[str, str] | None = None) -> Project:
    """Both files, validated, every logical name resolved, observed endpoints laid over; raises FloeError 1xxx."""
    environ = os.environ if environ is None else environ
    root = root.absolute()
    floe_source = read_yaml(root / FLOE_FILE)
    spec = validate(FloeSpec, floe_source)
    platform_file = find_platform(root, environ, Path.home())
    platform_source = read_yaml(platform_file)
    platform = validate(Platform, platform_source)
    _check_references(spec, floe_source, platform, platform_source)
    platform = _overlay(platform, Layout(root).overlay_file)
    return Project(root=root, spec=spec, platform=platform, platform_file=platform_file)


def _check_references(spec: FloeSpec, floe_source: YamlSource, platform: Platform, platform_source: YamlSource) -> None:
    _require("catalog", spec.catalog, platform.catalogs, floe_source.where(("catalog",)), platform_source.file)
    if platform.compute:
        _require("compute", spec.compute, platform.compute, floe_source.where(("compute",)), platform_source.file)
    if platform.storage and "storage" in floe_source.data:
        _require("storage", spec.storage, platform.storage, floe_source.where(("storage",)), platform_source.file)
    for name, layer in platform.layers.items():
        for key, ref, known in (
            ("storage_ref", layer.storage_ref, platform.storage),
            ("catalog_ref", layer.catalog_ref, platform.catalogs),
        ):
            where = platform_source.where(("layers", name, key))
            _require(key.removesuffix("_ref"), ref, known, where, platform_source.file)
    for index, transform in enumerate(spec.transforms):
        folder = floe_source.file.parent / transform.path
        if not folder.is_dir():
            raise FloeError(
                Code.INVALID_VALUE,
                f"the transform's folder `{transform.path}` does not exist",
                why=f"there is no folder {folder}",
                fix="correct `path`",
                where=floe_source.where(("transforms", index, "path")),
            )


def _require(kind: str, name: str, known: Iterable[str], where: Where, platform_file: Path) -> None:
    names = list(known)
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    raise FloeError(
        Code.UNKNOWN_REFERENCE,
        f"{kind} `{name}` is not defined",
        why=f"{platform_file} defines: {', '.join(names) or 'none'}",
        fix=f"write `{near[0]}`" if near else f"define `{name}` in {platform_file}",
        where=where,
    )


def _overlay(platform: Platform, file: Path) -> Platform:
    """`platform` with what our own stack was observed to listen on; a missing overlay changes nothing."""
    if not file.is_file():
        return platform
    observed = read_yaml(file).data.get("catalogs") or {}
    catalogs = {
        name: spec.model_copy(update={"uri": observed[name]["uri"]}) if name in observed else spec
        for name, spec in platform.catalogs.items()
    }
    return platform.model_copy(update={"catalogs": catalogs})
