"""What the dashboard asks of Dagster beyond `client`: lists of assets and runs, and their details."""

from __future__ import annotations

import time
from typing import Any

from floe_dev.errors import Code, FloeError
from floe_dev.model.details import AssetDetail, CheckView, ColumnView, LogLine, Materialization, RunDetail, StepView
from floe_dev.model.layout import Layout
from floe_dev.model.state import AssetView, RunView
from floe_dev.model.status import Event
from floe_dev.orchestrators.dagster.client import DagsterClient, staleness
from floe_dev.orchestrators.dagster.runs import look

_ASSETS = """
query Panel { assetNodes {
  assetKey { path } groupName kinds isMaterializable isPartitioned staleStatus
  staleCauses { reason }
  internalFreshnessPolicy { ... on TimeWindowFreshnessPolicy { failWindowSeconds } }
  dependencyKeys { path }
  partitionStats { numMaterialized numPartitions numFailed }
  assetMaterializations(limit: 1) { runId timestamp stepStats { startTime endTime }
    metadataEntries { label ... on FloatMetadataEntry { floatValue } } }
  assetChecksOrError { ... on AssetChecks { checks { executionForLatestMaterialization { status } } } }
} }
"""
_LATEST = """
query Latest($keys: [AssetKeyInput!]!) { assetsLatestInfo(assetKeys: $keys) {
  assetKey { path } unstartedRunIds inProgressRunIds latestMaterialization { runId timestamp }
  latestRun { runId status endTime }
} }
"""
_RUNS = """
query Runs($limit: Int!) { runsOrError(limit: $limit) { ... on Runs { results {
  runId jobName status creationTime startTime endTime parentRunId tags { key value }
  assetSelection(limit: 200) { path }
} } } }
"""
_ASSET = """
query Asset($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { __typename ... on AssetNode {
  description groupName kinds dependencyKeys { path } dependedByKeys { path }
  owners { ... on UserAssetOwner { email } ... on TeamAssetOwner { team } }
  metadataEntries { ...M }
  assetMaterializations(limit: 100) { runId timestamp partition metadataEntries { ...M } }
  partitionKeys
  assetPartitionStatuses { __typename
    ... on DefaultPartitionStatuses { materializedPartitions failedPartitions materializingPartitions }
    ... on TimePartitionStatuses { ranges { startKey endKey status } }
  }
  assetChecksOrError { ... on AssetChecks { checks { name description executionForLatestMaterialization {
    status runId timestamp evaluation { severity description } } } } }
} } }
fragment M on MetadataEntry {
  __typename label
  ... on IntMetadataEntry { intValue }
  ... on FloatMetadataEntry { floatValue }
  ... on TextMetadataEntry { text }
  ... on PathMetadataEntry { path }
  ... on BoolMetadataEntry { boolValue }
  ... on TimestampMetadataEntry { timestamp }
  ... on TableSchemaMetadataEntry { schema { columns { name type description } } }
}
"""
_RUN = """
query Run($run: ID!) { runOrError(runId: $run) { __typename ... on Run {
  status jobName startTime endTime tags { key value } } } }
"""
_RETRY = """
mutation Retry($run: String!) { launchRunReexecution(reexecutionParams: {parentRunId: $run, strategy: FROM_FAILURE}) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  ... on UnauthorizedError { message } ... on InvalidSubsetError { message } ... on ConflictingExecutionParamsError {
  message } } }
"""
_RUN_LIMIT = 200
#: One for each asset, partition and check, before anything happened: it only hides what did.
_PLANNED = "AssetMaterializationPlannedEvent"
_DURATION = "Execution Duration"


def assets(client: DagsterClient) -> list[AssetView]:
    """Every asset, sources too, by group and key."""
    nodes = client.query(_ASSETS)["assetNodes"]
    makeable = [{"path": node["assetKey"]["path"]} for node in nodes if node["isMaterializable"]]
    latest = {_path(info): info for info in client.query(_LATEST, keys=makeable)["assetsLatestInfo"]}
    found = [_asset(node, latest.get(_path(node)) or {}) for node in nodes]
    return sorted(found, key=lambda asset: (asset.state == "source", asset.group, asset.key))


def runs(client: DagsterClient, limit: int = _RUN_LIMIT) -> list[RunView]:
    """The latest runs, newest first."""
    return [_run(run) for run in client.query(_RUNS, limit=limit)["runsOrError"]["results"]]


