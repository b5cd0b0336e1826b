"""Schedules, sensors and backfills as the dashboard shows them, and what can be done with them, over GraphQL."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from floe_dev.errors import Code, FloeError
from floe_dev.model.commands import RunRequest
from floe_dev.model.details import AutomationDetail, BackfillPartition, Evaluation, TickView
from floe_dev.model.state import AutomationView
from floe_dev.model.units import counted
from floe_dev.orchestrators.dagster.client import DagsterClient

_LIST = """
query Automations { repositoriesOrError { ... on RepositoryConnection { nodes {
  schedules { name cronSchedule executionTimezone pipelineName futureTicks(limit: 1) { results { timestamp } }
    scheduleState { ...S } }
  sensors { name minIntervalSeconds targets { pipelineName } sensorState { ...S } }
} } }
partitionBackfillsOrError(limit: 20) { ... on PartitionBackfills { results {
  id status numPartitions timestamp assetSelection { path } error { message } } } } }
fragment S on InstigationState { id status nextTick { timestamp }
  ticks(limit: 1) { timestamp status error { message } } }
"""
_DETAIL = """
query Automation { repositoriesOrError { ... on RepositoryConnection { nodes {
  schedules { name description scheduleState { ...S } } sensors { name description sensorState { ...S } }
} } } }
fragment S on InstigationState { ticks(limit: 50) { timestamp status runIds skipReason error { message } } }
"""
_BACKFILL = """
query Backfill($id: String!) { partitionBackfillOrError(backfillId: $id) { __typename
  ... on PythonError { message }
  ... on PartitionBackfill { status title description error { message }
    partitionNames runs(limit: 200) { runId status startTime tags { key value } } } } }
"""
_REPOSITORY = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name location { name } } } } }"
_START = {
    "schedule": "mutation Start($s: ScheduleSelector!) { startSchedule(scheduleSelector: $s) { __typename "
    "... on PythonError { message } } }",
    "sensor": "mutation Start($s: SensorSelector!) { startSensor(sensorSelector: $s) { __typename "
    "... on PythonError { message } } }",
}
_STOP = {
    "schedule": "mutation Stop($id: String!) { stopRunningSchedule(id: $id) { __typename "
    "... on PythonError { message } } }",
    "sensor": "mutation Stop($id: String!) { stopSensor(id: $id) { __typename ... on PythonError { message } } }",
}
_TICK = """{ __typename ... on PythonError { message } ... on DryRunInstigationTick { evaluationResult {
  skipReason error { message } runRequests {
    runKey jobName runConfigYaml tags { key value } assetSelection { path } } } } }"""
# Both want every argument, also where it is null: Dagster's own resolvers have no defaults for them.
_EVALUATE = {
    "schedule": "mutation Try($s: ScheduleSelector!, $now: Float) "
    "{ tick: scheduleDryRun(selectorData: $s, timestamp: $now) " + _TICK + "}",
    "sensor": "mutation Try($s: SensorSelector!, $cursor: String) "
    "{ tick: sensorDryRun(selectorData: $s, cursor: $cursor) " + _TICK + "}",
}
_CURSORS = """{ repositoriesOrError { ... on RepositoryConnection { nodes { sensors { name
  sensorState { typeSpecificData { ... on SensorData { lastCursor } } } } } } } }"""
_LAUNCH = """
mutation Launch($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } ... on InvalidSubsetError { message }
  ... on PipelineNotFoundError { message } ... on UnauthorizedError { message } } }
"""
_BACKFILL_START = """
mutation Backfill($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  ... on PartitionKeysNotFoundError { message } ... on InvalidSubsetError { message }
  ... on UnauthorizedError { message } } }
"""
_BACKFILL_CANCEL = """
mutation Cancel($id: String!) { cancelPartitionBackfill(backfillId: $id) {
  __typename ... on PythonError { message } ... on UnauthorizedError { message } } }
