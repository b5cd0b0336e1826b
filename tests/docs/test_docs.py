"""Links of the documentation lead somewhere, and its commands exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from floe_dev.cli.program import cli
from floe_dev.errors import Code

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "sample_project" / "README.md", *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCE = re.compile(r"```(?:sh|shell|bash|console)\n(.*?)```", re.DOTALL)
_MENTION = re.compile(r"`(?:\./)?floe ([^`]+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text()):
        if target.startswith(("http://", "https://", "#", "mailto:")):
            continue
        assert (page.parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_exist(page: Path) -> None:
    for words in _commands(page.read_text()):
        _check(words)


def test_every_code_in_the_documentation_exists() -> None:
    for page in PAGES:
        for number in re.findall(r"FLOE(\d{4})\b", page.read_text()):
            Code.parse(number)


def _commands(text: str) -> Iterator[list[str]]:
    lines = [line for block in _FENCE.findall(text) for line in block.splitlines()]
    for line in lines:
        # What stands after a pipe, in `$(…)` or before another program is the shell's.
        bare = re.split(r"\s(?:#|\||&&|<|>)", line.strip().removeprefix("$ "))[0]
        match = re.match(r"(?:\./)?floe (.+)", bare)
        if match:
            yield shlex.split(match.group(1))
    for mention in _MENTION.findall(text):
        try:
            yield shlex.split(mention)
        except ValueError:
            continue


def _check(words: list[str]) -> None:
    """The commands exist and take these options, as click's own parser sees it; nothing is run."""
    if words[:1] == ["-m"] or words[0].startswith("-"):
        return
    command: click.Command = cli
    context = click.Context(cli, info_name="floe")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        if found is None and command is not cli:
            break
        assert found is not None, f"floe {words[0]} does not exist"
        command, words = found, words[1:]
        context = click.Context(command, info_name=command.name, parent=context)
    try:
        command.make_parser(context).parse_args(list(words))
    except click.NoSuchOption as error:
        raise AssertionError(f"{context.command_path} {' '.join(words)}: {error.format_message()}") from None
    except click.BadOptionUsage:
        pass  # a sentence may name an option without its value
