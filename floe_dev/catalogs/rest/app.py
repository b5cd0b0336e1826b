"""The ASGI application: routing, errors, threads and the header that says whose server this is."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from floe_dev.catalogs.rest.bootstrap import bootstrap
from floe_dev.catalogs.rest.database import DatabaseError, OutcomeUnknownError, RefusedValue
from floe_dev.catalogs.rest.errors import ApiError, bad_request, unauthorized
from floe_dev.catalogs.rest.http import Call, Reply, endpoint, respond
from floe_dev.catalogs.rest.idempotency import once
from floe_dev.catalogs.rest.routes import Endpoint, endpoints
from floe_dev.catalogs.rest.server import Server
from floe_dev.catalogs.rest.settings import Settings
from floe_dev.catalogs.rest.spans import traced

log = logging.getLogger("floe.catalog")

#: After 413 the rest of the body is on its way; only a closed connection stops it.
_HEADERS = {401: {"www-authenticate": "Bearer"}, 413: {"connection": "close"}}

INSTANCE_HEADER = b"x-floe-instance"


def create_app(settings: Settings) -> ASGIApp:
    """An ASGI app over one database; opens it, and creates what is missing."""
    server = Server(settings)
    bootstrap(server)
    reader = ThreadPoolExecutor(settings.limits.reader_threads, thread_name_prefix="reader")
    # Writers wait for each other anyway; in threads of their own they never hold up a reader.
    writer = ThreadPoolExecutor(server.database.writer_threads, thread_name_prefix="writer")

    def runner(pool: ThreadPoolExecutor) -> Callable[[Callable[[], Reply]], Awaitable[Reply]]:
        return lambda work: asyncio.get_running_loop().run_in_executor(pool, work)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        warming = asyncio.get_running_loop().run_in_executor(writer, warm_up)
        yield
        warming.cancel()
        for pool in (reader, writer):
            pool.shutdown(wait=True, cancel_futures=True)

    routes = []
    for each in endpoints():
        pool = writer if each.writes else reader
        serve = endpoint(
            _handler(server, each), runner(pool), settings.limits.body_bytes, settings.limits.request_seconds
        )
        route = Route(each.path, serve if each.public else _authenticated(server, serve), methods=[each.method])
        # Starlette adds HEAD to every GET; the specification has it for some paths only, with a meaning of its own.
        route.methods = {each.method}
        routes.append(route)
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={ApiError: _api_error, HTTPException: _http_error, Exception: _defect},
    )
    app.router.redirect_slashes = False
    return _Outermost(app, settings.instance, settings.management_port)


def _handler(server: Server, each: Endpoint) -> Callable[[Call], Reply]:
    def work(call: Call) -> Reply:
        return once(server, call, each.handler) if each.repeatable else each.handler(server, call)

    def principal_of(token: str) -> str | None:
        claims = server.signer.check(token)
        return claims.principal if claims is not None else None

    answer = traced(work, each.path, principal_of)

    def handle(call: Call) -> Reply:
        begun = time.perf_counter()
        reply = handled(call)
        server.counters.add(call.method, reply.status, time.perf_counter() - begun)
        return reply

    def handled(call: Call) -> Reply:
        try:
            return answer(call)
        except ApiError as error:
            return _refusal(error)
        except RefusedValue as error:
            return _refusal(bad_request(f"The database cannot hold a value of the request: {error}"))
        except OutcomeUnknownError as error:
            log.error("database: %s", error)
            return _refusal(ApiError(500, "CommitStateUnknownException", f"The catalog's database: {error}"))
        except DatabaseError as error:
            log.error("database: %s", error)
            return _refusal(ApiError(503, "ServiceUnavailableException", f"The catalog's database: {error}"))
        except OSError as error:
            log.exception("files")
            return _refusal(ApiError(503, "ServiceUnavailableException", f"The catalog's files: {error.strerror}"))
        except Exception as error:  # noqa: BLE001 - reported here, since a StopIteration could not cross into the loop
            return _defect_reply(call.method, call.url, error)

    return handle


def _authenticated(
    server: Server, serve: Callable[[Request], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    """Turn strangers away before their body is read; the principal itself is looked up with the request."""

    async def check(request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or server.signer.check(token.strip()) is None:
            raise unauthorized("A valid bearer token is required")
        return await serve(request)

    return check


def _refusal(error: ApiError) -> Reply:
    headers = _HEADERS.get(error.status, {})
    return Reply(error.status, error.body(), headers)


async def _api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return respond(_refusal(error))


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = {404: "NotFoundException", 405: "NotAllowedException"}.get(error.status_code, "BadRequestException")
    message = "Unable to find matching target resource method" if error.status_code == 404 else error.detail
    reply = _refusal(ApiError(error.status_code, kind, message))
    return respond(replace(reply, headers={**reply.headers, **(error.headers or {})}))


async def _defect(request: Request, error: Exception) -> Response:
    return respond(_defect_reply(request.method, request.url.path, error))


def _defect_reply(method: str, path: str, error: Exception) -> Reply:
    log.error("defect in %s %s", method, path, exc_info=error)
    return _refusal(ApiError(500, "InternalServerError", "A defect in the catalog server; see its log"))


def warm_up() -> None:
    """Import what the first commit needs: once a single server listens, or before workers are forked."""
    import gc

    import pyiceberg.table.update  # noqa: F401

    gc.collect()
    # Imported objects never die; unfrozen, a full collection under load made a commit take 90 ms (30 without).
    gc.freeze()


class _Outermost:
    """Routes on the path as it was sent, so that an escaped slash stays inside a name, and signs every answer."""

    def __init__(self, app: ASGIApp, instance: str, management_port: int | None) -> None:
        self._app = app
        self._management_port = management_port
        self._header = (INSTANCE_HEADER, instance.encode("latin-1"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def signed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), self._header]
            await send(message)

        if self._management_port is not None and scope.get("server") is not None:
            managing = scope["server"][1] == self._management_port
            if managing != scope["path"].startswith("/q/"):
                error = ApiError(404, "NotFoundException", "Unable to find matching target resource method")
                await respond(_refusal(error))(scope, receive, signed)
                return
        raw = scope.get("raw_path") or scope["path"].encode()
        await self._app({**scope, "path": raw.partition(b"?")[0].decode("latin-1")}, receive, signed)
