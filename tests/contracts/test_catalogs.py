"""Each kind of catalog; floe's own server plays the one that is there."""

from __future__ import annotations

import http.server
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from floe_dev.catalogs.base import Catalog
from floe_dev.config.connection import connection_from_platform
from floe_dev.config.plugins import load, names
from floe_dev.config.project import load_project
from floe_dev.errors import Code, FloeError
from floe_dev.model.connection import CatalogConnection
from floe_dev.model.platform import CatalogCredentials, CatalogSpec, SecretRef
from floe_dev.testing.contracts import CatalogContract
from floe_dev.testing.lakehouse import Lakehouse
from tests.cli.tiny import FLOE_YAML, PLATFORM_YAML

OAUTH = CatalogCredentials(client_id=SecretRef(secret_ref="id"), client_secret=SecretRef(secret_ref="secret"))


class TestPolaris(CatalogContract):
    @pytest.fixture
    def catalog(self) -> Catalog:
        found: Catalog = load("catalogs", "polaris")
        return found

    @pytest.fixture
    def spec(self, catalog: Catalog) -> CatalogSpec:
        return CatalogSpec(type=catalog.type, uri="http://127.0.0.1:1/api", warehouse="lake", credentials=OAUTH)

    @pytest.fixture
    def live(self, catalog: Catalog, spec: CatalogSpec, lakehouse: Lakehouse) -> CatalogConnection:
        credential = lakehouse.connection.credential
        values = {"id": SecretStr(credential.client_id), "secret": credential.client_secret}
        here = spec.model_copy(update={"warehouse": lakehouse.catalog})
        return catalog.connection(here, lakehouse.url, lambda _key, ref: values[ref.secret_ref])


class TestRest(TestPolaris):
    @pytest.fixture
    def catalog(self) -> Catalog:
        found: Catalog = load("catalogs", "rest")
        return found


class TestGlue(CatalogContract):
    @pytest.fixture
    def catalog(self) -> Catalog:
        found: Catalog = load("catalogs", "glue")
        return found

    @pytest.fixture
    def spec(self) -> CatalogSpec:
        return CatalogSpec(
            type="glue",
            uri="https://glue.eu-central-1.amazonaws.com/iceberg",
            warehouse="123456789012",
            credentials=CatalogCredentials(mode="sigv4"),
            access_delegation="vended-credentials",
        )

    def test_pyiceberg_signs_its_requests_for_glue_in_the_region_of_the_address(
        self, catalog: Catalog, spec: CatalogSpec, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A server that only listens hears what Glue would."""
        heard: list[str] = []

        class Listener(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                heard.append(self.headers.get("Authorization", ""))
                body = b'{"defaults": {}, "overrides": {}, "namespaces": []}'
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None: ...

        for name, value in (("ACCESS_KEY_ID", "AKIDEXAMPLE"), ("SECRET_ACCESS_KEY", "x")):
            monkeypatch.setenv(f"AWS_{name}", value)
        server = http.server.HTTPServer(("127.0.0.1", 0), Listener)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            from pyiceberg.catalog import load_catalog

            connection = catalog.connection(
                spec, f"http://127.0.0.1:{server.server_port}", lambda _key, _ref: SecretStr("")
            )
            load_catalog("glue", **connection.pyiceberg_properties()).list_namespaces()
        finally:
            server.shutdown()
        assert heard
        assert all(told.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") for told in heard)
        assert all("/eu-central-1/glue/aws4_request" in told for told in heard)

    def test_a_token_or_no_region_is_told_at_its_line(self, tmp_path: Path) -> None:
        (tmp_path / "floe.yaml").write_text(FLOE_YAML)
        (tmp_path / "platform.yaml").write_text(PLATFORM_YAML.replace("type: polaris", "type: glue"))
        with pytest.raises(FloeError) as refused:
            connection_from_platform(load_project(tmp_path, {}), {})
        assert refused.value.code is Code.INVALID_VALUE
        assert refused.value.where is not None
        line = PLATFORM_YAML.splitlines().index("      mode: oauth2") + 1
        assert refused.value.where.line == line
        assert "sigv4" in str(refused.value.fix)


@pytest.mark.parametrize(
    ("old", "new", "near"),
    [("type: polaris", "type: polari", "polaris"), ("files: {type: file}", "files: {type: fille}", "file")],
)
def test_a_type_that_nothing_registers_is_refused_at_its_line(tmp_path: Path, old: str, new: str, near: str) -> None:
    (tmp_path / "floe.yaml").write_text(FLOE_YAML)
    text = PLATFORM_YAML.replace(old, new)
    (tmp_path / "platform.yaml").write_text(text)
    with pytest.raises(FloeError) as refused:
        load_project(tmp_path, {})
    line = next(number for number, found in enumerate(text.splitlines(), 1) if new in found)
    assert f"platform.yaml:{line}:" in str(refused.value)
    assert f"write `{near}`" in str(refused.value)


def test_a_word_of_the_platform_without_code_is_refused_when_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "floe.yaml").write_text(FLOE_YAML)
    (tmp_path / "platform.yaml").write_text(PLATFORM_YAML.replace("type: polaris", "type: hive"))
    with pytest.raises(FloeError) as refused:
        connection_from_platform(load_project(tmp_path, {}), {})
    assert refused.value.code is Code.NO_SUCH_PLUGIN
    assert refused.value.where is not None
    assert refused.value.where.line == PLATFORM_YAML.splitlines().index("    type: polaris") + 1


def test_what_floe_registers_is_installed() -> None:
    assert {"glue", "polaris", "rest"} <= set(names("catalogs"))
    assert {"duckdb", "snowflake", "spark"} <= set(names("computes"))
    assert {"airflow", "dagster", "prefect"} <= set(names("orchestrators"))
    assert {"file", "minio"} <= set(names("storages"))
