"""What the embedded catalog is started with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from floe_dev.storage.base import Storage


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
class Settings:
    """One server: a database, a warehouse folder for catalogs created without a location, and its secrets.

    `instance` is echoed in every answer, so that a probe can tell this server from another on the same port.
    """

    database: Path
    warehouse: Path
    instance: str
    root_client_id: str
    root_client_secret: str = field(repr=False)
    signing_key: bytes = field(repr=False)
    limits: Limits = field(default_factory=Limits)
    #: Where catalogs with an `s3://` location keep their tables; None: files only.
    store: Storage | None = None
