"""The provisioner against a real catalog server: once, twice, after a crash at every step, and with lost secrets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import SecretStr

from floe_dev.catalogs import provision as module
from floe_dev.catalogs.provision import ObjectStorage, ProvisionReport, fetch_token, is_complete, provision
from floe_dev.catalogs.readiness import NAMESPACE_PREFIX, check_readiness
from floe_dev.catalogs.transport import Transport
from floe_dev.compute.duckdb import connect
from floe_dev.config.credentials import (
    READER_PRINCIPAL,
    SERVICE_PRINCIPAL,
    load_or_create_secrets,
    save_secrets,
)
from floe_dev.errors import Code, FloeError
from floe_dev.model.connection import CatalogConnection, Credential
from floe_dev.model.layout import Layout
from tests.catalog.server import RunningCatalog, catalog_server
from tests.provision.polaris import recorded_polaris

NAMESPACES = ("bronze", "silver", "deep.er")


class Site:
    """A project's state and a server that nothing was provisioned on."""

    def __init__(self, server: RunningCatalog, layout: Layout) -> None:
        self.server = server
        self.layout = layout
        self.root = CatalogConnection(uri=f"{server.url}/api/catalog", warehouse="demo_catalog", credential=server.root)

    def provision(self, location: str | None = None) -> ProvisionReport:
        """One run."""
        return provision(
            self.root,
            location=location or self.server.location("demo_catalog"),
            namespaces=NAMESPACES,
            layout=self.layout,
        )

    def connection(self, principal: str) -> CatalogConnection:
        """As one of the principals."""
        credential = load_or_create_secrets(self.layout).principals[principal]
        return self.root.model_copy(update={"credential": credential})

    def check(self) -> None:
        """Everything a provisioned catalog has to do."""
        assert is_complete(self.root, NAMESPACES, self.layout)
        check_readiness(self.connection(SERVICE_PRINCIPAL))
        with connect(self.connection(SERVICE_PRINCIPAL)) as database:
            database.execute("CREATE TABLE polaris_catalog.silver.t AS SELECT 42 AS n")
        with connect(self.connection(READER_PRINCIPAL)) as database:
            assert database.execute("SELECT n FROM polaris_catalog.silver.t").fetchall() == [(42,)]
            with pytest.raises(duckdb.Error):
                database.execute("INSERT INTO polaris_catalog.silver.t SELECT 1")
            with pytest.raises(duckdb.Error):
                database.execute("DROP TABLE polaris_catalog.silver.t")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with catalog_server(tmp_path / "server") as server:
        yield Site(server, Layout(tmp_path / "project"))


def test_the_second_run_changes_nothing(site: Site) -> None:
    first = site.provision()
    assert f"principal {SERVICE_PRINCIPAL}" in first.created
    assert "namespace deep" in first.created
    assert "namespace deep.er" in first.created
    assert not first.unchanged
    secrets = site.layout.secrets_file.read_bytes()
    second = site.provision()
    assert second.created == []
    assert second.summary() == "unchanged"
    assert site.layout.secrets_file.read_bytes() == secrets
    assert site.layout.secrets_file.stat().st_mode & 0o777 == 0o600
    site.check()


