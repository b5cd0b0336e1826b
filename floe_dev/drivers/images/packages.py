"""Python packages for the container's Python, got with this machine's uv or pip and its settings."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

from floe_dev.errors import Code, FloeError

#: The Python of the base image's Debian.
PYTHON = "3.11"
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_MANYLINUX = ("2_28", "2_17", "2014")


def pins() -> list[str]:
    """`name==version` of everything installed here: what floe was tested with goes into the image too."""
    found = {each.metadata["Name"].lower(): each.version for each in distributions() if each.metadata["Name"]}
    return sorted(f"{name}=={version}" for name, version in found.items() if name != "floe-dev")


def install(requirements: Sequence[str], target: Path, architecture: str, constraints: Sequence[str] = ()) -> None:
    """Unpack the requirements with what they need into `target`; only wheels, nothing is built or run.

    Raises FloeError 2306 with the installer's words, where there is none or it fails.
    """
    machine = _MACHINES.get(architecture)
    if machine is None:
        raise FloeError(
            Code.IMAGE_NOT_BUILT,
            f"floe builds images for {' and '.join(_MACHINES)}, not for {architecture}",
            why=f"the engine's processor is {architecture}",
            fix="use an engine on one of these",
        )
    target.mkdir(parents=True, exist_ok=True)
    pinned = target.with_name(f"{target.name}-constraints.txt")
    pinned.write_text("".join(f"{line}\n" for line in constraints), encoding="utf-8")
    command = [*_installer(machine), "--target", str(target), "--constraint", str(pinned), *requirements]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FloeError(
            Code.IMAGE_NOT_BUILT,
            "the Python packages of an image could not be had",
            why=f"`{Path(command[0]).name} … {' '.join(requirements)}` ended with {done.returncode}",
            detail=tuple((done.stderr or done.stdout).splitlines()[-10:]),
            fix="look at its message above; it uses this machine's package index",
        )


def _installer(machine: str) -> list[str]:
    uv = shutil.which("uv")
    if uv is not None:
        platform = f"{machine}-manylinux_{_MANYLINUX[0]}"
        return [uv, "pip", "install", "-q", "--python-version", PYTHON, "--python-platform", platform, *_WHEELS]
    for python in dict.fromkeys((sys.executable, getattr(sys, "_base_executable", sys.executable))):
        if subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
            platforms = [part for each in _MANYLINUX for part in ("--platform", _tag(each, machine))]
            version = ("--python-version", PYTHON, "--implementation", "cp")
            return [python, "-m", "pip", "install", "-q", "--no-compile", *version, *platforms, *_WHEELS]
    raise FloeError(
        Code.IMAGE_NOT_BUILT,
        "an image's Python packages are got with uv or pip, and there is neither",
        why=f"uv is not on PATH, and {sys.executable} has no pip",
        fix="python3 -m ensurepip, or install uv",
    )


_WHEELS = ("--only-binary", ":all:")


def _tag(manylinux: str, machine: str) -> str:
    return f"manylinux{manylinux}_{machine}" if manylinux == "2014" else f"manylinux_{manylinux}_{machine}"
