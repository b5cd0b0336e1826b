"""Find and load a project: floe.yaml, the platform.yaml that serves it, and the overlay of observed endpoints."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from floe_dev.config.implicit import implicit_platform, implicit_spec
from floe_dev.config.overlay import lay_over
from floe_dev.config.plugins import Kind
from floe_dev.config.plugins import names as registered
from floe_dev.config.validation import Problem, nearest, raise_problems, validate
from floe_dev.config.yaml_source import KeyPath, YamlSource, read_yaml
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.layout import DBT_FILE, FLOE_FILE, Layout, nearest_project
from floe_dev.model.platform import Platform
from floe_dev.model.project import FloeSpec, Orchestration, Project

PLATFORM_FILE = "platform.yaml"


def find_project(start: Path) -> Path:
    """The nearest folder at or above `start` that holds floe.yaml, else dbt_project.yml; raises FloeError 1001."""
    found = nearest_project(start)
    if found is not None:
        return found
    raise FloeError(
        Code.NO_PROJECT,
        f"no {FLOE_FILE} or {DBT_FILE} in {start.absolute()} or above it",
        why="a project is a folder with a floe.yaml, or a dbt project",
        fix="floe init my_project",
    )


def platform_candidates(root: Path, environ: Mapping[str, str], home: Path) -> list[Path]:
    """Where platform.yaml is looked for, in order.

    Upstream's order: FLOE_PLATFORM_FILE alone if set; then `{platform,.floe,~/.floe}/{env}/platform.yaml` with
    `platform_name`; then the same without `{env}`. Then the file beside floe.yaml, as platform projects have
    it. `.floe/platform.yaml` is left out: here that file is the overlay of observed endpoints.
    """
    named = environ.get("FLOE_PLATFORM_FILE")
    if named:
        return [(root / Path(named).expanduser())]
    env = platform_name(root, environ)
    return [
        root / "platform" / env / PLATFORM_FILE,
        root / ".floe" / env / PLATFORM_FILE,
        home / ".floe" / env / PLATFORM_FILE,
        root / "platform" / PLATFORM_FILE,
        root / PLATFORM_FILE,
        home / ".floe" / PLATFORM_FILE,
    ]


def platform_name(root: Path, environ: Mapping[str, str]) -> str:
    """FLOE_PLATFORM_ENV, else DAGSTER_DEPLOYMENT, else what `floe up --platform` chose for this project, else `local`.

    DAGSTER_DEPLOYMENT is Dagster's own word for the environment that a code location runs in.
    """
    try:
        chosen = Layout(root).platform_choice.read_text(encoding="utf-8").strip()
    except OSError:
        chosen = ""
    return environ.get("FLOE_PLATFORM_ENV") or environ.get("DAGSTER_DEPLOYMENT") or chosen or "local"


def _check_deployment(root: Path, environ: Mapping[str, str], home: Path) -> None:
    """Refuse a DAGSTER_DEPLOYMENT without a platform.yaml: with a misspelt one another platform's would be used."""
    name = environ.get("DAGSTER_DEPLOYMENT")
    named_otherwise = environ.get("FLOE_PLATFORM_FILE") or environ.get("FLOE_PLATFORM_ENV")
    if not name or named_otherwise or name in (known := known_platforms(root, home)):
        return
    near = nearest(name, known)
    raise FloeError(
        Code.UNKNOWN_REFERENCE,
        f"DAGSTER_DEPLOYMENT names the platform `{name}`, which has no platform.yaml",
        why=f"the platforms known here are: {', '.join(known)}",
        fix=f"export DAGSTER_DEPLOYMENT={near}" if near else f"write platform/{name}/{PLATFORM_FILE}",
        where=Where(root / "platform" / name / PLATFORM_FILE),
    )


def known_platforms(root: Path, home: Path) -> list[str]:
    """The platforms that have a file of their own name; `local` is always there."""
    folders = (root / "platform", root / ".floe", home / ".floe")
    return sorted({"local", *(file.parent.name for folder in folders for file in folder.glob(f"*/{PLATFORM_FILE}"))})


def find_platform(root: Path, environ: Mapping[str, str], home: Path) -> Path:
    """The first candidate that exists; raises FloeError 1102 with the list."""
    candidates = platform_candidates(root, environ, home)
    _check_deployment(root, environ, home)
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
    """Both files, validated, every logical name resolved, observed endpoints laid over; raises FloeError 1xxx.

    A dbt project without floe.yaml gets what such a file would say (config/implicit.py).
    """
    environ = os.environ if environ is None else environ
    root = root.absolute()
    if not (root / FLOE_FILE).is_file() and (root / DBT_FILE).is_file():
        return _implicit(root, environ)
    floe_source = read_yaml(root / FLOE_FILE)
    spec = validate(FloeSpec, floe_source)
    platform_file = find_platform(root, environ, Path.home())
    platform_source = read_yaml(platform_file)
    platform = validate(Platform, platform_source)
    raise_problems(_check_references(spec, floe_source, platform, platform_source))
    platform = lay_over(platform, Layout(root), platform_file)
    return Project(root=root, spec=spec, platform=platform, platform_file=platform_file)


def _implicit(root: Path, environ: Mapping[str, str]) -> Project:
    spec = implicit_spec(root)
    found = next((file for file in platform_candidates(root, environ, Path.home()) if file.is_file()), None)
    if found is None:
        file, platform = root / DBT_FILE, implicit_platform(spec)
    else:
        file, platform = found, validate(Platform, read_yaml(found))
    return Project(root=root, spec=spec, platform=lay_over(platform, Layout(root), file), platform_file=file)


