"""Statements and their output with a plain DuckDB; the catalog's part is in test_stack."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import duckdb
import pytest

from floe_dev.cli.output import Output
from floe_dev.cli.sqlshell import is_complete, run_statements
from floe_dev.errors import Code, FloeError

Captured = pytest.CaptureFixture[str]


def run(text: str, form: str = "table", limit: int | None = None) -> None:
    with duckdb.connect() as connection:
        run_statements(connection, Output(no_color=True), text, form, limit)


def test_rows_go_to_stdout_and_counts_to_stderr(capsys: Captured) -> None:
    run("create table t as select range as n from range(3); insert into t values (9); from t where n > 1 order by n")
    captured = capsys.readouterr()
    assert captured.out.split() == ["n", "2", "9"]
    assert "1 row\n" in captured.err


def test_a_column_called_count_is_data(capsys: Captured) -> None:
    run('select 42 as "Count"')
    captured = capsys.readouterr()
    assert captured.out.split() == ["Count", "42"]
    assert captured.err == ""


def test_insert_returning_is_data(capsys: Captured) -> None:
    run("create table t(a int); insert into t values (7) returning a", form="jsonl")
    assert json.loads(capsys.readouterr().out) == {"a": 7}


def test_many_rows_stream_and_none_are_lost(capsys: Captured) -> None:
    run("from range(5000)", form="csv")
    assert len(capsys.readouterr().out.splitlines()) == 5001


def test_limit_is_told(capsys: Captured) -> None:
    run("from range(50)", limit=10)
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 11
    assert "only the first 10" in captured.err


def test_exactly_the_limit_is_not_told(capsys: Captured) -> None:
    run("from range(10)", limit=10)
    assert capsys.readouterr().err == ""


def test_a_plan_is_drawn_on_its_lines(capsys: Captured) -> None:
    run("explain select 1")
    assert len(capsys.readouterr().out.splitlines()) > 5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("selec 1", 'syntax error at or near "selec"'),
        ("from nowhere.nothing", "nothing"),
        ("select 1/", "syntax error"),
        ("select cast('x' as int)", "Conversion Error"),
    ],
)
def test_errors_are_duckdbs_own_message(text: str, told: str) -> None:
    with pytest.raises(FloeError) as caught:
        run(text)
    assert caught.value.code is Code.SQL_FAILED
    assert told in str(caught.value)


def test_no_statement_is_no_error(capsys: Captured) -> None:
    run("  -- nothing\n")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("select 1", False),
        ("select 1;", True),
        ("select ';", False),
        ("select ';';", True),
        ('select ";', False),
        ("select $$;", False),
        ("select 1 /* ;", False),
        ("select 1; select 2;  ", True),
        ("selec 1;", True),  # DuckDB's complaint is due now
    ],
)
def test_where_a_statement_ends_duckdb_says(text: str, complete: bool) -> None:
    assert is_complete(text) is complete


def test_after_ctrl_c_the_connection_goes_on_at_once(capsys: Captured) -> None:
    endless = "select a.range from range(100000000) a, range(1000000) b where a.range + b.range = -1"
    with duckdb.connect() as connection:
        timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            run_statements(connection, Output(), endless, "table", None)
        started = time.monotonic()
        run_statements(connection, Output(), "select 1 as one", "table", None)
        assert time.monotonic() - started < 5
    assert capsys.readouterr().out.split() == ["one", "1"]


def test_ctrl_c_while_the_statement_is_handed_over_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waited for the end of a statement that nobody could interrupt any more."""

    class Interrupted(ThreadPoolExecutor):
        def submit(self, *args: Any, **options: Any) -> Any:
            super().submit(*args, **options)
            raise KeyboardInterrupt

    monkeypatch.setattr("floe_dev.cli.sqlshell.ThreadPoolExecutor", Interrupted)
    with duckdb.connect() as connection:
        with pytest.raises(KeyboardInterrupt):
            run_statements(connection, Output(), "create table made as select 1", "table", None)
        assert connection.execute("select count(*) from duckdb_tables()").fetchone() == (0,)
