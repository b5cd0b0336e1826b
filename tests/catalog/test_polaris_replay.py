"""The recorded Polaris requests, sent in order to the real server: same status, same error type, same meaning.

Where we differ on purpose, DIFFERENCES says how and why; the Iceberg REST specification wins over both.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.catalog.recording import RECORDED_WAREHOUSE, Exchange, comparable, load, resolve
from tests.catalog.server import SCOPE, Principal, Reply, RunningCatalog, catalog_server
from tests.postgresql import PostgresqlServer


@dataclass(frozen=True)
class Difference:
    """What we answer instead, and why. Parts left out are as recorded."""

    reason: str
    status: int | None = None
    error: str | None = None
    #: Keys of the body (at the top or in `metadata`) that are not compared.
    apart_from: tuple[str, ...] = ()


_FRAMEWORK = "Polaris lets its web framework's own exception through; the specification's name is BadRequestException"
DIFFERENCES = {
    "token, empty form": Difference(
        "a missing grant_type is the client's fault (RFC 6749, 5.2)", 400, "invalid_request"
    ),
    "malformed JSON": Difference(_FRAMEWORK, error="BadRequestException"),
    "create catalog, malformed JSON": Difference(_FRAMEWORK, error="BadRequestException"),
    "namespace of the wrong type": Difference(_FRAMEWORK, error="BadRequestException"),
    "commit: unknown action": Difference(_FRAMEWORK, error="BadRequestException"),
    "empty namespace": Difference(
        "a namespace has at least one level (specification: createNamespace, 400)", 400, "BadRequestException"
    ),
    "update properties": Difference(
        "nothing changed the namespace in between: Polaris reports a conflict with itself", 200, ""
    ),
    "register, missing file": Difference(
        "the location is allowed, only nothing is there; a 404 would say that the namespace is missing",
        400,
        "BadRequestException",
    ),
    "config": Difference(
        "the endpoints each server has: ours has table credentials, Polaris generic tables and policies; "
        "ours tells the lifetime of idempotency keys",
        apart_from=("endpoints", "idempotency-key-lifetime"),
    ),
    "create view": Difference("Java replaces the summary with its own version", apart_from=("summary",)),
    "load view": Difference("Java replaces the summary with its own version", apart_from=("summary",)),
}

EXCHANGES = load()


class Replay:
    """Sends the requests in order, keeping what later ones refer to."""

    def __init__(self, server: RunningCatalog) -> None:
        self._server = server
        self._principals: dict[str, Principal] = {}
        self._table_uuid = ""

    def send(self, exchange: Exchange) -> Reply:
        request = resolve(dict(exchange.request), self.texts)
        raw = request.get("raw")
        reply = self._server.send(
            request["method"],
            request["path"],
            request.get("body"),
            token=self._token(exchange.who),
            headers=request.get("headers"),
            raw=None if raw is None else raw.encode(),
            form=self._form(exchange),
        )
        self._remember(exchange, reply)
        return reply

    @property
    def texts(self) -> dict[str, str]:
        return {
            RECORDED_WAREHOUSE: self._server.location("demo"),
            "s3://": "file:///",
            "<table-uuid>": self._table_uuid,
            "<uuid>": str(uuid.uuid5(uuid.NAMESPACE_URL, "nobody's table")),
        }

    def _form(self, exchange: Exchange) -> dict[str, str] | None:
        form = exchange.request.get("form")
        if form is None:
            return None
        wrong = exchange.note in ("token, wrong secret", "token, unknown client")
        secret = self._server.root.client_secret.get_secret_value()
        values = {"<root>": "root", "<secret>": secret, "<client_secret>": "wrong" if wrong else secret}
        return {key: values.get(value, value) for key, value in form.items()}

    def _token(self, who: str) -> str | None:
        if who == "nobody":
            return None
        if who == "bad token":
            return "bad token"
        if who == "root":
            return self._server.root_token
        principal = self._principals[who]
        # Asked for anew each time: a rotation ends the tokens made before it.
        return self._server.token(principal.client_id, principal.client_secret, SCOPE)

    def _remember(self, exchange: Exchange, reply: Reply) -> None:
        if isinstance(reply.body, dict) and "credentials" in reply.body:
            made = reply.body["credentials"]
            name = reply.body["principal"]["name"]
            self._principals[name] = Principal(name, made["clientId"], made["clientSecret"])
        if exchange.note == "create table":
            self._table_uuid = reply.body["metadata"]["table-uuid"]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def replayed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Replay, list[Reply]]]:
    given: dict[str, Any] = {}
    if request.param == "postgresql":
        database: PostgresqlServer = request.getfixturevalue("postgresql")
        password = {"PGPASSWORD": database.password}
        given = {"database": database.make_database(), "workers": 2, "environment": password}
    with catalog_server(tmp_path_factory.mktemp("replay"), **given) as server:
        replay = Replay(server)
        yield replay, [replay.send(exchange) for exchange in EXCHANGES]


def _without(value: Any, keys: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return {key: _without(item, keys) for key, item in value.items() if key not in keys}
    return [_without(item, keys) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.id)
def test_answers_as_polaris_does(replayed: tuple[Replay, list[Reply]], exchange: Exchange) -> None:
    replay, replies = replayed
    reply = replies[exchange.index - 1]
    difference = DIFFERENCES.get(exchange.note, Difference(""))
    status = exchange.status if difference.status is None else difference.status
    assert reply.status == status, reply
    if status >= 400:
        if exchange.request["method"] == "HEAD":
            assert reply.body is None
            return
        expected = exchange.error if difference.error is None else difference.error
        # Polaris sends no body with some errors (401 among them); the specification has one with each.
        assert reply.error, reply
        assert reply.error == expected or not expected
    elif difference.status is None:
        recorded = resolve(exchange.body, replay.texts) if exchange.body is not None else None
        apart = difference.apart_from
        assert _without(comparable(reply.body), apart) == _without(comparable(recorded), apart)


def test_every_difference_is_one() -> None:
    notes = {exchange.note for exchange in EXCHANGES}
    assert set(DIFFERENCES) <= notes
    assert len(EXCHANGES) == 129
    assert all(difference.reason for difference in DIFFERENCES.values())


def test_config_names_every_iceberg_endpoint_of_polaris(replayed: tuple[Replay, list[Reply]]) -> None:
    _, replies = replayed
    recorded, ours = next(
        (exchange.body, reply.body)
        for exchange, reply in zip(EXCHANGES, replies, strict=True)
        if exchange.note == "config"
    )
    iceberg = {endpoint for endpoint in recorded["endpoints"] if "polaris/" not in endpoint}
    assert iceberg <= set(ours["endpoints"])
