"""Settings for other programs: whatever the values, the readers get them back unchanged."""

from __future__ import annotations

import json
import subprocess
import tomllib

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from floe_dev.cli.render.clients import CLIENTS, client_text, dbt_text, environment_text
from floe_dev.model.connection import CatalogConnection, Credential

SECRET = "s3'cr\"et $x"
CONNECTION = CatalogConnection(
    uri="http://127.0.0.1:8181/api/catalog",
    warehouse="demo_catalog",
    credential=Credential(client_id="floe", client_secret=SecretStr(SECRET)),
)

#: What an environment can hold: no NUL, no surrogates.
VALUES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=30)


@given(st.dictionaries(st.from_regex(r"[A-Z][A-Z_]{0,8}", fullmatch=True), VALUES, max_size=4))
def test_toml_and_json_read_back(variables: dict[str, str]) -> None:
    assert json.loads(environment_text(variables, "json")) == variables
    # TOML reads CR LF inside no basic string: the escapes must carry them.
    assert tomllib.loads(environment_text(variables, "toml")) == variables


@settings(max_examples=15, deadline=None)
@given(VALUES.filter(lambda text: "\r" not in text))
def test_a_shell_reads_back(value: str) -> None:
    script = environment_text({"FLOE_X": value}, "shell") + '\nprintf %s "$FLOE_X"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode() == value


@pytest.mark.parametrize(
    "value", ["plain", "two words", "it's", 'quo"te', "$HOME", "a#b", "", "back\\slash", "'\"$x\\"]
)
def test_a_dotenv_reader_reads_back(value: str) -> None:
    from io import StringIO

    from dotenv import dotenv_values

    text = environment_text({"FLOE_X": value}, "dotenv")
    assert dotenv_values(stream=StringIO(text), interpolate=False)["FLOE_X"] == value


def test_pyiceberg_gets_valid_yaml() -> None:
    content = yaml.safe_load(client_text("pyiceberg", CONNECTION))
    assert content["catalog"]["polaris_catalog"]["credential"] == f"floe:{SECRET}"


def test_duckdb_quotes_its_literals() -> None:
    import duckdb

    text = client_text("duckdb", CONNECTION)
    assert "CLIENT_SECRET 's3''cr\"et $x'" in text
    # DuckDB's parser takes all of it.
    assert len(duckdb.extract_statements(text)) == 6


def test_dbts_profile_is_the_stacks_own_and_holds_no_secret() -> None:
    from floe_dev.config.bundled import bundled
    from floe_dev.config.project import load_project

    content = yaml.safe_load(dbt_text(load_project(bundled("sample_project"), {})))
    (profile,) = content.values()
    (output,) = profile["outputs"].values()
    assert output["type"] == "floe"
    assert output["attach"][0]["alias"] == "polaris_catalog"
    assert "env_var" in output["attach"][0]["options"]["CLIENT_SECRET"]


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_learns_the_address(client: str) -> None:
    text = client_text(client, CONNECTION)
    assert CONNECTION.uri in text