@pytest.mark.parametrize("requests", range(2, 25, 3))
def test_a_crash_between_any_two_requests_is_made_good(
    site: Site, requests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [requests]

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            # The request is done, its answer is lost: what a kill at the worst moment leaves behind.
            answer = real(*args, **options)
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
            return answer

        return call

    with monkeypatch.context() as patch:
        patch.setattr(module._Provisioner, "_call", dying(module._Provisioner._call))
        patch.setattr(module._Provisioner, "_create", dying(module._Provisioner._create))
        patch.setattr(Transport, "_exchange", dying(Transport._exchange))
        with pytest.raises(KeyboardInterrupt):
            site.provision()
    site.provision()
    site.check()


def test_a_lost_secret_is_replaced_and_the_old_one_is_dead(site: Site) -> None:
    site.provision()
    old = site.connection(SERVICE_PRINCIPAL)
    secrets = load_or_create_secrets(site.layout)
    save_secrets(site.layout, secrets.model_copy(update={"principals": {}}))
    report = site.provision()
    assert f"credential of {SERVICE_PRINCIPAL}" in report.created
    with pytest.raises(FloeError) as caught:
        fetch_token(old)
    assert caught.value.code is Code.CATALOG_REFUSED
    site.check()


def test_a_catalog_that_lives_elsewhere_is_refused(site: Site) -> None:
    site.provision()
    with pytest.raises(FloeError) as caught:
        site.provision(site.server.location("demo_catalog") + "_moved")
    assert caught.value.code is Code.CATALOG_MOVED


def test_wrong_root_and_no_server_are_told_apart(site: Site) -> None:
    wrong = site.server.root.model_copy(update={"client_id": "nobody"})
    site.root = site.root.model_copy(update={"credential": wrong})
    with pytest.raises(FloeError) as caught:
        site.provision()
    assert caught.value.code is Code.ROOT_SECRET_LOST
    assert "secrets.json" in str(caught.value.fix)
    assert site.server.root.client_secret.get_secret_value() not in str(caught.value)
    site.server.stop()
    with pytest.raises(FloeError) as caught:
        site.provision()
    assert caught.value.code is Code.CATALOG_UNREACHABLE


def test_readiness_tells_its_steps_and_leaves_nothing(site: Site) -> None:
    site.provision()
    seen = check_readiness(site.connection(SERVICE_PRINCIPAL))
    assert [name for name, _ in seen.seconds] == ["attach", "create", "write", "read", "drop"]
    with connect(site.connection(SERVICE_PRINCIPAL)) as database:
        schemas = database.execute("SELECT schema_name FROM duckdb_schemas()").fetchall()
    assert not [name for (name,) in schemas if name.startswith(NAMESPACE_PREFIX)]


def test_readiness_names_the_step_that_failed(site: Site) -> None:
    site.provision()
    with pytest.raises(FloeError) as caught:
        check_readiness(site.connection(READER_PRINCIPAL))
    assert caught.value.code is Code.NOT_READY
    assert "create" in caught.value.what
    assert caught.value.why


def test_being_complete_is_found_out_fast(site: Site) -> None:
    began = time.perf_counter()
    site.provision()
    provisioned = time.perf_counter()
    assert is_complete(site.root, NAMESPACES, site.layout)
    assert time.perf_counter() - provisioned < (provisioned - began) / 2


def test_a_recorded_polaris_takes_every_request_and_the_second_run_changes_nothing(tmp_path: Path) -> None:
    """The stack `lakehouse` where its image cannot run: what we send, held against what a real Polaris answered."""
    layout = Layout(tmp_path)
    credential = Credential(client_id="root", client_secret=SecretStr("secret"))
    objects = ObjectStorage("http://127.0.0.1:9000", "http://minio:9000", "us-east-1")
    with recorded_polaris() as polaris:
        root = CatalogConnection(uri=f"{polaris.url}/api/catalog", warehouse="demo_catalog", credential=credential)

        def run() -> ProvisionReport:
            location = "s3://lakehouse/demo_catalog"
            return provision(root, location=location, namespaces=("bronze",), layout=layout, objects=objects)

        first, second = run(), run()
        assert polaris.unknown == []
        assert "catalog demo_catalog" in first.created
        assert "namespace bronze" in first.created
        assert second.created == []
        assert {name for name in first.created if "principal" in name} <= set(second.unchanged)
        kinds = {(method, path.split("/")[4]) for method, path in polaris.asked if "/management/" in path}
        assert kinds == {
            *(("POST", kind) for kind in ("catalogs", "principals", "principal-roles")),
            *(("PUT", kind) for kind in ("catalogs", "principals", "principal-roles")),
            ("GET", "catalogs"),
        }


def test_a_request_that_polaris_was_never_seen_to_take_is_found_out() -> None:
    with recorded_polaris() as polaris:
        path = "/api/management/v1/principals"
        assert polaris.answer("POST", path, {"principal": {"name": "floe"}}, False)[0] == 201
        assert polaris.answer("POST", path, {"principal": {"name": "floe", "nickname": "x"}}, False)[0] == 501
        assert polaris.answer("POST", "/api/management/v1/realms", {"name": "x"}, False)[0] == 501
        assert len(polaris.unknown) == 2
