"""Keys that the catalog vends for one table of a real MinIO: to whom, for what, until when, and new ones in time."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from floe_dev.catalogs.rest import vending
from floe_dev.catalogs.rest.folders import Folders
from floe_dev.catalogs.rest.settings import StoreAccess
from floe_dev.catalogs.rest.vending import Vending
from floe_dev.storage import minio
from floe_dev.storage.base import StoreCredential
from floe_dev.storage.minio import MinioStorage, set_up
from tests.catalog.conftest import SCHEMA
from tests.catalog.server import Principal, RunningCatalog, start_catalog

BUCKET = "lake"
ROOT = StoreCredential("root", secrets.token_hex(16))
USER = StoreCredential("catalog", secrets.token_hex(16))
VENDED = {"X-Iceberg-Access-Delegation": "vended-credentials"}


@pytest.fixture(scope="module")
def endpoint(containers: Any) -> Iterator[str]:
    with containers.MinioContainer(access_key=ROOT.access_key, secret_key=ROOT.secret_key) as minio:
        yield minio.url


@pytest.mark.parametrize("calls", range(1, 7))
def test_a_set_up_that_was_killed_after_any_call_is_made_good(
    endpoint: str, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, user = f"lake{calls}", StoreCredential(f"catalog{calls}", secrets.token_hex(16))
    left = [calls]
    real = minio._asked

    def dying(call: Any) -> Any:
        answer = real(call)
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(minio, "_asked", dying)
        with pytest.raises(KeyboardInterrupt):
            set_up(endpoint, ROOT, bucket, user)
    set_up(endpoint, ROOT, bucket, user)
    assert set_up(endpoint, ROOT, bucket, user) == []
    store = MinioStorage(endpoint, user)
    store.write(f"s3://{bucket}/x", b"x")
    assert store.read(f"s3://{bucket}/x") == b"x"


def test_a_bucket_that_has_data_already_is_taken_as_it_is(endpoint: str) -> None:
    user = StoreCredential("catalog-late", secrets.token_hex(16))
    set_up(endpoint, ROOT, "early", StoreCredential("catalog-early", secrets.token_hex(16)))
    MinioStorage(endpoint, ROOT).write("s3://early/there/before", b"kept")
    assert set_up(endpoint, ROOT, "early", user) == ["user catalog-late", "policy floe-early"]
    assert MinioStorage(endpoint, user).read("s3://early/there/before") == b"kept"


@pytest.fixture(scope="module")
def catalog(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCatalog]:
    """A catalog server whose catalog `s3` names the store's address for clients and for the server."""
    set_up(endpoint, ROOT, BUCKET, USER)
    folder: Path = tmp_path_factory.mktemp("vending")
    keys = {"AWS_ACCESS_KEY_ID": USER.access_key, "AWS_SECRET_ACCESS_KEY": USER.secret_key}
    running = start_catalog(folder, environment=keys, arguments=["--s3-endpoint", endpoint])
    try:
        location = f"s3://{BUCKET}/s3"
        storage = {
            "storageType": "S3",
            "allowedLocations": [location],
            # As clients elsewhere would see it; the server has an address of its own.
            "endpoint": endpoint.replace("127.0.0.1", "localhost"),
            "endpointInternal": endpoint,
            "region": "eu-west-9",
            "pathStyleAccess": True,
        }
        properties = {"default-base-location": location}
        body = {"type": "INTERNAL", "name": "s3", "properties": properties, "storageConfigInfo": storage}
        made = running.manage("POST", "/catalogs", {"catalog": body}).body
        assert made["storageConfigInfo"] == storage
        yield running
    finally:
        running.stop()
    assert "Traceback" not in running.log.read_text()
    assert USER.secret_key not in running.log.read_text()


@pytest.fixture(scope="module")
def owner(catalog: RunningCatalog) -> Principal:
    principal = catalog.add_principal("owner", "s3", "CATALOG_MANAGE_CONTENT")
    token = catalog.token_of(principal)
    base = "/api/catalog/v1/s3/namespaces"
    assert catalog.send("POST", base, {"namespace": ["raw"]}, token=token).status == 200
    for name in ("a", "b"):
        body = {"name": name, "schema": SCHEMA}
        assert catalog.send("POST", f"{base}/raw/tables", body, token=token).status == 200
    return principal


def _load(catalog: RunningCatalog, who: Principal, table: str = "a", **headers: str) -> dict[str, str]:
    path = f"/api/catalog/v1/s3/namespaces/raw/tables/{table}"
    reply = catalog.send("GET", path, token=catalog.token_of(who), headers=headers)
    assert reply.status == 200, reply
    config: dict[str, str] = reply.body["config"]
    return config


def _store(config: dict[str, str]) -> MinioStorage:
    keys = StoreCredential(config["s3.access-key-id"], config["s3.secret-access-key"], config["s3.session-token"])
    return MinioStorage(config["s3.endpoint"], keys, config["s3.region"])


