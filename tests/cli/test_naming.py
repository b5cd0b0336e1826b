"""How floe is named in printed commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from floe_dev.cli.naming import floe_command, floe_name, localize, portable, remember_capsule
from tests.cli.helpers import FLOE


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a space in its name, as working directory, and a PATH without any floe."""
    folder = tmp_path / "my work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return folder


def works(command: str) -> bool:
    done = subprocess.run(f"{command} --version", shell=True, capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.startswith("floe ")


def test_on_path_it_is_floe(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{FLOE.parent}:/usr/bin:/bin")
    assert floe_name() == "floe"
    assert works(floe_name())


def test_another_floe_on_path_is_not_taken_for_ours(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = elsewhere / "bin" / "floe"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\necho another tool\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", f"{other.parent}:/usr/bin:/bin")
    assert floe_name() != "floe"
    assert works(floe_name())


@pytest.mark.parametrize("kind", ["link", "script"])
def test_a_shim_nearby_is_named_relative(kind: str, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shim = elsewhere / "floe"
    if kind == "link":
        shim.symlink_to(FLOE)
    else:
        shim.write_text(f'#!/bin/sh\nexec "{FLOE}" "$@"\n')
        shim.chmod(0o755)
    assert floe_name() == "./floe"
    assert works("./floe")
    below = elsewhere / "deep" / "er"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert floe_name() == "../../floe"
    assert works("../../floe")


def test_without_either_it_is_the_absolute_path(elsewhere: Path) -> None:
    (elsewhere / "floe").mkdir()  # a folder of that name is no shim
    assert floe_name() == str(FLOE)
    assert works(floe_name())


def test_an_interpreter_without_script_runs_the_module(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/usr/bin/python 3")
    assert floe_name() == "'/usr/bin/python 3' -m floe_dev.cli"


def test_project_is_named_only_where_needed(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{FLOE.parent}:/usr/bin:/bin")
    root = elsewhere / "a shop"
    root.mkdir()
    (root / "floe.yaml").write_text("name: shop\n")
    assert floe_command("down", project=root) == "floe down --project 'a shop'"
    monkeypatch.chdir(root)
    assert floe_command("down", project=root) == "floe down"
    assert floe_command("sql", "select 'x'", project=root) == """floe sql 'select '"'"'x'"'"''"""


def test_texts_of_lower_layers_are_made_pasteable(elsewhere: Path) -> None:
    name = floe_name()
    assert localize("floe reset") == f"{name} reset"
    assert localize("floe down && floe up --stack x") == f"{name} down && {name} up --stack x"
    assert localize("floe down && floe up", elsewhere) == f"{name} --project . down && {name} --project . up"
    assert localize("run `floe up`, then `floe sql`") == f"run `{name} up`, then `{name} sql`"
    assert localize("floe.yaml is wrong; floe is fine") == "floe.yaml is wrong; floe is fine"


def test_what_is_copied_depends_on_no_working_directory(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = elsewhere / "shop"
    project.mkdir()
    project.joinpath("floe.yaml").write_text("")
    elsewhere.joinpath("floe").symlink_to(FLOE)
    monkeypatch.chdir(project)
    command = f"{FLOE} --project '{project}'"
    assert portable("floe sql 'from a.b'", project) == f"{command} sql 'from a.b'"
    assert portable('eval "$(floe env)"', project) == f'eval "$({command} env)"'
    assert portable("gold/floe run", project) == "gold/floe run"
    monkeypatch.setenv("PATH", f"{FLOE.parent}:/usr/bin:/bin")
    assert portable("floe run a", project) == f"floe --project '{project}' run a"
    remember_capsule(project / "unpacked", Path("c.zip"))
    assert portable("floe traces 1", project / "unpacked") == f"floe traces --capsule '{project}/c.zip' 1"
