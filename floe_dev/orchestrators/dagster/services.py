"""Dagster's three processes as services, started at once, and the home they share.

`dagster dev` starts code server, web server and daemon one after another and imports Dagster in each. Here they are
forked from one process that has imported what they share (drivers/forkserver.py), each as soon as its part is there.
"""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path
from typing import Any

import yaml

from floe_dev.config.private import write_private
from floe_dev.errors import Code, FloeError, Where
from floe_dev.model.layout import FLOE_FILE, Layout
from floe_dev.model.project import Project
from floe_dev.model.stack import Probe, Service
from floe_dev.orchestrators.dagster.preload import PRELOAD as PRELOAD
from floe_dev.orchestrators.dagster.watch import read_report
from floe_dev.storage.postgresql import DatabaseAccess

CODE = "dagster-code"
WEBSERVER = "dagster-webserver"
_SPANS = "floe_dev.orchestrators.dagster.run_spans.RunSpans"
DAEMON = "dagster-daemon"
LOCATION = "floe"

_HOST = "127.0.0.1"
_LOAD_QUERY = """
{ workspaceOrError { __typename ... on Workspace { locationEntries { name loadStatus updatedTimestamp
  locationOrLoadError { __typename ... on PythonError { ...E cause { ...E cause { ...E cause { ...E } } } } } } } }
  assetNodes { assetKey { path } } }
fragment E on PythonError { message stack }
"""


def dagster_services(
    project: Project, *, code_depends_on: tuple[str, ...] = (), home_depends_on: tuple[str, ...] = ()
) -> tuple[Service, ...]:
    """Code server, web server and daemon; `home_depends_on` names what writes DAGSTER_HOME."""
    definitions = definitions_file(project)
    target = ("-f", str(definitions)) if definitions else ("-m", "floe_dev.orchestrators.dagster.entry")
    return (
        Service(
            name=CODE,
            command=(
                *("{python}", "-m", "floe_dev.orchestrators.dagster.code_server", "--host", _HOST, "--port", "{port}"),
                *("--location-name", LOCATION, "--working-directory", "{root}"),
                *target,
                *("--use-python-environment-entry-point", "--lazy-load-user-code", "--log-level", "warning"),
            ),
            port=4266,
            depends_on=(*code_depends_on, *home_depends_on),
            probe=Probe(path=None),
            stop_grace_seconds=1.5,
            fork_after="dagster_dbt",
        ),
        Service(
            name=WEBSERVER,
            command=(
                *("{python}", "-m", "floe_dev.orchestrators.dagster.web_server", "--host", _HOST, "--port", "{port}"),
                *("--workspace", "{state}/dagster/workspace.yaml", "--dagster-log-level", "warning"),
            ),
            port=3000,
            depends_on=home_depends_on,
            probe=Probe(path="/server_info", expect="dagster_webserver_version"),
            stop_grace_seconds=1.5,
            fork_after="floe_dev.orchestrators.dagster.sqlite",
        ),
        Service(
            name=DAEMON,
            command=(
                *(
                    "{python}",
                    "-m",
                    "floe_dev.orchestrators.dagster.daemon",
                    "run",
                    "--workspace",
                    "{state}/dagster/workspace.yaml",
                ),
                *("--log-level", "warning"),
            ),
            # The daemon is in nobody's way to ready: it starts when the code server has had its turn at the processors.
            depends_on=(CODE,),
            settle_seconds=0.0,
            stop_grace_seconds=1.5,
            fork_after="dagster_dbt",
        ),
    )


def definitions_file(project: Project) -> Path | None:
    """The project's own definitions.py, if it has one; in a plain dbt project such a file is something else."""
    file = project.root / "definitions.py"
    return file if file.is_file() and (project.root / FLOE_FILE).is_file() else None


