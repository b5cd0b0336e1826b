"""dbt in a test: a project's folder or a few models, built into the test's lakehouse by the real dbt."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from floe_dev.dbt.profile import TARGET, profile_name
from floe_dev.testing.lakehouse import Lakehouse

_INLINE = "inline"


@dataclass(frozen=True)
class DbtRun:
    """One dbt invocation: whether it succeeded, what it said, each node's entry of run_results.json by name."""

    success: bool
    output: str
    results: Mapping[str, Mapping[str, Any]] = field(repr=False)

    def status(self, name: str) -> str:
        """The status of the node `name`, such as `success`, `error` or `skipped`, in dbt's words."""
        return str(self.results[name]["status"])


class DbtRunner:
    """Calls dbt in this process, which saves its imports' two seconds from the second call on."""

    def __init__(self, lakehouse: Lakehouse, folder: Path) -> None:
        """`folder` is for the profile, inline models and dbt's target; made at the first call."""
        self._lakehouse = lakehouse
        self._folder = folder

    def __call__(
        self, project: str | os.PathLike[str] | Mapping[str, str], *arguments: str, check: bool = True
    ) -> DbtRun:
        """`dbt build` unless `arguments` name a command; a Mapping is models by name, beside those of earlier calls.

        Raises AssertionError with dbt's words if it fails and `check` is set.
        """
        folder = self._inline(project) if isinstance(project, Mapping) else Path(project).resolve()
        command = [
            *(arguments or ("build",)),
            "--project-dir",
            str(folder),
            "--profiles-dir",
            str(self._profile(folder)),
        ]
        done = self._invoke(command)
        if check and not done.success:
            raise AssertionError(f"dbt {' '.join(arguments or ('build',))} failed:\n{done.output}")
        return done

    def _inline(self, models: Mapping[str, str]) -> Path:
        folder = self._folder / "project"
        (folder / "models").mkdir(parents=True, exist_ok=True)
        settings = {"name": _INLINE, "version": "1.0.0", "profile": _INLINE}
        (folder / "dbt_project.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        for name, sql in models.items():
            (folder / "models" / f"{name}.sql").write_text(sql, encoding="utf-8")
        return folder

    def _profile(self, folder: Path) -> Path:
        connection = self._lakehouse.connection
        options = {
            "ENDPOINT": connection.uri,
            "CLIENT_ID": "{{ env_var('POLARIS_CLIENT_ID') }}",
            "CLIENT_SECRET": "{{ env_var('POLARIS_CLIENT_SECRET') }}",
            "OAUTH2_SERVER_URI": connection.token_uri,
            "OAUTH2_SCOPE": connection.scope,
            "ACCESS_DELEGATION_MODE": connection.access_delegation,
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
        runner = dbtRunner(callbacks=[lambda event: lines.append(str(event.info.msg))])  # type: ignore[attr-defined]
        # The project may be the user's own folder, where nothing is to be left.
        places = ["--target-path", str(target), "--log-path", str(self._folder / "logs"), "--quiet"]
        with _environment({**self._lakehouse.environment(), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}):
            done = runner.invoke([*command, *places])
        FloeConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
        if done.exception is not None:
            lines.append(str(done.exception))
        entries = json.loads(results.read_text(encoding="utf-8"))["results"] if results.is_file() else []
        return DbtRun(done.success, "\n".join(lines), {entry["unique_id"].split(".")[2]: entry for entry in entries})


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
