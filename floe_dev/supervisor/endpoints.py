"""Fill the endpoint truth table: the same signed requests from this machine and from inside the containers' network.

Everything is asked as a scoped principal, with the keys that the catalog vends it for a table of its own, since that is
what clients have. The table is made for this and dropped again.
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from floe_dev.config.connection import connection_from_platform
from floe_dev.config.credentials import SERVICE_PRINCIPAL, load_secrets
from floe_dev.config.project import load_project
from floe_dev.config.stacks import load_stack
from floe_dev.drivers.wire import Answer, Asker, FromHere, Request
from floe_dev.errors import Code, FloeError
from floe_dev.model.connection import CatalogConnection
from floe_dev.model.endpoints import Cell, EndpointTable, Vantage
from floe_dev.model.stack import DriverKind, Stack
from floe_dev.storage.base import StoreCredential
from floe_dev.storage.policy import split
from floe_dev.supervisor.paths import project_key
from floe_dev.supervisor.settings_to_change import setting
from floe_dev.supervisor.state import load_state

CATALOG, STS, LIST, PUT, MULTIPART, DELETE = "catalog", "STS", "S3 list", "S3 put", "S3 multipart", "S3 delete"
#: What `up` asks before the stack is ready; the whole table is for `floe doctor --network`.
SHORT = (CATALOG, STS, LIST, PUT, DELETE)
FULL = (CATALOG, STS, LIST, PUT, MULTIPART, DELETE)
#: Seconds that clocks may differ; S3 refuses at 900, tokens with short lives fail long before.
SKEW_SECONDS = 60.0
_DELEGATION = {"X-Iceberg-Access-Delegation": "vended-credentials"}
_SCHEMA = {"type": "struct", "fields": [{"id": 1, "name": "n", "type": "long", "required": False}]}
_PART = b"floe" * 1024


@dataclass(frozen=True)
class Targets:
    """Where catalog and store are, from each place; None where they cannot be asked from there, and why."""

    connection: CatalogConnection
    catalog: Mapping[Vantage, str | None]
    #: None: as the catalog tells clients.
    store: Mapping[Vantage, str | None]
    why_not: str = "it runs on this machine, outside the network"


class RefusedError(Exception):
    """An endpoint answered, and not what it should."""


@dataclass
class _Asked:
    """One table being filled."""

    targets: Targets
    wanted: tuple[str, ...]
    cells: list[Cell] = field(default_factory=list)
    skew: dict[str, float] = field(default_factory=dict)
    #: The probe's table: its URL path below the catalog's base, and what the catalog vended for it.
    token: str = ""
    prefix: str = ""
    namespace: str = ""
    vended: dict[str, str] = field(default_factory=dict)
    location: str = ""

    def note(self, answer: Answer, server: str) -> None:
        date = answer.headers.get("date")
        if date:
            with contextlib.suppress(ValueError, TypeError):
                self.skew.setdefault(server, round(parsedate_to_datetime(date).timestamp() - time.time(), 1))

    def cell(self, endpoint: str, vantage: Vantage, address: str, look: Callable[[], None]) -> bool:
        """Ask, and note what came of it; whether it works."""
        if endpoint not in self.wanted:
            return True
        begun = time.perf_counter()
        reason = ""
        try:
            look()
        except (OSError, RefusedError) as error:
            reason = str(error.strerror or error) if isinstance(error, OSError) else str(error)
        self.cells.append(
            Cell(
                endpoint=endpoint,
                vantage=vantage,
                state="fails" if reason else "works",
                address=address,
                milliseconds=round((time.perf_counter() - begun) * 1000, 1),
                reason=reason,
                setting=setting(endpoint, vantage, address, reason) if reason else "",
            )
        )
        return not reason

    def skip(self, endpoint: str, vantage: Vantage, why: str) -> None:
        if endpoint in self.wanted:
            self.cells.append(Cell(endpoint=endpoint, vantage=vantage, state="skipped", reason=why))


def targets_of(root: Path) -> tuple[Targets, Stack, str]:
    """Where to ask for the running stack of the project, the stack, and the project's key. FloeError 2001 and 1xxx."""
    project = load_project(root)
    state, secrets = load_state(project.layout), load_secrets(project.layout)
    if state is None:
        raise FloeError(Code.NOT_RUNNING, "the stack is not running", why="it never ran", fix="floe up")
    stack = load_stack(state.stack, root)
    credential = secrets.principals.get(SERVICE_PRINCIPAL) if secrets is not None else None
    spec = project.catalog()
    connection = (
        CatalogConnection(
            uri=spec.uri,
            warehouse=spec.warehouse,
            credential=credential,
            scope=spec.credentials.scope,
            access_delegation=spec.access_delegation,
        )
        if credential is not None
        else connection_from_platform(project, {})
    )
    path = urlsplit(connection.uri).path
    catalog, store = _inside(stack, stack.catalog_service), _inside(stack, stack.object_store_service)
    targets = Targets(
        connection=connection,
        catalog={"host": connection.uri, "network": f"{catalog}{path}" if catalog else None},
        store={"host": None, "network": store},
    )
    return targets, stack, project_key(root)


