"""The plugin under other plugins and under tests that misbehave, in real runs of pytest."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.testing.test_plugin import SHARED, eventually, of_folder

pytest_plugins = ["pytester"]

QUIET = ("-p", "no:cacheprovider", *("-p", "no:asyncio"), *("-p", "no:pytest_postgresql"))
ORDERED = (*QUIET, "-p", "no:randomly")
TWO = (
    SHARED
    + """
    seen = []

    @pytest.mark.parametrize("number", range(3))
    def test_own(lakehouse, number):
        assert lakehouse.iceberg().list_tables("test") == []
        lakehouse.write("t", [{"id": number}])
        assert_table(lakehouse.table("t")).has_rows(1)
"""
)


@pytest.fixture(autouse=True)
def nothing_is_left(pytester: pytest.Pytester) -> object:
    yield
    assert eventually(lambda: not of_folder(pytester.path))
    assert not list(pytester.path.glob("**/floe/state-*"))


def demand_forked(pytester: pytest.Pytester) -> None:
    """pytest-forked 1.7 cannot carry the reports of pytest 9.1 and later home, whatever the test."""
    plain = pytester.makepyfile(test_plain="def test_plain(): pass")
    works = pytester.runpytest_subprocess(*ORDERED, "--forked", plain).ret == 0
    plain.unlink()
    if not works:
        pytest.skip("pytest-forked does not work with this pytest: pip install 'pytest<9.1'")


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((*ORDERED,), id="plain"),
        pytest.param(QUIET, id="randomly"),
        pytest.param((*ORDERED, "--forked"), id="forked"),
        pytest.param((*QUIET, "-n2", "--forked"), id="everything"),
    ],
)
def test_it_works_under(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    if "--forked" in options:
        demand_forked(pytester)
    pytester.makepyfile(TWO)
    pytester.runpytest_subprocess(*options).assert_outcomes(passed=3)


def test_forked_tests_share_one_catalog(pytester: pytest.Pytester) -> None:
    demand_forked(pytester)
    pytester.makepyfile(
        """
    import pytest
    from pathlib import Path
    @pytest.mark.parametrize("number", range(3))
    def test_pid(lakehouse, number):
        with (Path(__file__).parent / "pids").open("a") as file:
            file.write(f"{lakehouse.stack.pid}\\n")
    """
    )
    pytester.runpytest_subprocess(*ORDERED, "--forked").assert_outcomes(passed=3)
    assert len(set((pytester.path / "pids").read_text().split())) == 1


def test_a_rerun_has_a_new_lakehouse(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        SHARED
        + """
    names = []
    def test_flaky(lakehouse):
        names.append(lakehouse.catalog)
        lakehouse.write("t", [{"id": 1}])
        assert len(names) == 3 and len(set(names)) == 3
    """
    )
    result = pytester.runpytest_subprocess(*ORDERED, "--reruns", "3", "--floe-capsule=no")
    assert result.parseoutcomes() == {"passed": 1, "rerun": 2}


def test_a_worker_that_dies_with_the_lock_stops_nobody(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        SHARED
        + """
    import fcntl, os, signal
    from pathlib import Path

    @pytest.mark.parametrize("number", range(6))
    def test_one(lakehouse, number):
        lock = lakehouse.stack.folder / "start.lock"
        try:
            (Path(__file__).parent / "died").touch(exist_ok=False)
        except FileExistsError:
            pass
        else:
            held = lock.open("w")
            fcntl.flock(held, fcntl.LOCK_EX)
            os.kill(os.getpid(), signal.SIGKILL)
        lakehouse.write("t", [{"id": number}])
    """
    )
    result = pytester.runpytest_subprocess(*ORDERED, "-n2")
    outcomes = result.parseoutcomes()
    # xdist reports the crashed test and starts another worker, which takes the same catalog.
    assert outcomes["failed"] == 1
    assert outcomes["passed"] == 5


def test_a_catalog_that_was_killed_is_replaced_for_the_next_user(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        SHARED
        + """
    import os, signal, time
    from floe_dev.testing.stack import answers, shared_stack

    def test_killed(floe):
        os.kill(floe.pid, signal.SIGKILL)
        while True:
            try:
                os.kill(floe.pid, 0)
                if os.waitpid(floe.pid, os.WNOHANG)[0]: break
            except (ProcessLookupError, ChildProcessError): break
            time.sleep(0.01)
        with shared_stack(floe.folder) as again:
            assert again.pid != floe.pid
            assert again.admin.send("GET", "/api/management/v1/catalogs")["catalogs"] == []
    """
    )
    pytester.runpytest_subprocess(*ORDERED).assert_outcomes(passed=1)


ENDING = """
    import sys
    from pathlib import Path
    from floe_dev.testing.stack import shared_stack

    with shared_stack(Path(sys.argv[1])):
        print("ready", flush=True)
        sys.stdin.read()
