"""What every object store has to hold to."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from floe_dev.storage.base import Storage, StoreCredential


class StorageContract:
    """Fixtures to give: `store`, `place` (a location of its own for each test), and `as_vended` where it vends keys."""

    @pytest.fixture
    def store(self) -> Storage:
        """The store under test."""
        raise NotImplementedError

    @pytest.fixture
    def place(self) -> str:
        """An empty location, without a slash at its end."""
        raise NotImplementedError

    @pytest.fixture
    def as_vended(self) -> Callable[[StoreCredential], Storage]:
        """The same store as whoever has these keys."""
        pytest.skip("it vends no keys")

    def test_what_is_written_is_read(self, store: Storage, place: str) -> None:
        """Bytes and size, also of nothing, also over what was there."""
        for content in (b"", b"first", b"\x00second"):
            store.write(f"{place}/data/a b.bin", content)
            assert store.read(f"{place}/data/a b.bin") == content
            assert store.size(f"{place}/data/a b.bin") == len(content)

    def test_what_is_not_there_is_said(self, store: Storage, place: str) -> None:
        """As FileNotFoundError, or no size; deleting it is no error."""
        with pytest.raises(FileNotFoundError):
            store.read(f"{place}/nothing")
        assert store.size(f"{place}/nothing") is None
        store.remove(f"{place}/nothing")

    def test_a_removed_object_is_gone_and_its_neighbours_stay(self, store: Storage, place: str) -> None:
        """One object, not what begins like it."""
        for name in ("a", "ab"):
            store.write(f"{place}/{name}", b"x")
        store.remove(f"{place}/a")
        assert store.size(f"{place}/a") is None
        assert store.read(f"{place}/ab") == b"x"

    def test_a_purge_takes_all_below_and_nothing_beside(self, store: Storage, place: str) -> None:
        """A location is a folder, not a beginning of names."""
        for name in ("t/data/1", "t/metadata/2", "t2/data/1"):
            store.write(f"{place}/{name}", b"x")
        assert store.occupied(f"{place}/t")
        store.purge(f"{place}/t")
        assert not store.occupied(f"{place}/t")
        assert store.read(f"{place}/t2/data/1") == b"x"
        store.purge(f"{place}/t")

    def test_vended_keys_reach_one_place_for_a_while(
        self, store: Storage, place: str, as_vended: Callable[[StoreCredential], Storage]
    ) -> None:
        """Read or write below the location, nothing beside it, and they say when they end."""
        for name in ("mine/a", "theirs/a"):
            store.write(f"{place}/{name}", b"x")
        keys = store.vend([f"{place}/mine"], write=False, seconds=900)
        assert keys.expires_at is not None
        assert 0 < keys.expires_at - time.time() <= 901
        reader = as_vended(keys)
        assert reader.read(f"{place}/mine/a") == b"x"
        with pytest.raises(OSError):
            reader.write(f"{place}/mine/b", b"y")
        with pytest.raises(OSError):
            reader.read(f"{place}/theirs/a")
        both = as_vended(store.vend([f"{place}/mine"], write=True, seconds=900, also_read=[f"{place}/theirs"]))
        both.write(f"{place}/mine/c", b"z")
        assert both.read(f"{place}/theirs/a") == b"x"
        with pytest.raises(OSError):
            both.write(f"{place}/theirs/a", b"y")
        writer = as_vended(store.vend([f"{place}/mine"], write=True, seconds=900))
        writer.write(f"{place}/mine/b", b"y")
        assert store.read(f"{place}/mine/b") == b"y"
