"""`floe ci`: marks in the log, the report, keys, and a whole job."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from floe_dev.cli.ci.annotations import marker
from floe_dev.cli.ci.job import Case
from floe_dev.cli.ci.junit import write_report
from floe_dev.errors import Code, FloeError, Where
from tests.cli.helpers import floe
from tests.cli.tiny import make_tiny

RICH = Path(__file__).parents[1] / "fixtures" / "dbt_projects" / "rich"


def test_github_gets_groups_annotations_outputs_and_a_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary, outputs = tmp_path / "summary", tmp_path / "outputs"
    told = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(outputs)}
    marks = marker("auto", told)
    marks.begin("100% of it\nall")
    marks.error(FloeError(Code.INVALID_VALUE, "50% wrong", why="a,b:c", where=Where("floe.yaml", line=3)))
    marks.end("x")
    marks.output("capsule", "/x.zip")
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == "::group::100%25 of it%0Aall"
    assert second.startswith("::error title=FLOE1202%3A invalid value in a configuration file,file=floe.yaml,line=3::")
    assert "50%25 wrong%0A  at: floe.yaml:3" in second
    assert third == "::endgroup::"
    assert outputs.read_text() == "capsule=/x.zip\n"
    assert "FLOE1202: 50% wrong" in summary.read_text()


def test_gitlab_gets_sections_and_others_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    marker("auto", {"GITLAB_CI": "true"}).begin("start the stack")
    marker("auto", {}).begin("start the stack")
    gitlab, plain = capsys.readouterr().out.split("\n")[:2]
    assert "section_start:" in gitlab
    assert ":start_the_stack\r" in gitlab
    assert plain == "== start the stack"


def test_the_report_is_junits(tmp_path: Path) -> None:
    write_report(tmp_path / "r.xml", "shop", [Case("a", 1.5), Case("b <c>", 0.5, "why\x1b[0m\nmore")])
    suite = ET.parse(tmp_path / "r.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("time")) == ("2", "1", "2.000")
    failure = suite[1][0]
    assert suite[1].get("name") == "b <c>"
    assert failure.get("message") == "why[0m"
    assert failure.text == "why[0m\nmore"


def test_a_cache_key_changes_with_what_is_cached(tmp_path: Path) -> None:
    root = make_tiny(tmp_path / "shop")

    def key(kind: str, *more: str) -> str:
        done = floe("ci", "--cache-key", kind, *more, cwd=root)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    before = key("packages")
    assert before == key("packages")
    assert before.startswith("floe-packages-")
    (root / "requirements.txt").write_text("polars\n")
    assert key("packages") != before
    assert key("images").startswith("floe-images-")
    assert json.loads(key("packages", "--json"))["paths"]


def test_prefetch_gets_dbt_packages_and_names_what_cannot_be_had(tmp_path: Path) -> None:
    root = tmp_path / "my dbt ü"
    shutil.copytree(RICH, root)
    shutil.rmtree(root / "dbt_packages")
    helper = root / "vendored" / "helper"
    helper.mkdir(parents=True)
    (helper / "dbt_project.yml").write_text("name: helper\nversion: '1.0.0'\n")
    (root / "packages.yml").write_text("packages: [{local: vendored/helper}]\n")
    done = floe("ci", "--prefetch", "--stack", "embedded", cwd=root)
    assert done.returncode == 0, done.stderr
    assert "no images to get" in done.stderr
    assert (root / "dbt_packages" / "helper").exists()
    assert not (root / ".floe").exists(), "nothing was started"

    (root / "packages.yml").write_text("packages: [{local: vendored/none}]\n")
    failed = floe("ci", "--prefetch", "--stack", "embedded", cwd=root)
    assert failed.returncode != 0
    assert "FLOE4010" in failed.stderr
    assert "vendored/none" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_program_that_is_not_there_starts_nothing(tmp_path: Path) -> None:
    root = make_tiny(tmp_path / "shop")
    done = floe("ci", "--", "no-such-program", cwd=root)
    assert done.returncode == 2
    assert "no program 'no-such-program'" in done.stderr
    assert not list((root / ".floe" / "logs").glob("*.log"))


@pytest.mark.stack
def test_a_job_has_the_environment_and_the_programs_exit_code(tmp_path: Path) -> None:
    root, home = make_tiny(tmp_path / "shop"), {"XDG_STATE_HOME": str(tmp_path / "state")}
    program = "import os, sys; print('uri', os.environ['POLARIS_URI']); sys.exit(5)"
    options = ("--annotations", "github", "--junit", "floe.xml", "--capsule", "c.zip")
    done = floe("ci", *options, "--", sys.executable, "-c", program, cwd=root, env=home, timeout=300)
    assert done.returncode == 5, done.stderr
    assert "::group::start the stack" in done.stdout
    assert "uri http://127.0.0.1:" in done.stdout
    assert floe("status", cwd=root, env=home).returncode == 4, "it was stopped"
    suite = ET.parse(root / "floe.xml").getroot()[0]
    names = {case.get("name"): case for case in suite}
    assert "start catalog" in names
    assert names[sys.executable][0].get("message") == "exit code 5"
    shown = floe("status", "--capsule", "c.zip", "--json", cwd=root, env=home)
    assert json.loads(shown.stdout)["running"] is True, "the capsule was made while the stack ran"
    secrets = json.loads((root / ".floe" / "secrets.json").read_text())
    from floe_dev.capsule.reader import unpack

    unpack(root / "c.zip", tmp_path / "out")
    for file in (tmp_path / "out").rglob("*"):
        if file.is_file():
            for secret in (secrets["root"]["client_secret"], secrets["signing_key"], secrets["telemetry_token"]):
                assert secret.encode() not in file.read_bytes(), file
    late = ("--deadline", "25", "--capsule", "late.zip")
    slept = floe("ci", *late, "--", "sleep", "600", cwd=root, env=home, timeout=300)
    assert slept.returncode == 5
    assert "FLOE2108" in slept.stderr or "FLOE2102" in slept.stderr
    assert "give it more: --deadline" in slept.stderr
    assert floe("status", cwd=root, env=home).returncode == 4
