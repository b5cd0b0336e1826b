"""`python -m floe_dev.catalogs.rest.container`: the server behind the contract of Polaris's container image.

The same variables, ports and exit rules as Polaris 1.7 was seen to have, so that one stack file serves both images:

- 8181 has the API alone, 8182 `/q/health/ready`, `/q/health/live` and `/q/metrics` alone;
- `POLARIS_PERSISTENCE_TYPE=relational-jdbc` takes QUARKUS_DATASOURCE_JDBC_URL, _USERNAME and _PASSWORD; a database that
  does not answer ends the server with 1. `in-memory`, Polaris's default, forgets everything with the container;
- with POLARIS_PERSISTENCE_AUTO_BOOTSTRAP_TYPES naming the persistence, POLARIS_BOOTSTRAP_CREDENTIALS
  (`<realm>,<id>,<secret>`) makes root; without credentials the server ends with 1; another secret later changes
  nothing. Never bootstrapped, it is ready, and a token call answers 500;
- tokens die with the server unless POLARIS_AUTHENTICATION_TOKEN_BROKER_TYPE=symmetric-key with …_SYMMETRIC_KEY_SECRET.

FLOE_CATALOG_ROOT=configured is floe's own: the secret that is given counts, whichever root was made with, so that a
lost one costs nothing. FLOE_INSTANCE is echoed in every answer.

With QUARKUS_OTEL_SDK_DISABLED=false, QUARKUS_OTEL_EXPORTER_OTLP_ENDPOINT (or …_TRACES_ENDPOINT) gets its spans, as
OTLP/HTTP in JSON.

A variable's dotted name (`polaris.persistence.type`) counts too.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from floe_dev.catalogs.rest.serve import serve
from floe_dev.catalogs.rest.settings import Settings, StoreAccess
from floe_dev.storage.base import StoreCredential
from floe_dev.tracing.spool import ENDPOINT_VARIABLE

REALM = "POLARIS"
API_PORT, MANAGEMENT_PORT = 8181, 8182
JDBC = "jdbc:postgresql://"
#: Shorter keys would be guessed; Polaris's own check is of 32 characters.
_KEY_CHARACTERS = 32
_WORKERS = 2


@dataclass(frozen=True)
class Refusal(Exception):  # noqa: N818 - it says what happened
    """Settings that cannot work."""

    message: str


def main() -> int:
    """Serve until told to stop; 1 where the settings cannot work or the database does not answer."""
    try:
        settings = settings_of(os.environ)
    except Refusal as refusal:
        sys.stderr.write(f"the catalog cannot start: {refusal.message}\n")
        return 1
    _send_spans(os.environ)
    in_postgresql = settings.database.startswith("postgresql://")
    workers = int(_get(os.environ, "floe.catalog.workers") or _WORKERS) if in_postgresql else 1
    host = _get(os.environ, "quarkus.http.host") or "0.0.0.0"  # noqa: S104 - the network is the container's own
    api = int(_get(os.environ, "quarkus.http.port") or API_PORT)
    return serve(settings, [(host, api), (host, settings.management_port or MANAGEMENT_PORT)], workers)


def settings_of(environment: Mapping[str, str]) -> Settings:
    """What the variables say; raises Refusal."""
    client_id, secret = _root(environment)
    return Settings(
        database=_database(environment),
        warehouse=None,
        instance=_get(environment, "floe.instance") or "",
        root_client_id=client_id,
        root_client_secret=secret,
        signing_key=_signing_key(environment),
        store=_store(environment),
        management_port=int(_get(environment, "quarkus.management.port") or MANAGEMENT_PORT),
        first_secret_wins=_get(environment, "floe.catalog.root") != "configured",
    )


def _get(environment: Mapping[str, str], name: str) -> str | None:
    """A setting by its dotted name or by its variable's, as Quarkus reads it; empty counts as not set."""
    variable = "".join(c if c.isalnum() else "_" for c in name).upper()
    return environment.get(variable) or environment.get(name) or None


def _send_spans(environment: MutableMapping[str, str]) -> None:
    """Where the spans go, for this process and its workers; nowhere unless the SDK is switched on, as in Polaris."""
    otlp = "quarkus.otel.exporter.otlp"
    endpoint = (_get(environment, f"{otlp}.traces.endpoint") or "").removesuffix("/v1/traces")
    endpoint = endpoint or _get(environment, f"{otlp}.endpoint") or ""
    if endpoint and _get(environment, "quarkus.otel.sdk.disabled") == "false":
        environment[ENDPOINT_VARIABLE] = endpoint
        environment["OTEL_SERVICE_NAME"] = _get(environment, "quarkus.otel.service.name") or "catalog"


def _persistence(environment: Mapping[str, str]) -> str:
    kind = _get(environment, "polaris.persistence.type") or "in-memory"
    if kind not in ("in-memory", "relational-jdbc"):
        raise Refusal(f"POLARIS_PERSISTENCE_TYPE={kind} is not known here: relational-jdbc or in-memory")
    return kind


def _database(environment: Mapping[str, str]) -> str:
    if _persistence(environment) == "in-memory":
        return str(Path(tempfile.mkdtemp(prefix="catalog-")) / "catalog.db")
    url = _get(environment, "quarkus.datasource.jdbc.url") or ""
    if not url.startswith(JDBC):
        raise Refusal(f"QUARKUS_DATASOURCE_JDBC_URL must begin with {JDBC}")
    user = _get(environment, "quarkus.datasource.username") or ""
    password = _get(environment, "quarkus.datasource.password") or ""
    if not user:
        raise Refusal("QUARKUS_DATASOURCE_USERNAME is not set")
    place = url.removeprefix(JDBC).partition("?")[0]
    return f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@{place}"


def _root(environment: Mapping[str, str]) -> tuple[str, str]:
    """Root's id and secret; both empty where this start bootstraps nothing."""
    given = _get(environment, "polaris.bootstrap.credentials") or ""
    kind = _persistence(environment)
    asked = (_get(environment, "polaris.persistence.auto-bootstrap-types") or "in-memory").split(",")
    if kind not in [each.strip() for each in asked]:
        return "", ""
    if not given and kind == "in-memory":
        made = secrets.token_hex(16)
        sys.stderr.write("no POLARIS_BOOTSTRAP_CREDENTIALS: root has a random secret that nobody knows\n")
        return "root", made
    for each in given.split(";"):
        parts = each.strip().split(",", 2)
        if len(parts) == 3 and all(parts) and parts[0] == REALM:
            return parts[1], parts[2]
    raise Refusal(f"POLARIS_BOOTSTRAP_CREDENTIALS must be {REALM},<client id>,<client secret>, or auto-bootstrap off")


def _signing_key(environment: Mapping[str, str]) -> bytes:
    broker = "polaris.authentication.token-broker"
    if (_get(environment, f"{broker}.type") or "rsa-key-pair") != "symmetric-key":
        return secrets.token_bytes(32)
    key = _get(environment, f"{broker}.symmetric-key.secret") or ""
    if len(key) < _KEY_CHARACTERS:
        raise Refusal(
            f"POLARIS_AUTHENTICATION_TOKEN_BROKER_SYMMETRIC_KEY_SECRET must have {_KEY_CHARACTERS} characters or more"
        )
    return key.encode()


def _store(environment: Mapping[str, str]) -> StoreAccess | None:
    keys = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not keys[0] or not keys[1]:
        return None
    from floe_dev.storage.minio import REGION

    return StoreAccess(StoreCredential(keys[0], keys[1]), environment.get("AWS_REGION") or REGION)


if __name__ == "__main__":
    sys.exit(main())
