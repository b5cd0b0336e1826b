"""The pytest plugin in real runs of pytest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

pytest_plugins = ["pytester"]

#: A run of pytest with our plugin and xdist: in the tests' order, and without a cache.
PLAIN = ("-p", "no:cacheprovider", *("-p", "no:randomly"), *("-p", "no:asyncio"), *("-p", "no:pytest_postgresql"))

SHARED = """
    import pytest, pyarrow as pa
    from floe_dev.testing.assertions import assert_table
"""


def of_folder(folder: Path) -> list[psutil.Process]:
    """Catalog processes whose files are below `folder`."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if "floe_dev.testing.keeper" in command and any(str(folder) in part for part in command):
            found.append(process)
    return found


def eventually(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


@pytest.fixture(autouse=True)
def nothing_is_left(pytester: pytest.Pytester) -> Iterator[None]:
    """Every test of this module ends without a catalog process of its own and without that catalog's files."""
    yield
    assert eventually(lambda: not of_folder(pytester.path))
    assert not list(pytester.path.glob("**/floe/state-*"))


def test_importing_the_plugin_imports_nothing_heavy() -> None:
    code = (
        "import pytest, sys, time; t = time.perf_counter(); import floe_dev.testing.plugin; "
        "print(time.perf_counter() - t); "
        "print([m for m in ('pyiceberg', 'duckdb', 'dagster', 'dbt', 'pyarrow', 'pydantic', 'requests', 'yaml') "
        "if m in sys.modules])"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(3)]
    assert {run.stdout.splitlines()[1] for run in runs} == {"[]"}
    # The best of three: the machine may be busy.
    assert min(float(run.stdout.splitlines()[0]) for run in runs) < 0.02


def test_a_run_that_asks_for_nothing_starts_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_a(): pass")
    pytester.runpytest_subprocess(*PLAIN).assert_outcomes(passed=1)
    assert not list(pytester.path.glob("**/catalog.log"))


def test_every_fixture_gives_a_working_lakehouse(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        SHARED
        + """
    isolations = [
        pytest.param("catalog", marks=pytest.mark.floe(isolation="catalog")),
        pytest.param("namespace", marks=pytest.mark.floe(isolation="namespace")),
    ]

    @pytest.mark.parametrize("isolation", isolations)
    def test_pyiceberg_writes_and_duckdb_reads(iceberg_catalog, duckdb_conn, lakehouse, isolation):
        assert lakehouse.isolation == isolation
        table = iceberg_catalog.create_table(f"{lakehouse.namespace}.t", schema=pa.schema([("id", pa.int64())]))
        table.append(pa.table({"id": [1, 2]}))
        assert_table(duckdb_conn.sql("SELECT * FROM t")).equals([{"id": 2}, {"id": 1}])
        duckdb_conn.execute("CREATE TABLE made AS SELECT 3 AS id")
        assert_table(lakehouse.table("made")).has_rows(1).matches({"id": "int32"})

    def test_dbt_builds_models_and_shows_why_it_cannot(dbt, lakehouse):
        dbt({"a": "{{ config(materialized='table') }} SELECT 1 AS id", "b": "SELECT id + 1 AS id FROM {{ ref('a') }}"})
        assert_table(lakehouse.table("a")).equals([{"id": 1}])
        assert_table(lakehouse.duckdb().sql("SELECT * FROM b")).equals([{"id": 2}])
        with pytest.raises(AssertionError, match="no_such_column"):
            dbt({"c": "{{ config(materialized='table') }} SELECT no_such_column FROM {{ ref('a') }}"})

    @pytest.fixture(scope="module")
    def common(lakehouse_factory):
        with lakehouse_factory("common") as lakehouse:
            lakehouse.iceberg().create_table("test.t", schema=pa.schema([("id", pa.int64())]))
            yield lakehouse

    def test_factory_one(common): common.table("t").append(pa.table({"id": [1]}))
    def test_factory_two(common): assert_table(common.table("t")).has_rows(1)
    """
    )
    pytester.runpytest_subprocess(*PLAIN).assert_outcomes(passed=5)


def test_workers_share_one_catalog_and_tests_are_isolated(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        SHARED
        + """
    from pathlib import Path
    from pyiceberg.exceptions import RESTError
    seen = Path(__file__).parent / "seen"

    @pytest.mark.parametrize("number", range(3))
    @pytest.mark.parametrize("isolation", [
        pytest.param("catalog", marks=pytest.mark.floe(isolation="catalog")),
        pytest.param("namespace", marks=pytest.mark.floe(isolation="namespace")),
    ])
    def test_same_name(iceberg_catalog, lakehouse, floe, number, isolation):
        own = f"{lakehouse.namespace}.t"
        assert iceberg_catalog.list_tables(lakehouse.namespace) == []
        iceberg_catalog.create_table(own, schema=pa.schema([("id", pa.int64())])).append(pa.table({"id": [number]}))
        with seen.open("a") as output:
            output.write(f"{floe.pid} {lakehouse.catalog} {lakehouse.namespace}\\n")

    @pytest.mark.parametrize("isolation", ["catalog", "namespace"])
    def test_another_principal_is_refused(lakehouse_factory, isolation):
        with lakehouse_factory("one", isolation) as one, lakehouse_factory("two", isolation) as two:
            one.iceberg().create_table(f"{one.namespace}.t", schema=pa.schema([("id", pa.int64())]))
            intruder = two.connection.pyiceberg_properties() | {"warehouse": one.catalog}
            from pyiceberg.catalog.rest import RestCatalog
            refusal = "Forbidden" if isolation == "namespace" else "Unable to find warehouse"
            with pytest.raises(RESTError, match=refusal):
                RestCatalog("x", **intruder).load_table(f"{one.namespace}.t")
    """
    )
    pytester.runpytest_subprocess(*PLAIN, "-n2").assert_outcomes(passed=8)
    lines = [line.split() for line in (pytester.path / "seen").read_text().splitlines()]
    assert len({pid for pid, _, _ in lines}) == 1
    assert len({(catalog, namespace) for _, catalog, namespace in lines}) == 6


def test_a_lakehouse_is_dropped_after_its_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        SHARED
        + """
    from floe_dev.testing.admin import MANAGEMENT
    before = []

    @pytest.mark.parametrize("isolation", [
        pytest.param("catalog", marks=pytest.mark.floe(isolation="catalog")),
        pytest.param("namespace", marks=pytest.mark.floe(isolation="namespace")),
    ])
    def test_fills(lakehouse, isolation):
        catalog = lakehouse.iceberg()
        catalog.create_namespace((lakehouse.namespace, "below"))
        for name in (f"{lakehouse.namespace}.t", f"{lakehouse.namespace}.below.t"):
            catalog.create_table(name, schema=pa.schema([("id", pa.int64())])).append(pa.table({"id": [1]}))
        before.append(lakehouse)

    def test_drops_its_own(lakehouse):
        catalog = lakehouse.iceberg()
        catalog.drop_namespace(lakehouse.namespace)
        before.append(lakehouse)

    def test_all_gone(floe):
        assert len(before) == 3
        catalogs = floe.admin.send("GET", f"{MANAGEMENT}/catalogs")["catalogs"]
        assert [c["name"] for c in catalogs] == ["floe_tests"]
        for kind, key in (("principals", "principals"), ("principal-roles", "roles")):
            names = {item["name"] for item in floe.admin.send("GET", f"{MANAGEMENT}/{kind}")[key]}
            assert not names & {lakehouse.principal for lakehouse in before}, names
        assert not list((floe.folder / "state" / "warehouse").glob("**/*.parquet"))
    """
    )
    pytester.runpytest_subprocess(*PLAIN).assert_outcomes(passed=4)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_killed_run_leaves_nothing(pytester: pytest.Pytester, workers: int) -> None:
    pytester.makepyfile(
        """
    import time, pytest
    from pathlib import Path
    @pytest.mark.parametrize("n", [1, 2])
    def test_hangs(lakehouse, n):
        (Path(__file__).parent / f"ready{n}").touch()
        time.sleep(600)
    """
    )
    command = [sys.executable, "-m", "pytest", *PLAIN, f"--basetemp={pytester.path / 'base'}"]
    run = subprocess.Popen(
        [*command, *([f"-n{workers}"] if workers else [])], cwd=pytester.path, stdout=subprocess.DEVNULL
    )
    expected = max(workers, 1)
    family: list[psutil.Process] = []
    try:
        assert eventually(lambda: len(list(pytester.path.glob("ready*"))) == expected, 60)
        family = psutil.Process(run.pid).children(recursive=True)
        assert len(of_folder(pytester.path)) == 1
        os.kill(run.pid, signal.SIGKILL)
        for worker in family:
            # xdist's own workers hang in the test; they are killed as a CI's job would be.
            if "floe_dev.testing.keeper" not in worker.cmdline():
                worker.kill()
    finally:
        run.kill()
        run.wait()
    assert eventually(lambda: not of_folder(pytester.path))


