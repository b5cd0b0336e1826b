"""What every kind of catalog has to hold to."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from floe_dev.catalogs.base import Catalog
from floe_dev.compute.duckdb import attach_sql, load_extensions
from floe_dev.config.plugins import load
from floe_dev.model.connection import CatalogConnection
from floe_dev.model.platform import CatalogSpec, SecretRef

_SECRET = "a-value-that-only-the-resolver-knows"


def _resolve(key: str, ref: SecretRef) -> SecretStr:
    return SecretStr(f"{key}={ref.secret_ref}={_SECRET}")


class CatalogContract:
    """Fixtures to give: `catalog`, a complete `spec`, and `live` where there is a server to try it on."""

    @pytest.fixture
    def catalog(self) -> Catalog:
        """The catalog under test."""
        raise NotImplementedError

    @pytest.fixture
    def spec(self) -> CatalogSpec:
        """A platform.yaml entry of its type with nothing missing."""
        raise NotImplementedError

    @pytest.fixture
    def live(self) -> CatalogConnection:
        """A connection it made to a running server whose principal may write."""
        pytest.skip("no server of this kind runs here")

    @pytest.fixture
    def made(self, catalog: Catalog, spec: CatalogSpec) -> CatalogConnection:
        """What it makes of the spec."""
        return catalog.connection(spec, spec.uri, _resolve)

    def test_it_is_found_by_its_type(self, catalog: Catalog) -> None:
        """Under the word that platform.yaml has for it."""
        assert load("catalogs", catalog.type) is catalog

    def test_a_complete_entry_has_no_problems(self, catalog: Catalog, spec: CatalogSpec) -> None:
        """And an entry with its address alone is either complete, or told what it lacks and how to mend it."""
        assert list(catalog.problems(spec)) == []
        bare = CatalogSpec(type=catalog.type, uri="https://catalog.example.com/api", warehouse="w")
        for keys, why, fix in catalog.problems(bare):
            assert keys
            assert why
            assert fix

    def test_the_address_is_the_one_it_is_given(self, catalog: Catalog, spec: CatalogSpec) -> None:
        """A stack's catalog may listen elsewhere than platform.yaml says."""
        moved = catalog.connection(spec, "http://127.0.0.1:1/elsewhere", _resolve)
        assert moved.uri == "http://127.0.0.1:1/elsewhere"
        assert moved.warehouse == spec.warehouse
        assert moved.alias == spec.alias

    def test_no_secret_is_shown(self, made: CatalogConnection) -> None:
        """Not when the connection is printed, nor in what is logged of it."""
        told = f"{made!r} {made} {made.model_dump()!r}".replace(f"client_id={_SECRET}", "")
        assert f"client_secret={_SECRET}" not in told
        assert "=client_secret" not in told

    def test_pyiceberg_and_duckdb_get_the_same_catalog(self, made: CatalogConnection) -> None:
        """One address, one warehouse, one way to authenticate."""
        properties, options = made.pyiceberg_properties(), made.attach_options()
        assert properties["uri"] == options["ENDPOINT"] == made.uri
        assert properties["warehouse"] == made.warehouse
        signed = properties.get("rest.sigv4-enabled") == "true"
        assert signed is (options.get("AUTHORIZATION_TYPE") == "sigv4")
        assert signed is not ("CLIENT_SECRET" in options)

    def test_a_table_is_made_written_read_and_dropped(self, live: CatalogConnection) -> None:
        """By PyIceberg and DuckDB on the running server; every commit goes through it."""
        import duckdb
        import pyarrow as pa
        from pyiceberg.catalog import load_catalog

        client = load_catalog("contract", **live.pyiceberg_properties())
        client.create_namespace_if_not_exists("contract")
        rows = pa.table({"id": pa.array([1, 2, 3], pa.int64())})
        table = client.create_table("contract.t", rows.schema)
        try:
            table.append(rows)
            with duckdb.connect() as database:
                load_extensions(database)
                database.execute(attach_sql(live))
                found = database.execute(f"SELECT sum(id) FROM {live.alias}.contract.t").fetchone()
            assert found == (6,)
            assert len(client.load_table("contract.t").snapshots()) == 1
        finally:
            client.drop_table("contract.t")
        assert not client.table_exists("contract.t")
