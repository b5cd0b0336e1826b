"""Several requests as one, in one transaction: all of them happen, or none. Floe's own; Polaris has no such path.

A test's lakehouse is a catalog, a namespace and a principal with its roles and grants. As single requests that is
fifteen round trips a test, and eight test processes at once wait for each other at each of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from floe_dev.catalogs.rest.errors import ApiError, bad_request
from floe_dev.catalogs.rest.http import Call, Reply
from floe_dev.catalogs.rest.server import Server

Handler = Callable[[Server, Call], Reply]

#: Requests of one batch at most: writers wait for each other, so one of them must not take long.
MOST = 1000
_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Path:
    """The pattern of a path, and the handler behind it."""

    pattern: re.Pattern[str]
    handler: Handler


def answering(known: Iterable[tuple[str, str, Handler]]) -> Handler:
    """The handler of POST /batch over (method, path template, handler) each.

    Its body is `{"requests": [{"method", "path", "body", "accept"}, …]}`. A status that is neither 2xx nor in `accept`
    ends the batch with that answer, and nothing of it has happened. Rights are those each request asks for by itself.
    """
    # By method and length, so that each part is held against a few patterns and not against all.
    paths: dict[tuple[str, int], list[Path]] = {}
    for method, template, handler in known:
        pattern = re.compile(_PARAMETER.sub(r"(?P<\1>[^/]+)", template))
        paths.setdefault((method, template.count("/")), []).append(Path(pattern, handler))

    def batch(server: Server, call: Call) -> Reply:
        requests = call.json().get("requests")
        if not isinstance(requests, list) or not 0 < len(requests) <= MOST:
            raise bad_request(f"requests must be a list of 1 to {MOST} requests")
        answers = []
        with server.database.write() as tx:
            server.principal(tx, call)
            for number, request in enumerate(requests):
                handler, inner, accepted = _part(paths, call, request, number)
                answers.append(_answer(server, handler, inner, accepted))
        return Reply.json({"responses": answers})

    return batch


def _part(
    paths: dict[tuple[str, int], list[Path]], outer: Call, request: Any, number: int
) -> tuple[Handler, Call, tuple[Any, ...]]:
    where = f"requests[{number}]"
    if not isinstance(request, dict) or not isinstance(request.get("path"), str):
        raise bad_request(f"{where} must be an object with method and path")
    body, accepted = request.get("body"), request.get("accept") or ()
    if not isinstance(accepted, (list, tuple)):
        raise bad_request(f"{where}.accept must be a list of statuses")
    path, _, query = request["path"].partition("?")
    method = str(request.get("method"))
    for each in paths.get((method, path.count("/")), ()):
        found = each.pattern.fullmatch(path)
        if found:
            inner = Call(
                method,
                path,
                {name: unquote(text) for name, text in found.groupdict().items()},
                dict(parse_qsl(query, keep_blank_values=True)),
                outer.headers,
                b"" if body is None else json.dumps(body).encode(),
            )
            return each.handler, inner, tuple(accepted)
    raise bad_request(f"{where}: this server does not answer {method} {path} in a batch")


def _answer(server: Server, handler: Handler, inner: Call, accepted: tuple[Any, ...]) -> dict[str, Any]:
    try:
        # Its own transaction is one within the batch's: a request that is refused leaves nothing of itself.
        reply = handler(server, inner)
    except ApiError as error:
        if error.status not in accepted:
            raise
        return {"status": error.status, "body": json.loads(error.body())}
    return {"status": reply.status, "body": json.loads(reply.body) if reply.body else None}