def _inside(stack: Stack, name: str | None) -> str | None:
    """A container's address in the network."""
    service = next((service for service in stack.services if service.name == name), None)
    if service is None or service.driver is not DriverKind.DOCKER or service.container_port is None:
        return None
    return f"http://{service.name}:{service.container_port}"


def endpoint_table(root: Path, wanted: tuple[str, ...] = FULL) -> EndpointTable:
    """Ask everything in `wanted` from here and, where the stack has containers, from inside their network.

    Raises FloeError 2001 where the stack never ran, 2301 and 2302 where its engine does not answer.
    """
    targets, stack, key = targets_of(root)
    if not any(service.driver is DriverKind.DOCKER for service in stack.services):
        return fill(targets, FromHere(), None, "the stack has no containers", wanted)
    from floe_dev.drivers.engine import connect
    from floe_dev.drivers.inside import FromInside

    try:
        with FromInside(connect(), key) as inside:
            return fill(targets, FromHere(), inside, "", wanted)
    except LookupError as error:
        return fill(targets, FromHere(), None, str(error), wanted)


def fill(
    targets: Targets, here: Asker, inside: Asker | None, why_not: str = "", wanted: tuple[str, ...] = FULL
) -> EndpointTable:
    """The table for these targets; without `inside`, the network's cells are skipped for the reason given."""
    asked = _Asked(targets, wanted)
    with _probe_table(asked, here):
        _from(asked, "host", here)
        if inside is not None:
            _from(asked, "network", inside)
        else:
            for endpoint in wanted:
                asked.skip(endpoint, "network", why_not)
    order = {endpoint: number for number, endpoint in enumerate(FULL)}
    cells = sorted(asked.cells, key=lambda cell: order[cell.endpoint])
    return EndpointTable(principal=SERVICE_PRINCIPAL, cells=tuple(cells), skew_seconds=asked.skew)


@contextlib.contextmanager
def _probe_table(asked: _Asked, here: Asker) -> Iterator[None]:
    """A namespace and a table of this check's own; where they cannot be made, the cells say why."""
    base = str(asked.targets.catalog["host"])
    asked.namespace = f"floe_readiness_{uuid.uuid4().hex[:12]}"
    namespaces, where = "", ""
    try:
        asked.token, asked.prefix = _log_in(asked, here, base)
        namespaces = f"{base}/v1/{asked.prefix}/namespaces"
        where = f"{namespaces}/{asked.namespace}"
        _call(here, asked.token, "POST", namespaces, {"namespace": [asked.namespace]})
        made = _call(here, asked.token, "POST", f"{where}/tables", {"name": "probe", "schema": _SCHEMA})
        asked.location = str(made["metadata"]["location"])
    except (OSError, RefusedError, KeyError):
        pass  # the catalog's cell asks again and tells
    try:
        yield
    finally:
        if where:
            for url in (f"{where}/tables/probe", where):
                with contextlib.suppress(OSError, RefusedError):
                    _call(here, asked.token, "DELETE", url)


