"""Every command against a real running stack (shared; nothing here stops it or fails its assets)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pyiceberg.catalog.rest import RestCatalog

from floe_dev.errors import ExitCode
from floe_dev.session import Session
from tests.cli.conftest import RunningStack
from tests.cli.helpers import cost, environment, floe

pytestmark = pytest.mark.stack

ROWS = {"bronze.raw": 10, "bronze.other": 5, "silver.clean": 8, "silver.last": 2}


def secrets_of(stack: RunningStack) -> list[str]:
    """Every secret the stack has."""
    content = json.loads((stack.root / ".floe" / "secrets.json").read_text())
    found = [content["root"]["client_secret"], content["signing_key"]]
    return found + [item["client_secret"] for item in content["principals"].values()]


def test_the_summary_of_the_first_up_says_all(stack: RunningStack) -> None:
    text = stack.first_up
    for name, rows in ROWS.items():
        assert any(line.split() == [name, str(rows)] for line in text.splitlines()), name
    for wanted in ("http://127.0.0.1:", "provision", "run of 4 assets", " sql ", " down"):
        assert wanted in text
    query = next(line.split("query", 1)[1].strip() for line in text.splitlines() if line.strip().startswith("query"))
    done = subprocess.run(
        query, shell=True, cwd=stack.root, env=environment(stack.env), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_up_while_up_says_so(stack: RunningStack) -> None:
    before = stack.json("status")
    done = stack.floe("up")
    assert done.returncode == 0
    assert "already running" in done.stderr
    assert "ready" in done.stdout
    again = stack.json("up")
    assert again["alreadyRunning"] is True
    assert again["supervisor_pid"] == before["supervisor_pid"]


def test_up_with_another_stack_is_refused(stack: RunningStack) -> None:
    done = stack.floe("up", "--stack", "lakehouse")
    assert done.returncode != 0
    assert "FLOE" in done.stderr
    assert stack.json("status")["state"] == "ready"


def test_status_tells_services_ports_and_urls(stack: RunningStack) -> None:
    status = stack.json("status")
    assert status["schemaVersion"] == 1
    assert status["state"] == "ready"
    assert {"catalog", "dagster-code", "dagster-webserver", "dagster-daemon"} <= {s["name"] for s in status["services"]}
    assert all(service["state"] == "ready" for service in status["services"])
    assert set(status["urls"]) == {"catalog", "dagster"}


def test_status_costs_little_more_than_python(stack: RunningStack, tmp_path: Path) -> None:
    assert cost(["status"], stack.root, tmp_path / "cache", stack.env) < 12


def test_status_imports_nothing_heavy(stack: RunningStack) -> None:
    program = (
        "import sys; from floe_dev.cli.main import main; code = main(['status']); "
        "print([m for m in ('pydantic', 'yaml', 'dagster', 'duckdb', 'pyiceberg', 'rich') if m in sys.modules]); "
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=stack.root,
        env=environment(stack.env),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_sql_tables_and_pyiceberg_agree(stack: RunningStack) -> None:
    listed = {item["name"]: item["rows"] for item in stack.json("tables")["tables"]}
    session = Session(stack.root)
    catalog: RestCatalog = session.catalog()
    for name, rows in ROWS.items():
        assert listed[name] == rows
        done = stack.floe("sql", "--format", "csv", f"select count(*) from {name}")
        assert done.stdout.splitlines()[1] == str(rows)
        assert catalog.load_table(name).scan().to_arrow().num_rows == rows


def test_sql_reads_standard_input_and_files(stack: RunningStack, tmp_path: Path) -> None:
    assert stack.floe("sql", "--format", "jsonl", stdin="select 1 as a; select 2 as a;").stdout.splitlines() == [
        '{"a": 1}',
        '{"a": 2}',
    ]
    (tmp_path / "q.sql").write_text("select sum(id) as s from bronze.raw")
    assert json.loads(stack.floe("sql", "--json", "-f", str(tmp_path / "q.sql")).stdout) == [{"s": 45}]


def test_a_sql_error_is_duckdbs(stack: RunningStack) -> None:
    done = stack.floe("sql", "select nope from bronze.raw")
    assert done.returncode == ExitCode.FAILED
    assert "FLOE6001" in done.stderr
    assert 'Referenced column "nope" not found' in done.stderr
    assert "LINE 1" in done.stderr


def test_the_reader_reads_and_cannot_write(stack: RunningStack) -> None:
    assert stack.floe("sql", "--principal", "reader", "from bronze.raw").returncode == 0
    for statement in ("create table bronze.mine as select 1 as a", "delete from bronze.raw", "drop table bronze.raw"):
        done = stack.floe("sql", "--principal", "reader", statement)
        assert done.returncode == ExitCode.FAILED, statement
        assert "FLOE6001" in done.stderr
    assert stack.floe("sql", "--format", "csv", "select count(*) from bronze.raw").stdout.split() == [
        "count_star()",
        "10",
    ]


def test_tables_show_and_diff(stack: RunningStack) -> None:
    assert stack.floe("sql", "create or replace table memory.x as select 1").returncode == 0
    assert stack.floe("sql", "create table bronze.shown as select 1 as a, 'x' as b").returncode == 0
    assert stack.floe("sql", "insert into bronze.shown values (2, 'y'), (3, 'z')").returncode == 0
    try:
        shown = stack.json("tables", "show", "bronze.shown")
        assert [field["name"] for field in shown["schema"]["fields"]] == ["a", "b"]
        assert shown["rows"] == sum(file["rows"] for file in shown["dataFiles"]) == 3
        assert len(shown["snapshotLog"]) == 2
        changed = stack.json("tables", "diff", "bronze.shown", "1", "2")
        assert changed["rows"] == {"before": 1, "after": 3}
        assert len(changed["files"]["added"]) == 1
        text = stack.floe("tables", "diff", "bronze.shown").stdout
        assert "1 -> 3 (+2)" in text
        assert "schema" in stack.floe("tables", "show", "bronze.shown").stdout
    finally:
        stack.floe("sql", "drop table bronze.shown")


def test_an_unknown_table_names_the_nearest(stack: RunningStack) -> None:
    done = stack.floe("tables", "show", "bronze.rwa")
    assert done.returncode == ExitCode.FAILED
    assert "FLOE6002" in done.stderr
    assert "bronze.raw" in done.stderr


def test_env_lets_other_programs_in(stack: RunningStack) -> None:
    program = (
        "import os; from pyiceberg.catalog.rest import RestCatalog as R; e = os.environ; "
        "c = R('c', uri=e['POLARIS_URI'], warehouse=e['POLARIS_WAREHOUSE'], scope=e['POLARIS_SCOPE'], "
        "credential=e['POLARIS_CLIENT_ID'] + ':' + e['POLARIS_CLIENT_SECRET'], "
        "**{'oauth2-server-uri': e['POLARIS_URI'] + '/v1/oauth/tokens', 'header.X-Iceberg-Access-Delegation': ''}); "
        "print(c.load_table('bronze.raw').scan().to_arrow().num_rows)"
    )
    script = f'eval "$({sys.executable} -m floe_dev.cli env)" && "{sys.executable}" -c "$PROGRAM"'
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=stack.root,
        env=environment({**stack.env, "PROGRAM": program}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "10", done.stderr
    by_exec = stack.floe("exec", "--", sys.executable, "-c", program)
    assert by_exec.stdout.strip() == "10", by_exec.stderr


def test_env_for_duckdb_attaches(stack: RunningStack) -> None:
    import duckdb

    text = stack.floe("env", "--for", "duckdb", "--principal", "reader").stdout
    install, offline = text.splitlines()[:2], text.splitlines()[3].removeprefix("-- ")
    # A plain DuckDB that has nothing of floe, with the lines that need no network.
    with duckdb.connect() as connection:
        connection.execute(offline + text.replace("\n".join(install), ""))
        assert connection.execute("select count(*) from polaris_catalog.bronze.raw").fetchone() == (10,)
        with pytest.raises(duckdb.Error, match="Forbidden_403"):
            connection.execute("insert into polaris_catalog.bronze.raw values (11)")


def test_the_project_can_be_named_before_and_after_each_word(stack: RunningStack, tmp_path: Path) -> None:
    named = ("--project", str(stack.root))
    for words in ((*named, "tables", "show"), ("tables", *named, "show"), ("tables", "show", *named)):
        done = floe(*words, "bronze.raw", "--json", cwd=tmp_path, env={"XDG_STATE_HOME": str(tmp_path)})
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["name"] == "bronze.raw"


def test_exec_hands_the_exit_code_on(stack: RunningStack) -> None:
    assert stack.floe("exec", "--", "bash", "-c", "exit 42").returncode == 42
    missing = stack.floe("exec", "--", "no-such-program")
    assert missing.returncode == ExitCode.USAGE


def test_secrets_are_shown_by_env_alone(stack: RunningStack) -> None:
    secrets = secrets_of(stack)
    commands = (
        ("status", "--json"),
        ("doctor", "--json"),
        ("logs", "-n", "10000"),
        ("tables", "--json"),
        ("ps", "--json"),
    )
    for arguments in commands:
        done = stack.floe(*arguments)
        for secret in secrets:
            assert secret not in done.stdout + done.stderr, arguments
    assert any(secret in stack.floe("env").stdout for secret in secrets)
    assert secrets[0] not in stack.floe("env").stdout, "root's secret is nobody's business"


def test_no_secret_is_in_a_command_line(stack: RunningStack) -> None:
    secrets = [secret.encode() for secret in secrets_of(stack)]
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes()
        except OSError:
            continue
        assert not any(secret in line for secret in secrets)


def test_doctor_finds_nothing(stack: RunningStack) -> None:
    content = stack.json("doctor")
    assert content["status"] in ("pass", "warning")
    names = {check["name"] for check in content["checks"]}
    assert {"python", "packages", "floe.yaml", "supervisor", "catalog as floe", "catalog as reader", "dagster"} <= names
    assert all(set(check) == {"category", "name", "status", "message", "fix"} for check in content["checks"])


def test_logs_of_every_service_are_there(stack: RunningStack) -> None:
    done = stack.floe("logs", "-n", "1")
    assert done.returncode == 0
    assert stack.floe("logs", "catalog").returncode == 0


def test_run_one_asset_makes_a_snapshot(stack: RunningStack) -> None:
    def snapshots() -> int:
        return int(stack.json("tables", "show", "bronze.other")["snapshots"])

    before = snapshots()
    result = stack.json("run", "bronze.other")
    assert result["status"] == "success"
    assert result["materialized"] == ["bronze/other"]
    assert snapshots() > before


def test_a_selection_of_nothing_is_told(stack: RunningStack) -> None:
    done = stack.floe("run", "bronze/ohter")
    assert done.returncode == ExitCode.USAGE
    assert "bronze/other" in done.stderr


def test_selections_are_dagsters(stack: RunningStack) -> None:
    from floe_dev.orchestrators.dagster.selection import resolve

    assets = Session(stack.root).dagster().assets()
    assert resolve([], assets) == sorted(name.replace(".", "/") for name in ROWS)
    assert resolve(["silver/clean+"], assets) == ["silver/clean", "silver/last"]
    assert resolve(['+key:"silver/clean"'], assets) == ["bronze/raw", "silver/clean"]
    assert resolve(["group:first", "silver.last"], assets) == ["bronze/other", "bronze/raw", "silver/last"]


def test_restart_keeps_the_address(stack: RunningStack) -> None:
    before = stack.json("status")
    done = stack.floe("restart", "dagster-daemon")
    assert done.returncode == 0, done.stderr
    after = stack.json("status")
    pids = [{s["name"]: s["pid"] for s in status["services"]} for status in (before, after)]
    assert pids[0]["dagster-daemon"] != pids[1]["dagster-daemon"]
    assert before["urls"] == after["urls"]
    unknown = stack.floe("restart", "nothing")
    assert "FLOE2103" in unknown.stderr


def test_ps_and_open_know_it(stack: RunningStack) -> None:
    (listed,) = stack.json("ps")["stacks"]
    assert listed["project"] == str(stack.root)
    assert stack.floe("open", "--print").stdout.strip() == stack.json("status")["urls"]["dagster"]


def test_watching_the_status_writes_json_lines(stack: RunningStack) -> None:
    from tests.cli.helpers import FLOE

    with subprocess.Popen(
        [str(FLOE), "status", "--watch", "--json"],
        cwd=stack.root,
        env=environment(stack.env),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        process.send_signal(2)
        assert process.wait(10) == ExitCode.INTERRUPTED
    assert first["state"] == "ready"


def test_files_floe_wrote_are_private(stack: RunningStack) -> None:
    for name in ("secrets.json", "state.json"):
        assert (stack.root / ".floe" / name).stat().st_mode & 0o077 == 0
