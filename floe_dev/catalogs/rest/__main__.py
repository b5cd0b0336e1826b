"""`python -m floe_dev.catalogs.rest`: the catalog server as a process."""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import sqlite3
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from floe_dev.storage.base import Storage

ROOT_CREDENTIALS = "POLARIS_BOOTSTRAP_CREDENTIALS"
SIGNING_KEY = "FLOE_CATALOG_SIGNING_KEY"


def main(argv: list[str] | None = None) -> int:
    """Serve until told to stop; exit code 2 for settings that cannot work."""
    parser = argparse.ArgumentParser(prog="python -m floe_dev.catalogs.rest", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", type=Path, required=True, help="SQLite file, made if it is missing")
    parser.add_argument("--warehouse", type=Path, required=True, help="folder of catalogs created without a location")
    parser.add_argument(
        "--s3-endpoint", help="object store of catalogs at s3://; its keys are AWS_ACCESS_KEY_ID and so on"
    )
    parser.add_argument("--instance", default="", help="echoed in every answer as X-Floe-Instance")
    options = parser.parse_args(argv)
    # Taken out of the environment, so that nothing this process might start inherits them.
    # The realm is Polaris's; there is one here.
    credentials = os.environ.pop(ROOT_CREDENTIALS, "").split(",", 2)
    if len(credentials) != 3 or not all(credentials):
        parser.error(f"{ROOT_CREDENTIALS} must be <realm>,<client id>,<client secret>")
    key = os.environ.pop(SIGNING_KEY, "")
    if key and len(key) < 16:
        parser.error(f"{SIGNING_KEY} must have at least 16 characters")

    import uvicorn

    from floe_dev.catalogs.rest.app import create_app
    from floe_dev.catalogs.rest.protocol import patient_protocol
    from floe_dev.catalogs.rest.settings import Settings
    from floe_dev.tracing.spool import configure_from_environment

    configure_from_environment("catalog")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    settings = Settings(
        database=options.database,
        warehouse=options.warehouse,
        instance=options.instance,
        root_client_id=credentials[1],
        root_client_secret=credentials[2],
        signing_key=key.encode() or secrets.token_bytes(32),
        store=_store(options.s3_endpoint, parser),
    )
    # PyIceberg warns of every snapshot without a summary; that is between the client and its readers.
    warnings.filterwarnings("ignore", message="Encountered invalid snapshot summary")
    try:
        app = create_app(settings)
    except (OSError, sqlite3.Error) as error:
        logging.getLogger("floe.catalog").error("cannot open %s: %s", settings.database, error)
        return 1
    config = uvicorn.Config(
        app,
        host=options.host,
        port=options.port,
        access_log=False,
        log_config=None,
        log_level="info",
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=3,
        http=patient_protocol(settings.limits.request_seconds, settings.instance),
        ws="none",
    )
    uvicorn.Server(config).run()
    return 0


def _store(endpoint: str | None, parser: argparse.ArgumentParser) -> Storage | None:
    if not endpoint:
        return None
    from floe_dev.storage.base import StoreCredential
    from floe_dev.storage.minio import REGION, MinioStorage

    access_key, secret = os.environ.pop("AWS_ACCESS_KEY_ID", ""), os.environ.pop("AWS_SECRET_ACCESS_KEY", "")
    if not access_key or not secret:
        parser.error("--s3-endpoint needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    return MinioStorage(endpoint, StoreCredential(access_key, secret), os.environ.get("AWS_REGION") or REGION)


if __name__ == "__main__":
    sys.exit(main())
