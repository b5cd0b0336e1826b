"""The emitting side of telemetry: spans, log records and lineage events, written to the project's spool.

Nothing here needs a network, a thread that outlives a fork, or an import beyond the standard library: a finished batch
is one file in `.floe/telemetry/spool/`, renamed into place, which the receiver collects. A receiver that is down costs
a run nothing, and loses nothing.
"""
