"""Secrets: the variable, then the mounted file, else an error; generated ones are private."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from floe_dev.config.connection import connection_from_platform
from floe_dev.config.credentials import load_or_create_secrets, load_secrets, store_credential
from floe_dev.config.project import load_project
from floe_dev.config.secrets import resolve_secret, variable_of
from floe_dev.errors import Code, FloeError
from floe_dev.model.layout import Layout
from tests.config.helpers import PLATFORM, write_project


def test_the_variable_goes_before_the_mounted_file(tmp_path: Path) -> None:
    (tmp_path / "polaris-client-id").write_text("from-file\n")
    assert variable_of("polaris-client-id") == "POLARIS_CLIENT_ID"
    both = {"POLARIS_CLIENT_ID": "from-variable"}
    assert resolve_secret("polaris-client-id", both, mount=tmp_path).get_secret_value() == "from-variable"
    for environ in ({}, {"POLARIS_CLIENT_ID": ""}):
        assert resolve_secret("polaris-client-id", environ, mount=tmp_path).get_secret_value() == "from-file"


def test_a_missing_secret_names_both_places(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    for ref, told in (("absent-one", "does not exist"), ("empty", "is empty")):
        with pytest.raises(FloeError) as caught:
            resolve_secret(ref, {}, mount=tmp_path)
        assert caught.value.code is Code.SECRET_MISSING
        assert variable_of(ref) in str(caught.value)
        assert str(tmp_path / ref) in str(caught.value)
        assert told in str(caught.value)


def test_a_connection_names_the_line_of_the_missing_secret(tmp_path: Path) -> None:
    project = load_project(write_project(tmp_path), {})
    environ = {"POLARIS_CLIENT_ID": "me"}
    with pytest.raises(FloeError) as caught:
        connection_from_platform(project, environ)
    line = next(n for n, text in enumerate(PLATFORM.splitlines(), 1) if "client_secret:" in text)
    assert caught.value.where is not None
    assert caught.value.where.line == line
    connection = connection_from_platform(project, {**environ, "POLARIS_CLIENT_SECRET": "s3cret"})
    assert connection.credential.client_id == "me"
    assert "s3cret" not in repr(connection)


def test_generated_credentials_are_private_kept_and_random(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert load_secrets(layout) is None
    made = load_or_create_secrets(layout)
    assert load_or_create_secrets(layout) == made
    assert layout.secrets_file.stat().st_mode & 0o777 == 0o600
    assert load_or_create_secrets(Layout(tmp_path / "other")).root != made.root
    layout.secrets_file.write_text("{")
    with pytest.raises(FloeError) as caught:
        load_secrets(layout)
    assert caught.value.code is Code.CONFIG_FILE_UNREADABLE


def test_credentials_that_are_added_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.state_dir.mkdir()
    names = [f"user{number}" for number in range(12)]
    barrier = threading.Barrier(len(names))

    def add(name: str) -> str:
        barrier.wait()
        return store_credential(layout, name).client_secret.get_secret_value()

    with ThreadPoolExecutor(len(names)) as pool:
        told = dict(zip(names, pool.map(add, names), strict=True))
    stored = load_secrets(layout)
    assert stored is not None
    assert {name: known.client_secret.get_secret_value() for name, known in stored.stores.items()} == told
    assert layout.secrets_file.stat().st_mode & 0o777 == 0o600
