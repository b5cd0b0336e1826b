"""A server that answers what a real Polaris 1.7.0 was recorded to answer, and nothing that was not recorded.

A request is one of the recorded ones if method and path are (ours names in place of the recording's), every key of its
body was in a body that Polaris took there, and each value is of the same kind. The second time the same thing is made
it answers the recorded conflict.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote

from tests.catalog.recording import Exchange, load

#: Our names, and the ones that the recording has in their place.
NAMES = {
    "demo_catalog": "demo",
    "floe_engineer": "engineer",
    "floe_reader": "readers",
    "floe_content": "content",
    "floe_read": "read",
}
_MANAGEMENT, _CATALOG = "/api/management/v1", "/api/catalog/v1"


@dataclass
class RecordedPolaris:
    """What was asked so far, and what of it Polaris was never seen to take."""

    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    _made: set[str] = field(default_factory=set)
    _catalog: dict[str, Any] = field(default_factory=dict)
    _exchanges: list[Exchange] = field(default_factory=load)

    @cached_property
    def _shown_of(self) -> dict[str, dict[str, Any]]:
        """The fields of an entity as Polaris answered them, by the key that wraps it in requests."""
        shown: dict[str, dict[str, Any]] = {}
        for each in self._exchanges:
            body = each.request.get("body")
            if each.status == 201 and isinstance(body, dict) and isinstance(each.body, dict):
                (wrapper, *_) = body
                shown.setdefault(wrapper, {}).update(each.body.get(wrapper, each.body))
        return shown

    def answer(self, method: str, path: str, body: Any, form: bool) -> tuple[int, Any]:
        """Status and body for one request."""
        self.asked.append((method, path))
        # A name stands between slashes, or is the value of a parameter.
        parts = re.split(r"([/?=&])", path)
        recorded_path = "".join(NAMES.get(unquote(part), unquote(part)) for part in parts)
        found = [each for each in self._exchanges if self._fits(each, method, recorded_path, body, form)]
        taken = [each for each in found if each.status < 300]
        if not taken:
            self.unknown.append(f"{method} {path} {json.dumps(body)}")
            return 501, {"error": {"message": "not recorded", "type": "Unrecorded", "code": 501}}
        identity = f"{method} {path} {_name_in(body)}"
        if method == "POST" and not form and identity in self._made:
            conflict = next(each for each in found if each.status == 409)
            return 409, conflict.body
        self._made.add(identity)
        return taken[0].status, self._shown(method, path, body, taken[0].body)

    def _fits(self, each: Exchange, method: str, path: str, body: Any, form: bool) -> bool:
        if each.request["method"] != method:
            return False
        theirs = each.request.get("form" if form else "body")
        if isinstance(theirs, dict):
            # What Polaris shows of an entity are that entity's fields too (`federated` of a principal role).
            theirs = {k: {**self._shown_of.get(k, {}), **v} if isinstance(v, dict) else v for k, v in theirs.items()}
        same = each.request["path"] == path or (
            # The recording's namespaces have other names.
            method == "POST" and path.endswith("/namespaces") and each.request["path"].endswith("/namespaces")
        )
        return same and (body is None or _of_the_same_kind(body, theirs))

    def _shown(self, method: str, path: str, body: Any, recorded: Any) -> Any:
        """The recorded answer with the request's own values, as Polaris echoes them."""
        if path == f"{_MANAGEMENT}/catalogs" and method == "POST":
            self._catalog = {**recorded, **body["catalog"]}
            return self._catalog
        if path == f"{_MANAGEMENT}/catalogs/demo_catalog" and method == "GET":
            own = self._catalog
            storage = {**recorded["storageConfigInfo"], **own["storageConfigInfo"]}
            return {**recorded, "name": own["name"], "properties": own["properties"], "storageConfigInfo": storage}
        text = json.dumps(recorded)
        for mask in ("<clientId>", "<clientSecret>", "<access_token>"):
            text = text.replace(mask, f"{mask[1:-1]}-1")
        return json.loads(text)


def _name_in(body: Any) -> str:
    """What the request makes, whatever it is called there."""
    if isinstance(body, dict):
        inner = next((value for value in body.values() if isinstance(value, dict)), body)
        return str(inner.get("name") or inner.get("namespace") or inner)
    return ""


def _of_the_same_kind(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, dict):
        # Properties are free: their keys are the caller's.
        return isinstance(theirs, dict) and all(
            key == "properties" or (key in theirs and _of_the_same_kind(value, theirs[key]))
            for key, value in ours.items()
        )
    if isinstance(ours, list):
        return isinstance(theirs, list) and bool(theirs) and all(_of_the_same_kind(o, theirs[0]) for o in ours)
    return type(ours) is type(theirs)


@contextmanager
def recorded_polaris() -> Iterator[RecordedPolaris]:
    """A server on a free port for the length of a block."""
    polaris = RecordedPolaris()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            form = "urlencoded" in self.headers.get("Content-Type", "") and bool(content)
            body = json.loads(content) if content and not form else None
            if form:
                body = {key: value[0] for key, value in parse_qs(content.decode()).items()}
            status, answer = polaris.answer(self.command, self.path, body, form)
            text = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def do_PUT(self) -> None:
            self._serve()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    polaris.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield polaris
    finally:
        server.shutdown()
        server.server_close()