def test_a_failed_test_can_be_looked_at(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SHARED + "\n    def test_fails(lakehouse): assert lakehouse.catalog == 'x'\n")
    result = pytester.runpytest_subprocess(*PLAIN, "--floe-keep")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the lakehouse was kept*", "catalog `test_fails_*", "its credential: . *.env"])
    kept = of_folder(pytester.path)
    try:
        assert len(kept) == 1
        (file,) = pytester.path.glob("**/kept/*.env")
        assert file.stat().st_mode & 0o777 == 0o600
        secret = next(line for line in file.read_text().splitlines() if "SECRET" in line).split("'")[1]
        assert secret not in result.stdout.str()
        probe = "import os; from pyiceberg.catalog.rest import RestCatalog; e = os.environ; print(RestCatalog('x', "
        probe += "uri=e['POLARIS_URI'], warehouse=e['POLARIS_WAREHOUSE'], scope=e['POLARIS_SCOPE'], "
        probe += "credential=e['POLARIS_CLIENT_ID'] + ':' + e['POLARIS_CLIENT_SECRET']).list_namespaces())"
        script = f'. {file} && {sys.executable} -W ignore -c "{probe}"'
        seen = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
        assert "('test',)" in seen.stdout, seen.stderr
    finally:
        for process in kept:
            process.kill()
            process.wait(10)
    (state,) = pytester.path.glob("**/floe/state-*")
    state.rename(state.with_name("looked-at"))


def test_what_was_kept_outlives_later_runs(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pytest deletes the temporary folders of all runs but the last three."""
    temporary = pytester.mkdir("t")
    monkeypatch.setenv("PYTEST_DEBUG_TEMPROOT", str(temporary))
    pytester.makepyfile(
        test_kept="def test_fails(lakehouse): lakehouse.write('t', [{'id': 1}]); assert 0",
        test_later="def test_later(tmp_path): pass",
    )
    base = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:asyncio")
    assert pytester.run(*base, "--floe-keep", "--floe-capsule=no", "test_kept.py").ret == 1
    (kept,) = of_folder(pytester.path)
    try:
        (file,) = temporary.glob("**/kept/*.env")
        lock = next(above for above in file.parents if above.parent.parent == temporary) / ".lock"
        assert eventually(lock.exists)
        for _ in range(4):
            assert pytester.run(*base, "test_later.py").ret == 0
        assert file.exists()
        (state,) = file.parent.parent.glob("state-*")
        assert (state / "catalog.db").exists()
    finally:
        kept.kill()
        kept.wait(10)
    state.rename(state.with_name("looked-at"))


def test_an_unknown_isolation_is_a_clear_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
    import pytest
    @pytest.mark.floe(isolation="table")
    def test_a(lakehouse): pass
    """
    )
    result = pytester.runpytest_subprocess(*PLAIN)
    result.stdout.fnmatch_lines(["*isolation='table'*isolation is one of catalog, namespace*"])
