"""The walk between asset, run, trace and table: from what is known of one to the names of the other three."""

from __future__ import annotations

from dataclasses import dataclass, replace

from floe_dev.model.state import State


@dataclass(frozen=True, slots=True)
class Links:
    """Names of what belongs together; the first of several is the likeliest."""

    assets: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    run: str | None = None
    trace: str | None = None
    service: str | None = None


def complete(links: Links, state: State) -> Links:
    """What the State knows besides: an asset `ns/name` is the table `ns.name`, a run has its trace and its assets."""
    run, trace = links.run, links.trace
    assets, tables = links.assets, links.tables
    if trace is None and run is not None:
        trace = next((one.trace_id for one in state.traces.items if one.run_id == run), None)
    if run is None and trace is not None:
        run = next((one.run_id for one in state.traces.items if one.trace_id == trace), None)
    known = {table.identifier for table in state.tables.items}
    if not tables and assets:
        tables = tuple(name for key in assets if (name := key.replace("/", ".")) in known)
    keys = {asset.key for asset in state.assets.items}
    if not assets and tables:
        assets = tuple(key for name in tables if (key := name.replace(".", "/")) in keys)
    if not assets and run is not None:
        assets = next((one.assets for one in state.runs.items if one.run_id == run), ())
    if not tables and run is not None:
        tables = tuple(one.identifier for one in state.tables.items if one.run_id == run)
        tables = tables or tuple(name for key in assets if (name := key.replace("/", ".")) in known)
    if run is None and assets:
        # The one that makes it now comes before the last one that did.
        run = next((one.run_id for one in state.runs.items if not one.over and assets[0] in one.assets), None)
    if run is None and assets:
        run = next((one.last_run for one in state.assets.items if one.key == assets[0]), None)
    if run is None and tables:
        run = next((one.run_id for one in state.tables.items if one.identifier == tables[0]), None)
    if trace is None and tables:
        # Of a run that goes on the table still has the trace of the one before.
        last = next((one for one in state.tables.items if one.identifier == tables[0]), None)
        trace = last.trace_id if last is not None and run in (None, last.run_id) else None
    if trace is None and run is not None:
        trace = next((one.trace_id for one in state.traces.items if one.run_id == run), None)
    return replace(links, assets=assets, tables=tables, run=run, trace=trace)


def links_of(name: str, item: object, state: State) -> Links:
    """What an item of the slice `name` belongs to."""
    from floe_dev.tui.lists import key_of

    key = key_of(name, item)
    match name:
        case "assets":
            return complete(Links(assets=(key,)), state)
        case "tables":
            return complete(Links(tables=(key,)), state)
        case "runs":
            return complete(Links(run=key), state)
        case "traces":
            assets = tuple(getattr(item, "assets", ()))
            return complete(Links(trace=key, assets=assets, run=getattr(item, "run_id", None)), state)
        case "services":
            return Links(service=key)
    return Links()
