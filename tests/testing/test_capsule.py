"""The failure capsule: what is in it, what never is, and what opening a bad one says."""

from __future__ import annotations

import json
import sqlite3
import struct
import zipfile
from pathlib import Path

import pytest

from floe_dev.capsule.backend import CapsuleBackend
from floe_dev.capsule.form import FORMAT, MANIFEST, MOST_FILES, STATUS, Manifest
from floe_dev.capsule.offline import OfflineSession
from floe_dev.capsule.reader import unpack
from floe_dev.capsule.scrub import Scrubber
from floe_dev.capsule.writer import CapsuleWriter
from floe_dev.errors import Code, FloeError
from floe_dev.model import commands
from floe_dev.testing.dbt import DbtRunner
from floe_dev.testing.evidence import test_capsule as capsule_of
from floe_dev.testing.lakehouse import Lakehouse
from tests.cli.helpers import floe

SECRET = "a-secret/with+odd chars=42"


def manifest(**changes: object) -> str:
    content = {"format": FORMAT, "floe": "9.9.9", "created_at": 0.0, "kind": "test", "title": "t", "project": "p"}
    return json.dumps({**content, **changes})


def written(file: Path, **files: str) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return file


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        "a-secret%2Fwith%2Bodd%20chars%3D42",
        "a-secret%2Fwith%2Bodd+chars%3D42",
        '{"x": "a-secret/with+odd chars=42"}',
        "Authorization: Basic Zmxv" + "ZTphLXNlY3JldC93aXRoK29kZCBjaGFycz00Mg==",
        "Authorization: Bearer abcdefghijklmnop.qrstuv",
        "token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJmbG9lIn0.c2lnbmF0dXJl",
        "aws AKIAIOSFODNN7EXAMPLE",
        "postgresql://floe:hunter2222@127.0.0.1/db",
        "password: hunter2222",
        'AWS_SECRET_ACCESS_KEY="hunter2222"',
        '{"clientSecret": "hunter2222"}',
    ],
)
def test_every_form_of_a_secret_is_hidden(text: str) -> None:
    clean = Scrubber([SECRET]).text(text)
    leaked = (SECRET, "hunter2222", "abcdefghijklmnop", "eyJzdWIi", "AKIAIOSF", "secret%2F", "LXNlY3JldC93aXRo")
    assert not [part for part in leaked if part in clean], clean
    assert "***" in clean


def test_what_only_names_a_secret_stays() -> None:
    for text in ("client_secret: {secret_ref: polaris-client-secret}", "token: {{ env_var('T') }}", "pass: $PASSWORD"):
        assert Scrubber([]).text(text) == text


def test_packed_messages_keep_their_lengths() -> None:
    packed = struct.pack("B", len(SECRET)) + SECRET.encode() + b"after"
    clean = Scrubber([SECRET]).packed(packed)
    assert len(clean) == len(packed)
    assert SECRET.encode() not in clean
    assert clean.endswith(b"after")


@pytest.fixture
def failed(lakehouse: Lakehouse, dbt: DbtRunner, tmp_path: Path) -> Path:
    """The capsule of a lakehouse with a table and a failed dbt run."""
    lakehouse.write("orders", [{"id": 1}])
    own = lakehouse.connection.credential.client_secret.get_secret_value()
    dbt({"broken": "{{ config(materialized='table') }} select no_such_column, '" + own + "' as leak"}, check=False)
    text = capsule_of(
        tmp_path, 20_000_000, "tests/test_a.py::test_b", f"E   AssertionError: it holds {own}", [lakehouse]
    )
    return Path(text.splitlines()[0].removeprefix("capsule: "))


def test_no_secret_is_in_a_capsule(failed: Path, lakehouse: Lakehouse, tmp_path: Path) -> None:
    unpack(failed, tmp_path / "out")
    connections = (lakehouse.connection, lakehouse.stack.root)
    secrets = [each.credential.client_secret.get_secret_value() for each in connections]
    files = [file for file in (tmp_path / "out").rglob("*") if file.is_file()]
    assert len(files) > 8
    for file in (*files, failed):
        content = file.read_bytes()
        for secret in secrets:
            assert secret.encode() not in content, file
    # The run did carry it: what was recorded names the table, and has the hole where the secret was.
    database = tmp_path / "out" / ".floe" / "telemetry" / "telemetry.db"
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM spans").fetchone()[0] >= 3
    assert "***" in (tmp_path / "out" / "error.txt").read_text()


