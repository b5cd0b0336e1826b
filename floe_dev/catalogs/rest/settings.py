"""What the embedded catalog is started with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from floe_dev.storage.base import StoreCredential


@dataclass(frozen=True)
class Limits:
    """Bounds on what a client can make the server do."""

    body_bytes: int = 32 * 1024 * 1024
    #: Seconds a client has for its request head, and again for its body.
    request_seconds: float = 20.0
    token_seconds: int = 3600
    idempotency_seconds: int = 1800
    page_size: int = 1000
    reader_threads: int = 4


@dataclass(frozen=True)
class StoreAccess:
    """The server's own keys of the object store, and what a catalog's configuration leaves out."""

    credential: StoreCredential
    region: str
    #: The store's URL for catalogs that name none.
    endpoint: str | None = None


@dataclass(frozen=True)
class Settings:
    """One server: a database, a warehouse folder for catalogs created without a location, and its secrets.

    `instance` is echoed in every answer, so that a probe can tell this server from another on the same port.
    """

    #: `postgresql://…`, or the path of a SQLite file.
    database: str = field(repr=False)
    #: None: this server keeps no tables in files.
    warehouse: Path | None
    instance: str
    #: Empty: nobody is made root at this start.
    root_client_id: str
    root_client_secret: str = field(repr=False)
    signing_key: bytes = field(repr=False)
    limits: Limits = field(default_factory=Limits)
    #: How catalogs with an `s3://` location reach their tables; None: files only.
    store: StoreAccess | None = None
    #: A port whose `/q/` paths alone are answered, and answered there alone; None: they are beside the API.
    management_port: int | None = None
    #: Whether root keeps the secret it was made with, whatever is said later; else the settings win.
    first_secret_wins: bool = False
