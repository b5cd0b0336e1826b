"""floe's parts as testcontainers' containers, without pytest's fixtures, as a user's own program has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog.rest import RestCatalog
from testcontainers.core.container import DockerContainer

from floe_dev.catalogs.provision import fetch_token
from floe_dev.errors import FloeError
from floe_dev.model.connection import CatalogConnection
from floe_dev.storage.base import StoreCredential
from floe_dev.storage.minio import MinioStorage
from floe_dev.testing.provisioning import create_lakehouse
from floe_dev.testing.stack import TestStack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def parts(engine: Any, containers: Any) -> Iterator[Any]:
    """floe_dev.testing.containers, of which nothing is left at the end."""
    before = _all(engine)
    yield containers
    assert _all(engine) - before == set(), "every container and network of these tests is gone"


def _all(engine: Any) -> set[str]:
    """What testcontainers started, and the networks there are."""
    label = {"label": "org.testcontainers"}
    started = {each.id for each in engine.containers.list(all=True, filters=label)}
    return started | {each.id for each in engine.networks.list(filters=label)}


def _addresses(container: DockerContainer) -> set[str]:
    """The addresses of this machine at which a container's ports are published."""
    wrapped = container.get_wrapped_container()
    assert wrapped is not None
    wrapped.reload()
    ports = wrapped.attrs["NetworkSettings"]["Ports"]
    return {binding["HostIp"] for bindings in ports.values() for binding in bindings or ()}


def test_the_images_are_those_of_the_stacks(parts: Any) -> None:
    assert parts.image_of("lakehouse", "minio") == parts.MINIO_IMAGE
    assert parts.POLARIS_IMAGE.startswith("apache/polaris:")
    assert issubclass(parts.PolarisContainer, DockerContainer)


def test_a_catalog_alone_is_ready_when_root_has_a_token_and_listens_here_only(parts: Any) -> None:
    """floe's own catalog stands in for Polaris's image, behind the same contract."""
    with parts.PolarisContainer(parts.CATALOG_IMAGE) as catalog:
        assert fetch_token(catalog.root())
        assert _addresses(catalog) == {"127.0.0.1"}
        assert catalog.root().credential.client_secret.get_secret_value() not in repr(catalog.root())
        with parts.PolarisContainer(parts.CATALOG_IMAGE) as other, pytest.raises(FloeError):
            # Each has a secret of its own.
            fetch_token(other.root().model_copy(update={"credential": catalog.root().credential}))


def test_an_object_store_alone_takes_its_own_keys_only(parts: Any) -> None:
    with parts.MinioContainer() as minio:
        minio.get_client().make_bucket(bucket_name="bucket")
        own = MinioStorage(minio.url, StoreCredential(minio.access_key, minio.secret_key))
        own.write("s3://bucket/x", b"x")
        assert own.read("s3://bucket/x") == b"x"
        stranger = MinioStorage(minio.url, StoreCredential(minio.access_key, "minioadmin"))
        with pytest.raises(OSError, match="SignatureDoesNotMatch"):
            stranger.read("s3://bucket/x")
        assert _addresses(minio) == {"127.0.0.1"}


def test_both_together_are_a_lakehouse_whose_clients_get_vended_keys(parts: Any, tmp_path: Any) -> None:
    with parts.LakehouseContainers() as containers:
        root: CatalogConnection = containers.catalog.root()
        secret = root.credential.client_secret.get_secret_value()
        stack = TestStack(containers.catalog.url, "root", secret, folder=tmp_path, pid=None, storage=containers.storage)
        lakehouse = create_lakehouse(stack, "own")
        rows = pa.table({"id": [1, 2]})
        table = RestCatalog("c", **lakehouse.connection.pyiceberg_properties()).create_table("test.t", rows.schema)
        table.append(rows)
        assert table.location().startswith(f"s3://{parts.BUCKET}/")
        assert table.io.properties["s3.session-token"]
        assert lakehouse.duckdb().sql("select sum(id) from t").fetchone() == (3,)
        lakehouse.drop()
        store = MinioStorage(
            containers.minio.url, StoreCredential(containers.minio.access_key, containers.minio.secret_key)
        )
        assert not store.occupied(f"s3://{parts.BUCKET}/{lakehouse.catalog}"), "dropped with its objects"
        stack.admin.close()


def test_a_start_that_fails_leaves_nothing(parts: Any) -> None:
    """What was started is gone again, which the fixture `parts` looks at."""
    from docker.errors import APIError

    with pytest.raises(APIError):
        parts.LakehouseContainers(catalog_image="floe/no-such-image:1").start()