"""


def test_a_run_that_still_ends_leaves_the_next_one_in_its_basetemp_alone(tmp_path: Path) -> None:
    """Pytest empties --basetemp when a run begins; the catalog of the run before may be there for a moment more."""
    from floe_dev.testing.stack import shared_stack

    base = tmp_path / "base"
    ending = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(ENDING), str(base / "floe")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert ending.stdout is not None
    assert ending.stdout.readline() == "ready\n"
    (old,) = of_folder(base)
    shutil.rmtree(base)
    with shared_stack(base / "floe") as stack:
        ending.communicate("", timeout=20)
        old.wait(20)
        assert stack.admin.send("GET", "/api/management/v1/catalogs")["catalogs"] == []
        with shared_stack(base / "floe") as again:
            assert again.pid == stack.pid
    assert eventually(lambda: not of_folder(base))
    assert not list((base / "floe").glob("state-*"))


MISBEHAVING = """
    import os, socket, threading
    from pathlib import Path
    home = Path(__file__).parent / "home"

    def test_drops_its_own_catalog(lakehouse, floe):
        lakehouse.write("t", [{"id": 1}])
        lakehouse.iceberg().drop_table("test.t")
        floe.admin.send("DELETE", f"/api/catalog/v1/{lakehouse.catalog}/namespaces/test")
        floe.admin.send("DELETE", f"/api/management/v1/catalogs/{lakehouse.catalog}")

    def test_leaves_a_transaction_open(lakehouse, duckdb_conn):
        duckdb_conn.execute("BEGIN")
        duckdb_conn.execute("CREATE TABLE t AS SELECT 1 AS id")
        pending = lakehouse.write("u", [{"id": 1}]).transaction()
        pending.set_properties(a="b")

    def test_leaves_a_server_open(lakehouse):
        server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=lambda: server.accept(), daemon=True).start()
        lakehouse.keep_alive = server

    def test_forks(lakehouse):
        lakehouse.write("t", [{"id": 1}])
        pid = os.fork()
        if pid == 0:
            rows = lakehouse.table("t").scan().to_arrow().num_rows
            lakehouse.stack.admin.send("GET", "/api/management/v1/catalogs")
            os._exit(rows)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
        assert_table(lakehouse.table("t")).has_rows(1)

    def test_forks_and_comes_back_twice(lakehouse):
        lakehouse.write("t", [{"id": 1}])
        if os.fork() == 0:
            try:
                raise SystemExit  # what a library may do in its child
            except SystemExit:
                os._exit(0)
        os.wait()
        assert_table(lakehouse.table("t")).has_rows(1)

    def test_changes_directory_and_home(lakehouse, dbt, monkeypatch):
        home.mkdir()
        os.chdir(home)
        os.environ["HOME"] = str(home)
        dbt({"a": "{{ config(materialized='table') }} select 1 as id"})

    def test_the_next_one_is_well(lakehouse, duckdb_conn):
        lakehouse.write("t", [{"id": 1}])
        assert_table(duckdb_conn.sql("from t")).has_rows(1)

    def test_nothing_of_them_is_left(floe):
        names = {c["name"] for c in floe.admin.send("GET", "/api/management/v1/catalogs")["catalogs"]}
        assert names == set()
        assert not list((floe.folder / "state" / "warehouse").glob("**/*.parquet"))
        assert not list(home.glob("**/*dbt*"))
