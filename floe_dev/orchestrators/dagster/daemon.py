"""Dagster's daemon, which looks for backfills more often: `dagster-daemon` else lets one wait up to half a minute.

A backfill asks for it twice: to be begun, and to be over (or canceled) once its runs have ended.
"""

from __future__ import annotations

from dagster._daemon import controller

#: Seconds between two looks for backfills; one costs three queries of the runs' storage, together 0.4 % of a processor.
INTERVAL_SECONDS = 2


def main() -> None:
    """`python -m floe_dev.orchestrators.dagster.daemon …` takes the arguments of `dagster-daemon`."""
    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = INTERVAL_SECONDS
    from dagster._daemon.cli import main as serve

    serve()


if __name__ == "__main__":
    main()
