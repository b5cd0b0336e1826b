"""The endpoint truth table on a real stack: every cell works, and each way to fail names the setting to change."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from floe_dev.drivers.engine import connect
from floe_dev.drivers.inside import FromInside
from floe_dev.drivers.wire import FromHere, Request
from floe_dev.errors import Code, FloeError
from floe_dev.model.endpoints import EndpointTable
from floe_dev.supervisor import endpoints
from floe_dev.supervisor.paths import project_key
from tests.cli.conftest import RunningStack
from tests.drivers.helpers import free_port

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]
S3 = [endpoints.LIST, endpoints.PUT, endpoints.MULTIPART, endpoints.DELETE]


def _states(table: EndpointTable, vantage: str) -> dict[str, str]:
    return {cell.endpoint: cell.state for cell in table.cells if cell.vantage == vantage}


def _filled(stack: RunningStack, **changed: Any) -> EndpointTable:
    targets, _, key = endpoints.targets_of(stack.root)
    with FromInside(connect(), key) as inside:
        return endpoints.fill(dataclasses.replace(targets, **changed), FromHere(), inside)


def test_every_endpoint_works_from_here_and_from_inside(docker_stack: RunningStack, base_image: str) -> None:
    done = docker_stack.floe("doctor", "--network", "--json")
    found = EndpointTable.model_validate(
        {k: v for k, v in json.loads(done.stdout).items() if k in ("principal", "cells", "skew_seconds")}
    )
    assert done.returncode == 0, done.stdout
    assert _states(found, "host") == dict.fromkeys(endpoints.FULL, "works")
    inside = _states(found, "network")
    assert {name: inside[name] for name in S3} == dict.fromkeys(S3, "works")
    assert all(abs(seconds) < endpoints.SKEW_SECONDS for seconds in found.skew_seconds.values())
    assert set(found.skew_seconds) == {"catalog", "object store"}
    text = docker_stack.floe("doctor", "--network")
    assert "from inside the network" in text.stdout
    assert "works" in text.stdout
    assert text.returncode == 0


def test_nothing_of_the_check_stays(docker_stack: RunningStack, base_image: str) -> None:
    docker_stack.floe("doctor", "--network")
    assert "floe_readiness" not in docker_stack.floe("tables").stdout
    key = project_key(docker_stack.root)
    names = [c.name for c in connect().containers.list(all=True, filters={"label": f"dev.floe.project={key}"})]
    assert not [name for name in names if name.endswith("-probe")]


def test_up_has_asked_the_short_form(docker_stack: RunningStack) -> None:
    steps = {step["name"]: step for step in docker_stack.json("status")["steps"]}
    assert "endpoints from here" in steps["readiness"]["detail"]


def test_a_name_of_the_network_is_told_as_the_catalogs_endpoint(docker_stack: RunningStack, base_image: str) -> None:
    found = _filled(docker_stack, store={"host": "http://minio:9000", "network": "http://minio:9000"})
    assert [cell.endpoint for cell in found.failing] == S3
    assert all(cell.vantage == "host" and "`endpoint`" in cell.setting for cell in found.failing)
    with pytest.raises(FloeError) as caught:
        endpoints.demand(found)
    assert caught.value.code is Code.NETWORK_CELL
    assert "http://minio:9000" in str(caught.value)


def test_an_address_of_this_machine_is_told_as_the_servers_endpoint(
    docker_stack: RunningStack, base_image: str
) -> None:
    found = _filled(docker_stack, store={"host": None, "network": f"http://127.0.0.1:{free_port()}"})
    assert [(cell.endpoint, cell.vantage) for cell in found.failing] == [(name, "network") for name in S3]
    assert all("the container itself" in cell.setting for cell in found.failing)
    found = _filled(docker_stack, store={"host": None, "network": "http://nobody:9000"})
    assert all("`endpointInternal`" in cell.setting for cell in found.failing)
    assert len(found.failing) == 4


def test_a_wrong_secret_is_told_as_the_principals(docker_stack: RunningStack, base_image: str) -> None:
    targets, _, _ = endpoints.targets_of(docker_stack.root)
    wrong = targets.connection.model_copy(
        update={"credential": targets.connection.credential.model_copy(update={"client_id": "nobody"})}
    )
    found = _filled(docker_stack, connection=wrong)
    catalog = found.cell(endpoints.CATALOG, "host")
    assert catalog is not None
    assert catalog.state == "fails"
    assert "POLARIS_CLIENT_SECRET" in catalog.setting
    assert _states(found, "host")[endpoints.PUT] == "skipped"
    assert "nobody" not in catalog.reason


def test_a_clock_that_is_off_is_one_error_of_its_own() -> None:
    with pytest.raises(FloeError) as caught:
        endpoints.demand(EndpointTable(principal="floe", skew_seconds={"object store": -1200.0}))
    assert caught.value.code is Code.CLOCK_SKEW
    assert "1200 s behind" in str(caught.value)


def test_a_request_from_inside_sees_the_networks_names_and_no_others(
    docker_stack: RunningStack, base_image: str
) -> None:
    with FromInside(connect(), project_key(docker_stack.root)) as inside:
        assert inside.ask(Request("GET", "http://minio:9000/minio/health/ready")).status == 200
        with pytest.raises(OSError, match=r"(?i)name|known|resolution|resolve"):
            inside.ask(Request("GET", "http://nobody:9000/"))
        with pytest.raises(OSError, match=r"(?i)refused"):
            inside.ask(Request("GET", "http://minio:1/"))
