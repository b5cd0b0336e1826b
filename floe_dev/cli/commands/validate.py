"""`floe validate`: the platform's checklist for this project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from floe_dev.cli.options import json_option, pass_output, project_option
from floe_dev.cli.output import Output
from floe_dev.errors import Code, ExitCode, FloeError

if TYPE_CHECKING:
    from floe_dev.validate.result import Finding


@click.command(short_help="Check the project against the platform's rules.")
@json_option
@project_option
@pass_output
def command(output: Output, as_json: bool, root: Path) -> int:
    """Check versions, configuration, manifest, credentials, tables, lineage, schedules, sensors and the project's code.

    Nothing is launched or changed. What needs the stack is skipped where it is not running; exit code 1 if anything
    failed.
    """
    from floe_dev.session import Session
    from floe_dev.validate.checks import validate

    found = validate(Session(root), None if as_json else lambda finding: _show(output, finding))
    failed = sum(finding.status == "failed" for finding in found)
    skipped = sum(finding.status == "skipped" for finding in found)
    if as_json:
        code = Code.VALIDATION_FAILED.id if failed else None
        findings = [finding.model_dump() for finding in found]
        output.document({"status": "failed" if failed else "ok", "code": code, "findings": findings})
        return ExitCode.FAILED if failed else ExitCode.OK
    output.data(f"\n{len(found)} findings: {failed} failed, {skipped} skipped")
    if failed:
        raise FloeError(
            Code.VALIDATION_FAILED,
            f"{failed} of {len(found)} findings failed",
            why="the first is " + next(f"{f.check}: {f.message}" for f in found if f.status == "failed"),
            fix="mend what is listed above, then floe validate",
        )
    return ExitCode.OK


def _show(output: Output, finding: Finding) -> None:
    from floe_dev.cli.naming import localize
    from floe_dev.cli.render.style import paint, state_text

    word = {"ok": "pass", "failed": "fail"}.get(finding.status, finding.status)
    state = state_text(word, color=output.color, unicode=output.unicode)
    place = f"{finding.file}:{finding.line}: " if finding.line else f"{finding.file}: " if finding.file else ""
    output.data(f"{state}{' ' * (9 - len(word))}{finding.check}: {place}{finding.message}")
    if finding.fix and finding.status != "ok":
        output.data(f"           {paint('fix:', 'green', color=output.color)} {localize(finding.fix, output.project)}")
