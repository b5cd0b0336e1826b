"""The two streams of every command: data on stdout, narration on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from floe_dev.cli.render.style import paint, speaks_unicode, terminal_width, wants_color

#: Version of every JSON document the command line prints (`schemaVersion`); raised when a field changes its meaning.
SCHEMA_VERSION = 1


@dataclass
class Output:
    """What a command writes with; one for each process, kept as click's `ctx.obj`."""

    no_color: bool = False
    #: The command was asked for JSON: an error then is a JSON document on stdout as well.
    json_mode: bool = False
    #: The group's --project, used where the command has none of its own.
    project_option: Path | None = None
    #: A group's --capsule, likewise.
    capsule_option: Path | None = None
    #: The project the command works on once it is known; errors and printed commands are shown relative to it.
    project: Path | None = field(default=None)
    #: The capsule that is read instead of a project (--capsule).
    capsule: Path | None = None
    #: The command's name, once it is known.
    command: str = ""
    #: What the command line was, without the program's name.
    arguments: tuple[str, ...] = ()

    @property
    def color(self) -> bool:
        """Whether stdout takes colour."""
        return wants_color(sys.stdout, no_color=self.no_color)

    @property
    def err_color(self) -> bool:
        """Whether stderr takes colour."""
        return wants_color(sys.stderr, no_color=self.no_color)

    @property
    def width(self) -> int | None:
        """Columns to cut tables to: the terminal's; None (nothing is cut) where stdout is a pipe or a file."""
        return terminal_width() if sys.stdout.isatty() else None

    @property
    def unicode(self) -> bool:
        """Whether both streams take the glyphs."""
        return speaks_unicode(sys.stdout) and speaks_unicode(sys.stderr)

    def data(self, text: str = "", *, end: str = "\n") -> None:
        """Write data (stdout)."""
        sys.stdout.write(_encodable(text + end, sys.stdout.encoding))

    def document(self, content: Mapping[str, Any]) -> None:
        """Write one JSON document with its schemaVersion (stdout)."""
        self.data(json.dumps({"schemaVersion": SCHEMA_VERSION, **content}, indent=2, ensure_ascii=False, default=str))

    def line(self, content: Mapping[str, Any]) -> None:
        """Write one JSON line with its schemaVersion (stdout), at once."""
        self.data(json.dumps({"schemaVersion": SCHEMA_VERSION, **content}, ensure_ascii=False, default=str))
        sys.stdout.flush()

    def say(self, text: str = "", *styles: str) -> None:
        """Write narration (stderr)."""
        shown = paint(text, *styles, color=self.err_color) if styles else text
        sys.stderr.write(_encodable(shown + "\n", sys.stderr.encoding))
        sys.stderr.flush()


def _encodable(text: str, encoding: str | None) -> str:
    """`text` with what the stream cannot carry (LANG=C) replaced, never an exception."""
    encoding = encoding or "ascii"
    if encoding.lower().replace("-", "") == "utf8":
        # Lone surrogates (undecodable bytes in a path) would still fail.
        return text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text
    return text.encode(encoding, "replace").decode(encoding)


def output_of(ctx: click.Context) -> Output:
    """The process's `Output`, also where a command object is called without the group (completion, tests)."""
    found = ctx.find_object(Output)
    if found is None:
        found = ctx.obj = Output()
    return found