def test_the_commands_show_the_cause_offline(failed: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def told(*arguments: str) -> str:
        done = floe(*arguments, cwd=elsewhere)
        assert done.returncode in (0, 4), done.stderr
        return done.stdout + done.stderr

    assert "test_a.py::test_b" in told("open", str(failed))
    traces = json.loads(floe("traces", "--capsule", str(failed), "--json", cwd=elsewhere).stdout)["traces"]
    assert [trace["state"] for trace in traces] == ["error"]
    shown = told("traces", "--capsule", str(failed), traces[0]["trace_id"])
    assert "model broken" in shown
    assert "no_such_column" in told("traces", "--capsule", str(failed), traces[0]["trace_id"], "--json")
    assert "orders" in told("tables", "--capsule", str(failed))
    assert "test.orders" in told("tables", "--capsule", str(failed), "show", "test.orders")
    assert (
        "test.orders"
        in json.loads(floe("history", "--capsule", str(failed), "test.orders", "--json", cwd=elsewhere).stdout)["table"]
    )
    assert "startup complete" in told("logs", "--capsule", str(failed))
    assert json.loads(floe("status", "--capsule", str(failed), "--json", cwd=elsewhere).stdout)["running"] is False
    unknown = floe("traces", "--capsule", str(failed), "0" * 32, cwd=elsewhere)
    assert unknown.returncode == 1
    assert f"traces --capsule {failed}" in unknown.stderr, "the command that mends is for the capsule"
    stopped = told("status", "--capsule", str(failed))
    assert "floe-capsule-" not in unknown.stderr + stopped, "where it was unpacked is nothing to tell"
    assert not list(elsewhere.iterdir())


def test_the_dashboard_shows_it_and_changes_nothing(failed: Path, tmp_path: Path) -> None:
    unpack(failed, tmp_path / "out")
    backend = CapsuleBackend(OfflineSession(tmp_path / "out"))
    assert [table.identifier for table in backend.state.tables.items] == ["test.orders"]
    (trace,) = backend.state.traces.items
    found, _ = backend.trace(trace.trace_id)
    assert found is not None
    assert any("no_such_column" in span.message for span in found.spans)
    assert backend.table("test.orders").columns[0].name == "id"
    with pytest.raises(FloeError) as error:
        backend.send(commands.StopStack())
    assert error.value.code is Code.CAPSULE_ONLY_READS


def test_a_capsule_stays_within_its_size(tmp_path: Path) -> None:
    import random

    noise = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=3_000_000))
    (tmp_path / "big.log").write_text(noise)
    with CapsuleWriter(tmp_path / "c.zip", Scrubber([]), 500_000) as writer:
        writer.log(".floe/logs/big.log", tmp_path / "big.log")
        writer.text("dbt.log", noise)
        for number in range(5):
            writer.json(f"{number}.json", {"noise": noise[:200_000]})
        writer.finish(kind="manual", title="big", project="p")
    assert (tmp_path / "c.zip").stat().st_size < 520_000
    found = unpack(tmp_path / "c.zip", tmp_path / "out")
    assert any("big.log: the first" in line for line in found.missing)
    assert any("no room left" in line for line in found.missing)
    # What is kept of a log is its end, where the failure is told.
    assert noise.endswith((tmp_path / "out" / ".floe" / "logs" / "big.log").read_text())


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fails() -> None:
        with CapsuleWriter(tmp_path / "c.zip", Scrubber([])) as writer:
            writer.text("a.txt", "a")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert not list(tmp_path.iterdir())


