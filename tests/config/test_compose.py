"""The Docker stacks' files are Compose files: by the published schema, and by Compose itself where it is here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from floe_dev.config.stacks import load_stack, stack_files

STACKS = ("lakehouse", "lakehouse-lite")
SCHEMA = Path(__file__).parent / "compose" / "compose-spec.json"
_REQUIRED = re.compile(r"\$\{([A-Z_]+):?\?")


def _compose() -> list[str] | None:
    """Compose as a plugin or as a program; FLOE_COMPOSE names another one."""
    if named := os.environ.get("FLOE_COMPOSE"):
        return [named]
    if shutil.which("docker"):
        plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if plugin.returncode == 0:
            return ["docker", "compose"]
    made = Path(sys.prefix) / "bin" / "docker-compose"
    found = str(made) if made.exists() else shutil.which("docker-compose")
    return [found] if found else None


def _validator() -> Any:
    schema = json.loads(SCHEMA.read_text())
    return jsonschema.validators.validator_for(schema)(schema)


@pytest.mark.parametrize("name", STACKS)
def test_the_file_fits_the_published_schema(name: str) -> None:
    content = yaml.safe_load(stack_files(None)[name].read_text())
    errors = [error.message for error in _validator().iter_errors(content)]
    assert errors == []
    broken = {**content, "services": {"a": {"image": "x", "port": ["1:1"]}}}
    assert list(_validator().iter_errors(broken))


@pytest.mark.parametrize("name", STACKS)
def test_compose_itself_takes_the_file_and_reads_what_floe_reads(name: str) -> None:
    compose = _compose()
    if compose is None:
        pytest.skip("no Compose here: .venv/bin/python -m scripts.programs makes one (some minutes)")
    file = stack_files(None)[name]
    variables = dict.fromkeys(_REQUIRED.findall(file.read_text()), "a-secret")
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables}
    command = [*compose, "-f", str(file), "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    stack = load_stack(name)
    assert seen["name"] == stack.name
    for service in stack.services:
        theirs = seen["services"][service.name]
        assert theirs["image"] == service.image
        ports = {p["target"]: (int(p["published"]), p["host_ip"]) for p in theirs.get("ports", ())}
        own = {service.container_port: service.port} if service.container_port and service.port else {}
        ours: dict[int, int] = {**own, **service.more_ports}
        assert ports == {inside: (outside, "127.0.0.1") for inside, outside in ours.items()}
        assert set(theirs.get("depends_on", ())) == set(service.depends_on)
        assert {v["source"]: v["target"] for v in theirs.get("volumes", ())} == service.volumes
        assert set(theirs.get("environment") or ()) == set(service.environment)
    missing = subprocess.run(
        command, capture_output=True, text=True, env={"PATH": os.environ["PATH"], "HOME": "/"}, check=False
    )
    assert missing.returncode != 0, "without its secrets it must not start with empty ones"
