"""`floe traces`: what ran and where the time went; one trace as a waterfall; traces as OTLP files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from floe_dev.cli.durations import Duration
from floe_dev.cli.options import json_option, pass_output, project_or_capsule_option
from floe_dev.cli.output import Output
from floe_dev.cli.sessions import joined, session_of

if TYPE_CHECKING:
    from floe_dev.model.traces import Gap
    from floe_dev.session import Session
    from floe_dev.telemetry.query import TelemetryReader

_STATES = ("ok", "error", "canceled", "open")


@click.command(short_help="List traces; show one as a waterfall; export them.")
@click.argument("what", nargs=-1, metavar="[ID | export [ID]...]")
@click.option("--run", default=None, help="Of this Dagster run (its id, or the beginning of it).")
@click.option("--asset", default=None, help="That made this asset, such as gold/metrics.")
@click.option("--table", default=None, help="That wrote this table, such as gold.metrics.")
@click.option("--status", "--state", "state", type=click.Choice(_STATES), default=None, help="How they ended.")
@click.option(
    "--min", "min_seconds", type=Duration(), default=None, metavar="TIME", help="Took as long: 500ms, 2s, 1m."
)
@click.option("--since", type=Duration("m"), default=None, metavar="TIME", help="Began in the last 10m, 2h, 1d.")
@click.option("--until", type=Duration("m"), default=None, metavar="TIME", help="Began longer ago than that.")
@click.option("--name", default=None, help="Whose name contains this.")
@click.option("--service", default=None, help="Whose first span is this service's.")
@click.option("--commands", is_flag=True, help="Those of floe's own commands too.")
@click.option("--limit", "-n", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many.")
@click.option("--output", "-o", "file", type=click.Path(path_type=Path), default=None, help="export: the file.")
@json_option
@project_or_capsule_option
@pass_output
def command(
    output: Output,
    what: tuple[str, ...],
    run: str | None,
    asset: str | None,
    table: str | None,
    state: str | None,
    min_seconds: float | None,
    since: float | None,
    until: float | None,
    name: str | None,
    service: str | None,
    commands: bool,
    limit: int,
    file: Path | None,
    as_json: bool,
    root: Path,
) -> None:
    """List traces, newest first; with an ID (its first digits are enough) show that one.

    `floe traces ID --json` prints OTLP's JSON. `floe traces export` writes the traces listed (or those named) as OTLP,
    one JSON document a line, which Jaeger, a collector's file receiver and otel-desktop-viewer load.
    """
    from floe_dev.model.layout import Layout
    from floe_dev.telemetry.query import TelemetryReader, TraceFilter

    reader = TelemetryReader(Layout(root))
    wanted = TraceFilter(
        run=run,
        asset=asset.replace(".", "/") if asset else None,
        state=state,
        min_seconds=min_seconds,
        since=time.time() - since if since is not None else None,
        until=time.time() - until if until is not None else None,
        name=name,
        service=service,
        table=table.replace("/", ".") if table else None,
        commands=commands or service == "floe" or name is not None,
        limit=limit,
    )
    if what and what[0] == "export":
        _export(output, reader, what[1:] or tuple(trace.trace_id for trace in reader.traces(wanted)), file)
        return
    if len(what) > 1:
        raise click.UsageError("one ID is enough; several can be exported: floe traces export ID ID")
    if what:
        _show(output, root, what[0], as_json=as_json)
        return
    found = reader.traces(wanted)
    gaps = reader.gaps()
    if as_json:
        output.document(
            {
                "traces": [{**t.model_dump(mode="json"), "seconds": t.seconds, "state": t.state} for t in found],
                "gaps": [gap.model_dump(mode="json") for gap in gaps],
            }
        )
        return
    if not found:
        output.say("no traces yet" if wanted == TraceFilter(limit=limit, commands=commands) else "no trace matches")
        _say_gaps(output, gaps)
        return
    from floe_dev.cli.render.traces import traces_text

    output.data(traces_text(found, color=output.color, unicode=output.unicode, width=output.width))
    _say_gaps(output, gaps)


def _say_gaps(output: Output, gaps: Sequence[Gap]) -> None:
    from floe_dev.cli.render.traces import when_text

    for gap in gaps:
        output.say(f"{gap.kind}: {gap.count}, last {when_text(gap.last_at, width=output.width)} ({gap.reason})")


def _show(output: Output, root: Path, trace_id: str, *, as_json: bool) -> None:
    import json

    from floe_dev.cli.render.traces import errors_text, links_text, waterfall, when_text
    from floe_dev.errors import Code, FloeError

    session = session_of(output, root)
    trace = session.telemetry().trace(trace_id)
    if trace is None:
        raise FloeError(
            Code.NO_SUCH_TRACE, f"no trace begins with {trace_id!r}", why=_why_not(session, trace_id), fix="floe traces"
        )
    if as_json:
        from floe_dev.telemetry.export import otlp_documents

        (document,) = otlp_documents(session.telemetry(), [trace.summary.trace_id])
        output.data(json.dumps(document, indent=2, ensure_ascii=False))
        return
    summary = trace.summary
    output.data(f"{summary.name}  {summary.trace_id}  {when_text(summary.start_ns / 1e9)}  {summary.state}\n")
    output.data(waterfall(trace, color=output.color, unicode=output.unicode, width=output.width))
    if errors := errors_text(trace, color=output.color):
        output.data("\n" + errors)
    links = joined(output, session).of_trace(summary)
    if links.runs or links.snapshots:
        output.data("\n" + links_text(links.model_copy(update={"traces": ()}), color=output.color, width=output.width))


def _why_not(session: Session, trace_id: str) -> str | None:
    """Why a run that Dagster has is not among the traces."""
    wanted = trace_id.lower().replace("-", "")
    runs = [run.run_id for run in session.join(tables=()).dagster_runs]
    found = next((run for run in runs if run.replace("-", "").startswith(wanted)), None)
    if found is None:
        return None
    return f"Dagster has the run {found}, but its spans did not arrive: `floe traces` ends with what is missing"


def _export(output: Output, reader: TelemetryReader, trace_ids: tuple[str, ...], file: Path | None) -> None:
    from floe_dev.telemetry.export import otlp_lines

    lines = otlp_lines(reader, trace_ids)
    if file is None:
        for line in lines:
            output.data(line)
        return
    with file.open("w", encoding="utf-8") as target:
        target.writelines(line + "\n" for line in lines)
    output.say(f"{len(trace_ids)} traces written to {file}")
