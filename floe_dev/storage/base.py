"""What a catalog needs of an object store, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class StoreCredential:
    """Keys of one store; with a session token they end at `expires_at` (seconds since the epoch)."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None


class Storage(Protocol):
    """An object store; every method raises OSError where the store does not answer or refuses."""

    endpoint: str
    region: str

    def read(self, location: str) -> bytes:
        """An object's bytes; FileNotFoundError if there is none."""
        ...

    def size(self, location: str) -> int | None:
        """An object's size in bytes, None if there is none."""
        ...

    def write(self, location: str, content: bytes) -> None:
        """Put a whole object."""
        ...

    def remove(self, location: str) -> None:
        """Delete an object; one that is not there is no error."""
        ...

    def occupied(self, location: str) -> bool:
        """Whether any object lies below `location`."""
        ...

    def purge(self, location: str) -> None:
        """Delete every object below `location`."""
        ...

    def vend(
        self, locations: Sequence[str], *, write: bool, seconds: int, also_read: Sequence[str] = ()
    ) -> StoreCredential:
        """Keys for `seconds`: to read or also to write below `locations`, and only to read below `also_read`."""
        ...
