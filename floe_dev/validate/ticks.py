"""Schedules and sensors tick: each is evaluated once by the running code server, and nothing is launched."""

from __future__ import annotations

import time
from typing import Any

from floe_dev.orchestrators.dagster.client import DagsterClient
from floe_dev.validate.result import Findings, Subject, failed, ok

#: Kinds of sensors that are a function; the others are evaluated by Dagster's daemon itself.
_EVALUATED = ("STANDARD", "RUN_STATUS", "ASSET", "MULTI_ASSET", "FRESHNESS_POLICY", "UNKNOWN")
_LIST = """{ repositoriesOrError { ... on RepositoryConnection { nodes {
  name location { name } schedules { name } sensors { name sensorType } } } ... on PythonError { message } } }"""
_RESULT = """{ __typename ... on DryRunInstigationTick { evaluationResult { skipReason runRequests { runKey }
  error { message } } } ... on PythonError { message } }"""
_SCHEDULE = f"""mutation Tick($selector: ScheduleSelector!, $at: Float) {{
  tick: scheduleDryRun(selectorData: $selector, timestamp: $at) {_RESULT} }}"""
_SENSOR = f"""mutation Tick($selector: SensorSelector!) {{
  tick: sensorDryRun(selectorData: $selector, cursor: null) {_RESULT} }}"""


def check(name: str, subject: Subject) -> Findings:
    """One finding for each that raises."""
    subject.require_running()
    client = subject.session.dagster()
    count, wrong = 0, 0
    for repository in client.query(_LIST)["repositoriesOrError"].get("nodes") or ():
        for kind, item in _instigators(repository):
            count += 1
            why = _evaluate(client, repository, kind, item)
            if why is not None:
                wrong += 1
                yield failed(name, f"{kind} {item}: {why}", f"mend `orchestration.{kind}s.{item}` in floe.yaml")
    if not wrong:
        yield ok(name, f"{count} schedules and sensors were evaluated once, none raised")


def _instigators(repository: dict[str, Any]) -> list[tuple[str, str]]:
    schedules = [("schedule", item["name"]) for item in repository["schedules"]]
    return schedules + [("sensor", item["name"]) for item in repository["sensors"] if item["sensorType"] in _EVALUATED]


def _evaluate(client: DagsterClient, repository: dict[str, Any], kind: str, item: str) -> str | None:
    """Why it raised; None if it asked for runs or said why not."""
    place = {"repositoryName": repository["name"], "repositoryLocationName": repository["location"]["name"]}
    if kind == "schedule":
        answer = client.query(_SCHEDULE, selector={**place, "scheduleName": item}, at=time.time())["tick"]
    else:
        answer = client.query(_SENSOR, selector={**place, "sensorName": item})["tick"]
    result = answer.get("evaluationResult")
    if result is None:
        return str(answer.get("message") or answer["__typename"])
    error = result.get("error")
    return str(error["message"]).strip().splitlines()[-1] if error else None