class TestBadCapsules:
    def refusal(self, file: Path, tmp_path: Path) -> FloeError:
        with pytest.raises(FloeError) as error:
            unpack(file, tmp_path / "out")
        done = floe("open", str(file), cwd=tmp_path)
        assert done.returncode == 2
        assert error.value.code.id in done.stderr
        assert "Traceback" not in done.stderr
        return error.value

    def test_of_a_newer_version(self, tmp_path: Path) -> None:
        file = written(tmp_path / "c.zip", capsule__json=manifest(format=FORMAT + 1, unheard_of=1))
        error = self.refusal(file, tmp_path)
        assert error.code is Code.CAPSULE_VERSION
        assert "9.9.9" in str(error)
        assert "pip install --upgrade" in str(error)

    def test_truncated(self, failed: Path, tmp_path: Path) -> None:
        cut = tmp_path / "cut.zip"
        cut.write_bytes(failed.read_bytes()[:-400])
        error = self.refusal(cut, tmp_path)
        assert error.code is Code.CAPSULE_UNREADABLE
        assert "cut short" in str(error)

    def test_damaged_in_the_middle(self, failed: Path, tmp_path: Path) -> None:
        content = bytearray(failed.read_bytes())
        content[200:260] = b"\0" * 60
        (tmp_path / "bad.zip").write_bytes(content)
        assert self.refusal(tmp_path / "bad.zip", tmp_path).code is Code.CAPSULE_UNREADABLE

    def test_another_zip(self, tmp_path: Path) -> None:
        assert self.refusal(written(tmp_path / "c.zip", a__txt="a"), tmp_path).code is Code.CAPSULE_UNREADABLE

    def test_no_zip_at_all(self, tmp_path: Path) -> None:
        (tmp_path / "c.zip").write_text("hello")
        assert self.refusal(tmp_path / "c.zip", tmp_path).code is Code.CAPSULE_UNREADABLE

    def test_not_there(self, tmp_path: Path) -> None:
        assert "no such file" in str(self.refusal(tmp_path / "c.zip", tmp_path))

    def test_a_bomb_that_says_so(self, tmp_path: Path) -> None:
        file = tmp_path / "c.zip"
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(MANIFEST, manifest())
            archive.writestr("zeros", bytes(1_000_000))
        content = bytearray(file.read_bytes())
        struct.pack_into("<I", content, content.rindex(b"PK\x01\x02") + 24, 3_000_000_000)
        file.write_bytes(content)
        assert self.refusal(file, tmp_path).code is Code.CAPSULE_TOO_LARGE
        assert not (tmp_path / "out").exists()

    def test_a_bomb_of_many_files(self, tmp_path: Path) -> None:
        file = tmp_path / "c.zip"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(MANIFEST, manifest())
            for number in range(MOST_FILES):
                archive.writestr(str(number), b"")
        assert self.refusal(file, tmp_path).code is Code.CAPSULE_TOO_LARGE

    def test_a_bomb_that_lies(self, tmp_path: Path) -> None:
        file = tmp_path / "c.zip"
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(MANIFEST, manifest())
            archive.writestr("zeros", bytes(50_000_000))
        content = bytearray(file.read_bytes())
        at = content.rindex(b"PK\x01\x02")
        struct.pack_into("<I", content, at + 24, 10)  # the central directory says ten bytes
        file.write_bytes(content)
        with pytest.raises(FloeError) as error:
            unpack(file, tmp_path / "out")
        assert error.value.code in (Code.CAPSULE_UNREADABLE, Code.CAPSULE_TOO_LARGE)
        assert sum(each.stat().st_size for each in (tmp_path / "out").rglob("*") if each.is_file()) < 1_000

    @pytest.mark.parametrize("name", ["../outside.txt", "/outside.txt", "a/../../outside.txt"])
    def test_a_file_outside(self, tmp_path: Path, name: str) -> None:
        file = tmp_path / "c.zip"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(MANIFEST, manifest())
            archive.writestr(name, "x")
        error = self.refusal(file, tmp_path)
        assert error.code is Code.CAPSULE_UNREADABLE
        assert not (tmp_path / "outside.txt").exists()


def test_a_capsule_of_a_stack_that_does_not_run(tmp_path: Path) -> None:
    from tests.cli.tiny import make_tiny

    root = make_tiny(tmp_path / "shop") or tmp_path / "shop"
    platform = root / "platform.yaml"
    platform.write_text(platform.read_text() + "# password: hunter2222\n")
    done = floe("capsule", "create", str(tmp_path / "c.zip"), "--note", "it is odd", cwd=root)
    assert done.returncode == 0, done.stderr
    found = unpack(tmp_path / "c.zip", tmp_path / "out")
    assert isinstance(found, Manifest)
    assert found.title == "it is odd"
    assert any("does not run" in line for line in found.missing)
    assert not (tmp_path / "out" / STATUS).exists()
    assert "hunter2222" not in (tmp_path / "out" / "platform.yaml").read_text()
    assert "secret_ref: polaris-client-secret" in (tmp_path / "out" / "platform.yaml").read_text()
