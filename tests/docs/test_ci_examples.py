"""The example files for CI providers: held to the providers' schemas, to actionlint, and to the commands that exist."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from floe_dev.cli.program import cli

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples" / "ci"
SCHEMAS = {
    "github-actions.yml": "vendor.github-workflows",
    "action.yml": "vendor.github-actions",
    "gitlab-ci.yml": "vendor.gitlab-ci",
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_file_is_what_its_provider_takes(name: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMAS[name]]
    extra = ["--data-transform", "gitlab-ci"] if "gitlab" in name else []
    done = subprocess.run([*command, *extra, str(EXAMPLES / name)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflow_passes_actionlint(tmp_path: Path) -> None:
    made = Path(sys.prefix) / "bin" / "actionlint"
    actionlint = str(made) if made.exists() else shutil.which("actionlint")
    if actionlint is None:
        pytest.skip("no actionlint here: .venv/bin/python -m scripts.programs makes one")
    workflows = tmp_path / ".github" / "workflows"
    workflows.mkdir(parents=True)
    shutil.copy(EXAMPLES / "github-actions.yml", workflows / "tests.yml")
    action = tmp_path / ".github" / "actions" / "floe-ci"
    action.mkdir(parents=True)
    shutil.copy(EXAMPLES / "action.yml", action)
    uses = {
        "on": "push",
        "jobs": {
            "one": {
                "runs-on": "ubuntu-latest",
                "steps": [
                    {"uses": "actions/checkout@v4"},
                    {"uses": "./.github/actions/floe-ci", "with": {"command": "pytest"}},
                ],
            }
        },
    }
    (workflows / "uses.yml").write_text(yaml.safe_dump(uses))
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    done = subprocess.run([actionlint], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_jenkinsfile_is_a_balanced_declarative_pipeline() -> None:
    text = (EXAMPLES / "Jenkinsfile").read_text()
    code = re.sub(r"'[^'\n]*'|//[^\n]*", "", text)
    for opening, closing in (("{", "}"), ("(", ")"), ("[", "]")):
        depth = 0
        for character in code:
            depth += (character == opening) - (character == closing)
            assert depth >= 0, f"a {closing} too many"
        assert depth == 0, f"a {closing} is missing"
    assert re.search(r"pipeline\s*\{\s*agent ", code)
    assert re.search(r"stages\s*\{(\s*stage\()", code)


@pytest.mark.parametrize("name", [*SCHEMAS, "Jenkinsfile"])
def test_the_commands_and_options_exist(name: str) -> None:
    command = cli.get_command(click.Context(cli), "ci")
    assert command is not None
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    found = re.findall(r"floe ci ([^\n'|)]*)", (EXAMPLES / name).read_text())
    assert found
    for text in found:
        words = shlex.split(text.replace('"$', '"'))
        own = words[: words.index("--")] if "--" in words else words
        assert {word for word in own if word.startswith("--")} <= known, text
