"""Follow one run: Dagster's events in, progress events and a result out."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from floe_dev.errors import Code, FloeError
from floe_dev.model.layout import Layout
from floe_dev.model.runs import AssetFailure, RunResult
from floe_dev.model.state import ENDED
from floe_dev.model.status import Event
from floe_dev.model.units import counted
from floe_dev.orchestrators.dagster.client import DagsterClient

OnEvent = Callable[[Event], None]

#: What dagster-dbt calls the seconds of one dbt node.
_DURATION = "Execution Duration"
_ROWS = "dagster/row_count"
_DBT_FAILED = {"error", "fail", "runtime error"}
_WHY_LINES = 12
#: Seconds that a web server which was killed has to be there again, on a busy machine.
_COMES_BACK_SECONDS = 30.0
_LOOK_SECONDS = 0.3
#: What Dagster raises in a step of a run that is canceled.
_INTERRUPTED = "DagsterExecutionInterruptedError"
#: Between an asset and the check of it that failed.
_CHECK = ": check "


def follow(client: DagsterClient, watch: RunWatch, layout: Layout) -> RunResult:
    """Report a run's events until it is over: one `asset` event for each change of an asset, and a result.

    The run does not need the web server: where that is killed, it is waited for, up to `_COMES_BACK_SECONDS`.

    Raises:
        FloeError: FLOE5003 if Dagster does not answer for longer.
    """
    missing_since: float | None = None
    while True:
        try:
            for event in islice(client.events(watch.run_id), watch.taken, None):
                watch.take(event)
                missing_since = None
            status = client.run_status(watch.run_id).lower()
            return watch.result(status, client.run_url(watch.run_id), layout)
        except FloeError as error:
            if error.code is not Code.DAGSTER_UNREACHABLE:
                raise
            now = time.monotonic()
            if missing_since is None:
                missing_since = now
                text = "Dagster's web server does not answer; the run goes on, and is followed again once it does"
                watch.on_event(Event(kind="notice", time=time.time(), data={"text": text}))
            elif now > missing_since + _COMES_BACK_SECONDS:
                raise
            time.sleep(_LOOK_SECONDS)


def look(client: DagsterClient, run_id: str, layout: Layout, on_event: OnEvent) -> RunResult:
    """As `follow`, of what happened up to now; the result of a run that goes on has the status `running`."""
    events = client.events_so_far(run_id)
    status = client.run_status(run_id).lower()
    watch = RunWatch(run_id, on_event)
    for event in events:
        watch.take(event)
    url = client.run_url(run_id)
    if status in ENDED:
        return watch.result(status, url, layout)
    return RunResult(
        runId=run_id,
        status="running",
        seconds=0.0,
        url=url,
        materialized=tuple(watch.done),
        failed=tuple(watch.failures.values()),
    )


@dataclass
class RunWatch:
    """What one run's events told so far."""

    run_id: str
    on_event: OnEvent
    #: Monotonic.
    started: float = field(default_factory=time.monotonic)
    #: How many events were taken in.
    taken: int = 0
    canceling: bool = False
    planned: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    failures: dict[str, AssetFailure] = field(default_factory=dict)
    step_started: dict[str, float] = field(default_factory=dict)
    step_errors: dict[str, str] = field(default_factory=dict)
    #: What is told of an asset whose own step has not ended yet, by step.
    made: dict[str, str | None] = field(default_factory=dict)
    run_error: str | None = None

    def take(self, event: dict[str, Any]) -> None:
        """One event of the run."""
        at = float(event.get("timestamp") or 0) / 1000 or time.time()
        step = event.get("stepKey") or ""
        self.taken += 1
        match event["__typename"]:
            case "AssetMaterializationPlannedEvent":
                # Dagster plans, and makes, each partition of an asset with an event of its own.
                if _key(event) not in self.planned:
                    self.planned.append(_key(event))
                    self._tell("asset", _key(event), at, state="waiting")
            case "ExecutionStepStartEvent":
                self.step_started[step] = at
                asset = self._asset_of(step)
                if asset is not None:
                    self._tell("asset", asset, at, state="running", started_at=at)
                else:
                    self._tell("step", step, at, state="running", started_at=at)
            case "MaterializationEvent":
                self._materialized(event, step, at)
            case "RunCancelingEvent":
                self.canceling = True
            case "ExecutionStepFailureEvent" if self.canceling or _is_interruption(event.get("error")):
                # Nothing of its own failed: it was told to end.
                seconds = at - self.step_started.get(step, at)
                asset = self._asset_of(step)
                self.made.pop(step, None)
                self._tell("step" if asset is None else "asset", asset or step, at, state="canceled", seconds=seconds)
            case "FailedToMaterializeEvent" if self.canceling:
                pass
            case "FailedToMaterializeEvent" if event.get("materializationFailureType") == "FAILED":
                self._failed(_key(event), event.get("message") or "it failed", at)
            case "AssetCheckEvaluationEvent":
                self._check(event["evaluation"], at)
            case "ExecutionStepSuccessEvent":
                asset = self._asset_of(step)
                if asset is None:
                    self._tell("step", step, at, state="done", seconds=at - self.step_started.get(step, at))
                elif step in self.made:
                    self._step_done(step, asset, at)
            case "ExecutionStepFailureEvent":
                self.step_errors[step] = _error_text(event.get("error"))
                asset = self._asset_of(step)
                if asset is not None:
                    self._failed(asset, self.step_errors[step], at)
                else:
                    self._tell("step", step, at, state="failed", seconds=at - self.step_started.get(step, at))
            case "RunFailureEvent" | "RunCanceledEvent":
                self.run_error = _error_text(event.get("error")) or event.get("message")

    def result(self, status: str, url: str, layout: Layout) -> RunResult:
        """What became of every planned asset; dbt's own results say which of its nodes failed and why."""
        skipped_by_dbt = set()
        checks = {key.partition(_CHECK)[2]: key for key in self.failures if _CHECK in key}
        for node in dbt_results(layout, self.run_id):
            if status == "canceled" and node.status in _DBT_FAILED and "interrupt" in node.message.lower():
                continue  # DuckDB's word for a statement that dbt gave up when it was told to end
            if node.status in _DBT_FAILED:
                check = checks.get(_test_name(node.name) or "")
                if check is not None:
                    # Told once, under the asset it belongs to, in dbt's words.
                    self.failures[check] = AssetFailure(asset=check, why=node.message, log=str(node.log))
                    continue
                known = self.failures.get(node.name)
                if known is None or known.log is None:
                    self.failures[node.name] = AssetFailure(asset=node.name, why=node.message, log=str(node.log))
                self._tell("asset", node.name, time.time(), state="failed") if node.name in self.planned else None
            elif node.status == "skipped":
                skipped_by_dbt.add(node.name)
        if not self.failures and status == "failure":
            for step, why in self.step_errors.items() or [("the run", self.run_error or "Dagster gave no reason")]:
                self.failures[step] = AssetFailure(asset=step, why=why)
        for step in list(self.made):
            if (asset := self._asset_of(step)) is not None and asset not in self.failures:
                self._step_done(step, asset, time.time())
        over = {*self.done, *self.failures}
        skipped = tuple(key for key in self.planned if key not in over)
        for key in skipped:
            self._tell("asset", key, time.time(), state="canceled" if status == "canceled" else "skipped")
        return RunResult(
            runId=self.run_id,
            status=status,
            seconds=round(time.monotonic() - self.started, 3),
            materialized=tuple(self.done),
            failed=tuple(
                failure if failure.log else failure.model_copy(update={"log": _compute_log(layout, self.run_id)})
                for failure in self.failures.values()
            ),
            skipped=skipped,
            url=url,
        )

    def _materialized(self, event: dict[str, Any], step: str, at: float) -> None:
        key = _key(event)
        if key in self.done:
            return
        entries = {entry["label"]: entry for entry in event.get("metadataEntries") or ()}
        seconds = entries.get(_DURATION, {}).get("floatValue")
        rows = entries.get(_ROWS, {}).get("intValue")
        self.done.append(key)
        detail = counted(rows, "row") or None
        if seconds is None and self._asset_of(step) == key:
            # Its rows are written after it was told, and of a partitioned one this is the first partition only.
            self.made[step] = detail
            return
        self._tell("asset", key, at, state="done", seconds=seconds, detail=detail)

    def _step_done(self, step: str, asset: str, at: float) -> None:
        seconds = at - self.step_started.get(step, at)
        self._tell("asset", asset, at, state="done", seconds=seconds, detail=self.made.pop(step))

    def _check(self, evaluation: dict[str, Any], at: float) -> None:
        if evaluation["success"]:
            return
        asset = "/".join((evaluation.get("assetKey") or {}).get("path") or ())
        name = f"{asset}{_CHECK}{evaluation['checkName']}"
        if evaluation["severity"] == "WARN":
            self.on_event(Event(kind="notice", time=at, data={"text": f"{name} warns: {_described(evaluation)}"}))
        else:
            self.failures[name] = AssetFailure(asset=name, why=_described(evaluation))
            self.on_event(Event(kind="notice", time=at, data={"text": f"{name} failed"}))

    def _failed(self, asset: str, why: str, at: float) -> None:
        self.failures.setdefault(asset, AssetFailure(asset=asset, why=why))
        self._tell("asset", asset, at, state="failed", detail=why.splitlines()[0] if why else None)

    def _asset_of(self, step: str) -> str | None:
        """The asset that the step alone makes: Dagster names such a step after the key."""
        return next((key for key in self.planned if key.replace("/", "__") == step), None)

    def _tell(self, kind: str, name: str, at: float, **data: Any) -> None:
        kept = {key: value for key, value in data.items() if value is not None}
        self.on_event(Event(kind=kind, time=at, name=name, data={**kept, "run": self.run_id}))


