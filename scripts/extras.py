"""The orchestrators and computes that are extras (`pip install 'floe_dev[airflow]'`), each tried for real.

`make test-extras` and .ci/run call it. Airflow and Prefect exclude each other at their newest, and nothing else needs
their hundred packages: so each extra gets a folder `.extras/NAME`, laid over `.venv` by PYTHONPATH, with the pins of
`constraints-NAME.txt` in it, which are all that `.venv` does not have at that version. Then its tests in tests/extras
run there. `--install` stops before the tests; names choose extras. Needs nothing but Python and `.venv`.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv" / "bin" / "python"
NAMES = ("airflow", "prefect", "spark", "snowflake")


def say(text: str) -> None:
    """One line of narration."""
    print("extras: " + text, file=sys.stderr, flush=True)  # noqa: T201


def main() -> int:
    """0, or the exit code of the first part that failed."""
    parser = argparse.ArgumentParser(description="Install the extras beside .venv and run their tests.")
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="NAME", help="of " + ", ".join(NAMES))
    parser.add_argument("--install", action="store_true", help="only install")
    options = parser.parse_args()
    failed = 0
    for name in options.names or NAMES:
        code = install(name) or (0 if options.install else test(name))
        if code:
            say(name + " failed")
        failed = failed or code
    return failed


def folder(name: str) -> Path:
    """Where the packages of an extra are."""
    return ROOT / ".extras" / name


def install(name: str) -> int:
    """The exit code of the installer; nothing is done where these very pins are there already."""
    pins = ROOT / ("constraints-" + name + ".txt")
    place = folder(name)
    version = subprocess.run([str(PYTHON), "--version"], check=True, stdout=subprocess.PIPE).stdout
    wanted = hashlib.sha256(pins.read_bytes() + version).hexdigest()
    stamp = place / "floe.stamp"
    if stamp.is_file() and stamp.read_text() == wanted:
        return 0
    shutil.rmtree(str(place), ignore_errors=True)
    place.mkdir(parents=True)
    say("installing " + name + " in .extras/" + name)
    started = time.monotonic()
    # Nothing is looked for: the pins are complete, which tests/extras/declared.py holds them to.
    what = ["--quiet", "--no-deps", "--target", str(place), "-r", str(pins)]
    code = subprocess.run([*installer(), *what], check=False, stdin=subprocess.DEVNULL, cwd=str(ROOT)).returncode
    if code == 0:
        stamp.write_text(wanted)
        say(f"{name} installed in {time.monotonic() - started:.0f} s")
    return code


def installer() -> "list[str]":
    """The command: uv where it is installed, else the environment's pip, else the pip of the Python that runs this."""
    uv = shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "--python", str(PYTHON)]
    own = subprocess.run([str(PYTHON), "-m", "pip", "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if own.returncode == 0:
        return [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check"]
    return [sys.executable, "-m", "pip", "--python", str(PYTHON), "install", "--disable-pip-version-check"]


def test(name: str) -> int:
    """The exit code of pytest."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder(name)), os.environ.get("PYTHONPATH", "")])}
    # Each of their processes would compile hundreds of modules again.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    # Prefect gives its own server 20 seconds, which other work beside it can use up (.ci/run). Read at its import.
    environment.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")
    tests = [str(PYTHON), "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/extras/test_" + name + ".py"]
    say("testing with " + name)
    return subprocess.run(tests, cwd=str(ROOT), env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
