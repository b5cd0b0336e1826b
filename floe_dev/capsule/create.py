"""What goes into the capsule of a project's stack, running or not."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

from floe_dev.capsule import form
from floe_dev.capsule.scrub import Scrubber, configuration_files, project_secrets
from floe_dev.capsule.writer import CapsuleWriter, each, lines
from floe_dev.errors import FloeError

if TYPE_CHECKING:
    from floe_dev.model.layout import Layout
    from floe_dev.model.tables import TableInfo
    from floe_dev.session import Session

#: Runs whose events are kept, newest first.
_RUNS = 10
#: Automatic capsules that are kept in a project, newest first.
_KEPT = 5
#: Rows of each table with --data.
_ROWS = 10_000
_ARTIFACTS = ("run_results.json", "manifest.json", "sources.json")


def default_file(layout: Layout, kind: str) -> Path:
    """Where an automatic capsule goes."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return layout.state_dir / "capsules" / f"{stamp}-{kind}.zip"


def create(
    session: Session,
    file: Path,
    *,
    kind: str = "manual",
    title: str = "",
    error: BaseException | None = None,
    limit: int = form.DEFAULT_BYTES,
    data: bool = False,
) -> Path:
    """Write the capsule of a session's project; the file.

    What cannot be had (no stack runs, a service does not answer) is named in it. With `data` the first rows of every
    table go in too. Raises OSError where the file cannot be written.
    """
    layout = session.layout
    with CapsuleWriter(file, Scrubber(project_secrets(session.root)), limit) as writer:
        if error is not None or title:
            writer.text(form.ERROR, _told(error, title))
        status = each(writer, "status", session.status)
        if status is not None:
            writer.json(form.STATUS, status.model_dump(mode="json", by_alias=True))
        add_configuration(writer, session.root)
        add_surroundings(writer)
        add_files(writer, layout)
        if status is not None and not session.external:
            tables = each(writer, "tables", session.tables) or []
            add_tables(writer, tables)
            each(writer, "files", lambda: _files(writer, session, tables))
            each(writer, "dagster", lambda: _dagster(writer, session))
            if data:
                _data(writer, session, tables)
        elif status is None:
            writer.missing.append("tables, assets and runs: the stack does not run")
        return writer.finish(
            kind=kind,
            title=title or (_first_line(error) if error is not None else "made by hand"),
            project=session.root.name,
            stack=status.stack if status is not None else "",
        )


def automatic(session: Session, kind: str, error: BaseException, file: Path | None = None) -> Path | None:
    """The capsule of what just failed, in the project's own folder unless `file` is given; None if it cannot be."""
    place = file or default_file(session.layout, kind)
    try:
        made = create(session, place, kind=kind, error=error)
        for old in sorted(place.parent.glob("*.zip"))[:-_KEPT] if file is None else ():
            old.unlink(missing_ok=True)
    except Exception:  # noqa: BLE001 - the failure itself has to be told, whatever becomes of its capsule
        return None
    return made


def add_configuration(writer: CapsuleWriter, root: Path) -> None:
    """The project's files that say how it is set up, at their places."""
    for file in configuration_files(root):
        name = file.relative_to(root).as_posix()
        each(writer, name, lambda file=file, name=name: writer.text(name, file.read_text("utf-8", "replace")))
    wanted = ("FLOE_", "POLARIS_", "DAGSTER_", "DBT_", "OTEL_", "AWS_", "OPENLINEAGE_", "CI", "GITHUB_", "GITLAB_")
    names = sorted(name for name in os.environ if name.startswith(wanted))
    writer.json(form.ENVIRONMENT, {name: os.environ[name] for name in names})


def add_surroundings(writer: CapsuleWriter) -> None:
    """Versions of all installed packages, and the machine."""
    import shutil

    import psutil

    installed = {item.metadata["Name"]: item.version for item in distributions() if item.metadata["Name"]}
    writer.json(form.VERSIONS, {"python": platform.python_version(), "packages": dict(sorted(installed.items()))})
    memory, disk = psutil.virtual_memory(), shutil.disk_usage(Path.cwd())
    writer.json(
        form.MACHINE,
        {
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "processors": os.cpu_count(),
            "load": list(os.getloadavg()),
            "memoryBytes": {"total": memory.total, "available": memory.available},
            "diskBytes": {"total": disk.total, "free": disk.free},
        },
    )