def asset_detail(client: DagsterClient, key: str) -> AssetDetail:
    """One asset; FLOE5002 if there is none of that key."""
    node = client.query(_ASSET, key={"path": key.split("/")})["assetNodeOrError"]
    if node["__typename"] != "AssetNode":
        raise FloeError(Code.RUN_NOT_STARTED, f"there is no asset {key!r}", fix="floe run --help")
    history = node["assetMaterializations"]
    newest = history[0]["metadataEntries"] if history else []
    entries = {entry["label"]: entry for entry in (*node["metadataEntries"], *newest)}
    columns = [
        ColumnView(column["name"], column["type"], note=column["description"] or "")
        for entry in entries.values()
        if entry["__typename"] == "TableSchemaMetadataEntry"
        for column in entry["schema"]["columns"]
    ]
    shown = [(label, _entry_text(entry)) for label, entry in entries.items()]
    return AssetDetail(
        key=key,
        description=node["description"] or "",
        group=node["groupName"],
        kinds=tuple(node["kinds"]),
        owners=tuple(owner.get("email") or f"team:{owner.get('team')}" for owner in node["owners"]),
        upstream=tuple(sorted("/".join(k["path"]) for k in node["dependencyKeys"])),
        downstream=tuple(sorted("/".join(k["path"]) for k in node["dependedByKeys"])),
        checks=tuple(_check(check) for check in (node["assetChecksOrError"] or {}).get("checks") or ()),
        history=tuple(
            Materialization(item["runId"], float(item["timestamp"]) / 1000, item["partition"]) for item in history
        ),
        # dagster-dbt keeps Python objects among them, of which only their names come over the wire.
        metadata=tuple((label, text) for label, text in shown if text and not text.endswith("(unserializable)")),
        columns=tuple(columns),
        partitions=_partitions(node),
    )


def run_detail(client: DagsterClient, run_id: str, layout: Layout) -> RunDetail:
    """One run with its steps, its events and why it failed."""
    run = client.query(_RUN, run=run_id)["runOrError"]
    if run["__typename"] != "Run":
        raise FloeError(Code.RUN_FAILED, f"Dagster does not know the run {run_id}", fix="floe run")
    steps: dict[str, StepView] = {}

    def take(event: Event) -> None:
        if event.kind not in ("asset", "step"):
            return
        old = steps.get(event.name)
        state = str(event.data.get("state", ""))
        started = event.data.get("started_at") or (old.started_at if old else None)
        detail = str(event.data.get("detail") or (old.detail if old else ""))
        seconds = event.data.get("seconds")
        if started is None and seconds is not None:
            # dbt's nodes share one step, and are told when they end.
            started = event.time - seconds
        steps[event.name] = StepView(event.name, state, started, seconds, detail)

    result = look(client, run_id, layout, take)
    return RunDetail(
        run_id=run_id,
        status=run["status"].lower(),
        job=_job(run["jobName"]),
        started_at=run["startTime"],
        ended_at=run["endTime"],
        steps=tuple(steps.values()),
        log=tuple(_line(event) for event in client.events_so_far(run_id) if event.get("__typename") != _PLANNED),
        failures=tuple((failure.asset, failure.why, failure.log or "") for failure in result.failed),
        tags=tuple((tag["key"], tag["value"]) for tag in run["tags"]),
    )


def retry(client: DagsterClient, run_id: str) -> str:
    """Run again what failed of a run; the new run's id. FLOE5002 with Dagster's words if it refuses."""
    answer = client.query(_RETRY, run=run_id)["launchRunReexecution"]
    if answer["__typename"] != "LaunchRunSuccess":
        told = str(answer.get("message") or answer["__typename"]).strip().splitlines()[0]
        raise FloeError(Code.RUN_NOT_STARTED, "Dagster did not start the run again", why=told, fix="floe run --stale")
    return str(answer["run"]["runId"])


