"""`floe logs`: what the services wrote, of one or of all, and what they go on writing."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click

from floe_dev.cli.naming import floe_command
from floe_dev.cli.options import pass_output, project_or_capsule_option
from floe_dev.cli.output import Output
from floe_dev.cli.render.style import paint
from floe_dev.drivers.logs import read_log_bytes
from floe_dev.model.layout import Layout

_POLL_SECONDS = 0.2
_COLORS = ("cyan", "green", "yellow", "blue")


@click.command(short_help="Show the services' logs; -f follows them.")
@click.argument("service", nargs=-1)
@click.option("--follow", "-f", is_flag=True, help="Go on showing new lines until Ctrl-C.")
@click.option("--trace", default=None, metavar="ID", help="The log records of one trace, whichever process wrote them.")
@click.option("--lines", "-n", type=click.IntRange(min=0), default=50, show_default=True, help="Last lines of each.")
@project_or_capsule_option
@pass_output
def command(output: Output, service: tuple[str, ...], follow: bool, trace: str | None, lines: int, root: Path) -> None:
    """Show the last lines of every service's log, or of the SERVICEs named; with --trace, what a trace logged."""
    if trace is not None:
        _of_trace(output, root, trace)
        return
    folder = Layout(root).logs_dir
    logs = sorted(folder.glob("*.log")) if folder.is_dir() else []
    known = [path.stem for path in logs]
    for name in service:
        if name not in known:
            hint = f"there are logs of: {', '.join(known)}" if known else "nothing ran here yet"
            raise click.UsageError(f"no log of {name!r}; {hint}")
    chosen = [path for path in logs if not service or path.stem in service]
    if not chosen:
        output.say(f"no logs in {folder}; start the stack with: {floe_command('up', project=root)}")
        return
    width = max(len(path.stem) for path in chosen)
    tails = []
    for number, path in enumerate(chosen):
        label = ""
        if len(chosen) > 1:
            label = paint(path.stem.ljust(width), _COLORS[number % len(_COLORS)], color=output.color) + " | "
        tails.append(_Tail(path, label))
    for tail in tails:
        for line in tail.last(lines):
            output.data(tail.label + line)
    sys.stdout.flush()
    while follow:
        wrote = False
        for tail in tails:
            for line in tail.new():
                output.data(tail.label + line)
                wrote = True
        if wrote:
            sys.stdout.flush()
        else:
            time.sleep(_POLL_SECONDS)


def _of_trace(output: Output, root: Path, trace: str) -> None:
    from floe_dev.cli.render.traces import when_text
    from floe_dev.telemetry.query import TelemetryReader

    records = TelemetryReader(Layout(root)).logs(trace)
    if not records:
        output.say(f"the trace {trace} logged nothing")
    for record in records:
        output.data(f"{when_text(record.time_ns / 1e9)} {record.severity:<7} {record.service}  {record.body}")


@dataclass
class _Tail:
    """A log that grows, also beyond what is moved aside; a new start of the stack begins it anew."""

    path: Path
    label: str
    position: int = 0

    def last(self, count: int) -> list[str]:
        """The last `count` lines, the last one also where it is not over; reading goes on behind them."""
        read = read_log_bytes(self.path)
        self.position = read.end
        lines = read.content.removesuffix(b"\n").split(b"\n") if read.content else []
        return [_text(line) for line in lines[max(0, len(lines) - count) :]]

    def new(self) -> list[str]:
        """The whole lines written since."""
        read = read_log_bytes(self.path, self.position)
        *whole, rest = read.content.split(b"\n")
        self.position = read.end - len(rest)
        return [_text(line) for line in whole]


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")
