"""Listing and loading tables over the Iceberg REST API with nothing but the standard library.

What a list of tables needs (rows, sizes, snapshots) stands in table metadata, which every load answers as JSON.
PyIceberg would cost 0.6 s of imports before the first request; `floe tables` and the dashboard ask often and want it at
once. What needs manifests (files, partitions, differences) is in `inspect`, on PyIceberg.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

from floe_dev.errors import Code, FloeError
from floe_dev.model.connection import CatalogConnection
from floe_dev.model.summary import count, rows, rows_removed
from floe_dev.tracing.context import current

#: Joins the parts of a nested namespace in a URL (Iceberg REST specification).
_SEPARATOR = "\x1f"
_TIMEOUT_SECONDS = 15.0
_WORKERS = 4

Namespace = tuple[str, ...]


@dataclass(frozen=True)
class Snapshot:
    """One Iceberg snapshot as table metadata tells it; `timestamp_ms` since the epoch."""

    number: int
    snapshot_id: int
    parent_id: int | None
    timestamp_ms: int
    operation: str
    schema_id: int | None
    summary: dict[str, str] = field(default_factory=dict)

    def count(self, key: str) -> int | None:
        """A number of the summary such as `total-records`; None where the writer left it out."""
        return count(self.summary, key)

    @property
    def rows(self) -> int | None:
        """Rows that readers see, by the summary; None where it does not say."""
        return rows(self.summary)

    @property
    def rows_removed(self) -> int | None:
        """Rows that readers no longer see, by the summary; None where it does not say."""
        return rows_removed(self.summary)


@dataclass(frozen=True)
class TableInfo:
    """A table or view as its metadata describes it; nothing was scanned."""

    namespace: Namespace
    name: str
    kind: str  # table | view
    uuid: str
    location: str
    format_version: int
    metadata: dict[str, Any]
    metadata_location: str | None = None

    @property
    def identifier(self) -> str:
        """`namespace.name`."""
        return ".".join((*self.namespace, self.name))

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """All snapshots that are kept, oldest first, numbered from 1."""
        found = sorted(
            self.metadata.get("snapshots") or (), key=lambda s: (s.get("sequence-number", 0), s["timestamp-ms"])
        )
        return tuple(
            Snapshot(
                number=number,
                snapshot_id=item["snapshot-id"],
                parent_id=item.get("parent-snapshot-id"),
                timestamp_ms=item["timestamp-ms"],
                operation=(item.get("summary") or {}).get("operation", ""),
                schema_id=item.get("schema-id"),
                summary=item.get("summary") or {},
            )
            for number, item in enumerate(found, 1)
        )

    @property
    def current(self) -> Snapshot | None:
        """The snapshot readers see; None for a table nobody wrote to."""
        wanted = self.metadata.get("current-snapshot-id")
        return next((s for s in self.snapshots if s.snapshot_id == wanted), None)

    @property
    def rows(self) -> int | None:
        """Rows of the current snapshot by its summary (0 without one); None where it does not say, or for a view."""
        if self.kind == "view":
            return None
        return self.current.rows if self.current is not None else 0

    @property
    def bytes(self) -> int | None:
        """Bytes of the current snapshot's data files."""
        return (self.current.count("total-files-size") if self.current else 0) if self.kind == "table" else None

    @property
    def files(self) -> int | None:
        """Number of the current snapshot's data files."""
        return (self.current.count("total-data-files") if self.current else 0) if self.kind == "table" else None

    @property
    def updated_ms(self) -> int | None:
        """When the current snapshot was made (milliseconds since the epoch)."""
        return self.current.timestamp_ms if self.current else None

    def schema(self, schema_id: int | None = None) -> dict[str, Any]:
        """The schema of that id, else the current one, as the Iceberg specification writes it."""
        wanted = self.metadata.get("current-schema-id", 0) if schema_id is None else schema_id
        for schema in self.metadata.get("schemas") or ():
            if schema.get("schema-id") == wanted:
                return dict(schema)
        if self.kind == "view":
            version = next(
                v for v in self.metadata["versions"] if v["version-id"] == self.metadata["current-version-id"]
            )
            return self.schema(version["schema-id"]) if schema_id is None else {}
        return {}