def _check_references(
    spec: FloeSpec, floe_source: YamlSource, platform: Platform, platform_source: YamlSource
) -> list[Problem]:
    """Every logical name that is not defined where it should be, and every folder that is not there."""
    names = _Names(floe_source, platform_source.file.name)
    place: KeyPath
    names.require("catalog", spec.catalog, platform.catalogs, ("catalog",))
    if platform.compute:
        names.require("compute", spec.compute, platform.compute, ("compute",))
    if platform.storage and "storage" in floe_source.data:
        names.require("storage", spec.storage, platform.storage, ("storage",))
    dbt_projects = [index for index, transform in enumerate(spec.transforms) if transform.type == "dbt"]
    for index in dbt_projects[1:]:
        place = ("transforms", index)
        why = "its profile, its manifest and its asset keys are one graph"
        names.problems.append(
            Problem(
                floe_source.where(place),
                Code.SEVERAL_DBT_PROJECTS,
                "there is a second dbt project",
                why,
                "keep one; make the other a floe project of its own, or a package of the first",
            )
        )
    for index, transform in enumerate(spec.transforms):
        if not (floe_source.file.parent / transform.path).is_dir():
            place = ("transforms", index, "path")
            why = f"there is no folder {floe_source.file.parent / transform.path}"
            what = f"the transform's folder `{transform.path}` does not exist"
            names.problems.append(Problem(floe_source.where(place), Code.INVALID_VALUE, what, why, "correct `path`"))
    _check_orchestration(spec.orchestration, floe_source, names)
    layers = _Names(platform_source, platform_source.file.name)
    for name, layer in platform.layers.items():
        layers.require("storage", layer.storage_ref, platform.storage, ("layers", name, "storage_ref"))
        layers.require("catalog", layer.catalog_ref, platform.catalogs, ("layers", name, "catalog_ref"))
    return names.problems + layers.problems + list(_unknown_kinds(platform, platform_source))


#: What platform.yaml may name besides what is registered: words of the platform that no code of floe has to know.
_KINDS: dict[Kind, tuple[str, ...]] = {
    "storages": ("s3", "azure", "gcs", "file"),
    "catalogs": ("polaris", "rest", "glue", "unity", "hive"),
    "computes": ("duckdb", "spark", "snowflake"),
}


def _unknown_kinds(platform: Platform, source: YamlSource) -> Iterator[Problem]:
    """Every `type` that is neither a word of the platform nor registered; installed packages are asked only then."""
    declared: tuple[tuple[Kind, str, dict[str, str]], ...] = (
        ("storages", "storage", {name: each.type for name, each in platform.storage.items()}),
        ("catalogs", "catalogs", {name: each.type for name, each in platform.catalogs.items()}),
        ("computes", "compute", {name: each.type for name, each in platform.compute.items()}),
    )
    for kind, section, types in declared:
        for name, word in types.items():
            if word in _KINDS[kind]:
                continue
            known = sorted({*_KINDS[kind], *registered(kind)})
            if word not in known:
                near = nearest(word, known)
                yield Problem(
                    source.where((section, name, "type")),
                    Code.INVALID_VALUE,
                    f"`{section}.{name}.type` is not valid",
                    f"known are: {', '.join(known)}; it is {word!r}",
                    f"write `{near}`" if near else f"install the package that registers {word!r}",
                )


def _check_orchestration(orchestration: Orchestration, source: YamlSource, names: _Names) -> None:
    here = _Names(source, source.file.name)
    for name, asset in orchestration.assets.items():
        here.require(
            "partitions", asset.partitions, orchestration.partitions, ("orchestration", "assets", name, "partitions")
        )
    for index, part in enumerate(orchestration.dbt.partitioned):
        place = ("orchestration", "dbt", "partitioned", index)
        here.require("partitions", part.partitions, orchestration.partitions, (*place, "partitions"))
        here.require("backfill", part.backfill, orchestration.backfills, (*place, "backfill"))
    for name, job in orchestration.jobs.items():
        here.require(
            "partitions", job.partitions, orchestration.partitions, ("orchestration", "jobs", name, "partitions")
        )
    for name, schedule in orchestration.schedules.items():
        here.require("job", schedule.job, orchestration.jobs, ("orchestration", "schedules", name, "job"))
    for name, sensor in orchestration.sensors.items():
        here.require("job", sensor.job, orchestration.jobs, ("orchestration", "sensors", name, "job"))
        here.require("job", sensor.monitor, orchestration.jobs, ("orchestration", "sensors", name, "monitor"))
    names.problems.extend(here.problems)


class _Names:
    """Collects the names of one file that nothing defines."""

    def __init__(self, source: YamlSource, defined_in: str) -> None:
        self._source = source
        self._defined_in = defined_in
        self.problems: list[Problem] = []

    def require(self, kind: str, name: str | None, known: Iterable[str], place: KeyPath) -> None:
        """Note it if `name`, which stands at `place`, is none of `known`."""
        names = list(known)
        if name is None or name in names:
            return
        near = nearest(name, names)
        self.problems.append(
            Problem(
                self._source.where(place),
                Code.UNKNOWN_REFERENCE,
                f"{kind} `{name}` is not defined",
                f"{self._defined_in} defines: {', '.join(names) or 'none'}",
                f"write `{near}`" if near else f"define `{name}` in {self._defined_in}",
            )
        )