"""


def test_tests_that_misbehave_harm_no_other(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SHARED + MISBEHAVING)
    pytester.runpytest_subprocess(*ORDERED).assert_outcomes(passed=8)


def test_no_engine_is_a_reason_to_skip_or_with_strict_to_fail(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{pytester.path}/none.sock")
    pytester.makepyfile(
        """
    import pytest
    @pytest.mark.floe(stack="lakehouse-lite")
    def test_lite(lakehouse): pass
    """
    )
    skipped = pytester.runpytest_subprocess(*ORDERED, "-rs")
    skipped.assert_outcomes(skipped=1)
    skipped.stdout.fnmatch_lines(['*SKIPPED*stack="lakehouse-lite": FLOE230*'])
    failed = pytester.runpytest_subprocess(*ORDERED, "--floe-strict")
    assert failed.ret == 1
    failed.stdout.fnmatch_lines(['*stack="lakehouse-lite": FLOE230*'])
    assert "Traceback" not in failed.stdout.str()


def test_another_version_of_the_shared_stack_is_refused(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
    import json, pytest
    from floe_dev.errors import FloeError
    from floe_dev.testing.stack import shared_stack
    def test_old(floe):
        record = floe.folder / "catalog.json"
        content = json.loads(record.read_text())
        record.write_text(json.dumps({**content, "version": "0.0.1"}))
        with pytest.raises(FloeError, match="FLOE2107.*floe_dev 0.0.1"), shared_stack(floe.folder):
            pass
        record.write_text(json.dumps(content))
    """
    )
    pytester.runpytest_subprocess(*ORDERED).assert_outcomes(passed=1)


def test_the_plugin_named_twice_is_loaded_once(pytester: pytest.Pytester) -> None:
    pytester.makeconftest('pytest_plugins = ["floe_dev.testing.plugin"]')
    pytester.makepyfile("def test_a(lakehouse): pass")
    pytester.runpytest_subprocess(*ORDERED, "-p", "floe_dev.testing.plugin").assert_outcomes(passed=1)


def test_two_copies_of_the_plugin_are_one_clear_message(pytester: pytest.Pytester) -> None:
    found = importlib.util.find_spec("floe_dev.testing.plugin")
    assert found is not None
    assert found.origin is not None
    (pytester.path / "old_floe_plugin.py").write_text(Path(found.origin).read_text())
    result = pytester.runpytest_subprocess(*ORDERED, "-p", "old_floe_plugin")
    assert result.ret == 4
    text = result.stderr.str() + result.stdout.str()
    assert "two copies of floe_dev's pytest plugin are loaded" in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        ('isolation="table"', "isolation is one of catalog, namespace, stack"),
        ('isolaton="catalog"', "it takes isolation=, stack=, template="),
        ('"catalog"', "it takes isolation=, stack=, template="),
        ('template="nothing"', "there is no `@floe_template` function of that name"),
        ('template="lakehouse_factory"', "is not made by `@floe_template`"),
        ('stack="lakehose"', "tests know no stack `lakehose`"),
    ],
)
def test_a_marker_that_is_wrong_is_one_clear_message(pytester: pytest.Pytester, marker: str, words: str) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.floe({marker})\ndef test_a(lakehouse): pass")
    result = pytester.runpytest_subprocess(*ORDERED, "--floe-capsule=no")
    assert result.ret != 0
    assert words in result.stdout.str().replace("\n", " ")


