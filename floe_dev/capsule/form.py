"""The form of a capsule: a zip laid out like a project's folder, with one file that says what it is."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from floe_dev.model.base import Model

#: Raised when a reader of an older version could no longer make sense of a capsule.
FORMAT = 1
#: The file that makes a zip a capsule; at its root.
MANIFEST = "capsule.json"
STATUS, ERROR, ASSETS, RUNS, TABLES, FILES, AUTOMATIONS = (
    "status.json",
    "error.txt",
    "assets.json",
    "runs.json",
    "tables.json",
    "files.json",
    "automations.json",
)
ASSET_DETAILS, RUN_DETAILS = "asset-details.json", "run-details.json"
VERSIONS, MACHINE, ENVIRONMENT = "versions.json", "machine.json", "environment.json"
DATA = "data"
#: Bytes of a capsule when nobody says otherwise, and what a reader unpacks at most.
DEFAULT_BYTES = 20_000_000
UNPACKED_BYTES = 1_000_000_000
#: Files in a capsule at most.
MOST_FILES = 20_000


class Manifest(Model):
    """What a capsule is: who made it, when (seconds since the epoch), of what, and what had to be left out."""

    format: int = FORMAT
    floe: str
    created_at: float
    #: test | run | up | command | manual
    kind: str
    #: One line: what failed.
    title: str
    project: str
    stack: str = ""
    #: What was cut or could not be had, each with its reason.
    missing: tuple[str, ...] = ()
    #: For a test: its node id and its lakehouses.
    details: dict[str, Any] = Field(default_factory=dict)
