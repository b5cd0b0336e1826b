"""The parts of a CI job, each with a section in the log and a case in the report."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from floe_dev.cli.ci.annotations import Marks
from floe_dev.cli.naming import floe_command
from floe_dev.cli.output import Output
from floe_dev.errors import Code, FloeError

if TYPE_CHECKING:
    from floe_dev.model.status import Event

#: Seconds a program has to end after it was asked to.
GRACE_SECONDS = 10.0

_MORE_TIME = "look into the capsule for what took so long, or give it more: --deadline 3600"


@dataclass(frozen=True)
class Case:
    """One line of the report: what, how many seconds, and why it failed (None: it did not)."""

    name: str
    seconds: float
    failure: str | None = None


class Job:
    """Start, run, program, stop; what fails leaves the capsule."""

    def __init__(self, output: Output, root: Path, marks: Marks, give_up: float, capsule: Path) -> None:
        """`give_up` is the deadline as time.monotonic() tells it."""
        from floe_dev.session import Session

        self.output = output
        self.cases: list[Case] = []
        self._marks = marks
        self._give_up = give_up
        self._capsule = capsule
        self._root = root
        self._session = Session(root)
        self._written = False

    def find(self, program: str) -> str:
        """The program on PATH, those that came with floe first; UsageError if there is none."""
        found = shutil.which(program, path=self._path())
        if found is None:
            raise click.UsageError(f"there is no program {program!r} on PATH")
        return found

    def up(self, stack: str | None) -> None:
        """Start the stack; raises FloeError 2xxx, at once for a crash, at the deadline for what is only slow."""
        from floe_dev.cli.render.progress import make_progress
        from floe_dev.cli.render.rows import Rows
        from floe_dev.session import UpOptions

        rows = Rows()
        view = make_progress("plain", self.output, title="floe ci", environ=os.environ, tty=False)

        def event(one: Event) -> None:
            rows.apply(one)
            view.event(one)

        with self._part("start the stack"):
            try:
                with view:
                    self._session.up(UpOptions(stack=stack, timeout=self._left()), event)
            except FloeError as error:
                if error.code is Code.START_TIMEOUT:
                    error.fix = _MORE_TIME  # `floe up --timeout` is nothing to a job
                raise
            finally:
                for row in (*rows.of("service"), *rows.of("step")):
                    failed = row.state in ("failed", "stopped")
                    why = f"{row.state}: {row.detail or 'no reason given'}" if failed else None
                    self.cases.append(Case(f"start {row.name}", row.seconds or 0.0, why))

    def materialize(self) -> None:
        """Make every asset; raises FloeError 5004 with what failed."""
        from floe_dev.cli.render.progress import make_progress
        from floe_dev.cli.render.runs import run_text
        from floe_dev.model.runs import raise_if_failed

        with self._part("materialize everything"), self._alarm():
            view = make_progress("plain", self.output, title="floe run", environ=os.environ, tty=False)
            with view:
                result = self._session.run((), view.event)
            self.output.data(run_text(result, color=False, unicode=self.output.unicode))
            for asset in result.materialized:
                self.cases.append(Case(f"asset {asset}", 0.0))
            for failure in result.failed:
                self.cases.append(Case(f"asset {failure.asset}", 0.0, failure.why))
            raise_if_failed(result)

    def program(self, words: Sequence[str]) -> int:
        """Run a program in the stack's environment; its exit code (128 + number for one that a signal ended).

        Raises FloeError 2108 at the deadline, when the program and all it started were ended.
        """
        environment = {**os.environ, **self._session.environment(), "PATH": self._path()}
        environment.setdefault("FLOE_CAPSULE_DIR", str(self._capsule.parent))
        started = time.monotonic()
        sys.stdout.flush()
        with self._section(" ".join(words)):
            process = subprocess.Popen(
                [self.find(words[0]), *words[1:]], env=environment, stdin=subprocess.DEVNULL, process_group=0
            )
            try:
                code = process.wait(self._left())
            except subprocess.TimeoutExpired:
                error = self._timeout(f"`{words[0]}` did not end")
                self.cases.append(Case(words[0], time.monotonic() - started, str(error)))
                # Taken while the program still runs: afterwards the stack would look idle.
                self._leave(error)
                raise error from None
            finally:
                _end(process)
        code = code if code >= 0 else 128 - code
        self.cases.append(Case(words[0], time.monotonic() - started, f"exit code {code}" if code else None))
        if code:
            self._leave(
                FloeError(Code.PROGRAM_FAILED, f"`{' '.join(words)[:200]}` ended with exit code {code}"), quiet=True
            )
        return code

    def down(self) -> None:
        """Stop the stack; what cannot be stopped is told, since the program's own outcome matters more."""
        with self._section("stop the stack"):
            try:
                self._session.down()
            except FloeError as error:
                self._marks.warning(error)

    def tell_how_to_use(self) -> None:
        """What the next steps of the job type."""
        status = self._session.status()
        for name, url in (status.urls if status is not None else {}).items():
            self.output.data(f"{name}: {url}")
        self.output.data(f"a program with its environment: {floe_command('exec', '--', 'PROGRAM', project=self._root)}")
        self.output.data(f"stop it with: {floe_command('down', project=self._root)}")

    @contextlib.contextmanager
    def _part(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            with self._section(name):
                yield
        except FloeError as error:
            self.cases.append(Case(name, time.monotonic() - started, str(error)))
            self._leave(error)
            raise
        self.cases.append(Case(name, time.monotonic() - started))

    @contextlib.contextmanager
    def _section(self, name: str) -> Iterator[None]:
        self._marks.begin(name)
        try:
            yield
        finally:
            self._marks.end(name)

    @contextlib.contextmanager
    def _alarm(self) -> Iterator[None]:
        """Raise FLOE2108 in this thread at the deadline; waiting for a run has no timeout of its own."""

        def late(_signal: int, _frame: object) -> None:
            raise self._timeout("the run did not end")

        before = signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, self._left())
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def _leave(self, error: FloeError, *, quiet: bool = False) -> None:
        if self._written:
            return
        self._written = True
        from floe_dev.cli.failure import leave

        made = leave(self._root, "ci", error, self._capsule)
        if not quiet:
            self._marks.error(error)
        if made is not None:
            self._marks.output("capsule", str(made))

    def _left(self) -> float:
        return max(1.0, self._give_up - time.monotonic())

    def _timeout(self, what: str) -> FloeError:
        return FloeError(
            Code.CI_DEADLINE,
            f"{what} before the deadline",
            why="start, run and program share one deadline (--deadline)",
            fix=_MORE_TIME,
        )

    def _path(self) -> str:
        scripts = str(Path(sys.executable).parent)
        return os.pathsep.join([scripts, os.environ.get("PATH", os.defpath)])


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program that still runs, with its children; first kindly."""
    if process.poll() is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return