"""
_BACKFILL_STATUS = """
query Status($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }
"""
#: Seconds between two looks at a backfill that is being canceled.
_LOOK_SECONDS = 0.5
#: Dagster's words for ticks -> the dashboard's.
_TICK_STATES = {"SUCCESS": "done", "SKIPPED": "skipped", "FAILURE": "failed", "STARTED": "running"}
_PARTITION_TAG = "dagster/partition"
_BACKFILL_TAG = "dagster/backfill"


def automations(client: DagsterClient) -> list[AutomationView]:
    """Schedules, sensors and the latest backfills."""
    answer = client.query(_LIST)
    found = []
    for repository in answer["repositoriesOrError"]["nodes"]:
        for item in repository["schedules"]:
            future = item["futureTicks"]["results"]
            following = future[0]["timestamp"] if future else None
            # The ticks are told in local time, which may be another one.
            when = " ".join(filter(None, (item["cronSchedule"], item["executionTimezone"])))
            target = item["pipelineName"]
            found.append(_instigator(item["name"], "schedule", when, target, item["scheduleState"], following))
        for item in repository["sensors"]:
            target = ", ".join(str(one["pipelineName"]) for one in item["targets"] or ())
            state = item["sensorState"]
            following = (state.get("nextTick") or {}).get("timestamp")
            when = f"every {item['minIntervalSeconds']} s"
            found.append(_instigator(item["name"], "sensor", when, target, state, following))
    found += [
        AutomationView(
            name=item["id"],
            kind="backfill",
            state=item["status"].lower(),
            when=f"{item['numPartitions']} partition{'' if item['numPartitions'] == 1 else 's'}",
            target=", ".join("/".join(key["path"]) for key in item["assetSelection"] or ()),
            last_at=item["timestamp"],
            error=(item["error"] or {}).get("message"),
        )
        for item in (answer["partitionBackfillsOrError"] or {}).get("results") or ()
    ]
    return found


def detail(client: DagsterClient, automation: AutomationView) -> AutomationDetail:
    """Latest ticks, or the partitions of a backfill; FLOE5003 where Dagster does not know it any more."""
    if automation.kind == "backfill":
        return _backfill(client, automation.name)
    for repository in client.query(_DETAIL)["repositoriesOrError"]["nodes"]:
        for item in repository[f"{automation.kind}s"]:
            if item["name"] == automation.name:
                ticks = tuple(_tick(tick) for tick in item[f"{automation.kind}State"]["ticks"])
                return AutomationDetail(item["description"] or "", ticks)
    raise _refused(f"Dagster has no {automation.kind} {automation.name}", None)


def switch(client: DagsterClient, name: str, kind: str, *, on: bool, state_id: str) -> None:
    """Turn a schedule or a sensor on or off; FLOE5003 with Dagster's words if it refuses."""
    answer = (
        client.query(_START[kind], s=_selector(client, kind, name)) if on else client.query(_STOP[kind], id=state_id)
    )
    outcome = next(iter(answer.values()))
    if outcome.get("message"):
        raise _refused(f"Dagster did not switch {name}", outcome["message"])


def evaluate(client: DagsterClient, automation: AutomationView) -> Evaluation:
    """What it would start now; a sensor looks on from where its last tick ended. Nothing is started."""
    name, kind = automation.name, automation.kind
    selector = _selector(client, kind, name)
    if kind == "sensor":
        states = {
            item["name"]: item["sensorState"]["typeSpecificData"] or {}
            for repository in client.query(_CURSORS)["repositoriesOrError"]["nodes"]
            for item in repository["sensors"]
        }
        told = client.query(_EVALUATE[kind], s=selector, cursor=states.get(name, {}).get("lastCursor"))["tick"]
    else:
        told = client.query(_EVALUATE[kind], s=selector, now=time.time())["tick"]
    if told["__typename"] != "DryRunInstigationTick":
        raise _refused(f"Dagster did not evaluate {name}", told.get("message"))
    result = told["evaluationResult"] or {}
    if result.get("error"):
        return Evaluation(error=str(result["error"]["message"]).strip())
    requests = tuple(
        RunRequest(
            job=item["jobName"] or automation.target,
            key=item["runKey"] or "",
            tags=tuple((tag["key"], tag["value"]) for tag in item["tags"]),
            config=item["runConfigYaml"],
            assets=tuple("/".join(key["path"]) for key in item["assetSelection"] or ()),
        )
        for item in result.get("runRequests") or ()
    )
    return Evaluation(requests, skipped=result.get("skipReason") or "")


