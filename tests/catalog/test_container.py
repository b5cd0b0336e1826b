"""The contract of Polaris's container image: variables, the two ports, bootstrap and when the server ends itself."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import psutil
import pytest

from floe_dev.catalogs.rest.container import Refusal, settings_of
from tests.catalog.server import START_SECONDS, free_port
from tests.postgresql import USER, PostgresqlServer

COMMAND = [sys.executable, "-m", "floe_dev.catalogs.rest.container"]
KEY = "0123456789abcdef0123456789abcdef"


@dataclass
class Running:
    """A server started as a container starts it."""

    process: subprocess.Popen[bytes]
    api: int
    management: int
    log: Path

    def get(self, port: int, path: str, token: str | None = None) -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def token(self, secret: str, client_id: str = "root") -> tuple[int, str]:
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        body = urlencode({**form, "scope": "PRINCIPAL_ROLE:ALL"})
        connection = HTTPConnection("127.0.0.1", self.api, timeout=10)
        header = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/api/catalog/v1/oauth/tokens", body, header)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text.partition('"access_token":"')[2].partition('"')[0] or text


def environment(postgresql: PostgresqlServer, database: str, **more: str) -> dict[str, str]:
    place = database.rpartition("/")[2]
    return {
        "POLARIS_PERSISTENCE_TYPE": "relational-jdbc",
        "QUARKUS_DATASOURCE_JDBC_URL": f"jdbc:postgresql://127.0.0.1:{postgresql.port}/{place}?ssl=false",
        "QUARKUS_DATASOURCE_USERNAME": USER,
        "QUARKUS_DATASOURCE_PASSWORD": postgresql.password,
        "POLARIS_PERSISTENCE_AUTO_BOOTSTRAP_TYPES": "relational-jdbc",
        "QUARKUS_HTTP_HOST": "127.0.0.1",
        **more,
    }


@contextmanager
def running(folder: Path, given: Mapping[str, str]) -> Iterator[Running]:
    """Until it is ready, by the management port; ended with the block."""
    api, management = free_port(), free_port()
    log = folder / f"container-{api}.log"
    ports = {"QUARKUS_HTTP_PORT": str(api), "QUARKUS_MANAGEMENT_PORT": str(management)}
    with log.open("wb") as out:
        process = subprocess.Popen(COMMAND, env={**_bare(), **given, **ports}, stdout=out, stderr=out)
    server = Running(process, api, management, log)
    try:
        give_up = time.monotonic() + START_SECONDS
        while True:
            try:
                if server.get(management, "/q/health/ready")[0] == 200:
                    break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < give_up, log.read_text()
                time.sleep(0.05)
        yield server
    finally:
        process.terminate()
        assert process.wait(15) == 0
    assert "Traceback" not in log.read_text()


def ended(given: Mapping[str, str]) -> tuple[int, str]:
    """How a server that cannot start ends, and what it says."""
    ports = {"QUARKUS_HTTP_PORT": str(free_port()), "QUARKUS_MANAGEMENT_PORT": str(free_port())}
    done = subprocess.run(COMMAND, env={**_bare(), **given, **ports}, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stderr.decode()


def _bare() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("POLARIS_", "QUARKUS_", "AWS_"))}


@pytest.fixture
def database(postgresql: PostgresqlServer) -> str:
    return postgresql.make_database()


def test_each_port_answers_what_is_its_own(tmp_path: Path, postgresql: PostgresqlServer, database: str) -> None:
    given = environment(postgresql, database, POLARIS_BOOTSTRAP_CREDENTIALS="POLARIS,root,first-secret")
    with running(tmp_path, given) as server:
        for path in ("/q/health/ready", "/q/health/live", "/q/metrics"):
            assert server.get(server.management, path)[0] == 200, path
            assert server.get(server.api, path)[0] == 404, path
        assert "floe_catalog_requests_total" in server.get(server.management, "/q/metrics")[1]
        assert server.get(server.api, "/api/catalog/v1/config")[0] == 401
        assert server.get(server.management, "/api/catalog/v1/config")[0] == 404
        status, token = server.token("first-secret")
        assert status == 200
        assert server.get(server.api, "/api/management/v1/catalogs", token) == (200, '{"catalogs":[]}')


def test_the_first_secret_stays_and_tokens_outlive_the_server_with_a_key_of_ours(
    tmp_path: Path, postgresql: PostgresqlServer, database: str
) -> None:
    keyed = {
        "POLARIS_AUTHENTICATION_TOKEN_BROKER_TYPE": "symmetric-key",
        "POLARIS_AUTHENTICATION_TOKEN_BROKER_SYMMETRIC_KEY_SECRET": KEY,
    }
    first = environment(postgresql, database, POLARIS_BOOTSTRAP_CREDENTIALS="POLARIS,root,first-secret", **keyed)
    with running(tmp_path, first) as server:
        _, token = server.token("first-secret")
    with running(tmp_path, {**first, "POLARIS_BOOTSTRAP_CREDENTIALS": "POLARIS,root,another-one"}) as server:
        assert server.get(server.api, "/api/management/v1/catalogs", token)[0] == 200
        assert server.token("another-one")[0] == 401
        assert server.token("first-secret")[0] == 200
    without = {name: value for name, value in first.items() if "TOKEN_BROKER" not in name}
    with running(tmp_path, without) as server:
        assert server.get(server.api, "/api/management/v1/catalogs", token)[0] == 401


def test_never_bootstrapped_it_is_ready_and_gives_no_token(
    tmp_path: Path, postgresql: PostgresqlServer, database: str
) -> None:
    given = environment(postgresql, database, POLARIS_PERSISTENCE_AUTO_BOOTSTRAP_TYPES="in-memory")
    with running(tmp_path, given) as server:
        assert server.token("anything")[0] == 500
        assert server.get(server.api, "/api/catalog/v1/config")[0] == 401


def test_without_a_database_it_ends_with_1(postgresql: PostgresqlServer) -> None:
    given = environment(
        postgresql, "none", POLARIS_BOOTSTRAP_CREDENTIALS="POLARIS,root,s3cret-value", QUARKUS_DATASOURCE_PASSWORD="x"
    )
    code, said = ended({**given, "QUARKUS_DATASOURCE_JDBC_URL": f"jdbc:postgresql://127.0.0.1:{free_port()}/none"})
    assert code == 1
    assert "refused" in said
    code, said = ended({**given, "QUARKUS_DATASOURCE_PASSWORD": postgresql.password})
    assert (code, "does not exist" in said, "s3cret-value" in said) == (1, True, False)


def test_with_bootstrap_on_and_no_credentials_it_ends_with_1(postgresql: PostgresqlServer, database: str) -> None:
    code, said = ended(environment(postgresql, database))
    assert code == 1
    assert "POLARIS_BOOTSTRAP_CREDENTIALS" in said
    assert "Traceback" not in said


def test_a_killed_worker_is_replaced_and_the_rest_goes_on(
    tmp_path: Path, postgresql: PostgresqlServer, database: str
) -> None:
    given = environment(postgresql, database, POLARIS_BOOTSTRAP_CREDENTIALS="POLARIS,root,first-secret")
    with running(tmp_path, given) as server:
        parent = psutil.Process(server.process.pid)
        before = {child.pid for child in parent.children()}
        assert len(before) == 2
        victim = next(iter(before))
        psutil.Process(victim).kill()
        give_up = time.monotonic() + 60
        while len({child.pid for child in parent.children() if child.status() != psutil.STATUS_ZOMBIE} - before) != 1:
            assert time.monotonic() < give_up
            time.sleep(0.05)
        for _ in range(20):
            assert server.token("first-secret")[0] == 200


def test_a_restarted_database_costs_no_request(tmp_path: Path, postgresql: PostgresqlServer, database: str) -> None:
    import psycopg

    given = environment(postgresql, database, POLARIS_BOOTSTRAP_CREDENTIALS="POLARIS,root,first-secret")
    with running(tmp_path, given) as server:
        for _ in range(10):
            assert server.token("first-secret")[0] == 200
        with psycopg.connect(database, password=postgresql.password, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        for _ in range(10):
            assert server.token("first-secret")[0] == 200


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"POLARIS_PERSISTENCE_TYPE": "eclipse-link"}, "POLARIS_PERSISTENCE_TYPE"),
        ({"POLARIS_PERSISTENCE_TYPE": "relational-jdbc"}, "auto-bootstrap"),
        ({"POLARIS_BOOTSTRAP_CREDENTIALS": "OTHER,root,x"}, "POLARIS,<client id>,<client secret>"),
        ({"POLARIS_AUTHENTICATION_TOKEN_BROKER_TYPE": "symmetric-key"}, "32 characters"),
    ],
)
def test_settings_that_cannot_work_are_told(given: Mapping[str, str], told: str) -> None:
    more = {"POLARIS_PERSISTENCE_AUTO_BOOTSTRAP_TYPES": "in-memory,relational-jdbc"}
    with pytest.raises(Refusal) as caught:
        settings_of({**more, **given})
    assert told in caught.value.message


def test_a_dotted_name_counts_as_the_variable() -> None:
    secret = secrets.token_hex(16)
    settings = settings_of({"polaris.bootstrap.credentials": f"POLARIS,root,{secret}"})
    assert (settings.root_client_id, settings.root_client_secret) == ("root", secret)
    assert settings.management_port == 8182