@dataclass(frozen=True)
class DbtNode:
    """One node of a dbt invocation's run_results.json; `name` is `schema/name` for what makes a table."""

    name: str
    status: str
    message: str
    log: Path


def dbt_results(layout: Layout, run_id: str) -> Iterable[DbtNode]:
    """The nodes of every dbt invocation of a Dagster run, read from the target folders that dagster-dbt makes."""
    for folder in sorted((layout.dbt_dir / "target").glob(f"*-{run_id[:7]}-*")):
        try:
            content = json.loads((folder / "run_results.json").read_text("utf-8"))
        except (OSError, ValueError):
            continue
        for item in content.get("results") or ():
            yield DbtNode(
                name=_node_name(item),
                status=str(item.get("status")),
                message="\n".join(str(item.get("message") or "").strip().splitlines()[:_WHY_LINES]),
                log=folder / "dbt.log",
            )


def _node_name(item: dict[str, Any]) -> str:
    kind, _, rest = str(item.get("unique_id")).partition(".")
    name = rest.partition(".")[2]
    relation = re.findall(r'"((?:[^"]|"")+)"', item.get("relation_name") or "")
    if kind in ("model", "seed", "snapshot") and len(relation) >= 2:
        return "/".join(relation[-2:])
    return f"{kind} {name}"


