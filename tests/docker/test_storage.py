"""MinIO itself: the bucket, the catalog's user, and keys that reach one prefix only."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from floe_dev.storage.base import Storage, StoreCredential
from floe_dev.storage.minio import MinioStorage, set_up
from floe_dev.testing.contracts import StorageContract

BUCKET = "lake"
ROOT = StoreCredential("root", secrets.token_hex(16))
USER = StoreCredential("catalog", secrets.token_hex(16))


@pytest.fixture(scope="module")
def endpoint(containers: Any) -> Iterator[str]:
    with containers.MinioContainer(access_key=ROOT.access_key, secret_key=ROOT.secret_key) as minio:
        set_up(minio.url, ROOT, BUCKET, USER)
        yield minio.url


@pytest.fixture(scope="module")
def store(endpoint: str) -> MinioStorage:
    return MinioStorage(endpoint, USER)


class TestContract(StorageContract):
    @pytest.fixture
    def store(self, endpoint: str) -> Storage:
        return MinioStorage(endpoint, USER)

    @pytest.fixture
    def place(self) -> str:
        return f"s3://{BUCKET}/contract ü {secrets.token_hex(4)}"

    @pytest.fixture
    def as_vended(self, endpoint: str) -> Callable[[StoreCredential], Storage]:
        return lambda keys: MinioStorage(endpoint, keys)


def test_a_second_set_up_makes_nothing(endpoint: str) -> None:
    assert set_up(endpoint, ROOT, BUCKET, USER) == []


def test_a_changed_secret_of_the_user_is_brought_in_line(endpoint: str, store: MinioStorage) -> None:
    set_up(endpoint, ROOT, BUCKET, StoreCredential(USER.access_key, "another secret"))
    with pytest.raises(OSError, match=r".+"):
        store.write(f"s3://{BUCKET}/changed", b"x")
    set_up(endpoint, ROOT, BUCKET, USER)
    store.write(f"s3://{BUCKET}/changed", b"x")


def test_objects_are_written_read_listed_and_purged(store: MinioStorage) -> None:
    base = f"s3://{BUCKET}/größe 1"
    assert not store.occupied(base)
    assert store.size(f"{base}/a") is None
    store.write(f"{base}/a", b"12345")
    store.write(f"{base}/deep/b", b"")
    store.write(f"s3://{BUCKET}/größe 10/c", b"stays")
    assert store.read(f"{base}/a") == b"12345"
    assert store.size(f"{base}/a") == 5
    assert store.occupied(base)
    with pytest.raises(FileNotFoundError):
        store.read(f"{base}/none")
    store.purge(base)
    assert not store.occupied(base)
    assert store.read(f"s3://{BUCKET}/größe 10/c") == b"stays"
    store.remove(f"s3://{BUCKET}/größe 10/c")
    store.remove(f"s3://{BUCKET}/größe 10/c")


def test_the_catalogs_user_reaches_nothing_beside_its_bucket(endpoint: str, store: MinioStorage) -> None:
    from minio import Minio

    netloc = endpoint.removeprefix("http://")
    root = Minio(
        endpoint=netloc, access_key=ROOT.access_key, secret_key=ROOT.secret_key, secure=False, region=store.region
    )
    root.make_bucket(bucket_name="other")
    with pytest.raises(OSError, match="AccessDenied"):
        store.write("s3://other/x", b"x")


def test_vended_keys_hold_to_their_prefix_and_to_reading(endpoint: str, store: MinioStorage) -> None:
    table, neighbour = f"s3://{BUCKET}/shop/orders", f"s3://{BUCKET}/shop/orders2"
    store.write(f"{table}/data/a", b"a")
    store.write(f"{neighbour}/data/b", b"b")
    reader = MinioStorage(endpoint, store.vend([table], write=False, seconds=900))
    writer = MinioStorage(endpoint, store.vend([table], write=True, seconds=900))
    assert reader.read(f"{table}/data/a") == b"a"
    writer.write(f"{table}/data/c", b"c")
    assert reader.occupied(table)
    for refused in (
        lambda: reader.write(f"{table}/data/d", b"d"),
        lambda: reader.remove(f"{table}/data/a"),
        lambda: reader.read(f"{neighbour}/data/b"),
        lambda: writer.write(f"{neighbour}/data/d", b"d"),
        lambda: writer.occupied(neighbour),
    ):
        with pytest.raises(OSError, match="AccessDenied"):
            refused()
