"""The reference of commands, errors and exit codes, made from the code: `python -m docs.reference_commands`."""

from __future__ import annotations

import inspect
import textwrap
from pathlib import Path

import click

from floe_dev.cli.loading import load_command
from floe_dev.cli.program import cli
from floe_dev.cli.registry import COMMANDS
from floe_dev.errors import Code, ExitCode

REFERENCE = Path(__file__).resolve().parent / "reference"
_GENERATED = "Generated from the code by `python -m docs.reference_commands`; do not edit.\n"

_INTRO = f"""# Commands

{_GENERATED}
Every command takes `--help`. Data go to stdout, narration to stderr. With `--json` stdout is one JSON document with a
`schemaVersion`, also when the command fails (its `error` then has the code); `--progress json` writes one JSON object a
line. `NO_COLOR`, `TERM=dumb` and `--no-color` switch colour off. The project is `--project`, else the folder with
floe.yaml from the working directory upwards, else FLOE_PROJECT_DIR, else the only
one below the working directory, else the only stack that is running. How a command
can end is in [errors and exit codes](errors.md#exit-codes).
"""

_EXIT_MEANINGS = {
    ExitCode.OK: "all went well",
    ExitCode.FAILED: "the command failed; the error says why",
    ExitCode.USAGE: "the command line is wrong: an unknown option, a selection that names nothing",
    ExitCode.CONFIG: "the project or its configuration is wrong, or there is none",
    ExitCode.NOT_RUNNING: "the stack is not running; `floe status` ends with it too",
    ExitCode.TIMEOUT: "the stack was not ready within `--timeout`",
    ExitCode.SERVICE_FAILED: "a service, or a step of starting up, failed",
    ExitCode.RUN_FAILED: "an asset or a check failed",
    ExitCode.PORT: "a port is taken and cannot be replaced",
    ExitCode.MACHINE: "the machine: a full or read-only disk, a missing permission, a Python that does not fit",
    ExitCode.BUSY: "the project is busy with something that excludes this",
    ExitCode.INTERRUPTED: "Ctrl-C; what the command had started is stopped",
    ExitCode.TERMINATED: "SIGTERM; what the command had started is stopped",
}


def pages() -> dict[Path, str]:
    """Every generated file and its content."""
    return {REFERENCE / "commands.md": _commands(), REFERENCE / "errors.md": _errors()}


def _commands() -> str:
    parts = [_INTRO]
    root = click.Context(cli, info_name="floe")
    for name in COMMANDS:
        command = load_command(name)
        parts.append(_command(command, click.Context(command, info_name=name, parent=root), 2))
    return "\n".join(parts)


def _command(command: click.Command, context: click.Context, level: int) -> str:
    usage = context.command.collect_usage_pieces(context)
    lines = [f"{'#' * level} {context.command_path}\n", f"```\n{context.command_path} {' '.join(usage)}\n```\n"]
    lines.append(_help(command.help or ""))
    rows = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and isinstance(parameter, click.Option) and not record[0].endswith("--help"):
            rows.append(f"| `{record[0].replace('|', chr(92) + '|')}` | {record[1].replace('|', chr(92) + '|')} |")
    if rows:
        lines += ["| Option | Meaning |", "|---|---|", *rows, ""]
    for name, child in getattr(command, "commands", {}).items():
        lines.append(_command(child, click.Context(child, info_name=name, parent=context), level + 1))
    return "\n".join(lines)


def _help(text: str) -> str:
    """A docstring as Markdown: what follows click's no-wrap mark becomes a block of code."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    shown = []
    for paragraph in paragraphs:
        if paragraph.lstrip().startswith("\b"):
            shown.append("```console\n" + textwrap.dedent(paragraph.replace("\b\n", "", 1)) + "\n```")
        else:
            shown.append(paragraph)
    return "\n\n".join(shown) + "\n"


def _errors() -> str:
    lines = [f"# Errors and exit codes\n\n{_GENERATED}"]
    lines.append(
        "An error says what is wrong, where, why, and one command or edit that mends it. Its code is stable; "
        "`floe explain FLOE1203` prints the text below.\n"
    )
    lines += ["## Error codes\n", "| Code | Exit | Meaning |", "|---|---|---|"]
    for code in sorted(Code, key=lambda item: item.kind.number):
        kind = code.kind
        lines.append(f"| {code.id} | {int(kind.exit_code)} | **{kind.title}.** {kind.explanation} |")
    lines += ["", "## Exit codes\n", "| Exit | Name | Meaning |", "|---|---|---|"]
    lines += [f"| {int(code)} | {code.name.lower()} | {_EXIT_MEANINGS[code]} |" for code in ExitCode]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for file, content in pages().items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
