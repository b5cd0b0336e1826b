"""Vended credentials: keys for one table's files alone, to read or also to write by the grants of who asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from floe_dev.catalogs.rest.access import Access
from floe_dev.catalogs.rest.errors import ApiError, bad_request
from floe_dev.catalogs.rest.folders import Folders, StoreConfig, is_object
from floe_dev.catalogs.rest.http import Call
from floe_dev.catalogs.rest.names import Namespace
from floe_dev.storage.base import StoreCredential

#: Seconds that vended keys are good for (STS allows 15 minutes to 7 days).
VENDED_SECONDS = 3600
#: Keys are handed out again until this many seconds before their end, so that a client always has time for a long read.
_REUSE_UNTIL_SECONDS = 1800
_KEPT = 2000
#: A catalog's property: locations, separated by commas, that whoever may read a table's files may read as well. Only
#: administrators set a catalog's properties, and no key reaches further than this server's own.
READABLE = "floe.readable-locations"
DELEGATION = "x-iceberg-access-delegation"


class Vending:
    """Gives out keys of the object store; kept, since STS takes milliseconds and a load should not."""

    def __init__(self, folders: Folders) -> None:
        """Nothing is asked of the store yet."""
        self._folders = folders
        self._lock = threading.Lock()
        self._known: dict[tuple[StoreConfig, str, bool, tuple[str, ...]], StoreCredential] = {}

    def config(
        self,
        call: Call,
        access: Access,
        location: str,
        namespace: Namespace,
        name: str,
        *,
        creating: bool = False,
        also_read: tuple[str, ...] = (),
    ) -> dict[str, str]:
        """What a client needs to reach a table's files: empty for files, and where it did not ask.

        `creating` asks for a table that does not exist yet, whose creator may write it. Raises ApiError 503 where the
        store does not vend.
        """
        store = self._folders.config(location)
        if store is None:
            return {}
        settings = {
            "s3.endpoint": store.endpoint,
            "s3.path-style-access": str(store.path_style).lower(),
            "s3.region": store.region,
            "client.region": store.region,
        }
        if "vended-credentials" not in call.headers.get(DELEGATION, ""):
            return settings
        write = creating or access.may("TABLE_WRITE_DATA", namespace, name)
        if not write and not access.may("TABLE_READ_DATA", namespace, name):
            return settings
        if not store.vends:
            raise bad_request("Credential vending was requested, and this catalog's storage has no STS")
        keys = self._keys(store, location, write, also_read)
        return {
            **settings,
            "s3.access-key-id": keys.access_key,
            "s3.secret-access-key": keys.secret_key,
            "s3.session-token": keys.session_token or "",
            "s3.session-token-expires-at-ms": str(int((keys.expires_at or 0) * 1000)),
            "expiration-time": str(int((keys.expires_at or 0) * 1000)),
        }

    def _keys(
        self, config: StoreConfig, location: str, write: bool, also_read: tuple[str, ...] = ()
    ) -> StoreCredential:
        place = config, location, write, also_read
        with self._lock:
            known = self._known.get(place)
        if known is not None and (known.expires_at or 0) - time.time() > _REUSE_UNTIL_SECONDS:
            return known
        store = self._folders.store(location)
        assert store is not None
        try:
            keys = store.vend([location], write=write, seconds=VENDED_SECONDS, also_read=also_read)
        except OSError as error:
            raise ApiError(
                503, "ServiceUnavailableException", f"The object store vends no credentials: {error.strerror}"
            ) from None
        with self._lock:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[place] = keys
        return keys


def readable(properties: Mapping[str, str]) -> tuple[str, ...]:
    """The locations that a catalog's properties open for its readers."""
    told = (text.strip().rstrip("/") for text in properties.get(READABLE, "").split(","))
    return tuple(location for location in told if is_object(location))


def storage_credentials(config: Mapping[str, str], places: Sequence[str]) -> list[dict[str, Any]]:
    """The same keys once for each place: clients choose keys by the place a file is in."""
    return [{"prefix": place, "config": dict(config)} for place in places] if "s3.access-key-id" in config else []
