"""`python -m floe_dev.telemetry`: the receiver as a process."""

from __future__ import annotations

import argparse
import logging
import os
import sqlite3
import sys
from pathlib import Path

#: The token every sender has to show; taken out of the environment at once.
TOKEN_VARIABLE = "FLOE_TELEMETRY_TOKEN"  # noqa: S105 - the name of a variable


def main(argv: list[str] | None = None) -> int:
    """Serve until told to stop; exit code 1 where the store cannot be opened, 2 for settings that cannot work."""
    parser = argparse.ArgumentParser(prog="python -m floe_dev.telemetry", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="holds telemetry.db and spool/")
    parser.add_argument("--instance", default="", help="echoed in every answer as X-Floe-Instance")
    for name, kind, usual in (("days", float, "14"), ("spans", int, "2000000"), ("bytes", int, "1000000000")):
        variable = f"FLOE_TELEMETRY_MAX_{name.upper()}"
        parser.add_argument(f"--max-{name}", type=kind, default=os.environ.get(variable, usual), help=variable)
    options = parser.parse_args(argv)
    token = os.environ.pop(TOKEN_VARIABLE, "")
    if len(token) < 16:
        parser.error(f"{TOKEN_VARIABLE} must have at least 16 characters")

    import uvicorn

    from floe_dev.telemetry.app import Receiver
    from floe_dev.telemetry.collect import Collector
    from floe_dev.telemetry.forward import Forwarder, targets
    from floe_dev.telemetry.grpc_server import GrpcServer
    from floe_dev.telemetry.store import Limits
    from floe_dev.telemetry.writer import Writer

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    try:
        limits = Limits(options.max_days, options.max_spans, options.max_bytes)
        writer = Writer(options.folder / "telemetry.db", limits)
    except (OSError, sqlite3.Error) as error:
        logging.getLogger("floe.telemetry").error("cannot open the store in %s: %s", options.folder, error)
        return 1
    forwarder = Forwarder(targets(os.environ), writer.lose)
    writer.stored = forwarder.put
    config = uvicorn.Config(
        Receiver(writer, token, options.instance),
        host="127.0.0.1",
        port=options.port,
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
        ws="none",
    )

    collector = Collector(options.folder / "spool", writer)
    grpc = GrpcServer(writer, token, options.folder)
    try:
        uvicorn.Server(config).run()
    finally:
        grpc.close()
        collector.close()
        writer.close()
    forwarder.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
