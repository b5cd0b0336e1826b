"""What a real Polaris 1.7.0 answered to 129 requests, and how its answers are compared with ours.

The recording was made against an S3 warehouse with secrets and UUIDs masked. `resolve` puts a file warehouse and this
test's values in their place; `comparable` brings both answers into one form, by the rules named there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "data" / "polaris-1.7.0-answers.jsonl"
RECORDED_WAREHOUSE = "s3://warehouse/demo"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MOMENTS = {"createTimestamp", "lastUpdateTimestamp", "last-updated-ms", "timestamp-ms"}
_SECRETS = {"clientId", "clientSecret", "access_token"}


@dataclass(frozen=True)
class Exchange:
    """One recorded request and its answer; `who` is nobody, bad token, root, floe or reader."""

    index: int
    note: str
    who: str
    request: Mapping[str, Any]
    status: int
    body: Any

    @property
    def id(self) -> str:
        """The test's name."""
        return f"{self.index:03d} {self.note}"

    @property
    def error(self) -> str:
        """The recorded error's type, empty if there was none (Polaris leaves some error bodies empty)."""
        error = self.body.get("error") if isinstance(self.body, dict) else None
        return str(error["type"]) if isinstance(error, dict) else str(error or "")


def load() -> list[Exchange]:
    """The recording, in order."""
    exchanges = []
    for index, line in enumerate(FILE.read_text().splitlines(), 1):
        entry = json.loads(line)
        response = entry["response"]
        exchanges.append(
            Exchange(index, entry["note"], entry["as"], entry["request"], response["status"], response.get("body"))
        )
    return exchanges


def resolve(value: Any, texts: Mapping[str, str]) -> Any:
    """The value with every recorded text replaced, and S3 storage made FILE storage."""
    if isinstance(value, dict):
        if value.get("storageType") == "S3":
            value = {"storageType": "FILE", "allowedLocations": value["allowedLocations"]}
        return {key: resolve(item, texts) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, texts) for item in value]
    if isinstance(value, str):
        for old, new in texts.items():
            value = value.replace(old, new)
    return value


def comparable(value: Any) -> Any:
    """The form in which two answers with the same meaning are equal."""
    if isinstance(value, dict):
        # Absent, null and empty mean the same for every optional part.
        items = ((key, _item(key, item)) for key, item in sorted(value.items()) if key not in _NOT_COMPARED)
        return {key: item for key, item in items if item not in (None, [], {})}
    if isinstance(value, list):
        # Listings have no promised order.
        return sorted((comparable(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(value, str):
        # Polaris compresses the metadata of views; which is the server's choice.
        return _UUID.sub("<uuid>", value).replace(".gz.metadata.json", ".metadata.json")
    return value


def _item(key: str, item: Any) -> Any:
    if key in _MOMENTS:
        return "<moment>"
    if key in _SECRETS:
        return "<secret>"
    if key == "current-snapshot-id" and item == -1:
        # The form that "no snapshot" had before the specification made the field optional.
        return None
    return comparable(item)


_NOT_COMPARED = {
    # Storage: endpoints, regions and vended keys of S3. A file warehouse has none.
    "config",
    "storage-credentials",
    # Properties that Iceberg's Java library adds to every new table; the specification knows neither.
    "created-at",
    "write.parquet.compression-codec",
}
