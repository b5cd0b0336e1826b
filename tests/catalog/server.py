"""A real catalog server process for tests, on a free port, ended with the test."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from floe_dev.model.connection import CatalogConnection, Credential

START_SECONDS = 30.0
SCOPE = "PRINCIPAL_ROLE:ALL"


@dataclass(frozen=True)
class Reply:
    """What came back: `body` is the parsed JSON, None if there was none; header names are in lower case."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def error(self) -> str:
        """The error's type, empty if the body is no error."""
        error = self.body.get("error", {}) if isinstance(self.body, dict) else {}
        return str(error.get("type", "")) if isinstance(error, dict) else str(error)


@dataclass(frozen=True)
class Principal:
    """Credentials that a test asked the management API for."""

    name: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass
class RunningCatalog:
    """One server process; `url` is `http://127.0.0.1:<port>`."""

    url: str
    root: Credential
    instance: str
    #: A SQLite file, or `postgresql://…` where the password is in `environment`.
    where: str
    warehouse: Path
    signing_key: str = field(repr=False)
    process: subprocess.Popen[bytes] = field(repr=False)
    log: Path = field(repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    _tokens: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def database(self) -> Path:
        """The file of a server with SQLite."""
        return Path(self.where)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """What the database itself says; `?` stands for a value."""
        if self.where.startswith("postgresql://"):
            import psycopg

            with psycopg.connect(self.where, password=self.environment["PGPASSWORD"]) as connection:
                return connection.execute(sql.replace("?", "%s").encode(), values).fetchall()
        with contextlib.closing(sqlite3.connect(self.where)) as connection:
            return connection.execute(sql, values).fetchall()

    def sqlalchemy_url(self) -> str:
        """The database for PyIceberg's own SqlCatalog."""
        if not self.where.startswith("postgresql://"):
            return f"sqlite:///{self.where}"
        user, _, place = self.where.removeprefix("postgresql://").partition("@")
        return f"postgresql+psycopg://{user}:{self.environment['PGPASSWORD']}@{place}"

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.url.rpartition(":")[2])

    def location(self, catalog: str) -> str:
        """Where `add_catalog` puts a catalog's files."""
        return f"file://{self.warehouse}/{catalog}"

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
        form: Mapping[str, str] | None = None,
        timeout: float = 60.0,
    ) -> Reply:
        """One request over a connection of its own; `path` goes out as it is."""
        sent = dict(headers or {})
        data = raw
        if form is not None:
            data = urlencode(form).encode()
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        elif data is None and body is not None:
            data = json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        connection = HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            text = response.read()
            return Reply(
                response.status,
                json.loads(text) if text else None,
                {key.lower(): value for key, value in response.getheaders()},
            )

    def token(self, client_id: str, client_secret: str, scope: str = SCOPE) -> str:
        """A fresh access token."""
        form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
            "scope": scope,
        }
        reply = self.send("POST", "/api/catalog/v1/oauth/tokens", form=form)
        assert reply.status == 200, reply
        return str(reply.body["access_token"])

    def token_of(self, principal: Principal) -> str:
        """A token of a principal, asked for once."""
        if principal.client_id not in self._tokens:
            self._tokens[principal.client_id] = self.token(principal.client_id, principal.client_secret)
        return self._tokens[principal.client_id]

    @property
    def root_token(self) -> str:
        """A token of the root principal, asked for once."""
        root = self.root
        return self.token_of(Principal("root", root.client_id, root.client_secret.get_secret_value()))

    def manage(self, method: str, path: str, body: Any = None) -> Reply:
        """A request to the management API as root, which has to succeed."""
        reply = self.send(method, f"/api/management/v1{path}", body, token=self.root_token)
        assert reply.status < 300, reply
        return reply

    def add_catalog(self, name: str, **properties: str) -> None:
        """A file catalog in a folder of its own."""
        location = self.location(name)
        catalog = {
            "type": "INTERNAL",
            "name": name,
            "properties": {"default-base-location": location, **properties},
            "storageConfigInfo": {"storageType": "FILE", "allowedLocations": [location]},
        }
        self.manage("POST", "/catalogs", {"catalog": catalog})

    def add_principal(self, name: str, catalog: str, *privileges: str) -> Principal:
        """A principal that holds the privileges on a catalog, through a principal role and a catalog role."""
        created = self.manage("POST", "/principals", {"principal": {"name": name}}).body["credentials"]
        self.manage("POST", "/principal-roles", {"principalRole": {"name": f"{name}_role"}})
        roles = f"/catalogs/{catalog}/catalog-roles"
        self.manage("POST", roles, {"catalogRole": {"name": f"{name}_access"}})
        for privilege in privileges:
            grant = {"type": "catalog", "privilege": privilege}
            self.manage("PUT", f"{roles}/{name}_access/grants", {"grant": grant})
        self.manage("PUT", f"/principals/{name}/principal-roles", {"principalRole": {"name": f"{name}_role"}})
        access = {"catalogRole": {"name": f"{name}_access"}}
        self.manage("PUT", f"/principal-roles/{name}_role/catalog-roles/{catalog}", access)
        return Principal(name, created["clientId"], created["clientSecret"])

    def connection(self, catalog: str, principal: Principal) -> CatalogConnection:
        """How a client reaches a catalog as a principal."""
        return CatalogConnection(
            uri=f"{self.url}/api/catalog",
            warehouse=catalog,
            credential=Credential.model_validate(
                {"client_id": principal.client_id, "client_secret": principal.client_secret}
            ),
        )

    def stop(self) -> int:
        """End the server and wait; its exit status."""
        self.process.terminate()
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(10)

    def kill(self) -> None:
        """End the server as a crash would."""
        self.process.kill()
        self.process.wait(10)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start_catalog(
    path: Path,
    *,
    root: Credential | None = None,
    signing_key: str | None = None,
    environment: Mapping[str, str] | None = None,
    database: str | None = None,
    workers: int = 1,
    arguments: Sequence[str] = (),
) -> RunningCatalog:
    """Start a server whose state is below `path`; started there before, it goes on with that state."""
    root = root or Credential.model_validate({"client_id": "root", "client_secret": secrets.token_hex(16)})
    signing_key = signing_key or secrets.token_hex(32)
    port, instance = free_port(), secrets.token_hex(4)
    path.mkdir(parents=True, exist_ok=True)
    warehouse, log = (path / "warehouse").resolve(), path / "catalog.log"
    where = database or str(path / "catalog.db")
    command = [sys.executable, "-m", "floe_dev.catalogs.rest", "--port", str(port)]
    command += [
        "--database",
        where,
        "--workers",
        str(workers),
        "--warehouse",
        str(warehouse),
        "--instance",
        instance,
        *arguments,
    ]
    credential = f"POLARIS,{root.client_id},{root.client_secret.get_secret_value()}"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={
                **os.environ,
                "POLARIS_BOOTSTRAP_CREDENTIALS": credential,
                "FLOE_CATALOG_SIGNING_KEY": signing_key,
                **(environment or {}),
            },
        )
    running = RunningCatalog(
        f"http://127.0.0.1:{port}", root, instance, where, warehouse, signing_key, process, log, environment or {}
    )
    _wait_ready(running)
    return running


def _wait_ready(running: RunningCatalog) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if running.process.poll() is not None:
            raise AssertionError(f"the catalog ended: {running.log.read_text()}")
        with contextlib.suppress(OSError):
            reply = running.send("GET", "/q/health/ready", timeout=5.0)
            if reply.status == 200 and reply.headers.get("x-floe-instance") == running.instance:
                return
        time.sleep(0.02)
    running.kill()
    raise AssertionError(f"the catalog was not ready in {START_SECONDS:g} s: {running.log.read_text()}")


@contextlib.contextmanager
def catalog_server(
    path: Path, *, environment: Mapping[str, str] | None = None, database: str | None = None, workers: int = 1
) -> Iterator[RunningCatalog]:
    """A server for the length of a block; no traceback may be in its log at the end."""
    running = start_catalog(path, environment=environment, database=database, workers=workers)
    try:
        yield running
    finally:
        running.stop()
    assert "Traceback" not in running.log.read_text(), running.log.read_text()
