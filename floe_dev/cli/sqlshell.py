"""Statements through DuckDB and their results on stdout; the interactive shell around it.

SQL is never taken apart here: where a statement ends and what kind it is, DuckDB's parser says.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from floe_dev.cli.output import Output
from floe_dev.cli.render.errors import error_text
from floe_dev.cli.render.style import count_text, terminal_width
from floe_dev.cli.render.tables import FORMATS, write
from floe_dev.compute.duckdb import refused_write
from floe_dev.compute.views import identifier
from floe_dev.errors import Code, FloeError
from floe_dev.model.units import duration

if TYPE_CHECKING:
    from floe_dev.session import Session

_BATCH = 2048
_DEFAULT_LIMIT = 200
_ROWS_ONLY = [duckdb.ExpectedResultType.QUERY_RESULT]
_HELP = """.tables            list the catalog's tables
.schema NAME       columns of a table
.format NAME       table, csv, json, jsonl or markdown
.read FILE         run the statements of a file
.help              this text
.exit              leave (also Ctrl-D)
A statement ends with a semicolon; Ctrl-C cancels it."""


def run_statements(
    connection: duckdb.DuckDBPyConnection, output: Output, text: str, form: str, limit: int | None
) -> None:
    """Run every statement of `text` in order and write each result; FLOE6001 with DuckDB's message if one fails."""
    with _translated(connection):
        statements = connection.extract_statements(text)
        for statement in statements:
            _execute(connection, statement)
            columns = [str(item[0]) for item in connection.description or ()]
            if columns in (["Count"], ["Success"]) and statement.expected_result_type != _ROWS_ONLY:
                _tell_change(connection, output)
            elif statement.type == duckdb.StatementType.EXPLAIN and form == "table":
                # A plan is a drawing of many lines; a table would put it on one.
                output.data("\n".join(str(row[-1]) for row in connection.fetchall()))
            else:
                _show(connection, output, columns, form, limit, only=len(statements) == 1)


def shell(
    connection: duckdb.DuckDBPyConnection, output: Output, session: Session, form: str, limit: int | None
) -> None:
    """Read statements until `.exit` or end of input; errors are shown and the shell goes on."""
    state = _Shell(connection, output, session, form, limit)
    with _history(session.layout.state_dir / "sql_history", state):
        output.say(f"DuckDB {duckdb.__version__} on {session.root.name}; .help for help, Ctrl-D to leave")
        state.loop()


class _Shell:
    def __init__(
        self, connection: duckdb.DuckDBPyConnection, output: Output, session: Session, form: str, limit: int | None
    ) -> None:
        self.connection = connection
        self.output = output
        self.session = session
        self.form = form
        self.limit = limit
        self._words: list[str] | None = None

    def loop(self) -> None:
        pending = ""
        while True:
            try:
                line = input("floe> " if not pending else "  ... ")
            except EOFError:
                self.output.say()
                return
            except KeyboardInterrupt:
                self.output.say()
                pending = ""
                continue
            if not pending and line.strip().startswith("."):
                if line.strip() in (".exit", ".quit"):
                    return
                self._guard(lambda line=line: self._dot(line.strip()))
                continue
            pending = f"{pending}\n{line}" if pending else line
            if not pending.strip():
                pending = ""
                continue
            if not is_complete(pending):
                continue
            statement, pending = pending, ""
            self._guard(lambda statement=statement: self._run(statement))

    def _run(self, text: str) -> None:
        started = time.monotonic()
        run_statements(self.connection, self.output, text, self.form, self.limit)
        sys.stdout.flush()
        self.output.say(f"({duration(time.monotonic() - started)})", "dim")

    def _guard(self, action: Any) -> None:
        try:
            action()
        except KeyboardInterrupt:
            self.output.say("canceled")
        except FloeError as error:
            self.output.say(error_text(error, color=self.output.err_color, project=self.session.root))
            # A failed statement leaves an explicit transaction in which nothing else runs.
            with contextlib.suppress(duckdb.Error):
                self.connection.rollback()

    def _dot(self, line: str) -> None:
        name, _, argument = line.partition(" ")
        argument = argument.strip().rstrip(";")
        match name:
            case ".help":
                self.output.data(_HELP)
            case ".tables":
                self._words = None
                for info in self.session.tables():
                    self.output.data(info.identifier)
            case ".schema" if argument:
                quoted = ".".join(identifier(part.strip('"')) for part in argument.split("."))
                run_statements(self.connection, self.output, f"describe {quoted}", self.form, self.limit)
            case ".format" if argument in FORMATS:
                self.form = argument
            case ".read" if argument:
                try:
                    text = Path(argument).expanduser().read_text("utf-8")
                except OSError as error:
                    self.output.say(f"{argument}: {error.strerror}")
                    return
                run_statements(self.connection, self.output, text, self.form, self.limit)
            case _:
                self.output.say(f"what is {line!r}? .help lists what there is")

    def complete(self, text: str, state: int) -> str | None:
        """The completer of readline: table names and dot commands."""
        if self._words is None:
            try:
                self._words = [info.identifier for info in self.session.tables()]
            except FloeError:
                self._words = []
        words = [*self._words, ".tables", ".schema", ".format", ".read", ".help", ".exit"]
        found = [word for word in words if word.startswith(text)]
        return found[state] if state < len(found) else None