def test_a_template_that_fails_says_why_in_each_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
    import pytest
    from floe_dev.testing import floe_template

    @floe_template
    def broken(lakehouse):
        raise ValueError("no source")

    @floe_template
    def greedy(tmp_path): pass

    @pytest.mark.floe(template="broken")
    @pytest.mark.parametrize("n", [1, 2])
    def test_a(lakehouse, n): pass

    @pytest.mark.floe(template="greedy")
    def test_b(lakehouse): pass
    """
    )
    result = pytester.runpytest_subprocess(*ORDERED)
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines(["*ValueError: no source*", "*asks for `tmp_path`*"])


def test_a_template_is_built_once_for_all_workers(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        SHARED
        + """
    from pathlib import Path
    from floe_dev.testing import floe_template

    @floe_template
    def base(lakehouse):
        with (Path(__file__).parent / "built").open("a") as file: file.write("x")
        lakehouse.write("t", [{"id": 1}])

    @pytest.mark.floe(template="base")
    @pytest.mark.parametrize("n", range(6))
    def test_a(lakehouse, n):
        lakehouse.table("t").append(pa.table({"id": [n]}))
        assert_table(lakehouse.table("t")).has_rows(2)
    """
    )
    pytester.runpytest_subprocess(*ORDERED, "-n2").assert_outcomes(passed=6)
    assert (pytester.path / "built").read_text() == "x"


def test_a_catalog_that_runs_already_is_used_and_left_as_it_was(pytester: pytest.Pytester) -> None:
    from floe_dev.testing.stack import shared_stack

    pytester.makepyfile(
        SHARED
        + """
    from floe_dev.testing import floe_template
    @floe_template
    def base(lakehouse): lakehouse.write("t", [{"id": 1}])
    @pytest.mark.floe(template="base")
    @pytest.mark.parametrize("n", range(2))
    def test_a(lakehouse, floe, n):
        assert floe.pid is None
        assert_table(lakehouse.table("t")).has_rows(1)
    """
    )
    with shared_stack(pytester.path / "somebody" / "floe") as running:
        secret = running.root.credential.client_secret.get_secret_value()
        for name, value in (("FLOE_TEST_CLIENT_ID", "root"), ("FLOE_TEST_CLIENT_SECRET", secret)):
            os.environ[name] = value
        try:
            result = pytester.runpytest_subprocess(*ORDERED, f"--floe-url={running.url}", "-n2")
        finally:
            del os.environ["FLOE_TEST_CLIENT_ID"], os.environ["FLOE_TEST_CLIENT_SECRET"]
        result.assert_outcomes(passed=2)
        assert running.admin.send("GET", "/api/management/v1/catalogs")["catalogs"] == []
    assert secret not in result.stdout.str()


def test_ini_options_and_scopes(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nfloe_isolation = namespace\nfloe_capsule = no\n")
    pytester.makepyfile(
        """
    import pytest
    from floe_dev.testing import factories

    once = factories.lakehouse(scope="session", isolation="catalog")
    mine = factories.stack()

    def test_ini(lakehouse): assert lakehouse.isolation == "namespace"
    def test_factory(once, mine): assert once.isolation == "catalog" and once.stack is mine
    @pytest.mark.floe(isolation="stack")
    def test_own(lakehouse, mine):
        assert lakehouse.stack.pid != mine.pid
        lakehouse.write("t", [{"id": 1}])
    class TestClass:
        pytestmark = pytest.mark.floe(isolation="catalog")
        def test_class(self, lakehouse): assert lakehouse.isolation == "catalog"
        @pytest.mark.floe(isolation="namespace")
        def test_closer(self, lakehouse): assert lakehouse.isolation == "namespace"
    """
    )
    pytester.runpytest_subprocess(*ORDERED).assert_outcomes(passed=5)


def test_a_failure_is_told_in_its_own_words_and_leaves_a_capsule(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        SHARED
        + """
    def test_rows(lakehouse):
        lakehouse.write("t", [{"id": 1}])
        assert_table(lakehouse.table("t")).equals([{"id": 2}], key="id")

    def test_dbt(dbt):
        dbt({"a": "{{ config(materialized='table') }} select no_such_column"})
    """
    )
    result = pytester.runpytest_subprocess(*ORDERED, "--floe-capsule=out", "-n2")
    result.assert_outcomes(failed=2)
    files = sorted(file.name for file in (pytester.path / "out").glob("*.zip"))
    assert len(files) == 2
    for name in files:
        result.stdout.fnmatch_lines([f"capsule: *{name}", "open it with: floe open *"])
    result.stdout.fnmatch_lines(["E *unexpected: {'id': 1}"])
    result.stdout.fnmatch_lines(['E *"no_such_column" was not found*'])
    text = result.stdout.str()
    assert "raise AssertionError" not in text, "the plugin's own lines"
    assert "\x1b" not in text
