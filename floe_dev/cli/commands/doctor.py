"""`floe doctor`: what is wrong with the machine, the project and the stack, and how to mend each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from floe_dev.cli.doctor import FAIL, SKIPPED, WARNING, Check, guarded
from floe_dev.cli.options import json_option, pass_output
from floe_dev.cli.output import Output, output_of
from floe_dev.errors import Code, ExitCode, FloeError


@click.command(short_help="Check the machine, the project and the stack.")
@click.option("--project", "-p", type=click.Path(path_type=Path), default=None, metavar="DIR", help="The project.")
@click.option("--network", is_flag=True, help="Ask every endpoint from this machine and from inside the network.")
@json_option
@pass_output
def command(output: Output, project: Path | None, network: bool, as_json: bool) -> int:
    """Check the machine, the project and the stack; exit code 1 if anything failed.

    With --network: which of catalog, credentials and object store works from this machine and from
    inside the containers' network, as the scoped principal, and the setting to change for what does not.
    """
    if network:
        return _network(output, project, as_json=as_json)
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


def _network(output: Output, project: Path | None, *, as_json: bool) -> int:
    from floe_dev.cli.projects import choose_project
    from floe_dev.cli.render.endpoints import endpoints_text
    from floe_dev.session import Session
    from floe_dev.supervisor.endpoints import SKEW_SECONDS

    root = choose_project(project or output.project_option)
    output_of(click.get_current_context()).project = root
    found = Session(root).endpoints()
    skewed = any(abs(seconds) > SKEW_SECONDS for seconds in found.skew_seconds.values())
    if as_json:
        status = "fail" if found.failing or skewed else "pass"
        output.document({"status": status, **found.model_dump(mode="json")})
    else:
        output.data(endpoints_text(found, color=output.color, unicode=output.unicode, width=output.width))
    return ExitCode.FAILED if found.failing or skewed else ExitCode.OK


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
