"""Make `.venv` with floe in it: the set-up behind `make up` and `make test`.

Needs nothing but a Python (3.8 or newer, to be able to say what is missing; hence the quoted annotations).
Uses uv where it is installed, else venv and pip. A second run finds everything in place and does nothing.
"""

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
SHIM = ROOT / "floe"
OLDEST, NEWEST = (3, 11), (3, 13)
SUPPORTED = "3.11, 3.12 or 3.13"


class SetupError(Exception):
    """What is missing, and the one command that mends it."""


def say(text: str) -> None:
    """One line of narration."""
    print("setup: " + text, file=sys.stderr, flush=True)  # noqa: T201


def main() -> int:
    """Install what is missing; 0, or 9 with the reason on standard error."""
    parser = argparse.ArgumentParser(description="Make .venv with floe in it.")
    parser.add_argument("--dev", action="store_true", help="also what tests and checks need")
    options = parser.parse_args()
    try:
        if os.name != "posix":
            raise SetupError("floe runs on Linux, macOS and WSL2; on Windows run it inside WSL2: wsl --install")
        with (ROOT / ".venv.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                say("another set-up is running here; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            ensure("dev" if options.dev else "run")
    except SetupError as error:
        print("setup failed: " + str(error), file=sys.stderr)  # noqa: T201
        return 9
    except subprocess.CalledProcessError as error:
        print("setup failed: " + " ".join(map(str, error.cmd)) + "\n  its message is above", file=sys.stderr)  # noqa: T201
        return 9
    except KeyboardInterrupt:
        say("interrupted; run the command again to go on")
        return 130
    return 0


def ensure(kind: str) -> None:
    """Install for `kind` (run | dev) unless that was done with these very files."""
    stamp = VENV / ("floe-" + kind + ".stamp")
    wanted = fingerprint()
    done = [VENV / "floe-dev.stamp", stamp]
    if venv_works() and any(file.is_file() and file.read_text() == wanted for file in done):
        write_shim()
        return
    started = time.monotonic()
    uv = shutil.which("uv")
    if not venv_works():
        python = find_python()
        say("making .venv with " + python + (" and uv" if uv else ""))
        make_venv(python, uv)
    for file in VENV.glob("floe-*.stamp"):
        file.unlink()
    install(kind, uv)
    stamp.write_text(wanted)
    write_shim()
    count = len(list(site_packages().glob("*.dist-info")))
    size = sum(file.stat().st_size for file in VENV.rglob("*") if file.is_file() and not file.is_symlink())
    seconds = time.monotonic() - started
    say(f"{count} packages, {size / 1e6:.0f} MB in .venv, {seconds:.0f} s")


def fingerprint() -> str:
    """What an installation depends on."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update((ROOT / name).read_bytes())
    # An editable installation names the folder it is in.
    digest.update(str(ROOT).encode())
    return digest.hexdigest()


def venv_works() -> bool:
    """Whether .venv has a Python that runs and is one of the supported versions."""
    return PYTHON.exists() and version_of(str(PYTHON)) is not None


def version_of(python: str) -> "tuple[int, ...] | None":
    """(major, minor) of a Python that runs and fits, else None. pyenv's shims exist for versions that are not set."""
    try:
        done = subprocess.run(
            [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=30,
            check=True,
        )
        version = tuple(int(part) for part in done.stdout.decode().strip().split("."))
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return version if OLDEST <= version <= NEWEST else None


def find_python() -> str:
    """A Python that fits: $PYTHON, the one that runs this, then those on PATH, then uv's and pyenv's."""
    named = os.environ.get("PYTHON")
    if named:
        if version_of(named) is None:
            raise SetupError(f"PYTHON={named} is not a working Python {SUPPORTED}\n  fix: unset PYTHON")
        return named
    names = [f"python3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    candidates = [sys.executable, *(shutil.which(name) for name in ["python3", "python", *names])]
    candidates += sorted(map(str, (Path.home() / ".pyenv" / "versions").glob("3.1[1-3].*/bin/python")), reverse=True)
    for candidate in candidates:
        if candidate and version_of(candidate) is not None:
            return candidate
    uv = shutil.which("uv")
    if uv:
        done = subprocess.run([uv, "python", "find", ">=3.11,<3.14"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        found = done.stdout.decode().strip()
        if done.returncode == 0 and version_of(found) is not None:
            return found
    raise SetupError(
        "no Python {} found (this one is {}.{}; dbt-core has no release for 3.14 yet)\n"
        "  fix: install one (apt install python3.11, brew install python@3.12, or uv python install 3.12), "
        "or name it: make up PYTHON=/path/to/python3.12".format(SUPPORTED, *sys.version_info[:2])
    )


def make_venv(python: str, uv: "str | None") -> None:
    """Create .venv anew, also where ensurepip is missing (Debian without python3-venv)."""
    if VENV.exists():
        say("removing a .venv that does not work")
        shutil.rmtree(str(VENV))
    if uv:
        # With pip in it, for a shell that has no uv on its PATH.
        run([uv, "venv", "--quiet", "--seed", "--python", python, str(VENV)])
        return
    if subprocess.run([python, "-c", "import venv, ensurepip"], stderr=subprocess.DEVNULL).returncode == 0:
        run([python, "-m", "venv", str(VENV)])
        return
    if subprocess.run([python, "-c", "import virtualenv"], stderr=subprocess.DEVNULL).returncode == 0:
        run([python, "-m", "virtualenv", "--quiet", str(VENV)])
        return
    # A pip outside can install into a venv that has none (pip 22.3 and newer).
    asked = subprocess.run([python, "-m", "pip", "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if asked.returncode == 0:
        run([python, "-m", "venv", "--without-pip", str(VENV)])
        done = subprocess.run([python, "-m", "pip", "--python", str(PYTHON), "install", "--quiet", "pip"])
        if done.returncode == 0:
            return
        shutil.rmtree(str(VENV))
    raise SetupError(
        f"{python} can make no virtual environment: ensurepip, virtualenv and pip are all missing\n"
        "  fix: apt install python3-venv   (or install uv)"
    )


def install(kind: str, uv: "str | None") -> None:
    """Install floe (editable) with the pinned versions, compiled, so that no start pays for compiling."""
    target = str(ROOT) + ("[dev]" if kind == "dev" else "")
    pins = ["-c", str(ROOT / "constraints.txt")]
    say("installing floe and what it needs (about 1 GB; progress below)")
    if uv:
        run([uv, "pip", "install", "--python", str(PYTHON), "--compile-bytecode", *pins, "-e", target])
    else:
        run([str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", *pins, "-e", target])
    # pip compiles nothing where PYTHONDONTWRITEBYTECODE is set, and nobody compiles an editable installation.
    places = [str(ROOT / "floe_dev"), str(ROOT / "sample_project")] + ([] if uv else [str(site_packages())])
    # Some packages carry templates and tests that are no Python of this version: their errors say nothing.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(
        [str(PYTHON), "-m", "compileall", "-q", "-j", "0", *places], env=environment, stdout=subprocess.DEVNULL
    )


def site_packages() -> Path:
    """The environment's folder of packages."""
    return next((VENV / "lib").glob("python3.*/site-packages"))


def write_shim() -> None:
    """`./floe` at the top, so that what is printed runs as pasted."""
    text = '#!/bin/sh\nexec "$(dirname "$0")/.venv/bin/floe" "$@"\n'
    if not SHIM.is_file() or SHIM.read_text() != text:
        SHIM.write_text(text)
        SHIM.chmod(0o755)


def run(command: "list[str]") -> None:
    """Run with its output shown; raises CalledProcessError."""
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, cwd=str(ROOT))


if __name__ == "__main__":
    sys.exit(main())
