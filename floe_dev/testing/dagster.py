"""Dagster in a test: a real instance, and assets materialized into the test's lakehouse in this process."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING, Any

from floe_dev.testing.recording import Lineage, Recording

if TYPE_CHECKING:
    from dagster import DagsterInstance, Definitions, ExecuteInProcessResult

    from floe_dev.model.traces import Trace
    from floe_dev.testing.lakehouse import Lakehouse

_SPANS = "floe_dev.orchestrators.dagster.run_spans.RunSpans"
_EVENTS = "events.jsonl"
#: Every event goes to the spans and the capsule; the test's output has what needs a look.
_QUIET = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}


@dataclass(frozen=True)
class AssetsRun:
    """One run: whether it succeeded, what failed and why by asset or step, and Dagster's own result."""

    success: bool
    run_id: str
    failures: Mapping[str, str]
    result: ExecuteInProcessResult = field(repr=False)
    started_at: float = field(repr=False)
    recording: Recording = field(repr=False)

    @property
    def assets(self) -> tuple[str, ...]:
        """The keys (`namespace/name`) that were materialized, sorted."""
        events = self.result.get_asset_materialization_events()
        return tuple(sorted("/".join(event.asset_key.path) for event in events if event.asset_key))

    @cached_property
    def trace(self) -> Trace:
        """The run's spans: the run, its steps, and below them dbt's nodes and the catalog's requests."""
        from floe_dev.orchestrators.dagster.run_spans import run_context

        return self.recording.trace(run_context(self.run_id).trace_id)

    @cached_property
    def lineage(self) -> Lineage:
        """What the run read and wrote."""
        return self.recording.lineage(self.started_at)


@contextlib.contextmanager
def temporary_instance() -> Iterator[DagsterInstance]:
    """An instance with SQLite storage of its own; every run of it records spans and lineage."""
    import dagster as dg

    with tempfile.TemporaryDirectory(prefix="floe-dagster-") as home:
        overrides = {
            "telemetry": {"enabled": False},
            "python_logs": {"dagster_handler_config": {"handlers": {"floe": {"class": _SPANS, "level": "DEBUG"}}}},
        }
        with dg.DagsterInstance.local_temp(home, overrides=overrides) as instance:
            yield instance


class Materializer:
    """Runs assets in this process, with the lakehouse's credential in the environment and its IO manager."""

    def __init__(self, lakehouse: Lakehouse, instance: DagsterInstance) -> None:
        """Nothing runs yet."""
        self._lakehouse = lakehouse
        self._instance = instance

    def __call__(
        self,
        what: Definitions | Iterable[Any] | str | os.PathLike[str],
        *,
        selection: str | None = None,
        partition_key: str | None = None,
        resources: Mapping[str, Any] | None = None,
        run_config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> AssetsRun:
        """Materialize all assets of `what`, or those that `selection` (Dagster's syntax) names.

        `what` is a Definitions, a list of assets, or a floe project's folder. Assets without an IO manager of their
        own become the tables `namespace.name` of their keys `[namespace, name]`.

        Raises AssertionError with what failed if something does and `check` is set.
        """
        # What failed is told, not how it was called.
        __tracebackhide__ = methodcaller("errisinstance", AssertionError)
        from uuid import uuid4

        from floe_dev.orchestrators.dagster.asset_lineage import register
        from floe_dev.orchestrators.dagster.run_spans import run_context

        run_id, started_at = str(uuid4()), time.time()
        with self._lakehouse.recording.run("run", self._variables(run_id), run_context(run_id)):
            definitions = self._definitions(what, resources or {})
            register([definitions])
            job = definitions.resolve_implicit_global_asset_job_def()
            result = job.execute_in_process(
                instance=self._instance,
                asset_selection=_selected(definitions, selection),
                partition_key=partition_key,
                run_config={**_QUIET, **(run_config or {})},
                tags=dict(tags or {}),
                run_id=run_id,
                raise_on_error=False,
            )
        run = AssetsRun(result.success, run_id, _failures(result), result, started_at, self._lakehouse.recording)
        self._note(run)
        if check and not run.success:
            told = "\n".join(f"  {step}: {why}" for step, why in run.failures.items())
            raise AssertionError(f"the run {run_id} failed:\n{told}")
        return run

    def _variables(self, run_id: str) -> dict[str, str]:
        layout = self._lakehouse.recording.layout
        layout.root.mkdir(parents=True, exist_ok=True)
        return {
            **self._lakehouse.environment(),
            "FLOE_RUN_ID": run_id,
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DBT_TARGET_PATH": str(layout.dbt_dir / "target"),
            "DBT_LOG_PATH": str(layout.dbt_dir / "logs"),
        }

    def _definitions(self, what: Any, resources: Mapping[str, Any]) -> Definitions:
        import dagster as dg

        if isinstance(what, str | os.PathLike):
            from floe_dev.orchestrators.dagster.definitions import build_definitions

            found = build_definitions(Path(what).resolve())
            return dg.Definitions.merge(found, dg.Definitions(resources=resources)) if resources else found
        if isinstance(what, dg.Definitions):
            return dg.Definitions.merge(what, dg.Definitions(resources=resources)) if resources else what
        return dg.Definitions(assets=list(what), resources={"io_manager": self.io_manager(), **resources})

    def io_manager(self) -> Any:
        """The IO manager that writes into this lakehouse; the key `[namespace, name]` is the table."""
        import dagster as dg

        from floe_dev.orchestrators.dagster.resources import IcebergIOManager

        connection = self._lakehouse.connection
        return IcebergIOManager(
            uri=connection.uri,
            warehouse=connection.warehouse,
            client_id=dg.EnvVar("POLARIS_CLIENT_ID"),
            client_secret=dg.EnvVar("POLARIS_CLIENT_SECRET"),
            access_delegation=connection.access_delegation,
        )

    def _note(self, run: AssetsRun) -> None:
        """Keep Dagster's events beside the spans, for a failed test's capsule."""
        import json

        home = self._lakehouse.recording.layout.dagster_home
        home.mkdir(parents=True, exist_ok=True)
        with (home / _EVENTS).open("a", encoding="utf-8") as file:
            for event in run.result.all_events:
                line = {
                    "run": run.run_id,
                    "type": event.event_type_value,
                    "step": event.step_key,
                    "message": event.message,
                }
                file.write(json.dumps(line) + "\n")


def _selected(definitions: Definitions, selection: str | None) -> list[Any] | None:
    if selection is None:
        return None
    import dagster as dg

    keys = dg.AssetSelection.from_string(selection).resolve(definitions.resolve_asset_graph())
    if not keys:
        raise ValueError(f"selection={selection!r} names no asset")
    return sorted(keys, key=str)


def _failures(result: ExecuteInProcessResult) -> dict[str, str]:
    found: dict[str, str] = {}
    for event in result.all_events:
        if event.event_type_value not in ("STEP_FAILURE", "RUN_FAILURE", "PIPELINE_FAILURE"):
            continue
        error = getattr(event.event_specific_data, "error", None)
        while error is not None and error.cause is not None:
            error = error.cause
        name = event.step_key or "run"
        if name != "run" or not found:
            found[name] = str(error.message).strip() if error is not None else str(event.message or "it failed")
    return found