def _asset(node: dict[str, Any], latest: dict[str, Any]) -> AssetView:
    last = (node["assetMaterializations"] or [None])[0]
    run = latest.get("latestRun") or {}
    made_at = float(last["timestamp"]) / 1000 if last else None
    told, why = staleness(node, made_at)
    if not node["isMaterializable"]:
        state = "source"
    elif latest.get("inProgressRunIds") or latest.get("unstartedRunIds"):
        state = "running"
    elif run.get("status") == "FAILURE" and (last is None or last["runId"] != run["runId"]):
        state = "failed"
    elif last is None:
        # Of a partitioned asset Dagster says `fresh` also where no partition was ever made.
        state = "missing"
    else:
        state = told or "fresh"
    checks = (node["assetChecksOrError"] or {}).get("checks") or ()
    passed = sum((check["executionForLatestMaterialization"] or {}).get("status") == "SUCCEEDED" for check in checks)
    stats = node["partitionStats"] or {}
    return AssetView(
        key=_path(node),
        group=node["groupName"],
        state=state,
        kinds=tuple(node["kinds"]),
        depends_on=tuple("/".join(key["path"]) for key in node["dependencyKeys"]),
        why=why,
        materialized_at=made_at,
        last_run=run.get("runId") or (last["runId"] if last else None),
        seconds=_seconds(last),
        checks_passed=passed,
        checks_total=len(checks),
        partitions_done=stats.get("numMaterialized") or 0,
        partitions_total=stats.get("numPartitions") or 0,
        partitioned=node["isPartitioned"],
    )


def _seconds(last: dict[str, Any] | None) -> float | None:
    """Dbt's own seconds of the node where it told them, else those of the step."""
    if last is None:
        return None
    for entry in last["metadataEntries"]:
        if entry["label"] == _DURATION and entry.get("floatValue") is not None:
            return float(entry["floatValue"])
    stats = last["stepStats"] or {}
    if stats.get("startTime") and stats.get("endTime"):
        return float(stats["endTime"] - stats["startTime"])
    return None


def _run(run: dict[str, Any]) -> RunView:
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    by = tags.get("floe/started_by") or tags.get("dagster/schedule_name") or tags.get("dagster/sensor_name")
    return RunView(
        run_id=run["runId"],
        job=_job(run["jobName"]),
        status=run["status"].lower(),
        created_at=run["creationTime"],
        started_at=run["startTime"],
        ended_at=run["endTime"],
        assets=tuple("/".join(key["path"]) for key in run["assetSelection"] or ()),
        started_by=by or "Dagster",
        parent=run["parentRunId"],
    )


def _job(name: str) -> str:
    return "assets" if name == "__ASSET_JOB" else name


def _check(check: dict[str, Any]) -> CheckView:
    last = check["executionForLatestMaterialization"]
    if last is None:
        return CheckView(check["name"], "missing", check["description"] or "")
    evaluation = last["evaluation"] or {}
    # Only FAILED says something of the data: of a run that was canceled they are SKIPPED.
    states = {"SUCCEEDED": "pass", "IN_PROGRESS": "running", "SKIPPED": "skipped", "EXECUTION_FAILED": "error"}
    state = states.get(last["status"], "warning" if evaluation.get("severity") == "WARN" else "fail")
    text = evaluation.get("description") or check["description"] or ""
    return CheckView(check["name"], state, text, last["timestamp"], last["runId"])


def _partitions(node: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """(key, state) of every partition, newest first."""
    keys: list[str] = node["partitionKeys"]
    statuses = node["assetPartitionStatuses"] or {}
    known: dict[str, str] = {}
    for state, field in (("fresh", "materialized"), ("failed", "failed"), ("running", "materializing")):
        known.update(dict.fromkeys(statuses.get(f"{field}Partitions") or (), state))
    places = {key: place for place, key in enumerate(keys)}
    words = {"MATERIALIZED": "fresh", "FAILED": "failed", "MATERIALIZING": "running"}
    for piece in statuses.get("ranges") or ():
        first, last = places.get(piece["startKey"], 0), places.get(piece["endKey"], -1)
        known.update(dict.fromkeys(keys[first : last + 1], words.get(piece["status"], "missing")))
    return tuple((key, known.get(key, "missing")) for key in reversed(keys))


def _entry_text(entry: dict[str, Any]) -> str:
    for field in ("text", "path", "intValue", "floatValue", "boolValue"):
        if entry.get(field) is not None:
            return str(entry[field])
    if entry.get("timestamp") is not None:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry["timestamp"]))
    return ""


def _line(event: dict[str, Any]) -> LogLine:
    text = event.get("message") or event["__typename"]
    error = event.get("error")
    while error and error.get("cause"):
        error = error["cause"]
    if error:
        text = f"{text}\n{error['message'].strip()}"
    at = float(event.get("timestamp") or 0) / 1000
    return LogLine(at, (event.get("level") or "INFO").lower(), text, event.get("stepKey") or "")


def _path(node: dict[str, Any]) -> str:
    return "/".join(node["assetKey"]["path"])
