"""`floe doctor`: what is wrong with the machine, the project and the stack, and how to mend each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from floe_dev.cli.doctor import FAIL, SKIPPED, WARNING, Check, guarded
from floe_dev.cli.options import json_option, output_of, pass_output
from floe_dev.cli.output import Output
from floe_dev.errors import Code, ExitCode, FloeError


@click.command(short_help="Check the machine, the project and the stack.")
@click.option("--project", "-p", type=click.Path(path_type=Path), default=None, metavar="DIR", help="The project.")
@json_option
@pass_output
def command(output: Output, project: Path | None, as_json: bool) -> int:
    """Check the machine, the project and the stack; exit code 1 if anything failed."""
    found = []
    for check in run_checks(project or output.project_option):
        found.append(check)
        if not as_json:
            _show(output, check, first=len(found) == 1 or found[-2].category != check.category)
    failed = [check for check in found if check.status == FAIL]
    warned = [check for check in found if check.status == WARNING]
    if as_json:
        from dataclasses import asdict

        output.document(
            {
                "status": "fail" if failed else "warning" if warned else "pass",
                "checks": [asdict(check) for check in found],
            }
        )
    else:
        from floe_dev.cli.render.style import count_text

        output.data(f"\n{len(found)} checks: {len(failed)} failed, {count_text(len(warned), 'warning')}")
    return ExitCode.FAILED if failed else ExitCode.OK


def run_checks(project: Path | None) -> Iterator[Check]:
    """All checks, in the order in which one failing explains the next."""
    from floe_dev.cli.doctor import machine
    from floe_dev.cli.doctor import project as project_checks
    from floe_dev.cli.projects import choose_project

    for name in ("python", "packages", "duckdb_extensions", "memory", "loopback", "temporary", "proxies", "docker"):
        yield from guarded("machine", name, getattr(machine, name))
    try:
        root = choose_project(project)
    except FloeError as error:
        yield from guarded("machine", "disk", lambda: machine.disk(Path.cwd()))
        if error.code is Code.NO_PROJECT and project is None:
            yield Check("project", "floe.yaml", SKIPPED, "no project here", "floe init")
        else:
            yield Check("project", "floe.yaml", FAIL, f"{error.code.id}: {error.what}", error.fix)
        return
    import click as _click

    output_of(_click.get_current_context()).project = root
    yield from guarded("machine", "disk", lambda: machine.disk(root))
    yield from guarded("project", "permissions", lambda: project_checks.writable(root))
    yield from guarded("project", "floe.yaml", lambda: project_checks.configuration(root))
    from floe_dev.cli.doctor import stack

    yield from guarded("stack", "supervisor", lambda: stack.running(root))


def _show(output: Output, check: Check, *, first: bool) -> None:
    from floe_dev.cli.naming import localize
    from floe_dev.cli.render.style import paint, state_text

    if first:
        output.data(paint(check.category, "bold", color=output.color))
    state = state_text(check.status, color=output.color, unicode=output.unicode)
    pad = " " * (10 - len(check.status))
    output.data(f"  {state}{pad}{check.name}: {check.message}")
    if check.fix and check.status != "pass":
        output.data(f"            {paint('fix:', 'green', color=output.color)} {localize(check.fix, output.project)}")