def launch_requests(client: DagsterClient, requests: Sequence[RunRequest]) -> list[str]:
    """Start the runs that an evaluation asked for; their ids. FLOE5002 with Dagster's words if it refuses one."""
    repository = client.query(_REPOSITORY)["repositoriesOrError"]["nodes"][0]
    found = []
    for request in requests:
        selector: dict[str, Any] = {
            "repositoryName": repository["name"],
            "repositoryLocationName": repository["location"]["name"],
            "jobName": request.job,
        }
        if request.assets:
            selector["assetSelection"] = [{"path": key.split("/")} for key in request.assets]
        tags = {**dict(request.tags), "floe/started_by": "dashboard"}
        answer = client.query(
            _LAUNCH,
            params={
                "selector": selector,
                "runConfigData": request.config or "{}",
                "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
                "mode": "default",
            },
        )["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            told = answer.get("message") or "; ".join(one["message"] for one in answer.get("errors") or ())
            raise FloeError(
                Code.RUN_NOT_STARTED, f"Dagster did not start {request.job}", why=told or answer["__typename"]
            )
        found.append(str(answer["run"]["runId"]))
    return found


def start_backfill(client: DagsterClient, keys: Sequence[str], partitions: Sequence[str]) -> str:
    """Make these partitions of these assets; the backfill's id. FLOE5002 with Dagster's words if it refuses."""
    answer = client.query(
        _BACKFILL_START,
        params={
            "assetSelection": [{"path": key.split("/")} for key in keys],
            "partitionNames": list(partitions),
            "tags": [{"key": "floe/started_by", "value": "dashboard"}],
        },
    )["launchPartitionBackfill"]
    if answer["__typename"] != "LaunchBackfillSuccess":
        told = str(answer.get("message") or answer["__typename"]).strip().splitlines()[0]
        raise FloeError(Code.RUN_NOT_STARTED, "Dagster did not start the backfill", why=told)
    return str(answer["backfillId"])


def cancel_backfill(client: DagsterClient, backfill_id: str, patience_seconds: float = 30.0) -> str:
    """Cancel a backfill and its runs; its state when each was told, or when `patience_seconds` are over.

    Dagster's daemon can still submit runs meanwhile. It then puts the state from before over the new one, and is asked
    again; or it takes the backfill for canceled while its last run only begins, and that run is canceled here.

    Raises:
        FloeError: FLOE5003 with Dagster's words if it refuses.
    """
    give_up = time.monotonic() + patience_seconds
    status, going = "REQUESTED", list[str]()
    while status in ("REQUESTED", "CANCELING") or going:
        if status == "REQUESTED":
            answer = client.query(_BACKFILL_CANCEL, id=backfill_id)["cancelPartitionBackfill"]
            if answer["__typename"] != "CancelBackfillSuccess":
                raise _refused("Dagster did not cancel the backfill", answer.get("message"))
        for run in going:
            # One that is over by now is refused, which is as good; whether Dagster answers the next look tells.
            with suppress(FloeError):
                client.cancel(run, patience_seconds=0.0)
        time.sleep(_LOOK_SECONDS)
        status = str(client.query(_BACKFILL_STATUS, id=backfill_id)["partitionBackfillOrError"].get("status"))
        going = [run for run, *_ in client.active_runs({_BACKFILL_TAG: backfill_id})] if status == "CANCELED" else []
        if time.monotonic() > give_up:
            break
    told = status.lower().replace("_", " ")
    return f"{told}, but {counted(len(going), 'run')} {'goes' if len(going) == 1 else 'go'} on" if going else told


def _backfill(client: DagsterClient, backfill_id: str) -> AutomationDetail:
    told = client.query(_BACKFILL, id=backfill_id)["partitionBackfillOrError"]
    if told["__typename"] != "PartitionBackfill":
        raise _refused(f"Dagster has no backfill {backfill_id}", told.get("message"))
    by_partition: dict[str, tuple[str, str]] = {}
    runs = []
    for run in told["runs"]:
        state = run["status"].lower()
        runs.append((run["runId"], state, run["startTime"]))
        tags = {tag["key"]: tag["value"] for tag in run["tags"]}
        if (partition := tags.get(_PARTITION_TAG)) is not None:
            by_partition.setdefault(partition, (state, run["runId"]))
    # A backfill of one run for all its partitions names a range instead.
    alone = (runs[0][1], runs[0][0]) if len(runs) == 1 else None
    partitions = []
    for name in told["partitionNames"] or ():
        state, run_id = by_partition.get(name) or alone or ("waiting", "")
        partitions.append(BackfillPartition(name, state, run_id))
    return AutomationDetail(told["description"] or "", partitions=tuple(partitions), runs=tuple(runs))


def _tick(tick: dict[str, Any]) -> TickView:
    error = (tick["error"] or {}).get("message") or ""
    state = _TICK_STATES.get(tick["status"], tick["status"].lower())
    return TickView(float(tick["timestamp"]), state, tuple(tick["runIds"]), (error or tick["skipReason"] or "").strip())


def _instigator(
    name: str, kind: str, when: str, target: str, state: dict[str, Any], following: float | None
) -> AutomationView:
    tick = (state["ticks"] or [None])[0]
    error = ((tick or {}).get("error") or {}).get("message")
    on = state["status"] == "RUNNING"
    return AutomationView(
        name=name,
        kind=kind,
        state="failed" if error and on else "on" if on else "off",
        when=when,
        target=target,
        last_at=tick["timestamp"] if tick else None,
        next_at=following if on else None,
        error=error,
        selector=state["id"],
    )


def _selector(client: DagsterClient, kind: str, name: str) -> dict[str, str]:
    repository = client.query(_REPOSITORY)["repositoriesOrError"]["nodes"][0]
    return {
        "repositoryName": repository["name"],
        "repositoryLocationName": repository["location"]["name"],
        f"{kind}Name": name,
    }


def _refused(what: str, why: str | None) -> FloeError:
    told = why.strip().splitlines()[0] if why and why.strip() else None
    return FloeError(Code.DAGSTER_UNREACHABLE, what, why=told, fix="floe logs dagster-webserver")