class CatalogClient:
    """A reader of one Iceberg REST catalog with one principal's rights. Threads may share it."""

    def __init__(self, connection: CatalogConnection) -> None:
        """Nothing is asked yet; the token is fetched with the first request."""
        self._connection = connection
        self._base = urlsplit(connection.uri)
        self._local = threading.local()
        self._lock = threading.Lock()
        self._token: tuple[str, float] | None = None
        self._prefix: str | None = None
        self._open: list[http.client.HTTPConnection] = []

    def __enter__(self) -> Self:
        """For `with`: the connections are closed at its end."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close the connections of all threads."""
        self.close()

    def close(self) -> None:
        """Close the connections of all threads; a later request opens a new one."""
        with self._lock:
            opened, self._open = self._open, []
        for connection in opened:
            connection.close()

    def namespaces(self) -> list[Namespace]:
        """All namespaces, nested ones too, parents first."""
        found: list[Namespace] = []
        queue: list[Namespace] = [()]
        while queue:
            parent = queue.pop(0)
            query = {"parent": _SEPARATOR.join(parent)} if parent else {}
            for children in self._pages("namespaces", query, "namespaces"):
                below = sorted(tuple(child) for child in children)
                found.extend(below)
                queue.extend(below)
        return found

    def tables(self) -> list[TableInfo]:
        """Every table and view this principal may load, by name."""
        names: list[tuple[Namespace, str, str]] = []
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="floe-catalog") as pool:
            for listed in pool.map(self._names, self.namespaces()):
                names.extend(listed)
            loaded = pool.map(lambda item: self._load_listed(*item), names)
            return sorted((info for info in loaded if info is not None), key=lambda info: info.identifier)

    def table(self, identifier: str) -> TableInfo:
        """The table or view `namespace.name`; FLOE6002 with the nearest names if there is none."""
        *namespace, name = identifier.split(".")
        if namespace:
            for kind in ("table", "view"):
                try:
                    return self._load(tuple(namespace), name, kind)
                except NotFoundError:
                    continue
        import difflib

        known = [".".join((*space, table)) for space in self.namespaces() for space, table, _ in self._names(space)]
        near = [full for full in known if full.rsplit(".", 1)[-1] == name] or difflib.get_close_matches(
            identifier, known, 3
        )
        raise FloeError(
            Code.NO_SUCH_TABLE,
            f"there is no table {identifier!r}",
            why=f"nearest: {', '.join(near)}" if near else None,
            fix="floe tables",
        )

    def views(self) -> list[TableInfo]:
        """Every view this principal may load, by name."""
        names = []
        for namespace in self.namespaces():
            try:
                for page in self._pages(f"namespaces/{escape_namespace(namespace)}/views", {}, "identifiers"):
                    names += [(namespace, str(item["name"])) for item in page]
            except (NotFoundError, _UnsupportedError):
                continue
        loaded = [self._load_listed(namespace, name, "view") for namespace, name in names]
        return [info for info in loaded if info is not None]

    def names(self, namespace: Namespace, kind: str) -> list[str]:
        """Names of a namespace's tables or views (`kind`); none where the namespace does not exist."""
        return [name for _, name, found in self._names(namespace) if found == kind]

    def token(self) -> str:
        """An access token of this principal; raises FloeError 3001 or 3002."""
        return self._bearer()

    def has_namespace(self, namespace: Namespace) -> bool:
        """Whether it is there and this principal may see it."""
        try:
            self._get(f"namespaces/{escape_namespace(namespace)}", {})
        except NotFoundError:
            return False
        return True

    def make_namespace(self, namespace: Namespace) -> bool:
        """Create it, in a parent that exists; False where it was there already."""
        try:
            self.send("POST", "namespaces", {"namespace": list(namespace), "properties": {}})
        except _ConflictError:
            return False
        return True

    def roll_back(self, identifier: str, snapshot_id: int, current: int) -> None:
        """Make an older snapshot the current one; FLOE3002 where `current` is not any more, or is no such snapshot."""
        *namespace, name = identifier.split(".")
        update = {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": snapshot_id}
        self.send(
            "POST",
            f"namespaces/{escape_namespace(tuple(namespace))}/tables/{quote(name, safe='')}",
            {
                # Refused where somebody committed since the question was asked.
                "requirements": [{"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": current}],
                "updates": [update],
            },
        )

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Any other request below the catalog's prefix, such as `POST namespaces/silver/views`."""
        return self._request(method, f"v1/{self._path_prefix()}{path}", body)

    def _names(self, namespace: Namespace) -> list[tuple[Namespace, str, str]]:
        found = []
        for kind in ("table", "view"):
            path = f"namespaces/{escape_namespace(namespace)}/{kind}s"
            try:
                for page in self._pages(path, {}, "identifiers"):
                    found += [(namespace, str(item["name"]), kind) for item in page]
            except (NotFoundError, _UnsupportedError):
                # Dropped in between, or a catalog without views.
                continue
        return found

    def _load_listed(self, namespace: Namespace, name: str, kind: str) -> TableInfo | None:
        try:
            return self._load(namespace, name, kind)
        except NotFoundError:
            return None  # dropped between the listing and the load

    def _load(self, namespace: Namespace, name: str, kind: str) -> TableInfo:
        answer = self._get(f"namespaces/{escape_namespace(namespace)}/{kind}s/{quote(name, safe='')}", {})
        metadata = answer["metadata"]
        return TableInfo(
            namespace=namespace,
            name=name,
            kind=kind,
            uuid=metadata.get("table-uuid") or metadata.get("view-uuid") or "",
            location=metadata.get("location", ""),
            format_version=metadata.get("format-version", 1),
            metadata=metadata,
            metadata_location=answer.get("metadata-location"),
        )

    def _pages(self, path: str, query: dict[str, str], key: str) -> Iterator[list[Any]]:
        token: str | None = ""
        while token is not None:
            answer = self._get(path, {**query, **({"pageToken": token} if token else {})})
            yield answer.get(key) or []
            token = answer.get("next-page-token") or None

    def _get(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        return self._request("GET", f"v1/{self._path_prefix()}{path}" + (f"?{urlencode(query)}" if query else ""))

    def _path_prefix(self) -> str:
        if self._prefix is None:
            config = self._request("GET", f"v1/config?{urlencode({'warehouse': self._connection.warehouse})}")
            prefix = {**(config.get("defaults") or {}), **(config.get("overrides") or {})}.get("prefix", "")
            self._prefix = f"{quote(prefix, safe='')}/" if prefix else ""
        return self._prefix

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Accept": "application/json", "Authorization": f"Bearer {self._bearer()}"}
        context = current()
        if context is not None:
            headers["traceparent"] = context.traceparent()
        sent = None
        if body is not None:
            sent = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        status, answer = self._exchange(method, path, sent, headers)
        if status == 401:
            # The token ran out or the catalog was restarted with another signing key: one fresh token, one more try.
            with self._lock:
                self._token = None
            headers["Authorization"] = f"Bearer {self._bearer()}"
            status, answer = self._exchange(method, path, sent, headers)
        return self._checked(status, answer, path)

    def _bearer(self) -> str:
        with self._lock:
            if self._token is None or self._token[1] < time.monotonic():
                form = {
                    "grant_type": "client_credentials",
                    "client_id": self._connection.credential.client_id,
                    "client_secret": self._connection.credential.client_secret.get_secret_value(),
                    "scope": self._connection.scope,
                }
                headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
                status, body = self._exchange("POST", "v1/oauth/tokens", urlencode(form).encode(), headers)
                answer = self._checked(status, body, "v1/oauth/tokens")
                # Half the life: the answer's clock is not ours, and a refresh costs a few milliseconds.
                self._token = (answer["access_token"], time.monotonic() + float(answer.get("expires_in", 3600)) / 2)
            return self._token[0]

    def _exchange(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        target = f"{self._base.path}/{path}"
        for attempt in (1, 2):
            fresh = getattr(self._local, "http", None) is None
            try:
                http_connection = self._http()
                http_connection.request(method, target, body, headers)
                answer = http_connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException) as error:
                self._local.http = None
                # A kept-alive connection that the server closed meanwhile fails once; a fresh one is telling the truth.
                if fresh or attempt == 2:
                    raise FloeError(
                        Code.CATALOG_UNREACHABLE,
                        f"the catalog at {self._connection.uri} does not answer",
                        why=f"{type(error).__name__}: {error}",
                        fix="floe status",
                    ) from error
        raise AssertionError  # both attempts return or raise

    def _http(self) -> http.client.HTTPConnection:
        existing: http.client.HTTPConnection | None = getattr(self._local, "http", None)
        if existing is None:
            kind = http.client.HTTPSConnection if self._base.scheme == "https" else http.client.HTTPConnection
            existing = kind(self._base.hostname or "", self._base.port, timeout=_TIMEOUT_SECONDS)
            self._local.http = existing
            self._open.append(existing)
        return existing

    def _checked(self, status: int, body: bytes, path: str) -> dict[str, Any]:
        try:
            answer = json.loads(body) if body else {}
        except ValueError:
            answer = {}
        if status in (200, 201, 204) and isinstance(answer, dict):
            return answer
        kind = _KINDS.get(status, FloeError)
        error = answer.get("error") if isinstance(answer, dict) else None
        told = error.get("message") if isinstance(error, dict) else None
        told = told or (answer.get("error_description") if isinstance(answer, dict) else None)
        raise kind(
            Code.CATALOG_REFUSED,
            f"the catalog answered {status} to {path.split('?')[0]}",
            why=str(told) if told else None,
            fix="floe doctor",
        )


class NotFoundError(FloeError):
    """404: it is not there, or this principal may not see it."""


class _UnsupportedError(FloeError):
    """The catalog does not have this endpoint."""


class _ConflictError(FloeError):
    """409: it is there already."""


_KINDS: dict[int, type[FloeError]] = {
    404: NotFoundError,
    **dict.fromkeys((405, 406, 501), _UnsupportedError),
    409: _ConflictError,
}


def escape_namespace(namespace: Namespace) -> str:
    """A namespace as one part of a URL (Iceberg REST specification: joined by the unit separator)."""
    return quote(_SEPARATOR.join(namespace), safe="")