def test_keys_are_given_to_who_asks_with_the_addresses_for_clients(
    catalog: RunningCatalog, owner: Principal, endpoint: str
) -> None:
    plain = _load(catalog, owner)
    assert "s3.access-key-id" not in plain
    config = _load(catalog, owner, **VENDED)
    assert config["s3.endpoint"] == endpoint.replace("127.0.0.1", "localhost")
    assert (config["s3.region"], config["s3.path-style-access"]) == ("eu-west-9", "true")
    minutes = (int(config["s3.session-token-expires-at-ms"]) / 1000 - time.time()) / 60
    assert 28 <= minutes <= 60.5
    assert USER.secret_key not in str(config)
    asked = catalog.send(
        "GET", "/api/catalog/v1/s3/namespaces/raw/tables/a/credentials", token=catalog.token_of(owner)
    ).body["storage-credentials"]
    assert asked[0]["prefix"] == f"s3://{BUCKET}/s3/raw/a"
    assert asked[0]["config"]["s3.session-token"]


@pytest.mark.parametrize(
    ("privileges", "reads", "writes"),
    [
        (("TABLE_READ_PROPERTIES", "TABLE_READ_DATA"), True, False),
        (("TABLE_READ_PROPERTIES", "TABLE_WRITE_DATA"), True, True),
        (("TABLE_FULL_METADATA",), False, False),
    ],
)
def test_keys_do_what_the_grants_allow(
    catalog: RunningCatalog, owner: Principal, privileges: tuple[str, ...], reads: bool, writes: bool
) -> None:
    who = catalog.add_principal(f"p{secrets.token_hex(4)}", "s3", *privileges)
    place = f"s3://{BUCKET}/s3/raw/a/data/{secrets.token_hex(4)}"
    MinioStorage(_load(catalog, owner, **VENDED)["s3.endpoint"], USER).write(place, b"1")
    config = _load(catalog, who, **VENDED)
    if not reads:
        assert "s3.access-key-id" not in config
        return
    store = _store(config)
    assert store.read(place) == b"1"
    with pytest.raises(OSError, match="AccessDenied"):
        store.read(place.replace("/raw/a/", "/raw/b/"))
    if writes:
        store.write(place, b"2")
    else:
        with pytest.raises(OSError, match="AccessDenied"):
            store.write(place, b"2")


def test_a_grant_that_is_taken_away_ends_the_keys_that_follow(catalog: RunningCatalog, owner: Principal) -> None:
    name = f"p{secrets.token_hex(4)}"
    who = catalog.add_principal(name, "s3", "TABLE_READ_PROPERTIES", "TABLE_READ_DATA")
    assert "s3.session-token" in _load(catalog, who, **VENDED)
    grant = {"grant": {"type": "catalog", "privilege": "TABLE_READ_DATA"}}
    catalog.manage("POST", f"/catalogs/s3/catalog-roles/{name}_access/grants", grant)
    assert "s3.session-token" not in _load(catalog, who, **VENDED)


def test_a_catalog_without_sts_refuses_to_vend(catalog: RunningCatalog) -> None:
    location = f"s3://{BUCKET}/nosts"
    storage = {"storageType": "S3", "allowedLocations": [location], "stsUnavailable": True}
    properties = {"default-base-location": location}
    body = {"type": "INTERNAL", "name": "nosts", "properties": properties, "storageConfigInfo": storage}
    catalog.manage("POST", "/catalogs", {"catalog": body})
    who = catalog.add_principal("nosts_owner", "nosts", "CATALOG_MANAGE_CONTENT")
    token = catalog.token_of(who)
    base = "/api/catalog/v1/nosts/namespaces"
    assert catalog.send("POST", base, {"namespace": ["raw"]}, token=token).status == 200
    table = {"name": "a", "schema": SCHEMA}
    assert catalog.send("POST", f"{base}/raw/tables", table, token=token).status == 200
    assert catalog.send("GET", f"{base}/raw/tables/a", token=token, headers=VENDED).status == 400
    assert catalog.send("GET", f"{base}/raw/tables/a", token=token).status == 200


def test_keys_are_kept_while_they_are_fresh_and_replaced_before_they_end(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(endpoint, ROOT, BUCKET, USER)
    folders = Folders(StoreAccess(USER, "us-east-1", endpoint))
    base = f"s3://{BUCKET}/kept"
    folders.learn([base], {"storageType": "S3"})
    config = folders.config(f"{base}/raw/t")
    assert config is not None
    kept = Vending(folders)
    monkeypatch.setattr(vending, "VENDED_SECONDS", 900)
    monkeypatch.setattr(vending, "_REUSE_UNTIL_SECONDS", 600)
    first = kept._keys(config, f"{base}/raw/t", True)
    assert kept._keys(config, f"{base}/raw/t", True) is first
    assert kept._keys(config, f"{base}/raw/t", False) is not first
    assert kept._keys(config, f"{base}/raw/other", True) is not first
    # Half of an hour later, so to speak.
    monkeypatch.setattr(vending, "_REUSE_UNTIL_SECONDS", 901)
    second = kept._keys(config, f"{base}/raw/t", True)
    assert second.session_token != first.session_token
    for keys in (first, second):
        MinioStorage(endpoint, keys).write(f"{base}/raw/t/data/x", b"both work until they end")
