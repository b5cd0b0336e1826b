"""`floe explain CODE`: what an error code means."""

from __future__ import annotations

import textwrap

import click

from floe_dev.cli.options import json_option, pass_output
from floe_dev.cli.output import Output
from floe_dev.errors import Code, ExitCode


@click.command(short_help="Explain an error code.")
@click.argument("code", required=False)
@json_option
@pass_output
def command(output: Output, code: str | None, as_json: bool) -> None:
    """Explain an error code such as FLOE1203; without one, list them all."""
    if code is None:
        _list(output, as_json)
        return
    try:
        found = Code.parse(code)
    except ValueError:
        raise click.BadParameter(
            f"there is no error code {code!r}; `floe explain` lists them.", param_hint="CODE"
        ) from None
    kind = found.kind
    if as_json:
        output.document(_content(found))
        return
    output.data(f"{found.id}: {kind.title}\n")
    output.data(textwrap.fill(kind.explanation, 88, initial_indent="  ", subsequent_indent="  "))
    output.data(f"\n  exit code: {int(kind.exit_code)} ({kind.exit_code.name.lower().replace('_', ' ')})")


def _list(output: Output, as_json: bool) -> None:
    codes = sorted(Code, key=lambda code: code.kind.number)
    if as_json:
        output.document(
            {
                "codes": [_content(code) for code in codes],
                "exitCodes": {code.name.lower(): int(code) for code in ExitCode},
            }
        )
        return
    from floe_dev.cli.render.tables import table

    rows = [(code.id, int(code.kind.exit_code), code.kind.title) for code in codes]
    output.data(table(("code", "exit", "title"), rows, color=output.color))


def _content(code: Code) -> dict[str, object]:
    kind = code.kind
    return {
        "code": code.id,
        "title": kind.title,
        "explanation": kind.explanation,
        "exitCode": int(kind.exit_code),
    }
