"""A real PostgreSQL for tests: this machine's own, else floe's image; each worker of pytest has one of its own."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.drivers.helpers import free_port

USER = "floe"
START_SECONDS = 60.0


@dataclass(frozen=True)
class PostgresqlServer:
    """A server on 127.0.0.1; its password is in PGPASSWORD for whoever connects."""

    port: int
    password: str

    def make_database(self) -> str:
        """A new, empty database; its URL, without the password."""
        import psycopg

        name = f"t_{secrets.token_hex(6)}"
        with psycopg.connect(self.url("postgres"), password=self.password, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url(name)

    def url(self, database: str) -> str:
        """Where a database is, without the password."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"


def _binaries() -> Path | None:
    """The folder of this machine's server programs."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = debian[-1] if debian else shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@contextlib.contextmanager
def postgresql_server(folder: Path) -> Iterator[PostgresqlServer]:
    """A server for the length of a block, its data in `folder`; skips the test where there is none."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL on this machine: apt-get install postgresql")
    server = PostgresqlServer(free_port(), secrets.token_hex(16))
    # The server refuses to run as root, and so needs a folder that another user reaches.
    other = "nobody" if os.getuid() == 0 else None
    data = Path(f"/tmp/floe-postgresql-{secrets.token_hex(6)}") if other else folder / "postgresql"
    data.mkdir(mode=0o700)
    try:
        secret = data / "password"
        secret.write_text(server.password)
        if other:
            user = pwd.getpwnam(other)
            for path in (data, secret):
                os.chown(path, user.pw_uid, user.pw_gid)
        made = [str(binaries / "initdb"), "-D", str(data / "db"), "-U", USER, f"--pwfile={secret}"]
        options = ["--auth=scram-sha-256", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run([*made, *options], check=True, capture_output=True, user=other, cwd=data, timeout=120)
        command = [str(binaries / "postgres"), "-D", str(data / "db"), "-p", str(server.port), "-h", "127.0.0.1"]
        with (data / "log").open("wb") as log:
            # A test's database outlives no crash of the machine.
            process = subprocess.Popen([*command, "-k", str(data), "-F"], stdout=log, stderr=log, user=other, cwd=data)
        try:
            _wait(server)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(15)
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _wait(server: PostgresqlServer) -> None:
    import psycopg

    give_up = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(server.url("postgres"), password=server.password, connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)
