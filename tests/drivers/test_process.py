from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from floe_dev.drivers.logs import begin_logs, open_log, tail, trim
from floe_dev.drivers.process import ended, spawn
from tests.drivers.helpers import alive, eventually, number_in

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def test_a_process_has_its_own_session_and_its_output_in_a_private_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "ünï code.log"
    process = spawn(
        [sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid(), os.getcwd(), flush=True); 1/0"],
        environment=ENVIRONMENT,
        directory=tmp_path,
        log=log,
    )
    assert process.wait(20) == 1
    text = log.read_text()
    assert text.startswith(f"True {tmp_path}\n")
    assert tail(log, 1) == ("ZeroDivisionError: division by zero",)
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_program_that_does_not_exist_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        spawn(["no-such-program-at-all"], environment=ENVIRONMENT, directory=tmp_path, log=tmp_path / "x.log")


@pytest.mark.skipif(sys.platform != "linux", reason="parent-death signals are Linux's; elsewhere the guardian does it")
def test_kill_9_of_the_starter_ends_what_it_started(tmp_path: Path) -> None:
    starter = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from floe_dev.drivers.process import spawn
        folder = Path(sys.argv[1])
        code = "import os, time; open('child.pid', 'w').write(f'{os.getpid()}\\\\n'); time.sleep(600)"
        spawn([sys.executable, "-c", code], environment={"PATH": "/bin"}, directory=folder, log=folder / "child.log")
        time.sleep(600)
        """
    )
    process = subprocess.Popen([sys.executable, "-c", starter, str(tmp_path)])
    child = number_in(tmp_path / "child.pid")
    process.send_signal(signal.SIGKILL)
    process.wait()
    eventually(lambda: not alive(child), "the child outlived its starter")


def test_the_end_of_a_process_is_told_with_its_status(tmp_path: Path) -> None:
    async def run(code: str, kill: bool = False) -> int:
        process = spawn([sys.executable, "-c", code], environment=ENVIRONMENT, directory=tmp_path, log=tmp_path / "l")
        if kill:
            process.kill()
        return await asyncio.wait_for(ended(process), 20)

    assert asyncio.run(run("raise SystemExit(7)")) == 7
    assert asyncio.run(run("import time; time.sleep(600)", kill=True)) == -signal.SIGKILL


def test_logs_are_kept_once_and_bounded(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    descriptor = open_log(log)
    os.write(descriptor, b"first start\n")
    begin_logs(tmp_path)
    assert (tmp_path / "a.log.previous").read_text() == "first start\n"
    assert not log.exists()

    descriptor = open_log(log)
    os.write(descriptor, b"x" * 100 + b"\n")
    assert not trim(log, limit=200)
    assert trim(log, limit=50)
    os.write(descriptor, b"after\n")
    assert log.read_text() == "after\n"
    assert (tmp_path / "a.log.1").read_text() == "x" * 100 + "\n"
    # The end of a log is whole also right after that.
    assert tail(log) == ("x" * 100, "after")

    begin_logs(tmp_path)
    assert not (tmp_path / "a.log.1").exists()
    assert (tmp_path / "a.log.previous").read_text() == "after\n"


def test_the_tail_of_nothing_is_nothing(tmp_path: Path) -> None:
    assert tail(tmp_path / "absent.log") == ()
    (tmp_path / "b.log").write_bytes(b"\xff\xfe bad bytes\nlast")
    assert tail(tmp_path / "b.log", 1) == ("last",)