def prepare_home(layout: Layout, ports: dict[str, int], database: DatabaseAccess | None = None) -> None:
    """Write DAGSTER_HOME: telemetry off, storage inside `.floe/` or in `database`, the one code location.

    Raises OSError.
    """
    instance: dict[str, Any] = {
        "telemetry": {"enabled": False},
        # The queue's daemon looks every five seconds; one person's runs need no queue.
        "run_coordinator": {"module": "dagster._core.run_coordinator", "class": "DefaultRunCoordinator"},
        # Every event of a run passes this handler, in the run's own process: spans without user code.
        "python_logs": {"dagster_handler_config": {"handlers": {"floe": {"class": _SPANS, "level": "DEBUG"}}}},
        "run_launcher": {"module": "floe_dev.orchestrators.dagster.launcher", "class": "ForkRunLauncher"},
    }
    if database is not None:
        # In this file (0600) and not in a variable, which every run and dbt would inherit.
        place = {"hostname": database.host, "port": database.port, "db_name": database.name}
        user = {"username": database.user, "password": database.password}
        # dagster-postgres speaks to psycopg2; SQLAlchemy 2.1 would give it psycopg, whose `with` closes a connection.
        driver = {"scheme": "postgresql+psycopg2"}
        instance["storage"] = {"postgres": {"postgres_db": {**place, **user, **driver}}}
    write_private(layout.dagster_home / "dagster.yaml", yaml.safe_dump(instance))
    workspace = {
        "load_from": [{"grpc_server": {"host": _HOST, "port": ports[CODE], "location_name": LOCATION}}],
    }
    write_private(layout.dagster_home / "workspace.yaml", yaml.safe_dump(workspace))


def wait_for_assets(root: Path, ports: dict[str, int], timeout_seconds: float = 120.0) -> str:
    """Return once the web server has loaded the project's definitions.

    Raises FloeError: the one that the definitions raised, else 5001 with Dagster's error.
    """
    give_up = time.monotonic() + timeout_seconds
    asked_to_reload = False
    while True:
        answer = _graphql(ports[WEBSERVER], _LOAD_QUERY)
        entries = answer.get("data", {}).get("workspaceOrError", {}).get("locationEntries") or []
        loaded = entries and entries[0]["loadStatus"] == "LOADED"
        outcome = (entries[0]["locationOrLoadError"] or {}) if loaded else {}
        if outcome.get("__typename") == "RepositoryLocation":
            return f"{len(answer['data']['assetNodes'])} assets"
        if outcome.get("__typename") == "PythonError" and asked_to_reload:
            raise _load_error(root, outcome)
        if outcome and not asked_to_reload:
            # The web server may have asked before the code server listened.
            asked_to_reload = True
            _graphql(
                ports[WEBSERVER],
                f'mutation {{ reloadRepositoryLocation(repositoryLocationName: "{LOCATION}") {{ __typename }} }}',
            )
        elif time.monotonic() > give_up:
            raise FloeError(
                Code.DEFINITIONS_FAILED,
                f"Dagster did not load the project's definitions within {timeout_seconds:g} s",
                fix="floe logs dagster-code",
            )
        else:
            time.sleep(0.05)


def _load_error(root: Path, error: dict[str, Any]) -> FloeError:
    """The innermost cause with the end of its stack: there the user's own line is, the rest is Dagster's machinery."""
    reported = read_report(root) or {}
    if "code" in reported:
        return FloeError.from_json(reported)
    while error.get("cause"):
        error = error["cause"]
    message = error["message"].strip().splitlines() or ["no message"]
    return FloeError(
        Code.DEFINITIONS_FAILED,
        "Dagster cannot load the project's definitions",
        why=message[0],
        where=Where(**reported["where"]) if reported.get("where") else None,
        detail=tuple("".join(error["stack"]).rstrip().splitlines()[-8:]) + tuple(message[1:12]),
        fix="mend the place named above, then `floe up`",
    )


def _graphql(port: int, query: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection(_HOST, port, timeout=60)
    try:
        connection.request("POST", "/graphql", json.dumps({"query": query}), {"Content-Type": "application/json"})
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer
    except (OSError, ValueError, http.client.HTTPException):
        return {}
    finally:
        connection.close()