def _from(asked: _Asked, vantage: Vantage, asker: Asker) -> None:
    base = asked.targets.catalog[vantage]
    if base is None:
        asked.skip(CATALOG, vantage, asked.targets.why_not)
        asked.skip(STS, vantage, asked.targets.why_not)
    elif asked.cell(CATALOG, vantage, base, lambda: _look_at_catalog(asked, asker, base)):
        asked.cell(STS, vantage, base, lambda: _look_at_vending(asked, asker, base))
    else:
        asked.skip(STS, vantage, "the catalog does not answer from there")
    if "s3.access-key-id" not in asked.vended:
        for endpoint in (LIST, PUT, MULTIPART, DELETE):
            asked.skip(endpoint, vantage, "the catalog vended no keys to ask with")
        return
    store = asked.targets.store[vantage] or (asked.vended["s3.endpoint"] if vantage == "host" else None)
    if store is None:
        for endpoint in (LIST, PUT, MULTIPART, DELETE):
            asked.skip(endpoint, vantage, asked.targets.why_not)
        return
    s3 = _Store(asked, asker, store)
    asked.cell(LIST, vantage, store, s3.list)
    asked.cell(PUT, vantage, store, s3.put)
    asked.cell(MULTIPART, vantage, store, s3.multipart)
    asked.cell(DELETE, vantage, store, s3.delete)


def _log_in(asked: _Asked, asker: Asker, base: str) -> tuple[str, str]:
    connection = asked.targets.connection
    form = {
        "grant_type": "client_credentials",
        "client_id": connection.credential.client_id,
        "client_secret": connection.credential.client_secret.get_secret_value(),
        "scope": connection.scope,
    }
    request = Request(
        "POST",
        f"{base}/v1/oauth/tokens",
        {"Content-Type": "application/x-www-form-urlencoded"},
        urlencode(form).encode(),
    )
    answer = asker.ask(request)
    asked.note(answer, "catalog")
    token = str(_json(answer, "the token call")["access_token"])
    config = _call(asker, token, "GET", f"{base}/v1/config?{urlencode({'warehouse': connection.warehouse})}")
    prefix = {**config.get("defaults", {}), **config.get("overrides", {})}.get("prefix", connection.warehouse)
    return token, str(prefix)


def _look_at_catalog(asked: _Asked, asker: Asker, base: str) -> None:
    token, prefix = _log_in(asked, asker, base)
    _call(asker, token, "GET", f"{base}/v1/{prefix}/namespaces")


def _look_at_vending(asked: _Asked, asker: Asker, base: str) -> None:
    if not asked.location:
        raise RefusedError("the principal cannot make a table to ask keys for")
    url = f"{base}/v1/{asked.prefix}/namespaces/{asked.namespace}/tables/probe"
    config = _call(asker, asked.token, "GET", url, headers=_DELEGATION).get("config", {})
    if "s3.access-key-id" not in config:
        raise RefusedError("a table was loaded without keys")
    if not config.get("s3.session-token"):
        raise RefusedError("the keys have no session token: they are not scoped")
    asked.vended = asked.vended or dict(config)


