"""Dagster's web server, which looks for new definitions more often: `dagster-webserver` else waits up to a second.

The code server has a new id when it has loaded a save; Dagster's own interval would be half of what a save takes.
"""

from __future__ import annotations

from dagster._grpc import server_watcher

#: Seconds between two looks; one costs a millisecond.
INTERVAL_SECONDS = 0.25


def main() -> None:
    """`python -m floe_dev.orchestrators.dagster.web_server …` takes the arguments of `dagster-webserver`."""
    server_watcher.WATCH_INTERVAL = INTERVAL_SECONDS  # type: ignore[assignment]
    from dagster_webserver.cli import main as serve

    serve()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
