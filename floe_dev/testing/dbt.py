"""dbt in a test: a project's folder or a few models, built into the test's lakehouse by the real dbt."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from operator import methodcaller
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import yaml

from floe_dev.testing.lakehouse import Lakehouse
from floe_dev.testing.recording import Lineage, Recording

if TYPE_CHECKING:
    from floe_dev.model.traces import Trace

_INLINE = "inline"


@dataclass(frozen=True)
class DbtRun:
    """One dbt invocation: whether it succeeded, what it said, each node's entry of run_results.json by name."""

    success: bool
    output: str
    results: Mapping[str, Mapping[str, Any]] = field(repr=False)
    trace_id: str
    started_at: float = field(repr=False)
    recording: Recording = field(repr=False)

    def status(self, name: str) -> str:
        """The status of the node `name`, such as `success`, `error` or `skipped`, in dbt's words."""
        return str(self.results[name]["status"])

    @cached_property
    def trace(self) -> Trace:
        """The invocation's spans: one of its own, one of each node, below it those of the catalog's requests."""
        return self.recording.trace(self.trace_id)

    @cached_property
    def lineage(self) -> Lineage:
        """What the invocation's nodes read and wrote."""
        return self.recording.lineage(self.started_at)


class DbtRunner:
    """Calls dbt in this process, which saves its imports' two seconds from the second call on."""

    def __init__(self, lakehouse: Lakehouse) -> None:
        """Profile, inline models and dbt's target are in the lakehouse's own folder; made at the first call."""
        self._lakehouse = lakehouse
        self._folder = lakehouse.recording.layout.dbt_dir

    def __call__(
        self, project: str | os.PathLike[str] | Mapping[str, str], *arguments: str, check: bool = True
    ) -> DbtRun:
        """`dbt build` unless `arguments` name a command.

        A Mapping is files by name beside those of earlier calls: `orders` is a model's SQL, a name with a suffix such
        as `seeds/cities.csv` or `models/schema.yml` any file of the project.

        Raises AssertionError with dbt's words if it fails and `check` is set.
        """
        # What dbt says is told, not how it was called.
        __tracebackhide__ = methodcaller("errisinstance", AssertionError)
        folder = self._inline(project) if isinstance(project, Mapping) else Path(project).resolve()
        words = arguments or ("build",)
        command = [*words, "--project-dir", str(folder), "--profiles-dir", str(self._profile(folder))]
        done = self._invoke(command)
        if check and not done.success:
            raise AssertionError(f"dbt {' '.join(words)} failed:\n{done.output}")
        return done

    def _inline(self, files: Mapping[str, str]) -> Path:
        folder = self._folder / "project"
        (folder / "models").mkdir(parents=True, exist_ok=True)
        settings = folder / "dbt_project.yml"
        if not settings.exists():
            content = {"name": _INLINE, "version": "1.0.0", "profile": _INLINE}
            settings.write_text(yaml.safe_dump(content), encoding="utf-8")
        for name, text in files.items():
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts:
                raise ValueError(f"{name!r} is outside the dbt project")
            file = folder / path if path.suffix else folder / "models" / f"{name}.sql"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return folder

    def _profile(self, folder: Path) -> Path:
        from floe_dev.dbt.profile import TARGET, profile_name

        connection = self._lakehouse.connection
        options = {
            "ENDPOINT": connection.uri,
            "CLIENT_ID": "{{ env_var('POLARIS_CLIENT_ID') }}",
            "CLIENT_SECRET": "{{ env_var('POLARIS_CLIENT_SECRET') }}",
            "OAUTH2_SERVER_URI": connection.token_uri,
            "OAUTH2_SCOPE": connection.scope,
            "ACCESS_DELEGATION_MODE": connection.access_delegation.replace("-", "_"),
        }
        output = {
            "type": "floe",
            "path": ":memory:",
            "database": connection.alias,
            "schema": self._lakehouse.namespace,
            "threads": 4,
            "attach": [
                {"path": connection.warehouse, "alias": connection.alias, "type": "iceberg", "options": options}
            ],
        }
        profiles = self._folder / "profiles"
        profiles.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump({profile_name(folder): {"target": TARGET, "outputs": {TARGET: output}}})
        (profiles / "profiles.yml").write_text(text, encoding="utf-8")
        return profiles

    def _invoke(self, command: list[str]) -> DbtRun:
        from dbt.cli.main import dbtRunner

        from floe_dev.dbt.adapter.connections import FloeConnectionManager

        lines: list[str] = []
        target = self._folder / "target"
        results = target / "run_results.json"
        results.unlink(missing_ok=True)

        def say(event: Any) -> None:
            if event.info.level not in ("debug", "test") and event.info.msg.strip():
                lines.append(str(event.info.msg))

        runner = dbtRunner(callbacks=[say])
        # The project may be the user's own folder, where nothing is to be left.
        places = ["--target-path", str(target), "--log-path", str(self._folder / "logs"), "--quiet"]
        variables = {
            **self._lakehouse.environment(),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DBT_TARGET_PATH": str(target),
            # The words end up in a report, which may be a file.
            "DBT_USE_COLORS": "false",
        }
        started_at = time.time()
        try:
            with self._lakehouse.recording.run(f"dbt {command[0]}", variables) as root:
                done = runner.invoke([*command, *places])
                root.error = None if done.success else "dbt tells of errors"
        finally:
            FloeConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
        if done.exception is not None:
            lines.append(str(done.exception))
        return DbtRun(
            done.success,
            "\n".join(lines),
            _entries(results),
            root.context.trace_id,
            started_at,
            self._lakehouse.recording,
        )


def _entries(file: Path) -> dict[str, dict[str, Any]]:
    entries = json.loads(file.read_text(encoding="utf-8"))["results"] if file.is_file() else []
    return {entry["unique_id"].split(".")[2]: entry for entry in entries}