def _test_name(node: str) -> str | None:
    """A dbt test's name, which is its check's too, from `test NAME.HASH` or `test NAME`; None for other nodes."""
    kind, _, name = node.partition(" ")
    return name.partition(".")[0] if kind == "test" else None


def _key(event: dict[str, Any]) -> str:
    return "/".join((event.get("assetKey") or {}).get("path") or ())


def _described(evaluation: dict[str, Any]) -> str:
    if evaluation.get("description"):
        return str(evaluation["description"]).strip()
    for entry in evaluation.get("metadataEntries") or ():
        if entry["label"] in ("dagster_dbt/failed_row_count", "message"):
            return f"{entry['label'].rpartition('/')[2]}: {entry.get('intValue') or entry.get('text')}"
    return "it did not pass"


def _is_interruption(error: dict[str, Any] | None) -> bool:
    while error:
        if error["className"] == _INTERRUPTED:
            return True
        error = error.get("cause")
    return False


def _error_text(error: dict[str, Any] | None) -> str:
    """The innermost cause's message, for that is where the user's mistake is; at most a dozen lines."""
    if not error:
        return ""
    while error.get("cause"):
        error = error["cause"]
    _, marker, parsed = str(error["message"]).partition("Errors parsed from dbt logs:")
    text = parsed if marker else str(error["message"])
    return "\n".join(line for line in text.strip().splitlines()[:_WHY_LINES] if line.strip())


def _compute_log(layout: Layout, run_id: str) -> str | None:
    folder = layout.dagster_home / "storage" / run_id / "compute_logs"
    found = sorted(folder.glob("*.err")) if folder.is_dir() else []
    return str(found[0]) if found else None
