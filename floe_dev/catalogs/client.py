"""Listing and loading tables over the Iceberg REST API.

What a list of tables needs (rows, sizes, snapshots) stands in table metadata, which every load answers as JSON; what
needs manifests (files, partitions, differences) is in `inspect`, on PyIceberg. `floe tables` and the dashboard ask
often and want it at once, so nothing heavy is imported here.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self
from urllib.parse import quote, urlencode

from floe_dev.catalogs.transport import ConflictError, NotFoundError, Transport, UnsupportedError
from floe_dev.errors import Code, FloeError
from floe_dev.model.connection import CatalogConnection
from floe_dev.model.tables import Namespace, TableInfo

#: Joins the parts of a nested namespace in a URL (Iceberg REST specification).
_SEPARATOR = "\x1f"
_WORKERS = 4


class CatalogClient:
    """A reader of one Iceberg REST catalog with one principal's rights. Threads may share it."""

    def __init__(self, connection: CatalogConnection) -> None:
        """Nothing is asked yet; the token is fetched with the first request."""
        self._transport = Transport(connection)

    def __enter__(self) -> Self:
        """For `with`: the connections are closed at its end."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections that nobody uses; a later request opens a new one."""
        self._transport.close()

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
            except (NotFoundError, UnsupportedError):
                continue
        loaded = [self._load_listed(namespace, name, "view") for namespace, name in names]
        return [info for info in loaded if info is not None]

    def names(self, namespace: Namespace, kind: str) -> list[str]:
        """Names of a namespace's tables or views (`kind`); none where the namespace does not exist."""
        return [name for _, name, found in self._names(namespace) if found == kind]

    def token(self) -> str:
        """An access token of this principal; raises FloeError 3001 or 3002."""
        return self._transport.token()

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
        except ConflictError:
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
        return self._transport.send(method, path, body)

    def _names(self, namespace: Namespace) -> list[tuple[Namespace, str, str]]:
        found = []
        for kind in ("table", "view"):
            path = f"namespaces/{escape_namespace(namespace)}/{kind}s"
            try:
                for page in self._pages(path, {}, "identifiers"):
                    found += [(namespace, str(item["name"]), kind) for item in page]
            except (NotFoundError, UnsupportedError):
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
        return self._transport.send("GET", path + (f"?{urlencode(query)}" if query else ""))


def escape_namespace(namespace: Namespace) -> str:
    """A namespace as one part of a URL (Iceberg REST specification: joined by the unit separator)."""
    return quote(_SEPARATOR.join(namespace), safe="")