@dataclass(frozen=True)
class _Store:
    """The store with the keys vended for the probe's table."""

    asked: _Asked
    asker: Asker
    endpoint: str

    def list(self) -> None:
        bucket, key = split(self.asked.location)
        self._ask("GET", "", {"list-type": "2", "prefix": f"{key}/"}, bucket=bucket)

    def put(self) -> None:
        self._ask("PUT", "put", body=_PART)

    def multipart(self) -> None:
        begun = self._ask("POST", "multipart", {"uploads": ""}).body.decode("utf-8", "replace")
        upload = begun.partition("<UploadId>")[2].partition("</UploadId>")[0]
        if not upload:
            raise RefusedError("a multipart upload was begun without an id")
        part = {"partNumber": "1", "uploadId": upload}
        tag = self._ask("PUT", "multipart", part, body=_PART).headers.get("etag", "")
        parts = f"<Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part>"
        whole = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        self._ask("POST", "multipart", {"uploadId": upload}, body=whole)
        self._ask("DELETE", "multipart")

    def delete(self) -> None:
        self._ask("DELETE", "put")

    def _ask(
        self, method: str, name: str, query: dict[str, str] | None = None, *, body: bytes = b"", bucket: str = ""
    ) -> Answer:
        from floe_dev.storage.signed import signed_url

        vended = self.asked.vended
        keys = StoreCredential(
            vended["s3.access-key-id"], vended["s3.secret-access-key"], vended.get("s3.session-token") or None
        )
        own_bucket, key = split(self.asked.location)
        place = f"{key}/floe-probe/{name}" if name else ""
        url = signed_url(
            method,
            self.endpoint,
            vended.get("client.region") or vended.get("s3.region") or "us-east-1",
            keys,
            bucket or own_bucket,
            place,
            query,
        )
        answer = self.asker.ask(Request(method, url, body=body))
        self.asked.note(answer, "object store")
        if answer.status >= 300:
            text = answer.body.decode("utf-8", "replace")
            code = text.partition("<Code>")[2].partition("</Code>")[0]
            message = text.partition("<Message>")[2].partition("</Message>")[0]
            raise RefusedError(f"{answer.status} {code}: {message}" if code else f"{answer.status}")
        return answer


def _call(
    asker: Asker,
    token: str,
    method: str,
    url: str,
    content: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    body = json.dumps(content).encode() if content is not None else b""
    sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **(headers or {})}
    answer = asker.ask(Request(method, url, sent, body))
    return _json(answer, f"{method} {urlsplit(url).path}")


def _json(answer: Answer, what: str) -> dict[str, Any]:
    try:
        found = json.loads(answer.body or b"{}")
    except ValueError:
        found = {}
    if answer.status >= 300:
        error = found.get("error") if isinstance(found, dict) else None
        message = error.get("message") if isinstance(error, dict) else error
        raise RefusedError(f"{what} answered {answer.status}" + (f": {message}" if message else ""))
    return found if isinstance(found, dict) else {}


def demand(table: EndpointTable) -> str:
    """One line on a table without a failing cell; raises FloeError 2324 (clocks) or 2326 with every cell that fails."""
    for server, seconds in table.skew_seconds.items():
        if abs(seconds) > SKEW_SECONDS:
            raise clock_skew(server, seconds)
    if table.failing:
        first = table.failing[0]
        place = "this machine" if first.vantage == "host" else "inside the containers' network"
        raise FloeError(
            Code.NETWORK_CELL,
            f"{first.endpoint} does not work from {place}",
            why=f"{first.address}: {first.reason}",
            detail=tuple(f"{c.endpoint} from {c.vantage} ({c.address}): {c.reason}" for c in table.failing[1:]),
            fix=first.setting,
        )
    works = {v: sum(c.vantage == v and c.state == "works" for c in table.cells) for v in ("host", "network")}
    return f"{works['host']} endpoints from here, {works['network']} from inside the network"


def demand_clock(server: str, url: str) -> None:
    """Raise FloeError 2324 where the clock of the server at `url` is off; one that does not answer says nothing."""
    try:
        date = FromHere().ask(Request("GET", url)).headers["date"]
        seconds = parsedate_to_datetime(date).timestamp() - time.time()
    except (OSError, KeyError, ValueError, TypeError):
        return
    if abs(seconds) > SKEW_SECONDS:
        raise clock_skew(server, seconds)


def clock_skew(server: str, seconds: float) -> FloeError:
    """The clocks differ by that much; positive: the server's is ahead."""
    direction = "ahead of" if seconds > 0 else "behind"
    return FloeError(
        Code.CLOCK_SKEW,
        f"the clock of the {server} is {abs(seconds):.0f} s {direction} this machine's",
        why="S3 and STS refuse requests whose time is more than 15 minutes off, and keys end early or late with less",
        fix="restart the engine's machine (colima restart, podman machine stop && podman machine start, or Docker "
        "Desktop), or set this machine's clock: sudo timedatectl set-ntp true",
    )
