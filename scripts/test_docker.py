"""The tests that start containers: an engine, the images, the tests; a clear reason where that cannot be.

`make test-docker` and .ci/run call it. Where no engine can be had it says why and ends with 0, unless
FLOE_REQUIRE_ENGINE is set: a machine that cannot run containers still passes everything else. `--images` stops before
the tests, for a caller that has something else to do meanwhile.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"


def say(text: str) -> None:
    """One line of narration."""
    print("docker tests: " + text, file=sys.stderr, flush=True)  # noqa: T201


def main() -> int:
    """The exit code of the first part that failed."""
    engine = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "engine.py")], check=False, stdout=subprocess.PIPE, text=True
    )
    if engine.returncode != 0:
        required = bool(os.environ.get("FLOE_REQUIRE_ENGINE"))
        say("failed: no engine" if required else "skipped: no engine here (the reason is above)")
        return 1 if required else 0
    environment = dict(os.environ)
    if engine.stdout.strip() != "unix:///var/run/docker.sock":
        environment["DOCKER_HOST"] = engine.stdout.strip()
    say("building the images at " + engine.stdout.strip())
    built = subprocess.run([str(BIN / "floe"), "images", "build"], cwd=ROOT, env=environment, check=False)
    if built.returncode != 0 or "--images" in sys.argv:
        return built.returncode
    tests = [str(BIN / "python"), "-m", "pytest", "-q", "tests/docker"]
    return subprocess.run(tests, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
