"""The program as a whole: help, usage errors, exit codes, streams, start-up cost, failures nobody expected."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from floe_dev.cli.loading import load_command
from floe_dev.cli.main import main
from floe_dev.cli.program import cli
from floe_dev.cli.registry import COMMANDS
from floe_dev.errors import Code, ExitCode
from tests.cli.helpers import FLOE, cost, environment, floe
from tests.cli.tiny import make_tiny


def test_help_lists_every_command_and_exits_0(tmp_path: Path) -> None:
    done = floe("--help", cwd=tmp_path)
    assert done.returncode == 0
    for name, entry in COMMANDS.items():
        assert f"  {name} " in done.stdout
        assert entry.help in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_the_list_is_the_help_of_the_command(name: str) -> None:
    command = load_command(name)
    assert command.name == name
    assert command.short_help == COMMANDS[name].help


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_its_options(name: str) -> None:
    command = load_command(name)
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.name}"


def test_unknown_command_suggests_the_nearest(tmp_path: Path) -> None:
    done = floe("statsu", cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert "Did you mean 'status'?" in done.stderr
    assert done.stdout == ""


def test_unknown_option_is_a_usage_error(tmp_path: Path) -> None:
    done = floe("explain", "--nope", cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert "No such option" in done.stderr


def test_outside_a_project_the_error_has_code_and_fix(tmp_path: Path) -> None:
    done = floe("tables", cwd=tmp_path, env={"XDG_STATE_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)})
    assert done.returncode == ExitCode.CONFIG
    assert "FLOE1001" in done.stderr
    assert "fix:" in done.stderr
    assert done.stdout == ""


def test_with_json_the_error_is_a_document_on_stdout_too(tmp_path: Path) -> None:
    done = floe(
        "tables", "--json", cwd=tmp_path, env={"XDG_STATE_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    )
    content = json.loads(done.stdout)
    assert content["schemaVersion"] == 1
    assert content["error"]["code"] == "FLOE1001"
    assert content["error"]["exitCode"] == done.returncode == ExitCode.CONFIG


def test_the_printed_fix_runs_as_pasted(tmp_path: Path) -> None:
    done = floe(
        "tables", "--json", cwd=tmp_path, env={"XDG_STATE_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    )
    fix = json.loads(done.stdout)["error"]["fix"]
    again = subprocess.run(
        fix, shell=True, cwd=tmp_path, env=environment({"PATH": "/usr/bin:/bin"}), capture_output=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "my-lakehouse" / "floe.yaml").is_file()


def test_broken_yaml_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "floe.yaml").write_text("name: shop\n  version: [1\n")
    done = floe("env", cwd=tmp_path)
    assert done.returncode == ExitCode.CONFIG
    assert "FLOE1101" in done.stderr
    assert "floe.yaml:2" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_defect_is_told_with_a_log_and_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command(name="explain")
    def broken() -> None:
        raise RuntimeError("the sky\nfell")

    monkeypatch.setattr("floe_dev.cli.program.load_command", lambda _name: broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert main(["explain"]) == ExitCode.FAILED
    shown = capsys.readouterr().err
    assert "FLOE9999" in shown
    assert "RuntimeError: the sky" in shown
    assert "Traceback" not in shown
    (log,) = tmp_path.glob("floe-crash-*.log")
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("number", "code"), [(28, Code.DISK_FULL), (30, Code.READ_ONLY), (13, Code.NO_PERMISSION)])
def test_trouble_with_the_disk_has_its_own_codes(
    number: int, code: Code, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command(name="explain")
    def broken() -> None:
        raise OSError(number, os.strerror(number), "/some/where")

    monkeypatch.setattr("floe_dev.cli.program.load_command", lambda _name: broken)
    assert main(["explain"]) == ExitCode.MACHINE
    shown = capsys.readouterr().err
    assert code.id in shown
    assert "/some/where" in shown


#: Root may write anywhere unless it gives up that right; for anybody else nothing has to be given up.
_OBEDIENT = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.getuid() == 0 else []
_obeys = pytest.mark.skipif(
    bool(_OBEDIENT) and subprocess.run([*_OBEDIENT, "true"], capture_output=True).returncode != 0,
    reason="root needs setpriv (util-linux) and the right to give up rights: run the tests as another user",
)


@_obeys
def test_without_write_permission(tmp_path: Path) -> None:
    project = make_tiny(tmp_path / "tiny")
    shutil.rmtree(project / ".floe")
    parent = tmp_path / "parent"
    parent.mkdir()

    def refused(code: Code, mentioned: Path, *arguments: str) -> str:
        done = subprocess.run(
            [*_OBEDIENT, FLOE, *arguments], cwd=tmp_path, env=environment(), capture_output=True, text=True
        )
        assert code.id in done.stderr, done.stderr
        assert str(mentioned) in done.stderr
        assert done.returncode == code.kind.exit_code
        return next(line for line in done.stderr.splitlines() if "fix:" in line).partition("fix: ")[2]

    up = ("up", "--project", str(project), "--no-run")
    for folder in (project, project / ".floe"):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o500)
        assert refused(Code.NO_PERMISSION, project / ".floe", *up) == f"chmod u+rwX {folder}"
        assert list(folder.glob(".floe*")) == [], "half of it was done"
        folder.chmod(0o700)
    (project / "platform.yaml").chmod(0)
    refused(Code.CONFIG_FILE_UNREADABLE, project / "platform.yaml", *up)
    parent.chmod(0o500)
    fix = refused(Code.NO_PERMISSION, parent / "mine", "init", str(parent / "mine"))
    assert list(parent.iterdir()) == []
    subprocess.run(shlex.split(fix), check=True)
    assert parent.stat().st_mode & 0o700 == 0o700


def test_a_python_that_is_too_old(tmp_path: Path) -> None:
    program = "import sys; sys.version_info = (3, 9, 1); from floe_dev.cli.main import main; sys.exit(main(['up']))"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == ExitCode.MACHINE
    assert "FLOE9104: Python 3.9.1 is too old" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("raised", "exit_code"), [(KeyboardInterrupt, 130), (click.Abort, 1), (BrokenPipeError, 0)])
def test_interruptions_have_their_exit_codes(
    raised: type[BaseException], exit_code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command(name="explain")
    def broken() -> None:
        raise raised

    monkeypatch.setattr("floe_dev.cli.program.load_command", lambda _name: broken)
    # The real descriptor 1 must survive the handling of a closed pipe.
    monkeypatch.setattr("os.dup2", lambda *_: None)
    assert main(["explain"]) == exit_code


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    line = f"{shlex.quote(str(FLOE))} explain --json | head -c 10 >/dev/null; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "0"
    assert done.stderr == ""


HEAVY = ("pydantic", "yaml", "dagster", "dbt", "duckdb", "pyiceberg", "pyarrow", "rich", "polaris", "sqlalchemy")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["up", "--help"], ["status", "--help"]])
def test_light_commands_import_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    program = (
        "import sys; from floe_dev.cli.main import main; "
        f"code = main({arguments!r}); "
        f"print(sorted(m for m in sys.modules if m in {HEAVY!r}), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stderr.strip() == "[]"


def test_help_costs_little_more_than_python(tmp_path: Path) -> None:
    assert cost(["--help"], tmp_path, tmp_path / "cache") < 12


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_program(shell: str, tmp_path: Path) -> None:
    done = floe("completion", shell, cwd=tmp_path)
    assert done.returncode == 0
    assert "_FLOE_COMPLETE" in done.stdout


def test_bash_completes_commands(tmp_path: Path) -> None:
    done = floe(cwd=tmp_path, env={"_FLOE_COMPLETE": "bash_complete", "COMP_WORDS": "floe st", "COMP_CWORD": "1"})
    assert "plain,status" in done.stdout


def test_explain_knows_every_code(tmp_path: Path) -> None:
    content = json.loads(floe("explain", "--json", cwd=tmp_path).stdout)
    assert {item["code"] for item in content["codes"]} == {code.id for code in Code}
    assert content["exitCodes"]["interrupted"] == 130
    one = floe("explain", "floe1203", cwd=tmp_path)
    assert one.stdout.startswith("FLOE1203: ")
    assert floe("explain", "4242", cwd=tmp_path).returncode == ExitCode.USAGE


def test_version_names_the_parts(tmp_path: Path) -> None:
    content = json.loads(floe("version", "--json", cwd=tmp_path).stdout)
    assert content["packages"]["duckdb"]
    assert content["packages"]["dagster"]
    assert floe("--version", cwd=tmp_path).stdout.strip() == f"floe {content['floe']}"


def test_group_and_commands_take_help_alike() -> None:
    assert cli.context_settings["help_option_names"] == ["-h", "--help"]