def add_files(writer: CapsuleWriter, layout: Layout) -> None:
    """Logs, the telemetry store and dbt's artifacts of a folder that is laid out like a project's."""
    from floe_dev.supervisor.lock import is_held
    from floe_dev.telemetry.collect import collect
    from floe_dev.telemetry.schema import store_file

    root = layout.root
    for file in (*_newest(layout.logs_dir, "*.log"), *_newest(layout.dagster_home, "events.jsonl")):
        name = file.relative_to(root).as_posix()
        each(writer, name, lambda file=file, name=name: writer.log(name, file))
    spool = layout.telemetry_dir / "spool"
    if not is_held(layout):
        # Nobody else collects here: a running stack's receiver would, and one that was ended may not have come to all.
        each(writer, "spool", lambda: collect(spool, store_file(layout)))
    each(writer, "telemetry", lambda: writer.store(".floe/telemetry/telemetry.db", store_file(layout)))
    for name in _ARTIFACTS:
        for folder in ("target", "target/run"):
            file = layout.dbt_dir / folder / name
            if file.is_file():
                place = file.relative_to(root).as_posix()
                each(
                    writer, place, lambda file=file, place=place: writer.text(place, file.read_text("utf-8"), part=1.0)
                )
    for file in _newest(layout.dbt_dir / "target", "compiled/**/*.sql")[:500]:
        place = file.relative_to(root).as_posix()
        each(writer, place, lambda file=file, place=place: writer.text(place, file.read_text("utf-8", "replace")))
    for file in _newest(layout.dbt_dir / "logs", "dbt.log"):
        place = file.relative_to(root).as_posix()
        each(writer, place, lambda file=file, place=place: writer.log(place, file))


def add_tables(writer: CapsuleWriter, tables: Sequence[TableInfo]) -> None:
    """Every table's and view's metadata, as the catalog tells it."""
    writer.json(form.TABLES, [_table(info) for info in tables])


def _table(info: TableInfo) -> dict[str, Any]:
    return {
        "namespace": list(info.namespace),
        "name": info.name,
        "kind": info.kind,
        "uuid": info.uuid,
        "location": info.location,
        "format_version": info.format_version,
        "metadata": info.metadata,
        "metadata_location": info.metadata_location,
    }


def _files(writer: CapsuleWriter, session: Session, tables: Sequence[TableInfo]) -> None:
    writer.json(form.FILES, {info.identifier: [vars(one) for one in session.files(info)[:500]] for info in tables})


def _dagster(writer: CapsuleWriter, session: Session) -> None:
    from dataclasses import asdict

    from floe_dev.orchestrators.dagster.instigators import automations
    from floe_dev.orchestrators.dagster.monitor import asset_detail, assets, run_detail, runs

    client = session.dagster()
    listed, made = runs(client), assets(client)
    writer.json(form.ASSETS, [asdict(one) for one in made])
    writer.json(form.RUNS, [asdict(one) for one in listed])
    writer.json(form.AUTOMATIONS, [asdict(one) for one in automations(client)])
    details = {one.run_id: asdict(run_detail(client, one.run_id, session.layout)) for one in listed[:_RUNS]}
    writer.json(form.RUN_DETAILS, details)
    writer.json(form.ASSET_DETAILS, {one.key: asdict(asset_detail(client, one.key)) for one in made[:500]})


def _data(writer: CapsuleWriter, session: Session, tables: Sequence[TableInfo]) -> None:
    for info in tables:
        if info.kind == "table":
            each(writer, f"data of {info.identifier}", lambda info=info: _rows(writer, session, info.identifier))


def _rows(writer: CapsuleWriter, session: Session, identifier: str) -> None:
    import tempfile

    import pyarrow.parquet as pq

    found = session.catalog().load_table(identifier).scan(limit=_ROWS).to_arrow()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.parquet"
        pq.write_table(found, file)
        writer.data(f"{form.DATA}/{identifier}.parquet", file.read_bytes())
    if found.num_rows == _ROWS:
        writer.missing.append(f"data of {identifier}: rows after the first {_ROWS}")


def _whole(writer: CapsuleWriter, name: str, file: Path) -> None:
    writer.json(name, json.loads(file.read_text(encoding="utf-8")))


def _newest(folder: Path, pattern: str) -> list[Path]:
    found = [file for file in folder.glob(pattern) if file.is_file()] if folder.is_dir() else []
    return sorted(found, key=lambda file: file.stat().st_mtime, reverse=True)


def _told(error: BaseException | None, title: str) -> str:
    if error is None:
        return title + "\n"
    import traceback

    text = str(error) if isinstance(error, FloeError) else "".join(traceback.format_exception(error))
    return lines([title, text] if title else [text])


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
