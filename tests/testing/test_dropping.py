"""A test's lakehouse is dropped without waiting for it, whatever happens to the connection meanwhile."""

from __future__ import annotations

import pytest

from floe_dev.errors import FloeError
from floe_dev.testing.lakehouse import Isolation
from floe_dev.testing.provisioning import create_lakehouse
from floe_dev.testing.stack import TestStack

CATALOGS = "/api/management/v1/catalogs"
PRINCIPALS = "/api/management/v1/principals"


def names(floe: TestStack, path: str, key: str) -> set[str]:
    return {each["name"] for each in floe.admin.send("GET", path)[key]}


def principals(floe: TestStack) -> set[str]:
    return names(floe, PRINCIPALS, "principals")


@pytest.fixture
def warm(floe: TestStack) -> TestStack:
    """The stack, known to drop all contents by one request."""
    create_lakehouse(floe, "first").drop()
    assert floe.admin.drops_contents
    return floe


@pytest.mark.parametrize("isolation", ["catalog", "namespace"])
def test_the_next_request_finds_it_dropped(warm: TestStack, isolation: Isolation) -> None:
    own = create_lakehouse(warm, "own", isolation)
    own.write("t", [{"id": 1}])
    own.write(f"{own.namespace}.below.t" if isolation == "namespace" else "other.t", [{"id": 1}])
    other = create_lakehouse(warm, "other", isolation)
    other.write("t", [{"id": 1}])
    own.drop()
    assert own.principal not in principals(warm)
    assert not list((warm.folder / "state" / "warehouse").glob(f"**/{own.principal}/**/*.parquet"))
    assert other.table("t").scan().to_arrow().num_rows == 1
    other.drop()


def test_a_connection_that_ends_meanwhile(warm: TestStack) -> None:
    own = create_lakehouse(warm, "own")
    own.drop()
    assert warm.admin._http is not None
    assert warm.admin._http.sock is not None
    warm.admin._http.sock.close()
    assert own.principal not in principals(warm)


def test_a_token_that_ends_meanwhile(warm: TestStack) -> None:
    own = create_lakehouse(warm, "own")
    warm.admin._token = "an old one"
    own.drop()
    assert own.principal not in principals(warm)


def test_close_waits_for_it(warm: TestStack) -> None:
    own = create_lakehouse(warm, "own")
    own.drop()
    warm.admin.close()
    assert own.catalog not in names(warm, CATALOGS, "catalogs")


def test_a_server_that_knows_no_such_request(warm: TestStack, monkeypatch: pytest.MonkeyPatch) -> None:
    own = create_lakehouse(warm, "own")
    own.write("t", [{"id": 1}])
    monkeypatch.setattr("floe_dev.testing.provisioning._CONTENTS", "no-such-path")
    monkeypatch.setattr(warm.admin, "drops_contents", None)
    own.drop()
    assert warm.admin.drops_contents is False
    assert own.principal not in principals(warm)


def test_what_goes_wrong_is_told_by_the_next_request(warm: TestStack) -> None:
    from floe_dev.testing.admin import Ask

    warm.admin.together_soon([Ask("DELETE", f"{CATALOGS}/no_such_catalog")])
    with pytest.raises(FloeError, match="no_such_catalog"):
        principals(warm)
    assert "root" in principals(warm)