def is_complete(text: str) -> bool:
    """Whether DuckDB's parser takes `text` as whole statements, the last one ended by a semicolon."""
    if not text.rstrip().endswith(";"):
        return False
    try:
        duckdb.extract_statements(text)
    except duckdb.ParserException as error:
        # The semicolon was inside a string, an identifier or a comment that goes on.
        return "unterminated" not in str(error).lower()
    return True


def _show(
    connection: duckdb.DuckDBPyConnection,
    output: Output,
    columns: list[str],
    form: str,
    limit: int | None,
    *,
    only: bool,
) -> None:
    rows = _rows(connection)
    tty = sys.stdout.isatty()
    cut = limit if limit is not None else (_DEFAULT_LIMIT if tty else None)
    if form == "table" and cut is not None:
        shown = list(islice(rows, cut))
        more = next(rows, None) is not None
        rows = iter(shown)
    else:
        more = False
    width = terminal_width() if tty else None
    for piece in write(columns, rows, form=form, width=width, color=output.color):
        output.data(piece, end="")
    if more:
        output.say(f"… more rows; only the first {cut} are shown (--limit, or --format csv for all)", "dim")
    if not only and form == "table":
        output.data()


def _tell_change(connection: duckdb.DuckDBPyConnection, output: Output) -> None:
    """What INSERT, CREATE and their like answer is narration, not data."""
    row = connection.fetchone() if connection.description else None
    if row and isinstance(row[0], int) and not isinstance(row[0], bool):
        output.say(count_text(row[0], "row"))


def _execute(connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> None:
    """Run the statement so that Ctrl-C ends it at once.

    Python's signals are only seen between two of DuckDB's tasks when the main thread is inside DuckDB, which on a busy
    machine may be minutes. So another thread runs it, and this one waits where it hears the signal.
    """
    begun, given_up = threading.Event(), threading.Event()

    def run() -> None:
        begun.wait()
        if not given_up.is_set():
            connection.execute(statement)

    with ThreadPoolExecutor(1, thread_name_prefix="floe-sql") as pool:
        running: Future[None] | None = None
        try:
            # Nothing runs before it can be interrupted: to start a thread takes a while on a busy machine.
            running = pool.submit(run)
            begun.set()
            # A signal that comes just before a wait begins is only seen when it ends.
            while not running.done():
                wait([running], timeout=0.2)
            running.result()
        except BaseException:
            # Ctrl-C, or the statement's own error, which has ended it.
            given_up.set()
            begun.set()
            # Once may be too early: a statement that is still being bound would forget it.
            while running is not None and not running.done():
                connection.interrupt()
                wait([running], timeout=0.05)
            raise


def _rows(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while batch := connection.fetchmany(_BATCH):
        yield from batch


@contextlib.contextmanager
def _translated(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    try:
        yield
    except (duckdb.InterruptException, KeyboardInterrupt):
        connection.interrupt()
        raise KeyboardInterrupt from None
    except RuntimeError as error:
        # DuckDB's Python client reports Ctrl-C during execution as a RuntimeError of this text. The query is only
        # paused then: without interrupt() the next call on the connection would wait for its end.
        if "interrupted" in str(error).lower():
            connection.interrupt()
            raise KeyboardInterrupt from None
        raise
    except duckdb.Error as error:
        raise sql_error(error) from error


def sql_error(error: duckdb.Error) -> FloeError:
    """DuckDB's message as an error: its first line is what is wrong, the rest (LINE 1: … ^) is shown as it is."""
    refused = refused_write(error)
    if refused is not None:
        return refused
    text = str(error).strip()
    first, *rest = text.splitlines() or [type(error).__name__]
    why = None
    fix = None
    # The catalog's own words, which DuckDB hands on inside JSON inside JSON.
    told = re.findall(r'\\*"message\\*": *\\*"(.*?)\\*", *\\*"(?:type|code|stack)\\*"', text)
    if told:
        first, rest = f"the catalog refused it: {told[-1]}", []
    if re.search(r"\b403\b|Forbidden", text):
        why = "the principal lacks the privilege for it"
        fix = "leave out --principal reader" if "reader" in text else None
    elif "does not exist" in first and "Table" in first:
        fix = "floe tables"
    return FloeError(Code.SQL_FAILED, first, why=why, fix=fix, detail=tuple(line for line in rest if line.strip()))


@contextlib.contextmanager
def _history(path: Path, state: _Shell) -> Iterator[None]:
    try:
        import readline
    except ImportError:  # a Python built without it: no history, all else works
        yield
        return
    with contextlib.suppress(OSError):
        readline.read_history_file(path)
    readline.set_history_length(2000)
    readline.set_completer(state.complete)
    readline.set_completer_delims(" \t\n,;()")
    readline.parse_and_bind("bind ^I rl_complete" if "libedit" in (readline.__doc__ or "") else "tab: complete")
    try:
        yield
    finally:
        readline.set_completer(None)
        with contextlib.suppress(OSError):
            # Queries may hold personal data: made private before anything is in it.
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
            readline.write_history_file(path)
